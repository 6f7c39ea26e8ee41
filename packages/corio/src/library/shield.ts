import { describeValue, isCancelledError } from "../errors.ts";
import { Coroutine } from "../futures/coroutine.ts";
import { ensureFuture } from "../futures/ensure-future.ts";
import type { Waitable } from "../futures/ensure-future.ts";
import { getEventLoop } from "../futures/event-loop.ts";
import { CANCELLED, FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions, FutureCallback } from "../futures/future.ts";
import { Task } from "../futures/task.ts";

/**
 * Protects something from the cancellation of who waits for it: cancelling `await shield(task)` ends the wait, and the
 * task goes on. A coroutine or function becomes a task; what is done already is returned as it is.
 *
 * When the awaitable itself is cancelled, so is the shield. When it fails after the wait was cancelled, and nobody else
 * waits for it, the exception goes to the loop's exception handler. The end of `run` cancels shielded tasks like all.
 *
 * Cancel safety: nothing is lost if the task is kept to be awaited again.
 *
 * asyncio: `shield`. Throws `RuntimeError` without an event loop.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, run, shield, sleep, timeout, TimeoutError } from "corio";
 * import { VirtualClock } from "corio/testing";
 *
 * const main = coroutine(async function main() {
 *   const saving = createTask(sleep(2, "saved"));
 *   try {
 *     await timeout(1, () => shield(saving));
 *   } catch (error) {
 *     if (!(error instanceof TimeoutError)) throw error;
 *     console.log("this takes long …");
 *   }
 *   console.log(await saving);
 * });
 *
 * await run(main(), { clock: new VirtualClock() });
 * ```
 * ```text output
 * this takes long …
 * saved
 * ```
 */
export function shield<T>(awaitable: Waitable<T>): Future<T> {
  const inner = awaitable instanceof Future ? awaitable : start<T>(awaitable);
  return inner.done() ? inner : new Shield<T>(inner);
}

function start<T>(awaitable: Waitable<T>): Future<T> {
  try {
    return ensureFuture<T>(awaitable, { loop: getEventLoop() });
  } catch (error) {
    if (awaitable instanceof Coroutine) awaitable.close();
    throw error;
  }
}

class Shield<T> extends Future<T> {
  readonly #inner: Future<T>;
  readonly #innerDone: FutureCallback;

  constructor(inner: Future<T>) {
    super(inner.loop);
    this.#inner = inner;
    this.#innerDone = {
      awaiter: this,
      run: () => {
        if (inner.loop.admits(this.#innerDone)) this.#onInnerDone();
      },
    };
    inner.addCallback(this.#innerDone);
    const onDone: FutureCallback = {
      awaiter: null,
      run: () => {
        if (this.loop.admits(onDone)) this.#onDone();
      },
    };
    this.addCallback(onDone);
  }

  override describeWait(): string {
    return `shield of ${this.#inner.describeWait()}`;
  }

  #onInnerDone(): void {
    const inner = this.#inner;
    if (this.state !== PENDING) return;
    if (inner.state === FINISHED) this.settle(FINISHED, inner.outcome);
    else if (inner.state === CANCELLED) this.cancel(undefined, requesterOf(inner.takeError()));
    else this.settle(FAILED_UNSEEN, inner.takeError());
  }

  /** The wait is over before the thing itself: from now on somebody has to look after its exception. */
  #onDone(): void {
    const inner = this.#inner as Future;
    if (inner.state !== PENDING) return;
    inner.dropCallback(this.#innerDone);
    // However many shields there are, it is reported once, after the last of them.
    const earlier = reports.get(inner);
    if (earlier !== undefined) inner.dropCallback(earlier);
    const report = new ReportFailure(inner);
    reports.set(inner, report);
    inner.addCallback(report);
  }
}

function requesterOf(error: unknown): CancelOptions {
  return isCancelledError(error) ? { requestedBy: error.requestedBy } : {};
}

/** What looks after a future's exception, once a shield has given it up. */
const reports = new WeakMap<Future, ReportFailure>();

/** Reports the exception unless somebody else, who waits for the same future, has taken it. */
class ReportFailure implements FutureCallback {
  readonly awaiter: null = null;
  readonly #future: Future;
  #othersHaveRun = false;

  constructor(future: Future) {
    this.#future = future;
  }

  run(): void {
    const { loop, state } = this.#future;
    if (!loop.admits(this) || state !== FAILED_UNSEEN) return;
    if (this.#othersHaveRun) this.#report();
    else {
      // Who else waits is told in this iteration, and may be behind us.
      this.#othersHaveRun = true;
      loop.scheduler.callSoon(this);
    }
  }

  #report(): void {
    const future = this.#future;
    const exception = future.takeError();
    const kind = exception instanceof Error ? exception.name : describeValue(exception);
    future.loop.callExceptionHandler({
      message: `${kind} exception in shielded future`,
      exception,
      future,
      ...(future instanceof Task ? { task: future } : {}),
    });
  }
}
