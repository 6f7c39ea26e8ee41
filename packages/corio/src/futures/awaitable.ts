import { RuntimeError } from "../errors.ts";

/**
 * What a generator coroutine yields to its task. Only `yield*` on corio's objects makes these; a program never needs to
 * look at one.
 */
export interface Suspension {
  /** @internal */
  readonly __suspension?: never;
}

/** The type of a generator that runs as a coroutine: `function* (): Steps<number> { … }`. */
export type Steps<T> = Generator<Suspension | undefined, T, unknown>;

/**
 * What the driver of a generator passes into it: the value that `yield*` evaluates to. One object serves all, since
 * it is read at once; so does the one that carries an awaitable out.
 */
export const delivery: { value: unknown } = { value: undefined };
/** The driver empties it. If nobody does, no driver is there: something else iterates. */
export const handover: { done: false; value: unknown; isNew: boolean } = {
  done: false,
  value: undefined,
  isNew: false,
};
const answer: { done: true; value: unknown } = { done: true, value: undefined };

/**
 * The iterator of everything that can be awaited. It has no state of its own: `yield*` asks first with undefined, and
 * that at once, then with what the driver sends, which never is. A suspended generator keeps its iterator; if that
 * were the awaitable, it would keep the `sleep(1)` besides the timer that it has become.
 */
const awaiting = {
  next(sent: unknown): unknown {
    if (sent !== undefined) {
      answer.value = delivery.value;
      return answer;
    }
    if (!handover.isNew) throw iterated();
    handover.isNew = false;
    return handover;
  },
  throw(error: unknown): never {
    throw error;
  },
  return(value: unknown): unknown {
    if (handover.value !== undefined) throw iterated();
    return { done: true, value };
  },
} as Iterator<Suspension, never, unknown>;

/**
 * Everything of corio that can be awaited: in a native function with `await`, in a generator coroutine with `yield*`.
 * It is a thenable, not a Promise: its `then` registers one await, so that each awaiter is resumed by the loop, in
 * the loop's order, and can be cancelled on its own.
 *
 * Here and in strands, the classes that others extend declare their fields and assign them in the constructor: V8
 * inlines `super()` only for classes without field initialisers and private fields, and an object three classes deep
 * is made in a quarter of the time (9 ns, not 39).
 */
export abstract class Awaitable<T> implements Promise<T> {
  /** What `await` calls: the running task waits, and its loop resumes it. Called by hand it returns a promise. */
  abstract then<Fulfilled = T, Rejected = never>(
    onFulfilled?: ((value: T) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected>;

  /** As the `catch` of promises; returns a promise. */
  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<T | Rejected> {
    return Promise.resolve<T>(this).catch(onRejected);
  }

  /** As the `finally` of promises; returns a promise. */
  finally(onFinally?: (() => void) | null): Promise<T> {
    return Promise.resolve<T>(this).finally(onFinally);
  }

  /** For `yield*` in generator coroutines. */
  [Symbol.iterator](): Iterator<Suspension, T, unknown> {
    handover.value = this;
    handover.isNew = true;
    return awaiting;
  }

  /** The name of the class. */
  abstract readonly [Symbol.toStringTag]: string;
}

/** `[...future]`, `const [first] = future`: it has no elements, and would never end. */
function iterated(): RuntimeError {
  const awaitable = handover.value as Awaitable<unknown> | undefined;
  handover.value = undefined;
  return new RuntimeError(
    `${awaitable?.[Symbol.toStringTag] ?? "it"} cannot be iterated: await it`,
    "CORIO_BAD_YIELD",
  );
}
