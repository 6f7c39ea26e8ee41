import {
  badArgument,
  isCancelledError,
  InvalidStateError,
  makeCancelledError,
  RuntimeError,
} from "../errors.ts";
import type { CancelledError } from "../errors.ts";
import type { Runnable } from "../loop/runnable.ts";
import { Awaitable } from "./awaitable.ts";
import type { Context } from "./context.ts";
import { DoneCallback } from "./done-callback.ts";
import type { EventLoop } from "./event-loop.ts";
import { answerAwait, isCalledByHand, NativeAwait } from "./native-await.ts";
import { checkOptions, noOptions } from "./options.ts";
import { runningTask } from "./running.ts";
import type { Task } from "./task.ts";

export const PENDING = 0;
export const CANCELLED = 1;
export const FINISHED = 2;
/** Failed; the exception has been seen by somebody. */
export const FAILED = 3;
/** Failed; nobody has asked for the exception yet. */
export const FAILED_UNSEEN = 4;

export type FutureState = 0 | 1 | 2 | 3 | 4;

/** What runs, through the ready queue, when a future is done. */
export interface FutureCallback extends Runnable {
  /** The future or task that is waiting behind this callback, if any. */
  readonly awaiter: Future<unknown> | null;
}

/** Options of `cancel`. */
export interface CancelOptions {
  /** Who asks; by default the running task's name. Shown in the `CancelledError`. */
  readonly requestedBy?: string | undefined;
}

/**
 * The eventual result of something: pending, then done with a value, an exception or a cancellation.
 *
 * Awaiting a done future does not suspend; awaiting a pending one suspends the task until the future is done.
 * Cancelling a task that awaits a future cancels the future.
 *
 * asyncio: `Future`. Made by `loop.createFuture()` or `new Future()` inside a running loop.
 *
 * @example
 * ```ts
 * import { coroutine, Future, getRunningLoop, run } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const answer = new Future<number>();
 *   getRunningLoop().callLater(0.01, () => { answer.setResult(42); });
 *   console.log(await answer);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * 42
 * ```
 */
export class Future<T = unknown> extends Awaitable<T> {
  /** @internal */
  declare readonly loop: EventLoop;
  /** @internal */
  declare state: FutureState;
  /** The value, the exception or the `CancelledError`, as `state` says. @internal */
  declare outcome: unknown;
  /** One callback, or several in the order they were added. */
  declare private addedCallbacks: FutureCallback | Set<FutureCallback> | null;

  /** A loop is its own options: corio passes it without making an object. */
  constructor(options?: { readonly loop?: EventLoop | undefined }) {
    super();
    if (options?.loop !== options) checkOptions(options, "Future");
    this.loop = options?.loop ?? defaultLoop();
    this.state = PENDING;
    this.outcome = undefined;
    this.addedCallbacks = null;
    this.loop.noteSite(this);
  }

  get [Symbol.toStringTag](): string {
    return "Future";
  }

  /** The loop that the future belongs to. asyncio: `get_loop`. */
  getLoop(): EventLoop {
    return this.loop;
  }

  /** True when the future has a value or an exception, or was cancelled. */
  done(): boolean {
    return this.state !== PENDING;
  }

  /**
   * True when the future was cancelled. A task counts as cancelled when it has ended that way, not when that was asked
   * for.
   */
  cancelled(): boolean {
    return this.state === CANCELLED;
  }

  /**
   * The value. Throws the exception when the future failed, `CancelledError` when it was cancelled,
   * `InvalidStateError` when it is not done.
   */
  result(): T {
    if (this.state === FINISHED) return this.outcome as T;
    if (this.state === PENDING)
      throw new InvalidStateError("the result is not ready: await the future instead");
    throw this.takeError();
  }

  /**
   * The exception, or null when there is none. Throws `CancelledError` when the future was cancelled,
   * `InvalidStateError` when it is not done.
   */
  exception(): unknown {
    if (this.state === FINISHED) return null;
    if (this.state === PENDING)
      throw new InvalidStateError("the exception is not set: await the future instead");
    const error = this.takeError();
    if (this.state === CANCELLED) throw error;
    return error;
  }

  /** Makes the future done with a value. Throws `InvalidStateError` when it is done already. */
  setResult(value: T): void {
    this.requirePending("setResult");
    this.settle(FINISHED, value);
  }

  /**
   * Makes the future done with an exception (a class is instantiated). Throws `InvalidStateError` when it is done
   * already. An exception that nobody retrieves is reported to the loop's exception handler.
   */
  setException(exception: unknown): void {
    this.requirePending("setException");
    const error = isErrorClass(exception) ? new exception() : exception;
    if (error === undefined || error === null)
      throw badArgument("setException", "an error or an error class", exception);
    this.settle(FAILED_UNSEEN, error);
  }

