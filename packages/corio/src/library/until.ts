import { badArgument } from "../errors.ts";
import type { CancelDetails } from "../errors.ts";
import { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { CANCELLED, FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { PromiseFuture } from "../futures/promise-future.ts";
import { Strand } from "../futures/strand.ts";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";

/**
 * Waits for a foreign promise as for anything of corio's: a cancel reaches it, and the task is resumed in the loop's
 * order.
 *
 * `until(promise)` stops waiting at once when it is cancelled; the promise goes on without being watched, and a late
 * rejection is swallowed. `until((signal) => fetch(url, { signal }))` starts the work when it is awaited and aborts it
 * when it is cancelled, then waits for it to end. If the work comes through all the same, its value is delivered and
 * the cancellation is raised at the next await: nothing is lost, and nothing is delivered twice.
 *
 * Cancel safety: with a promise, a value that arrives after the cancel is lost; with a function, nothing is.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, run, sleep, until } from "corio";
 *
 * const never = new Promise<string>(() => undefined);
 *
 * const main = coroutine(async function main() {
 *   const task = createTask(until(never));
 *   await sleep(0);
 *   task.cancel("too late");
 *   try {
 *     await task;
 *   } catch (error) {
 *     console.log(String(error));
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * CancelledError: too late
 * ```
 */
export function until<T>(work: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T>)): Coroutine<T> {
  if (typeof work === "function") return new UntilEnd<T>(work);
  if (isThenable(work)) return new UntilSettled<T>(work);
  throw badArgument("until", "a promise, or a function that takes a signal and returns one", work);
}

class UntilSettled<T> extends Operation<T> {
  readonly #promise: PromiseLike<T>;

  constructor(promise: PromiseLike<T>) {
    super();
    this.#promise = promise;
    // Also when the coroutine is never awaited: a rejection is then reported as that, not as unhandled.
    if (!(promise instanceof Future) && !(promise instanceof Coroutine))
      promise.then(undefined, () => undefined);
  }

  get name(): string {
    return "until";
  }

  begin(task: Task): Future<T> {
    return new PromiseFuture<T>(this.#promise, task.loop);
  }
}

class UntilEnd<T> extends Operation<T> {
  readonly #start: (signal: AbortSignal) => PromiseLike<T>;

  constructor(start: (signal: AbortSignal) => PromiseLike<T>) {
    super();
    this.#start = start;
  }

  get name(): string {
    return "until";
  }

  /** The function may be native code of the program: it has to find its task. */
  override get isNative(): boolean {
    return true;
  }

  begin(task: Task): Future<T> {
    return new AbortableFuture<T>(task.loop, this.#start);
  }
}

/**
 * A cancel aborts the work's signal and is then on its way: the future stays pending until the work has ended. A
 * rejection makes it cancelled; a value is delivered, and the tasks that wait get their cancel at the next await.
 */
class AbortableFuture<T> extends Future<T> {
  readonly #abort: AbortController = new AbortController();
  #request: CancelDetails | null = null;

  constructor(loop: EventLoop, start: (signal: AbortSignal) => PromiseLike<T>) {
    super(loop);
    const promise = start(this.#abort.signal);
    if (!isThenable(promise)) throw badArgument("until", "a function that returns a promise", promise);
    loop.scheduler.enterForeign();
    promise.then(
      (value) => {
        this.#leave();
        if (this.#request !== null) this.#redeliver(this.#request);
        this.settle(FINISHED, value);
      },
      (error: unknown) => {
        this.#leave();
        if (this.#request === null)
          this.settle(FAILED_UNSEEN, error ?? new Error("a promise was rejected without a reason"));
        else this.settle(CANCELLED, this.#abort.signal.reason);
      },
    );
  }

  override cancel(reason?: unknown, options: CancelOptions = {}): boolean {
    if (this.state !== PENDING) return false;
    if (this.#request === null) {
      this.#request = { reason, requestedBy: options.requestedBy, requestedAt: this.loop.time() };
      this.#abort.abort(this.makeCancelled(reason, options.requestedBy));
    }
    return true;
  }

  override describeWait(): string {
    return this.#request === null ? "a promise" : "a promise to end after its signal was aborted";
  }

  #leave(): void {
    this.loop.scheduler.leaveForeign();
  }

  #redeliver(request: CancelDetails): void {
    for (const callback of this.callbacks()) {
      if (callback instanceof Strand) callback.task.redeliverCancel(callback, request);
    }
  }
}
