/** The worker's side: calls functions as it is told. The same in threads and processes. */
import { CancelledError, RuntimeError } from "../errors.ts";
import type { Context } from "../futures/context.ts";
import { Coroutine, isCoroutineFunction } from "../futures/coroutine.ts";
import { FINISHED, Future, PENDING } from "../futures/future.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { run } from "../library/run.ts";
import { sleep } from "../library/sleep.ts";
import { encodeError } from "./error-transport.ts";
import { becomeWorker, noteAnswer } from "./in-worker.ts";
import type { CallMessage, CancelMessage, FromWorker, ToWorker } from "./protocol.ts";
import { contextWith } from "./shared-context.ts";
import { takeTransferList } from "./transfer.ts";
import type { AnyFunction } from "./worker-module.ts";

/** What threads and processes do differently. */
export interface Channel {
  readonly post: (message: FromWorker, transferList?: readonly unknown[]) => void;
  /** The id of the last call that was cancelled, as far as shared memory tells; null where there is none. */
  readonly cancelledId: (() => number) | null;
  readonly takeAnswers: ((isEnough: () => boolean, milliseconds: number) => void) | null;
  /** Ends the worker. */
  end(): void;
}

/** Makes this thread or process a worker; gives what is to be called with each message. */
export function serve(channel: Channel): (message: ToWorker) => void {
  let current: RunningCall | null = null;
  becomeWorker({
    post: channel.post,
    takeAnswers: channel.takeAnswers,
    checkCancelled: () => current?.checkCancelled(),
  });
  return (message) => {
    switch (message.type) {
      case "call":
        current = new RunningCall(channel, message, () => (current = null));
        current.begin();
        return;
      case "cancel":
        if (current?.id === message.id) current.cancel(message);
        return;
      case "more":
        if (current?.id === message.id) current.addRoom(message.items);
        return;
      case "answer":
        noteAnswer(message.ask, message.outcome);
        return;
      case "end":
        channel.end();
        return;
    }
  };
}

/** The functions that were called before: a call of one begins, and often ends, without a turn of the host's loop. */
const functions = new Map<string, AnyFunction>();

class RunningCall {
  readonly id: number;
  readonly #channel: Channel;
  readonly #message: CallMessage;
  readonly #noteEnd: () => void;
  #context: Context | undefined;
  #cancellation: CancelledError | null = null;
  /** Cancels the function's task, if it has one. */
  #abort: AbortController | null = null;
  /** How many items may be sent. */
  #room: number;
  #roomWanted: Future | null = null;

  constructor(channel: Channel, message: CallMessage, noteEnd: () => void) {
    this.id = message.id;
    this.#channel = channel;
    this.#message = message;
    this.#noteEnd = noteEnd;
    this.#room = message.items;
  }

  begin(): void {
    const { url, exportName } = this.#message;
    const key = `${url} ${exportName}`;
    const known = functions.get(key);
    if (known !== undefined) {
      this.#call(known);
      return;
    }
    load(url, exportName).then(
      (callee) => {
        functions.set(key, callee);
        this.#call(callee);
      },
      (error: unknown) => {
        this.#fail(error);
      },
    );
  }

  #call(callee: AnyFunction): void {
    try {
      // It may have been cancelled while the module was loaded.
      this.checkCancelled();
      const { args, variables, items } = this.#message;
      if (variables.length > 0) this.#context = contextWith(variables);
      const call = (): unknown => Reflect.apply(callee, undefined, args);
      if (items > 0) {
        this.#runAsTask(() => this.#sendItems(call));
        return;
      }
      if (isTaskFunction(callee)) {
        this.#runAsTask(call as () => PromiseLike<unknown>);
        return;
      }
      const result = this.#context === undefined ? call() : this.#context.run(call);
      if (result instanceof Coroutine) this.#runAsTask(() => result as Coroutine);
      else if (isThenable(result)) this.#endWith(result);
      else this.#end(result);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A cancel of the call is then one of the task: it reaches the await that the function is at. */
  #runAsTask(main: () => PromiseLike<unknown>): void {
    this.#abort = new AbortController();
    const options = { signal: this.#abort.signal, name: this.#message.exportName };
    this.#endWith(run(main, this.#context === undefined ? options : { ...options, context: this.#context }));
  }

  #endWith(result: PromiseLike<unknown>): void {
    result.then(
      (value) => {
        this.#end(value);
      },
      (error: unknown) => {
        this.#fail(error);
      },
    );
  }

