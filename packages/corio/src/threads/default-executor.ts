import { host } from "#host";
import { badArgument, RuntimeError, TimeoutError, ValueError } from "../errors.ts";
import { currentContextValues } from "../futures/context.ts";
import { coroutine } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop, LoopResource } from "../futures/event-loop.ts";
import type { Future } from "../futures/future.ts";
import { getLoop } from "../futures/get-loop.ts";
import { Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { timeout as withTimeout } from "../library/timeout.ts";
import { Executor } from "./executor.ts";
import type { ResultOfCall } from "./executor.ts";
import { ThreadExecutor } from "./thread-executor.ts";
import { checkWorkerFunction } from "./worker-module.ts";
import type { AnyFunction, WorkerFunction } from "./worker-module.ts";
import type { ItemOf, WorkerStream } from "./worker-stream.ts";

/** How long the end of `run` waits for the default executor. */
const SHUTDOWN_SECONDS = 300;

/** The default executor of a loop: made when first used, ended with the loop. */
class DefaultExecutor implements LoopResource {
  #executor: ThreadExecutor | null = null;
  #isShutDown = false;

  static of(loop: EventLoop): DefaultExecutor {
    let found = defaultExecutors.get(loop);
    if (found === undefined) {
      found = new DefaultExecutor();
      defaultExecutors.set(loop, found);
      loop.adopt(found);
    }
    return found;
  }

  get(): ThreadExecutor {
    if (this.#isShutDown) {
      throw new RuntimeError("the loop's default executor was shut down", "CORIO_EXECUTOR_SHUT_DOWN");
    }
    return (this.#executor ??= new ThreadExecutor());
  }

  set(executor: ThreadExecutor): void {
    this.#executor = executor;
  }

  shutdown(): Coroutine<void> {
    return this.shutdownWithin(SHUTDOWN_SECONDS);
  }

  shutdownWithin(seconds: number): Coroutine<void> {
    this.#isShutDown = true;
    return shutDownWithin(this.#executor, seconds, () => {
      // What was left behind once is not waited for again.
      this.#executor = null;
    });
  }

  abandon(): void {
    this.#isShutDown = true;
    this.#executor?.letGo();
  }
}

const defaultExecutors = new WeakMap<EventLoop, DefaultExecutor>();

const shutDownWithin = coroutine(function* shutdownDefaultExecutor(
  executor: ThreadExecutor | null,
  seconds: number,
  noteLeftBehind: () => void,
) {
  if (executor === null) return;
  try {
    yield* withTimeout(seconds === Infinity ? null : seconds, function* () {
      yield* executor.shutdown();
    });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    host.warn(
      `calls of the default executor did not end within ${seconds} s; they are left behind`,
      "CORIO_EXECUTOR_TIMEOUT",
    );
    executor.letGo();
    noteLeftBehind();
  }
});

/**
 * Calls a function in a thread of the running loop's default executor, and gives its result. What the function throws
 * is thrown here. Shared context variables go along (see {@link shareContextVar}).
 *
 * The default executor belongs to the loop: each `run` has its own threads, and ends them. A program with many short
 * runs should have a `ThreadExecutor` of its own.
 *
 * Node, Bun, Deno; not in browsers.
 *
 * Cancel safety: a call that has not begun does not take place. With one that has, the await ends at once, and the
 * function goes on until it returns; its result is lost. {@link WorkerFunction.withOptions} changes that.
 *
 * asyncio: `to_thread`. Throws as {@link Executor.submit} does.
 *
 * @example
 * ```ts type-only: its worker module is another file; the guide has one that runs
 * import { coroutine, run, timeout } from "corio";
 * import { toThread, workerModule } from "corio/threads";
 *
 * type Primes = { countPrimes(limit: number): number };
 * const primes = workerModule<Primes>(new URL("./primes.ts", import.meta.url));
 *
 * const main = coroutine(async function main() {
 *   const count = await timeout(5, () => toThread(primes.countPrimes, 100_000));
 *   console.log(count);
 * });
 *
 * await run(main());
 * ```
 */
export function toThread<Callee extends AnyFunction>(
  callee: WorkerFunction<Callee>,
  ...args: Parameters<Callee>
): Coroutine<ResultOfCall<Callee>> {
  checkWorkerFunction("toThread", callee);
  return new ToThread<ResultOfCall<Callee>>(callee, args);
}

class ToThread<T> extends Operation<T> {
  readonly #callee: WorkerFunction<AnyFunction>;
  readonly #args: readonly unknown[];

  constructor(callee: WorkerFunction<AnyFunction>, args: readonly unknown[]) {
    super();
    this.#callee = callee;
    this.#args = args;
  }

  get name(): string {
    return "toThread";
  }

  begin(task: Task): Future<T> {
    const executor = DefaultExecutor.of(task.loop).get();
    return executor.startCall<T>(task.loop, "toThread", this.#callee, this.#args, task.contextValues);
  }
}

/**
 * The items of a generator function that runs in a thread of the default executor: `stream` of an executor, with the
 * shared context variables that `toThread` takes along. To be called in a task.
 *
 * asyncio: none. Throws as {@link Executor.stream} does.
 */
export function streamFromThread<Callee extends AnyFunction>(
  callee: WorkerFunction<Callee>,
  ...args: Parameters<Callee>
): WorkerStream<ItemOf<Callee>> {
  const executor = DefaultExecutor.of(getLoop()).get();
  return executor.startStream<ItemOf<Callee>>("streamFromThread", callee, args, currentContextValues());
}

/**
 * Calls a function in a worker of `executor`, or of the running loop's default executor (null), and gives the future of
 * its result. Unlike `toThread` it begins at once, and takes no context variables along.
 *
 * Cancel safety: as `toThread`.
 *
 * asyncio: `loop.run_in_executor`. Throws as {@link Executor.submit} does.
 */
export function runInExecutor<Callee extends AnyFunction>(
  executor: Executor | null,
  callee: WorkerFunction<Callee>,
  ...args: Parameters<Callee>
): Future<ResultOfCall<Callee>> {
  if (executor !== null && !(executor instanceof Executor))
    throw badArgument("runInExecutor", "an executor, or null for the default one", executor);
  checkWorkerFunction("runInExecutor", callee);
  return (executor ?? DefaultExecutor.of(getLoop()).get()).submit<Callee>(callee, ...args);
}

/**
 * Makes `executor` the one that `toThread` and `runInExecutor(null, …)` of the running loop use. It is shut down with the
 * loop. One that was used before is not.
 *
 * asyncio: `loop.set_default_executor`. Throws `ArgumentTypeError` unless it is a `ThreadExecutor`.
 */
export function setDefaultExecutor(executor: ThreadExecutor): void {
  if (!(executor instanceof ThreadExecutor))
    throw badArgument("setDefaultExecutor", "a ThreadExecutor", executor);
  DefaultExecutor.of(getLoop()).set(executor);
}

/**
 * Ends the default executor of the running loop: it takes no more calls, and those that were made are waited for. After
 * `timeout` seconds (null: for ever) there is a warning, and they are left behind: they no longer keep the process.
 * `run` does this at its end, with 300 s.
 *
 * Cancel safety: a cancel ends the waiting; the executor stays shut down.
 *
 * asyncio: `loop.shutdown_default_executor`. Throws `ValueError` when the timeout is negative.
 */
export function shutdownDefaultExecutor(timeout: Duration | null = null): Coroutine<void> {
  const seconds = timeout === null ? Infinity : toSeconds(timeout, "shutdownDefaultExecutor");
  if (seconds < 0)
    throw new ValueError(`shutdownDefaultExecutor expects a timeout of 0 or more, got ${seconds}`);
  return endDefault(seconds);
}

const endDefault = coroutine(function* shutdownDefaultExecutor(seconds: number) {
  yield* DefaultExecutor.of(getLoop()).shutdownWithin(seconds);
});
