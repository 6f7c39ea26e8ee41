import { host } from "#host";
import { RuntimeError } from "../errors.ts";
import type { Surroundings } from "../host/host.ts";
import { currentStepOwner, endStep } from "../loop/step.ts";
import { delivery, handover } from "./awaitable.ts";
import type { Steps } from "./awaitable.ts";
import { Coroutine } from "./coroutine.ts";
import { FINISHED, Future, PENDING } from "./future.ts";
import { enterSegment, leaveSegment } from "./running.ts";
import { Strand } from "./strand.ts";
import type { Task } from "./task.ts";

/** Where a strand's result goes: the task itself, or the native function that awaits the coroutine. */
export interface Sink {
  deliver(value: unknown): void;
  fail(error: unknown): void;
}

/** A generator that has called another coroutine; a linked list, since most strands have none. */
interface Frame {
  readonly generator: Steps<unknown>;
  readonly called: Coroutine<unknown>;
  readonly below: Frame | null;
}

/** How a stretch of generators ended. */
export type StrandStatus =
  /** Waits for a future, or for the next iteration. */
  | "suspended"
  /** Waits for native code, whose step is open. */
  | "native"
  /** Over: the sink has the result. */
  | "ended";

/**
 * Runs a generator coroutine, and the generator coroutines it awaits, on an explicit stack: `yield* inner()` hands
 * `inner()` to this driver instead of nesting generators in the engine, so that resuming the innermost of a thousand
 * costs what resuming one does.
 *
 * A generator yields one of three things: a future (suspend until it is done), a coroutine (run it, then go on with
 * its result), or nothing (`yield`, the same as `yield* sleep(0)`: go on in the next iteration).
 */
export abstract class GeneratorStrand extends Strand {
  declare private generator: Steps<unknown>;
  declare private below: Frame | null;

  constructor(task: Task<unknown>, generator: Steps<unknown>) {
    super(task);
    this.below = null;
    this.generator = generator;
  }

  /** Those the generators run in. */
  protected abstract readonly surroundings: Surroundings;

  /** A native function is about to be called in the surroundings. */
  protected abstract beforeNative(): void;

  /** Where the result goes. */
  protected abstract readonly sink: Sink;

  /** The coroutines that the strand's generators belong to, innermost first, without the strand's own. */
  frames(): Coroutine<unknown>[] {
    const all: Coroutine<unknown>[] = [];
    for (let frame = this.below; frame !== null; frame = frame.below) all.push(frame.called);
    return all;
  }

  /** Called by the loop when what the strand waited for is done. */
  override run(): void {
    const task = this.task;
    if (!task.loop.admits(this)) return;
    const future = this.future;
    const error = task.resumeStrand(this);
    if (error !== undefined) this.resumeByLoop(true, error);
    else if (future === null) this.resumeByLoop(false, undefined);
    else if (future.state === FINISHED) this.resumeByLoop(false, future.outcome);
    else this.resumeByLoop(true, future.takeError());
  }

  /** When a native function goes on from here, inside the strand or around it, the step stays open for it. */
  resumeByLoop(failed: boolean, value: unknown): void {
    const status = this.resume(failed, value);
    if (status === "native" || (status === "ended" && this.sink !== this.task)) {
      this.task.openStep();
    }
  }

  /** Runs the generators until they suspend or the last has ended, in their surroundings. */
  resume(failed: boolean, value: unknown): StrandStatus {
    const task = this.task;
    const outer = enterSegment(task);
    const started = task.loop.startTiming();
    try {
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the `this` that follows it
      return this.surroundings.runInAsyncScope(this.advance, this, failed, value);
    } finally {
      task.loop.endTiming(started, task);
      leaveSegment(outer);
    }
  }

