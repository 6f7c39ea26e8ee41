import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED } from "../futures/future.ts";
import type { Task } from "../futures/task.ts";
import { DeadlineTimer } from "../library/deadline-timer.ts";
import { Turn } from "../library/turn.ts";
import type { WaitQueue } from "../library/wait-queue.ts";
import type { Entry } from "./entry.ts";

/** What a task's turn at a pool needs from it. */
export interface TurnGiver<R> {
  /** The task was cancelled after it had been given `entry`, and before it saw that. */
  passOn(entry: Entry<R>, loop: EventLoop): void;
}

/** A task's place among those who wait for a resource. It ends with one, with an error, or by being cancelled. */
export class PoolTurn<R> extends Turn<Entry<R>> {
  readonly #giver: TurnGiver<R>;
  readonly #queue: WaitQueue;
  #deadline: DeadlineTimer | null = null;
  #entry: Entry<R> | null = null;

  constructor(queue: WaitQueue, task: Task, giver: TurnGiver<R>) {
    super(queue, task);
    this.#queue = queue;
    this.#giver = giver;
  }

  /** Ends the wait with the error that `makeError` gives, at `when` seconds of the loop's clock. */
  failAt(when: number, makeError: () => unknown): void {
    this.#deadline = new DeadlineTimer(this.loop, when <= this.loop.time() ? undefined : when, () => {
      this.fail(makeError());
    });
  }

  /** Ends the wait with a resource: this is the first in the queue. */
  grant(entry: Entry<R>): void {
    this.#deadline?.cancel();
    this.#entry = entry;
    this.#queue.wakeNext();
  }

  /** Ends the wait with an error. */
  fail(error: unknown): void {
    this.#deadline?.cancel();
    this.#queue.leave(this);
    this.settle(FAILED, error);
  }

  protected override finish(): true {
    // One that has failed has its outcome.
    if (this.#entry !== null) this.outcome = this.#entry;
    return true;
  }

  protected override giveUp(): void {
    this.#deadline?.cancel();
    if (this.#entry !== null) this.#giver.passOn(this.#entry, this.loop);
  }
}
