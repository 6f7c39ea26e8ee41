import { Coroutine } from "../futures/coroutine.ts";
import type { Waitable } from "../futures/ensure-future.ts";
import { Runner } from "./runner.ts";
import type { RunnerOptions, RunnerRunOptions } from "./runner.ts";

/** Options of `run`: those of a `Runner` and of its `run`. */
export interface RunOptions extends RunnerOptions, RunnerRunOptions {}

/**
 * Runs a coroutine as a program: makes a loop, runs `main` to its end, cancels the tasks that are left over and waits
 * for them, and settles as `main` did. Any number of `run` calls may be under way in one process; they share nothing
 * but the thread and its clock.
 *
 * asyncio: `asyncio.run`. Throws `RuntimeError` at once when called inside a running task. Rejects with
 * `KeyboardInterrupt` after Ctrl-C, with `DeadlockError` when nothing can ever continue.
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep } from "corio";
 *
 * const main = coroutine(async function main() {
 *   console.log("Hello");
 *   await sleep(0.01);
 *   console.log("World");
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * World
 * ```
 */
export function run<T>(main: Waitable<T>, options?: RunOptions): Promise<T> {
  let runner: Runner | undefined;
  let result: Promise<T>;
  try {
    runner = new Runner(options);
    result = runner.run(main, options);
  } catch (error) {
    // Nothing has run: the loop that was made, if any, has no task to wait for.
    void runner?.close();
    if (main instanceof Coroutine) main.close();
    throw error;
  }
  return closeAfter(runner, result);
}

async function closeAfter<T>(runner: Runner, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } finally {
    await runner.close();
  }
}
