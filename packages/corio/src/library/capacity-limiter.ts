import { badArgument, isObject, RuntimeError, ValueError, WouldBlock } from "../errors.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import type { Future } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { runningTask } from "../futures/running.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { Acquirable } from "./acquirable.ts";
import { AcquireTurn } from "./acquire-turn.ts";
import type { TakesTurns } from "./acquire-turn.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";

/** What `CapacityLimiter.statistics()` gives. */
export interface CapacityLimiterStatistics {
  /** How many tokens are borrowed. */
  readonly borrowedTokens: number;
  /** How many there are. */
  readonly totalTokens: number;
  /** Who has borrowed one: tasks, and what was given to `acquireOnBehalfOf`; in the order in which they got theirs. */
  readonly borrowers: readonly object[];
  /** How many wait for a token. */
  readonly tasksWaiting: number;
}

/**
 * A number of tokens that are lent out, one to each borrower, in the order in which they came. It differs from a
 * semaphore in that it knows its borrowers: who has a token cannot take a second one, and nobody can give back what
 * they have not got. And the number of tokens can be changed while it is in use.
 *
 * A task is its own borrower. With `acquireOnBehalfOf` it can be any other object.
 *
 * asyncio: none; anyio and trio: `CapacityLimiter`. The executors of `corio/threads` have one as their pool.
 *
 * @example
 * ```ts
 * import { CapacityLimiter, coroutine, gather, getRunningLoop, run, sleep } from "corio";
 * import { VirtualClock } from "corio/testing";
 *
 * const limiter = new CapacityLimiter(2);
 *
 * const download = coroutine(async function download(name: string) {
 *   await limiter.with(() => sleep(1));
 *   console.log(name, getRunningLoop().time());
 * });
 *
 * const main = coroutine(async function main() {
 *   await gather(download("a"), download("b"), download("c"));
 * });
 *
 * await run(main(), { clock: new VirtualClock() });
 * ```
 * ```text output
 * a 1
 * b 1
 * c 2
 * ```
 */
export class CapacityLimiter extends Acquirable implements TakesTurns {
  #totalTokens: number;
  readonly #borrowers = new Set<object>();
  /** Who is in the queue: nobody can be there twice. */
  readonly #waiting = new Set<object>();
  readonly #queue: WaitQueue = new WaitQueue("CapacityLimiter", () => this.#describe());

  /**
   * `totalTokens` is an integer from 0 on, or Infinity. Throws `ArgumentTypeError` when it is something else,
   * `ValueError` when it is negative.
   */
  constructor(totalTokens: number) {
    super();
    this.#totalTokens = checkTotal(totalTokens);
  }

  override get [Symbol.toStringTag](): string {
    return "CapacityLimiter";
  }

  /**
   * How many tokens there are. Set it to change that: more tokens let those who wait in at once; with fewer, nobody
   * loses a token, but none is lent until enough have come back.
   */
  get totalTokens(): number {
    return this.#totalTokens;
  }

  set totalTokens(total: number) {
    this.#totalTokens = checkTotal(total);
    this.lendFreeTokens();
  }

  /** How many tokens are borrowed. */
  get borrowedTokens(): number {
    return this.#borrowers.size;
  }

  /** How many tokens are left; negative when there are fewer than are borrowed. */
  get availableTokens(): number {
    return this.#totalTokens - this.#borrowers.size;
  }

  /** True when `acquire` would have to wait: no token is left, or others wait for one. */
  locked(): boolean {
    return this.#queue.length > 0 || this.availableTokens <= 0;
  }

  /**
   * Borrows a token for this task without waiting. Throws `WouldBlock` when none is left or others wait for one,
   * `RuntimeError` when the task has one already.
   */
  acquireNowait(): void {
    this.acquireOnBehalfOfNowait(currentBorrower("acquireNowait"));
  }

  /** `acquireNowait` for a borrower other than the current task. */
  acquireOnBehalfOfNowait(borrower: object): void {
    checkBorrower("acquireOnBehalfOfNowait", borrower);
    if (this.lend(borrower)) return;
    throw new WouldBlock(
      `no token is free: ${this.#borrowers.size} of ${this.#totalTokens} are borrowed, ${this.#queue.length} wait`,
    );
  }

  /**
   * Waits for a token and borrows it for `borrower`, any object. Gives true.
   *
   * Cancel safety: a cancelled `acquireOnBehalfOf` has not borrowed; if it had been given a token already, the next in
   * the queue has it.
   *
   * Throws `RuntimeError` when the borrower has a token, or waits for one.
   */
  acquireOnBehalfOf(borrower: object): Coroutine<true> {
    checkBorrower("acquireOnBehalfOf", borrower);
    return new AcquireFor(this, borrower);
  }

  /** Gives this task's token back. Throws `RuntimeError` when it has none. */
  release(): void {
    this.releaseOnBehalfOf(currentBorrower("release"));
  }

