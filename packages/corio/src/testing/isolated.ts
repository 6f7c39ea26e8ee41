import { badArgument, isCancelledError, isObject } from "../errors.ts";
import type { EventLoop, ExceptionContext } from "../futures/event-loop.ts";
import { noOptions } from "../futures/options.ts";
import { Runner } from "../library/runner.ts";
import type { Clock } from "../loop/clock.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** What the body of an isolated test is given. */
export interface Fixture {
  /** The loop that the test runs on. */
  readonly loop: EventLoop;
  /** The loop's clock: a `VirtualClock` unless the options say otherwise. */
  readonly clock: Clock;
  /** Runs `cleanup` after the test, in reverse order, also when it failed. unittest: `addAsyncCleanup`. */
  addCleanup(cleanup: () => unknown): void;
}

/** Options of `isolated`. */
export interface IsolatedOptions {
  /** Default: a new `VirtualClock` for each test. */
  readonly clock?: () => Clock;
  /** Default true. */
  readonly debug?: boolean;
  /** Runs before the body, in the same context. unittest: `asyncSetUp`. */
  readonly setUp?: (fixture: Fixture) => unknown;
  /** Runs after the body, in the same context, also when it failed. unittest: `asyncTearDown`. */
  readonly tearDown?: (fixture: Fixture) => unknown;
}

/**
 * Makes a test function for any test runner: the body runs as a task in a loop of its own, in debug mode, under
 * virtual time. The test fails with the body's error, and also when an error reached the loop's exception handler.
 *
 * unittest: `IsolatedAsyncioTestCase`.
 *
 * @example
 * ```ts
 * import { sleep } from "corio";
 * import { isolated } from "corio/testing";
 *
 * const test = isolated(async ({ loop }) => {
 *   await sleep(60);
 *   if (loop.time() !== 60) throw new Error("time is off");
 * });
 *
 * await test();
 * console.log("passed");
 * ```
 * ```text output
 * passed
 * ```
 */
export function isolated(
  body: (fixture: Fixture) => unknown,
  options: IsolatedOptions = noOptions,
): () => Promise<void> {
  if (!isObject(options)) throw badArgument("isolated", "an object with options", options);
  checkFunction(body, "isolated");
  for (const name of ["clock", "setUp", "tearDown"] as const)
    if (options[name] !== undefined) checkFunction(options[name], `isolated: ${name}`);
  return async () => {
    const clock = options.clock?.() ?? new VirtualClock();
    const runner = new Runner({ clock, debug: options.debug ?? true });
    const loop = runner.getLoop();
    const reports: ExceptionContext[] = [];
    loop.setExceptionHandler((_loop, context) => {
      reports.push(context);
    });
    const cleanups: (() => unknown)[] = [];
    const fixture: Fixture = {
      loop,
      clock,
      addCleanup: (cleanup) => {
        checkFunction(cleanup, "addCleanup");
        cleanups.push(cleanup);
      },
    };
    const errors: unknown[] = [];
    const part = async (run: () => unknown): Promise<boolean> => {
      try {
        await runner.run(async () => {
          await run();
        });
        return true;
      } catch (error) {
        errors.push(error);
        return false;
      }
    };
    try {
      if (await part(() => options.setUp?.(fixture))) {
        await part(() => body(fixture));
        await part(() => options.tearDown?.(fixture));
      }
      for (const cleanup of cleanups.reverse()) await part(cleanup);
    } finally {
      await runner.close();
    }
    for (const { message, exception } of reports) errors.push(unhandled(message, exception));
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length.toString()} errors in one test`);
  };
}

function checkFunction(value: unknown, where: string): void {
  if (typeof value !== "function") throw badArgument(where, "a function", value);
}

function unhandled(message: string, exception: unknown): Error {
  const what = isCancelledError(exception) ? "cancellation" : "error";
  return new Error(`unhandled ${what} in the loop: ${message}`, { cause: exception });
}
