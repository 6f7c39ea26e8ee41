import { badArgument } from "../errors.ts";
import type { CancelledError } from "../errors.ts";
import { Coroutine } from "../futures/coroutine.ts";
import type { Body } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { Future } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { PromiseFuture } from "../futures/promise-future.ts";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { forward } from "./body-call.ts";
import { WorkFuture } from "./work-future.ts";

/**
 * Waits for a foreign promise as for anything of corio's: a cancel reaches it, and the task is resumed in the loop's
 * order.
 *
 * `until(promise)` stops waiting at once when it is cancelled; the promise goes on without being watched, and a late
 * rejection is swallowed. `until((signal) => fetch(url, { signal }))` starts the work when it is awaited and aborts it
 * when it is cancelled, then waits for it to end. If the work comes through all the same, its value is delivered and
 * the cancellation is raised at the next await: nothing is lost, and nothing is delivered twice.
 *
 * Tasks, futures and coroutines are waited for as with a plain `await`.
 *
 * Cancel safety: with a promise, a value that arrives after the cancel is lost; with a function, nothing is, as long as
 * the task has one more await. A cancelled task has no result: what was opened for it is closed with `keepOrClose` of
 * `corio/pool`.
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
    // It is `until` that is reported when neither is awaited.
    if (promise instanceof Coroutine) promise.claim();
    // Also when the coroutine is never awaited: a rejection is then reported as that, not as unhandled. Only promises:
    // the `then` of a query builder sends the query, each time that it is called.
    else if (promise instanceof Promise) promise.then(undefined, () => undefined);
  }

  get name(): string {
    return "until";
  }

  override close(): void {
    if (this.#promise instanceof Coroutine) this.#promise.close();
    super.close();
  }

  begin(task: Task): Body<T> {
    const promise = this.#promise;
    // What is corio's own is not outside: a virtual clock must go on for it.
    if (promise instanceof Future) return promise;
    if (promise instanceof Coroutine) return forward<T>(promise as Coroutine<T>);
    return new PromiseFuture<T>(promise, task.loop);
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

/** A cancel aborts the signal that the work was given. */
class AbortableFuture<T> extends WorkFuture<T> {
  readonly #abort: AbortController = new AbortController();

  constructor(loop: EventLoop, start: (signal: AbortSignal) => PromiseLike<T>) {
    super(loop);
    const promise = start(this.#abort.signal);
    if (!isThenable(promise)) throw badArgument("until", "a function that returns a promise", promise);
    this.watch(promise);
  }

  protected override requestEnd(error: CancelledError): void {
    this.#abort.abort(error);
  }

  override describeWait(): string {
    return this.isEndRequested ? "a promise to end after its signal was aborted" : "a promise";
  }
}