  /** Gives the token of `borrower` back. Throws `RuntimeError` when it has none. */
  releaseOnBehalfOf(borrower: object): void {
    checkBorrower("releaseOnBehalfOf", borrower);
    if (!this.#borrowers.delete(borrower))
      throw new RuntimeError("this borrower has no token of this CapacityLimiter");
    this.lendFreeTokens();
  }

  /** What the limiter is doing at this moment, as a frozen object. */
  statistics(): CapacityLimiterStatistics {
    return Object.freeze({
      borrowedTokens: this.#borrowers.size,
      totalTokens: this.#totalTokens,
      borrowers: Object.freeze([...this.#borrowers]),
      tasksWaiting: this.#queue.length,
    });
  }

  /** @internal */
  override acquireNow(task: Task): boolean {
    return this.lend(task);
  }

  /** @internal */
  override acquireInTurn(task: Task): Future<true> {
    return this.acquireForInTurn(task, task);
  }

  /** @internal */
  acquireForInTurn(task: Task, borrower: object): Future<true> {
    const turn = new LimiterTurn(this.#queue, task, this, borrower);
    this.#waiting.add(borrower);
    return turn;
  }

  /** Calls `borrow` when `borrower` has got a token: at once, or later from where one is given back. @internal */
  borrowInTurn(borrower: object, loop: EventLoop, borrow: () => void): LimiterPlace | null {
    if (this.lend(borrower)) {
      borrow();
      return null;
    }
    const place = new LimiterPlace(this.#queue, loop, this, borrower, borrow);
    this.#waiting.add(borrower);
    return place;
  }

  /** True when a token was free and nobody waits for one: the borrower has it now. @internal */
  lend(borrower: object): boolean {
    if (this.#borrowers.has(borrower))
      throw new RuntimeError(
        "this borrower has a token of this CapacityLimiter already; one can have only one",
      );
    if (this.#waiting.has(borrower))
      throw new RuntimeError("this borrower waits for a token of this CapacityLimiter already");
    if (this.locked()) return false;
    this.#borrowers.add(borrower);
    return true;
  }

  /** The token was lent when the turn came. @internal */
  takeTurn(): void {
    // Nothing is left to be done.
  }

  /** @internal */
  passTurn(turn: AcquireTurn): void {
    this.giveUp((turn as AcquireTurn & { borrower: object }).borrower);
  }

  /** A borrower was cancelled: either it waits, or it has been given a token that it will not use. @internal */
  giveUp(borrower: object): void {
    this.#waiting.delete(borrower);
    this.#borrowers.delete(borrower);
    this.lendFreeTokens();
  }

  private lendFreeTokens(): void {
    while (this.availableTokens > 0 && this.#queue.first !== null) {
      const { borrower } = this.#queue.first as LimiterTurn | LimiterPlace;
      this.#waiting.delete(borrower);
      this.#borrowers.add(borrower);
      this.#queue.wakeNext();
    }
  }

  #describe(): string {
    return `CapacityLimiter (${this.#borrowers.size} of ${this.#totalTokens} tokens borrowed)`;
  }
}

showAs(CapacityLimiter, (limiter) => {
  const { borrowedTokens, totalTokens, tasksWaiting } = limiter.statistics();
  const waiting = tasksWaiting > 0 ? `, ${tasksWaiting} waiting` : "";
  return `<${limiter[Symbol.toStringTag]} ${borrowedTokens} of ${totalTokens} borrowed${waiting}>`;
});

/** A task's turn; the token may be for something else. */
class LimiterTurn extends AcquireTurn {
  readonly borrower: object;

  constructor(queue: WaitQueue, task: Task, owner: CapacityLimiter, borrower: object) {
    super(queue, task, owner);
    this.borrower = borrower;
  }
}

/** A place in the queue that no task waits at. */
export class LimiterPlace extends Waiter {
  readonly borrower: object;
  readonly #limiter: CapacityLimiter;
  readonly #borrow: () => void;

  constructor(
    queue: WaitQueue,
    loop: EventLoop,
    limiter: CapacityLimiter,
    borrower: object,
    borrow: () => void,
  ) {
    super(queue, loop);
    this.#limiter = limiter;
    this.borrower = borrower;
    this.#borrow = borrow;
  }

  override wake(): void {
    super.wake();
    this.#borrow();
  }

  override cancel(): boolean {
    if (!super.cancel()) return false;
    this.#limiter.giveUp(this.borrower);
    return true;
  }
}

class AcquireFor extends Operation<true> {
  readonly #limiter: CapacityLimiter;
  readonly #borrower: object;

  constructor(limiter: CapacityLimiter, borrower: object) {
    super();
    this.#limiter = limiter;
    this.#borrower = borrower;
  }

  get name(): string {
    return "CapacityLimiter.acquireOnBehalfOf";
  }

  override attempt(): boolean {
    this.noteStart();
    return this.#limiter.lend(this.#borrower);
  }

  override attempted(): true {
    return true;
  }

  begin(task: Task): Future<true> {
    return this.#limiter.acquireForInTurn(task, this.#borrower);
  }
}

function checkTotal(total: number): number {
  if (total !== Infinity && !Number.isInteger(total)) {
    throw badArgument("CapacityLimiter: totalTokens", "an integer or Infinity", total);
  }
  if (total < 0) throw new ValueError(`CapacityLimiter: totalTokens is 0 or more, got ${total}`);
  return total;
}

function checkBorrower(where: string, borrower: unknown): void {
  if (isObject(borrower) || typeof borrower === "function") return;
  throw badArgument(`CapacityLimiter.${where}`, "an object as the borrower", borrower);
}

function currentBorrower(where: string): Task {
  const task = runningTask();
  if (task !== null) return task;
  throw new RuntimeError(
    `CapacityLimiter.${where} outside of any task: give the token's borrower with ${where}OnBehalfOf`,
    "CORIO_NO_RUNNING_TASK",
  );
}
