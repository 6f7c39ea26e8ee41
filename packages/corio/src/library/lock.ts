import { RuntimeError } from "../errors.ts";
import { PENDING } from "../futures/future.ts";
import type { Future } from "../futures/future.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { Acquirable } from "./acquirable.ts";
import { AcquireTurn } from "./acquire-turn.ts";
import type { TakesTurns } from "./acquire-turn.ts";
import { WaitQueue } from "./wait-queue.ts";
import type { Waiter } from "./wait-queue.ts";

/** What `Lock.statistics()` gives. */
export interface LockStatistics {
  /** Whether a task holds the lock. */
  readonly locked: boolean;
  /** How many tasks wait in `acquire`. */
  readonly tasksWaiting: number;
}

/**
 * Only one task at a time holds a lock. Waiting tasks get it in the order in which they came, and none that comes
 * later is faster: between `release` and the next step of the first waiter, `locked()` is false, and yet a newcomer
 * waits.
 *
 * Any task may release; the lock is not reentrant. Bodies between two awaits need no lock: nothing else runs then.
 *
 * asyncio: `Lock`.
 *
 * @example
 * ```ts
 * import { coroutine, gather, Lock, run, sleep } from "corio";
 *
 * const lock = new Lock();
 *
 * const write = coroutine(async function write(name: string) {
 *   await lock.with(async () => {
 *     console.log(name, "begins");
 *     await sleep(0.01);
 *     console.log(name, "ends");
 *   });
 * });
 *
 * const main = coroutine(async function main() {
 *   await gather(write("first"), write("second"));
 *   using guard = await lock.hold();
 *   console.log(lock.locked());
 * });
 *
 * await run(main());
 * console.log(lock.locked());
 * ```
 * ```text output
 * first begins
 * first ends
 * second begins
 * second ends
 * true
 * false
 * ```
 */
export class Lock extends Acquirable implements TakesTurns {
  #isLocked = false;
  /**
   * For reports only. A weak reference would have to be made for each acquisition; this one goes when the lock is
   * released, and a task that ended without releasing is what a report should name.
   */
  #holder: Task | null = null;
  readonly #line: Line = new Line("Lock", () => this.describe());

  override get [Symbol.toStringTag](): string {
    return "Lock";
  }

  /** True while a task holds the lock. */
  locked(): boolean {
    return this.#isLocked;
  }

  /** Gives the lock to the first waiting task, or to nobody. Throws `RuntimeError` when the lock is not locked. */
  release(): void {
    if (!this.#isLocked) throw new RuntimeError("release of a lock that is not acquired");
    this.#isLocked = false;
    this.#holder = null;
    this.#line.wakeFirst();
  }

  /** What the lock is doing at this moment, as a frozen object. asyncio: none. */
  statistics(): LockStatistics {
    return Object.freeze({ locked: this.#isLocked, tasksWaiting: this.#line.live });
  }

  /** @internal */
  override acquireNow(task: Task): boolean {
    if (this.#isLocked || this.#line.live > 0) return false;
    this.#isLocked = true;
    this.#holder = task;
    return true;
  }

  /** @internal */
  override acquireInTurn(task: Task): Future<true> {
    return new AcquireTurn(this.#line, task, this);
  }

  /** @internal */
  takeTurn(turn: AcquireTurn): void {
    this.#line.leave(turn);
    this.#isLocked = true;
    this.#holder = turn.task;
  }

  /** @internal */
  passTurn(turn: AcquireTurn): void {
    this.#line.leave(turn);
    // The lock may have been its own already.
    if (!this.#isLocked) this.#line.wakeFirst();
  }

  private describe(): string {
    const holder = this.#holder;
    if (holder === null) return "Lock, free for the task that came first";
    return `Lock held by task ${holder.describe()}${holder.done() ? ", which has ended" : ""}`;
  }
}

/**
 * The tasks that wait for a lock. They stay in line until they run again, also when they have been woken up or
 * cancelled, because they matter until then: whoever was woken up has the next turn, and behind one that was cancelled
 * nobody is woken up, since it will do that itself. That is the order in which asyncio gives a lock away.
 */
class Line extends WaitQueue {
  #cancelled = 0;

  /** How many are in line to get the lock. */
  get live(): number {
    return this.length - this.#cancelled;
  }

  /** Makes sure that whoever is first will run. */
  wakeFirst(): void {
    if (this.first?.state === PENDING) this.first.wake();
  }

  override noteCancelled(): void {
    this.#cancelled++;
  }

  override leave(waiter: Waiter<unknown>): void {
    super.leave(waiter);
    if (waiter.cancelled()) this.#cancelled--;
  }
}

showAs(Lock, (lock) => {
  const { locked, tasksWaiting } = lock.statistics();
  return `<Lock ${locked ? "locked" : "unlocked"}${tasksWaiting > 0 ? `, ${tasksWaiting} waiting` : ""}>`;
});
