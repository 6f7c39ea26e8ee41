import { badArgument, isCancelledError, isObject, RuntimeError, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { FINISHED, Future, PENDING } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { runningTask } from "../futures/running.ts";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { callBody } from "./body-call.ts";
import { call } from "./call.ts";
import { taskGroup } from "./task-group.ts";
import type { TaskGroup } from "./task-group.ts";
import { isIterable } from "./wait.ts";

/** What is called with each item and its place: an async function, a generator function or a coroutine function. */
export type Mapper<Item, T> =
  ((item: Item, index: number) => Steps<T>) | ((item: Item, index: number) => PromiseLike<T>);

/** Where the items come from. They are taken one at a time, each when there is room to work on it. */
export type Items<Item> = Iterable<Item> | AsyncIterable<Item>;

/** Options of `map`. */
export interface MapOptions {
  /** How many items may be worked on at a time: an integer from 1 on, or Infinity. */
  readonly concurrency: number;
}

/** Options of `amap`. */
export interface AsyncMapOptions extends MapOptions {
  /** Give the results in the order of the items (default), or each as soon as it is there. */
  readonly ordered?: boolean | undefined;
}

/**
 * Calls `mapper` for each item, a limited number at a time, each in a task of its own, and gives the list of results
 * in the order of the items.
 *
 * When a call fails the others are cancelled and waited for, and no more items are taken. An async iterable is closed
 * in the end.
 *
 * Cancel safety: cancelling cancels the calls and waits for them.
 *
 * asyncio: none; `gather` with a `Semaphore`. Throws `ExceptionGroup` when calls or the items fail, `ValueError` when
 * the concurrency is less than 1.
 *
 * @example
 * ```ts
 * import { coroutine, map, run, sleep } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const fetchLength = async (word: string) => {
 *     await sleep(0.01);
 *     return word.length;
 *   };
 *   console.log(await map(["one", "three", "eleven"], fetchLength, { concurrency: 2 }));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * [ 3, 5, 6 ]
 * ```
 */
export function map<Item, T>(
  items: Items<Item>,
  mapper: (item: Item, index: number) => Steps<T>,
  options: MapOptions,
): Coroutine<T[]>;
export function map<Item, T>(
  items: Items<Item>,
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  mapper: (item: Item, index: number) => PromiseLike<T>,
  options: MapOptions,
): Coroutine<T[]>;
export function map<Item, T>(
  items: Items<Item>,
  mapper: Mapper<Item, T>,
  options: MapOptions,
): Coroutine<T[]> {
  check("map", items, mapper, options);
  return new MapCall<Item, T>(items, mapper, options.concurrency);
}

/**
 * `map` as an async iterable, which gives the results while the work goes on: in the order of the items, or with
 * `ordered: false` each as soon as it is there. Nothing begins before the first result is asked for; results that
 * nobody has taken yet count as being worked on, so a slow consumer holds up the work.
 *
 * When a call fails, or the loop is left early, the other calls are cancelled and waited for, and the items are closed.
 * It can be iterated once, by one task at a time. In a generator coroutine ask with `yield* iterator.next()`, and end
 * early with `yield* iterator.return()`.
 *
 * Cancel safety: cancelling the consumer while it waits for a result cancels the calls and waits for them.
 *
 * asyncio: none. The loop throws what `map` throws.
 *
 * @example
 * ```ts
 * import { amap, coroutine, run, sleep } from "corio";
 * import { VirtualClock } from "corio/testing";
 *
 * const main = coroutine(async function main() {
 *   const nap = (seconds: number) => sleep(seconds, seconds);
 *   for await (const slept of amap([3, 1, 2], nap, { concurrency: 3, ordered: false })) console.log(slept);
 * });
 *
 * await run(main(), { clock: new VirtualClock() });
 * ```
 * ```text output
 * 1
 * 2
 * 3
 * ```
 */
export function amap<Item, T>(
  items: Items<Item>,
  mapper: (item: Item, index: number) => Steps<T>,
  options: AsyncMapOptions,
): AsyncMap<T>;
export function amap<Item, T>(
  items: Items<Item>,
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  mapper: (item: Item, index: number) => PromiseLike<T>,
  options: AsyncMapOptions,
): AsyncMap<T>;
export function amap<Item, T>(
  items: Items<Item>,
  mapper: Mapper<Item, T>,
  options: AsyncMapOptions,
): AsyncMap<T> {
  check("amap", items, mapper, options);
  const ordered: unknown = options.ordered ?? true;
  if (typeof ordered !== "boolean") throw badArgument("amap: ordered", "true or false", ordered);
  return new Mapping<Item, T>(items, mapper, options.concurrency, ordered);
}

/** What `amap` returns. */
export interface AsyncMap<T> extends AsyncIterable<T> {
  /** Itself: it can be iterated once. */
  [Symbol.asyncIterator](): AsyncMap<T>;
  /** The next result. */
  next(): Coroutine<IteratorResult<T, undefined>>;
  /** Ends the work early. */
  return(): Coroutine<IteratorResult<T, undefined>>;
}

function check(where: string, items: unknown, mapper: unknown, options: unknown): void {
  if ((!isIterable(items) && !isAsyncIterable(items)) || isThenable(items)) {
    throw badArgument(where, "an iterable or async iterable of items", items);
  }
  if (typeof mapper !== "function") throw badArgument(where, "a function to call with each item", mapper);
  if (!isObject(options)) throw badArgument(where, "options with the concurrency", options);
  const { concurrency } = options as { concurrency?: unknown };
  if (typeof concurrency !== "number") throw badArgument(`${where}: concurrency`, "a number", concurrency);
  if (concurrency < 1 || (concurrency !== Infinity && !Number.isInteger(concurrency))) {
    throw new ValueError(`${where}: concurrency is an integer from 1 on, or Infinity, got ${concurrency}`);
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return isObject(value) && Symbol.asyncIterator in value;
}

/** Takes one item after another from a source of either kind. */
class Source<Item> {
  #async: AsyncIterator<Item> | null = null;
  #sync: Iterator<Item> | null = null;

  constructor(items: Items<Item>) {
    if (isAsyncIterable(items)) this.#async = items[Symbol.asyncIterator]();
    else this.#sync = items[Symbol.iterator]();
  }

  *next(): Steps<IteratorResult<Item>> {
    const sync = this.#sync;
    const iterator = this.#async;
    // Until it has answered it need not be closed: neither when it fails, nor when it ends.
    this.#sync = null;
    this.#async = null;
    const step = sync?.next() ?? (yield* callBody(() => (iterator as AsyncIterator<Item>).next()));
    if (step.done !== true) {
      this.#sync = sync;
      this.#async = iterator;
    }
    return step;
  }

  *close(): Steps<void> {
    this.#sync?.return?.();
    const iterator = this.#async;
    if (iterator?.return !== undefined) yield* callBody(() => iterator.return?.());
  }
}

/** How many more calls may begin. */
class Room {
  #left: number;
  #wanted: Future | null = null;

  constructor(concurrency: number) {
    this.#left = concurrency;
  }

  /** Waits for room for one more, and takes it. */
  *take(): Steps<void> {
    while (this.#left === 0) {
      this.#wanted = new Future();
      yield* this.#wanted;
    }
    this.#left--;
  }

  giveBack(): void {
    this.#left++;
    if (this.#wanted?.state === PENDING) this.#wanted.settle(FINISHED, undefined);
  }
}

/** A mapping at work. */
interface Work<Item, T> {
  readonly items: Items<Item>;
  readonly mapper: Mapper<Item, T>;
  readonly room: Room;
  deliver(index: number, result: T): void;
}

/** The whole of the work: takes items as long as there is room, and makes a task of the call for each. */
function mapAll<Item, T>(work: Work<Item, T>): Coroutine<void> {
  return taskGroup(function* (group: TaskGroup): Steps<void> {
    const source = new Source(work.items);
    try {
      for (let index = 0; ; index++) {
        yield* work.room.take();
        const step = yield* source.next();
        if (step.done === true) return;
        void group.createTask(callBody(mapOne<Item, T>, work, step.value, index));
      }
    } finally {
      yield* source.close();
    }
  });
}

function* mapOne<Item, T>(work: Work<Item, T>, item: Item, index: number): Steps<void> {
  let result: T;
  try {
    result = yield* callBody(work.mapper as (item: Item, index: number) => Steps<T>, item, index);
  } catch (error) {
    // A group takes a cancelled child for no error, but this one's result would be missing.
    if (!isCancelledError(error) || runningTask()?.cancelling() !== 0) throw error;
    throw new RuntimeError(`the call for item ${index} was cancelled`, undefined, { cause: error });
  }
  work.deliver(index, result);
}

class MapCall<Item, T> extends Operation<T[]> implements Work<Item, T> {
  readonly items: Items<Item>;
  readonly mapper: Mapper<Item, T>;
  readonly room: Room;
  readonly #results: T[] = [];

  constructor(items: Items<Item>, mapper: Mapper<Item, T>, concurrency: number) {
    super();
    this.items = items;
    this.mapper = mapper;
    this.room = new Room(concurrency);
  }

  get name(): string {
    return "map";
  }

  *begin(): Steps<T[]> {
    yield* mapAll(this);
    return this.#results;
  }

  deliver(index: number, result: T): void {
    this.#results[index] = result;
    this.room.giveBack();
  }
}

class Mapping<Item, T> implements AsyncMap<T>, Work<Item, T> {
  readonly items: Items<Item>;
  readonly mapper: Mapper<Item, T>;
  readonly room: Room;
  readonly #isOrdered: boolean;
  /** Results that nobody has taken yet, under the number of the turn in which they will be. */
  readonly #results = new Map<number, { readonly result: T }>();
  #delivered = 0;
  #taken = 0;
  /** Does the work; made when the first result is asked for. */
  #worker: Task<void> | null = null;
  #isClosed = false;
  /** What the consumer waits for. */
  #wanted: Future | null = null;

  constructor(items: Items<Item>, mapper: Mapper<Item, T>, concurrency: number, isOrdered: boolean) {
    this.items = items;
    this.mapper = mapper;
    this.room = new Room(concurrency);
    this.#isOrdered = isOrdered;
  }

  [Symbol.asyncIterator](): AsyncMap<T> {
    return this;
  }

  next(): Coroutine<IteratorResult<T, undefined>> {
    return call("amap", (task) => this.#next(task));
  }

  return(): Coroutine<IteratorResult<T, undefined>> {
    return call("amap", (task) => this.#return(task));
  }

  deliver(index: number, result: T): void {
    this.#results.set(this.#isOrdered ? index : this.#delivered, { result });
    this.#delivered++;
    this.#wake();
  }

  *#next(task: Task): Steps<IteratorResult<T, undefined>> {
    this.#requireFree();
    if (this.#isClosed) return { done: true, value: undefined };
    const worker = this.#startWorker(task);
    for (;;) {
      if (worker.state === FINISHED || worker.state === PENDING) {
        const next = this.#results.get(this.#taken);
        if (next !== undefined) {
          this.#results.delete(this.#taken++);
          this.room.giveBack();
          return { done: false, value: next.result };
        }
      }
      if (worker.done()) {
        this.#isClosed = true;
        worker.result();
        return { done: true, value: undefined };
      }
      yield* this.#waitForMore(task);
    }
  }

  #requireFree(): void {
    if (this.#wanted !== null) throw new RuntimeError("amap gives results to one task at a time");
  }

  *#waitForMore(task: Task): Steps<void> {
    this.#wanted = new Future(task.loop);
    try {
      yield* this.#wanted;
    } catch (error) {
      // The loop that asked is over: it will not ask for the end as well.
      yield* this.#stop(task);
      throw error;
    } finally {
      this.#wanted = null;
    }
  }

  *#return(task: Task): Steps<IteratorResult<T, undefined>> {
    this.#requireFree();
    yield* this.#stop(task);
    return { done: true, value: undefined };
  }

  /** Cancels the work and waits for its end, however often the consumer is cancelled meanwhile. */
  *#stop(task: Task): Steps<void> {
    const worker = this.#worker;
    const isOver = this.#isClosed || worker === null;
    this.#isClosed = true;
    if (isOver) return;
    worker.cancel(undefined, { requestedBy: "amap" });
    let cancellation: unknown = null;
    while (!worker.done()) {
      this.#wanted = new Future(task.loop);
      try {
        yield* this.#wanted;
      } catch (error) {
        cancellation = error;
      } finally {
        this.#wanted = null;
      }
    }
    const failure = worker.cancelled() ? null : worker.exception();
    if (failure !== null) {
      // As in a task group: errors first, a cancellation from outside at the next await.
      if (task.cancelling() > 0) {
        task.uncancel();
        task.cancel();
      }
      throw failure;
    }
    if (cancellation !== null) throw cancellation;
  }

  #startWorker(task: Task): Task<void> {
    if (this.#worker !== null) return this.#worker;
    const worker = task.loop.createTask(mapAll(this), { name: `amap of ${task.getName()}` });
    worker.addCallback({ awaiter: task, run: () => this.#wake() });
    this.#worker = worker;
    return worker;
  }

  #wake(): void {
    if (this.#wanted?.state === PENDING) this.#wanted.settle(FINISHED, undefined);
  }
}
