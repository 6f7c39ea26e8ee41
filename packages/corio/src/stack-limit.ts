/** V8's and JSC's dial for how many frames an error records; elsewhere it does nothing. */
const dial = Error as { stackTraceLimit?: number };

/** Runs `make` with stacks of at most `frames` frames. */
export function withStackLimit<Result>(frames: number, make: () => Result): Result {
  const before = dial.stackTraceLimit;
  if (before === undefined) return make();
  dial.stackTraceLimit = frames;
  try {
    return make();
  } finally {
    dial.stackTraceLimit = before;
  }
}
