import { host } from "#host";
import { badArgument, DeadlockError, isKeyboardInterrupt, RuntimeError } from "../errors.ts";
import type { Clock } from "../loop/clock.ts";
import { systemClock } from "../loop/clock.ts";
import type { Runnable, Timer, TimerOwner } from "../loop/runnable.ts";
import { Scheduler } from "../loop/scheduler.ts";
import type { SchedulerClient } from "../loop/scheduler.ts";
import { Context } from "./context.ts";
import { Coroutine, isCoroutineFunction } from "./coroutine.ts";
import { captureSite, noteDebugMode } from "./debug.ts";
import { ensureFuture } from "./ensure-future.ts";
import type { Waitable } from "./ensure-future.ts";
import { Future, setDefaultLoop } from "./future.ts";
import { getLoop } from "./get-loop.ts";
import { Handle, TimerHandle } from "./handle.ts";
import { reportNeverAwaited } from "./never-awaited.ts";
import { checkOptions, noOptions } from "./options.ts";
import { describeDeadlock, describeError } from "./reports.ts";
import {
  enterSegment,
  isInsideStep,
  leaveSegment,
  runningLoop,
  swapSegmentContext,
  swapSegmentLoop,
} from "./running.ts";
import { showAs } from "#host";
import { toCoroutine } from "./to-coroutine.ts";
import type { CoroutineLike } from "./to-coroutine.ts";
import { Task } from "./task.ts";
import type { TaskOptions } from "./task.ts";

/** What an exception handler is told. asyncio's keys, in camelCase where they are two words. */
export interface ExceptionContext {
  /** What happened, in words. */
  readonly message: string;
  /** What was thrown, if it is about that. */
  readonly exception?: unknown;
  /** The future that it is about. */
  readonly future?: Future;
  /** The task that it is about. */
  readonly task?: Task;
  /** The handle of the callback that it is about. */
  readonly handle?: Handle;
  /** Where the future, task or handle was made; known in debug mode. */
  readonly sourceTraceback?: string | undefined;
  readonly [key: string]: unknown;
}

/** Options of `new EventLoop` and `newEventLoop`. */
export interface EventLoopOptions {
  /** Where time comes from; by default the host's monotonic clock. */
  readonly clock?: Clock | undefined;
  /** Debug mode; by default on when `CORIO_DEBUG=1` is set. */
  readonly debug?: boolean | undefined;
}

/** Told of every error that nobody else can get. What it throws itself goes to the default handler. */
export type ExceptionHandler = (loop: EventLoop, context: ExceptionContext) => void;

/** Makes a task of a coroutine; the options are those given to `createTask`. */
export type TaskFactory = <T>(loop: EventLoop, coroutine: Coroutine<T>, options: TaskOptions) => Task<T>;

/** Real seconds after which a cancel that a foreign promise holds up is reported. */
const STUCK_SECONDS = 5;

/** Those of all clocks: while one runs, a coroutine that nobody has awaited yet may be its. */
let runningLoops = 0;

/** Something of the host's that belongs to a loop, such as a socket or a pool of threads, and must not outlive it. */
export interface LoopResource {
  /** Run as a task at the end of `run`, after all other tasks. */
  shutdown?(): CoroutineLike<void>;
  /** The loop is closed, whether `shutdown` has run or not: whatever is left has to be given up at once. */
  abandon(): void;
}

/** What the loop calls; what it returns is ignored. */
export type Callback<Parameters extends readonly unknown[]> = (...parameters: Parameters) => unknown;

/**
 * One program's event loop: its tasks, its error handling, its debug mode. The handles and timers of all loops with
 * the same clock run on one scheduler, in one order.
 *
 * asyncio: the event loop. `run` makes one; `getRunningLoop()` finds it.
 */
