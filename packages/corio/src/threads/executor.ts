import { host } from "#host";
import type { HostTimer } from "../host/host.ts";
import { badArgument, BrokenWorkerError, RuntimeError, ValueError } from "../errors.ts";
import { Context, currentContextValues } from "../futures/context.ts";
import type { ContextValues } from "../futures/context.ts";
import { coroutine } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED, FINISHED } from "../futures/future.ts";
import type { Future } from "../futures/future.ts";
import { getLoop } from "../futures/get-loop.ts";
import { toCoroutine } from "../futures/to-coroutine.ts";
import { showAs } from "#host";
import { CapacityLimiter } from "../library/capacity-limiter.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { until } from "../library/until.ts";
import { Call } from "./call.ts";
import type { CallOwner, CallRequest } from "./call.ts";
import { encodeError, isCloneable } from "./error-transport.ts";
import type { AskMessage, FromWorker, Outcome, SoonMessage } from "./protocol.ts";
import { sharedValues } from "./shared-context.ts";
import { StreamCall } from "./stream-call.ts";
import { takeTransferList, takeTransferLists } from "./transfer.ts";
import type { WorkerHandle, WorkerOwner } from "./worker-handle.ts";
import { checkOnCancel, checkWorkerFunction } from "./worker-module.ts";
import type { AnyFunction, OnCancel, WorkerFunction } from "./worker-module.ts";
import { WorkerStream } from "./worker-stream.ts";
import type { ItemOf } from "./worker-stream.ts";

/** What a call of a worker function gives: what the function returns, or what its promise or coroutine gives. */
export type ResultOfCall<Callee extends AnyFunction> = Awaited<ReturnType<Callee>>;

/** Functions that workers may have the loop run, by name; see {@link runCoroutineThreadsafe}. */
export type LoopFunctions = Readonly<Record<string, AnyFunction>>;

/** Options of both kinds of executors. */
export interface ExecutorOptions {
  /**
   * How many calls may run at a time, each in a worker of its own: an integer from 1 on. By default
   * `os.availableParallelism()`. It is the limiter's `totalTokens`, and can be changed there later.
   */
  readonly maxWorkers?: number;
  /** Whose tokens the calls take, in place of `maxWorkers`: one limiter may serve several executors. */
  readonly limiter?: CapacityLimiter;
  /** How many workers stay when there is nothing to do: an integer from 0 on, by default 0. */
  readonly minWorkers?: number;
  /** How long a worker may have nothing to do before it ends, by default 30 s; `Infinity`: it never does. */
  readonly idleTimeout?: Duration;
  /** What a cancel does while the function runs; by default `"abandon"`. */
  readonly onCancel?: OnCancel;
  /** What workers may have the loop run, by name: see {@link runCoroutineThreadsafe}. */
  readonly loopFunctions?: LoopFunctions;
  /** Environment variables of the workers, by default those of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Options for the host, by default those that this process was started with. */
  readonly execArgv?: readonly string[];
}

/** Options of `shutdown`. */
export interface ExecutorShutdownOptions {
  /** Cancels the calls that have not begun; by default they are still done. concurrent.futures: `cancel_futures`. */
  readonly cancelQueued?: boolean;
}

/** What `statistics()` of an executor gives. */
export interface ExecutorStatistics {
  /** How many workers there are. */
  readonly workers: number;
  /** How many of them have nothing to do. */
  readonly idleWorkers: number;
  /** How many calls wait for a token. */
  readonly callsWaiting: number;
}

/**
 * A pool of workers that call functions. `ThreadExecutor` and `ProcessExecutor` differ in what a worker is.
 *
 * A call takes a token of the executor's limiter, in the order of the calls, and runs in a worker that has nothing to
 * do, or a new one. It keeps the token until the function has returned or its worker is gone, also when nobody waits
 * for it any more. Any number of loops may use the same executor.
 *
 * concurrent.futures: `Executor`.
 */
