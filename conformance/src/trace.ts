/** What a program did: one line an event, `time task label value`. */
export type Trace = readonly string[];

/** The index of the first event that is not the same; undefined when the traces are equal. */
export function firstDifference(expected: Trace, actual: Trace): number | undefined {
  const length = Math.max(expected.length, actual.length);
  for (let index = 0; index < length; index++) if (!isSameEvent(expected[index], actual[index])) return index;
  return undefined;
}

/**
 * CPython gives the message of a cancellation to the first who asks for it only; corio to everyone. So where CPython
 * has none, there may be one.
 */
export function isSameEvent(expected: string | undefined, actual: string | undefined): boolean {
  if (expected === actual) return true;
  if (expected === undefined || actual === undefined || !expected.includes(NO_MESSAGE)) return false;
  const pattern = expected.split(NO_MESSAGE).map(escape).join("CancelledError\\([^()]*\\)");
  return new RegExp(`^${pattern}$`).test(actual);
}

const NO_MESSAGE = "CancelledError()";

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
