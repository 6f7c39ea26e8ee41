/**
 * What a generator coroutine yields to its task. Only `yield*` on corio's objects makes these; a program never needs to
 * look at one.
 */
export interface Suspension {
  readonly __suspension?: never;
}

/** The type of a generator that runs as a coroutine: `function* (): Steps<number> { … }`. */
export type Steps<T> = Generator<Suspension | undefined, T, unknown>;

/**
 * What the driver of a generator passes into it: the value that `yield*` evaluates to. One object serves all, since
 * it is read at once.
 */
export const delivery: { value: unknown } = { value: undefined };

/**
 * Everything of corio that can be awaited: in a native function with `await`, in a generator coroutine with `yield*`.
 * It is a thenable, not a Promise: its `then` registers one await, so that each awaiter is resumed by the loop, in
 * the loop's order, and can be cancelled on its own.
 */
export abstract class Awaitable<T> implements Promise<T> {
  abstract then<Fulfilled = T, Rejected = never>(
    onFulfilled?: ((value: T) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected>;

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<T | Rejected> {
    return Promise.resolve<T>(this).catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return Promise.resolve<T>(this).finally(onFinally);
  }

  /** For `yield*` in generator coroutines. */
  [Symbol.iterator](): Iterator<Suspension, T, unknown> {
    return new AwaitIterator<T>(this);
  }

  abstract readonly [Symbol.toStringTag]: string;
}

/** Hands its awaitable to the driver, and the driver's answer to the generator. */
class AwaitIterator<T> implements Iterator<Suspension, T, unknown> {
  readonly #awaitable: Awaitable<T>;
  #asked = false;

  constructor(awaitable: Awaitable<T>) {
    this.#awaitable = awaitable;
  }

  next(): IteratorResult<Suspension, T> {
    if (this.#asked) return { done: true, value: delivery.value as T };
    this.#asked = true;
    return { done: false, value: this.#awaitable as unknown as Suspension };
  }

  throw(error: unknown): never {
    throw error;
  }

  return(value: T): IteratorResult<Suspension, T> {
    return { done: true, value };
  }
}
