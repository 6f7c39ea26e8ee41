import { RuntimeError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { PENDING } from "../futures/future.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import type { Task } from "../futures/task.ts";
import { call } from "../library/call.ts";
import type { StreamCall } from "./stream-call.ts";
import type { AnyFunction } from "./worker-module.ts";

/** What a worker function gives one by one. */
export type ItemOf<Callee extends AnyFunction> =
  Awaited<ReturnType<Callee>> extends AsyncIterable<infer Item>
    ? Item
    : Awaited<ReturnType<Callee>> extends Iterable<infer Item>
      ? Item
      : never;

/**
 * The items of a function in a worker; see {@link Executor.stream}. It can be iterated once, by one task at a time. In a
 * generator coroutine ask with `yield* stream.next()`, and end early with `yield* stream.return()`.
 */
export class WorkerStream<T> implements AsyncIterable<T>, AsyncDisposable {
  readonly #begin: (loop: EventLoop) => StreamCall;
  #call: StreamCall | null = null;
  #isClosed = false;
  #isInUse = false;

  /** @internal */
  constructor(begin: (loop: EventLoop) => StreamCall) {
    this.#begin = begin;
  }

  get [Symbol.toStringTag](): string {
    return "WorkerStream";
  }

  /** Itself: it can be iterated once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next item. Throws what the function throws, and what {@link Executor.submit} says.
   *
   * Cancel safety: a cancel ends the stream.
   */
  next(): Coroutine<IteratorResult<T, undefined>> {
    return call("WorkerStream.next", (task) => this.#next(task));
  }

  /** Ends the generator in the worker, and waits until its `finally` blocks have run. */
  return(): Coroutine<IteratorResult<T, undefined>> {
    return call("WorkerStream.return", () => this.#return());
  }

  /** `return` at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  *#next(task: Task): Steps<IteratorResult<T, undefined>> {
    if (this.#isInUse) throw new RuntimeError("a WorkerStream gives its items to one task at a time");
    if (this.#isClosed) return { done: true, value: undefined };
    const call = (this.#call ??= this.#begin(task.loop));
    this.#isInUse = true;
    try {
      for (;;) {
        if (call.hasItem) return { done: false, value: call.takeItem() as T };
        if (call.state !== PENDING) {
          this.#isClosed = true;
          call.result();
          return { done: true, value: undefined };
        }
        yield* call.wanted();
      }
    } finally {
      this.#isInUse = false;
    }
  }

  *#return(): Steps<IteratorResult<T, undefined>> {
    const call = this.#call;
    const wasClosed = this.#isClosed;
    this.#isClosed = true;
    if (wasClosed || call === null) return { done: true, value: undefined };
    if (call.state !== PENDING) {
      // Whoever leaves does not want to know how it would have gone on.
      call.takeError();
    } else {
      call.endEarly();
      while (!call.done()) yield* call.wanted();
      // What a `finally` block of the function threw, or a cancel that has come meanwhile.
      call.result();
    }
    return { done: true, value: undefined };
  }
}
