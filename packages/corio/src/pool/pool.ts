import {
  badArgument,
  isCancelledError,
  isObject,
  RuntimeError,
  TimeoutError,
  ValueError,
} from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { GeneratorCoroutine, isGeneratorFunction } from "../futures/coroutine.ts";
import type { Body, Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import type { Future } from "../futures/future.ts";
import { getLoop } from "../futures/get-loop.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { callBlock, callBody } from "../library/body-call.ts";
import type { WithBody } from "../library/body-call.ts";
import { call } from "../library/call.ts";
import { DeadlineTimer } from "../library/deadline-timer.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { gather } from "../library/gather.ts";
import { Waiter, WaitQueue } from "../library/wait-queue.ts";
import type { LoopBinding } from "../library/wait-queue.ts";
import { Entry } from "./entry.ts";
import type { ExchangeOptions } from "./exchange.ts";
import { Lease } from "./lease.ts";
import { PoolClosedError } from "./pool-closed-error.ts";
import { PooledExchange, RequestTurn } from "./pooled-exchange.ts";
import type { Exchanger, PooledAnswer } from "./pooled-exchange.ts";
import { PoolQueue } from "./pool-queue.ts";
import { startPoolTask } from "./pool-task.ts";
import { PoolTurn } from "./pool-turn.ts";
import type { TurnGiver } from "./pool-turn.ts";

/** What a pool keeps, and how many. Only `create` and `destroy` are needed. */
export interface PoolOptions<R> {
  /**
   * Makes a resource. It runs in a task of the pool's own, so that a task which stops waiting does not undo the work;
   * that task is cancelled by `close`, and at the end of the `run` that it began in.
   */
  readonly create: WithBody<[], R>;
  /** Ends a resource. What it throws is reported to the loop's exception handler. */
  readonly destroy: WithBody<[resource: R], unknown>;
  /**
   * Whether an idle resource still works; asked before it is lent, if it has been idle for `validateAfter`. One that
   * gives false, or throws, is destroyed and another is taken.
   */
  readonly validate?: WithBody<[resource: R], boolean> | undefined;
  /** Seconds that a resource may have been idle and still be lent without `validate`. Default 0: always validate. */
  readonly validateAfter?: Duration | undefined;
  /**
   * Whether a resource is known to be useless; asked whenever it changes hands, so it must be quick. When it throws, the
   * resource is destroyed, and the error reported to the loop's exception handler.
   */
  readonly isBroken?: ((resource: R) => boolean) | undefined;
  /**
   * Whether a resource that comes back needs no `reset`. Default: never, if there is a `reset`. When it throws, the
   * resource is destroyed, and the error reported to the loop's exception handler.
   */
  readonly isClean?: ((resource: R) => boolean) | undefined;
  /** Makes a resource that comes back as good as new. When it gives false, or throws, the resource is destroyed. */
  readonly reset?: WithBody<[resource: R], unknown> | undefined;
  /** How many to keep, even if they are idle. Default 0. They are made by `open`, or when the pool is first used. */
  readonly minSize?: number | undefined;
  /** How many there may be at once. Default 10. */
  readonly maxSize?: number | undefined;
  /** How long a resource may be idle before it is destroyed, down to `minSize`. Default 300 seconds; null: for ever. */
  readonly maxIdle?: Duration | null | undefined;
  /** How long a resource is used before it is replaced. Default null: for ever. */
  readonly maxLifetime?: Duration | null | undefined;
  /** How long `acquire` waits before it throws `TimeoutError`. Default 30 seconds; null: for ever. */
  readonly acquireTimeout?: Duration | null | undefined;
  /** For error messages, reports, and the names of the pool's tasks. Default `Pool`. */
  readonly name?: string | undefined;
}

/** Options of one `acquire` or `with`. */
export interface PoolAcquireOptions {
  /** How long to wait. Default: the pool's `acquireTimeout`; null: for ever. */
  readonly timeout?: Duration | null | undefined;
}

/** Options of `close`. */
export interface PoolCloseOptions {
  /**
   * How long to wait for what is lent. Then it is destroyed under its holders. Default null: for ever; 0 does not wait.
   */
  readonly timeout?: Duration | null | undefined;
}

/** What `Pool.statistics()` gives. */
export interface PoolStatistics {
  /** How many resources there are, those included that are being made, checked or reset. */
  readonly size: number;
  /** How many are lent. */
  readonly leased: number;
  /** How many are ready to be lent. */
  readonly idle: number;
  /** How many are being made. */
  readonly creating: number;
  /** How many tasks wait in `acquire`. */
  readonly tasksWaiting: number;
  /** How many have been made since the pool was. */
  readonly created: number;
  /** How many have been destroyed since. */
  readonly destroyed: number;
  /** How often `create` has failed. */
  readonly createFailures: number;
  /** True after `close` was called. */
  readonly isClosed: boolean;
}

/**
 * Resources that are expensive to make, such as connections, lent to one task at a time.
 *
 * Who comes first is served first. A resource that comes back goes to the first waiting task at once; when there is
 * none it becomes idle, and the last to become idle is the first to be lent. While tasks wait, new resources are made,
 * up to `maxSize`, and whichever resource is ready first goes to the task that has waited longest. When `create` fails,
 * the task that has waited longest gets the error, and the pool goes on.
 *
 * A pool may be made at module level and used by any number of `run`s at the same time. It belongs to the clock on
 * which it was first used.
 *
 * asyncio: none; asyncpg: `Pool`. Throws `ValueError` and `ArgumentTypeError` for impossible options.
 *
 * @example
 * ```ts
 * import { gather, run, sleep } from "corio";
 * import { Pool } from "corio/pool";
 * import { VirtualClock } from "corio/testing";
 *
 * let made = 0;
 * const pool = new Pool({
 *   create: async () => {
 *     await sleep(0.1);
 *     return `connection ${++made}`;
 *   },
 *   destroy: (connection) => console.log("closed", connection),
 *   maxSize: 2,
 * });
 *
 * async function work(name: string) {
 *   await pool.with(async (connection) => {
 *     console.log(name, "has", connection);
 *     await sleep(1);
 *   });
 * }
 *
 * async function main() {
 *   await gather(work("a"), work("b"), work("c"));
 *   await pool.close();
 * }
 *
 * await run(main, { clock: new VirtualClock() });
 * ```
 * ```text output
 * a has connection 1
 * b has connection 2
 * c has connection 1
 * closed connection 2
 * closed connection 1
 * ```
 */
export class Pool<R> implements AsyncDisposable, TurnGiver<R>, Exchanger<R> {
  readonly #options: PoolOptions<R>;
  readonly #name: string;
  readonly #minSize: number;
  readonly #maxSize: number;
  readonly #maxIdle: number;
  readonly #maxLifetime: number;
  readonly #validateAfter: number;
  readonly #acquireTimeout: number | null;

  /** Ready to be lent; the last is the one that became idle last. */
  #idle: Entry<R>[] = [];
  readonly #leased = new Set<Entry<R>>();
  /** Idle ones that are being asked whether they still work, and what is being made. Each ends with a `#give`. */
  readonly #checking = new Map<Entry<R>, Task<void>>();
  readonly #creating = new Set<Task<R>>();
  #resetting = 0;
  readonly #destroying = new Set<Entry<R>>();
  /** What a task should have destroyed that was cancelled before it began, or had no loop to run in. */
  #doomed: Entry<R>[] = [];
  #created = 0;
  #destroyed = 0;
  #createFailures = 0;
  #isClosed = false;

  readonly #binding: LoopBinding = { scheduler: null };
  readonly #waiters: PoolQueue<R> = new PoolQueue<R>(() => this.#describe(), this.#binding);
  readonly #closers: WaitQueue = new WaitQueue(
    "Pool",
    () => `${this.#name} to get back ${this.#leased.size} leased`,
    this.#binding,
  );
  /** Fires when the next idle resource is too old. It is gone with the loop that it was set in. */
  #timer: DeadlineTimer | null = null;
  #timerWhen = Infinity;

  /** Makes no resource yet. */
  constructor(options: PoolOptions<R>) {
    if (!isObject(options)) throw badArgument("Pool", "an object with create and destroy", options);
    for (const required of ["create", "destroy"] as const) {
      if (typeof options[required] !== "function")
        throw badArgument(`Pool: ${required}`, "a function", options[required]);
    }
    for (const optional of ["validate", "isBroken", "isClean", "reset"] as const) {
      if (options[optional] !== undefined && typeof options[optional] !== "function")
        throw badArgument(`Pool: ${optional}`, "a function", options[optional]);
    }
    this.#options = options;
    this.#name = options.name ?? "Pool";
    this.#minSize = count(options.minSize ?? 0, 0, "minSize");
    this.#maxSize = count(options.maxSize ?? 10, 1, "maxSize");
    if (this.#minSize > this.#maxSize) {
      throw new ValueError(
        `Pool expects minSize to be at most maxSize, got ${this.#minSize} and ${this.#maxSize}`,
      );
    }
    this.#maxIdle = limit(options.maxIdle === undefined ? 300 : options.maxIdle, "maxIdle");
    this.#maxLifetime = limit(options.maxLifetime ?? null, "maxLifetime");
    this.#validateAfter = toSeconds(options.validateAfter ?? 0, "Pool: validateAfter");
    const acquireTimeout = options.acquireTimeout === undefined ? 30 : options.acquireTimeout;
    this.#acquireTimeout = waitTime(acquireTimeout, "Pool: acquireTimeout");
  }

  get [Symbol.toStringTag](): string {
    return "Pool";
  }

  // ── Lending ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Waits for a resource, in the order in which tasks came, and lends it: `await using lease = await pool.acquire();`.
   *
   * Throws what `create` has thrown, `TimeoutError` when it takes longer than the timeout, `PoolClosedError` when the
   * pool is closed.
   *
   * Cancel safety: a cancelled `acquire` holds nothing; if it had been given a resource already, the next task has it.
   */
  acquire(options: PoolAcquireOptions = noOptions): Coroutine<Lease<R>> {
    return new Acquire<R>(this, this.#timeoutOf(options));
  }

  /**
   * Waits for a resource, runs `body` with it, and gives it back whatever happened. Gives what `body` gives. If the
   * resource has to be reset, that is waited for.
   *
   * Cancel safety: as `acquire`. A cancel that interrupts the reset destroys the resource.
   */
  with<T>(body: (resource: R) => Steps<T>, options?: PoolAcquireOptions): Coroutine<T>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  with<T>(body: (resource: R) => T | PromiseLike<T>, options?: PoolAcquireOptions): Coroutine<T>;
  with<T>(body: WithBody<[resource: R], T>, options: PoolAcquireOptions = noOptions): Coroutine<T> {
    if (typeof body !== "function") throw badArgument("with", "a function", body);
    return new With<R, T>(this, this.#timeoutOf(options), body);
  }

  /**
   * Sends a request on whichever resource is free, by the cancel rule, and gives its answer: `exchange`, with a resource
   * of the pool. `optionsOf` gives the options of the one it is.
   *
   * A request that has to wait for a resource is sent as soon as the one before it has its answer, by the call that
   * brings that, and not when the loop comes to the task: from hand to hand the server does not wait.
   *
   * Cancel safety: while it waits for a resource a cancelled request is not sent; then as `exchange`. If the resource has
   * to be reset, that is waited for; a cancel then destroys it.
   *
   * asyncio: none.
   *
   * @example
   * ```ts
   * import { gather, run, sleep } from "corio";
   * import { Pool } from "corio/pool";
   *
   * const pool = new Pool({
   *   create: async () => ({ query: async (sql: string) => `the answer to ${sql}` }),
   *   destroy: () => undefined,
   *   maxSize: 1,
   * });
   *
   * const ask = (sql: string) =>
   *   pool.exchange(
   *     (connection) => connection.query(sql),
   *     () => ({ cancel: () => sleep(0), drop: () => undefined, cancelTimeout: 5 }),
   *   );
   *
   * async function main() {
   *   for (const answer of await gather(ask("SELECT 1"), ask("SELECT 2"))) console.log(answer);
   *   await pool.close();
   * }
   *
   * await run(main);
   * ```
   * ```text output
   * the answer to SELECT 1
   * the answer to SELECT 2
   * ```
   */
  exchange<T>(
    send: (resource: R) => PromiseLike<T>,
    optionsOf: (resource: R) => ExchangeOptions,
    options: PoolAcquireOptions = noOptions,
  ): Coroutine<T> {
    for (const given of [send, optionsOf]) {
      if (typeof given !== "function")
        throw badArgument("exchange", "a function that takes a resource", given);
    }
    return new PooledExchange<R, T>(this, { send, optionsOf }, this.#timeoutOf(options));
  }

  #timeoutOf(options: PoolAcquireOptions): number | null {
    checkOptions(options, "Pool.acquire");
    const { timeout } = options;
    return timeout === undefined ? this.#acquireTimeout : waitTime(timeout, "Pool.acquire: timeout");
  }

  /** A resource that can be had at once, or null. @internal */
  acquireNow(task: Task): Lease<R> | null {
    this.#requireOpen(task.loop);
    if (this.#waiters.length > 0) return null;
    const entry = this.#takeIdle(task.loop);
    if (entry === null) return null;
    if (this.#needsCheck(entry)) {
      this.#idle.push(entry);
      return null;
    }
    this.#leased.add(entry);
    return new Lease<R>(this, entry);
  }

  /** @internal */
  acquireInTurn(task: Task, timeout: number | null): PoolTurn<R> {
    const turn = new PoolTurn<R>(this.#waiters, task, this, timeout);
    this.#noteTurn(turn, task, timeout);
    return turn;
  }

  /** @internal */
  queue<T>(answer: PooledAnswer<R, T>, task: Task, timeout: number | null): void {
    const turn = new RequestTurn<R>(this.#waiters, task, this, timeout, answer);
    this.#noteTurn(turn, task, timeout);
  }

  #noteTurn(turn: PoolTurn<R>, { loop }: Task, timeout: number | null): void {
    if (timeout === null || timeout !== this.#acquireTimeout) turn.setTimer();
    else this.#waiters.hurry(turn, loop.time() + timeout);
    this.#supply();
    this.#fill(loop);
  }

  /** @internal */
  timeoutError(timeout: number): TimeoutError {
    return new TimeoutError(
      `waited ${Number(timeout.toFixed(3))} s for ${this.#describe()}; give resources back sooner, or raise maxSize or acquireTimeout`,
    );
  }

  /** @internal */
  passOn(entry: Entry<R>, loop: EventLoop): void {
    if (entry.isRevoked) return;
    if (this.#isClosed || this.#isSpent(entry, loop)) this.giveUp(entry, loop);
    else this.#handOn(entry, loop);
  }

  // ── Taking back ───────────────────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  takeBackNow(entry: Entry<R>, giver: EventLoop | undefined): boolean {
    if (entry.isRevoked) return true;
    const loop = this.#waiters.firstTurn?.loop ?? giver;
    if (loop === undefined || this.#isClosed || this.#isSpent(entry, giver ?? loop)) return false;
    if (this.#options.reset !== undefined && !this.#says("isClean", entry, giver ?? loop)) return false;
    this.#handOn(entry, loop);
    return true;
  }

  /** @internal */
  *takeBack(entry: Entry<R>, isBroken: boolean): Steps<void> {
    if (entry.isRevoked) return;
    this.#leased.delete(entry);
    this.#resetting++;
    let isFit = false;
    try {
      isFit = !isBroken && !this.#isClosed && !this.#isSpent(entry, getLoop()) && (yield* this.#reset(entry));
    } finally {
      this.#resetting--;
      // Closed meanwhile, or lost the connection to whom it should ask.
      if (isFit && !this.#isClosed && !this.#isSpent(entry, getLoop())) this.#give(entry, getLoop());
      else {
        // The place is free from now on: who waits need not wait until the end of the old one as well.
        this.#supply();
        yield* this.#destroy(entry);
      }
    }
  }

  /** @internal */
  giveUp(entry: Entry<R>, loop: EventLoop | undefined): void {
    if (entry.isRevoked) return;
    this.#leased.delete(entry);
    this.#supply();
    this.#destroyLater(entry, loop);
  }

  *#reset(entry: Entry<R>): Steps<boolean> {
    const { reset } = this.#options;
    if (reset === undefined) return true;
    try {
      return (yield* callBody(reset, entry.resource)) !== false;
    } catch (error) {
      if (isCancelledError(error)) throw error;
      return false;
    }
  }

  /** From hand to hand: it stays among those that are lent. */
  #handOn(entry: Entry<R>, loop: EventLoop): void {
    const turn = this.#waiters.firstTurn;
    if (turn !== null) turn.grant(entry);
    else {
      this.#leased.delete(entry);
      this.#putAside(entry, loop);
    }
  }

  /** Gives a resource that nobody has to the task that has waited longest; it becomes idle when there is none. */
  #give(entry: Entry<R>, loop: EventLoop): void {
    const turn = this.#waiters.firstTurn;
    if (turn === null) this.#putAside(entry, loop);
    else {
      this.#leased.add(entry);
      turn.grant(entry);
    }
  }

  #putAside(entry: Entry<R>, loop: EventLoop): void {
    entry.idleSince = this.#now();
    this.#idle.push(entry);
    this.#watchIdle(entry, loop);
  }

  // ── Supply ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sees to it that for each task that waits something is on the way, as far as the size allows. */
  #supply(): void {
    for (
      let turn = this.#waiters.firstTurn;
      turn !== null && this.#waiters.length > this.#creating.size + this.#checking.size;
      turn = this.#waiters.firstTurn
    ) {
      const entry = this.#takeIdle(turn.loop);
      if (entry === null) {
        if (this.#size() >= this.#maxSize) return;
        this.#startCreating(turn.loop);
      } else if (this.#needsCheck(entry)) this.#startChecking(entry, turn.loop);
      else this.#give(entry, turn.loop);
    }
  }

  /** Makes what is missing to `minSize`. Not called after a failure: that would be an endless loop. */
  #fill(loop: EventLoop): void {
    while (!this.#isClosed && this.#size() < this.#minSize) this.#startCreating(loop);
  }

  #takeIdle(loop: EventLoop): Entry<R> | null {
    for (let entry = this.#idle.pop(); entry !== undefined; entry = this.#idle.pop()) {
      if (!this.#isSpent(entry, loop)) return entry;
      this.#destroyLater(entry, loop);
    }
    return null;
  }

  #startCreating(loop: EventLoop): void {
    const task = startPoolTask(loop, bodyTask(this.#options.create), {
      name: `${this.#name}: create`,
      atEnd: "cancel",
      onEnd: (task) => {
        this.#creating.delete(task);
        if (!task.done() || task.cancelled()) {
          // The `run` that it was part of has ended. Those who wait in others need another.
          this.#supply();
        } else if (task.exception() === null) {
          this.#created++;
          const entry = new Entry(task.result(), this.#now());
          if (this.#isClosed) this.#destroyLater(entry, loop);
          else this.#give(entry, loop);
        } else {
          this.#createFailures++;
          this.#waiters.firstTurn?.fail(task.exception());
          this.#supply();
        }
        this.#noteSize();
      },
    });
    this.#creating.add(task);
  }

  #needsCheck(entry: Entry<R>): boolean {
    return this.#options.validate !== undefined && this.#now() - entry.idleSince >= this.#validateAfter;
  }

  #startChecking(entry: Entry<R>, loop: EventLoop): void {
    const task = startPoolTask(
      loop,
      bodyTask(() => this.#check(entry, loop)),
      {
        name: `${this.#name}: validate`,
        atEnd: "cancel",
        onEnd: (task) => {
          // It was cancelled before it began.
          if (this.#checking.get(entry) === task) {
            this.#checking.delete(entry);
            this.#doomed.push(entry);
            this.#supply();
          }
          this.#noteSize();
        },
      },
    );
    this.#checking.set(entry, task);
  }

  /** Destroys what is not fit any more in the task that has found that out: the end of its `run` waits for it. */
  *#check(entry: Entry<R>, loop: EventLoop): Steps<void> {
    const validate = this.#options.validate as WithBody<[resource: R], boolean>;
    let isFit = false;
    try {
      isFit = yield* callBody(validate, entry.resource);
    } catch (error) {
      if (isCancelledError(error)) throw error;
    } finally {
      this.#checking.delete(entry);
      if (isFit && !this.#isClosed && !this.#isSpent(entry, loop)) this.#give(entry, loop);
      else {
        this.#supply();
        yield* this.#destroy(entry);
      }
    }
  }

  // ── Ageing ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether it must not be lent again. */
  #isSpent(entry: Entry<R>, loop: EventLoop): boolean {
    if (entry.isDoubtful || this.#says("isBroken", entry, loop)) return true;
    return this.#maxLifetime !== Infinity && this.#now() - entry.madeAt >= this.#maxLifetime;
  }

  /** What the program says of a resource. One of which it cannot say anything is not lent again. */
  #says(name: "isBroken" | "isClean", entry: Entry<R>, loop: EventLoop): boolean {
    try {
      return this.#options[name]?.(entry.resource) ?? false;
    } catch (exception) {
      entry.isDoubtful = true;
      loop.callExceptionHandler({ message: `${this.#name}: ${name} failed`, exception });
      return name === "isBroken";
    }
  }

  #expiry(entry: Entry<R>): number {
    const idle = this.#size() > this.#minSize ? entry.idleSince + this.#maxIdle : Infinity;
    return Math.min(idle, entry.madeAt + this.#maxLifetime);
  }

  #watchIdle(entry: Entry<R>, loop: EventLoop): void {
    const when = this.#expiry(entry);
    if (when === Infinity) return;
    if (this.#timer !== null && !this.#timer.isStale && this.#timerWhen <= when) return;
    this.#timer?.cancel();
    this.#timerWhen = when;
    this.#timer = new DeadlineTimer(loop, when, () => {
      this.#timer = null;
      this.#removeExpired(loop);
    });
  }

  #removeExpired(loop: EventLoop): void {
    const now = this.#now();
    // From the one that has been idle longest. The size shrinks on the way, and `minSize` is left.
    for (const entry of [...this.#idle]) {
      if (this.#expiry(entry) > now) continue;
      this.#idle.splice(this.#idle.indexOf(entry), 1);
      this.#destroyLater(entry, loop);
    }
    this.#fill(loop);
    for (const entry of this.#idle) this.#watchIdle(entry, loop);
  }

  // ── Ending ────────────────────────────────────────────────────────────────────────────────────────────────────

  *#destroy(entry: Entry<R>): Steps<void> {
    this.#destroying.add(entry);
    try {
      yield* callBody(this.#options.destroy, entry.resource);
    } catch (error) {
      if (isCancelledError(error)) throw error;
      getLoop().callExceptionHandler({ message: `${this.#name}: destroy failed`, exception: error });
    } finally {
      this.#destroying.delete(entry);
      this.#destroyed++;
      this.#noteSize();
    }
  }

  /** Destroys in a task of the pool's own: nobody has to wait for it. */
  #destroyLater(entry: Entry<R>, loop: EventLoop | undefined): void {
    if (loop === undefined || loop.isClosed()) {
      this.#doomed.push(entry);
      this.#noteSize();
      return;
    }
    let hasBegun = false;
    const destroy = (): Steps<void> => {
      hasBegun = true;
      return this.#destroy(entry);
    };
    this.#destroying.add(entry);
    startPoolTask(loop, bodyTask(destroy), {
      name: `${this.#name}: destroy`,
      atEnd: "finish",
      onEnd: () => {
        this.#destroying.delete(entry);
        if (!hasBegun) this.#doomed.push(entry);
        this.#noteSize();
      },
    });
  }

  /**
   * Makes `minSize` resources and waits for them: so that a program which cannot work ends before it begins. It need
   * not be called. Throws what `create` has thrown.
   *
   * Cancel safety: a cancelled `open` cancels what is being made; what has been made stays.
   */
  open(): Coroutine<void> {
    return call("Pool.open", (task) => this.#open(task));
  }

  *#open(task: Task): Steps<void> {
    this.#requireOpen(task.loop);
    this.#fill(task.loop);
    yield* gather([...this.#creating]);
  }

  /**
   * Closes the pool. Tasks that wait in `acquire` get `PoolClosedError`, idle resources are destroyed, and those that
   * are lent are waited for. When the timeout is over they are destroyed under their holders.
   *
   * Closing twice is no error: both wait for the same.
   *
   * Cancel safety: the pool stays closed to everybody, and what comes back is destroyed. To wait again, or no longer,
   * call `close` again.
   */
  close(options: PoolCloseOptions = noOptions): Coroutine<void> {
    checkOptions(options, "Pool.close");
    const { timeout = null } = options;
    const seconds = timeout === null ? null : toSeconds(timeout, "Pool.close: timeout");
    return call("Pool.close", (task) => this.#close(task.loop, seconds));
  }

  /** Closes the pool at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  *#close(loop: EventLoop, timeout: number | null): Steps<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (let turn = this.#waiters.firstTurn; turn !== null; turn = this.#waiters.firstTurn) {
      turn.fail(new PoolClosedError(`${this.#name} was closed while the task waited for it`));
    }
    for (const task of [...this.#creating, ...this.#checking.values()]) {
      task.cancel(undefined, { requestedBy: `${this.#name}.close` });
    }
    const idle = this.#idle;
    this.#idle = [];
    yield* this.#destroyAll(idle);
    if (!this.#isEmpty()) yield* this.#untilEmpty(loop, timeout);
    const late = [...this.#leased];
    this.#leased.clear();
    for (const entry of late) entry.isRevoked = true;
    yield* this.#destroyAll([...this.#doomed.splice(0), ...late]);
  }

  *#destroyAll(entries: readonly Entry<R>[]): Steps<void> {
    yield* gather(entries.map((entry) => bodyTask(() => this.#destroy(entry))));
  }

  *#untilEmpty(loop: EventLoop, timeout: number | null): Steps<void> {
    const waiter = new Waiter(this.#closers, loop);
    const deadline =
      timeout === null
        ? null
        : new DeadlineTimer(loop, timeout <= 0 ? undefined : loop.time() + timeout, () => {
            this.#closers.leave(waiter);
            waiter.wake();
          });
    try {
      yield* waiter;
    } finally {
      deadline?.cancel();
    }
  }

  #isEmpty(): boolean {
    return this.#size() + this.#destroying.size === 0;
  }

  #noteSize(): void {
    if (this.#isClosed && this.#isEmpty()) this.#closers.wakeAll();
  }

  // ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the pool is doing at this moment, as a frozen object. asyncpg: `get_size`, `get_idle_size`. */
  statistics(): PoolStatistics {
    return Object.freeze({
      size: this.#size(),
      leased: this.#leased.size,
      idle: this.#idle.length,
      creating: this.#creating.size,
      tasksWaiting: this.#waiters.length,
      created: this.#created,
      destroyed: this.#destroyed,
      createFailures: this.#createFailures,
      isClosed: this.#isClosed,
    });
  }

  #size(): number {
    return (
      this.#idle.length + this.#leased.size + this.#checking.size + this.#creating.size + this.#resetting
    );
  }

  #describe(): string {
    return `${this.#name} (${this.#leased.size} of ${this.#maxSize} leased, ${this.#waiters.length} waiting)`;
  }

  /** The time on the clock that the pool belongs to. */
  #now(): number {
    return this.#binding.scheduler?.clock.time() ?? 0;
  }

  #requireOpen(loop: EventLoop): void {
    if (this.#isClosed) throw new PoolClosedError(`${this.#name} is closed`);
    this.#binding.scheduler ??= loop.scheduler;
    if (this.#binding.scheduler === loop.scheduler) return;
    throw new RuntimeError(
      `${this.#name} belongs to another clock or thread, on which it was first used; make one for each`,
      "CORIO_FOREIGN_LOOP",
    );
  }
}

showAs(Pool, (pool) => {
  const { size, leased, idle, tasksWaiting, isClosed } = pool.statistics();
  const waiting = tasksWaiting > 0 ? `, ${tasksWaiting} waiting` : "";
  return `<Pool ${isClosed ? "closed" : "open"}, ${size} made: ${leased} leased, ${idle} idle${waiting}>`;
});

function count(value: number, least: number, option: string): number {
  if (!Number.isInteger(value)) throw badArgument(`Pool: ${option}`, "an integer", value);
  if (value < least) throw new ValueError(`Pool expects ${option} to be ${least} or more, got ${value}`);
  return value;
}

function limit(duration: Duration | null, option: string): number {
  return duration === null ? Infinity : toSeconds(duration, `Pool: ${option}`);
}

/** How long somebody waits, in seconds; null for ever, of which no timer is to know. */
function waitTime(duration: Duration | null, option: string): number | null {
  const seconds = limit(duration, option);
  return seconds === Infinity ? null : seconds;
}

class Acquire<R> extends Operation<Lease<R>> {
  declare private readonly pool: Pool<R>;
  declare private readonly timeout: number | null;

  constructor(pool: Pool<R>, timeout: number | null) {
    super();
    this.pool = pool;
    this.timeout = timeout;
    this.value = undefined;
  }

  get name(): string {
    return "Pool.acquire";
  }

  override attempt(task: Task): boolean {
    this.noteStart();
    const lease = this.pool.acquireNow(task);
    if (lease === null) return false;
    this.value = lease;
    return true;
  }

  begin(task: Task): Future<Lease<R>> {
    return this.pool.acquireInTurn(task, this.timeout);
  }
}

class With<R, T> extends Operation<T> {
  readonly #pool: Pool<R>;
  readonly #timeout: number | null;
  readonly #body: WithBody<[resource: R], T>;

  constructor(pool: Pool<R>, timeout: number | null, body: WithBody<[resource: R], T>) {
    super();
    this.#pool = pool;
    this.#timeout = timeout;
    this.#body = body;
  }

  get name(): string {
    return "Pool.with";
  }

  /** A block that is native code is awaited by native code: for that there is no strand to be made. */
  override get isNative(): boolean {
    return !isGeneratorFunction(this.#body);
  }

  begin(task: Task): Body<T> {
    return this.isNative ? this.#runNative(task) : this.#runSteps(task);
  }

  async #runNative(task: Task): Promise<T> {
    const lease = this.#pool.acquireNow(task) ?? (await this.#pool.acquireInTurn(task, this.#timeout));
    try {
      return await callBlock<[resource: R], T>(this.#body, lease.resource);
    } finally {
      const rest = lease.giveBack();
      if (rest !== null) await rest;
    }
  }

  *#runSteps(task: Task): Steps<T> {
    const pool = this.#pool;
    const lease = pool.acquireNow(task) ?? (yield* pool.acquireInTurn(task, this.#timeout));
    try {
      return yield* callBody<[resource: R], T>(this.#body, lease.resource);
    } finally {
      yield* lease.release();
    }
  }
}

/** A coroutine, to make a task of, that calls `body`. */
function bodyTask<Parameters extends readonly unknown[], T>(
  body: WithBody<Parameters, T>,
  ...parameters: Parameters
): Coroutine<T> {
  return new GeneratorCoroutine<T>(runBody, undefined, [body, ...parameters]);
}

function* runBody<Parameters extends readonly unknown[], T>(
  body: WithBody<Parameters, T>,
  ...parameters: Parameters
): Steps<T> {
  return yield* callBody(body, ...parameters);
}
