/** What a function can do that runs in a worker of an executor. */
import { badArgument, isCancelledError, RuntimeError, TimeoutError } from "../errors.ts";
import { CANCELLED, FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions } from "../futures/future.ts";
import { runningTask } from "../futures/running.ts";
import { showAs } from "#host";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { decodeError } from "./error-transport.ts";
import type { FromWorker, Outcome } from "./protocol.ts";
import type { AnyFunction } from "./worker-module.ts";
import { namedBy } from "./worker-module.ts";
import { takeTransferLists } from "./transfer.ts";

/** This thread or process as a worker: what connects it with the loop's. */
export interface WorkerLink {
  readonly post: (message: FromWorker, transferList?: readonly unknown[]) => void;
  /** Throws `CancelledError` when nobody waits for the call any more. */
  checkCancelled(): void;
  /**
   * Takes the answers that are there; null where the thread cannot be blocked. With `milliseconds`, waits first until
   * there is one, or that time is over.
   */
  readonly takeAnswers: ((isEnough: () => boolean, milliseconds: number) => void) | null;
}

let link: WorkerLink | null = null;

/** Called once, when the worker begins. */
export function becomeWorker(theLink: WorkerLink): void {
  link = theLink;
}

function requireLink(where: string): WorkerLink {
  if (link !== null) return link;
  throw new RuntimeError(`${where} can be called only in a worker of an executor`);
}

/**
 * Throws `CancelledError` when the caller's await of the running call was cancelled: a function that computes for a long
 * time calls this now and then, to end when nobody waits for it any more. An `async` function need not: it runs as a
 * task, and is cancelled as one.
 *
 * In a thread a cancel is seen at once. A process sees it only when messages can come in, which is not while a function
 * computes.
 *
 * anyio: `from_thread.check_cancelled`. Throws `RuntimeError` where there is no worker.
 *
 * @example
 * ```ts type-only: it runs in a worker; the guide has one that runs
 * import { checkCancelled } from "corio/threads";
 *
 * export function countPrimes(limit: number): number {
 *   let count = 0;
 *   for (let candidate = 2; candidate <= limit; candidate++) {
 *     if (candidate % 1000 === 0) checkCancelled();
 *     let divisor = 2;
 *     while (candidate % divisor !== 0) divisor++;
 *     if (divisor === candidate) count++;
 *   }
 *   return count;
 * }
 * ```
 */
export function checkCancelled(): void {
  requireLink("checkCancelled").checkCancelled();
}

/** The name of a function that the loop's thread is to run for a worker. Get one from {@link loopFunctions}. */
export class LoopFunction<Callee extends AnyFunction> {
  /** The name in the executor's `loopFunctions`. */
  readonly name: string;
  /** Only for the type. @internal */
  declare readonly callee?: Callee;

  /** @internal */
  constructor(name: string) {
    this.name = name;
  }

  get [Symbol.toStringTag](): string {
    return "LoopFunction";
  }
}

showAs(LoopFunction, ({ name }) => `<LoopFunction ${name}>`);

/** The names of the functions that an executor's option `loopFunctions` has. */
export type NamedLoopFunctions<Functions> = {
  readonly [Name in keyof Functions]: Functions[Name] extends AnyFunction
    ? LoopFunction<Functions[Name]>
    : never;
};

/**
 * The functions that the executor was given as `loopFunctions`, by their names, for {@link runCoroutineThreadsafe} and
 * {@link callSoonThreadsafe}. The type is that of the option.
 *
 * asyncio: none; Python's threads can name any function.
 */
export function loopFunctions<Functions extends object>(): NamedLoopFunctions<Functions> {
  return named as NamedLoopFunctions<Functions>;
}

const named = namedBy((name) => new LoopFunction(name));

function checkLoopFunction(where: string, value: unknown): asserts value is LoopFunction<AnyFunction> {
  if (value instanceof LoopFunction) return;
  throw badArgument(where, "a function of loopFunctions()", value);
}

// ── Asking the loop ─────────────────────────────────────────────────────────────────────────────────────────────

let asks = 0;
const asked = new Map<number, ThreadsafeFuture<unknown>>();

