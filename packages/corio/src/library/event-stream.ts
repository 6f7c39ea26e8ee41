import { badArgument, QueueFull, ValueError } from "../errors.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { Future, FutureState } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import type { Scheduler } from "../loop/scheduler.ts";
import { Ring } from "./ring.ts";
import { Turn } from "./turn.ts";
import { WaitQueue } from "./wait-queue.ts";

/**
 * What happens to an event that comes when the buffer is full: the oldest one in the buffer is dropped, or the new one;
 * or the stream ends, and throws `QueueFull` when what is in the buffer has been taken.
 */
export type OverflowPolicy = "dropOldest" | "dropNewest" | "throw";

/** How much of what nobody has taken yet is kept. */
export interface BufferOptions {
  /** How many events fit in the buffer. Default: any number. */
  readonly capacity?: number;
  /** What happens when one more comes. Default `"throw"`. */
  readonly overflow?: OverflowPolicy;
}

/** Where the events of a stream come from. */
export interface StreamSource<T> {
  /** What tasks wait for, in words. */
  readonly description: string;
  /** A task waits, and none did before. */
  noteWanted?(): void;
  /** No task waits any more. */
  noteUnwanted?(): void;
  /** The stream is closed, or its source has ended; `left` is what nobody has taken. Called once. */
  release(left: readonly T[]): void;
  /** One that is in the buffer stands for all that come with the same key. Without it, each is kept. */
  keyOf?(item: T): unknown;
}

/**
 * Events from outside the loop, in the order in which they came. They are kept until they are taken, with
 * `for await`, or one at a time with `next`. Several tasks may take from one stream; each event goes to one of them.
 *
 * `for await` owns the stream: leaving the loop closes it, be it by `break`, by an error or by a cancel. `next` leaves
 * it open, also when it is cancelled. `using` closes it at the end of the block.
 */
export class EventStream<T> implements AsyncIterable<T, void, undefined>, Disposable, AsyncDisposable {
  readonly #source: StreamSource<T>;
  readonly #capacity: number;
  readonly #overflow: OverflowPolicy;
  readonly #waiters: WaitQueue;
  readonly #items: Ring<T> = new Ring<T>();
  /** Of what is in the buffer. */
  readonly #keys: Set<unknown> = new Set<unknown>();
  #waiting = 0;
  /** The source gives no more; `error`, if there is one, is thrown once, after everything else. */
  #end: { error: unknown } | null = null;