export class EventLoop implements SchedulerClient, TimerOwner {
  /** @internal */
  readonly scheduler: Scheduler;
  /** Itself: a loop is the options of what is made in it. @internal */
  readonly loop: this = this;
  /** A callback or step that takes longer than this many seconds is reported in debug mode. Default 0.1. */
  slowCallbackDuration = 0.1;
  #isRunning = false;
  /** Running, and what is ready may run. */
  #isBegun = false;
  #isClosed = false;
  #isStopping = false;
  #isDebug: boolean;
  /** Handles that came up while the loop was not running. */
  #parked: Runnable[] = [];
  /** Timers that became due in that time, with their deadlines and arrival numbers. */
  #timersAside: [deadline: number, timer: Timer, arrival: number][] = [];
  #firstTask: Task | null = null;
  #lastTask: Task | null = null;
  #taskCount = 0;
  #exceptionHandler: ExceptionHandler | null = null;
  #taskFactory: TaskFactory | null = null;
  #sites: WeakMap<object, string> | null = null;
  /** Ends what `runForever` returned. */
  #onStop: ((error?: unknown) => void) | null = null;
  #main: Future | null = null;
  #deadlock: DeadlockError | null = null;
  #unseen = new Set<UnseenException>();
  /** How many handlers of Ctrl-C the program has of its own, on this loop: `run` then leaves it to them. @internal */
  interruptHandlers = 0;
  #resources: Set<LoopResource> | null = null;

