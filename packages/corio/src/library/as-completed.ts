import { badArgument, TimeoutError, ValueError } from "../errors.ts";
import { Coroutine } from "../futures/coroutine.ts";
import { ensureFuture } from "../futures/ensure-future.ts";
import type { Waitable } from "../futures/ensure-future.ts";
import { getEventLoop } from "../futures/event-loop.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { Future } from "../futures/future.ts";
import type { FutureCallback } from "../futures/future.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { toSeconds } from "./duration.ts";
import type { Duration } from "./duration.ts";
import type { ResultOf } from "./gather.ts";
import { Ring } from "./ring.ts";
import { Turn } from "./turn.ts";
import { WaitQueue } from "./wait-queue.ts";
import { isIterable } from "./wait.ts";

/** Options of `asCompleted`. */
export interface AsCompletedOptions {
  /** For all of them together, from the call on. Default: no limit. */
  readonly timeout?: Duration | null | undefined;
}

/** The future or task that stands for what was given: itself, or the one that was made for it. */
export type CompletedFuture<W> = W extends Future<infer _> ? W : Future<ResultOf<W>>;

/**
 * Runs what it is given at the same time and gives each as it is done. One object, for two kinds of loop:
 *
 * - `for await (const task of asCompleted(tasks))` gives the futures and tasks themselves, each when it is done, so
 *   that they can be told apart. For what is neither it gives the task or future that was made for it.
 * - `for (const next of asCompleted(tasks))` gives coroutines at once; each gives the result of whatever is next to be
 *   done, or throws its exception. This is the form for generator coroutines: `yield* next`.
 *
 * A loop that was left can be continued by a second one. An awaitable given twice counts once. When time is up the
 * `for await` loop, or each coroutine that is left, throws `TimeoutError`; nothing is cancelled.
 *
 * Cancel safety: a loop that is cancelled while it waits has lost its turn: one of those that are done is then not
 * given to anybody.
 *
 * asyncio: `as_completed`. Throws `ArgumentTypeError` for anything but an iterable of awaitables, `RuntimeError` without
 * an event loop.
 *
 * @example
 * ```ts
 * import { asCompleted, coroutine, createTask, run, sleep } from "corio";
 * import { VirtualClock } from "corio/testing";
 *
 * const main = coroutine(async function main() {
 *   const tasks = [createTask(sleep(2, "slow")), createTask(sleep(1, "fast"))];
 *   for await (const task of asCompleted(tasks)) console.log(tasks.indexOf(task), task.result());
 *   for (const next of asCompleted([sleep(2, "slow"), sleep(1, "fast")])) console.log(await next);
 * });
 *
 * await run(main(), { clock: new VirtualClock() });
 * ```
 * ```text output
 * 1 fast
 * 0 slow
 * fast
 * slow
 * ```
 */
export function asCompleted<const W extends Waitable<unknown>>(
  waitables: Iterable<W>,
  options: AsCompletedOptions = noOptions,
): AsCompleted<W> {
  if (isThenable(waitables) || !isIterable(waitables)) {
    throw badArgument("asCompleted", "an array, or another iterable, of awaitables", waitables);
  }
  const given = withoutRepetitions(waitables);
  try {
    checkOptions(options, "asCompleted");
    const seconds = toLimit(options.timeout);
    const loop = getEventLoop();
    for (const each of given) check(each, loop);
    const futures = Array.from(given, (each) => ensureFuture<unknown>(each, { loop }));
    return new Completing<W>(loop, futures, seconds);
  } catch (error) {
    // All or nothing: what was given is neither started nor reported as never awaited.
    for (const each of given) if (each instanceof Coroutine) each.close();
    throw error;
  }
}

/** An awaitable that is given twice counts once; a function is called for each time that it is given. */
function withoutRepetitions<W>(waitables: Iterable<W>): W[] {
  const seen = new Set<W>();
  return Array.from(waitables).filter((each) => {
    if (typeof each === "function") return true;
    const isFirst = !seen.has(each);
    seen.add(each);
    return isFirst;
  });
}

function check(waitable: unknown, loop: EventLoop): void {
  if (waitable instanceof Future && waitable.loop.scheduler !== loop.scheduler) {
    throw new ValueError(
      "asCompleted expects futures of the running loop, got one of another clock or thread",
    );
  }
  if (typeof waitable === "function" || isThenable(waitable)) return;
  throw badArgument("asCompleted", "coroutines, futures, functions or promises", waitable);
}

function toLimit(timeout: Duration | null | undefined): number | null {
  return timeout === null || timeout === undefined ? null : toSeconds(timeout, "asCompleted");
}

/** Gives the futures and tasks themselves. */
export interface CompletionsIterator<W> extends AsyncIterator<CompletedFuture<W>, undefined> {
  // Of its own: TypeScript 7 takes what an AsyncIterator gives for awaited (a task for its result).
  /** The next that is done: a task as it is, not its result. */
  next(): Promise<IteratorResult<CompletedFuture<W>, undefined>>;
}

/** One of the two iterables that `asCompleted` returns. */
export interface Completions<W> {
  /** Gives the futures and tasks themselves. */
  [Symbol.asyncIterator](): CompletionsIterator<W>;
  /** Gives coroutines, each for the result of the next to be done. */
  [Symbol.iterator](): Iterator<Coroutine<ResultOf<W>>, undefined>;
}

/** The same, under another name. */
export interface CompletionsAgain<W> {
  /** Gives the futures and tasks themselves. */
  [Symbol.asyncIterator](): CompletionsIterator<W>;
  /** Gives coroutines, each for the result of the next to be done. */
  [Symbol.iterator](): Iterator<Coroutine<ResultOf<W>>, undefined>;
}

