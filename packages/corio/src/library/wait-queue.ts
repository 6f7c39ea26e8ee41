import { RuntimeError } from "../errors.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions } from "../futures/future.ts";
import type { Scheduler } from "../loop/scheduler.ts";

/** Where a primitive belongs: the scheduler in which a task first waited for it. Its wait queues share one. */
export interface LoopBinding {
  scheduler: Scheduler | null;
}

/**
 * The tasks that wait for one thing, first come, first served: under every lock, event and queue of corio is one of
 * these.
 *
 * A waiter leaves when it is woken up or cancelled, so the first in the queue is always one that still waits, and
 * nothing ever has to be searched. The list is linked through the waiters themselves: one that is cancelled in the
 * middle of a hundred thousand leaves in constant time (with an array, cancelling all of them takes minutes).
 */
export class WaitQueue {
  /** The class that the queue is part of, for errors. */
  readonly #owner: string;
  readonly #describe: () => string;
  readonly #binding: LoopBinding;
  #last: Waiter<unknown> | null = null;
  /** The waiter that is next. */
  first: Waiter<unknown> | null = null;
  length = 0;

  /** `describe` says in words what the waiters wait for. */
  constructor(owner: string, describe: () => string, binding: LoopBinding = { scheduler: null }) {
    this.#owner = owner;
    this.#describe = describe;
    this.#binding = binding;
  }

  describe(): string {
    return this.#describe();
  }

  /** Puts a waiter at the end. */
  enter(waiter: Waiter<unknown>): void {
    if (this.#binding.scheduler !== waiter.loop.scheduler) this.bind(waiter.loop);
    waiter.ahead = this.#last;
    if (this.#last === null) this.first = waiter;
    else this.#last.behind = waiter;
    this.#last = waiter;
    this.length++;
  }

  /** Takes a waiter out, wherever it is in the queue. */
  leave(waiter: Waiter<unknown>): void {
    if (waiter.ahead === null) this.first = waiter.behind;
    else waiter.ahead.behind = waiter.behind;
    if (waiter.behind === null) this.#last = waiter.ahead;
    else waiter.behind.ahead = waiter.ahead;
    waiter.ahead = null;
    waiter.behind = null;
    this.length--;
  }

  /** Wakes up the first waiter, which leaves the queue; false when there is none. */
  wakeNext(): boolean {
    const waiter = this.first;
    if (waiter === null) return false;
    this.leave(waiter);
    waiter.wake();
    return true;
  }

  wakeAll(): void {
    while (this.wakeNext());
  }

  /** A waiter was cancelled while it was in the queue. */
  noteCancelled(waiter: Waiter<unknown>): void {
    this.leave(waiter);
  }

  private bind(loop: EventLoop): void {
    if (this.#binding.scheduler !== null) {
      throw new RuntimeError(
        `this ${this.#owner} is bound to a different event loop (another clock or thread): tasks have waited for it ` +
          "there; make one for each loop",
        "CORIO_FOREIGN_LOOP",
      );
    }
    this.#binding.scheduler = loop.scheduler;
  }
}

/** One task's place in a wait queue: the future that the task waits for. A new one is at the end of the queue. */
export class Waiter<T = true> extends Future<T> {
  declare protected readonly queue: WaitQueue;
  declare ahead: Waiter<unknown> | null;
  declare behind: Waiter<unknown> | null;

  constructor(queue: WaitQueue, loop: EventLoop) {
    super(loop);
    this.queue = queue;
    this.ahead = null;
    this.behind = null;
    queue.enter(this);
  }

  wake(): void {
    this.settle(FINISHED, true);
  }

  /** True when it was woken up, even if its task was then cancelled before it went on. */
  get isWoken(): boolean {
    return this.state === FINISHED;
  }

  /** Goes back to the end of the queue: it was woken up, but others were faster. */
  waitAgain(): void {
    this.state = PENDING;
    this.queue.enter(this);
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (!super.cancel(reason, options)) return false;
    this.queue.noteCancelled(this);
    return true;
  }

  override describeWait(): string {
    return this.queue.describe();
  }
}
