import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED } from "../futures/future.ts";
import type { Task } from "../futures/task.ts";
import { DeadlineTimer } from "../library/deadline-timer.ts";
import { Turn } from "../library/turn.ts";
import type { Entry } from "./entry.ts";
import { Lease } from "./lease.ts";
import type { Lender } from "./lease.ts";
import type { PoolQueue } from "./pool-queue.ts";

/** What a task's turn at a pool needs from it. */
export interface TurnGiver<R> extends Lender<R> {
  /** The task was cancelled after it had been given `entry`, and before it saw that. */
  passOn(entry: Entry<R>, loop: EventLoop): void;
  /** What a task gets that has waited for so many seconds. */
  timeoutError(timeout: number): unknown;
}

/** A task's place among those who wait for a resource. It ends with a lease, with an error, or by being cancelled. */
export class PoolTurn<R> extends Turn<Lease<R>> {
  declare private readonly giver: TurnGiver<R>;
  declare private readonly timeout: number | null;
  /** When the wait ends with an error; see `PoolQueue.hurry`. */
  declare deadline: number;
  /** For one who waits longer than others, or less. */
  declare private timer: DeadlineTimer | null;
  declare private entry: Entry<R> | null;

  constructor(queue: PoolQueue<R>, task: Task, giver: TurnGiver<R>, timeout: number | null) {
    super(queue, task);
    this.giver = giver;
    this.timeout = timeout;
    this.deadline = Infinity;
    this.timer = null;
    this.entry = null;
  }

  /** Sets a timer of its own for its timeout. */
  setTimer(): void {
    const { loop, timeout } = this;
    if (timeout === null) return;
    this.timer = new DeadlineTimer(loop, timeout <= 0 ? undefined : loop.time() + timeout, () => {
      this.runOutOfTime();
    });
  }

  /** Ends the wait with a resource: this is the first in the queue. */
  grant(entry: Entry<R>): void {
    this.timer?.cancel();
    this.entry = entry;
    this.queue.wakeNext();
  }

  /** Ends the wait with an error. */
  fail(error: unknown): void {
    this.timer?.cancel();
    this.queue.leave(this);
    this.settle(FAILED, error);
  }

  /** Its timeout is over. */
  runOutOfTime(): void {
    this.fail(this.giver.timeoutError(this.timeout ?? Infinity));
  }

  protected override finish(): true {
    // One that has failed has its outcome.
    if (this.entry !== null) this.outcome = new Lease<R>(this.giver, this.entry);
    return true;
  }

  protected override giveUp(): void {
    this.timer?.cancel();
    if (this.entry !== null) this.giver.passOn(this.entry, this.loop);
  }
}
