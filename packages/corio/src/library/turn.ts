import { CANCELLED, FAILED } from "../futures/future.ts";
import type { FutureCallback, FutureState } from "../futures/future.ts";
import { Strand } from "../futures/strand.ts";
import type { Task } from "../futures/task.ts";
import type { Runnable } from "../loop/runnable.ts";
import { Waiter } from "./wait-queue.ts";
import type { WaitQueue } from "./wait-queue.ts";

/**
 * A waiter that ends the operation when its task goes on: it takes the item that it was woken up for, or, when the
 * task was cancelled, lets the next in the queue have it. In asyncio this is what a coroutine does after its
 * `await`; here a generator for it would cost more than everything else that a blocking operation does.
 *
 * So when a turn is done, not the strand that waits for it goes into the ready queue, but the turn itself, and it runs
 * the strand when it has done its work: at the same place in the same iteration, with nothing in between.
 */
export abstract class Turn<T> extends Waiter<T> implements Runnable {
  declare readonly task: Task;
  declare private strand: Strand | null;

  constructor(queue: WaitQueue, task: Task) {
    super(queue, task.loop);
    this.task = task;
    this.strand = null;
  }

  /**
   * Ends the operation: sets the outcome, or throws. False when there is nothing to be had after all; the task then
   * goes on waiting, at the end of the queue.
   */
  protected abstract finish(): boolean;

  /** The task was cancelled, either as it waited or when it had been woken up already (`isWoken`). */
  protected abstract giveUp(): void;

  override addCallback(callback: FutureCallback): void {
    super.addCallback(callback);
    // An operation has one awaiter, and that is part of a task.
    if (callback instanceof Strand) this.strand = callback;
  }

  override settle(state: FutureState, outcome: unknown): void {
    this.state = state;
    this.outcome = outcome;
    this.loop.scheduler.callSoon(this);
  }

  get resumesInMicrotask(): Task | null | undefined {
    return this.strand?.resumesInMicrotask;
  }

  run(): void {
    const task = this.task;
    if (!task.loop.admits(this)) return;
    // What `resumeStrand` will go by in a moment.
    if (this.state === CANCELLED || task.mustCancel) this.giveUp();
    else {
      try {
        if (!this.finish()) {
          this.waitAgain();
          return;
        }
      } catch (error) {
        this.state = FAILED;
        this.outcome = error;
      }
    }
    this.strand?.run();
  }
}
