import type { Coroutine } from "../futures/coroutine.ts";
import type { Future } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";

/** What `Event.statistics()` gives. */
export interface EventStatistics {
  /** What `isSet()` gives. */
  readonly isSet: boolean;
  /** How many tasks wait. */
  readonly tasksWaiting: number;
}

/**
 * Something that happens, for any number of tasks to wait for. Once set it stays set, and nobody waits, until it is
 * cleared.
 *
 * asyncio: `Event`. (Browsers have a global of that name, which the import hides.)
 *
 * @example
 * ```ts
 * import { coroutine, createTask, Event, run, sleep } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const ready = new Event();
 *   const waiting = createTask(async () => {
 *     await ready.wait();
 *     console.log("ready");
 *   });
 *   await sleep(0.01);
 *   ready.set();
 *   await waiting;
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * ready
 * ```
 */
export class Event {
  #isSet = false;
  readonly #waiters: WaitQueue = new WaitQueue("Event", () => "Event (not set)");

  /** True after `set`, until `clear`. asyncio: `is_set`. */
  isSet(): boolean {
    return this.#isSet;
  }

  /** Wakes up every task that waits now; until `clear`, `wait` does not suspend. */
  set(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    this.#waiters.wakeAll();
  }

  /** From now on `wait` suspends. Who was woken up by `set` before goes on all the same. */
  clear(): void {
    this.#isSet = false;
  }

  /**
   * Waits until the event is set; does not suspend when it is. Gives true.
   *
   * Cancel safety: nothing is lost.
   *
   * Throws `RuntimeError` (`CORIO_FOREIGN_LOOP`) when it has to wait and tasks of another loop have waited before.
   */
  wait(): Coroutine<true> {
    return new Wait(this);
  }

  /** What the event is doing at this moment, as a frozen object. asyncio: none. */
  statistics(): EventStatistics {
    return Object.freeze({ isSet: this.#isSet, tasksWaiting: this.#waiters.length });
  }

  /** A future that is done when the event is set. @internal */
  waiter(task: Task): Future<true> {
    return new Waiter(this.#waiters, task.loop);
  }
}

class Wait extends Operation<true> {
  readonly #event: Event;

  constructor(event: Event) {
    super();
    this.#event = event;
  }

  get name(): string {
    return "Event.wait";
  }

  override attempt(): boolean {
    this.noteStart();
    return this.#event.isSet();
  }

  override attempted(): true {
    return true;
  }

  begin(task: Task): Future<true> {
    return this.#event.waiter(task);
  }
}

showAs(Event, (event) => {
  const { isSet, tasksWaiting } = event.statistics();
  return `<Event ${isSet ? "set" : "not set"}${tasksWaiting > 0 ? `, ${tasksWaiting} waiting` : ""}>`;
});
