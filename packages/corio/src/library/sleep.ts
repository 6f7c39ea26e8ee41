import { ValueError } from "../errors.ts";
import type { Suspension } from "../futures/awaitable.ts";
import { Coroutine } from "../futures/coroutine.ts";
import { FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions } from "../futures/future.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { isCalledByHand, NativeAwait } from "../futures/native-await.ts";
import { Operation } from "../futures/operation.ts";
import { runningTask } from "../futures/running.ts";
import type { Task } from "../futures/task.ts";
import type { Timer } from "../loop/runnable.ts";
import { endStepSoon } from "../loop/step.ts";
import { toSeconds } from "./duration.ts";
import type { Duration } from "./duration.ts";

/**
 * Suspends the task for `delay` and gives `result`. A delay of 0 or less lets every other ready task run once.
 *
 * Cancel safety: cancelling removes the timer.
 *
 * asyncio: `sleep`. Throws `ValueError` for NaN.
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep } from "corio";
 *
 * const main = coroutine(async function main() {
 *   await sleep(0.01);
 *   return await sleep({ milliseconds: 10 }, "rested");
 * });
 *
 * console.log(await run(main()));
 * ```
 * ```text output
 * rested
 * ```
 */
export function sleep(delay: Duration): Coroutine<void>;
export function sleep<T>(delay: Duration, result: T): Coroutine<T>;
export function sleep(delay: Duration, result?: unknown): Coroutine {
  const seconds = typeof delay === "number" ? delay : toSeconds(delay, "sleep");
  if (seconds > 0) return result === undefined ? new Sleep(seconds) : new SleepWithResult(seconds, result);
  if (seconds !== seconds) throw new ValueError("sleep expects a duration, got NaN");
  return result === undefined ? yieldOnce : new YieldWithResult(result);
}

class Sleep extends Operation<unknown> {
  readonly #seconds: number;

  constructor(seconds: number) {
    super();
    this.#seconds = seconds;
  }

  get name(): string {
    return "sleep";
  }

  begin(task: Task): Future {
    return new TimerFuture(task.loop, this.#seconds, this.result());
  }

  protected result(): unknown {
    return undefined;
  }
}

class SleepWithResult extends Sleep {
  readonly #result: unknown;

  constructor(seconds: number, result: unknown) {
    super(seconds);
    this.#result = result;
  }

  protected override result(): unknown {
    return this.#result;
  }
}

/** A future that the clock completes. It is its own timer: a sleeping task is one object less. */
class TimerFuture extends Future implements Timer {
  constructor(loop: EventLoop, seconds: number, result: unknown) {
    super(loop);
    // While pending a future has no outcome: the result waits there.
    this.outcome = result;
    loop.scheduler.callAt(loop.time() + seconds, this);
  }

  get isStale(): boolean {
    return this.state !== PENDING || this.loop.isClosed();
  }

  run(): void {
    if (this.state === PENDING && this.loop.admits(this)) this.settle(FINISHED, this.outcome);
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (!super.cancel(reason, options)) return false;
    this.loop.scheduler.noteStaleTimer();
    return true;
  }

  override describeWait(): string {
    const deadline = this.loop.scheduler.deadlineOf(this);
    if (deadline === undefined) return "sleep";
    return `sleep, ${(deadline - this.loop.time()).toFixed(3)} s more`;
  }
}

/**
 * `sleep(0)`: one object for all, since it holds nothing. It needs no future either: the strand goes straight to the
 * end of the ready queue.
 */
class YieldOnce extends Coroutine<void> {
  get name(): string {
    return "sleep";
  }

  override noteStart(): void {
    // Any number of times.
  }

  override get isUnclaimed(): boolean {
    return false;
  }

  override close(): void {
    // Nothing to give up.
  }

  *begin(): Generator<undefined, void, unknown> {
    yield;
  }

  override then<Fulfilled = void, Rejected = never>(
    // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- the type of its value
    onFulfilled?: ((value: void) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    const task = runningTask();
    if (task === null || isCalledByHand(onFulfilled, onRejected)) return super.then(onFulfilled, onRejected);
    const wait = new NativeAwait(task, onFulfilled, onRejected);
    task.suspendOnYield(wait);
    endStepSoon(task);
    return wait as unknown as Promise<Fulfilled | Rejected>;
  }

  override [Symbol.iterator](): Iterator<Suspension, void, unknown> {
    return yieldIterator;
  }
}

const yielded: IteratorResult<Suspension, void> = { done: false, value: undefined as never };
const resumed: IteratorResult<Suspension, void> = { done: true, value: undefined };

/** Without state: `yield*` asks with undefined first, and then with what the driver sends, which never is. */
const yieldIterator: Iterator<Suspension, void, unknown> = {
  next: (sent) => (sent === undefined ? yielded : resumed),
  throw: (error) => {
    throw error;
  },
};

const yieldOnce: Coroutine<void> = new YieldOnce();

class YieldWithResult<T> extends Operation<T> {
  readonly #result: T;

  constructor(result: T) {
    super();
    this.#result = result;
  }

  get name(): string {
    return "sleep";
  }

  *begin(): Generator<undefined, T, unknown> {
    yield;
    return this.#result;
  }
}