/**
 * Has the loop of the caller run a coroutine function, async function or generator function, as a task there, and gives
 * the future of its result here. `await` it in a function that may wait; `result()` blocks the thread until it is there.
 * The function must be among the executor's `loopFunctions`. It runs in a copy of the caller's context.
 *
 * The arguments and the result are cloned. When the call that asked is cancelled, or its worker ends, the task is
 * cancelled.
 *
 * Cancel safety: cancelling an await of the future cancels the task on the loop, and its result is lost.
 *
 * asyncio: `run_coroutine_threadsafe`; anyio: `from_thread.run`. Throws `RuntimeError` where there is no worker, and when
 * an argument cannot be cloned (`CORIO_NOT_CLONEABLE`).
 *
 * @example
 * ```ts type-only: it runs in a worker; the guide has one that runs
 * import { loopFunctions, runCoroutineThreadsafe } from "corio/threads";
 *
 * type Functions = { fetchPage(url: string): Promise<string> }; // in a program: typeof import("./main.ts").functions
 * const loop = loopFunctions<Functions>();
 *
 * export function countWords(url: string): number {
 *   const page = runCoroutineThreadsafe(loop.fetchPage, url).result();
 *   return page.split(/\s+/).length;
 * }
 * ```
 */
export function runCoroutineThreadsafe<Callee extends AnyFunction>(
  callee: LoopFunction<Callee>,
  ...args: Parameters<Callee>
): ThreadsafeFuture<Awaited<ReturnType<Callee>>> {
  const { post } = requireLink("runCoroutineThreadsafe");
  checkLoopFunction("runCoroutineThreadsafe", callee);
  const ask = ++asks;
  send(callee.name, () => post({ type: "ask", ask, name: callee.name, args }, takeTransferLists(args)));
  const future = new ThreadsafeFuture<Awaited<ReturnType<Callee>>>(ask);
  asked.set(ask, future as ThreadsafeFuture<unknown>);
  return future;
}

/**
 * Has the loop of the caller call a function in its next iteration. Nothing comes back; what the function throws goes to
 * the loop's exception handler. The function must be among the executor's `loopFunctions`.
 *
 * asyncio: `call_soon_threadsafe`. Throws `RuntimeError` where there is no worker, and when an argument cannot be cloned
 * (`CORIO_NOT_CLONEABLE`).
 */
export function callSoonThreadsafe<Callee extends AnyFunction>(
  callee: LoopFunction<Callee>,
  ...args: Parameters<Callee>
): void {
  const { post } = requireLink("callSoonThreadsafe");
  checkLoopFunction("callSoonThreadsafe", callee);
  send(callee.name, () => post({ type: "soon", name: callee.name, args }, takeTransferLists(args)));
}

function send(name: string, post: () => void): void {
  try {
    post();
  } catch (error) {
    throw new RuntimeError(
      `an argument of '${name}' cannot be sent to another thread or process: ${String(error)}`,
      "CORIO_NOT_CLONEABLE",
      { cause: error },
    );
  }
}

/** The loop has answered. */
export function noteAnswer(ask: number, outcome: Outcome): void {
  const future = asked.get(ask);
  asked.delete(ask);
  future?.settle(outcome);
}

/**
 * The result of what the loop's thread was asked for. It belongs to no loop: it can be awaited in a task or outside of
 * any, and it can be waited for by blocking.
 *
 * concurrent.futures: `Future`.
 */
export class ThreadsafeFuture<T> implements PromiseLike<T> {
  readonly #ask: number;
  #outcome: { readonly value: T } | { readonly error: unknown } | null = null;
  #callbacks: ((future: this) => void)[] = [];

  /** @internal */
  constructor(ask: number) {
    this.#ask = ask;
  }

  get [Symbol.toStringTag](): string {
    return "ThreadsafeFuture";
  }

  /** True when the result, or an error, has come. */
  done(): boolean {
    return this.#outcome !== null;
  }

  /** True when the task on the loop was cancelled, and has ended that way. */
  cancelled(): boolean {
    return this.#outcome !== null && "error" in this.#outcome && isCancelledError(this.#outcome.error);
  }

