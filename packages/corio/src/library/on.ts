import { badArgument } from "../errors.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { checkEventName, checkEventSource, isEventTarget, listen } from "./event-source.ts";
import type { EmitterLike, EventOf, EventTargetLike } from "./event-source.ts";
import { EventStream } from "./event-stream.ts";
import type { BufferOptions } from "./event-stream.ts";

/** Options of `on`. */
export interface OnOptions extends BufferOptions {
  /** The names of the events that end the stream: `["close"]`, `["end"]`. Default: none. */
  readonly close?: readonly string[];
}

/**
 * The events of a name, as a stream. It listens from now on and keeps what comes until it is taken. Of an EventTarget it
 * gives the events; of an emitter the listener's arguments, as arrays, whose type is given as
 * `on<[chunk: Uint8Array]>(socket, "data")`.
 *
 * The stream fails when an emitter emits `"error"` (unless that is the event asked for), and ends with the events named
 * in `close`; in both cases what came before is given first. `for await` closes it when it is left; otherwise call
 * `close`, or declare it with `using`.
 *
 * Cancel safety: a cancelled `next` has taken nothing. A cancelled `for await` closes the stream: the listener is taken
 * away, and what nobody had taken is lost.
 *
 * asyncio: none. Node: `events.on`. Throws `ArgumentTypeError` for what cannot be listened to; `next` throws
 * `QueueFull` when the buffer was full and `overflow` is `"throw"`.
 *
 * @example
 * ```ts
 * import { coroutine, getRunningLoop, on, run } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const field = new EventTarget();
 *   getRunningLoop().callSoon(() => {
 *     for (const type of ["input", "input", "blur"]) field.dispatchEvent(new Event(type));
 *   });
 *   for await (const event of on(field, "input", { close: ["blur"] })) console.log(event.type);
 *   console.log("left the field");
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * input
 * input
 * left the field
 * ```
 */
export function on<Target extends EventTargetLike, Name extends string>(
  target: Target,
  name: Name,
  options?: OnOptions,
): EventStream<EventOf<Target, Name>>;
export function on<Parameters extends readonly unknown[] = readonly unknown[]>(
  emitter: EmitterLike,
  name: string | symbol,
  options?: OnOptions,
): EventStream<Parameters>;
export function on(
  source: EventTargetLike | EmitterLike,
  name: string | symbol,
  options: OnOptions = noOptions,
): EventStream<unknown> {
  checkEventSource(source, name, "on");
  checkOptions(options, "on");
  const closing: unknown = options.close ?? [];
  if (!Array.isArray(closing)) throw badArgument("on: close", "an array of names of events", closing);
  for (const end of closing as unknown[]) checkEventName(source, end, "on: close");
  const undo: (() => void)[] = [];
  const stream = new EventStream<unknown>(
    {
      description: `the event ${String(name)}`,
      release: () => {
        for (const stopListening of undo) stopListening();
      },
    },
    options,
    "on",
  );
  const isTarget = isEventTarget(source);
  undo.push(
    listen(source, name, (...parameters: readonly unknown[]) => {
      stream.push(isTarget ? parameters[0] : parameters);
    }),
  );
  for (const end of closing as string[]) undo.push(listen(source, end, () => stream.end()));
  if (!isTarget && name !== "error") {
    undo.push(
      listen(source, "error", (error: unknown) => {
        stream.fail(error ?? new Error("an error event without an error"));
      }),
    );
  }
  return stream;
}
