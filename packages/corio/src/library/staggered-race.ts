import { badArgument, isCancelledError, isKeyboardInterrupt, TimeoutError } from "../errors.ts";
import type { CancelledError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { FINISHED, Future, PENDING } from "../futures/future.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { Operation } from "../futures/operation.ts";
import { runningTask } from "../futures/running.ts";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { callBody } from "./body-call.ts";
import { toSeconds } from "./duration.ts";
import type { Duration } from "./duration.ts";
import { ExceptionGroup } from "./exception-group.ts";
import { waitFor } from "./wait-for.ts";
import { isIterable } from "./wait.ts";

/** Starts one of the competitors of `staggeredRace`. */
export type Competitor<T> = (() => Steps<T>) | (() => PromiseLike<T>);

/** Options of `staggeredRace`. */
export interface StaggeredRaceOptions {
  /** The loop to run the competitors on; by default the running one. */
  readonly loop?: EventLoop | undefined;
}

/** What `staggeredRace` gives. asyncio: the tuple of `winner_result`, `winner_index` and `exceptions`. */
export interface StaggeredRaceResult<T> {
  /** The winner's result; null when nobody won. */
  readonly result: T | null;
  /** The winner's place in the list; null when nobody won. */
  readonly index: number | null;
  /** For each competitor that was started the exception it ended with; null for the winner. */
  readonly exceptions: readonly unknown[];
}

/**
 * Starts the functions one after another, each when the one before has failed or `delay` later, and ends with the
 * first that succeeds: the others are cancelled and waited for. With null as the delay each starts only when the one
 * before has failed.
 *
 * This is the race of "Happy Eyeballs" (RFC 8305), where the competitors are connections to the addresses of a host.
 *
 * Cancel safety: cancelling cancels the competitors and waits for them.
 *
 * asyncio: `staggered.staggered_race`. Throws `ArgumentTypeError` for anything but an iterable of functions.
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep, staggeredRace } from "corio";
 * import { VirtualClock } from "corio/testing";
 *
 * const main = coroutine(async function main() {
 *   const { result, index, exceptions } = await staggeredRace(
 *     [() => sleep(60, "slow"), () => sleep(2, "fast"), () => sleep(3, "too late")],
 *     1,
 *   );
 *   console.log(result, index, exceptions.length);
 * });
 *
 * await run(main(), { clock: new VirtualClock() });
 * ```
 * ```text output
 * fast 1 3
 * ```
 */
export function staggeredRace<T>(
  competitors: Iterable<Competitor<T>>,
  delay: Duration | null,
  options: StaggeredRaceOptions = noOptions,
): Coroutine<StaggeredRaceResult<T>> {
  if (isThenable(competitors) || !isIterable(competitors)) {
    throw badArgument("staggeredRace", "an array, or another iterable, of functions", competitors);
  }
  checkOptions(options, "staggeredRace");
  // What an iterable gives is seen only when it is its turn.
  if (Array.isArray(competitors)) for (const each of competitors as unknown[]) checkCompetitor(each);
  const seconds = delay === null ? null : toSeconds(delay, "staggeredRace");
  return new StaggeredRace<T>(competitors, seconds, options.loop);
}

function checkCompetitor(competitor: unknown): void {
  if (typeof competitor !== "function") throw badArgument("staggeredRace", "functions", competitor);
}

class StaggeredRace<T> extends Operation<StaggeredRaceResult<T>> {
  readonly #competitors: Iterable<Competitor<T>>;
  readonly #seconds: number | null;
  readonly #loop: EventLoop | undefined;

  constructor(competitors: Iterable<Competitor<T>>, seconds: number | null, loop: EventLoop | undefined) {
    super();
    this.#competitors = competitors;
    this.#seconds = seconds;
    this.#loop = loop;
  }

  get name(): string {
    return "staggeredRace";
  }

  begin(task: Task): Steps<StaggeredRaceResult<T>> {
    return new Race<T>(this.#loop ?? task.loop, task, this.#competitors, this.#seconds).run();
  }
}

class Race<T> {
  readonly #loop: EventLoop;
  readonly #parent: Task;
  readonly #seconds: number | null;
  readonly #competitors: Iterator<Competitor<T>>;
  readonly #running = new Set<Task>();
  /** What a runner itself has failed with: a wrong argument, or an interrupt. */
  readonly #unexpected: unknown[] = [];
  readonly #exceptions: unknown[] = [];
  #winner: { readonly result: T; readonly index: number } | null = null;
  #completion: Future | null = null;

  constructor(loop: EventLoop, parent: Task, competitors: Iterable<Competitor<T>>, seconds: number | null) {
    this.#loop = loop;
    this.#parent = parent;
    this.#seconds = seconds;
    this.#competitors = competitors[Symbol.iterator]();
  }

  *run(): Steps<StaggeredRaceResult<T>> {
    let cancellation: CancelledError | null = null;
    this.#startRunner(null);
    while (this.#running.size > 0) {
      this.#completion = new Completion(this.#running, this.#loop);
      try {
        yield* this.#completion;
      } catch (error) {
        if (!isCancelledError(error)) throw error;
        cancellation = error;
        const { reason, requestedBy } = error;
        for (const task of [...this.#running]) task.cancel(reason, { requestedBy });
      }
      this.#completion = null;
    }
    if (this.#unexpected.length > 0) throw new ExceptionGroup("staggered race failed", this.#unexpected);
    if (cancellation !== null) throw cancellation;
    const { result, index } = this.#winner ?? { result: null, index: null };
    return { result, index, exceptions: this.#exceptions };
  }

  /** Makes the task that waits for the one before to fail, or for the delay, and then starts the next competitor. */
  #startRunner(previousFailed: Future<void> | null): void {
    // An eager task must not begin its work before it is a member.
    const mayStart = new Future<void>(this.#loop);
    const task = this.#loop.createTask(callBody(staggeredRunner, this, mayStart, previousFailed));
    this.#running.add(task);
    task.addCallback({ awaiter: this.#parent, run: () => this.#runnerDone(task) });
    mayStart.setResult();
  }

  *runNext(mayStart: Future<void>, previousFailed: Future<void> | null): Steps<void> {
    yield* mayStart;
    if (previousFailed !== null) {
      try {
        yield* waitFor(callBody(waitForFailure, previousFailed), this.#seconds);
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
    }
    const next = this.#competitors.next();
    if (next.done === true) return;
    const competitor: unknown = next.value;
    checkCompetitor(competitor);
    const index = this.#exceptions.length;
    const failed = new Future<void>(this.#loop);
    this.#startRunner(failed);
    this.#exceptions.push(null);
    let result: T;
    try {
      result = yield* callBody(competitor as () => Steps<T>);
    } catch (error) {
      if (isKeyboardInterrupt(error)) throw error;
      this.#exceptions[index] = error;
      // The next one waits for this, unless its patience has run out.
      if (failed.state === PENDING) failed.setResult();
      return;
    }
    this.#winner = { result, index };
    // Not itself: a cancel that nothing is left to deliver to would end this task in an odd state.
    const self = runningTask();
    for (const task of [...this.#running]) {
      if (task !== self) task.cancel(undefined, { requestedBy: "staggeredRace" });
    }
  }

  #runnerDone(task: Task): void {
    this.#running.delete(task);
    const completion = this.#completion;
    if (completion !== null && completion.state === PENDING && this.#running.size === 0) {
      completion.settle(FINISHED, undefined);
    }
    if (task.cancelled()) return;
    const exception = task.exception();
    if (exception !== null) this.#unexpected.push(exception);
  }
}

class Completion extends Future<void> {
  readonly #running: ReadonlySet<Task>;

  constructor(running: ReadonlySet<Task>, loop: EventLoop) {
    super(loop);
    this.#running = running;
  }

  override describeWait(): string {
    return `a staggered race of ${[...this.#running].map((task) => task.describeWait()).join(", ")}`;
  }
}

function* staggeredRunner<T>(
  race: Race<T>,
  mayStart: Future<void>,
  previousFailed: Future<void> | null,
): Steps<void> {
  yield* race.runNext(mayStart, previousFailed);
}

function* waitForFailure(failed: Future<void>): Steps<void> {
  yield* failed;
}