  private advance(initiallyFailed: boolean, initialValue: unknown): StrandStatus {
    let failed = initiallyFailed;
    let value = initialValue;
    for (;;) {
      let result: IteratorResult<unknown, unknown>;
      try {
        if (failed) result = this.generator.throw(value);
        else {
          delivery.value = value;
          result = this.generator.next(delivery);
        }
      } catch (error) {
        if (!this.leaveFrame()) {
          this.sink.fail(error);
          return "ended";
        }
        failed = true;
        value = error;
        continue;
      }
      if (result.done === true) {
        if (!this.leaveFrame()) {
          this.sink.deliver(result.value);
          return "ended";
        }
        failed = false;
        value = result.value;
        continue;
      }
      failed = false;
      value = undefined;
      let wanted = result.value;
      handover.value = undefined;
      let isNative = false;
      if (wanted === undefined) {
        this.task.suspendOnYield(this);
        return "suspended";
      }
      if (wanted instanceof Coroutine) {
        let body: unknown;
        try {
          if (wanted.attempt(this.task)) {
            value = wanted.attempted();
            continue;
          }
          isNative = wanted.isNative;
          body = isNative ? this.beginNative(wanted) : wanted.begin(this.task);
        } catch (error) {
          failed = true;
          value = error;
          continue;
        }
        if (body instanceof Promise) {
          this.awaitNative(body);
          return "native";
        }
        if (body instanceof Future) wanted = body;
        else {
          this.below = { generator: this.generator, called: wanted, below: this.below };
          this.generator = body as Steps<unknown>;
          continue;
        }
      }
      if (!(wanted instanceof Future)) {
        const advice = "a generator coroutine waits with yield* on what corio can await";
        this.task.suspendOnError(
          this,
          new RuntimeError(`task got bad yield: ${host.inspect(wanted)}; ${advice}`, "CORIO_BAD_YIELD"),
        );
        return "suspended";
      }
      if (wanted.state === PENDING) {
        this.task.suspendOn(this, wanted as Future<unknown>);
        return isNative ? "native" : "suspended";
      }
      if (wanted.state === FINISHED) value = wanted.outcome;
      else {
        failed = true;
        value = wanted.takeError();
      }
    }
  }

  /** Goes back to the generator below; false when there is none. */
  private leaveFrame(): boolean {
    const frame = this.below;
    if (frame === null) return false;
    this.generator = frame.generator;
    this.below = frame.below;
    return true;
  }

  /** A native function must find its task by the host's memory; generators do without, so most never pay for it. */
  private beginNative(coroutine: Coroutine<unknown>): unknown {
    this.beforeNative();
    return this.surroundings.runInAsyncScope(() => coroutine.begin(this.task), undefined);
  }

  /**
   * A native coroutine inside a generator coroutine. Its step is an open one; if that is still open when the native
   * part ends, the generator goes on in it, otherwise (the native part was on a foreign promise) it queues up.
   */
  private awaitNative(promise: Promise<unknown>): void {
    const task = this.task;
    const scheduler = task.loop.scheduler;
    const goOn = (failed: boolean, value: unknown): void => {
      if (currentStepOwner() === task) {
        const status = this.resume(failed, value);
        if (status === "suspended" || (status === "ended" && this.sink === task)) endStep(task);
        return;
      }
      scheduler.callSoon({
        run: () => {
          this.resumeByLoop(failed, value);
        },
      });
    };
    promise.then(
      (value) => {
        goOn(false, value);
      },
      (error: unknown) => {
        goOn(true, error);
      },
    );
  }
}

/** The whole of a task whose coroutine is a generator. */
export class RootStrand extends GeneratorStrand {
  protected override get sink(): Sink {
    return this.task;
  }

  protected override get surroundings(): Surroundings {
    return this.task.surroundings;
  }

  protected override beforeNative(): void {
    this.task.rememberByHost();
  }
}

/** A generator coroutine that a native function of the task awaits. */
export class NestedStrand extends GeneratorStrand {
  protected override readonly sink: Sink;
  protected override readonly surroundings: Surroundings = host.context.capture();

  constructor(task: Task<unknown>, generator: Steps<unknown>, sink: Sink) {
    super(task, generator);
    this.sink = sink;
  }

  protected override beforeNative(): void {
    // It was itself called by a native function: the host remembers the task.
  }
}
