/**
 * Python's asyncio model for TypeScript: plain `async`/`await`, a real event loop, cancellation.
 *
 * @module corio
 */

// Running a program, and its event loop.
export { run } from "./library/run.ts";
export type { RunOptions } from "./library/run.ts";
export { Runner } from "./library/runner.ts";
export type { RunnerOptions, RunnerRunOptions } from "./library/runner.ts";
export { EventLoop, getEventLoop, getRunningLoop, newEventLoop, setEventLoop } from "./futures/event-loop.ts";
export type {
  Callback,
  EventLoopOptions,
  ExceptionContext,
  ExceptionHandler,
  TaskFactory,
} from "./futures/event-loop.ts";
export { Handle, TimerHandle } from "./futures/handle.ts";
export type { Clock } from "./loop/clock.ts";

// Coroutines.
export { coroutine, Coroutine, isCoroutine, isCoroutineFunction } from "./futures/coroutine.ts";
export type { AsyncCallee, CoroutineFunction, GeneratorCallee, Retypable } from "./futures/coroutine.ts";
export type { Awaitable, Steps, Suspension } from "./futures/awaitable.ts";
export type { CoroutineLike } from "./futures/to-coroutine.ts";
export { aclosing } from "./library/aclosing.ts";
export type { AsyncClosable } from "./library/aclosing.ts";

// Tasks and futures.
export { allTasks, createTask, currentTask, signal } from "./library/create-task.ts";
export { Task } from "./futures/task.ts";
export type { TaskOptions } from "./futures/task.ts";
export { Future, isFuture } from "./futures/future.ts";
export type { CancelOptions } from "./futures/future.ts";
export { ensureFuture } from "./futures/ensure-future.ts";
export type { Waitable } from "./futures/ensure-future.ts";
export { createEagerTaskFactory, eagerTaskFactory } from "./library/eager-task-factory.ts";
export type { TaskConstructor } from "./library/eager-task-factory.ts";

// Waiting and combining.
export { sleep } from "./library/sleep.ts";
export { until } from "./library/until.ts";
export { gather } from "./library/gather.ts";
export type { GatherOptions, GatherOutcomes, GatherResults, ResultOf } from "./library/gather.ts";
export { ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, wait } from "./library/wait.ts";
export type { FutureOf, ReturnWhen, WaitOptions, WaitResult } from "./library/wait.ts";
export { asCompleted } from "./library/as-completed.ts";
export type {
  AsCompleted,
  AsCompletedOptions,
  CompletedFuture,
  Completions,
  CompletionsAgain,
  CompletionsIterator,
} from "./library/as-completed.ts";
export { shield } from "./library/shield.ts";
export { amap, map } from "./library/amap.ts";
export type { AsyncMap, AsyncMapOptions, Items, MapOptions, Mapper } from "./library/amap.ts";
export { staggeredRace } from "./library/staggered-race.ts";
export type { Competitor, StaggeredRaceOptions, StaggeredRaceResult } from "./library/staggered-race.ts";

// Deadlines and groups.
export { waitFor } from "./library/wait-for.ts";
export { Timeout, timeout, timeoutAt } from "./library/timeout.ts";
export type { TimeoutOptions, TimeoutState } from "./library/timeout.ts";
export type { Duration, DurationParts } from "./library/duration.ts";
export { TaskGroup, taskGroup } from "./library/task-group.ts";
export type { TaskGroupOptions } from "./library/task-group.ts";

// Synchronisation primitives.
export { Lock } from "./library/lock.ts";
export type { LockStatistics } from "./library/lock.ts";
export { Event } from "./library/event.ts";
export type { EventStatistics } from "./library/event.ts";
export { Condition } from "./library/condition.ts";
export type { ConditionStatistics } from "./library/condition.ts";
export { Semaphore } from "./library/semaphore.ts";
export type { SemaphoreStatistics } from "./library/semaphore.ts";
export { BoundedSemaphore } from "./library/bounded-semaphore.ts";
export { CapacityLimiter } from "./library/capacity-limiter.ts";
export type { CapacityLimiterStatistics } from "./library/capacity-limiter.ts";
export { Barrier } from "./library/barrier.ts";
export type { BarrierState, BarrierStatistics } from "./library/barrier.ts";
export type { Acquirable, Guard } from "./library/acquirable.ts";
export type { WithBody } from "./library/body-call.ts";

// Queues.
export { Queue } from "./library/queue.ts";
export type {
  QueueIterator,
  QueueOptions,
  QueueStatistics,
  QueueStore,
  ShutdownOptions,
} from "./library/queue.ts";
export { PriorityQueue } from "./library/priority-queue.ts";
export type { PriorityQueueOptions } from "./library/priority-queue.ts";
export type { Compare } from "./library/binary-heap.ts";
export { LifoQueue } from "./library/lifo-queue.ts";

// Events of the host.
export { once } from "./library/once.ts";
export { on } from "./library/on.ts";
export type { OnOptions } from "./library/on.ts";
export type { EventStream, BufferOptions, OverflowPolicy } from "./library/event-stream.ts";
export type { EmitterLike, EventOf, EventTargetLike } from "./library/event-source.ts";

// Context variables.
export { Context, ContextVar, copyContext, Token } from "./futures/context.ts";
export type { ContextValues } from "./futures/context.ts";

// Errors.
export {
  ArgumentTypeError,
  BrokenBarrierError,
  BrokenWorkerError,
  CancelledError,
  CorioError,
  DeadlockError,
  InvalidStateError,
  isCancelledError,
  KeyboardInterrupt,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  RuntimeError,
  TimeoutError,
  ValueError,
  WouldBlock,
} from "./errors.ts";
export type { CancelDetails, CorioErrorCode } from "./errors.ts";
export { ExceptionGroup } from "./library/exception-group.ts";
export type { ErrorClass, ExceptionCondition } from "./library/exception-group.ts";

// Introspection.
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
