import { host } from "#host";
import type { Surroundings } from "../host/host.ts";
import type { Runnable, Timer } from "../loop/runnable.ts";
import { Context, currentContextValues } from "./context.ts";
import { describeSite } from "./debug.ts";
import type { EventLoop } from "./event-loop.ts";
import { enterSegment, leaveSegment, swapSegmentContext, swapSegmentLoop } from "./running.ts";
import { showAs } from "#host";

type Callback = (...parameters: never) => unknown;

/**
 * A callback that the loop will call: what `loop.callSoon` returns. It runs in the context that was current when it
 * was made, as a segment that belongs to no task.
 *
 * asyncio: `Handle`.
 */
export class Handle implements Runnable {
  /** @internal */
  readonly loop: EventLoop;
  #callback: Callback | null;
  #parameters: readonly unknown[];
  readonly #context: Context;
  readonly #surroundings: Surroundings;

  /** @internal */
  constructor(loop: EventLoop, callback: Callback, parameters: readonly unknown[], context?: Context) {
    this.loop = loop;
    this.#callback = callback;
    this.#parameters = parameters;
    this.#context = context ?? new Context(currentContextValues());
    this.#surroundings = host.context.capture();
    loop.noteSite(this);
  }

  /** The callback will not be called; it and its arguments are let go. */
  cancel(): void {
    this.#callback = null;
    this.#parameters = [];
  }

  /** True after `cancel`. */
  cancelled(): boolean {
    return this.#callback === null;
  }

  /** The context in which the callback runs. asyncio: `get_context`. */
  getContext(): Context {
    return this.#context;
  }

  /** @internal */
  run(): void {
    const callback = this.#callback;
    if (callback === null || !this.loop.admits(this)) return;
    const outerSegment = enterSegment(null);
    const outerContext = swapSegmentContext(this.#context);
    const outerLoop = swapSegmentLoop(this.loop);
    const started = this.loop.startTiming();
    try {
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-assertion -- tsc does not infer a rest of never
      this.#surroundings.runInAsyncScope(callback as () => unknown, undefined, ...(this.#parameters as []));
    } catch (error) {
      if (this.loop.haltsOn(error)) return;
      this.loop.callExceptionHandler({
        message: `Exception in callback ${nameOf(callback)}`,
        exception: error,
        handle: this,
        ...this.describe(),
      });
    } finally {
      this.loop.endTiming(started, `callback ${nameOf(callback)}`);
      swapSegmentLoop(outerLoop);
      swapSegmentContext(outerContext);
      leaveSegment(outerSegment);
    }
  }

  /** @internal */
  protected describe(): Record<string, unknown> {
    return {};
  }

  /** What it will call, and in debug mode where it was made. @internal */
  describeCallback(): string {
    const callback = this.#callback;
    return (callback === null ? "cancelled" : nameOf(callback)) + describeSite(this.loop.siteOf(this));
  }
}

showAs(Handle, (handle) => `<Handle ${handle.describeCallback()}>`);

/**
 * A callback with a deadline: what `loop.callLater` and `loop.callAt` return.
 *
 * asyncio: `TimerHandle`.
 */
export class TimerHandle extends Handle implements Timer {
  readonly #when: number;

  /** @internal */
  constructor(
    loop: EventLoop,
    when: number,
    callback: Callback,
    parameters: readonly unknown[],
    context?: Context,
  ) {
    super(loop, callback, parameters, context);
    this.#when = when;
  }

  /** The deadline, in seconds of `loop.time()`. */
  when(): number {
    return this.#when;
  }

  /** @internal */
  get isStale(): boolean {
    return this.cancelled() || this.loop.isClosed();
  }

  override cancel(): void {
    if (!this.cancelled()) this.loop.scheduler.noteStaleTimer();
    super.cancel();
  }
}

showAs(TimerHandle, (timer) => `<TimerHandle when=${timer.when()} ${timer.describeCallback()}>`);

function nameOf(callback: Callback): string {
  return callback.name || "(anonymous)";
}
