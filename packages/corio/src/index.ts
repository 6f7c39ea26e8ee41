/** corio: Python's asyncio model for TypeScript. */
export * from "./errors.ts";
export { ContextVar, Context, copyContext, Token } from "./futures/context.ts";
export { coroutine, Coroutine, isCoroutine, isCoroutineFunction } from "./futures/coroutine.ts";
export { ensureFuture } from "./futures/ensure-future.ts";
export type { Waitable } from "./futures/ensure-future.ts";
export { EventLoop, getEventLoop, getRunningLoop, newEventLoop, setEventLoop } from "./futures/event-loop.ts";
export { Future, isFuture } from "./futures/future.ts";
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
  getStack,
  printCallGraph,
  printStack,
} from "./library/call-graph.ts";
export type { CallGraphOptions, FrameCallGraphEntry, FutureCallGraph } from "./library/call-graph.ts";
export { createEagerTaskFactory, eagerTaskFactory } from "./library/eager-task-factory.ts";
// Synchronisation primitives and queues.
export type { Acquirable, Guard } from "./library/acquirable.ts";
export { Barrier } from "./library/barrier.ts";
export type { BarrierState, BarrierStatistics } from "./library/barrier.ts";
export type { Compare } from "./library/binary-heap.ts";
export type { WithBody } from "./library/body-call.ts";
export { BoundedSemaphore } from "./library/bounded-semaphore.ts";
export { Condition } from "./library/condition.ts";
export type { ConditionStatistics } from "./library/condition.ts";
export { Event } from "./library/event.ts";
export type { EventStatistics } from "./library/event.ts";
export { LifoQueue } from "./library/lifo-queue.ts";
export { Lock } from "./library/lock.ts";
export type { LockStatistics } from "./library/lock.ts";
export { PriorityQueue } from "./library/priority-queue.ts";
export type { PriorityQueueOptions } from "./library/priority-queue.ts";
export { Queue } from "./library/queue.ts";
export type { QueueOptions, QueueStatistics, QueueStore, ShutdownOptions } from "./library/queue.ts";
export { Semaphore } from "./library/semaphore.ts";
export type { SemaphoreStatistics } from "./library/semaphore.ts";
// Waiting for several, deadlines and groups.
export { amap, map } from "./library/amap.ts";
export type { AsyncMap, AsyncMapOptions, Items, MapOptions, Mapper } from "./library/amap.ts";
export { asCompleted } from "./library/as-completed.ts";
export type {
  AsCompleted,
  AsCompletedOptions,
  CompletedFuture,
  Completions,
  CompletionsAgain,
} from "./library/as-completed.ts";
export { ExceptionGroup } from "./library/exception-group.ts";
export type { ExceptionCondition } from "./library/exception-group.ts";
export { shield } from "./library/shield.ts";
export { staggeredRace } from "./library/staggered-race.ts";
export type { Competitor, StaggeredRaceOptions, StaggeredRaceResult } from "./library/staggered-race.ts";
export { TaskGroup, taskGroup } from "./library/task-group.ts";
export type { TaskGroupOptions } from "./library/task-group.ts";
export { Timeout, timeout, timeoutAt } from "./library/timeout.ts";
export type { TimeoutOptions, TimeoutState } from "./library/timeout.ts";
export { ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, wait } from "./library/wait.ts";
export type { FutureOf, ReturnWhen, WaitOptions, WaitResult } from "./library/wait.ts";
export { waitFor } from "./library/wait-for.ts";
export type { Steps } from "./futures/awaitable.ts";
