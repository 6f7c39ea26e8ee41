import { badArgument, isObject, makeCancelledError, ValueError } from "../errors.ts";
import { Coroutine } from "../futures/coroutine.ts";
import { ensureFuture } from "../futures/ensure-future.ts";
import type { Waitable } from "../futures/ensure-future.ts";
import { getEventLoop } from "../futures/event-loop.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED_UNSEEN, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { CancelOptions, FutureCallback } from "../futures/future.ts";
import { noOptions } from "../futures/options.ts";
import { isThenable } from "../futures/to-coroutine.ts";

/** The result of what can be waited for. */
export type ResultOf<W> = W extends Waitable<infer T> ? T : never;

/** Options of `gather`. */
export interface GatherOptions {
  /** Puts exceptions into the list instead of throwing the first one. Default false. */
  readonly returnExceptions?: boolean;
}

/** The results of a list of what can be waited for, each in its place: what `gather` gives. */
export type GatherResults<Waitables extends readonly unknown[]> = {
  -readonly [Index in keyof Waitables]: ResultOf<Waitables[Index]>;
};

/** The same with an exception where there was one: what `gather` gives with `returnExceptions`. */
export type GatherOutcomes<Waitables extends readonly unknown[]> = {
  -readonly [Index in keyof Waitables]: ResultOf<Waitables[Index]> | Error;
};

/**
 * Runs everything it is given at the same time and gives the list of results, in the order of the arguments.
 *
 * The first exception goes to the caller at once; the others go on (`taskGroup` cancels them). Cancelling the gather
 * cancels whatever is not done. With `returnExceptions` the list holds exceptions where there were some, also
 * cancellations. The same awaitable given twice runs once; a function runs for each time that it is given.
 *
 * Returns a future: `gather(…)` has already begun when it is awaited.
 *
 * asyncio: `gather`.
 *
 * @example
 * ```ts
 * import { coroutine, gather, run, sleep } from "corio";
 *
 * const main = coroutine(async function main() {
 *   const [text, number] = await gather(sleep(0.01, "a"), sleep(0.02, 1));
 *   console.log(text.toUpperCase(), number + 1);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * A 2
 * ```
 */
export function gather<const Waitables extends readonly Waitable<unknown>[]>(
  waitables: Waitables,
  options: GatherOptions & { readonly returnExceptions: true },
): Future<GatherOutcomes<Waitables>>;
export function gather<const Waitables extends readonly Waitable<unknown>[]>(
  waitables: Waitables,
  options?: GatherOptions & { readonly returnExceptions?: false },
): Future<GatherResults<Waitables>>;
export function gather<const Waitables extends readonly Waitable<unknown>[]>(
  ...waitables: Waitables
): Future<GatherResults<Waitables>>;
export function gather(...parameters: readonly unknown[]): Future<unknown[]> {
  const [first, second] = parameters;
  if (Array.isArray(first)) {
    return gatherAll(first as readonly Waitable<unknown>[], second as GatherOptions | undefined);
  }
  return gatherAll(parameters as readonly Waitable<unknown>[]);
}

function gatherAll(
  waitables: readonly Waitable<unknown>[],
  options: GatherOptions = noOptions,
): Future<unknown[]> {
  let loop: EventLoop;
  try {
    if (!isObject(options) || Array.isArray(options) || isThenable(options))
      throw badArgument("gather", "options after a list of awaitables", options);
    loop = loopOf(waitables);
    for (const waitable of waitables) check(waitable, loop);
  } catch (error) {
    // All or nothing: what was given is neither started nor reported as never awaited.
    for (const waitable of waitables) if (waitable instanceof Coroutine) waitable.close();
    throw error;
  }
  if (waitables.length === 0) {
    const done = new Future<unknown[]>(loop);
    done.setResult([]);
    return done;
  }
  return new GatherFuture(loop, waitables, options.returnExceptions ?? false);
}

