/**
 * Functions in threads and processes: `toThread`, executors, and what a worker can ask of the loop. For Node, Bun and
 * Deno.
 *
 * @module corio/threads
 */

// Naming functions.
export { WorkerFunction, workerModule } from "./threads/worker-module.ts";
export type { AnyFunction, OnCancel, WorkerFunctionOptions, WorkerModule } from "./threads/worker-module.ts";
export { transfer } from "./threads/transfer.ts";
export { shareContextVar } from "./threads/shared-context.ts";

// Calling them.
export {
  runInExecutor,
  setDefaultExecutor,
  shutdownDefaultExecutor,
  streamFromThread,
  toThread,
} from "./threads/default-executor.ts";
export { Executor } from "./threads/executor.ts";
export type {
  ExecutorOptions,
  ExecutorShutdownOptions,
  ExecutorStatistics,
  LoopFunctions,
  ResultOfCall,
} from "./threads/executor.ts";
export { ThreadExecutor } from "./threads/thread-executor.ts";
export type { ResourceLimits, ThreadExecutorOptions } from "./threads/thread-executor.ts";
export { ProcessExecutor } from "./threads/process-executor.ts";
export type { ProcessExecutorOptions } from "./threads/process-executor.ts";
export { WorkerStream } from "./threads/worker-stream.ts";
export type { ItemOf } from "./threads/worker-stream.ts";

// In a worker.
export {
  callSoonThreadsafe,
  checkCancelled,
  LoopFunction,
  loopFunctions,
  runCoroutineThreadsafe,
  ThreadsafeFuture,
  wrapFuture,
} from "./threads/in-worker.ts";
export type { NamedLoopFunctions } from "./threads/in-worker.ts";
