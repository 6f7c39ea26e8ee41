import { host } from "#host";
import { badArgument, describeValue, isCancelledError, makeCancelledError, RuntimeError } from "../errors.ts";
import type { CancelDetails } from "../errors.ts";
import type { Surroundings } from "../host/host.ts";
import type { Runnable } from "../loop/runnable.ts";
import { endStep, endStepSoon, openStep } from "../loop/step.ts";
import type { StepOwner } from "../loop/step.ts";
import { followAbort, leaveAbort } from "./abort-followers.ts";
import { Context, currentContextValues } from "./context.ts";
import type { ContextValues } from "./context.ts";
import { Coroutine } from "./coroutine.ts";
import type { Body } from "./coroutine.ts";
import type { EventLoop } from "./event-loop.ts";
import { CANCELLED, FAILED, FAILED_UNSEEN, FINISHED, Future, PENDING } from "./future.ts";
import type { CancelOptions, FutureState } from "./future.ts";
import { RootStrand } from "./generator-strand.ts";
import type { Sink } from "./generator-strand.ts";
import type { NativeAwait } from "./native-await.ts";
import { checkOptions, noOptions } from "./options.ts";
import { enterSegment, leaveSegment, runningTask, swapSegmentContext } from "./running.ts";
import { Strand } from "./strand.ts";

/** Options of `createTask` and of the `Task` constructor. */
export interface TaskOptions {
  /** Shown wherever the task is named; by default `Task-1`, `Task-2`, … */
  readonly name?: string | undefined;
  /** The context the task runs in, itself and not a copy; by default a copy of the current one. */
  readonly context?: Context | undefined;
  /**
   * Runs the first step inside the constructor instead of the next iteration: for a generator coroutine up to its
   * first suspension (it may be done at once), for a native function up to its first `await`.
   */
  readonly eagerStart?: boolean | undefined;
  /** Cancels the task when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** What few tasks have. */
interface Rare {
  /** The body has ended, and this is how; other strands of the task have not. */
  ending: { readonly failed: boolean; readonly value: unknown } | null;
  /** The signal handed out by `signal()`, until a cancel has been delivered. */
  abort: AbortController | null;
  /** `signal()` was called since the loop last resumed the task. */
  isSignalInUse: boolean;
  /** Of the request that `mustCancel` stands for. */
  cancelDetails: CancelDetails | null;
  /** When the open step began; 0 except in debug mode. */
  stepStart: number;
  /** Strands that get their value although the task was cancelled, and the cancel at the next suspension. */
  redelivered: Map<Strand, CancelDetails> | null;
}

const MUST_CANCEL = 1;
const ON_FOREIGN_PROMISE = 2;
const REMEMBERED_BY_HOST = 4;
const STARTED = 8;
/** A request for cancellation is being passed on to what the task waits for. */
const IS_ASKED = 16;
const ONE_CANCEL_REQUEST = 32;

let tasksMade = 0;

/**
 * A coroutine that runs beside others.
 *
 * Life of a task:
 *
 *                         cancel() before the first step
 *     created ──────────────────────────────────────────────► cancelled
 *        │ first step
 *        ▼         await of a pending future, sleep(0)
 *     stepping ◄───────────────────────────────────► suspended (one or more strands)
 *        │    ◄───────────────────────────────────► on a foreign promise (no strand; the host resumes it)
 *        │ body returns or throws
 *        ▼
 *     ending: waits for the strands that are left; when the body failed they are cancelled
 *        ▼
 *     finished, failed or cancelled
 *
 * Cancellation is asyncio's: `cancel()` counts the request, then cancels what the strands wait for; the body meets
 * `CancelledError` at its innermost await. Where nothing can be cancelled (the task is stepping, yields, or is on a
 * foreign promise) `mustCancel` keeps the request until the next suspension or resumption.
 *
 * asyncio: `Task`. Made by `createTask`, `taskGroup`, `loop.createTask` or `new Task(coroutine)`.
 */
export class Task<T = unknown> extends Future<T> implements StepOwner, Sink, Runnable {
  #coroutine: Coroutine<T> | null;
  /** A number until somebody wants the name. */
  #name: string | number;
  /** Flags in the low bits, the number of cancel requests above them: there may be a million tasks. */
  #flags = 0;
  /** One strand, or several in the order they suspended. */
  #strands: Strand | Set<Strand> | null = null;
  #context: Context | ContextValues;
  /**
   * Those the body runs in: the creator's. Let go when they are not needed any more: they hold the creator, and in a
   * chain of tasks, each made by the one before, that would be every task there ever was.
   */
  #surroundings: Surroundings;
  #rare: Rare | null = null;
  /** Neighbours in the loop's list of tasks. @internal */
  nextTask: Task | null = null;
  /** @internal */
  previousTask: Task | null = null;

