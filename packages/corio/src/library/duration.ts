import { badArgument, isObject, ValueError } from "../errors.ts";

/** A length of time in parts, as `Temporal.Duration` takes them; missing parts are 0. */
export interface DurationParts {
  /** Days, of 86 400 seconds each. */
  readonly days?: number;
  /** Hours, of 3600 seconds each. */
  readonly hours?: number;
  /** Minutes, of 60 seconds each. */
  readonly minutes?: number;
  /** Seconds. */
  readonly seconds?: number;
  /** Thousandths of a second. */
  readonly milliseconds?: number;
  /** Millionths of a second. */
  readonly microseconds?: number;
  /** Billionths of a second. */
  readonly nanoseconds?: number;
}

/** A number of seconds, or an object such as `{ minutes: 1, milliseconds: 500 }`. */
export type Duration = number | DurationParts;

const SECONDS: Readonly<Record<keyof DurationParts, number>> = {
  days: 86_400,
  hours: 3_600,
  minutes: 60,
  seconds: 1,
  milliseconds: 1e-3,
  microseconds: 1e-6,
  nanoseconds: 1e-9,
};

/**
 * The duration in seconds; `where` names the function or option that was given it. Throws `ArgumentTypeError` or
 * `ValueError` when it is none.
 */
export function toSeconds(duration: Duration, where: string): number {
  if (typeof duration === "number") {
    if (Number.isNaN(duration)) throw new ValueError(`${where} expects a duration, got NaN`);
    return duration;
  }
  if (!isObject(duration)) {
    throw badArgument(where, "a number of seconds or an object such as { minutes: 1 }", duration);
  }
  let total = 0;
  let parts = 0;
  for (const [part, seconds] of Object.entries(SECONDS)) {
    const amount: unknown = duration[part as keyof DurationParts];
    if (amount === undefined) continue;
    if (typeof amount !== "number" || Number.isNaN(amount))
      throw badArgument(`${where}: ${part}`, "a number", amount);
    total += amount * seconds;
    parts++;
  }
  if (parts === 0) {
    throw badArgument(where, `a duration with at least one of ${Object.keys(SECONDS).join(", ")}`, duration);
  }
  return total;
}