  /**
   * A loop that does not run yet. `clock` is where its time comes from, by default the host's monotonic clock; `debug`
   * is by default on when `CORIO_DEBUG=1` is set.
   */
  constructor(options: EventLoopOptions = noOptions) {
    checkOptions(options, "EventLoop");
    this.scheduler = Scheduler.of(options.clock ?? systemClock);
    this.#isDebug = options.debug ?? host.debugRequested;
    if (this.#isDebug) this.#enableDebug();
  }

  // ── Life cycle ────────────────────────────────────────────────────────────────────────────────────────────────

  /** True while the loop runs. asyncio: `is_running`. */
  isRunning(): boolean {
    return this.#isRunning;
  }

  /** True after `close`. asyncio: `is_closed`. */
  isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Runs until `stop` is called. The promise settles when the iteration in which that happened has ended; what is
   * ready then waits for the loop to run again.
   */
  runForever(): Promise<void> {
    this.requireRest();
    return this.#run();
  }

  #run(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#isRunning = true;
      runningLoops++;
      this.#onStop = (error) => {
        if (error === undefined) resolve();
        else reject(error);
      };
      this.scheduler.addClient(this);
      // A run begins with an iteration. What is left of the one under way may be this loop's own, from its last run, and
      // comes before the timers that have become due since: it is not to run without them.
      if (this.scheduler.isInIteration) this.scheduler.afterIteration(this.#begin);
      else this.#begin();
    });
  }

  readonly #begin = (): void => {
    if (!this.#isRunning || this.#isBegun) return;
    this.#isBegun = true;
    const parked = this.#parked;
    this.#parked = [];
    this.scheduler.callFirst(parked);
    const timers = this.#timersAside;
    this.#timersAside = [];
    for (const timer of timers) this.scheduler.restoreTimer(...timer);
    if (this.#isStopping) {
      // As in asyncio, a loop that was stopped beforehand runs one iteration.
      this.scheduler.callSoon({
        run: () => {
          this.scheduler.afterIteration(this.#stopNow);
        },
      });
    }
  };

  /**
   * Runs until `future` is done and settles as it does. Takes what `ensureFuture` takes. Rejects with `DeadlockError`
   * when nothing can ever continue, and with `RuntimeError` when the loop is stopped before.
   */
  runUntilComplete<T>(future: Waitable<T>): Promise<T> {
    try {
      this.requireRest();
    } catch (error) {
      if (future instanceof Coroutine) future.close();
      throw error;
    }
    return this.complete(ensureFuture(future, this));
  }

  /** `runUntilComplete` for a runner, which knows that the loop is at rest. @internal */
  async complete<T>(main: Future<T>): Promise<T> {
    const stop = (): void => {
      this.stop();
    };
    main.addDoneCallback(stop);
    this.#main = main;
    this.#deadlock = null;
    try {
      await this.#run();
    } finally {
      main.removeDoneCallback(stop);
      this.#main = null;
    }
    if (!main.done()) throw new RuntimeError("the event loop was stopped before the future was done");
    const deadlock = this.#deadlock as DeadlockError | null;
    if (deadlock !== null && main.cancelled()) throw deadlock;
    return main.result();
  }

  /** Ends `runForever` when the current iteration is over. */
  stop(): void {
    this.#isStopping = true;
    if (this.#isBegun) this.scheduler.afterIteration(this.#stopNow);
  }

  /** Ends the loop for good: what is ready or waits for a timer is dropped. Throws while the loop is running. */
  close(): void {
    if (this.#isRunning) throw new RuntimeError("cannot close a running event loop: stop it first");
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parked = [];
    this.#timersAside = [];
    for (const resource of this.resources()) resource.abandon();
    if (this.#isDebug) noteDebugMode(-1);
    for (const unseen of [...this.#unseen]) this.reportUnseenException(unseen);
    if (runningLoops === 0) reportNeverAwaited();
  }

  /** Has `resource` end with the loop, unless it is released before. @internal */
  adopt(resource: LoopResource): void {
    this.#requireOpen();
    (this.#resources ??= new Set<LoopResource>()).add(resource);
  }

  /** @internal */
  release(resource: LoopResource): void {
    this.#resources?.delete(resource);
  }

  /** In the order they came: one that has others, as a process has pipes, comes before them. @internal */
  resources(): LoopResource[] {
    return this.#resources === null ? [] : [...this.#resources];
  }

  /** Ends `runForever` at once, with an error: for a second Ctrl-C, and for a deadlock nobody resolves. @internal */
  abort(error: unknown): void {
    this.#halt(error);
  }

  readonly #stopNow = (): void => {
    if (this.#isRunning && this.#isStopping) this.#halt(undefined);
  };

  #halt(error: unknown): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#isBegun = false;
    runningLoops--;
    this.#isStopping = false;
    this.scheduler.removeClient(this);
    const onStop = this.#onStop;
    this.#onStop = null;
    onStop?.(error);
  }

  /** Throws unless the loop can be run now. @internal */
  requireRest(): void {
    this.#requireOpen();
    if (!this.#isRunning && !isInsideStep()) return;
    throw new RuntimeError(
      "an event loop is already running: await or createTask instead",
      "CORIO_RUN_INSIDE_TASK",
    );
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new RuntimeError("the event loop is closed", "CORIO_LOOP_CLOSED");
  }

  /** Whether `runnable` may run now. If not, it is kept for when the loop runs again. @internal */
  admits(runnable: Runnable): boolean {
    if (this.#isBegun) return true;
    if (!this.#isClosed) this.#parked.push(runnable);
    return false;
  }

  /** @internal */
  admitsTimer(timer: Timer, deadline: number, arrival: number): boolean {
    if (this.#isBegun) return true;
    if (!this.#isClosed) this.#timersAside.push([deadline, timer, arrival]);
    return false;
  }

  /** @internal */
  noteDeadlock(): void {
    const error = new DeadlockError(describeDeadlock(this));
    if (
      this.#deadlock !== null ||
      this.#main === null ||
      !this.#main.cancel(error, { requestedBy: "deadlock detection" })
    ) {
      this.#halt(error);
      return;
    }
    this.#deadlock = error;
  }

  // ── Scheduling ────────────────────────────────────────────────────────────────────────────────────────────────

  /** The loop's time in seconds: counts from an arbitrary moment, never goes back. */
  time(): number {
    return this.scheduler.clock.time();
  }

  /** Calls `callback` in the next iteration. Callbacks run in the order they were scheduled. */
  callSoon<Parameters extends readonly unknown[]>(
    callback: Callback<Parameters>,
    ...parameters: Parameters
  ): Handle {
    return this.callSoonIn(undefined, callback, ...parameters);
  }

  /** `callSoon` with a context to run in; asyncio: `call_soon(…, context=…)`. */
  callSoonIn<Parameters extends readonly unknown[]>(
    context: Context | undefined,
    callback: Callback<Parameters>,
    ...parameters: Parameters
  ): Handle {
    this.checkCallback("callSoon", callback, context);
    const handle = new Handle(this, callback, parameters, context);
    this.scheduler.callSoon(handle);
    return handle;
  }

  /** Calls `callback` after `delay` seconds. */
  callLater<Parameters extends readonly unknown[]>(
    delay: number,
    callback: Callback<Parameters>,
    ...parameters: Parameters
  ): TimerHandle {
    if (typeof delay !== "number" || Number.isNaN(delay))
      throw badArgument("callLater", "a delay in seconds", delay);
    return this.callAtIn(undefined, this.time() + delay, callback, ...parameters);
  }

  /** Calls `callback` when `time()` reaches `when`. Timers with equal deadlines run in the order they were made. */
  callAt<Parameters extends readonly unknown[]>(
    when: number,
    callback: Callback<Parameters>,
    ...parameters: Parameters
  ): TimerHandle {
    return this.callAtIn(undefined, when, callback, ...parameters);
  }

  /** `callAt` with a context to run in; asyncio: `call_at(…, context=…)`. */
  callAtIn<Parameters extends readonly unknown[]>(
    context: Context | undefined,
    when: number,
    callback: Callback<Parameters>,
    ...parameters: Parameters
  ): TimerHandle {
    if (typeof when !== "number" || Number.isNaN(when))
      throw badArgument("callAt", "a time in seconds", when);
    this.checkCallback("callAt", callback, context);
    const handle = new TimerHandle(this, when, callback, parameters, context);
    this.scheduler.callAt(when, handle);
    return handle;
  }

  /** Throws unless the loop is open and can call `callback`. @internal */
  checkCallback(where: string, callback: unknown, context?: Context): void {
    this.#requireOpen();
    if (typeof callback !== "function" || isCoroutineFunction(callback)) {
      throw badArgument(where, "a plain function", callback, "coroutines are scheduled with createTask");
    }
    if (context !== undefined) checkOptions({ context }, where);
  }

  /** A pending future of this loop. asyncio: `create_future`. */
  createFuture<T>(): Future<T> {
    return new Future<T>(this);
  }

  /** Schedules `coroutine` as a task of this loop. See the function of the same name. */
  createTask<T>(coroutine: CoroutineLike<T>, options: TaskOptions = noOptions): Task<T> {
    const wanted = toCoroutine(coroutine, "createTask");
    if (this.#isClosed) {
      wanted.close();
      this.#requireOpen();
    }
    if (this.#taskFactory !== null) return this.#taskFactory(this, wanted, options);
    return new Task<T>(wanted, options, this);
  }

  /** Makes `createTask` use `factory`; null goes back to plain tasks. */
  setTaskFactory(factory: TaskFactory | null): void {
    checkFunctionOrNull(factory, "setTaskFactory");
    this.#taskFactory = factory;
  }

  /** What was given to `setTaskFactory`; null stands for plain tasks. */
  getTaskFactory(): TaskFactory | null {
    return this.#taskFactory;
  }

  // ── Errors ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Replaces what happens to errors that nobody else can get; null goes back to printing them. */
  setExceptionHandler(handler: ExceptionHandler | null): void {
    checkFunctionOrNull(handler, "setExceptionHandler");
    this.#exceptionHandler = handler;
  }

  /** What was given to `setExceptionHandler`; null stands for the default handler. */
  getExceptionHandler(): ExceptionHandler | null {
    return this.#exceptionHandler;
  }

  /** Prints the error, the task it is from, where that was made and who awaits it. */
  defaultExceptionHandler(context: ExceptionContext): void {
    host.printError(describeError(context));
  }

  /** Reports an error that nobody else can get. */
  callExceptionHandler(context: ExceptionContext): void {
    this.#report(context, contextOf(context));
  }

  /** Calls the exception handler in a context: that of the task or callback which has failed. */
  #report(context: ExceptionContext, runIn: Context | undefined): void {
    const full = this.#withSite(context);
    const handler = this.#exceptionHandler;
    if (handler === null) {
      this.#callDefaultHandler(full);
      return;
    }
    const outerSegment = enterSegment(null);
    const outerContext = swapSegmentContext(runIn);
    const outerLoop = swapSegmentLoop(this);
    try {
      handler(this, full);
    } catch (error) {
      this.#callDefaultHandler({
        message: "Unhandled error in exception handler",
        exception: error,
        context: full,
      });
    } finally {
      swapSegmentLoop(outerLoop);
      swapSegmentContext(outerContext);
      leaveSegment(outerSegment);
    }
  }

  #callDefaultHandler(context: ExceptionContext): void {
    try {
      this.defaultExceptionHandler(context);
    } catch (error) {
      host.printError(
        `error in the default exception handler while reporting '${context.message}': ${String(error)}`,
      );
    }
  }

  #withSite(context: ExceptionContext): ExceptionContext {
    const subject = context.task ?? context.future ?? context.handle;
    const site = subject === undefined ? undefined : this.siteOf(subject);
    return site === undefined ? context : { ...context, sourceTraceback: site };
  }

  // ── Exceptions that nobody has retrieved yet ──────────────────────────────────────────────────────────────────

  /** @internal */
  noteUnseenException(future: Future): void {
    const unseen: UnseenException = {
      loop: this,
      exception: future.outcome,
      message: `${future[Symbol.toStringTag]} exception was never retrieved`,
      name: future instanceof Task ? future.describe() : undefined,
      context: future instanceof Task ? future.getContext() : undefined,
      site: this.siteOf(future),
    };
    this.#unseen.add(unseen);
    unseenOf.set(future, unseen);
    collectedFutures.register(future, unseen, future);
  }

  /** @internal */
  noteExceptionRetrieved(future: Future): void {
    const unseen = unseenOf.get(future);
    if (unseen === undefined) return;
    unseenOf.delete(future);
    this.#unseen.delete(unseen);
    collectedFutures.unregister(future);
  }

  /** Reports what nobody has retrieved by now. @internal */
  reportUnseenException(unseen: UnseenException): void {
    if (!this.#unseen.delete(unseen)) return;
    const report = {
      message: unseen.message,
      exception: unseen.exception,
      ...(unseen.name === undefined ? {} : { taskName: unseen.name }),
      ...(unseen.site === undefined ? {} : { sourceTraceback: unseen.site }),
    };
    this.#report(report, unseen.context);
  }

  /** @internal */
  noteTaskFailed(task: Task, error: unknown): void {
    if (this.#main !== (task as Future) && this.haltsOn(error)) this.noteExceptionRetrieved(task);
  }

  /** `KeyboardInterrupt`, from a task or callback, ends `runForever`. Returns whether it did. @internal */
  haltsOn(error: unknown): boolean {
    const halts = isKeyboardInterrupt(error) && this.#isRunning;
    if (halts) this.#halt(error);
    return halts;
  }

  // ── Debug mode ────────────────────────────────────────────────────────────────────────────────────────────────

  /** True in debug mode. asyncio: `get_debug`. */
  getDebug(): boolean {
    return this.#isDebug;
  }

  /** Debug mode: creation sites in every report, slow steps reported, cancellations with stacks. */
  setDebug(enabled: boolean): void {
    if (enabled === this.#isDebug) return;
    this.#isDebug = enabled;
    if (enabled) this.#enableDebug();
    else {
      this.#sites = null;
      noteDebugMode(-1);
    }
  }

  #enableDebug(): void {
    this.#sites = new WeakMap<object, string>();
    noteDebugMode(1);
  }

  /** A future or a handle is being made. @internal */
  noteSite(subject: object): void {
    this.#sites?.set(subject, captureSite());
  }

  /** Where a future, task or handle was made; known in debug mode. @internal */
  siteOf(subject: object): string | undefined {
    return this.#sites?.get(subject);
  }

  /** @internal */
  startTiming(): number {
    return this.#isDebug ? host.now() : 0;
  }

  /** @internal */
  endTiming(started: number, subject: Task | string): void {
    if (started === 0) return;
    const seconds = host.now() - started;
    if (seconds < this.slowCallbackDuration) return;
    const what = typeof subject === "string" ? subject : `task ${subject.describe()}`;
    host.warn(`executing ${what} took ${seconds.toFixed(3)} seconds`, "CORIO_SLOW_CALLBACK");
  }

  /** @internal */
  watchStuckCancel(task: Task): void {
    host.setTimer(
      () => {
        if (task.done() || !task.isOnForeignPromise) return;
        this.callExceptionHandler({
          message:
            `Task ${task.describe()} was cancelled ${STUCK_SECONDS.toString()} s ago but sits on a foreign promise; ` +
            "wrap what it awaits in until(), or pass signal() to it",
          task,
        });
      },
      STUCK_SECONDS * 1000,
      false,
    );
  }

  /** @internal */
  watchLeftStrands(task: Task): void {
    host.setTimer(
      () => {
        if (task.done()) return;
        const left = task.waitsFor().map((future) => future?.describeWait() ?? "its next iteration");
        this.callExceptionHandler({
          message:
            `Task ${task.describe()} returned ${STUCK_SECONDS.toString()} s ago but is not done: it left behind ` +
            `${left.length.toString()} await(s), of ${left.join(", ")}; await them, or use wait() instead of Promise.race`,
          task,
        });
      },
      STUCK_SECONDS * 1000,
      false,
    );
  }

  // ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The loop's tasks that are not done, oldest first. @internal */
  tasks(): Task[] {
    const tasks: Task[] = [];
    for (let task = this.#firstTask; task !== null; task = task.nextTask) tasks.push(task);
    return tasks;
  }

  /** How many tasks of the loop are not done. asyncio: `len(all_tasks(loop))`. */
  get taskCount(): number {
    return this.#taskCount;
  }

  /** @internal */
  register(task: Task): void {
    this.#taskCount++;
    task.previousTask = this.#lastTask;
    if (this.#lastTask === null) this.#firstTask = task;
    else this.#lastTask.nextTask = task;
    this.#lastTask = task;
  }

  /** @internal */
  unregister(task: Task): void {
    if (task.previousTask === null && task.nextTask === null && this.#firstTask !== task) return;
    this.#taskCount--;
    if (task.previousTask === null) this.#firstTask = task.nextTask;
    else task.previousTask.nextTask = task.nextTask;
    if (task.nextTask === null) this.#lastTask = task.previousTask;
    else task.nextTask.previousTask = task.previousTask;
    task.previousTask = null;
    task.nextTask = null;
  }
}

showAs(EventLoop, (loop) => {
  const state = loop.isClosed() ? "closed" : loop.isRunning() ? "running" : "stopped";
  return `<EventLoop ${state}, ${loop.taskCount.toString()} task(s)${loop.getDebug() ? ", debug" : ""}>`;
});

/** An exception on its way to the exception handler; it must not hold the future. */
interface UnseenException {
  readonly loop: EventLoop;
  readonly exception: unknown;
  readonly message: string;
  readonly name: string | undefined;
  readonly context: Context | undefined;
  readonly site: string | undefined;
}

const unseenOf = new WeakMap<Future, UnseenException>();
const collectedFutures = new FinalizationRegistry<UnseenException>((unseen) => {
  unseen.loop.reportUnseenException(unseen);
});

function checkFunctionOrNull(value: unknown, where: string): void {
  if (value !== null && typeof value !== "function") throw badArgument(where, "a function or null", value);
}

function contextOf(context: ExceptionContext): Context | undefined {
  if (context.task instanceof Task) return context.task.getContext();
  return context.handle instanceof Handle ? context.handle.getContext() : undefined;
}

let threadLoop: EventLoop | null = null;

/**
 * The loop of the running task or callback. Throws `RuntimeError` when there is none: start the program with `run`.
 *
 * asyncio: `get_running_loop`.
 */
export function getRunningLoop(): EventLoop {
  return getLoop();
}

/** The running loop, else the one given to `setEventLoop`; throws `RuntimeError` when there is neither. */
export function getEventLoop(): EventLoop {
  return runningLoop() ?? threadLoop ?? getRunningLoop();
}

/** Makes `loop` what `getEventLoop` returns outside of any task. asyncio: `set_event_loop`. */
export function setEventLoop(loop: EventLoop | null): void {
  if (loop !== null && !(loop instanceof EventLoop))
    throw badArgument("setEventLoop", "an EventLoop or null", loop);
  threadLoop = loop;
}

/** A new loop, which does not run yet. asyncio: `new_event_loop`. */
export function newEventLoop(options: EventLoopOptions = noOptions): EventLoop {
  return new EventLoop(options);
}

setDefaultLoop(getEventLoop);
