import { isCancelledError } from "../errors.ts";
import type { CancelDetails } from "../errors.ts";
import type { ContextValues } from "../futures/context.ts";
import { CANCELLED, FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions, FutureState } from "../futures/future.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import type { LimiterPlace } from "../library/capacity-limiter.ts";
import { redeliverCancel } from "../library/redeliver-cancel.ts";
import { decodeError } from "./error-transport.ts";
import type { Outcome } from "./protocol.ts";
import type { WorkerHandle } from "./worker-handle.ts";
import type { AnyFunction, OnCancel, WorkerFunction } from "./worker-module.ts";

/** What a call needs of its executor. */
export interface CallOwner {
  /** Forgets a call that has not begun. */
  withdraw(call: Call<unknown>): void;
  readonly onCancel: OnCancel;
}

/** What is called, and with what. */
export interface CallRequest {
  readonly target: WorkerFunction<AnyFunction>;
  readonly args: readonly unknown[];
  readonly variables: readonly (readonly [name: string, value: unknown])[];
  /** The caller's context, for what the worker asks the loop to run. */
  readonly contextValues: ContextValues;
}

/**
 * The result of a function in a worker. A call has two lives: that of the function, which begins when it gets a token
 * of the limiter and ends when the function has returned or its worker is gone; and that of the future, which is the
 * shorter one when the await is cancelled.
 */
export class Call<T> extends Future<T> {
  readonly request: CallRequest;
  protected readonly owner: CallOwner;
  /** Where it waits for a token. */
  place: LimiterPlace | null = null;
  /** Where the function runs. */
  worker: WorkerHandle | null = null;
  id = 0;
  /** A cancel that the function was told of, and that the future waits for. */
  protected cancelRequest: CancelDetails | null = null;

  constructor(loop: EventLoop, owner: CallOwner, request: CallRequest) {
    super(loop);
    this.request = request;
    this.owner = owner;
    // A clock that jumps must not jump over it, whether it runs or waits: what it waits for is outside as well.
    loop.scheduler.enterForeign();
  }

  /** How many items may be on their way; 0: only the result is wanted. */
  get items(): number {
    return 0;
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (this.state !== PENDING) return false;
    const worker = this.worker;
    if (worker === null) {
      super.cancel(reason, options);
      this.leaveQueue();
      return true;
    }
    switch (this.onCancel) {
      case "terminate":
        super.cancel(reason, options);
        worker.kill();
        return true;
      case "abandon":
        super.cancel(reason, options);
        this.tellWorker(reason, options);
        return true;
      case "wait":
        if (this.cancelRequest !== null) return true;
        this.cancelRequest = { reason, requestedBy: options?.requestedBy, requestedAt: this.loop.time() };
        this.tellWorker(reason, options);
        return true;
    }
  }

  /** With "wait" a cancel that comes after the value, and before its task goes on, must not lose it either. */
  override get isDeliveredInAnyCase(): boolean {
    return this.onCancel === "wait";
  }

  protected get onCancel(): OnCancel {
    return this.request.target.options.onCancel ?? this.owner.onCancel;
  }

  /** It has not begun, and never will. */
  protected leaveQueue(): void {
    this.place?.cancel();
    this.owner.withdraw(this);
  }

  /** The function is to end early, if it looks. */
  tellWorker(reason: unknown, options?: CancelOptions): void {
    const { worker, id } = this;
    if (worker === null) return;
    for (const withdraw of worker.asks.values()) withdraw();
    worker.flagCancelled(id);
    worker.post({
      type: "cancel",
      id,
      reason: typeof reason === "string" ? reason : reason instanceof Error ? reason.message : undefined,
      requestedBy: options?.requestedBy,
    });
  }

  /** The function has ended. */
  finish(outcome: Outcome): void {
    if (this.state !== PENDING) return;
    if ("value" in outcome) {
      if (this.cancelRequest !== null) redeliverCancel(this, this.cancelRequest);
      this.settle(FINISHED, outcome.value);
    } else this.fail(decodeError(outcome.error));
  }

  /** The function has thrown, or could not be called. */
  fail(error: unknown): void {
    if (this.state !== PENDING) return;
    const request = this.cancelRequest;
    // Functions that are given a signal throw an AbortError when it aborts.
    const isAborted = request !== null && error instanceof Error && error.name === "AbortError";
    if (isCancelledError(error) || isAborted) {
      this.settle(
        CANCELLED,
        request === null ? error : this.makeCancelled(request.reason, request.requestedBy),
      );
    } else {
      this.settle(FAILED_UNSEEN, error ?? new Error("a worker function threw nothing"));
    }
  }

  override settle(state: FutureState, outcome: unknown): void {
    super.settle(state, outcome);
    this.loop.scheduler.leaveForeign();
  }

  override describeWait(): string {
    const what = `'${this.request.target.exportName}' in a worker`;
    if (this.worker !== null) return `a call of ${what}`;
    return this.place === null ? `a call of ${what}` : `${this.place.describeWait()} to call ${what}`;
  }
}
