import { badArgument } from "../errors.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop, TaskFactory } from "../futures/event-loop.ts";
import { Task } from "../futures/task.ts";
import type { TaskOptions } from "../futures/task.ts";

/** A class of tasks, for `createEagerTaskFactory`. */
export type TaskConstructor = new <T>(
  coroutine: Coroutine<T>,
  options: TaskOptions & { readonly loop?: EventLoop | undefined },
) => Task<T>;

/**
 * A task factory whose tasks begin inside `createTask`. A coroutine that never waits is then done at once and never
 * enters the loop; the order in which things happen changes.
 *
 * asyncio: `create_eager_task_factory`.
 */
export function createEagerTaskFactory(taskConstructor: TaskConstructor): TaskFactory {
  if (
    taskConstructor !== Task &&
    !((taskConstructor as Partial<typeof Task> | null)?.prototype instanceof Task)
  )
    throw badArgument("createEagerTaskFactory", "a task class", taskConstructor);
  return (loop, coroutine, options) => new taskConstructor(coroutine, { eagerStart: true, ...options, loop });
}

/**
 * The factory for `loop.setTaskFactory` that starts every task eagerly. Generator coroutines begin exactly as in
 * asyncio; native async functions run up to their first `await` and are never done when `createTask` returns.
 *
 * asyncio: `eager_task_factory`.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, eagerTaskFactory, getRunningLoop, run } from "corio";
 *
 * const cached = coroutine(function* cached() {
 *   return "from the cache";
 * });
 *
 * const main = coroutine(async function main() {
 *   getRunningLoop().setTaskFactory(eagerTaskFactory);
 *   const task = createTask(cached());
 *   console.log(task.done(), task.result());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * true from the cache
 * ```
 */
export const eagerTaskFactory: TaskFactory = createEagerTaskFactory(Task);