  /**
   * Schedules the first step, or runs it when `eagerStart` is set. Takes a coroutine only, else throws
   * `ArgumentTypeError`; `createTask` takes more. The loop is by default the running one; the third parameter is
   * corio's own.
   */
  constructor(
    coroutine: Coroutine<T>,
    options: TaskOptions & { readonly loop?: EventLoop | undefined } = noOptions,
    loop?: EventLoop,
  ) {
    if (!(coroutine instanceof Coroutine)) {
      throw badArgument("Task", "a coroutine", coroutine, "call the coroutine function, or use createTask");
    }
    if (options !== noOptions) {
      try {
        checkOptions(options, "createTask");
      } catch (error) {
        // Nothing has been done, and it will not run.
        coroutine.close();
        throw error;
      }
    }
    super(loop ?? options.loop);
    this.#coroutine = coroutine;
    coroutine.claim();
    this.#name = ++tasksMade;
    if (options.name !== undefined) this.setName(options.name);
    this.#context = options.context ?? currentContextValues();
    this.#surroundings = host.context.capture();
    const self = this as unknown as Task;
    if (options.signal !== undefined) this.followSignal(options.signal);
    // Before an eager first step: `allTasks` shows the task in it.
    this.loop.register(self);
    if (options.eagerStart === true && this.loop.isRunning() && this.startEagerly()) return;
    if (this.isNew) this.loop.scheduler.callSoon(this);
  }

  override get [Symbol.toStringTag](): string {
    return "Task";
  }