  #end(value: unknown): void {
    const { id } = this;
    try {
      if (isGeneratorObject(value)) throw this.#wrongWay();
      this.#channel.post({ type: "ended", id, outcome: { value } }, takeTransferList(value));
    } catch (error) {
      this.#fail(error instanceof RuntimeError ? error : this.#notSent("the result", error));
      return;
    }
    this.#noteEnd();
  }

  #fail(error: unknown): void {
    this.#channel.post({ type: "ended", id: this.id, outcome: { error: encodeError(error) } });
    this.#noteEnd();
  }

  // ── Cancellation ──────────────────────────────────────────────────────────────────────────────────────────────

  cancel({ reason, requestedBy }: CancelMessage): void {
    this.#cancellation = makeCancellation({
      ...(reason !== undefined && { reason }),
      ...(requestedBy !== undefined && { requestedBy }),
    });
    this.#abort?.abort(this.#cancellation);
  }

  checkCancelled(): void {
    if (this.#cancellation !== null) throw this.#cancellation;
    // The message, which says more, has not been read yet.
    if (this.#channel.cancelledId?.() === this.id) throw makeCancellation({});
  }

  // ── Items ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #sendItems(call: () => unknown): Promise<void> {
    const source = await call();
    const iterator = iteratorOf(source);
    if (iterator === null) throw this.#noItems(source);
    for (;;) {
      const next = iterator.next();
      // Without a turn of the microtasks where there need not be one.
      const step = "then" in next ? await next : next;
      if (step.done === true) return;
      try {
        await this.#sendItem(step.value);
      } catch (error) {
        // By hand: a `for` loop would drop what a `finally` block throws.
        await iterator.return?.();
        throw error;
      }
    }
  }

  async #sendItem(value: unknown): Promise<void> {
    this.checkCancelled();
    try {
      this.#channel.post({ type: "item", id: this.id, value }, takeTransferList(value));
    } catch (error) {
      throw this.#notSent("an item", error);
    }
    this.#room--;
    while (this.#room === 0) {
      this.#roomWanted = new Future();
      await this.#roomWanted;
    }
    // Without shared memory a cancel is seen only in the host's turns, and the loop lets those in.
    if (this.#channel.cancelledId === null) await sleep(0);
  }

  addRoom(items: number): void {
    this.#room += items;
    if (this.#roomWanted?.state === PENDING) this.#roomWanted.settle(FINISHED, undefined);
  }

  // ── Errors ────────────────────────────────────────────────────────────────────────────────────────────────────

  #notSent(what: string, error: unknown): RuntimeError {
    return new RuntimeError(
      `${what} of '${this.#message.exportName}' cannot be sent to another thread or process: ` +
        (error instanceof Error ? error.message : String(error)),
      "CORIO_NOT_CLONEABLE",
    );
  }

  #wrongWay(): RuntimeError {
    return new RuntimeError(
      `'${this.#message.exportName}' is a generator function: take its items with stream(…)`,
      "CORIO_WORKER_FUNCTION",
    );
  }

  #noItems(got: unknown): RuntimeError {
    return new RuntimeError(
      `'${this.#message.exportName}' gives ${typeof got === "object" ? "an object" : typeof got}, ` +
        "which has no items: only generator functions, and what returns an iterable, can be streamed",
      "CORIO_WORKER_FUNCTION",
    );
  }
}

async function load(url: string, exportName: string): Promise<AnyFunction> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(url)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new RuntimeError(
      `the worker module ${url} cannot be loaded: ${String(error)}`,
      "CORIO_WORKER_FUNCTION",
      { cause: error },
    );
  }
  const callee = Object.hasOwn(module, exportName) ? module[exportName] : undefined;
  if (typeof callee === "function") return callee as AnyFunction;
  if (callee !== undefined) {
    throw new RuntimeError(
      `'${exportName}' of the worker module ${url} is not a function, but ${typeof callee}`,
      "CORIO_WORKER_FUNCTION",
    );
  }
  const names = Object.keys(module).filter((name) => typeof module[name] === "function");
  throw new RuntimeError(
    `the worker module ${url} has no export '${exportName}'; it exports ${names.join(", ") || "no function"}`,
    "CORIO_WORKER_FUNCTION",
  );
}

/** A call of one is to be a task: a coroutine function's, and that of a native async function. */
function isTaskFunction(callee: AnyFunction): boolean {
  return isCoroutineFunction(callee) || Object.prototype.toString.call(callee) === "[object AsyncFunction]";
}

function isGeneratorObject(value: unknown): boolean {
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Generator]" || tag === "[object AsyncGenerator]";
}

interface AnyIterator {
  next(): IteratorResult<unknown> | PromiseLike<IteratorResult<unknown>>;
  return?(): unknown;
}

function iteratorOf(source: unknown): AnyIterator | null {
  if (typeof source !== "object" || source === null) return null;
  const { [Symbol.asyncIterator]: iterateAsync, [Symbol.iterator]: iterate } = source as {
    [Symbol.asyncIterator]?: () => AnyIterator;
    [Symbol.iterator]?: () => AnyIterator;
  };
  return (iterateAsync ?? iterate)?.call(source) ?? null;
}

function makeCancellation(details: { reason?: string; requestedBy?: string }): CancelledError {
  const by = details.requestedBy === undefined ? "" : `cancelled by ${details.requestedBy}`;
  return new CancelledError(details.reason ?? by, details);
}