  /**
   * Cancels the future and wakes up who awaits it with `CancelledError`. Returns false when the future is done
   * already: then nothing happens.
   */
  cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (this.state !== PENDING) return false;
    this.settle(CANCELLED, this.makeCancelled(reason, options?.requestedBy));
    return true;
  }

  /**
   * Calls `callback` with this future, through the loop (never at once), when it is done. Callbacks run in the order
   * they were added, in the context that was current then (or `context`).
   */
  addDoneCallback(callback: (future: Future<T>) => void, options: { context?: Context } = noOptions): void {
    if (typeof callback !== "function") throw badArgument("addDoneCallback", "a function", callback);
    if (options !== noOptions) checkOptions(options, "addDoneCallback");
    this.addCallback(new DoneCallback(this, callback as (future: Future<unknown>) => void, options.context));
  }

  /** Removes every callback equal to `callback`; returns how many there were. */
  removeDoneCallback(callback: (future: Future<T>) => void): number {
    let removed = 0;
    for (const added of this.callbacks()) {
      if (added instanceof DoneCallback && added.callback === callback) {
        this.dropCallback(added);
        removed++;
      }
    }
    return removed;
  }

  override then<Fulfilled = T, Rejected = never>(
    onFulfilled?: ((value: T) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (isCalledByHand(onFulfilled, onRejected))
      return Promise.resolve<T>(this).then(onFulfilled, onRejected);
    return this.awaitIn(runningTask(), onFulfilled, onRejected);
  }

  /** `then`, called by the engine while `task` runs. @internal */
  awaitIn<Fulfilled = T, Rejected = never>(
    task: Task<unknown> | null,
    onFulfilled: ((value: T) => Fulfilled | PromiseLike<Fulfilled>) | null | undefined,
    onRejected: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null | undefined,
  ): Promise<Fulfilled | Rejected> {
    if (this.state !== PENDING)
      return answerAwait(this.state === FINISHED ? onFulfilled : onRejected, this.readOutcome());
    const wait = new NativeAwait(task, onFulfilled, onRejected);
    if (task === null) this.addCallback(wait.observe(this));
    else task.suspendNative(wait, this);
    return wait as unknown as Promise<Fulfilled | Rejected>;
  }

  /** The exception or cancellation of a future that has one; from now on it counts as retrieved. @internal */
  takeError(): unknown {
    this.readOutcome();
    return this.outcome;
  }

  private readOutcome(): unknown {
    if (this.state === FAILED_UNSEEN) {
      this.state = FAILED;
      this.loop.noteExceptionRetrieved(this);
    }
    return this.outcome;
  }

  /** Ends the future and makes its callbacks ready. @internal */
  settle(state: FutureState, outcome: unknown): void {
    this.state = state;
    this.outcome = outcome;
    const callbacks = this.addedCallbacks;
    this.addedCallbacks = null;
    if (state === FAILED_UNSEEN) {
      // V8 keeps an error's frames, with the objects in them, until its stack is asked for: the task itself may be
      // one, and would never be collected. Where somebody awaits, the exception is about to be seen.
      if (callbacks === null) readStack(outcome);
      this.loop.noteUnseenException(this);
    }
    if (callbacks === null) return;
    const scheduler = this.loop.scheduler;
    if (callbacks instanceof Set) for (const callback of callbacks) scheduler.callSoon(callback);
    else scheduler.callSoon(callbacks);
  }

  /** @internal */
  addCallback(callback: FutureCallback): void {
    if (this.state !== PENDING) this.loop.scheduler.callSoon(callback);
    else if (this.addedCallbacks === null) this.addedCallbacks = callback;
    else if (this.addedCallbacks instanceof Set) this.addedCallbacks.add(callback);
    else this.addedCallbacks = new Set([this.addedCallbacks, callback]);
  }

  /** @internal */
  dropCallback(callback: FutureCallback): void {
    if (this.addedCallbacks === callback) this.addedCallbacks = null;
    else if (this.addedCallbacks instanceof Set) this.addedCallbacks.delete(callback);
  }

  /** @internal */
  callbacks(): FutureCallback[] {
    if (this.addedCallbacks === null) return [];
    return this.addedCallbacks instanceof Set ? [...this.addedCallbacks] : [this.addedCallbacks];
  }

  /** Whether a task that waits gets the outcome even if it is cancelled before it goes on. @internal */
  get isDeliveredInAnyCase(): boolean {
    return false;
  }

  /** What a task that awaits this is said to wait for. @internal */
  describeWait(): string {
    return "a Future";
  }

  /** @internal */
  protected makeCancelled(reason: unknown, requestedBy: string | undefined): CancelledError {
    if (isCancelledError(reason)) return reason;
    const loop = this.loop;
    return makeCancelledError(
      { reason, requestedBy: requestedBy ?? runningTask()?.getName(), requestedAt: loop.time() },
      loop.getDebug(),
    );
  }

  private requirePending(operation: string): void {
    if (this.state === PENDING) return;
    const how =
      this.state === CANCELLED
        ? "was cancelled"
        : this.state === FINISHED
          ? "has a result"
          : "has an exception";
    throw new InvalidStateError(`${operation} on a future that ${how} already`);
  }
}

/** Whether `value` is a future or a task. asyncio: `isfuture`. */
export function isFuture(value: unknown): value is Future {
  return value instanceof Future;
}

function isErrorClass(value: unknown): value is new () => Error {
  return typeof value === "function" && value.prototype instanceof Error;
}

/** Set by `event-loop.ts`: a future without a loop belongs to the running one. */
let defaultLoop: () => EventLoop = () => {
  throw new RuntimeError("no running event loop", "CORIO_NO_RUNNING_LOOP");
};

export function setDefaultLoop(find: () => EventLoop): void {
  defaultLoop = find;
}

/** An error that cannot even be looked at (a throwing getter, a proxy) is passed on like any other. */
function readStack(error: unknown): unknown {
  try {
    return error instanceof Error ? error.stack : undefined;
  } catch {
    return undefined;
  }
}