export abstract class Executor implements CallOwner, WorkerOwner, AsyncDisposable {
  /** The pool: how many calls may run at a time. */
  readonly limiter: CapacityLimiter;
  /** @internal */
  readonly onCancel: OnCancel;
  readonly #minWorkers: number;
  readonly #idleSeconds: number;
  readonly #loopFunctions: LoopFunctions;
  readonly #workers = new Set<WorkerHandle>();
  /** The last one is used first, so that the first ones may end. */
  readonly #idle: WorkerHandle[] = [];
  /** Those that wait for a token, and those whose function has not ended. */
  readonly #calls = new Set<Call<unknown>>();
  #idleTimer: HostTimer | null = null;
  #isShutDown = false;
  #noteEnded: () => void = () => undefined;
  readonly #ended = new Promise<void>((resolve) => {
    this.#noteEnded = resolve;
  });

  /** @internal */
  constructor(where: string, options: ExecutorOptions) {
    if (typeof options !== "object" || (options as unknown) === null)
      throw badArgument(where, "an object with options", options);
    const { limiter, maxWorkers, minWorkers = 0, idleTimeout = 30, onCancel, loopFunctions = {} } = options;
    if (limiter !== undefined && !(limiter instanceof CapacityLimiter))
      throw badArgument(`${where}: limiter`, "a CapacityLimiter", limiter);
    if (limiter !== undefined && maxWorkers !== undefined)
      throw new ValueError(
        `${where} takes maxWorkers or a limiter, not both: the limiter has its totalTokens`,
      );
    checkCount(`${where}: maxWorkers`, maxWorkers ?? 1, 1);
    checkCount(`${where}: minWorkers`, minWorkers, 0);
    checkOnCancel(where, onCancel);
    if (typeof loopFunctions !== "object" || (loopFunctions as unknown) === null)
      throw badArgument(`${where}: loopFunctions`, "an object with functions", loopFunctions);
    for (const [name, callee] of Object.entries(loopFunctions)) {
      if (typeof callee !== "function")
        throw badArgument(`${where}: loopFunctions.${name}`, "a function", callee);
    }
    this.limiter = limiter ?? new CapacityLimiter(maxWorkers ?? this.defaultSize());
    this.onCancel = onCancel ?? "abandon";
    this.#minWorkers = minWorkers;
    this.#idleSeconds = toSeconds(idleTimeout, `${where}: idleTimeout`);
    this.#loopFunctions = loopFunctions;
  }

  /** The name of the class. */
  abstract get [Symbol.toStringTag](): string;

  /** @internal */
  protected abstract defaultSize(): number;

  /** @internal */
  protected abstract spawn(): WorkerHandle;

  // ── Calls ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Has a worker call a function, from now on, and gives the future of its result. The arguments are cloned when the
   * call begins. What the function throws is thrown here.
   *
   * Cancel safety: a call that has not begun does not take place. What happens to one that has is up to `onCancel`; its
   * result is lost, except with `"wait"`.
   *
   * concurrent.futures: `Executor.submit`. Throws `RuntimeError` after `shutdown` (`CORIO_EXECUTOR_SHUT_DOWN`). The
   * future has a `RuntimeError` when an argument or the result cannot be cloned (`CORIO_NOT_CLONEABLE`) or when there
   * is no such function (`CORIO_WORKER_FUNCTION`), `BrokenWorkerError` when the worker ends before the function does.
   */
  submit<Callee extends AnyFunction>(
    callee: WorkerFunction<Callee>,
    ...args: Parameters<Callee>
  ): Future<ResultOfCall<Callee>> {
    return this.startCall<ResultOfCall<Callee>>(getLoop(), "submit", callee, args);
  }

  /**
   * Has a worker call a function that gives items one by one (a generator function, async or not, or one that returns
   * an iterable), and gives the items here as they come. Nothing begins before the first item is asked for. The worker
   * is at most `bufferSize` items ahead (see `withOptions`), then it waits.
   *
   * Leaving the loop early ends the generator in the worker: its `finally` blocks run, and the loop is left when they
   * have.
   *
   * Cancel safety: a cancel of the consumer ends the generator, too; items on their way are lost. The consumer waits
   * for the generator's end with `onCancel: "wait"` only.
   *
   * asyncio: none.
   */
  stream<Callee extends AnyFunction>(
    callee: WorkerFunction<Callee>,
    ...args: Parameters<Callee>
  ): WorkerStream<ItemOf<Callee>> {
    return this.startStream<ItemOf<Callee>>("stream", callee, args);
  }

  /** `values` are those of the caller's context, where the shared ones are to go along. @internal */
  startCall<T>(
    loop: EventLoop,
    where: string,
    target: unknown,
    args: readonly unknown[],
    values?: ContextValues,
  ): Call<T> {
    const call = new Call<T>(loop, this, this.#request(where, target, args, values));
    this.#enter(call);
    return call;
  }

  /** @internal */
  startStream<T>(
    where: string,
    target: unknown,
    args: readonly unknown[],
    values?: ContextValues,
  ): WorkerStream<T> {
    const request = this.#request(where, target, args, values);
    return new WorkerStream<T>((loop) => {
      this.#requireOpen();
      const call = new StreamCall(loop, this, request);
      this.#enter(call);
      return call;
    });
  }

  #request(
    where: string,
    target: unknown,
    args: readonly unknown[],
    values: ContextValues | undefined,
  ): CallRequest {
    checkWorkerFunction(where, target);
    this.#requireOpen();
    return {
      target,
      args,
      variables: values === undefined ? noVariables : sharedValues(values),
      contextValues: values ?? currentContextValues(),
    };
  }

  #requireOpen(): void {
    if (!this.#isShutDown) return;
    throw new RuntimeError(
      `this ${this[Symbol.toStringTag]} was shut down: it takes no more calls`,
      "CORIO_EXECUTOR_SHUT_DOWN",
    );
  }

  #enter(call: Call<unknown>): void {
    this.#calls.add(call);
    try {
      call.place = this.limiter.borrowInTurn(call, call.loop, () => {
        this.#start(call);
      });
    } catch (error) {
      // The limiter belongs to another loop: the caller hears of it here, not from the future.
      this.#calls.delete(call);
      call.settle(FAILED, error);
      throw error;
    }
  }

  /** @internal */
  withdraw(call: Call<unknown>): void {
    this.#calls.delete(call);
    this.#endIfDone();
  }

  /** The call has got a token. */
  #start(call: Call<unknown>): void {
    call.place = null;
    let worker: WorkerHandle | undefined;
    try {
      worker = this.#idle.pop() ?? this.#spawn();
      const { target, args, variables } = call.request;
      worker.call = call;
      worker.loop = call.loop;
      call.worker = worker;
      call.id = ++worker.lastId;
      worker.post(
        {
          type: "call",
          id: call.id,
          url: target.url,
          exportName: target.exportName,
          args,
          variables,
          items: call.items,
        },
        takeTransferLists(args),
      );
      worker.setKeepsProcess(true);
    } catch (error) {
      call.fail(worker === undefined ? error : whyNotSent(call.request, error));
      this.#noteOver(call, worker);
    }
  }

  /** The function of `call` has ended, or never begun; `worker` is there for the next. */
  #noteOver(call: Call<unknown>, worker: WorkerHandle | undefined): void {
    call.worker = null;
    this.#calls.delete(call);
    if (worker !== undefined) {
      worker.call = null;
      if (!worker.isEnding) this.#idle.push(worker);
    }
    this.limiter.releaseOnBehalfOf(call);
    // Unless the next call has taken it.
    if (worker?.call === null && !worker.isEnding) this.#noteIdle(worker);
    this.#endIfDone();
  }

  // ── Workers ───────────────────────────────────────────────────────────────────────────────────────────────────

  #spawn(): WorkerHandle {
    const worker = this.spawn();
    this.#workers.add(worker);
    return worker;
  }

  #noteIdle(worker: WorkerHandle): void {
    worker.setKeepsProcess(false);
    worker.idleSince = host.now();
    if (this.#isShutDown) this.#end(worker);
    else if (this.#idleTimer === null) this.#watchIdle();
  }

  /** One timer for all: it goes off when the one that has been idle for the longest time is to end. */
  #watchIdle(): void {
    const [oldest] = this.#idle;
    if (oldest === undefined || this.#workers.size <= this.#minWorkers || this.#idleSeconds === Infinity)
      return;
    const left = oldest.idleSince + this.#idleSeconds - host.now();
    if (left <= 0) {
      this.#end(oldest);
      this.#watchIdle();
      return;
    }
    const look = (): void => {
      this.#idleTimer = null;
      this.#watchIdle();
    };
    this.#idleTimer = host.setTimer(look, Math.min(Math.ceil(left * 1000), LONGEST_TIMER), false);
  }

  #end(worker: WorkerHandle): void {
    this.#idle.splice(this.#idle.indexOf(worker), 1);
    worker.isEnding = true;
    // Or the host would think that nothing is to come, while somebody waits for its end.
    worker.setKeepsProcess(true);
    worker.end();
  }

  /** @internal */
  noteEnd(worker: WorkerHandle, how: string, cause: unknown): void {
    this.#noteGone(worker, how, cause, (called) => {
      return `the ${worker.kind} that called ${called} ${how} before the function returned`;
    });
  }

  /** @internal */
  noteFailedStart(worker: WorkerHandle, cause: unknown): void {
    const how = `could not be started: ${cause instanceof Error ? cause.message : String(cause)}`;
    this.#noteGone(worker, how, cause, (called) => `the ${worker.kind} that was to call ${called} ${how}`);
  }

  #noteGone(
    worker: WorkerHandle,
    how: string,
    cause: unknown,
    describeLoss: (called: string) => string,
  ): void {
    if (!this.#workers.delete(worker)) return;
    const { call, loop, isEnding } = worker;
    worker.isEnding = true;
    const place = this.#idle.indexOf(worker);
    if (place >= 0) this.#idle.splice(place, 1);
    for (const withdraw of worker.asks.values()) withdraw();
    if (call === null) {
      if (!isEnding && cause !== undefined) reportIdleEnd(worker, loop, how, cause);
      this.#endIfDone();
      return;
    }
    const message = describeLoss(`'${call.request.target.exportName}'`);
    call.fail(new BrokenWorkerError(message, cause === undefined ? {} : { cause }));
    this.#noteOver(call, worker);
  }

  /** @internal */
  noteMessage(worker: WorkerHandle, message: FromWorker): void {
    const call = worker.call;
    switch (message.type) {
      case "ended":
        if (call?.id !== message.id) return;
        call.finish(message.outcome);
        this.#noteOver(call, worker);
        return;
      case "item":
        if (call?.id === message.id && call instanceof StreamCall) call.noteItem(message.value);
        return;
      case "ask":
        this.#answer(worker, message);
        return;
      case "withdraw":
        worker.asks.get(message.ask)?.();
        return;
      case "soon":
        this.#callSoon(worker, message);
        return;
    }
  }

  // ── What workers have the loop do ─────────────────────────────────────────────────────────────────────────────

  #answer(worker: WorkerHandle, { ask, name, args }: AskMessage): void {
    const { loop, call } = worker;
    const send = (outcome: Outcome): void => {
      worker.asks.delete(ask);
      if (worker.isEnding) return;
      try {
        const list = "value" in outcome ? takeTransferList(outcome.value) : [];
        worker.answer({ type: "answer", ask, outcome }, list);
      } catch (error) {
        const cannot = notCloneable(`what the loop function '${name}' gave`, error);
        worker.answer({ type: "answer", ask, outcome: { error: encodeError(cannot) } });
      }
    };
    if (loop === null) return;
    let work: Coroutine | null = null;
    try {
      const callee = this.#loopFunction(name);
      const options = call === null ? {} : { context: new Context(call.request.contextValues) };
      work = toCoroutine(() => callee(...(args as never[])) as PromiseLike<unknown>, name);
      const task = loop.createTask(work, { name: `${name} for a ${worker.kind}`, ...options });
      worker.asks.set(ask, () => task.cancel(undefined, { requestedBy: `a ${worker.kind}` }));
      task.addCallback({
        awaiter: null,
        run: () => {
          send(task.state === FINISHED ? { value: task.outcome } : { error: encodeError(task.takeError()) });
        },
      });
    } catch (error) {
      work?.close();
      send({ error: encodeError(error) });
    }
  }

  #callSoon({ loop, call }: WorkerHandle, { name, args }: SoonMessage): void {
    if (loop === null || loop.isClosed()) return;
    try {
      const callee = this.#loopFunction(name);
      loop.callSoonIn(
        call === null ? undefined : new Context(call.request.contextValues),
        (...given: unknown[]) => callee(...given),
        ...args,
      );
    } catch (exception) {
      loop.callExceptionHandler({ message: "a worker asked for a callback that is not there", exception });
    }
  }

  #loopFunction(name: string): AnyFunction {
    const callee = Object.hasOwn(this.#loopFunctions, name) ? this.#loopFunctions[name] : undefined;
    if (callee !== undefined) return callee;
    const names = Object.keys(this.#loopFunctions).join(", ") || "none";
    throw new RuntimeError(
      `the executor has no loop function '${name}', only ${names}; give it in the option loopFunctions`,
      "CORIO_WORKER_FUNCTION",
    );
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes no more calls, waits until those that have been made are done, ends the workers, and waits for that. May be
   * called again, to wait.
   *
   * Cancel safety: a cancel ends the waiting; the executor stays shut down.
   *
   * concurrent.futures: `Executor.shutdown`.
   */
  shutdown(options: ExecutorShutdownOptions = {}): Coroutine<void> {
    return shutDown(this, options.cancelQueued ?? false);
  }

  /**
   * Ends all workers at once, whatever they do, takes no more calls, and waits until the workers are gone. Calls that
   * run fail with `BrokenWorkerError`, those that wait are cancelled. No `finally` runs in the workers.
   *
   * concurrent.futures: `ProcessPoolExecutor.kill_workers`.
   */
  killWorkers(): Coroutine<void> {
    return kill(this);
  }

  /** `shutdown` at the end of an `await using` block. */
  [Symbol.asyncDispose](): Coroutine<void> {
    return this.shutdown();
  }

  /** What the executor is doing at this moment, as a frozen object. */
  statistics(): ExecutorStatistics {
    let callsWaiting = 0;
    for (const call of this.#calls) if (call.place !== null) callsWaiting++;
    return Object.freeze({ workers: this.#workers.size, idleWorkers: this.#idle.length, callsWaiting });
  }

  /** What `shutdown` does at once. @internal */
  close(cancelQueued: boolean): void {
    this.#isShutDown = true;
    this.#idleTimer?.cancel();
    this.#idleTimer = null;
    if (cancelQueued) {
      for (const call of this.#calls) {
        if (call.worker === null) call.cancel(undefined, { requestedBy: "the executor's shutdown" });
      }
    }
    for (const worker of [...this.#idle]) this.#end(worker);
    this.#endIfDone();
  }

  /** Nobody waits for what is still running: it must not keep the process. @internal */
  letGo(): void {
    this.close(true);
    for (const worker of this.#workers) worker.setKeepsProcess(false);
  }

  /** @internal */
  killNow(): void {
    this.close(true);
    for (const worker of this.#workers) worker.kill();
  }

  /** Settles when it was shut down and all workers are gone. @internal */
  get ended(): Promise<void> {
    return this.#ended;
  }

  #endIfDone(): void {
    if (this.#isShutDown && this.#calls.size === 0 && this.#workers.size === 0) this.#noteEnded();
  }
}

showAs(Executor as unknown as { prototype: Executor }, (executor) => {
  const { workers, idleWorkers, callsWaiting } = executor.statistics();
  const waiting = callsWaiting > 0 ? `, ${callsWaiting} call(s) waiting` : "";
  return `<${executor[Symbol.toStringTag]} ${workers} worker(s), ${idleWorkers} idle${waiting}>`;
});

const shutDown = coroutine(function* shutdown(executor: Executor, cancelQueued: boolean) {
  executor.close(cancelQueued);
  yield* until(executor.ended);
});

const kill = coroutine(function* killWorkers(executor: Executor) {
  executor.killNow();
  yield* until(executor.ended);
});

const noVariables: CallRequest["variables"] = [];

/** What hosts let a timer take. */
const LONGEST_TIMER = 2 ** 31 - 1;

function checkCount(where: string, count: unknown, least: number): void {
  if (!Number.isInteger(count)) throw badArgument(where, "an integer", count);
  if ((count as number) < least)
    throw new ValueError(`${where} is an integer from ${least} on, got ${String(count)}`);
}

function whyNotSent({ target, args, variables }: CallRequest, error: unknown): RuntimeError {
  const called = `'${target.exportName}'`;
  const index = args.findIndex((argument) => !isCloneable(argument));
  if (index >= 0) return notCloneable(`argument ${index + 1} of ${called}`, error);
  const [name] = variables.find(([, value]) => !isCloneable(value)) ?? [];
  if (name !== undefined) return notCloneable(`the value of the shared context variable '${name}'`, error);
  return notCloneable(`an argument of ${called}`, error);
}

export function notCloneable(what: string, error: unknown): RuntimeError {
  return new RuntimeError(
    `${what} cannot be sent to another thread or process: ${error instanceof Error ? error.message : String(error)}`,
    "CORIO_NOT_CLONEABLE",
    { cause: error },
  );
}

function reportIdleEnd(
  { kind }: WorkerHandle,
  loop: WorkerHandle["loop"],
  how: string,
  exception: unknown,
): void {
  const message = `a ${kind} that had nothing to do ${how}`;
  if (loop !== null) loop.callExceptionHandler({ message, exception });
  else host.printError(`${message}: ${host.inspect(exception)}`);
}
