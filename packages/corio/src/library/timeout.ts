import { badArgument, InvalidStateError, isCancelledError, TimeoutError, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { isGeneratorFunction } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { Future } from "../futures/future.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { toSeconds } from "./duration.ts";
import type { Duration } from "./duration.ts";
import { ScopeSignal } from "./scope-signal.ts";
import { popScope, pushScope } from "./scope-stack.ts";
import type { StackedScope } from "./scope-stack.ts";
import { checkBody, ScopedCall } from "./scoped-call.ts";
import type { Failure, Scope, ScopeBody } from "./scoped-call.ts";

/** Options of `timeout` and `timeoutAt`. */
export interface TimeoutOptions {
  /** Cancels the block when it aborts; the `CancelledError` has the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * `active`: the block runs. `expiring`: time is up, the block has been cancelled and is on its way out. `expired`: it
 * has ended after that. `finished`: it ended in time.
 */
export type TimeoutState = "active" | "expiring" | "expired" | "finished";

/**
 * The deadline of a block of code: what `timeout` and `timeoutAt` give to it.
 *
 * asyncio: `Timeout`.
 */
export class Timeout implements Scope, StackedScope {
  readonly #task: Task;
  readonly #cancelling: number;
  readonly #entered: number;
  readonly #signal: ScopeSignal | null;
  #state: TimeoutState = "active";
  #when: number | null;
  #timer: DeadlineTimer | null = null;
  /** @internal */
  outerScope: StackedScope | null = null;

  /** @internal */
  constructor(task: Task, when: number | null, signal?: AbortSignal) {
    this.#task = task;
    this.#cancelling = task.cancelling();
    this.#entered = task.loop.time();
    this.#when = when;
    this.#arm();
    pushScope(task, this);
    this.#signal = signal === undefined ? null : new ScopeSignal(task, signal);
  }

  /** The deadline, in seconds of `loop.time()`; null when there is none. */
  when(): number | null {
    return this.#when;
  }

  /**
   * Moves the deadline to `when`, in seconds of `loop.time()`; null takes it away. A time in the past ends the block
   * in the next iteration. Throws `InvalidStateError` when time is up already or the block has ended.
   */
  reschedule(when: number | null): void {
    checkTime(when, "Timeout.reschedule");
    if (this.#state !== "active") {
      throw new InvalidStateError(`cannot change the deadline of a timeout that is ${this.#state}`);
    }
    this.#when = when;
    this.#timer?.cancel();
    this.#arm();
  }

  /** Whether time ran out while the block was running. */
  expired(): boolean {
    return this.#state === "expiring" || this.#state === "expired";
  }

  /** Where the block stands. */
  get state(): TimeoutState {
    return this.#state;
  }

  /** @internal */
  get scopeName(): string {
    return "timeout()";
  }

  #arm(): void {
    const loop = this.#task.loop;
    const when = this.#when;
    if (when === null) this.#timer = null;
    else this.#timer = new DeadlineTimer(loop, when <= loop.time() ? undefined : when, this.#onDue);
  }

  readonly #onDue = (): void => {
    this.#timer = null;
    this.#task.cancel(undefined, { requestedBy: "timeout" });
    this.#state = "expiring";
  };

  /** @internal */
  noteBodyEnd(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** @internal */
  wanted(): Future | null {
    return null;
  }

  /** @internal */
  noteInterruption(): void {
    // There is nothing it waits for.
  }

  /** @internal */
  leave(failure: Failure | null): Failure | null {
    let thrown = failure;
    if (this.#state === "expiring") {
      this.#state = "expired";
      // With other requests for cancellation pending the `CancelledError` is theirs.
      if (this.#task.uncancel() <= this.#cancelling && failure !== null) thrown = this.#convert(failure);
    } else this.#state = "finished";
    this.#signal?.release();
    return popScope(this.#task, this, thrown);
  }

  #convert(failure: Failure): Failure {
    const { error } = failure;
    if (isCancelledError(error)) return { error: this.#timeoutError(error) };
    this.#insertTimeoutError(error);
    if (error instanceof AggregateError) for (const member of error.errors) this.#insertTimeoutError(member);
    return failure;
  }

  /** Another error is leaving: if the cancellation caused it, it says that the cancellation was a timeout. */
  #insertTimeoutError(error: unknown): void {
    const seen = new Set<unknown>();
    let effect = error;
    while (effect instanceof Error && !seen.has(effect)) {
      seen.add(effect);
      if (isCancelledError(effect.cause)) {
        Reflect.set(effect, "cause", this.#timeoutError(effect.cause));
        return;
      }
      effect = effect.cause;
    }
  }

  #timeoutError(cause: unknown): TimeoutError {
    const elapsed = this.#task.loop.time() - this.#entered;
    return new TimeoutError(`timed out after ${String(Number(elapsed.toFixed(3)))} s`, { cause });
  }
}

showAs(Timeout, (timeout) => {
  const when = timeout.when();
  const deadline = when === null ? "none" : String(Number(when.toFixed(3)));
  return `<Timeout [${timeout.state}]${timeout.state === "active" ? ` when=${deadline}` : ""}>`;
});

/**
 * Runs `body` in the current task and cancels it when `delay` has passed: the block then ends with `TimeoutError`.
 * Gives what `body` gives. The delay counts from the moment the block begins; null means no limit, and 0 or less lets
 * the block run up to its first wait.
 *
 * `body` gets the `Timeout`, whose deadline it may move. It may be an async function, a generator function, or a
 * function that returns a coroutine or another awaitable.
 *
 * The limit holds for everything that the block awaits, and the block's `finally` parts run and may wait, so it may end
 * later than the deadline. A block that catches the cancellation and returns has come through: nothing is thrown. Two
 * timeouts of one task must not overlap under `Promise.all`: give each a task of its own, with `gather`.
 *
 * Cancel safety: a cancellation of the task from outside stays a `CancelledError`, also when time runs out as well.
 *
 * asyncio: `async with timeout(delay)`. Throws `TimeoutError` when time is up, with the cancellation as its cause;
 * `RuntimeError` outside of a task (`CORIO_NO_RUNNING_TASK`) and for overlapping scopes (`CORIO_OVERLAPPING_SCOPES`).
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep, timeout, TimeoutError } from "corio";
 *
 * const main = coroutine(async function main() {
 *   try {
 *     await timeout({ milliseconds: 10 }, async () => {
 *       await sleep(60);
 *     });
 *   } catch (error) {
 *     console.log(error instanceof TimeoutError);
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * true
 * ```
 */
export function timeout<T>(
  delay: Duration | null,
  body: (scope: Timeout) => Steps<T>,
  options?: TimeoutOptions,
): Coroutine<T>;
export function timeout<T>(
  delay: Duration | null,
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  body: (scope: Timeout) => T | PromiseLike<T>,
  options?: TimeoutOptions,
): Coroutine<T>;
export function timeout<T>(
  delay: Duration | null,
  body: ScopeBody<Timeout, T>,
  options: TimeoutOptions = noOptions,
): Coroutine<T> {
  checkBody(body, "timeout", "to limit one awaitable use waitFor(awaitable, delay)");
  checkOptions(options, "timeout");
  return new TimeoutCall<T>(
    "timeout",
    delay === null ? null : toSeconds(delay, "timeout"),
    true,
    body,
    options,
  );
}

/**
 * `timeout` with the deadline as a time of the loop's clock, in seconds of `loop.time()`; null means no limit.
 *
 * Cancel safety: as `timeout`.
 *
 * asyncio: `async with timeout_at(when)`. Throws what `timeout` throws.
 *
 * @example
 * ```ts
 * import { coroutine, getRunningLoop, run, sleep, timeoutAt, TimeoutError } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const deadline = getRunningLoop().time() + 0.01;
 *   try {
 *     await timeoutAt(deadline, () => sleep(60));
 *   } catch (error) {
 *     console.log(error instanceof TimeoutError);
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * true
 * ```
 */
export function timeoutAt<T>(
  when: number | null,
  body: (scope: Timeout) => Steps<T>,
  options?: TimeoutOptions,
): Coroutine<T>;
export function timeoutAt<T>(
  when: number | null,
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  body: (scope: Timeout) => T | PromiseLike<T>,
  options?: TimeoutOptions,
): Coroutine<T>;
export function timeoutAt<T>(
  when: number | null,
  body: ScopeBody<Timeout, T>,
  options: TimeoutOptions = noOptions,
): Coroutine<T> {
  checkBody(body, "timeoutAt");
  checkOptions(options, "timeoutAt");
  checkTime(when, "timeoutAt");
  return new TimeoutCall<T>("timeoutAt", when, false, body, options);
}

/** The call of `timeout`, `timeoutAt` or `waitFor`. @internal */
export class TimeoutCall<T> extends ScopedCall<Timeout, T> {
  constructor(
    name: string,
    time: number | null,
    isDelay: boolean,
    body: ScopeBody<Timeout, T>,
    options: TimeoutOptions = noOptions,
    isNative?: boolean,
  ) {
    const enter = (task: Task): Timeout => {
      const when = time !== null && isDelay ? task.loop.time() + time : time;
      return new Timeout(task, when, options.signal);
    };
    super(name, enter, body, isNative ?? !isGeneratorFunction(body));
  }
}

function checkTime(when: unknown, where: string): void {
  if (when === null) return;
  if (typeof when !== "number")
    throw badArgument(where, "a time of the loop's clock, in seconds, or null", when);
  if (Number.isNaN(when)) throw new ValueError(`${where} expects a time, got NaN`);
}
