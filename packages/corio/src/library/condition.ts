import { badArgument, isCancelledError, RuntimeError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { Future } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { Acquirable } from "./acquirable.ts";
import { Lock } from "./lock.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";

/** What `Condition.statistics()` gives. */
export interface ConditionStatistics {
  /** Whether a task holds the lock. */
  readonly locked: boolean;
  /** How many tasks wait to be notified. */
  readonly tasksWaiting: number;
  /** How many tasks wait for the lock, in `acquire` or after they were notified. */
  readonly tasksWaitingForLock: number;
}

/**
 * A lock with a waiting room: who holds the lock and finds that things are not as needed waits, which releases the
 * lock; who has changed them notifies.
 *
 * asyncio: `Condition`. `new Condition(lock)` shares an existing `Lock`; throws `ArgumentTypeError` for anything else.
 *
 * @example
 * ```ts
 * import { Condition, coroutine, createTask, run } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const condition = new Condition();
 *   let stock = 0;
 *   const customer = createTask(() =>
 *     condition.with(async () => {
 *       await condition.waitFor(() => stock >= 2);
 *       console.log("bought", stock);
 *     }),
 *   );
 *   for (let delivery = 0; delivery < 2; delivery++) {
 *     await condition.with(() => {
 *       stock++;
 *       condition.notify();
 *     });
 *   }
 *   await customer;
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * bought 2
 * ```
 */
export class Condition extends Acquirable {
  readonly #lock: Lock;
  readonly #waiters: WaitQueue = new WaitQueue("Condition", () => "Condition");

  /** `lock` may be shared with other conditions; by default the condition has one of its own. */
  constructor(lock: Lock = new Lock()) {
    super();
    if (!(lock instanceof Lock)) throw badArgument("Condition", "a Lock", lock);
    this.#lock = lock;
  }

  override get [Symbol.toStringTag](): string {
    return "Condition";
  }

  /** True while a task holds the lock. */
  locked(): boolean {
    return this.#lock.locked();
  }

  /** Releases the lock. Throws `RuntimeError` when it is not locked. */
  release(): void {
    this.#lock.release();
  }

  /**
   * Releases the lock, waits to be notified, and acquires the lock again. Gives true. It may also return without a
   * reason: look at the state again, or use `waitFor`.
   *
   * Cancel safety: a cancelled `wait`, too, holds the lock when it throws; while it waits for that, further cancels
   * do not interrupt it. If it had been notified already, another task is notified instead.
   *
   * Throws `RuntimeError` when the lock is not locked.
   */
  wait(): Coroutine<true> {
    return new Wait(this);
  }

  /**
   * Waits until `predicate` gives something true, and gives that. The predicate is called at once, and again after
   * each notification, always with the lock held; it must not be async.
   *
   * Cancel safety: as `wait`.
   *
   * asyncio: `wait_for`. Throws what the predicate throws, and `RuntimeError` when it has to wait and the lock is not
   * locked.
   */
  waitFor<T>(predicate: () => T): Coroutine<T> {
    if (typeof predicate !== "function") throw badArgument("Condition.waitFor", "a function", predicate);
    return new WaitFor<T>(this, predicate);
  }

  /**
   * Wakes up `count` waiting tasks, or fewer if there are fewer. They go on when they get the lock, so release it.
   * Throws `RuntimeError` when the lock is not locked.
   */
  notify(count = 1): void {
    if (typeof count !== "number") throw badArgument("Condition.notify", "a number", count);
    this.requireLocked("notify");
    for (let woken = 0; woken < count && this.#waiters.wakeNext(); woken++);
  }

  /** Wakes up every waiting task. Throws `RuntimeError` when the lock is not locked. */
  notifyAll(): void {
    this.requireLocked("notifyAll");
    this.#waiters.wakeAll();
  }

  /** What the condition is doing at this moment, as a frozen object. asyncio: none. */
  statistics(): ConditionStatistics {
    const { locked, tasksWaiting: tasksWaitingForLock } = this.#lock.statistics();
    return Object.freeze({ locked, tasksWaiting: this.#waiters.length, tasksWaitingForLock });
  }

  /** @internal */
  override acquireNow(task: Task): boolean {
    return this.#lock.acquireNow(task);
  }

  /** @internal */
  override acquireInTurn(task: Task): Future<true> {
    return this.#lock.acquireInTurn(task);
  }

  /** @internal */
  *waitUntilNotified(task: Task): Steps<true> {
    this.requireLocked("wait");
    const waiter = new Waiter(this.#waiters, task.loop);
    try {
      this.#lock.release();
      try {
        yield* waiter;
      } finally {
        yield* this.reacquire(task);
      }
      return true;
    } catch (error) {
      // It may have been notified, and will do nothing about it.
      this.#waiters.wakeNext();
      throw error;
    }
  }

  /** However often it is cancelled: the caller's `finally` blocks rely on the lock. The last cancel is thrown. */
  private *reacquire(task: Task): Steps<void> {
    let cancellation: unknown;
    for (;;) {
      try {
        if (!this.#lock.acquireNow(task)) yield* this.#lock.acquireInTurn(task);
        break;
      } catch (error) {
        if (!isCancelledError(error)) throw error;
        cancellation = error;
      }
    }
    if (cancellation !== undefined) throw cancellation;
  }

  private requireLocked(operation: string): void {
    if (this.#lock.locked()) return;
    throw new RuntimeError(
      `Condition.${operation} needs the lock: acquire it first, or use condition.with(…)`,
    );
  }
}

class Wait extends Operation<true> {
  readonly #condition: Condition;

  constructor(condition: Condition) {
    super();
    this.#condition = condition;
  }

  get name(): string {
    return "Condition.wait";
  }

  begin(task: Task): Steps<true> {
    return this.#condition.waitUntilNotified(task);
  }
}

class WaitFor<T> extends Operation<T> {
  readonly #condition: Condition;
  readonly #predicate: () => T;

  constructor(condition: Condition, predicate: () => T) {
    super();
    this.#condition = condition;
    this.#predicate = predicate;
  }

  get name(): string {
    return "Condition.waitFor";
  }

  *begin(task: Task): Steps<T> {
    for (;;) {
      const result = this.#predicate();
      if (isThenable(result)) {
        throw badArgument(
          "Condition.waitFor",
          "a predicate that is not async",
          result,
          "a promise is always true",
        );
      }
      if (result) return result;
      yield* this.#condition.waitUntilNotified(task);
    }
  }
}

showAs(Condition, (condition) => {
  const { locked, tasksWaiting } = condition.statistics();
  return `<Condition ${locked ? "locked" : "unlocked"}${tasksWaiting > 0 ? `, ${tasksWaiting} waiting` : ""}>`;
});
