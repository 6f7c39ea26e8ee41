import { host } from "#host";
import { isCancelledError, KeyboardInterrupt, RuntimeError } from "../errors.ts";
import { copyContext } from "../futures/context.ts";
import type { Context } from "../futures/context.ts";
import { Awaitable } from "../futures/awaitable.ts";
import { Coroutine } from "../futures/coroutine.ts";
import { ensureFuture } from "../futures/ensure-future.ts";
import type { Waitable } from "../futures/ensure-future.ts";
import { EventLoop } from "../futures/event-loop.ts";
import { FAILED } from "../futures/future.ts";
import type { Future } from "../futures/future.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { isInsideStep } from "../futures/running.ts";
import { Task } from "../futures/task.ts";
import { isThenable, toCoroutine } from "../futures/to-coroutine.ts";
import type { CoroutineLike } from "../futures/to-coroutine.ts";
import type { Clock } from "../loop/clock.ts";
import { allDone } from "./all-done.ts";

/** Options of the `Runner` constructor. */
export interface RunnerOptions {
  /** Debug mode; by default on when `CORIO_DEBUG=1` is set. */
  readonly debug?: boolean;
  /** Where time comes from; by default the host's monotonic clock. */
  readonly clock?: Clock;
  /** Makes the loop; by default `new EventLoop({ clock, debug })`. */
  readonly loopFactory?: () => EventLoop;
}

/** Options of `Runner.run`. */
export interface RunnerRunOptions {
  /** The context of the main task; by default the runner's own, which all its runs share. */
  readonly context?: Context;
  /** Cancels the main task when it aborts. */
  readonly signal?: AbortSignal;
  /** The main task's name. */
  readonly name?: string;
}

/**
 * Runs several main coroutines one after another on one loop, in one context.
 *
 * Ctrl-C: the first cancels the main task, and `run` rejects with `KeyboardInterrupt` if it ends cancelled; a second
 * rejects at once. `close` cancels what is left over and waits for it.
 *
 * asyncio: `Runner`.
 *
 * @example
 * ```ts
 * import { coroutine, Runner, sleep } from "corio";
 *
 * const work = coroutine(async function work(n: number) {
 *   await sleep(0.01);
 *   return n * 2;
 * });
 *
 * const runner = new Runner();
 * try {
 *   console.log(await runner.run(work(1)), await runner.run(work(2)));
 * } finally {
 *   await runner.close();
 * }
 * ```
 * ```text output
 * 2 4
 * ```
 */
export class Runner {
  readonly #options: RunnerOptions;
  #loop: EventLoop | null = null;
  #context: Context | null = null;
  #isClosed = false;
  #interrupts = 0;

  /** Runs nothing and makes no loop yet: that happens on first use. */
  constructor(options: RunnerOptions = noOptions) {
    checkOptions(options, "Runner");
    this.#options = options;
  }

  /** The runner's loop; made on first use. */
  getLoop(): EventLoop {
    this.#initialize();
    return this.#loop as EventLoop;
  }

  /**
   * Runs `main` to its end and gives its result. Throws `RuntimeError` at once when called inside a running task, or
   * while another `run` of this runner is under way.
   */
  run<T>(main: Waitable<T>, options: RunnerRunOptions = noOptions): Promise<T> {
    try {
      checkOptions(options, "run");
      if (isInsideStep()) {
        throw new RuntimeError(
          "run() cannot be called from a running task: await the coroutine, or createTask it",
          "CORIO_RUN_INSIDE_TASK",
        );
      }
      this.getLoop().requireRest();
    } catch (error) {
      if (main instanceof Coroutine) main.close();
      throw error;
    }
    return this.#run(this.#mainTask(main, options));
  }

  /**
   * Cancels every task that is left, waits for them, reports their exceptions to the loop's exception handler, ends
   * what belongs to the loop (its default executor), and closes the loop. Does nothing the second time. Rejects with
   * `RuntimeError` while a `run` is under way.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    const loop = this.#loop;
    if (loop?.isRunning() === true) {
      throw new RuntimeError("cannot close a runner while its run() is under way", "CORIO_RUN_INSIDE_TASK");
    }
    this.#isClosed = true;
    if (loop === null || loop.isClosed()) return;
    try {
      await cancelAllTasks(loop);
      await shutDownResources(loop);
    } finally {
      loop.close();
    }
  }

  /** Closes the runner at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #initialize(): void {
    if (this.#isClosed) throw new RuntimeError("this runner is closed", "CORIO_LOOP_CLOSED");
    if (this.#loop !== null) return;
    const { clock, debug, loopFactory } = this.#options;
    const loop = loopFactory?.() ?? new EventLoop({ clock, debug });
    checkOptions({ loop }, "loopFactory");
    if (debug !== undefined) loop.setDebug(debug);
    this.#loop = loop;
    this.#context = copyContext();
  }

  #mainTask<T>(main: Waitable<T>, options: RunnerRunOptions): Future<T> {
    const loop = this.#loop as EventLoop;
    const isForeign = !(main instanceof Awaitable) && typeof main !== "function" && isThenable(main);
    // It is watched at once: a promise that is rejected already must not be taken for one that nobody looks at.
    const awaited = isForeign ? ensureFuture<T>(main, loop) : (main as CoroutineLike<T>);
    return loop.createTask(toCoroutine<T>(awaited, "run"), {
      context: options.context ?? (this.#context as Context),
      signal: options.signal,
      name: options.name,
    });
  }

  async #run<T>(task: Future<T>): Promise<T> {
    const loop = this.#loop as EventLoop;
    this.#interrupts = 0;
    const undo = host.onInterrupt(() => {
      if (loop.interruptHandlers > 0) return;
      this.#interrupts++;
      if (this.#interrupts === 1 && task.cancel("Ctrl-C", { requestedBy: "KeyboardInterrupt" })) return;
      loop.abort(new KeyboardInterrupt("interrupted by Ctrl-C"));
    });
    try {
      return await loop.complete(task);
    } catch (error) {
      if (this.#interrupts > 0 && isCancelledError(error) && !(task instanceof Task && task.uncancel() > 0)) {
        throw new KeyboardInterrupt("interrupted by Ctrl-C", { cause: error });
      }
      throw error;
    } finally {
      undo?.();
    }
  }
}

async function cancelAllTasks(loop: EventLoop): Promise<void> {
  const tasks = loop.tasks();
  if (tasks.length === 0) return;
  for (const task of tasks) task.cancel(undefined, { requestedBy: "the end of run()" });
  await loop.complete(allDone(tasks, loop));
  for (const task of tasks) {
    if (task.state < FAILED) continue;
    loop.callExceptionHandler({
      message: "unhandled exception during run() shutdown",
      exception: task.exception(),
      task,
    });
  }
}

async function shutDownResources(loop: EventLoop): Promise<void> {
  // What came later may need what was there before.
  for (const resource of loop.resources().reverse()) {
    if (resource.shutdown === undefined) continue;
    try {
      await loop.complete(loop.createTask(resource.shutdown()));
    } catch (exception) {
      loop.callExceptionHandler({ message: "unhandled exception during run() shutdown", exception });
    }
  }
}
