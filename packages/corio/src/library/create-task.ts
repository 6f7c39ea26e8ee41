import { RuntimeError } from "../errors.ts";
import { Coroutine } from "../futures/coroutine.ts";
import { getLoop } from "../futures/get-loop.ts";
import { checkOptions } from "../futures/options.ts";
import { runningTask } from "../futures/running.ts";
import type { Task, TaskOptions } from "../futures/task.ts";
import type { CoroutineLike } from "../futures/to-coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";

/**
 * Runs a coroutine beside the current task: it begins in the loop's next iteration. Also takes a function that starts
 * the work (`() => helper()`) and a future; refuses a promise, which runs already.
 *
 * The loop holds the task until it is done, and cancels it when `run` ends before.
 *
 * asyncio: `create_task`. Throws `RuntimeError` outside of a running loop.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, run, sleep } from "corio";
 *
 * const work = coroutine(async function work(name: string) {
 *   await sleep(0.01);
 *   return name;
 * });
 *
 * const main = coroutine(async function main() {
 *   const first = createTask(work("first"));
 *   const second = createTask(() => work("second"), { name: "second" });
 *   console.log(await first, await second);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * first second
 * ```
 */
export function createTask<T>(coroutine: CoroutineLike<T>, options?: TaskOptions): Task<T> {
  let loop: EventLoop;
  try {
    loop = getLoop();
  } catch (error) {
    if (coroutine instanceof Coroutine) coroutine.close();
    throw error;
  }
  return loop.createTask(coroutine, options);
}

/** The running task, null in a callback of the loop or outside. asyncio: `current_task`. */
export function currentTask(): Task | null {
  return runningTask();
}

/** The tasks of the running loop, or of `loop`, that are not done. asyncio: `all_tasks`. */
export function allTasks(loop: EventLoop = getLoop()): Set<Task> {
  checkOptions({ loop }, "allTasks");
  return new Set(loop.tasks());
}

/**
 * The current task's `AbortSignal`: aborts when the task is cancelled. Give it to what takes one:
 * `await fetch(url, { signal: signal() })`. After a delivered cancel there is a new signal.
 *
 * Throws `RuntimeError` outside of a task.
 */
export function signal(): AbortSignal {
  return requireTask("signal()").signal();
}

/** The running task; throws `RuntimeError` for `where` when there is none. */
export function requireTask(where: string): Task {
  const task = runningTask();
  if (task === null) {
    throw new RuntimeError(
      `${where} must be used inside a task; start the program with run(main())`,
      "CORIO_NO_RUNNING_TASK",
    );
  }
  return task;
}
