import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { FutureCallback, FutureState } from "../futures/future.ts";
import { getLoop } from "../futures/get-loop.ts";
import { checkEventSource, isEventTarget, listen } from "./event-source.ts";
import type { EmitterLike, EventOf, EventTargetLike } from "./event-source.ts";

/**
 * The next event of a name, as a future. It listens from now on, so that what is done to cause the event may come
 * before the `await`. Of an EventTarget the result is the event; of an emitter it is the listener's arguments, as an
 * array. TypeScript finds the type of an EventTarget's event by itself; for an emitter it is given:
 * `once<[chunk: Uint8Array]>(socket, "data")`.
 *
 * An emitter's `"error"` event makes the future fail with the error, unless that is the event which is waited for.
 *
 * Cancel safety: the listener is taken away when the future is done or cancelled; cancelling a task that awaits it
 * cancels it.
 *
 * asyncio: none. Node: `events.once`. Throws `ArgumentTypeError` for what cannot be listened to, `RuntimeError` outside
 * of a running loop.
 *
 * @example
 * ```ts
 * import { coroutine, getRunningLoop, once, run } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const button = new EventTarget();
 *   const clicked = once(button, "click");
 *   getRunningLoop().callSoon(() => button.dispatchEvent(new Event("click")));
 *   console.log((await clicked).type);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * click
 * ```
 */
export function once<Target extends EventTargetLike, Name extends string>(
  target: Target,
  name: Name,
): Future<EventOf<Target, Name>>;
export function once<Parameters extends readonly unknown[] = readonly unknown[]>(
  emitter: EmitterLike,
  name: string | symbol,
): Future<Parameters>;
export function once(source: EventTargetLike | EmitterLike, name: string | symbol): Future {
  checkEventSource(source, name, "once");
  return new EventFuture(getLoop(), source, name);
}

class EventFuture extends Future {
  readonly #name: string | symbol;
  readonly #undo: (() => void)[] = [];
  /** Somebody waits: a virtual clock must not jump over what is outside. */
  #isAwaited = false;

  constructor(loop: EventLoop, source: EventTargetLike | EmitterLike, name: string | symbol) {
    super(loop);
    this.#name = name;
    const isTarget = isEventTarget(source);
    this.#undo.push(
      listen(source, name, (...parameters: readonly unknown[]) => {
        if (this.state === PENDING) this.settle(FINISHED, isTarget ? parameters[0] : parameters);
      }),
    );
    if (isTarget || name === "error") return;
    this.#undo.push(
      listen(source, "error", (error: unknown) => {
        if (this.state === PENDING)
          this.settle(FAILED_UNSEEN, error ?? new Error("an error event without an error"));
      }),
    );
  }

  override settle(state: FutureState, outcome: unknown): void {
    for (const undo of this.#undo) undo();
    this.#noteAwaited(false);
    super.settle(state, outcome);
  }

  override addCallback(callback: FutureCallback): void {
    if (this.state === PENDING) this.#noteAwaited(true);
    super.addCallback(callback);
  }

  override dropCallback(callback: FutureCallback): void {
    super.dropCallback(callback);
    if (this.callbacks().length === 0) this.#noteAwaited(false);
  }

  override describeWait(): string {
    return `the event ${String(this.#name)}`;
  }

  #noteAwaited(isAwaited: boolean): void {
    if (this.#isAwaited === isAwaited) return;
    this.#isAwaited = isAwaited;
    const scheduler = this.loop.scheduler;
    if (isAwaited) scheduler.enterForeign();
    else scheduler.leaveForeign();
  }
}
