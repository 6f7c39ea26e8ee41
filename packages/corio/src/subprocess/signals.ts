import { constants } from "node:os";
import { badArgument, ValueError } from "../errors.ts";

/** A signal: its name, as in `"SIGTERM"`, or its number. */
export type Signal = NodeJS.Signals | number;

const numbers: Readonly<Record<string, number>> = constants.signals;

/** The number of a signal; throws for what is none. */
export function toSignalNumber(where: string, signal: unknown): number {
  if (typeof signal === "number") {
    if (Number.isInteger(signal) && signal >= 0) return signal;
    throw new ValueError(`${where} expects the number of a signal, got ${signal}`);
  }
  if (typeof signal !== "string") throw badArgument(where, "a signal's name or number", signal);
  const number = numbers[signal];
  if (number === undefined)
    throw new ValueError(`${where} expects a signal such as "SIGTERM", got ${JSON.stringify(signal)}`);
  return number;
}

/** Python's return code: the exit code, or the negative number of the signal that ended the process. */
export function toReturncode(exitCode: number | null, signal: string | null): number {
  if (exitCode !== null) return exitCode;
  return -(numbers[signal ?? ""] ?? 0);
}
