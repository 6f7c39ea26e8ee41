import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { FutureState } from "../futures/future.ts";

/** A wait for something that the host will call back for. Meanwhile a virtual clock stands still for it. */
export abstract class HostWait<T> extends Future<T> {
  constructor(loop: EventLoop) {
    super(loop);
    loop.scheduler.enterForeign();
  }

  /** In words, for reports of deadlocks. */
  abstract override describeWait(): string;

  override settle(state: FutureState, outcome: unknown): void {
    super.settle(state, outcome);
    this.loop.scheduler.leaveForeign();
  }

  succeed(value: T): void {
    if (this.state === PENDING) this.settle(FINISHED, value);
  }

  fail(error: unknown): void {
    if (this.state === PENDING) this.settle(FAILED_UNSEEN, error);
  }
}
