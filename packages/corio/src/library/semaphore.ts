import { badArgument, ValueError } from "../errors.ts";
import type { Future } from "../futures/future.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { Acquirable } from "./acquirable.ts";
import { AcquireTurn } from "./acquire-turn.ts";
import type { TakesTurns } from "./acquire-turn.ts";
import { WaitQueue } from "./wait-queue.ts";

/** What `Semaphore.statistics()` gives. */
export interface SemaphoreStatistics {
  /** How many more tasks may acquire. */
  readonly value: number;
  /** What `locked()` gives. */
  readonly locked: boolean;
  /** How many tasks wait in `acquire` for their turn. */
  readonly tasksWaiting: number;
}

/**
 * Lets a limited number of tasks in at a time, in the order in which they came. `release` hands the place to the
 * first waiting task at once, so none that comes later can be faster.
 *
 * asyncio: `Semaphore`. `new Semaphore(value)` throws `ValueError` when the value, by default 1, is negative.
 *
 * @example
 * ```ts
 * import { coroutine, gather, getRunningLoop, run, Semaphore, sleep } from "corio";
 * import { VirtualClock } from "corio/testing";
 *
 * const semaphore = new Semaphore(2);
 *
 * const download = coroutine(async function download(name: string) {
 *   await semaphore.with(() => sleep(1));
 *   console.log(name, getRunningLoop().time());
 * });
 *
 * const main = coroutine(async function main() {
 *   await gather(download("a"), download("b"), download("c"));
 * });
 *
 * await run(main(), { clock: new VirtualClock() });
 * ```
 * ```text output
 * a 1
 * b 1
 * c 2
 * ```
 */
export class Semaphore extends Acquirable implements TakesTurns {
  #value: number;
  /** How many tasks have been given a place and have not run since. */
  #granted = 0;
  readonly #waiters: WaitQueue = new WaitQueue("Semaphore", () => {
    return `${this[Symbol.toStringTag]} (value ${this.#value})`;
  });

  /**
   * `value` is how many places are free at first. Throws `ArgumentTypeError` when it is not an integer, `ValueError`
   * when it is negative.
   */
  constructor(value = 1) {
    super();
    if (!Number.isInteger(value)) throw badArgument("Semaphore", "an integer", value);
    if (value < 0) throw new ValueError(`Semaphore expects an initial value of 0 or more, got ${value}`);
    this.#value = value;
  }

  override get [Symbol.toStringTag](): string {
    return "Semaphore";
  }

  /** How many places are free. */
  protected get value(): number {
    return this.#value;
  }

  /** True when `acquire` would have to wait: no place is free, or others are to be let in first. */
  locked(): boolean {
    return this.#value === 0 || this.#waiters.length > 0 || this.#granted > 0;
  }

  /** Gives a place back, or to the first waiting task. Nobody checks that there was an `acquire` before. */
  release(): void {
    this.#value++;
    this.grantNext();
  }

  /** What the semaphore is doing at this moment, as a frozen object. asyncio: none. */
  statistics(): SemaphoreStatistics {
    return Object.freeze({ value: this.#value, locked: this.locked(), tasksWaiting: this.#waiters.length });
  }

  /** @internal */
  override acquireNow(): boolean {
    if (this.locked()) return false;
    this.#value--;
    return true;
  }

  /** @internal */
  override acquireInTurn(task: Task): Future<true> {
    return new AcquireTurn(this.#waiters, task, this);
  }

  /** @internal */
  takeTurn(): void {
    this.#granted--;
    this.grantFreePlaces();
  }

  /** @internal */
  passTurn(turn: AcquireTurn): void {
    if (turn.isWoken) {
      // It had a place already.
      this.#granted--;
      this.#value++;
    }
    this.grantFreePlaces();
  }

  /** Some may have had to wait, although places were free, only because others had not run yet. */
  private grantFreePlaces(): void {
    while (this.#value > 0 && this.grantNext());
  }

  private grantNext(): boolean {
    if (!this.#waiters.wakeNext()) return false;
    this.#value--;
    this.#granted++;
    return true;
  }
}

showAs(Semaphore, (semaphore) => {
  const { value, locked, tasksWaiting } = semaphore.statistics();
  const waiting = tasksWaiting > 0 ? `, ${tasksWaiting} waiting` : "";
  return `<${semaphore[Symbol.toStringTag]} ${locked ? "locked" : "unlocked"}, value ${value}${waiting}>`;
});
