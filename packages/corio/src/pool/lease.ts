import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { answerAwait, isCalledByHand } from "../futures/native-await.ts";
import { Operation } from "../futures/operation.ts";
import { runningLoop } from "../futures/running.ts";
import { InvalidStateError } from "../errors.ts";
import type { Entry } from "./entry.ts";

/** Who gets a resource back: the pool that lent it. */
export interface Lender<R> {
  /** Takes a resource back that needs no work; false when it has to be reset or destroyed, or there is no loop. */
  takeBackNow(entry: Entry<R>, loop: EventLoop | undefined): boolean;
  /** Resets a resource and takes it back, or destroys it. */
  takeBack(entry: Entry<R>, isBroken: boolean): Steps<void>;
  /** Has a resource destroyed: nobody will come to `takeBack`. */
  giveUp(entry: Entry<R>, loop: EventLoop | undefined): void;
}

/**
 * A resource on loan from a pool: what `acquire` gives. `await using lease = await pool.acquire();` gives it back at
 * the end of the block.
 */
export class Lease<R> implements AsyncDisposable {
  readonly #lender: Lender<R>;
  #entry: Entry<R> | null;

  /** @internal */
  constructor(lender: Lender<R>, entry: Entry<R>) {
    this.#lender = lender;
    this.#entry = entry;
  }

  /** What was acquired. Throws `InvalidStateError` when it has been given back: by now it may be somebody else's. */
  get resource(): R {
    const entry = this.#entry;
    if (entry === null) throw new InvalidStateError("this lease has ended: its resource was given back");
    return entry.resource;
  }

  /**
   * Gives the resource back to the pool: one that needs no reset at once, with the call itself. Nothing happens the
   * second time.
   *
   * Cancel safety: a cancel that interrupts the reset destroys the resource; the place in the pool is free in any case.
   */
  release(): Coroutine<void> {
    return this.giveBack() ?? nothing;
  }

  /** As `release`, by somebody who belongs to `loop`; null when nothing is left to be done. @internal */
  giveBack(loop: EventLoop | undefined = runningLoop()): Coroutine<void> | null {
    const entry = this.#end();
    if (entry === null || this.#lender.takeBackNow(entry, loop)) return null;
    return new Release<R>(this.#lender, entry, false, loop);
  }

  /**
   * Ends the lease of a resource that must not be used again: the pool destroys it, and makes another when one is
   * needed.
   *
   * Cancel safety: the place in the pool is free in any case.
   */
  discard(): Coroutine<void> {
    const entry = this.#end();
    return entry === null ? nothing : new Release<R>(this.#lender, entry, true, runningLoop());
  }

  /** Gives the resource back at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #end(): Entry<R> | null {
    const entry = this.#entry;
    this.#entry = null;
    return entry;
  }
}

/** What is left to be done of a resource that has to be reset or destroyed. */
class Release<R> extends Operation<void> {
  readonly #lender: Lender<R>;
  readonly #entry: Entry<R>;
  readonly #isBroken: boolean;
  readonly #loop: EventLoop | undefined;
  #hasEnded = false;

  constructor(lender: Lender<R>, entry: Entry<R>, isBroken: boolean, loop: EventLoop | undefined) {
    super();
    this.#lender = lender;
    this.#entry = entry;
    this.#isBroken = isBroken;
    this.#loop = loop;
  }

  get name(): string {
    return "Lease.release";
  }

  begin(): Steps<void> {
    this.#hasEnded = true;
    return this.#lender.takeBack(this.#entry, this.#isBroken);
  }

  /** Its task was cancelled before it began. */
  override close(): void {
    super.close();
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#lender.giveUp(this.#entry, this.#loop);
  }
}

/**
 * A coroutine that has nothing to do: one for all, since it has no state. Most resources come back clean, and an object
 * for each, which is watched until it is awaited, was a fifth of the way from hand to hand.
 */
class Nothing extends Operation<undefined> {
  constructor() {
    super();
    super.claim();
  }

  get name(): string {
    return "Lease.release";
  }

  override claim(): void {
    // It has been.
  }

  override close(): void {
    // There is nothing to give up.
  }

  override attempt(): boolean {
    return true;
  }

  override then<Fulfilled = undefined, Rejected = never>(
    onFulfilled?: ((value: undefined) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (isCalledByHand(onFulfilled, onRejected))
      return Promise.resolve(undefined).then(onFulfilled, onRejected);
    return answerAwait(onFulfilled, undefined);
  }

  *begin(): Steps<undefined> {
    // Never called.
  }
}

const nothing = new Nothing() as Coroutine<void>;
