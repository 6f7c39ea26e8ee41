import type { Future, FutureCallback } from "./future.ts";
import type { Sink } from "./generator-strand.ts";
import { Strand } from "./strand.ts";
import type { Task } from "./task.ts";

type Settle = ((value: never) => unknown) | null | undefined;

const FINISHED = 2;

/**
 * One `await` of a pending future in a native async function: the engine's pair of resolving functions, kept by corio
 * until the loop resumes the task.
 *
 * It is also what `then` returns, so that `future.then(f, g).then(h)` works as with promises. The engine never looks
 * at that; the promise behind it is made only when somebody does.
 */
export class NativeAwait extends Strand implements Sink {
  #onFulfilled: Settle;
  #onRejected: Settle;
  #chain: Resolvers | null = null;

  constructor(task: Task<unknown> | null, onFulfilled: Settle, onRejected: Settle) {
    // Without a task the object is only a callback: `observe` is then used instead of `run`.
    super(task as Task<unknown>);
    this.#onFulfilled = onFulfilled;
    this.#onRejected = onRejected;
  }

  /** A resolving function of the engine queues the rest of the async function. */
  override get resumesInMicrotask(): Task<unknown> {
    return this.task;
  }

  /** Resumes the native function; its step is open from here until it suspends again or ends. */
  override run(): void {
    const task = this.task;
    if (!task.loop.admits(this)) return;
    const future = this.future;
    const error = task.resumeStrand(this);
    task.openStep();
    if (error !== undefined) this.fail(error);
    else if (future === null) this.deliver(undefined);
    else if (future.state === FINISHED) this.deliver(future.outcome);
    else this.fail(future.takeError());
  }

  /** Outside any task: a plain callback of the future. */
  observe(future: Future<unknown>): FutureCallback {
    return {
      awaiter: null,
      run: () => {
        if (future.state === FINISHED) this.deliver(future.outcome);
        else this.fail(future.takeError());
      },
    };
  }

  /** What was awaited has come; `run` asks for it, and so does the generator coroutine that a native function awaits. */
  deliver(value: unknown): void {
    const callback = this.#onFulfilled;
    if (typeof callback === "function") this.answer(callback, value);
    else this.resolvers().resolve(value);
  }

  fail(error: unknown): void {
    const callback = this.#onRejected;
    if (typeof callback === "function") this.answer(callback, error);
    else this.resolvers().reject(error);
  }

  private answer(callback: (value: never) => unknown, value: unknown): void {
    this.#onFulfilled = null;
    this.#onRejected = settled;
    try {
      const result = callback(value as never);
      if (result !== undefined || this.#chain !== null) this.resolvers().resolve(result);
    } catch (error) {
      this.resolvers().reject(error);
    }
  }

  then(onFulfilled?: Settle, onRejected?: Settle): Promise<unknown> {
    return this.promise().then(onFulfilled as never, onRejected as never);
  }

  catch(onRejected?: Settle): Promise<unknown> {
    return this.promise().catch(onRejected as never);
  }

  finally(onFinally?: (() => void) | null): Promise<unknown> {
    return this.promise().finally(onFinally);
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }

  private promise(): Promise<unknown> {
    const isAnswered = this.#chain === null && this.#onRejected === settled;
    const resolvers = this.resolvers();
    if (isAnswered) resolvers.resolve(undefined);
    return resolvers.promise;
  }

  private resolvers(): Resolvers {
    this.#chain ??= withResolvers();
    return this.#chain;
  }
}

/** Stands where the second function was: the await has been answered. */
const settled = (): void => undefined;

/** True when `then` was called by a person, who gives one function; the engine always gives both. */
export function isCalledByHand(onFulfilled: unknown, onRejected: unknown): boolean {
  return typeof onFulfilled !== "function" || typeof onRejected !== "function";
}

/**
 * Answers an await that need not wait, in the same step. Most awaits of locks and queues are of this kind: where the
 * function gives nothing back, as those of the engine do, no object is made. Returns what `then` has to return.
 */
export function answerAwait(callback: Settle, value: unknown): Promise<never> {
  try {
    const result = callback?.(value as never);
    return (result === undefined ? answered : Promise.resolve(result)) as Promise<never>;
  } catch (error) {
    return Promise.reject(error);
  }
}

const answered = Promise.resolve();

interface Resolvers {
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason?: unknown) => void;
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers(): Resolvers {
  let resolve!: (value: unknown) => void;
  let reject!: (reason?: unknown) => void;
  const promise = new Promise<unknown>((...functions) => {
    [resolve, reject] = functions;
  });
  return { promise, resolve, reject };
}
