import { host } from "#host";
import { badArgument, RuntimeError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { Future } from "../futures/future.ts";
import { getLoop } from "../futures/get-loop.ts";
import { describeWaits } from "../futures/reports.ts";
import { runningTask } from "../futures/running.ts";
import type { Task } from "../futures/task.ts";
import { callBody } from "../library/body-call.ts";
import { shield } from "../library/shield.ts";
import { wait } from "../library/wait.ts";
import { endBySignal } from "./end-by-signal.ts";
import { keepAlive, listenToSignal } from "./listen.ts";
import { noteOutside, takeOver } from "./signal-handlers.ts";
import type { SignalName } from "./signal-name.ts";

/** What a server wants to have done when it is to end: a function, async or not, a generator or coroutine function. */
export type ShutdownCallback = (() => Steps<unknown>) | (() => unknown);

/** How long the phases of a shutdown may take, in seconds from the signal. */
export interface ShutdownPeriods {
  readonly drain: number;
  readonly grace: number;
}

/** Servers that have not ended yet: the process is not ended before the last of them. */
const active = new Set<Shutdown>();
const shutdownOf = new WeakMap<EventLoop, Shutdown>();

/**
 * The orderly end of one server.
 *
 *     running ── signal ──► draining ── callbacks done, or ──► cancelling ── main and all ──► ended by the signal
 *        │                  (onShutdown)   drain period over   (main task)    tasks done              ▲
 *        │                      │                                  │                                  │
 *        │                      └── a second signal, or the grace period is over: report, and force ──┘
 *        └── main returns ──► ended
 */
export class Shutdown {
  /** What asked for it; null while nothing has. */
  signal: SignalName | null = null;
  /** Runs the callbacks, then cancels the main task. */
  task: Task<void> | null = null;
  readonly #requested: Future<SignalName>;
  readonly #loop: EventLoop;
  readonly #main: Task;
  readonly #periods: ShutdownPeriods;
  readonly #callbacks: { readonly callback: ShutdownCallback }[] = [];
  readonly #undo: (() => void)[];
  /** The tasks that have called `shutdownRequested`. */
  readonly #watchers = new Set<Task>();

  constructor(loop: EventLoop, main: Task, names: readonly SignalName[], periods: ShutdownPeriods) {
    this.#loop = loop;
    this.#main = main;
    this.#periods = periods;
    this.#requested = new Requested(loop);
    shutdownOf.set(loop, this);
    active.add(this);
    this.#undo = [keepAlive(), noteOutside(loop)];
    for (const name of new Set(names))
      this.#undo.push(listenToSignal(name, this.#onSignal), takeOver(loop, name));
  }

  addCallback(callback: ShutdownCallback): () => void {
    const entry = { callback };
    this.#callbacks.push(entry);
    return () => {
      const index = this.#callbacks.indexOf(entry);
      if (index >= 0) this.#callbacks.splice(index, 1);
    };
  }

  /** A future of the running task's own. */
  watch(): Future<SignalName> {
    const task = runningTask();
    if (task !== null && !this.#watchers.has(task)) {
      this.#watchers.add(task);
      task.addDoneCallback(() => this.#watchers.delete(task));
    }
    return shield(this.#requested);
  }

  /** The server has ended: signals have their default effect again. */
  release(): void {
    for (const undo of this.#undo) undo();
    active.delete(this);
  }

  /** Ends the process by `signal`, unless there are other servers: then the last of them does. Never returns. */
  async endProcess(signal: SignalName): Promise<never> {
    if (active.size === 0) endBySignal(signal);
    return await new Promise<never>(() => undefined);
  }

  readonly #onSignal = (signal: SignalName): void => {
    if (this.signal !== null) {
      this.#force(signal, `${signal} came while the server was ending`);
      return;
    }
    this.signal = signal;
    // Through the loop, in turn, as all that runs there.
    this.#loop.callSoon(() => this.#begin(signal));
  };

  #begin(signal: SignalName): void {
    const { grace } = this.#periods;
    this.#loop.callLater(grace, () => this.#force(signal, `the grace period of ${grace} s is over`));
    this.#requested.setResult(signal);
    if (this.#main.done()) return;
    this.task = this.#loop.createTask(stop(this), { name: "shutdown" });
  }

  /** Phases 1 and 2. @internal */
  *stop(): Steps<void> {
    const loop = this.#loop;
    const drained = loop.time() + this.#periods.drain;
    for (let last = this.#callbacks.pop(); last !== undefined; last = this.#callbacks.pop()) {
      const { callback } = last;
      const name = callback.name === "" ? "onShutdown" : callback.name;
      // Awaited by a function: what the callback gives may be any awaitable, such as `server.close()`.
      const task = loop.createTask(() => callBody<readonly [], unknown>(callback), { name });
      yield* wait([task], { timeout: Math.max(0, drained - loop.time()) });
      if (!task.done()) {
        this.#report(`${name} was not done when the drain period of ${this.#periods.drain} s was over`, task);
        task.cancel("the drain period is over", { requestedBy: "runServer" });
      } else if (!task.cancelled() && task.exception() !== null) {
        this.#report(`exception in ${name}, called at shutdown`, task, task.exception());
      }
    }
    // Those who asked to be told may come to their ends by themselves.
    const watching = [...this.#watchers].filter((task) => !task.done());
    if (watching.length > 0) yield* wait(watching, { timeout: Math.max(0, drained - loop.time()) });
    this.#main.cancel(this.signal, { requestedBy: "runServer" });
  }

  #report(message: string, task: Task, exception?: unknown): void {
    this.#loop.callExceptionHandler({ message, task, ...(exception === undefined ? {} : { exception }) });
  }

  /** Phase 3: who is still there, and the end. */
  #force(signal: SignalName, why: string): void {
    const tasks = this.#loop.tasks();
    const lines = tasks.map((task) => `\n  task ${task.describe()} waits for ${describeWaits(task)}`);
    host.printError(`shutdown: ${why}; ${tasks.length} task(s) are still there${lines.join("")}`);
    endBySignal(signal);
  }
}

/** A coroutine function, so that the task is shown with a name. */
const stop = coroutine(function* shutDown(shutdown: Shutdown): Steps<void> {
  yield* shutdown.stop();
});

class Requested extends Future<SignalName> {
  override describeWait(): string {
    return "a signal to end";
  }
}

function currentShutdown(where: string): Shutdown {
  const shutdown = shutdownOf.get(getLoop());
  if (shutdown === undefined) {
    throw new RuntimeError(`${where} is for programs that were started with runServer`);
  }
  return shutdown;
}

/**
 * Has `callback` called when the server is asked to end, before anything is cancelled: the place to stop accepting, and
 * to wait until what was accepted is done. Callbacks are called in the reverse order of their registration, each in a
 * task of its own, and each is waited for before the next, until the drain period is over. What one throws goes to the
 * loop's exception handler. Returns what takes the callback away again.
 *
 * asyncio: none. Throws `ArgumentTypeError` unless `callback` is a function, `RuntimeError` outside of `runServer`.
 */
export function onShutdown(callback: ShutdownCallback): () => void {
  const shutdown = currentShutdown("onShutdown");
  if (typeof callback !== "function") throw badArgument("onShutdown", "a function", callback);
  return shutdown.addCallback(callback);
}

/**
 * Waits until the server is asked to end; gives the signal. Does not suspend when that has happened. The task that
 * calls it may come to its end by itself then: the main task is not cancelled before, until the drain period is over.
 * For loops that take on work: `while (!requested.done()) …`.
 *
 * Cancel safety: nothing is lost; each call gives a future of its own.
 *
 * asyncio: none. Throws `RuntimeError` outside of `runServer`.
 */
export function shutdownRequested(): Future<SignalName> {
  return currentShutdown("shutdownRequested").watch();
}
