import type { EventLoop } from "./event-loop.ts";
import { FAILED_UNSEEN, FINISHED, Future, PENDING } from "./future.ts";

/**
 * A future of a foreign promise. Cancelling it stops waiting at once; the promise's end is observed all the same, so
 * that a late rejection is nobody's surprise.
 */
export class PromiseFuture<T> extends Future<T> {
  constructor(promise: PromiseLike<T>, loop: EventLoop) {
    super(loop);
    loop.scheduler.enterForeign();
    let isWaiting = true;
    const leave = (): void => {
      if (isWaiting) loop.scheduler.leaveForeign();
      isWaiting = false;
    };
    this.addCallback({ awaiter: null, run: leave });
    // A thenable may throw after it has called back, or give another thenable; a promise does not.
    Promise.resolve(promise).then(
      (value) => {
        if (this.state === PENDING) this.settle(FINISHED, value);
      },
      (error: unknown) => {
        if (this.state === PENDING)
          this.settle(FAILED_UNSEEN, error ?? new Error("a promise was rejected without a reason"));
      },
    );
  }

  override describeWait(): string {
    return "a promise";
  }
}