/**
 * What `asCompleted` returns. A union of two equal types, for the sake of TypeScript up to 6: from the second
 * `for await` over one type on, it takes what the loop gives for awaited. It does not do that to unions.
 */
export type AsCompleted<W> = Completions<W> | CompletionsAgain<W>;

class Completing<W> implements Completions<W> {
  /** Not done when last looked at, each with what is called at its end. */
  readonly #waiting = new Map<Future, FutureCallback>();
  /** Done and not given to anybody yet; null for one that time ran out for. */
  readonly #done = new Ring<Future | null>();
  /** The tasks that wait for the next to be done. */
  readonly #getters = new WaitQueue("asCompleted", () => this.describe());
  readonly #timer: DeadlineTimer | null;
  #left: number;

  constructor(loop: EventLoop, futures: readonly Future[], seconds: number | null) {
    this.#left = futures.length;
    for (const future of futures) {
      const callback: FutureCallback = {
        awaiter: null,
        run: () => {
          if (loop.admits(callback)) this.#memberDone(future);
        },
      };
      this.#waiting.set(future, callback);
      future.addCallback(callback);
    }
    this.#timer =
      seconds === null || futures.length === 0
        ? null
        : new DeadlineTimer(loop, loop.time() + seconds, () => this.#timeOut());
  }

  [Symbol.asyncIterator](): CompletionsIterator<W> {
    // Written out: an async generator would unwrap the tasks that it yields, since they are thenables.
    return {
      next: () => new NextFuture<IteratorResult<CompletedFuture<W>, undefined>>(this),
    };
  }

  *[Symbol.iterator](): Generator<Coroutine<ResultOf<W>>, undefined> {
    while (this.claim()) yield new NextResult<ResultOf<W>>(this);
    return undefined;
  }

  /** One more of them will be asked for; false when all have been. */
  claim(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  /** The next to be done, if one is already; undefined when one has to wait. */
  takeDone(): Future | null | undefined {
    return this.#done.length === 0 ? undefined : this.#done.pop();
  }

  /** Waits for the next to be done, and makes of it what the loop gives. */
  nextInTurn<T>(task: Task, toItem: (future: Future | null) => unknown): Future<T> {
    return new NextTurn<T>(this.#getters, task, this, toItem);
  }

  /** A task was woken up and cancelled before it went on: it is another one's turn. */
  passDone(): void {
    if (this.#done.length > 0) this.#getters.wakeNext();
  }

  private describe(): string {
    const names = Array.from(this.#waiting.keys(), (future) => future.describeWait());
    return `the next done of ${names.join(", ")}`;
  }

  #memberDone(member: Future): void {
    // Time may have run out before.
    if (!this.#waiting.delete(member)) return;
    this.#put(member);
    if (this.#waiting.size === 0) this.#timer?.cancel();
  }

  #timeOut(): void {
    for (const [future, callback] of this.#waiting) {
      future.dropCallback(callback);
      this.#put(null);
    }
    this.#waiting.clear();
  }

  #put(item: Future | null): void {
    this.#done.push(item);
    this.#getters.wakeNext();
  }
}

/** What the steps of both kinds of loop ask. */
interface Source {
  claim(): boolean;
  takeDone(): Future | null | undefined;
  nextInTurn<T>(task: Task, toItem: (future: Future | null) => unknown): Future<T>;
  passDone(): void;
}

/** A task's turn to take the next that is done. */
class NextTurn<T> extends Turn<T> {
  readonly #source: Source;
  readonly #toItem: (future: Future | null) => unknown;

  constructor(getters: WaitQueue, task: Task, source: Source, toItem: (future: Future | null) => unknown) {
    super(getters, task);
    this.#source = source;
    this.#toItem = toItem;
  }

  protected override finish(): boolean {
    const future = this.#source.takeDone();
    if (future === undefined) return false;
    this.outcome = this.#toItem(future);
    return true;
  }

  protected override giveUp(): void {
    if (this.isWoken) this.#source.passDone();
  }
}

/** One step of `for await`: the engine takes the future out of the result object without awaiting it. */
class NextFuture<R extends IteratorResult<unknown, undefined>> extends Operation<R> {
  readonly #owner: Source;

  constructor(owner: Source) {
    super();
    this.#owner = owner;
  }

  get name(): string {
    return "asCompleted";
  }

  override attempt(): boolean {
    this.noteStart();
    if (!this.#owner.claim()) {
      this.value = { done: true, value: undefined } as R;
      return true;
    }
    const future = this.#owner.takeDone();
    if (future === undefined) return false;
    this.value = toStep(future) as R;
    return true;
  }

  begin(task: Task): Future<R> {
    return this.#owner.nextInTurn(task, toStep);
  }
}

function toStep(future: Future | null): IteratorResult<unknown, undefined> {
  if (future === null) throw timeIsUp();
  return { done: false, value: future };
}

class NextResult<T> extends Operation<T> {
  readonly #owner: Source;

  constructor(owner: Source) {
    super();
    this.#owner = owner;
  }

  get name(): string {
    return "asCompleted";
  }

  override attempt(): boolean {
    this.noteStart();
    const future = this.#owner.takeDone();
    if (future === undefined) return false;
    this.value = toResult(future) as T;
    return true;
  }

  begin(task: Task): Future<T> {
    return this.#owner.nextInTurn(task, toResult);
  }
}

function toResult(future: Future | null): unknown {
  if (future === null) throw timeIsUp();
  return future.result();
}

function timeIsUp(): TimeoutError {
  return new TimeoutError("asCompleted: time ran out before all were done");
}
