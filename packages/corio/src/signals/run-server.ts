import { badArgument, isCancelledError, ValueError } from "../errors.ts";
import type { Task } from "../futures/task.ts";
import type { CoroutineLike } from "../futures/to-coroutine.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import type { RunOptions } from "../library/run.ts";
import { Runner } from "../library/runner.ts";
import { Shutdown } from "./shutdown.ts";
import type { ShutdownPeriods } from "./shutdown.ts";
import { checkCatchable } from "./signal-name.ts";
import type { SignalName } from "./signal-name.ts";

/** Options of `runServer`: those of `run`, and how the server ends. */
export interface ServerOptions extends RunOptions {
  /** What asks the server to end. Default `["SIGTERM", "SIGINT"]`. */
  readonly signals?: readonly SignalName[];
  /**
   * How long the server may take to end, counted from the signal. Then it is ended by force. Choose less than whoever
   * sends the signal allows: Docker kills after 10 seconds, Kubernetes after 30, systemd after 90. Default 25 seconds.
   */
  readonly gracePeriod?: Duration;
  /**
   * How long, of this, the callbacks of `onShutdown` may take before the main task is cancelled. Default: half of the
   * grace period.
   */
  readonly drainPeriod?: Duration;
}

/**
 * `run` for a program that runs until a signal ends it. It then ends in this order:
 *
 * 1. `shutdownRequested` is done, and the callbacks of `onShutdown` are called: stop accepting, finish what is under way.
 * 2. The main task is cancelled, then all others, and waited for: their `finally` blocks run.
 * 3. What is still there when the grace period is over is reported, with what it waits for, and left to its fate.
 *
 * Then the signal is raised again, so that the parent process sees it as the cause of death. As PID 1, where this is
 * not possible, the process exits with 128 and the signal's number. A second signal goes to step 3 at once; one that
 * comes twice within a tenth of a second counts once.
 *
 * The promise settles only when `main` ends by itself before a signal, as that of `run` does, or when `main` throws
 * something else than its cancellation on the way out. Two servers in one process both end before the process does.
 *
 * asyncio: none. Throws as `run`, `ArgumentTypeError` and `ValueError` for bad options, `RuntimeError` in a worker
 * thread.
 *
 * @example
 * ```ts
 * import { coroutine, sleep } from "corio";
 * import { onShutdown, runServer } from "corio/signals";
 *
 * const main = coroutine(async function main() {
 *   onShutdown(() => console.log("not accepting any more"));
 *   await sleep(0.01);
 *   console.log("nothing left to serve");
 * });
 *
 * await runServer(main(), { gracePeriod: 8 });
 * ```
 * ```text output
 * nothing left to serve
 * ```
 */
export function runServer<T>(main: CoroutineLike<T>, options: ServerOptions = {}): Promise<T> {
  const { names, periods } = checkOptions(options);
  const runner = new Runner(options);
  const loop = runner.getLoop();
  let result: Promise<T>;
  try {
    result = runner.run<T>(main, options);
  } catch (error) {
    // Nothing has run: there is no task to wait for.
    void runner.close();
    throw error;
  }
  // The main task is the one that was made last.
  const shutdown = new Shutdown(loop, loop.tasks().at(-1) as Task, names, periods);
  return finish(runner, shutdown, result);
}

async function finish<T>(runner: Runner, shutdown: Shutdown, result: Promise<T>): Promise<T> {
  const outcome = await settle(runner, shutdown, result);
  const signal = shutdown.signal;
  shutdown.release();
  // Nothing of the program runs after the end of the process; but an error must not be lost in it.
  if (signal !== null && (!("error" in outcome) || isCancelledError(outcome.error)))
    return await shutdown.endProcess(signal);
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

async function settle<T>(
  runner: Runner,
  shutdown: Shutdown,
  result: Promise<T>,
): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    try {
      return { value: await result };
    } finally {
      if (shutdown.task !== null) await runner.run(shutdown.task);
      await runner.close();
    }
  } catch (error) {
    return { error };
  }
}

function checkOptions(options: ServerOptions): { names: readonly SignalName[]; periods: ShutdownPeriods } {
  const names: unknown = options.signals ?? ["SIGTERM", "SIGINT"];
  if (!Array.isArray(names)) throw badArgument("runServer: signals", "an array of names of signals", names);
  for (const name of names) checkCatchable(name, "runServer");
  const grace = toSeconds(options.gracePeriod ?? 25, "runServer: gracePeriod");
  const drain = toSeconds(options.drainPeriod ?? grace / 2, "runServer: drainPeriod");
  if (!(drain >= 0 && drain <= grace)) {
    throw new ValueError(
      `runServer expects a drain period between 0 and the grace period (${grace} s), got ${drain}`,
    );
  }
  return { names: names as SignalName[], periods: { drain, grace } };
}
