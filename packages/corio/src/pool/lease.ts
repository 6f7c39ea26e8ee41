import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";
import { InvalidStateError } from "../errors.ts";
import type { Entry } from "./entry.ts";

/** Who gets a resource back: the pool that lent it. */
export interface Lender<R> {
  /** Takes a resource back that needs no work; false when it has to be reset or destroyed first. */
  takeBackNow(entry: Entry<R>, task: Task): boolean;
  /** Resets a resource and takes it back, or destroys it. */
  takeBack(entry: Entry<R>, isBroken: boolean): Steps<void>;
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
   * Gives the resource back to the pool, which resets it first if it must; nothing happens the second time.
   *
   * Cancel safety: a cancel that interrupts the reset destroys the resource; the place in the pool is free in any case.
   */
  release(): Coroutine<void> {
    return new Release(this.#lender, this.#end(), false);
  }

  /**
   * Ends the lease of a resource that must not be used again: the pool destroys it, and makes another when one is
   * needed.
   *
   * Cancel safety: the place in the pool is free in any case.
   */
  discard(): Coroutine<void> {
    return new Release(this.#lender, this.#end(), true);
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

class Release<R> extends Operation<void> {
  readonly #lender: Lender<R>;
  readonly #entry: Entry<R> | null;
  readonly #isBroken: boolean;

  constructor(lender: Lender<R>, entry: Entry<R> | null, isBroken: boolean) {
    super();
    this.#lender = lender;
    this.#entry = entry;
    this.#isBroken = isBroken;
  }

  get name(): string {
    return "Lease.release";
  }

  override attempt(task: Task): boolean {
    this.noteStart();
    return this.#entry === null || (!this.#isBroken && this.#lender.takeBackNow(this.#entry, task));
  }

  begin(): Steps<void> {
    return this.#lender.takeBack(this.#entry as Entry<R>, this.#isBroken);
  }
}
