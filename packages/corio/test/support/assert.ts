import { assert as chai } from "chai";

type ErrorClass<E> = abstract new (...args: never[]) => E;
/** A class the error must be an instance of, a pattern its message must match, or a check of your own. */
type Expected<E> = ErrorClass<E> | RegExp | ((error: unknown) => boolean);

export interface Assert {
  /** `Object.is`, so `NaN` equals itself and `0` is not `-0`. */
  equal<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  notEqual(actual: unknown, expected: unknown, message?: string): void;
  /** Same structure, with strict equality of the leaves. */
  deepEqual<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  notDeepEqual(actual: unknown, expected: unknown, message?: string): void;
  ok(value: unknown, message?: string): asserts value;
  match(text: string, pattern: RegExp, message?: string): void;
  instanceOf<T>(value: unknown, type: ErrorClass<T>, message?: string): asserts value is T;
  /** Calls `action`, which must throw, and returns what it threw. */
  throws<E = unknown>(action: () => unknown, expected?: Expected<E>): E;
  /** Awaits `work` (or what it returns), which must reject, and resolves to the reason. */
  rejects<E = unknown>(
    work: PromiseLike<unknown> | (() => PromiseLike<unknown>),
    expected?: Expected<E>,
  ): Promise<E>;
  fail(message: string): never;
}

export const assert: Assert = {
  equal<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
    // Only when they differ, so that chai's report shows both values.
    if (!Object.is(actual, expected)) {
      chai.strictEqual(actual, expected, message);
      chai.fail(message ?? "expected 0 and -0 to be the same value");
    }
  },
  notEqual(actual, expected, message) {
    if (Object.is(actual, expected)) chai.notStrictEqual(actual, expected, message);
  },
  deepEqual<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
    chai.deepEqual(actual, expected, message);
  },
  notDeepEqual(actual, expected, message) {
    chai.notDeepEqual(actual, expected, message);
  },
  ok(value: unknown, message?: string): asserts value {
    chai.isOk(value, message);
  },
  match(text, pattern, message) {
    chai.match(text, pattern, message);
  },
  instanceOf<T>(value: unknown, type: ErrorClass<T>, message?: string): asserts value is T {
    chai.isTrue(
      value instanceof type,
      message ?? `expected an instance of ${type.name}, got ${String(value)}`,
    );
  },
  throws<E>(action: () => unknown, expected?: Expected<E>): E {
    try {
      action();
    } catch (error) {
      return checkError(error, expected);
    }
    return assert.fail("expected the call to throw");
  },
  async rejects<E>(
    work: PromiseLike<unknown> | (() => PromiseLike<unknown>),
    expected?: Expected<E>,
  ): Promise<E> {
    try {
      await (typeof work === "function" ? work() : work);
    } catch (error) {
      return checkError(error, expected);
    }
    return assert.fail("expected the work to reject");
  },
  fail(message) {
    chai.fail(message);
  },
};

function checkError<E>(error: unknown, expected: Expected<E> | undefined): E {
  if (expected instanceof RegExp) {
    chai.match(error instanceof Error ? error.message : String(error), expected);
  } else if (expected !== undefined && isErrorClass(expected)) {
    // The unexpected error itself says more than a report about its class.
    if (!(error instanceof expected)) throw error;
  } else if (expected !== undefined && !expected(error)) {
    throw error;
  }
  return error as E;
}

function isErrorClass<E>(expected: ErrorClass<E> | ((error: unknown) => boolean)): expected is ErrorClass<E> {
  return (expected as unknown) === Error || expected.prototype instanceof Error;
}
