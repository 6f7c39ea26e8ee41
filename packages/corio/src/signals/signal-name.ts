import { constants } from "node:os";
import { isMainThread } from "node:worker_threads";
import { badArgument, RuntimeError, ValueError } from "../errors.ts";

/** The name of a signal: `"SIGTERM"`, `"SIGHUP"` … */
export type SignalName = keyof typeof constants.signals;

/** What no process can catch. */
const UNCATCHABLE: ReadonlySet<string> = new Set(["SIGKILL", "SIGSTOP"]);

/** Throws unless `signal` is the name of a signal of this system. */
export function checkSignalName(signal: unknown, where: string): asserts signal is SignalName {
  if (typeof signal !== "string") throw badArgument(where, 'the name of a signal, such as "SIGTERM"', signal);
  if (!Object.hasOwn(constants.signals, signal))
    throw new ValueError(`${where}: there is no signal ${signal} here`);
}

/** Throws unless the running thread can catch `signal`. */
export function checkCatchable(signal: unknown, where: string): asserts signal is SignalName {
  checkSignalName(signal, where);
  if (UNCATCHABLE.has(signal)) throw new RuntimeError(`${where}: ${signal} cannot be caught`);
  if (!isMainThread) throw new RuntimeError(`${where}: only the main thread receives signals`);
}
