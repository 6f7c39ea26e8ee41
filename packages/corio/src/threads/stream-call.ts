import { CancelledError, isCancelledError } from "../errors.ts";
import { CANCELLED, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions, FutureState } from "../futures/future.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { Call } from "./call.ts";
import type { Outcome } from "./protocol.ts";
import type { CallOwner, CallRequest } from "./call.ts";

const DEFAULT_BUFFER_SIZE = 16;

/** A call whose function gives items one by one; its own result is of no interest. */
export class StreamCall extends Call<unknown> {
  readonly #bufferSize: number;
  readonly #items: unknown[] = [];
  /** Items that were taken since the worker was last told. */
  #taken = 0;
  /** What the consumer waits for. */
  #wanted: WantedItem | null = null;
  #endsEarly = false;

  constructor(loop: EventLoop, owner: CallOwner, request: CallRequest) {
    super(loop, owner, request);
    this.#bufferSize = request.target.options.bufferSize ?? DEFAULT_BUFFER_SIZE;
  }

  override get items(): number {
    return this.#bufferSize;
  }

  get hasItem(): boolean {
    return this.#items.length > 0;
  }

  noteItem(item: unknown): void {
    // What comes after a cancel nobody will take.
    if (this.state !== PENDING || this.cancelRequest !== null || this.#endsEarly) return;
    this.#items.push(item);
    this.#wake();
  }

  takeItem(): unknown {
    const item = this.#items.shift();
    this.#taken++;
    // Each message costs, and the worker has something to do as long as it may send half of its items.
    if (this.#taken * 2 >= this.#bufferSize && this.state === PENDING) {
      this.worker?.post({ type: "more", id: this.id, items: this.#taken });
      this.#taken = 0;
    }
    return item;
  }

  /** Done when there is an item, or the call is over. */
  wanted(): Future {
    return (this.#wanted = new WantedItem(this.loop, this));
  }

  /** The consumer has left the loop. What the function does then is its end, unless it throws something else. */
  endEarly(): void {
    this.#endsEarly = true;
    this.#items.length = 0;
    if (this.worker === null) {
      this.settle(FINISHED, undefined);
      this.leaveQueue();
    } else if (this.onCancel === "terminate") {
      this.settle(FINISHED, undefined);
      this.worker.kill();
    } else this.tellWorker(undefined, { requestedBy: "the loop that was left" });
  }

  override finish(outcome: Outcome): void {
    // There is no value that would get lost.
    if (this.state === PENDING && this.cancelRequest !== null && "value" in outcome)
      this.fail(new CancelledError());
    else super.finish(outcome);
  }

  override fail(error: unknown): void {
    if (this.state === PENDING && this.#endsEarly && isCancelledError(error))
      this.settle(FINISHED, undefined);
    else super.fail(error);
  }

  override settle(state: FutureState, outcome: unknown): void {
    super.settle(state, outcome);
    // What came before an error is still to be taken.
    if (state === CANCELLED) this.#items.length = 0;
    this.#wake();
  }

  #wake(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted?.state === PENDING) wanted.settle(FINISHED, undefined);
  }
}

/** A cancel goes on to the call: whoever is cancelled while it waits for an item will not ask for another one. */
class WantedItem extends Future {
  readonly #call: StreamCall;

  constructor(loop: EventLoop, call: StreamCall) {
    super(loop);
    this.#call = call;
  }

  /** When the call is not over at once, it wakes the consumer up at its end. */
  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    return this.state === PENDING && this.#call.cancel(reason, options);
  }

  /**
   * A cancel that comes when the item is there, and before the consumer goes on, finds nothing to wait for: the consumer
   * gets the item, and the cancel where it asks for the next one, or where it waits before that and leaves its loop.
   * Either way the call hears of it.
   */
  override get isDeliveredInAnyCase(): boolean {
    return true;
  }

  override describeWait(): string {
    return this.#call.describeWait().replace(/^a call/, "an item of a call");
  }
}
