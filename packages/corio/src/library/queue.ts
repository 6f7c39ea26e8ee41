import { badArgument, isObject, QueueEmpty, QueueFull, QueueShutDown, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { Future } from "../futures/future.ts";
import { keepThenAtHand, Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { Ring } from "./ring.ts";
import { Turn } from "./turn.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";
import type { LoopBinding } from "./wait-queue.ts";

/** Options of the queues. */
export interface QueueOptions {
  /** How many items fit in; 0 or less, the default, means any number. */
  readonly maxsize?: number;
}

/** Options of `shutdown`. */
export interface ShutdownOptions {
  /** Throws away what is in the queue. Default false. */
  readonly immediate?: boolean;
}

/** Where a queue keeps its items; it decides which of them is next. */
export interface QueueStore<T> {
  /** How many items there are. */
  readonly length: number;
  /** Puts an item in. */
  push(item: T): void;
  /** Takes the next item out; called only when there is one. */
  pop(): T;
}

/** What `Queue.statistics()` gives. */
export interface QueueStatistics {
  /** How many items are in the queue. */
  readonly size: number;
  /** How many items fit in; 0 or less means any number. */
  readonly maxsize: number;
  /** How many tasks wait in `get`. */
  readonly gettersWaiting: number;
  /** How many tasks wait in `put`. */
  readonly puttersWaiting: number;
  /** How many items were put in for which `taskDone` has not been called. */
  readonly unfinishedTasks: number;
  /** True after `shutdown`. */
  readonly isShutDown: boolean;
}

/** What `for await` takes the items of a queue from. */
export interface QueueIterator<T> extends AsyncIterator<T, void, undefined> {
  // Of its own: TypeScript 7 takes what an AsyncIterator gives for awaited (a task for its result).
  /** The next item; `done` when the queue was shut down and is empty. */
  next(): Promise<IteratorResult<T, void>>;
}

/**
 * Hands items from tasks that `put` to tasks that `get`, first in, first out. With a `maxsize`, `put` waits while the
 * queue is full. `for await (const item of queue)` takes items until the queue is shut down and empty.
 *
 * A queue may hold anything, but JavaScript replaces what an `await` gives by its result if it is a task, a future, a
 * coroutine or a promise: `await queue.get()` waits for that too. The object itself comes from `getNowait`, from
 * `for await`, and from `yield* queue.get()` in generator coroutines; or put it in as `{ task }`.
 *
 * asyncio: `Queue`. `new Queue(maxsize)` or `new Queue({ maxsize })` throws `ArgumentTypeError` when the size is not a
 * number. What asyncio's subclasses do by overriding `_put` and `_get` is done here by passing another `QueueStore`.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, Queue, run } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const queue = new Queue<string>(1);
 *   const consumer = createTask(async () => {
 *     for await (const item of queue) {
 *       console.log(item);
 *       queue.taskDone();
 *     }
 *   });
 *   for (const item of ["one", "two", "three"]) await queue.put(item);
 *   await queue.join();
 *   queue.shutdown();
 *   await consumer;
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * one
 * two
 * three
 * ```
 */
export class Queue<T = unknown> implements AsyncIterable<T, void, undefined> {
  readonly #maxsize: number;
  readonly #items: QueueStore<T>;
  readonly #getters: WaitQueue;
  readonly #putters: WaitQueue;
  readonly #joiners: WaitQueue;
  #unfinishedTasks = 0;
  #isShutDown = false;

  /**
   * `maxsize` is how many items fit in, any number by default; `store` keeps them, by default first in, first out.
   * Throws `ArgumentTypeError` when the size is not a number.
   */
  constructor(maxsize: number | QueueOptions = 0, store: QueueStore<T> = new Ring<T>()) {
    const size: unknown = isObject(maxsize) ? (maxsize.maxsize ?? 0) : maxsize;
    const kind = this[Symbol.toStringTag];
    if (typeof size !== "number" || Number.isNaN(size)) throw badArgument(kind, "a number as maxsize", size);
    this.#maxsize = size;
    this.#items = store;
    const limit = size > 0 ? `, maxsize ${size}` : "";
    const binding: LoopBinding = { scheduler: null };
    this.#getters = new WaitQueue(
      kind,
      () => `${kind}.get (${this.empty() ? "empty" : "an item is there"}${limit})`,
      binding,
    );
    this.#putters = new WaitQueue(
      kind,
      () => `${kind}.put (${this.full() ? "full" : "a place is free"}${limit})`,
      binding,
    );
    // Bound by itself, as in asyncio.
    this.#joiners = new WaitQueue(kind, () => `${kind}.join (${this.#unfinishedTasks} unfinished)`);
  }

  /** The name of the class. */
  get [Symbol.toStringTag](): string {
    return "Queue";
  }

  /** How many items fit in; 0 or less means any number. */
  get maxsize(): number {
    return this.#maxsize;
  }

  /** How many items are in the queue. */
  qsize(): number {
    return this.#items.length;
  }

  /** True when there is no item. */
  empty(): boolean {
    return this.#items.length === 0;
  }

  /** True when there are `maxsize` items; a queue without a limit is never full. */
  full(): boolean {
    return this.#maxsize > 0 && this.#items.length >= this.#maxsize;
  }

  /**
   * Puts an item in; waits while the queue is full.
   *
   * Cancel safety: the item of a cancelled `put` is not in the queue.
   *
   * Throws `QueueShutDown` when the queue is shut down, before or while it waits, and `RuntimeError`
   * (`CORIO_FOREIGN_LOOP`) when it has to wait and tasks of another loop have waited before.
   */
  put(item: T): Coroutine<void> {
    return new Put<T>(this, item);
  }

  /** Puts an item in. Throws `QueueFull` when there is no place for it, `QueueShutDown` after `shutdown`. */
  putNowait(item: T): void {
    if (this.#isShutDown) throw this.shutDownError();
    if (this.full())
      throw new QueueFull(`the queue is full: it has ${this.#items.length} items (maxsize ${this.#maxsize})`);
    this.#items.push(item);
    this.#unfinishedTasks++;
    this.#getters.wakeNext();
  }

  /**
   * Takes the next item out; waits while there is none.
   *
   * Cancel safety: a cancelled `get` has taken nothing; if an item had come for it, the next task gets that.
   *
   * Throws `QueueShutDown` when the queue is shut down and empty, before or while it waits, and `RuntimeError`
   * (`CORIO_FOREIGN_LOOP`) when it has to wait and tasks of another loop have waited before.
   */
  get(): Coroutine<T> {
    return new Get<T>(this);
  }

  /** Takes the next item out. Throws `QueueEmpty` when there is none, or `QueueShutDown` if there will never be one. */
  getNowait(): T {
    if (this.#items.length === 0) {
      if (this.#isShutDown) throw this.shutDownError();
      throw new QueueEmpty("the queue is empty");
    }
    const item = this.#items.pop();
    this.#putters.wakeNext();
    return item;
  }

  /**
   * Says that the work on an item which was taken out is finished, so that `join` knows. Throws `ValueError` when it
   * is called more often than items were put in.
   */
  taskDone(): void {
    if (this.#unfinishedTasks <= 0)
      throw new ValueError("taskDone was called more often than items were put into the queue");
    this.#unfinishedTasks--;
    if (this.#unfinishedTasks === 0) this.#joiners.wakeAll();
  }

  /**
   * Waits until `taskDone` has been called for every item that was put in.
   *
   * Cancel safety: nothing is lost.
   *
   * Throws `RuntimeError` (`CORIO_FOREIGN_LOOP`) when it has to wait and tasks of another loop have waited before.
   */
  join(): Coroutine<void> {
    return new Join(this);
  }

  /**
   * Ends the queue: `put` throws `QueueShutDown` from now on, `get` as soon as nothing is left, and tasks that wait
   * in either are woken up to do so. With `immediate` what is in the queue is thrown away and counts as finished.
   */
  shutdown(immediate: boolean | ShutdownOptions = false): void {
    const isImmediate: unknown = isObject(immediate) ? (immediate.immediate ?? false) : immediate;
    if (typeof isImmediate !== "boolean") throw badArgument("shutdown", "true or false", isImmediate);
    this.#isShutDown = true;
    if (isImmediate) this.throwItemsAway();
    this.#getters.wakeAll();
    this.#putters.wakeAll();
  }

  /** What the queue is doing at this moment, as a frozen object. asyncio: none. */
  statistics(): QueueStatistics {
    return Object.freeze({
      size: this.#items.length,
      maxsize: this.#maxsize,
      gettersWaiting: this.#getters.length,
      puttersWaiting: this.#putters.length,
      unfinishedTasks: this.#unfinishedTasks,
      isShutDown: this.#isShutDown,
    });
  }

  /**
   * Takes items as `get` does, and ends instead of throwing `QueueShutDown`. Several loops may share one queue.
   *
   * Cancel safety: as `get`.
   */
  [Symbol.asyncIterator](): QueueIterator<T> {
    return new ItemIterator<T>(this);
  }

  /** @internal */
  getInTurn(task: Task): Future<T> {
    return new Getter<T>(this.#getters, task, this);
  }

  /** @internal */
  nextInTurn(task: Task): Future<IteratorResult<T, void>> {
    return new Iterating<T>(this.#getters, task, this);
  }

  /** @internal */
  putInTurn(task: Task, item: T): Future<void> {
    return new Putter<T>(this.#putters, task, this, item);
  }

  /** A task was woken up for an item that it will not take: the next may have it. @internal */
  passItem(): void {
    if (!this.empty()) this.#getters.wakeNext();
  }

  /** A task was woken up for a place that it will not use: the next may have it. @internal */
  passPlace(): void {
    if (!this.full()) this.#putters.wakeNext();
  }

  /** The next item, or the end. Only when there is one of them. @internal */
  nextNow(): IteratorResult<T, void> {
    return this.isOver ? { done: true, value: undefined } : { done: false, value: this.getNowait() };
  }

  /** True when `getNowait` would have to wait. @internal */
  get isDry(): boolean {
    return this.#items.length === 0 && !this.#isShutDown;
  }

  /** True when `putNowait` would have to wait. @internal */
  get isStuffed(): boolean {
    return !this.#isShutDown && this.full();
  }

  /** @internal */
  get isFinished(): boolean {
    return this.#unfinishedTasks === 0;
  }

  /** A future that is done when the work on all items is finished. @internal */
  joiner(task: Task): Future<true> {
    return new Waiter(this.#joiners, task.loop);
  }

  /** Shut down, with nothing left. */
  private get isOver(): boolean {
    return this.#isShutDown && this.empty();
  }

  private throwItemsAway(): void {
    while (!this.empty()) {
      this.#items.pop();
      if (this.#unfinishedTasks > 0) this.#unfinishedTasks--;
    }
    if (this.#unfinishedTasks === 0) this.#joiners.wakeAll();
  }

  private shutDownError(): QueueShutDown {
    return new QueueShutDown("the queue is shut down");
  }
}

/** A task's turn to take an item. */
abstract class Taker<T, Taken> extends Turn<Taken> {
  readonly #queue: Queue<T>;

  constructor(getters: WaitQueue, task: Task, queue: Queue<T>) {
    super(getters, task);
    this.#queue = queue;
  }

  /** Takes it, in the form in which the operation gives it. */
  protected abstract takeFrom(queue: Queue<T>): Taken;

  protected override finish(): boolean {
    if (this.#queue.isDry) return false;
    this.outcome = this.takeFrom(this.#queue);
    return true;
  }

  protected override giveUp(): void {
    if (this.isWoken) this.#queue.passItem();
  }
}

class Getter<T> extends Taker<T, T> {
  protected override takeFrom(queue: Queue<T>): T {
    return queue.getNowait();
  }
}

class Iterating<T> extends Taker<T, IteratorResult<T, void>> {
  protected override takeFrom(queue: Queue<T>): IteratorResult<T, void> {
    return queue.nextNow();
  }
}

class Putter<T> extends Turn<void> {
  readonly #queue: Queue<T>;
  readonly #item: T;

  constructor(putters: WaitQueue, task: Task, queue: Queue<T>, item: T) {
    super(putters, task);
    this.#queue = queue;
    this.#item = item;
  }

  protected override finish(): boolean {
    if (this.#queue.isStuffed) return false;
    this.outcome = undefined;
    this.#queue.putNowait(this.#item);
    return true;
  }

  protected override giveUp(): void {
    if (this.isWoken) this.#queue.passPlace();
  }
}

class Get<T> extends Operation<T> {
  readonly #queue: Queue<T>;

  constructor(queue: Queue<T>) {
    super();
    this.#queue = queue;
  }

  get name(): string {
    return "Queue.get";
  }

  override attempt(): boolean {
    this.noteStart();
    return !this.#queue.isDry;
  }

  override attempted(): T {
    return this.#queue.getNowait();
  }

  begin(task: Task): Future<T> {
    return this.#queue.getInTurn(task);
  }
}

class Put<T> extends Operation<void> {
  readonly #queue: Queue<T>;
  readonly #item: T;

  constructor(queue: Queue<T>, item: T) {
    super();
    this.#queue = queue;
    this.#item = item;
  }

  get name(): string {
    return "Queue.put";
  }

  override attempt(): boolean {
    this.noteStart();
    if (this.#queue.isStuffed) return false;
    this.#queue.putNowait(this.#item);
    return true;
  }

  begin(task: Task): Future<void> {
    return this.#queue.putInTurn(task, this.#item);
  }
}

keepThenAtHand(Get, Put);

class Join extends Operation<void> {
  readonly #queue: Pick<Queue, "isFinished" | "joiner">;

  constructor(queue: Pick<Queue, "isFinished" | "joiner">) {
    super();
    this.#queue = queue;
  }

  get name(): string {
    return "Queue.join";
  }

  override attempt(): boolean {
    this.noteStart();
    return this.#queue.isFinished;
  }

  *begin(task: Task): Steps<void> {
    yield* this.#queue.joiner(task);
  }
}

/** By hand and not an async generator: those would await the items, and queue up calls of `next` after each other. */
class ItemIterator<T> implements QueueIterator<T> {
  readonly #queue: Queue<T>;

  constructor(queue: Queue<T>) {
    this.#queue = queue;
  }

  next(): Coroutine<IteratorResult<T, void>> {
    return new Next<T>(this.#queue);
  }
}

class Next<T> extends Operation<IteratorResult<T, void>> {
  readonly #queue: Queue<T>;

  constructor(queue: Queue<T>) {
    super();
    this.#queue = queue;
  }

  get name(): string {
    return "Queue.next";
  }

  override attempt(): boolean {
    this.noteStart();
    return !this.#queue.isDry;
  }

  override attempted(): IteratorResult<T, void> {
    return this.#queue.nextNow();
  }

  begin(task: Task): Future<IteratorResult<T, void>> {
    return this.#queue.nextInTurn(task);
  }
}

showAs(Queue, (queue) => {
  const { size, maxsize, gettersWaiting, puttersWaiting, unfinishedTasks, isShutDown } = queue.statistics();
  const parts = [`${size} items`];
  if (maxsize > 0) parts.push(`maxsize ${maxsize}`);
  if (gettersWaiting > 0) parts.push(`${gettersWaiting} getters waiting`);
  if (puttersWaiting > 0) parts.push(`${puttersWaiting} putters waiting`);
  if (unfinishedTasks > 0) parts.push(`${unfinishedTasks} unfinished`);
  if (isShutDown) parts.push("shut down");
  return `<${queue[Symbol.toStringTag]} ${parts.join(", ")}>`;
});
