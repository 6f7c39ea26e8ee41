import { host } from "#host";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { CANCELLED, FAILED } from "../futures/future.ts";
import type { CancelOptions, Future, FutureState } from "../futures/future.ts";
import { Operation } from "../futures/operation.ts";
import { enterSegment, leaveSegment } from "../futures/running.ts";
import type { Task } from "../futures/task.ts";
import type { Surroundings } from "../host/host.ts";
import { Answer } from "./exchange.ts";
import type { ExchangeOptions } from "./exchange.ts";
import type { Lease } from "./lease.ts";
import type { PoolQueue } from "./pool-queue.ts";
import { PoolTurn } from "./pool-turn.ts";
import type { TurnGiver } from "./pool-turn.ts";

/** A request to whichever resource is free. */
export interface PooledRequest<R, T> {
  readonly send: (resource: R) => PromiseLike<T>;
  readonly optionsOf: (resource: R) => ExchangeOptions;
}

/** What a pool does for a request. */
export interface Exchanger<R> {
  /** A resource that can be had at once, or null. */
  acquireNow(task: Task): Lease<R> | null;
  /** Puts `answer` into the queue: its request is sent in its turn. */
  queue<T>(answer: PooledAnswer<R, T>, task: Task, timeout: number | null): void;
}

/** See `Pool.exchange`. */
export class PooledExchange<R, T> extends Operation<T> {
  readonly #pool: Exchanger<R>;
  readonly #request: PooledRequest<R, T>;
  readonly #timeout: number | null;

  constructor(pool: Exchanger<R>, request: PooledRequest<R, T>, timeout: number | null) {
    super();
    this.#pool = pool;
    this.#request = request;
    this.#timeout = timeout;
  }

  get name(): string {
    return "Pool.exchange";
  }

  /** The driver is native code of the program: it has to find its task. */
  override get isNative(): boolean {
    return true;
  }

  begin(task: Task): Future<T> {
    const answer = new PooledAnswer<R, T>(task.loop, this.#request);
    const lease = this.#pool.acquireNow(task);
    if (lease === null) this.#pool.queue(answer, task, this.#timeout);
    else answer.sendOn(lease);
    return answer;
  }
}

/**
 * The answer to a request that may have to wait for a resource first.
 *
 * No task takes part in that: when an answer arrives its resource goes to the next in the queue, whose request is sent
 * by the same call of the driver's. The server has it while the loop is still on its way to the tasks.
 */
export class PooledAnswer<R, T> extends Answer<T> {
  readonly #request: PooledRequest<R, T>;
  /** Its place in the queue; null when it has left it. */
  #turn: RequestTurn<R> | null = null;
  #lease: Lease<R> | null = null;
  /** Resets the resource, or destroys it, after the answer. */
  #cleaning: Task<void> | null = null;

  constructor(loop: EventLoop, request: PooledRequest<R, T>) {
    super(loop);
    this.#request = request;
  }

  /** It waits in the queue, for `turn`. */
  noteTurn(turn: RequestTurn<R>): void {
    this.#turn = turn;
  }

  /** The wait in the queue has ended with an error. */
  failTurn(error: unknown): void {
    this.#turn = null;
    this.settle(FAILED, error);
  }

  /** Sends the request: from now on the cancel rule holds. */
  sendOn(lease: Lease<R>): void {
    this.#turn = null;
    this.#lease = lease;
    const { resource } = lease;
    const { send, optionsOf } = this.#request;
    try {
      this.begin(() => send(resource), optionsOf(resource));
    } catch (error) {
      this.noteBegun();
      this.giveUp(error);
    }
  }

  protected override succeed(value: T): void {
    const rest = (this.#lease as Lease<R>).giveBack(this.loop);
    if (rest === null) super.succeed(value);
    else this.#clean(rest, () => super.succeed(value));
  }

  protected override giveUp(error: unknown): void {
    const rest = (this.#lease as Lease<R>).giveBack(this.loop);
    if (rest === null) super.giveUp(error);
    else this.#clean(rest, () => super.giveUp(error));
  }

  /** Does the `rest` that is to be done when the resource is given back, then ends with `settle`. */
  #clean(rest: Coroutine<void>, settle: () => void): void {
    this.#cleaning = this.loop.createTask(rest);
    this.#cleaning.addDoneCallback(settle);
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (this.#turn === null) return super.cancel(reason, options);
    this.#turn.withdraw();
    this.#turn = null;
    this.settle(CANCELLED, this.makeCancelled(reason, options?.requestedBy));
    return true;
  }

  protected override requestEnd(): void {
    if (this.#cleaning === null) super.requestEnd();
    else this.#cleaning.cancel();
  }

  override describeWait(): string {
    return this.#turn?.describeWait() ?? super.describeWait();
  }
}

/** A request is being sent on a resource that was handed on. */
let isSending = false;

/** The place of a request in a pool's queue. What it has waited for goes on at once, not when the loop comes to it. */
export class RequestTurn<R> extends PoolTurn<R> {
  readonly #answer: PooledAnswer<R, unknown>;
  /** Those of the task: the driver is to find them, whoever has given the resource back. */
  readonly #surroundings: Surroundings = host.context.capture();

  constructor(
    queue: PoolQueue<R>,
    task: Task,
    giver: TurnGiver<R>,
    timeout: number | null,
    answer: PooledAnswer<R, unknown>,
  ) {
    super(queue, task, giver, timeout);
    this.#answer = answer;
    answer.noteTurn(this);
  }

  /** The task was cancelled. */
  withdraw(): void {
    if (this.cancel()) return;
    this.state = CANCELLED;
    this.giveUp();
  }

  override settle(state: FutureState, outcome: unknown): void {
    this.state = state;
    this.outcome = outcome;
    if (state === FAILED) this.#answer.failTurn(outcome);
    else if (state === CANCELLED) this.giveUp();
    // Requests that fail as they are sent, one after the other, would each go a level deeper.
    else if (isSending) this.loop.scheduler.callSoon(this);
    else {
      isSending = true;
      try {
        this.run();
      } finally {
        isSending = false;
      }
    }
  }

  override run(): void {
    if (this.state === CANCELLED || !this.loop.admits(this)) return;
    this.finish();
    const outer = enterSegment(this.task);
    try {
      this.#surroundings.runInAsyncScope(() => this.#answer.sendOn(this.outcome as Lease<R>), undefined);
    } finally {
      leaveSegment(outer);
    }
  }
}
