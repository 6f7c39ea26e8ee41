import { badArgument, isCancelledError, TimeoutError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { Coroutine, isGeneratorFunction } from "../futures/coroutine.ts";
import { ensureFuture } from "../futures/ensure-future.ts";
import type { Waitable } from "../futures/ensure-future.ts";
import { FINISHED, Future, PENDING } from "../futures/future.ts";
import type { FutureCallback } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";
import { isThenable, toCoroutine } from "../futures/to-coroutine.ts";
import { toSeconds } from "./duration.ts";
import type { Duration } from "./duration.ts";
import { TimeoutCall } from "./timeout.ts";
import { until } from "./until.ts";

/**
 * Awaits one thing in the current task, and cancels it when that takes longer than `limit`: then it throws
 * `TimeoutError`. Takes a coroutine, a function that starts the work, a future, a task or a promise; the limit counts
 * from the moment `waitFor` is awaited, and null or undefined means no limit.
 *
 * It waits for what it has cancelled to end, so it may take longer than the limit; when that comes through all the
 * same, its value is the result. With a limit of 0 or less a done future gives its result and anything else is
 * cancelled: a coroutine is then not even started.
 *
 * Cancel safety: cancelling cancels what is awaited; `shield` prevents that. A cancellation from outside is never
 * turned into `TimeoutError`.
 *
 * asyncio: `wait_for`. Throws `TimeoutError` when time is up, and what the awaited thing throws.
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep, TimeoutError, waitFor } from "corio";
 *
 * const main = coroutine(async function main() {
 *   console.log(await waitFor(sleep(0.01, "in time"), 60));
 *   try {
 *     await waitFor(sleep(60), 0.01);
 *   } catch (error) {
 *     console.log(error instanceof TimeoutError);
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * in time
 * true
 * ```
 */
export function waitFor<T>(awaitable: Waitable<T>, limit: Duration | null | undefined): Coroutine<T> {
  if (typeof awaitable !== "function" && !isThenable(awaitable)) {
    throw badArgument("waitFor", "a coroutine, a future, a function or a promise", awaitable);
  }
  let seconds: number | null;
  try {
    seconds = limit === null || limit === undefined ? null : toSeconds(limit, "waitFor");
  } catch (error) {
    if (awaitable instanceof Coroutine) awaitable.close();
    throw error;
  }
  // It is the outer coroutine that is reported when neither is awaited.
  if (awaitable instanceof Coroutine) awaitable.claim();
  return seconds !== null && seconds <= 0
    ? new WaitForAtOnce<T>(awaitable)
    : new WaitFor<T>(awaitable, seconds);
}

class WaitFor<T> extends TimeoutCall<T> {
  readonly #awaitable: Waitable<T>;

  constructor(awaitable: Waitable<T>, seconds: number | null) {
    const isNative =
      awaitable instanceof Coroutine
        ? awaitable.isNative
        : typeof awaitable === "function" && !isGeneratorFunction(awaitable);
    super("waitFor", seconds, true, () => start(awaitable), {}, isNative);
    this.#awaitable = awaitable;
  }

  override close(): void {
    if (this.#awaitable instanceof Coroutine) this.#awaitable.close();
    super.close();
  }
}

function start<T>(awaitable: Waitable<T>): PromiseLike<T> {
  if (typeof awaitable === "function") return toCoroutine<T>(awaitable, "waitFor");
  // A promise is waited for in a way that a cancel can end.
  return awaitable instanceof Coroutine || awaitable instanceof Future ? awaitable : until(awaitable);
}

/** Without a moment's time: what is not done already is cancelled. */
class WaitForAtOnce<T> extends Operation<T> {
  readonly #awaitable: Waitable<T>;

  constructor(awaitable: Waitable<T>) {
    super();
    this.#awaitable = awaitable;
  }

  get name(): string {
    return "waitFor";
  }

  override close(): void {
    if (this.#awaitable instanceof Coroutine) this.#awaitable.close();
    super.close();
  }

  *begin(task: Task): Steps<T> {
    const future = ensureFuture(this.#awaitable, { loop: task.loop });
    if (future.done()) return future.result();
    yield* cancelAndWait(future, task);
    try {
      return future.result();
    } catch (error) {
      if (isCancelledError(error)) throw new TimeoutError("timed out after 0 s", { cause: error });
      throw error;
    }
  }
}

/** Cancels `future` and waits for its end; not for itself, so that a cancel of the waiting task is not taken for one. */
function* cancelAndWait(future: Future, task: Task): Steps<void> {
  const ended = new Ended(future, task);
  const callback: FutureCallback = {
    awaiter: ended,
    run: () => {
      if (ended.loop.admits(callback) && ended.state === PENDING) ended.settle(FINISHED, undefined);
    },
  };
  future.addCallback(callback);
  try {
    future.cancel(undefined, { requestedBy: "waitFor" });
    yield* ended;
  } finally {
    future.dropCallback(callback);
  }
}

class Ended extends Future<void> {
  readonly #future: Future;

  constructor(future: Future, task: Task) {
    super(task.loop);
    this.#future = future;
  }

  override describeWait(): string {
    return `the end of ${this.#future.describeWait()}, which was cancelled`;
  }
}