  /** @internal */
  constructor(source: StreamSource<T>, options: BufferOptions = {}, where = "EventStream") {
    this.#source = source;
    this.#capacity = options.capacity ?? Infinity;
    this.#overflow = options.overflow ?? "throw";
    checkOptions(this.#capacity, this.#overflow, where);
    this.#waiters = new WaitQueue("EventStream", () => source.description);
  }

  /** How many events wait to be taken. */
  get length(): number {
    return this.#items.length;
  }

  /** True when nothing more will come. What came before can still be taken, unless `close` was called. */
  get isClosed(): boolean {
    return this.#end !== null;
  }

  /**
   * The next event; waits for it. `done` is true when there will be none.
   *
   * Cancel safety: a cancelled `next` has taken nothing.
   */
  next(): Coroutine<IteratorResult<T, void>> {
    return new Next<T>(this, false);
  }

  /** Stops listening and throws away what nobody has taken. Tasks that wait are told that it is over. */
  close(): void {
    const left: T[] = [];
    while (this.#items.length > 0) left.push(this.#pop());
    if (this.#end === null) this.#finish(undefined, left);
    this.#end = { error: undefined };
  }

  /** Closes the stream at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the stream at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await Promise.resolve();
  }

  /** For `for await`, which closes the stream when it is left, in whatever way. */
  [Symbol.asyncIterator](): AsyncIterator<T, void, undefined> {
    return {
      next: () => new Next<T>(this, true),
      return: async () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  // ── For the source ────────────────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  push(item: T): void {
    if (this.#end !== null) return;
    const key = this.#source.keyOf?.(item);
    if (key !== undefined && this.#keys.has(key)) return;
    if (this.#items.length >= this.#capacity) {
      if (this.#overflow === "dropNewest") return;
      if (this.#overflow === "throw") {
        this.fail(
          new QueueFull(`${this.#source.description}: ${this.#capacity} were not taken when one more came`),
        );
        return;
      }
      this.#pop();
    }
    this.#items.push(item);
    if (key !== undefined) this.#keys.add(key);
    this.#waiters.wakeNext();
  }

  #pop(): T {
    const item = this.#items.pop();
    if (this.#keys.size > 0) this.#keys.delete(this.#source.keyOf?.(item));
    return item;
  }

  /** Nothing more will come. @internal */
  end(): void {
    if (this.#end === null) this.#finish(undefined, []);
  }

  /** Nothing more will come, and this is why. @internal */
  fail(error: unknown): void {
    if (this.#end === null) this.#finish(error, []);
  }

  #finish(error: unknown, left: readonly T[]): void {
    this.#end = { error };
    this.#source.release(left);
    this.#waiters.wakeAll();
  }

  // ── For those who take ────────────────────────────────────────────────────────────────────────────────────────

  /** True when `takeNow` would have to wait. @internal */
  get isDry(): boolean {
    return this.#items.length === 0 && this.#end === null;
  }

  /** @internal */
  takeNow(): IteratorResult<T, void> {
    if (this.#items.length > 0) return { done: false, value: this.#pop() };
    const error = this.#end?.error;
    if (error === undefined) return { done: true, value: undefined };
    this.#end = { error: undefined };
    throw error;
  }

  /** @internal */
  takeInTurn(task: Task, closesWhenCancelled: boolean): Future<IteratorResult<T, void>> {
    return new Taking<T>(this, this.#waiters, task, closesWhenCancelled);
  }

  /** A task was woken up for an event that it will not take: the next may have it. @internal */
  passOn(): void {
    if (!this.isDry) this.#waiters.wakeNext();
  }

  /** True while a task waits. @internal */
  get isWanted(): boolean {
    return this.#waiting > 0;
  }

  /** A task begins (1) or ends (-1) to wait. @internal */
  noteWaiting(scheduler: Scheduler, change: 1 | -1): void {
    this.#waiting += change;
    if (change === 1) {
      scheduler.enterForeign();
      if (this.#waiting === 1) this.#source.noteWanted?.();
    } else {
      scheduler.leaveForeign();
      if (this.#waiting === 0) this.#source.noteUnwanted?.();
    }
  }
}

class Taking<T> extends Turn<IteratorResult<T, void>> {
  readonly #stream: EventStream<T>;
  readonly #closesWhenCancelled: boolean;

  constructor(stream: EventStream<T>, waiters: WaitQueue, task: Task, closesWhenCancelled: boolean) {
    super(waiters, task);
    this.#stream = stream;
    this.#closesWhenCancelled = closesWhenCancelled;
    stream.noteWaiting(this.loop.scheduler, 1);
  }

  override settle(state: FutureState, outcome: unknown): void {
    super.settle(state, outcome);
    this.#stream.noteWaiting(this.loop.scheduler, -1);
  }

  override waitAgain(): void {
    super.waitAgain();
    this.#stream.noteWaiting(this.loop.scheduler, 1);
  }

  protected override finish(): boolean {
    if (this.#stream.isDry) return false;
    this.outcome = this.#stream.takeNow();
    return true;
  }

  protected override giveUp(): void {
    if (this.#closesWhenCancelled) this.#stream.close();
    else if (this.isWoken) this.#stream.passOn();
  }
}

class Next<T> extends Operation<IteratorResult<T, void>> {
  readonly #stream: EventStream<T>;
  readonly #closesWhenCancelled: boolean;

  constructor(stream: EventStream<T>, closesWhenCancelled: boolean) {
    super();
    this.#stream = stream;
    this.#closesWhenCancelled = closesWhenCancelled;
  }

  get name(): string {
    return "EventStream.next";
  }

  override attempt(): boolean {
    this.noteStart();
    return !this.#stream.isDry;
  }

  override attempted(): IteratorResult<T, void> {
    return this.#stream.takeNow();
  }

  begin(task: Task): Future<IteratorResult<T, void>> {
    return this.#stream.takeInTurn(task, this.#closesWhenCancelled);
  }
}

function checkOptions(capacity: unknown, overflow: unknown, where: string): void {
  if (typeof capacity !== "number") throw badArgument(`${where}: capacity`, "a number", capacity);
  if (!(capacity >= 1)) throw new ValueError(`${where} expects a capacity of 1 or more, got ${capacity}`);
  if (overflow !== "dropOldest" && overflow !== "dropNewest" && overflow !== "throw")
    throw badArgument(`${where}: overflow`, '"dropOldest", "dropNewest" or "throw"', overflow);
}

showAs(EventStream as unknown as { prototype: EventStream<unknown> }, (stream) => {
  const state = stream.isClosed ? "closed" : "open";
  return `<EventStream ${state}${stream.length > 0 ? `, ${stream.length} waiting to be taken` : ""}>`;
});