  /** The name for reports: the one it was given, else `Task-` and a number. asyncio: `get_name`. */
  getName(): string {
    if (typeof this.#name === "number") this.#name = `Task-${this.#name.toString()}`;
    return this.#name;
  }

  /** As in asyncio, whatever is given becomes a string. */
  setName(name: unknown): void {
    this.#name = typeof name === "string" ? name : host.inspect(name);
  }

  /** The coroutine that the task runs; null for a task that was done when `eagerStart` returned. */
  getCoro(): Coroutine<T> | null {
    return this.#coroutine;
  }

  /** The context the task runs in. asyncio: `get_context`. */
  getContext(): Context {
    if (!(this.#context instanceof Context)) this.#context = new Context(this.#context);
    return this.#context;
  }

  /** @internal */
  get contextValues(): ContextValues {
    return this.#context instanceof Context ? this.#context.values : this.#context;
  }

  /** Not for tasks: only the coroutine gives a task its result. Throws `RuntimeError`. */
  override setResult(): never {
    throw new RuntimeError("a task gets its result from its coroutine: setResult is for futures");
  }

  /** Not for tasks: only the coroutine gives a task its exception. Throws `RuntimeError`. */
  override setException(): never {
    throw new RuntimeError("a task gets its exception from its coroutine: setException is for futures");
  }

  /**
   * Asks the task to end: `CancelledError` is thrown at its innermost await, its `finally` blocks run, and whoever
   * awaits the task waits for them. A task that has not begun never begins. The coroutine may refuse by catching the
   * error. Returns false when the task is done already.
   *
   * asyncio: `Task.cancel(msg)`; `reason` is the message and may be any value.
   */
  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (this.state !== PENDING) return false;
    if ((this.#flags & IS_ASKED) !== 0) {
      // By a listener to its signal, or by what it waits for, which waits for it.
      this.#flags += ONE_CANCEL_REQUEST;
      return true;
    }
    const requestedBy = options?.requestedBy ?? runningTask()?.getName();
    const details = { reason, requestedBy, requestedAt: this.loop.time() };
    const asked: Task[] = [this];
    try {
      // Tasks that wait for each other in a row may be too many for the stack: each adds the next to the list.
      for (const task of asked) task.ask(details, asked);
    } finally {
      for (const task of asked) task.setFlag(IS_ASKED, false);
    }
    return true;
  }

  /** Counts a request and passes it on. The task that has to be asked next is added to `asked`. */
  private ask(details: CancelDetails, asked: Task[]): void {
    this.#flags += ONE_CANCEL_REQUEST + IS_ASKED;
    const wasDelivered = this.abortSignal(details);
    const strand = this.#strands;
    const awaited = strand instanceof Strand ? strand.future : null;
    if (awaited instanceof Task && awaited.state === PENDING && awaited.cancel === Task.prototype.cancel) {
      if ((awaited.#flags & IS_ASKED) === 0) {
        asked.push(awaited);
        return;
      }
      if (asked.includes(awaited)) {
        // They wait for each other, and would for ever: this one goes on.
        awaited.dropCallback(strand as Strand);
        this.#strands = null;
        this.suspendOnYield(strand as Strand);
      }
    }
    if (this.#strands === null ? wasDelivered : this.cancelStrands(details)) return;
    this.setFlag(MUST_CANCEL, true);
    this.rareFields().cancelDetails = details;
    if (this.isOnForeignPromise) this.loop.watchStuckCancel(this);
  }

  /** How many cancellations were asked for and not taken back by `uncancel`. */
  cancelling(): number {
    return Math.floor(this.#flags / ONE_CANCEL_REQUEST);
  }

  /**
   * Takes back one request for cancellation and returns how many are left. For whoever called `cancel` and has dealt
   * with the consequences (a timeout, a task group). At 0 a cancel that is not delivered yet is dropped.
   */
  uncancel(): number {
    const requests = this.cancelling();
    if (requests === 0) return 0;
    this.#flags -= ONE_CANCEL_REQUEST;
    if (requests === 1) this.setFlag(MUST_CANCEL, false);
    return requests - 1;
  }

  /**
   * An `AbortSignal` that aborts when the task is cancelled, for APIs that take one. After each delivered cancel there
   * is a new signal.
   */
  signal(): AbortSignal {
    const rare = this.rareFields();
    rare.abort ??= new AbortController();
    rare.isSignalInUse = true;
    return rare.abort.signal;
  }

  /** True while the loop does not know what the task awaits. @internal */
  get isOnForeignPromise(): boolean {
    return (this.#flags & ON_FOREIGN_PROMISE) !== 0;
  }

  /** A cancellation is to be raised at the next suspension or resumption. @internal */
  get mustCancel(): boolean {
    return (this.#flags & MUST_CANCEL) !== 0;
  }

  private setFlag(flag: number, value: boolean): void {
    if (value) this.#flags |= flag;
    else this.#flags &= ~flag;
  }

  /** True until the first step. @internal */
  get isNew(): boolean {
    return (this.#flags & STARTED) === 0;
  }

  /** What the task's strands wait for; undefined for one that only yields. @internal */
  waitsFor(): (Future | undefined)[] {
    return this.strands().map((strand) => strand.future ?? undefined);
  }

  /** @internal */
  strands(): Strand[] {
    if (this.#strands === null) return [];
    return this.#strands instanceof Strand ? [this.#strands] : [...this.#strands];
  }

  /** The task with the function it runs, for reports: `'Task-3' (fetchData)`. @internal */
  describe(): string {
    const callee = this.#coroutine?.name;
    return callee === undefined
      ? `'${this.getName()}'`
      : `'${this.getName()}' (${callee.replace(/^\((.*)\)$/, "$1")})`;
  }

  override describeWait(): string {
    return `task ${this.describe()}`;
  }

  // ── The first step ────────────────────────────────────────────────────────────────────────────────────────────

  /** The first step. Later ones are those of the task's strands. @internal */
  run(): void {
    if (!this.loop.admits(this)) return;
    if (this.mustCancel) {
      this.setFlag(STARTED, true);
      this.#coroutine?.close();
      this.end(true, this.takeCancel());
      return;
    }
    this.start(true);
  }

  /** True when the task is done. */
  private startEagerly(): boolean {
    const coroutine = this.#coroutine as Coroutine<T>;
    // Without the host's memory a native function's awaits could not be told from its creator's.
    if (coroutine.isNative && !host.context.remembersTask) return false;
    // The creator may be a callback, or inside `Context.run`: that context is not the task's.
    const outer = swapSegmentContext(undefined);
    try {
      this.start(false);
    } finally {
      swapSegmentContext(outer);
    }
    if (this.state === PENDING) {
      // No step watches over what a native function (or one inside a generator, see `start`) awaits first: until it is
      // the loop's, it may be the host's.
      if (coroutine.isNative) this.enterForeignPromise();
      return false;
    }
    this.#coroutine = null;
    return true;
  }

  private start(byLoop: boolean): void {
    const coroutine = this.#coroutine as Coroutine<T>;
    const task = this as unknown as Task;
    this.setFlag(STARTED, true);
    if (coroutine.isNative) {
      const outer = enterSegment(task);
      const started = this.loop.startTiming();
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the `this` that follows it
      const isOnItsWay = this.#surroundings.forTask.runInAsyncScope(this.startNative, this);
      leaveSegment(outer);
      this.#surroundings = host.context.neutral;
      if (byLoop && isOnItsWay) this.openStep(started);
      return;
    }
    let body: Body<T>;
    try {
      if (coroutine.attempt(task)) {
        this.deliver(coroutine.attempted());
        return;
      }
      body = coroutine.begin(task);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (body instanceof Future) this.awaitBody(body);
    else {
      const strand = new RootStrand(task, body as Exclude<Body<T>, Promise<T>>);
      if (byLoop) strand.resumeByLoop(false, undefined);
      else if (strand.resume(false, undefined) === "native" && this.#strands === null)
        this.enterForeignPromise();
    }
  }

  /** True when a native function is now on its way, whose step has to be left open. */
  private startNative(): boolean {
    const coroutine = this.#coroutine as Coroutine<T>;
    host.context.enter(this);
    try {
      coroutine.noteStart();
      const body = coroutine.begin(this);
      if (body instanceof Future) this.awaitBody(body);
      else this.awaitNative(body as Promise<T>);
    } catch (error) {
      this.fail(error);
    }
    return this.state === PENDING;
  }

  private awaitNative(promise: Promise<T>): void {
    if (host.context.remembersTask) {
      // Where the host remembers the task, two functions serve all tasks.
      promise.then(nativeBodyReturned, nativeBodyThrew);
      return;
    }
    promise.then(
      (value) => {
        this.nativeBodyReturned(value);
      },
      (error: unknown) => {
        this.nativeBodyThrew(error);
      },
    );
  }

  /** @internal */
  nativeBodyReturned(value: unknown): void {
    this.deliver(value);
    endStep(this);
  }

  /** @internal */
  nativeBodyThrew(error: unknown): void {
    this.fail(error);
    endStep(this);
  }

  /** The coroutine is an operation that only waits for a future. */
  private awaitBody(future: Future<T>): void {
    if (future.state === PENDING) this.suspendOn(new BodyAwait(this, this), future);
    else if (future.state === FINISHED) this.deliver(future.outcome);
    else this.fail(future.takeError());
  }

  // ── Suspending and resuming ───────────────────────────────────────────────────────────────────────────────────

  /** A native function of the task awaits `future`, which is pending. @internal */
  suspendNative(wait: NativeAwait, future: Future): void {
    this.suspendOn(wait, future);
    endStepSoon(this);
  }

  /** `strand` waits for `future`, which is pending. @internal */
  suspendOn(strand: Strand, future: Future): void {
    if (future.loop.scheduler !== this.loop.scheduler) {
      this.suspendOnError(
        strand,
        new RuntimeError(
          `task ${this.describe()} awaits ${future.describeWait()}, which belongs to another loop (another clock or thread)`,
          "CORIO_FOREIGN_LOOP",
        ),
      );
      return;
    }
    if (future === (this as unknown)) {
      this.suspendOnError(strand, this.selfAwaitError());
      return;
    }
    this.addStrand(strand, future);
    future.addCallback(strand);
    if (!this.mustCancel) return;
    const details = this.rareFields().cancelDetails as CancelDetails;
    if (future.cancel(details.reason, details)) this.setFlag(MUST_CANCEL, false);
  }

  /** `strand` goes on in the next iteration. @internal */
  suspendOnYield(strand: Strand): void {
    this.addStrand(strand, null);
    this.loop.scheduler.callSoon(strand);
  }

  /** `strand` has asked for something impossible: it gets `error` in the next iteration. @internal */
  suspendOnError(strand: Strand, error: unknown): void {
    const failed = new Future(this.loop);
    failed.state = FAILED;
    failed.outcome = error;
    this.addStrand(strand, failed);
    this.loop.scheduler.callSoon(strand);
  }

  /**
   * The loop is about to resume `strand`. Returns the error to throw into it, if it is not to get what it waited for.
   * @internal
   */
  resumeStrand(strand: Strand): unknown {
    const future = strand.future;
    strand.future = null;
    this.removeStrand(strand);
    // Without what few tasks have there is no signal, and no request that waits to be obeyed.
    if (this.#rare === null) return undefined;
    this.#rare.isSignalInUse = false;
    if (future !== null && future.state === CANCELLED) this.noteCancelDelivered();
    if (this.takeRedelivered(strand)) return undefined;
    if (!this.mustCancel) return undefined;
    // The request stays, for the next suspension.
    if (future !== null && future.isDeliveredInAnyCase && future.state === FINISHED) return undefined;
    // What the future holds is lost, as in asyncio; an exception of its own counts as seen.
    this.noteCancelDelivered();
    if (future !== null && future.state !== FINISHED && future.state !== PENDING) {
      const error = future.takeError();
      if (isCancelledError(error)) {
        // One throw answers both requests.
        this.setFlag(MUST_CANCEL, false);
        return error;
      }
    }
    return this.takeCancel();
  }

  /** The loop resumes a native function of the task; `started` is when, if that was before. @internal */
  openStep(started: number = this.loop.startTiming()): void {
    if (started !== 0) this.rareFields().stepStart = started;
    openStep(this, this.loop.scheduler);
  }

  /** @internal */
  get surroundings(): Surroundings {
    return this.#surroundings;
  }

  /** Makes the host remember the task in its surroundings, for the native functions that its generators call. @internal */
  rememberByHost(): void {
    if ((this.#flags & REMEMBERED_BY_HOST) !== 0) return;
    this.setFlag(REMEMBERED_BY_HOST, true);
    this.#surroundings.forTask.runInAsyncScope(() => {
      host.context.enter(this);
      this.#surroundings = host.context.capture();
    }, undefined);
  }

  /** @internal */
  selfAwaitError(): RuntimeError {
    return new RuntimeError(`task ${this.describe()} cannot await itself`, "CORIO_AWAITED_ITSELF");
  }

  /** The step's microtasks are over and the task has asked the loop for nothing. @internal */
  noteForeignAwait(): void {
    if (this.state !== PENDING || this.#strands !== null) return;
    const ending = this.#rare?.ending ?? null;
    if (ending !== null) {
      // The last strand is gone.
      this.settleAs(ending.failed, ending.value);
      return;
    }
    this.enterForeignPromise();
    if (this.mustCancel) this.loop.watchStuckCancel(this);
  }

  /** @internal */
  noteStepEnd(): void {
    if (this.#rare !== null) this.loop.endTiming(this.#rare.stepStart, this);
  }

  private addStrand(strand: Strand, future: Future | null): void {
    strand.future = future;
    this.leaveForeignPromise();
    if (this.#strands === null) this.#strands = strand;
    else if (this.#strands instanceof Strand) this.#strands = new Set([this.#strands, strand]);
    else this.#strands.add(strand);
  }

  private removeStrand(strand: Strand): void {
    if (this.#strands === strand) {
      this.#strands = null;
      return;
    }
    if (this.#strands === null || this.#strands instanceof Strand) return;
    this.#strands.delete(strand);
    if (this.#strands.size === 0) this.#strands = null;
  }

  private enterForeignPromise(): void {
    if (this.isOnForeignPromise) return;
    this.setFlag(ON_FOREIGN_PROMISE, true);
    this.loop.scheduler.enterForeign();
  }

  private leaveForeignPromise(): void {
    if (!this.isOnForeignPromise) return;
    this.setFlag(ON_FOREIGN_PROMISE, false);
    this.loop.scheduler.leaveForeign();
  }

  // ── Cancelling ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Gives every strand its cancellation; false when there was none to take it. */
  private cancelStrands(details: CancelDetails): boolean {
    const { reason } = details;
    if (this.#strands instanceof Strand) return this.#strands.future?.cancel(reason, details) ?? false;
    let accepted = false;
    for (const strand of this.strands()) {
      // One that only yields finds this when it is resumed.
      strand.future ??= new Future(this.loop);
      if (strand.future.cancel(reason, details)) accepted = true;
    }
    return accepted;
  }

  private takeCancel(): unknown {
    this.setFlag(MUST_CANCEL, false);
    const details = this.#rare?.cancelDetails ?? {};
    if (isCancelledError(details.reason)) return details.reason;
    return makeCancelledError(details, this.loop.getDebug());
  }

  /**
   * The request could not be obeyed where it was accepted, since what `strand` waits for has come through: it gets
   * that, and the request is obeyed at the next suspension. @internal
   */
  redeliverCancel(strand: Strand, details: CancelDetails): void {
    const rare = this.rareFields();
    rare.redelivered ??= new Map();
    rare.redelivered.set(strand, details);
  }

  /** Makes a redelivered request of `strand` the task's again; false when it has none. */
  private takeRedelivered(strand: Strand): boolean {
    const details = this.#rare?.redelivered?.get(strand);
    if (details === undefined) return false;
    this.#rare?.redelivered?.delete(strand);
    if (this.cancelling() > 0 && !this.mustCancel) {
      this.setFlag(MUST_CANCEL, true);
      this.rareFields().cancelDetails = details;
    }
    return true;
  }

  /** Aborts the signal that was handed out; true when somebody is listening to it. */
  private abortSignal(details: CancelDetails): boolean {
    const abort = this.#rare?.abort ?? null;
    if (abort === null || abort.signal.aborted) return false;
    const isInUse = this.rareFields().isSignalInUse || host.countAbortListeners(abort.signal) > 0;
    abort.abort(makeCancelledError(details, this.loop.getDebug()));
    const isDelivered = isInUse && this.isOnForeignPromise;
    if (isDelivered) this.rareFields().abort = null;
    return isDelivered;
  }

  private noteCancelDelivered(): void {
    if (this.#rare?.abort?.signal.aborted === true) this.#rare.abort = null;
  }

  private followSignal(signal: AbortSignal): void {
    const cancel = (): void => {
      this.cancel(signal.reason, { requestedBy: "AbortSignal" });
    };
    if (signal.aborted) {
      cancel();
      return;
    }
    followAbort(signal, cancel);
    this.addCallback({
      awaiter: null,
      run: () => {
        leaveAbort(signal, cancel);
      },
    });
  }

  // ── Ending ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The body returned. @internal */
  deliver(value: unknown): void {
    if (this.mustCancel) this.end(true, this.takeCancel());
    else this.end(false, value);
  }

  /** The body threw. @internal */
  fail(error: unknown): void {
    this.end(true, error);
  }

  private end(failed: boolean, value: unknown): void {
    this.leaveForeignPromise();
    if (this.#strands === null) {
      this.settleAs(failed, value);
      return;
    }
    this.rareFields().ending = { failed, value };
    if (failed) this.cancelStrands({ requestedBy: `the end of task ${this.describe()}` });
    else this.loop.watchLeftStrands(this);
  }

  private settleAs(failed: boolean, value: unknown): void {
    this.#surroundings = host.context.neutral;
    const state: FutureState = !failed ? FINISHED : isCancelledError(value) ? CANCELLED : FAILED_UNSEEN;
    this.loop.unregister(this);
    if (state === FAILED_UNSEEN) addSpawnSites(value, this);
    this.settle(state, failed ? (value ?? new Error(`a coroutine threw ${describeValue(value)}`)) : value);
    if (state === FAILED_UNSEEN) this.loop.noteTaskFailed(this, value);
  }

  private rareFields(): Rare {
    this.#rare ??= {
      ending: null,
      abort: null,
      isSignalInUse: false,
      cancelDetails: null,
      stepStart: 0,
      redelivered: null,
    };
    return this.#rare;
  }
}

function nativeBodyReturned(value: unknown): void {
  (host.context.current() as Task).nativeBodyReturned(value);
}

function nativeBodyThrew(error: unknown): void {
  (host.context.current() as Task).nativeBodyThrew(error);
}

const tracedErrors = new WeakSet<object>();

/** How many tasks an error's stack goes on through: in a deep recursion each error would have all of them. */
const TRACED_TASKS = 10;

/**
 * In debug mode an error's stack goes on, past the end of its task, with where the task was made, and where the tasks
 * were that await it.
 */
function addSpawnSites(error: unknown, task: Task): void {
  if (task.loop.siteOf(task) === undefined) return;
  try {
    if (!(error instanceof Error) || typeof error.stack !== "string" || tracedErrors.has(error)) return;
    tracedErrors.add(error);
    for (const link of awaitChain(task).slice(0, TRACED_TASKS)) {
      error.stack += `\n    at task ${link.describe()}, created\n${link.loop.siteOf(link) ?? ""}`;
    }
  } catch {
    // A frozen error, or one that cannot even be looked at: it goes on without.
  }
}

/** `task`, the task that awaits it, the one that awaits that, and so on: the first where there are several. */
export function awaitChain(task: Task): Task[] {
  const chain = new Set<Future>([task]);
  // A set also gives what is added on the way, and ends where a circle closes.
  for (const link of chain) {
    const awaiter = link.callbacks().find((callback) => callback.awaiter !== null)?.awaiter;
    if (awaiter) chain.add(awaiter);
  }
  return [...chain].filter((link) => link instanceof Task);
}

/** The root of a task whose coroutine only waits for a future, such as `createTask(sleep(1))`. */
class BodyAwait extends Strand {
  readonly #sink: Sink;

  constructor(task: Task, sink: Sink) {
    super(task);
    this.#sink = sink;
  }

  override run(): void {
    if (!this.task.loop.admits(this)) return;
    const future = this.future as Future;
    const error = this.task.resumeStrand(this);
    if (error !== undefined) this.#sink.fail(error);
    else if (future.state === FINISHED) this.#sink.deliver(future.outcome);
    else this.#sink.fail(future.takeError());
  }
}
