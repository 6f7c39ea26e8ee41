import { badArgument, isObject } from "../errors.ts";
import { Context } from "./context.ts";

/** What options are by default: nothing has to be checked. */
export const noOptions = {};

/** What options of several functions may have. */
interface CommonOptions {
  readonly clock?: unknown;
  readonly context?: unknown;
  readonly loop?: unknown;
  readonly signal?: unknown;
}

/** Throws, for `where`, unless `options` are an object, and what they have in common with others is what it should be. */
export function checkOptions(options: unknown, where: string): void {
  if (!isObject(options)) throw badArgument(where, "an object with options", options);
  const { clock, context, loop, signal } = options as CommonOptions;
  if (clock !== undefined && !(isObject(clock) && "time" in clock))
    throw badArgument(`${where}: clock`, "a Clock", clock);
  if (context !== undefined && !(context instanceof Context))
    throw badArgument(`${where}: context`, "a Context", context);
  // A loop is its own options.
  if ((loop as CommonOptions | undefined)?.loop !== loop)
    throw badArgument(`${where}: loop`, "an EventLoop", loop);
  if (signal !== undefined && !(isObject(signal) && "aborted" in signal))
    throw badArgument(`${where}: signal`, "an AbortSignal", signal);
}
