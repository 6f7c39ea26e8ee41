import { badArgument, describeValue, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { Coroutine } from "../futures/coroutine.ts";
import { ensureFuture } from "../futures/ensure-future.ts";
import { CANCELLED, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { FutureCallback } from "../futures/future.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { toSeconds } from "./duration.ts";
import type { Duration } from "./duration.ts";

/** `wait` returns when any is done. */
export const FIRST_COMPLETED = "FIRST_COMPLETED" as const;
/** `wait` returns when any has failed (being cancelled does not count), or when all are done. */
export const FIRST_EXCEPTION = "FIRST_EXCEPTION" as const;
/** `wait` returns when all are done. */
export const ALL_COMPLETED = "ALL_COMPLETED" as const;

/** When `wait` returns. */
export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED;

/** Options of `wait`. */
export interface WaitOptions {
  /** Return after this long at the latest. Default: no limit. */
  readonly timeout?: Duration | null | undefined;
  /** Default `ALL_COMPLETED`. */
  readonly returnWhen?: ReturnWhen | undefined;
}

/** The future that stands for what was given: itself, or for a promise one that watches it. */
export type FutureOf<W> = W extends Future<infer _> ? W : W extends PromiseLike<infer T> ? Future<T> : never;

/** What `wait` gives. A future that ends right after the wait was over may be among the done ones. */
export interface WaitResult<F> {
  /** In the order of the arguments. */
  readonly done: Set<F>;
  /** In the order of the arguments. */
  readonly pending: Set<F>;
}

/**
 * Waits until all of the futures and tasks are done, or the first of them, or time is up, and tells which are done.
 * It cancels nothing and never throws `TimeoutError`; what the futures have thrown is for their own awaits to say.
 *
 * Promises are taken too; in the sets a future stands for each. Coroutines are refused: make tasks of them, to know
 * them again in the sets.
 *
 * Cancel safety: cancelling leaves what is waited for running.
 *
 * asyncio: `wait`. Throws `ArgumentTypeError` for anything but an iterable of futures and promises, `ValueError` when
 * it is empty or `returnWhen` is none of the three.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, FIRST_COMPLETED, run, sleep, wait } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const slow = createTask(sleep(60, "slow"));
 *   const fast = createTask(sleep(0.01, "fast"));
 *   const { done, pending } = await wait([slow, fast], { returnWhen: FIRST_COMPLETED });
 *   for (const task of done) console.log(task.result());
 *   for (const task of pending) task.cancel();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * fast
 * ```
 */
export function wait<const W extends PromiseLike<unknown>>(
  waitables: Iterable<W>,
  options: WaitOptions = noOptions,
): Coroutine<WaitResult<FutureOf<W>>> {
  checkOptions(options, "wait");
  const given = listOf(waitables);
  const { timeout = null, returnWhen = ALL_COMPLETED } = options;
  if (given.length === 0) throw new ValueError("wait expects at least one future, got none");
  if (!isReturnWhen(returnWhen)) {
    throw new ValueError(`wait: returnWhen is one of ${kinds.join(", ")}, got ${describeValue(returnWhen)}`);
  }
  const seconds = timeout === null ? null : toSeconds(timeout, "wait");
  return new Wait<FutureOf<W>>(given, seconds, returnWhen);
}

const kinds: readonly string[] = [FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED];

function isReturnWhen(value: unknown): value is ReturnWhen {
  return typeof value === "string" && kinds.includes(value);
}

/** All or nothing: when one thing cannot be waited for, coroutines among the others count as dealt with. */
function listOf(waitables: unknown): PromiseLike<unknown>[] {
  if (isThenable(waitables) || !isIterable(waitables)) {
    throw badArgument("wait", "an array, or another iterable, of futures", waitables);
  }
  const given = [...new Set(waitables)];
  const place = given.findIndex((each) => each instanceof Coroutine || !isThenable(each));
  if (place === -1) return given as PromiseLike<unknown>[];
  const wrong = given[place];
  for (const each of given) if (each instanceof Coroutine) each.close();
  const advice = wrong instanceof Coroutine ? "make a task of the coroutine with createTask" : undefined;
  throw badArgument("wait", "futures, tasks or promises", wrong, advice);
}

export function isIterable(value: unknown): value is Iterable<unknown> {
  return (
    typeof (value as { [Symbol.iterator]?: unknown } | null | undefined)?.[Symbol.iterator] === "function"
  );
}

class Wait<F> extends Operation<WaitResult<F>> {
  readonly #given: readonly PromiseLike<unknown>[];
  readonly #seconds: number | null;
  readonly #returnWhen: ReturnWhen;

  constructor(given: readonly PromiseLike<unknown>[], seconds: number | null, returnWhen: ReturnWhen) {
    super();
    this.#given = given;
    this.#seconds = seconds;
    this.#returnWhen = returnWhen;
  }

  get name(): string {
    return "wait";
  }

  *begin(task: Task): Steps<WaitResult<F>> {
    const futures = this.#given.map((each) => ensureFuture<unknown>(each, { loop: task.loop }));
    const waiting = new Waiting(futures, task, this.#seconds, this.#returnWhen);
    try {
      yield* waiting;
    } finally {
      waiting.end();
    }
    // Looked at only now: more may be done than when the wait was over.
    const done = new Set<F>();
    const pending = new Set<F>();
    for (const future of futures) (future.state === PENDING ? pending : done).add(future as F);
    return { done, pending };
  }
}

/** What the waiting task awaits. */
class Waiting extends Future<void> {
  readonly #futures: readonly Future[];
  readonly #callbacks: MemberDone[] = [];
  readonly #returnWhen: ReturnWhen;
  readonly #timer: DeadlineTimer | null;
  #left: number;

  constructor(futures: readonly Future[], task: Task, seconds: number | null, returnWhen: ReturnWhen) {
    super(task.loop);
    this.#futures = futures;
    this.#returnWhen = returnWhen;
    this.#left = futures.length;
    this.#timer =
      seconds === null
        ? null
        : new DeadlineTimer(task.loop, task.loop.time() + seconds, () => this.#release());
    for (const future of futures) {
      const callback = new MemberDone(this, future);
      this.#callbacks.push(callback);
      future.addCallback(callback);
    }
  }

  memberDone(member: Future): void {
    this.#left--;
    const isOver =
      this.#left <= 0 ||
      this.#returnWhen === FIRST_COMPLETED ||
      (this.#returnWhen === FIRST_EXCEPTION && hasFailed(member));
    if (!isOver) return;
    this.#timer?.cancel();
    this.#release();
  }

  end(): void {
    this.#timer?.cancel();
    for (const [index, future] of this.#futures.entries()) {
      const callback = this.#callbacks[index];
      if (callback !== undefined) future.dropCallback(callback);
    }
  }

  override describeWait(): string {
    const waiting = this.#futures.filter((future) => future.state === PENDING);
    return `the wait for ${waiting.map((future) => future.describeWait()).join(", ")}`;
  }

  #release(): void {
    if (this.state === PENDING) this.settle(FINISHED, undefined);
  }
}

/** Asking counts as seeing the exception, as in asyncio. */
function hasFailed(future: Future): boolean {
  return future.state !== CANCELLED && future.exception() !== null;
}

class MemberDone implements FutureCallback {
  readonly awaiter: Waiting;
  readonly #member: Future;

  constructor(waiting: Waiting, member: Future) {
    this.awaiter = waiting;
    this.#member = member;
  }

  run(): void {
    if (this.#member.loop.admits(this)) this.awaiter.memberDone(this.#member);
  }
}
