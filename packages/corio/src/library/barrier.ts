import { badArgument, BrokenBarrierError, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { callBody } from "./body-call.ts";
import type { WithBody } from "./body-call.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";

/**
 * What a barrier is doing: gathering tasks, letting them go, letting them go with an error after `reset`, or refusing
 * them after `abort`.
 */
export type BarrierState = "filling" | "draining" | "resetting" | "broken";

/** What `Barrier.statistics()` gives. */
export interface BarrierStatistics {
  /** How many tasks have to come. */
  readonly parties: number;
  /** What the barrier is doing. */
  readonly state: BarrierState;
  /** How many tasks wait for the others: those that came for this round. */
  readonly nWaiting: number;
  /** How many tasks are suspended in `wait`, also those that came while the last round was still leaving. */
  readonly tasksWaiting: number;
}

/**
 * A meeting point: tasks wait until `parties` of them have come, then all go on. It can be used again and again.
 *
 * asyncio: `Barrier`. `new Barrier(parties)` throws `ValueError` for less than 1 and `ArgumentTypeError` for what is
 * not an integer.
 *
 * @example
 * ```ts
 * import { Barrier, coroutine, gather, run, sleep } from "corio";
 *
 * const barrier = new Barrier(2);
 *
 * const runner = coroutine(async function runner(name: string, seconds: number) {
 *   await sleep(seconds);
 *   console.log(name, "is there");
 *   await barrier.wait();
 *   console.log(name, "goes on");
 * });
 *
 * const main = coroutine(async function main() {
 *   await gather(runner("hare", 0.01), runner("tortoise", 0.02));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * hare is there
 * tortoise is there
 * tortoise goes on
 * hare goes on
 * ```
 */
export class Barrier {
  readonly #parties: number;
  #state: BarrierState = "filling";
  /** Tasks of this round that are inside `wait`. */
  #count = 0;
  /**
   * asyncio has a condition here. Its lock is never held when a task suspends, so it is always free and can be left
   * out; what is left is the condition's waiting room.
   */
  readonly #waiters: WaitQueue = new WaitQueue("Barrier", () => this.describe());

  /**
   * `parties` is how many tasks have to come. Throws `ArgumentTypeError` when it is not an integer, `ValueError` when
   * it is less than 1.
   */
  constructor(parties: number) {
    if (!Number.isInteger(parties)) throw badArgument("Barrier", "an integer number of parties", parties);
    if (parties < 1) throw new ValueError(`Barrier expects at least 1 party, got ${parties}`);
    this.#parties = parties;
  }

  /** How many tasks have to come. */
  get parties(): number {
    return this.#parties;
  }

  /** How many tasks wait for the others; 0 while they leave. asyncio: `n_waiting`. */
  get nWaiting(): number {
    return this.#state === "filling" ? this.#count : 0;
  }

  /** True after `abort`, until `reset`. */
  get broken(): boolean {
    return this.#state === "broken";
  }

  /**
   * Waits until all have come. Gives each task of the round another number from 0 to `parties - 1`, in the order in
   * which they came. A task that comes while the last round is still leaving waits for the end of that first.
   *
   * Cancel safety: a cancelled task has not come. If the round was complete already, the others go on all the same.
   *
   * Throws `BrokenBarrierError` when the barrier is broken, and when it is reset or aborted meanwhile.
   */
  wait(): Coroutine<number> {
    return new Wait(this);
  }

  /**
   * Waits, then runs `body` with the task's number. Nothing happens at the barrier when the body ends.
   *
   * Cancel safety: as `wait`; after that the barrier has no part in it.
   *
   * asyncio: `async with barrier as position`.
   */
  with<T>(body: (index: number) => Steps<T>): Coroutine<T>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  with<T>(body: (index: number) => T | PromiseLike<T>): Coroutine<T>;
  with<T>(body: WithBody<[number], T>): Coroutine<T> {
    if (typeof body !== "function") throw badArgument("Barrier.with", "a function", body);
    return new With<T>(this, body);
  }

  /**
   * Makes the barrier empty and usable. Tasks that wait get `BrokenBarrierError`.
   *
   * Cancel safety: never suspends.
   */
  reset(): Coroutine<void> {
    return new Change("reset", () => {
      if (this.#count === 0) this.#state = "filling";
      else this.#state = "resetting";
      this.#waiters.wakeAll();
    });
  }

  /**
   * Breaks the barrier: tasks that wait, and all that come before it is reset, get `BrokenBarrierError`.
   *
   * Cancel safety: never suspends.
   */
  abort(): Coroutine<void> {
    return new Change("abort", () => {
      this.#state = "broken";
      this.#waiters.wakeAll();
    });
  }

  /** What the barrier is doing at this moment, as a frozen object. asyncio: none. */
  statistics(): BarrierStatistics {
    return Object.freeze({
      parties: this.#parties,
      state: this.#state,
      nWaiting: this.nWaiting,
      tasksWaiting: this.#waiters.length,
    });
  }

  /** @internal */
  *waitForOthers(task: Task): Steps<number> {
    while (this.#state === "draining" || this.#state === "resetting") yield* this.waitForChange(task);
    if (this.broken)
      throw new BrokenBarrierError("the barrier is broken: it was aborted, and not reset since");
    const index = this.#count++;
    try {
      if (this.#count === this.#parties) {
        this.#state = "draining";
        this.#waiters.wakeAll();
      } else yield* this.waitForRelease(task);
      return index;
    } finally {
      this.#count--;
      if (this.#count === 0) this.endRound();
    }
  }

  private *waitForRelease(task: Task): Steps<void> {
    while (this.#state === "filling") yield* this.waitForChange(task);
    if (this.#state !== "draining") {
      throw new BrokenBarrierError(
        `the barrier was ${this.broken ? "aborted" : "reset"} while the task waited at it`,
      );
    }
  }

  private *waitForChange(task: Task): Steps<void> {
    try {
      yield* new Waiter(this.#waiters, task.loop);
    } catch (error) {
      // As a condition does: it may have been the only one woken up.
      this.#waiters.wakeNext();
      throw error;
    }
  }

  /** The last task of the round has left: those that wait for that may come in. */
  private endRound(): void {
    if (this.#state === "draining" || this.#state === "resetting") this.#state = "filling";
    this.#waiters.wakeAll();
  }

  private describe(): string {
    if (this.#state !== "filling") return `Barrier (${this.#state})`;
    return `Barrier (${this.#count} of ${this.#parties} have come)`;
  }
}

class Wait extends Operation<number> {
  readonly #barrier: Barrier;

  constructor(barrier: Barrier) {
    super();
    this.#barrier = barrier;
  }

  get name(): string {
    return "Barrier.wait";
  }

  begin(task: Task): Steps<number> {
    return this.#barrier.waitForOthers(task);
  }
}

class With<T> extends Operation<T> {
  readonly #barrier: Barrier;
  readonly #body: WithBody<[number], T>;

  constructor(barrier: Barrier, body: WithBody<[number], T>) {
    super();
    this.#barrier = barrier;
    this.#body = body;
  }

  get name(): string {
    return "Barrier.with";
  }

  *begin(task: Task): Steps<T> {
    const index = yield* this.#barrier.waitForOthers(task);
    return yield* callBody<[number], T>(this.#body, index);
  }
}

/** `reset` or `abort`: a coroutine, as in asyncio, although it never has to wait. */
class Change extends Operation<void> {
  readonly name: string;
  readonly #change: () => void;

  constructor(name: string, change: () => void) {
    super();
    this.name = `Barrier.${name}`;
    this.#change = change;
  }

  override attempt(): boolean {
    this.noteStart();
    this.#change();
    return true;
  }

  begin(): never {
    throw new Error("a change of a barrier always comes through");
  }
}

showAs(Barrier, (barrier) => {
  const waiting = barrier.broken ? "" : `, ${barrier.nWaiting}/${barrier.parties} waiting`;
  return `<Barrier ${barrier.statistics().state}${waiting}>`;
});
