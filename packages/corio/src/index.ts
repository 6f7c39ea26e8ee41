/** corio: Python's asyncio model for TypeScript. */
export * from "./errors.ts";
export { ContextVar, Context, copyContext, Token } from "./futures/context.ts";
export { coroutine, Coroutine, isCoroutine } from "./futures/coroutine.ts";
export { ensureFuture } from "./futures/ensure-future.ts";
export type { Waitable } from "./futures/ensure-future.ts";
export { EventLoop, getEventLoop, getRunningLoop, newEventLoop, setEventLoop } from "./futures/event-loop.ts";
export { Future } from "./futures/future.ts";
export { Task } from "./futures/task.ts";
export { allTasks, createTask, currentTask, signal } from "./library/create-task.ts";
export { gather } from "./library/gather.ts";
export { run } from "./library/run.ts";
export { Runner } from "./library/runner.ts";
export { sleep } from "./library/sleep.ts";
export { until } from "./library/until.ts";
export { aclosing } from "./library/aclosing.ts";
export {
  captureCallGraph,
  formatCallGraph,
  futureAddToAwaitedBy,
  futureDiscardFromAwaitedBy,
  printCallGraph,
} from "./library/call-graph.ts";
export type { CallGraphOptions, FrameCallGraphEntry, FutureCallGraph } from "./library/call-graph.ts";
export { createEagerTaskFactory, eagerTaskFactory } from "./library/eager-task-factory.ts";
