import { ArgumentTypeError, ValueError } from "corio";
import type { Duration } from "corio";
import { toSeconds } from "corio/pool";

/** Throws unless an option is a whole number of at least `least`, or is not given. Null is for those that may be null. */
export function checkCount(value: number | null | undefined, where: string, least = 0): void {
  if (value === undefined || value === null) return;
  if (typeof (value as unknown) !== "number")
    throw new ArgumentTypeError(`${where} expects a whole number, got ${typeof value}`);
  if (!Number.isInteger(value) || value < least)
    throw new ValueError(`${where} expects a whole number of at least ${least}, got ${value}`);
}

/** The seconds of an option that is a duration. Throws unless there is such a time. */
export function checkSeconds(value: Duration, where: string): number {
  const seconds = toSeconds(value, where);
  if (seconds < 0) throw new ValueError(`${where} expects a duration, got ${seconds} seconds`);
  return seconds;
}
