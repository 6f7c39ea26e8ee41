import type { CancelDetails, CancelledError } from "../errors.ts";
import { CANCELLED, FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions } from "../futures/future.ts";
import { redeliverCancel } from "./redeliver-cancel.ts";

/**
 * The future of foreign work that can be asked to end, but not made to: a cancel passes the request on, and the future
 * stays pending until the work has ended. A rejection then makes it cancelled; a value is delivered all the same, and
 * the tasks that wait get their cancel at the next await. Nothing is lost, and nothing is delivered twice.
 */
export abstract class WorkFuture<T> extends Future<T> {
  #request: CancelDetails | null = null;
  #cancelled: CancelledError | null = null;

  /** Somebody has cancelled; called once. `error` is what those who wait will get if the work fails now. */
  protected abstract requestEnd(error: CancelledError): void;

  protected get isEndRequested(): boolean {
    return this.#request !== null;
  }

  /** A cancel that comes after the value and before its task goes on is as late as one that the work did not heed. */
  override get isDeliveredInAnyCase(): boolean {
    return true;
  }

  /** The work has begun. */
  protected watch(work: PromiseLike<T>): void {
    this.noteBegun();
    // A thenable may call back more than once, or at once; a promise does not.
    Promise.resolve(work).then(
      (value) => {
        this.succeed(value);
      },
      (error: unknown) => {
        this.giveUp(error);
      },
    );
  }

  /** The work has begun, and is to end with `succeed` or `giveUp`. */
  protected noteBegun(): void {
    this.loop.scheduler.enterForeign();
  }

  /** The work has given this. */
  protected succeed(value: T): void {
    this.loop.scheduler.leaveForeign();
    if (this.#request !== null) redeliverCancel(this, this.#request);
    this.settle(FINISHED, value);
  }

  /** The work has failed by this. */
  protected giveUp(error: unknown): void {
    this.loop.scheduler.leaveForeign();
    if (this.#request === null)
      this.settle(FAILED_UNSEEN, error ?? new Error("a promise was rejected without a reason"));
    else this.settle(CANCELLED, this.#cancelled);
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (this.state !== PENDING) return false;
    if (this.#request === null) {
      this.#request = { reason, requestedBy: options?.requestedBy, requestedAt: this.loop.time() };
      this.#cancelled = this.makeCancelled(reason, options?.requestedBy);
      this.requestEnd(this.#cancelled);
    }
    return true;
  }
}