/** Gives the same future where the same awaitable is given twice. A function makes one each time. */
function futureMaker(loop: EventLoop): (waitable: Waitable<unknown>) => Future {
  // A future stands for itself: only what one is made for has to be looked up.
  const made = new Map<unknown, Future>();
  return (waitable) => {
    if (waitable instanceof Future) return waitable;
    if (typeof waitable === "function") return ensureFuture(waitable, { loop });
    let future = made.get(waitable);
    if (future === undefined) {
      future = ensureFuture(waitable, { loop });
      made.set(waitable, future);
    }
    return future;
  };
}

function check(waitable: unknown, loop: EventLoop): void {
  if (waitable instanceof Future) {
    if (waitable.loop.scheduler === loop.scheduler) return;
    throw new ValueError("gather expects futures of one loop, got some of different clocks or threads");
  }
  if (typeof waitable === "function" || isThenable(waitable)) return;
  throw badArgument("gather", "coroutines, futures, functions or promises", waitable);
}

function loopOf(waitables: readonly Waitable<unknown>[]): EventLoop {
  for (const waitable of waitables) if (waitable instanceof Future) return waitable.getLoop();
  return getEventLoop();
}

class GatherFuture extends Future<unknown[]> {
  readonly #children: readonly Future[];
  readonly #returnExceptions: boolean;
  #left: number;
  #cancelRequest: { readonly reason: unknown; readonly requestedBy: string | undefined } | null = null;

  constructor(loop: EventLoop, waitables: readonly Waitable<unknown>[], returnExceptions: boolean) {
    super(loop);
    this.#returnExceptions = returnExceptions;
    this.#left = waitables.length;
    const futureOf = futureMaker(loop);
    /** The places of those that are done. */
    const finished: number[] = [];
    // Whether a child is done is asked when it is its turn: an eager one that comes later may settle it, and is then
    // the first to be heard of.
    this.#children = waitables.map((waitable, place) => {
      const child = futureOf(waitable);
      // A child that was given twice is told of twice, in one go: nothing else can run in between.
      if (child.state === PENDING) child.addCallback(new ChildDone(this, child));
      else finished.push(place);
      return child;
    });
    if (finished.length > 0) this.#noteFinished(new Set(finished));
  }

  /** After all the others, so that a gather of what is done already is done itself. */
  #noteFinished(places: ReadonlySet<number>): void {
    // What was pending where it was given first tells of itself.
    const told = new Set(this.#children.filter((_, place) => !places.has(place)));
    for (const place of places) {
      const child = this.#children[place] as Future;
      if (told.has(child)) this.#left--;
      else this.childDone(child);
    }
  }

  /** Cancels every child that is not done; the gather ends when all of them have. */
  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (this.state !== PENDING) return false;
    let accepted = false;
    for (const child of this.#children) if (child.cancel(reason, options)) accepted = true;
    if (accepted) this.#cancelRequest = { reason, requestedBy: options?.requestedBy };
    return accepted;
  }

  override describeWait(): string {
    const waiting = this.#children.filter((child) => child.state === PENDING);
    return `gather of ${waiting.map((child) => child.describeWait()).join(", ")}`;
  }

  childDone(child: Future): void {
    this.#left--;
    if (this.state !== PENDING) {
      // Nobody will look at it any more.
      if (child.state === FAILED_UNSEEN) child.takeError();
      return;
    }
    if (!this.#returnExceptions && child.state !== FINISHED) {
      this.settle(FAILED_UNSEEN, child.takeError());
      return;
    }
    if (this.#left > 0) return;
    const results = this.#children.map((each) => (each.state === FINISHED ? each.outcome : each.takeError()));
    if (this.#cancelRequest === null) this.settle(FINISHED, results);
    else this.settle(FAILED_UNSEEN, makeCancelledError(this.#cancelRequest, this.loop.getDebug()));
  }
}

class ChildDone implements FutureCallback {
  readonly awaiter: GatherFuture;
  readonly #child: Future;

  constructor(gathering: GatherFuture, child: Future) {
    this.awaiter = gathering;
    this.#child = child;
  }

  run(): void {
    if (this.#child.loop.admits(this)) this.awaiter.childDone(this.#child);
  }
}
