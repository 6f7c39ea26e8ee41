import process from "node:process";
import { ValueError } from "../errors.ts";
import type { LoopResource } from "../futures/event-loop.ts";
import { getLoop } from "../futures/get-loop.ts";
import { EventStream } from "../library/event-stream.ts";
import { keepAlive, listenToSignal } from "./listen.ts";
import { takeOver } from "./signal-handlers.ts";
import { checkCatchable } from "./signal-name.ts";
import type { SignalName } from "./signal-name.ts";

/**
 * The signals that the process receives, as a stream of their names, in the order in which they came. Their default
 * effect is off from the call on until the stream is closed: by leaving `for await`, with `close` or `using`, or with
 * the loop. Several streams may listen to one signal; each gets it.
 *
 * A signal is not counted: one that nobody has taken yet stands for all that come meanwhile. (The kernel does the same
 * before the process sees them.)
 *
 * Waiting for a signal keeps the process alive; a stream that nobody waits for does not.
 *
 * Cancel safety: a cancelled `next` has taken nothing. A signal that has come, but that nobody has taken when the
 * stream is closed, is raised again if nobody else listens to it: it then does what it does by default.
 *
 * asyncio: none. trio: `open_signal_receiver`. Throws as `addSignalHandler`, and `ValueError` without a signal.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { signals } from "corio/signals";
 *
 * const main = coroutine(async function main() {
 *   const received = signals("SIGHUP", "SIGUSR2");
 *   process.kill(process.pid, "SIGHUP");
 *   for await (const signal of received) {
 *     console.log(signal);
 *     break;
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * SIGHUP
 * ```
 */
export function signals(...names: readonly SignalName[]): EventStream<SignalName> {
  const loop = getLoop();
  if (names.length === 0) throw new ValueError('signals expects at least one name, such as "SIGTERM"');
  for (const name of names) checkCatchable(name, "signals");
  const undo: (() => void)[] = [];
  let letGo: (() => void) | null = null;
  const stream = new EventStream<SignalName>({
    description: `a signal (${names.join(", ")})`,
    keyOf: (signal) => signal,
    noteWanted: () => {
      letGo = keepAlive();
    },
    noteUnwanted: () => {
      letGo?.();
    },
    release: (left) => {
      for (const stop of undo) stop();
      for (const signal of left) {
        if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
      }
    },
  });
  for (const name of new Set(names)) {
    undo.push(
      listenToSignal(name, (signal) => stream.push(signal)),
      takeOver(loop, name),
    );
  }
  const untilTheEnd: LoopResource = { abandon: () => stream.close() };
  loop.adopt(untilTheEnd);
  undo.push(() => loop.release(untilTheEnd));
  return stream;
}
