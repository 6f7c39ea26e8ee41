import { badArgument } from "../errors.ts";
import type { Callback, EventLoop } from "../futures/event-loop.ts";
import { getLoop } from "../futures/get-loop.ts";
import { Handle } from "../futures/handle.ts";
import { keepAlive, listenToSignal } from "./listen.ts";
import { checkCatchable, checkSignalName } from "./signal-name.ts";
import type { SignalName } from "./signal-name.ts";

/** What makes a loop's handler of a signal go away. */
type Removers = Map<SignalName, () => void>;

const handlersOf = new WeakMap<EventLoop, Removers>();

/**
 * Makes the running loop call `callback(...parameters)` when the process receives `signal`, in place of what the signal
 * would do by default. The callback runs as those of `callSoon` do, in the context of now: it may set an event, cancel
 * a task, make a task. There is one handler for each signal and loop, and a new one replaces it.
 *
 * With a handler of SIGINT, Ctrl-C is the program's own business, and `run` does not act on it. A handler keeps the
 * process alive. It goes away with `removeSignalHandler` and with the loop.
 *
 * asyncio: `loop.add_signal_handler`. Throws `ArgumentTypeError` for a coroutine or coroutine function and for what is
 * no name of a signal; `ValueError` for a signal that the system does not have; `RuntimeError` for one that cannot be
 * caught (SIGKILL, SIGSTOP), outside of a running loop, and in a worker thread.
 *
 * @example
 * ```ts
 * import { coroutine, Event, run } from "corio";
 * import { addSignalHandler } from "corio/signals";
 *
 * const main = coroutine(async function main() {
 *   const reload = new Event();
 *   addSignalHandler("SIGHUP", () => reload.set());
 *   process.kill(process.pid, "SIGHUP");
 *   await reload.wait();
 *   console.log("reading the configuration again");
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * reading the configuration again
 * ```
 */
export function addSignalHandler<Parameters extends readonly unknown[]>(
  signal: SignalName,
  callback: Callback<Parameters>,
  ...parameters: Parameters
): void {
  const loop = getLoop();
  loop.checkCallback("addSignalHandler", callback);
  if (Object.prototype.toString.call(callback) === "[object AsyncFunction]") {
    throw badArgument("addSignalHandler", "a plain function", callback, "make a task in it, with createTask");
  }
  checkCatchable(signal, "addSignalHandler");
  const handlers = handlersOf.get(loop) ?? watchClose(loop);
  handlers.get(signal)?.();
  const handle = new Handle(loop, callback, parameters);
  const undo = [
    listenToSignal(signal, () => loop.scheduler.callSoon(handle)),
    keepAlive(),
    takeOver(loop, signal),
    noteOutside(loop),
  ];
  handlers.set(signal, () => {
    for (const remove of undo) remove();
    handlers.delete(signal);
  });
}

/**
 * Takes the running loop's handler of `signal` away: the signal has its default effect again. False when there was
 * none.
 *
 * asyncio: `loop.remove_signal_handler`. Throws as `addSignalHandler`, but takes a signal that cannot be caught: there
 * is no handler of it.
 */
export function removeSignalHandler(signal: SignalName): boolean {
  const loop = getLoop();
  checkSignalName(signal, "removeSignalHandler");
  const remove = handlersOf.get(loop)?.get(signal);
  remove?.();
  return remove !== undefined;
}

/** While the program handles Ctrl-C itself on a loop, `run` does not. Returns the undo. */
export function takeOver(loop: EventLoop, signal: SignalName): () => void {
  if (signal !== "SIGINT") return () => undefined;
  loop.interruptHandlers++;
  return () => {
    loop.interruptHandlers--;
  };
}

/** Signals come from outside: a virtual clock must not take waiting for one for a deadlock. Returns the undo. */
export function noteOutside(loop: EventLoop): () => void {
  loop.scheduler.enterForeign();
  return () => {
    loop.scheduler.leaveForeign();
  };
}

function watchClose(loop: EventLoop): Removers {
  const handlers: Removers = new Map();
  handlersOf.set(loop, handlers);
  loop.adopt({
    abandon: () => {
      for (const remove of [...handlers.values()]) remove();
    },
  });
  return handlers;
}