  /**
   * Blocks the thread until the result is there, and gives it. In threads only.
   *
   * Throws what the coroutine threw, `CancelledError` when it was cancelled, `TimeoutError` when it is not done in time
   * (it goes on), `RuntimeError` in a process of a `ProcessExecutor`.
   */
  result(timeout?: Duration): T {
    const outcome = this.#wait(timeout);
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /** As `result`, but gives the error, or null when there is none. Throws `CancelledError` and `TimeoutError` as that. */
  exception(timeout?: Duration): unknown {
    const outcome = this.#wait(timeout);
    if (!("error" in outcome)) return null;
    if (isCancelledError(outcome.error)) throw outcome.error;
    return outcome.error;
  }

  #wait(timeout: Duration | undefined): { readonly value: T } | { readonly error: unknown } {
    const milliseconds =
      timeout === undefined ? Infinity : toSeconds(timeout, "ThreadsafeFuture.result") * 1000;
    if (this.#outcome === null) {
      const { takeAnswers } = requireLink("ThreadsafeFuture.result");
      if (takeAnswers === null) {
        throw new RuntimeError(
          "a process cannot block until the loop has answered: await the future instead",
        );
      }
      takeAnswers(() => this.done(), milliseconds);
    }
    const outcome = this.#outcome;
    if (outcome === null) throw new TimeoutError("the loop has not answered in time");
    return outcome;
  }

  /** Asks for the cancellation of the task on the loop. Returns false when it is done already. */
  cancel(): boolean {
    if (this.done()) return false;
    requireLink("ThreadsafeFuture.cancel").post({ type: "withdraw", ask: this.#ask });
    return true;
  }

  /** Calls `callback` with this future when it is done: at once when it is. */
  addDoneCallback(callback: (future: this) => void): void {
    if (typeof callback !== "function") throw badArgument("addDoneCallback", "a function", callback);
    if (this.done()) callback(this);
    else this.#callbacks.push(callback);
  }

  /** Waits without blocking. In a task, a cancel of the await cancels the task on the loop. */
  then<Fulfilled = T, Rejected = never>(
    onFulfilled?: ((value: T) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (runningTask() !== null) return wrapFuture(this).then(onFulfilled, onRejected);
    return new Promise<T>((resolve, reject) => {
      this.addDoneCallback(() => {
        const outcome = this.#outcome;
        if (outcome === null || "error" in outcome) reject(outcome?.error);
        else resolve(outcome.value);
      });
    }).then(onFulfilled, onRejected);
  }

  /** @internal */
  settle(outcome: Outcome): void {
    this.#outcome =
      "error" in outcome ? { error: decodeError(outcome.error) } : { value: outcome.value as T };
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback(this);
  }
}

/**
 * A future of the loop that `getEventLoop` gives, which is done when `future` is, in the same way. Cancelling it cancels `future`. A future
 * of corio is given back as it is.
 *
 * asyncio: `wrap_future`. Throws `ArgumentTypeError` when it is neither kind of future.
 */
export function wrapFuture<T>(future: ThreadsafeFuture<T> | Future<T>): Future<T> {
  if (future instanceof Future) return future;
  if (!(future instanceof ThreadsafeFuture)) throw badArgument("wrapFuture", "a ThreadsafeFuture", future);
  return new WrappedFuture<T>(future);
}

class WrappedFuture<T> extends Future<T> {
  readonly #wrapped: ThreadsafeFuture<T>;

  constructor(wrapped: ThreadsafeFuture<T>) {
    super();
    this.#wrapped = wrapped;
    const { scheduler } = this.loop;
    scheduler.enterForeign();
    wrapped.addDoneCallback(() => {
      scheduler.leaveForeign();
      if (this.state !== PENDING) return;
      try {
        this.settle(FINISHED, wrapped.result());
      } catch (error) {
        this.settle(isCancelledError(error) ? CANCELLED : FAILED_UNSEEN, error);
      }
    });
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (!super.cancel(reason, options)) return false;
    this.#wrapped.cancel();
    return true;
  }

  override describeWait(): string {
    return "an answer of the loop's thread";
  }
}
