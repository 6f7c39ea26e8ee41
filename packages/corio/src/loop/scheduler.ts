import { host } from "#host";
import type { HostTimer } from "../host/host.ts";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { housekeeping } from "./housekeeping.ts";
import { ReadyQueue } from "./ready-queue.ts";
import type { Runnable, Timer } from "./runnable.ts";
import { continueAfterStep, currentStepOwner, microtasks } from "./step.ts";
import type { StepOwner } from "./step.ts";
import { TimerHeap } from "./timer-heap.ts";

/** Real seconds the loop may keep the thread before the host's own I/O gets a turn. */
const TURN_SECONDS = 0.001;
/** Handles between two looks at the real clock. */
const HANDLES_PER_LOOK = 128;
/** Host timers overflow past 2^31 - 1 ms; asyncio, too, wakes up once a day at the latest. */
const LONGEST_HOST_TIMER = 24 * 60 * 60 * 1000;

/** Who wants to know of the scheduler's idleness: the event loops that run on it. */
export interface SchedulerClient {
  /** Nothing is ready, no timer is set and no task sits on a foreign promise: nothing can ever happen again. */
  noteDeadlock(): void;
}

/**
 * The ready queue, the timers and the clock of a thread. Every `run` with the same clock shares one scheduler, so
 * that locks and queues made at module level work across them.
 *
 * One iteration runs exactly the handles that were ready when it began, first in, first out; what they make ready
 * runs in the next one, after the timers that have become due. An iteration is not interrupted by the host except at
 * the budget's end (it may then continue in the host's next turn: the order stays the same).
 */
export class Scheduler {
  readonly clock: Clock;
  readonly clients: Set<SchedulerClient> = new Set<SchedulerClient>();
  readonly #ready: ReadyQueue = new ReadyQueue();
  readonly #timers: TimerHeap = new TimerHeap();
  /** Called once, when the current iteration ends. */
  #afterIteration: (() => void)[] = [];
  /** Handles of the current iteration that have not run yet. */
  #left = 0;
  /** A turn is under way or asked for. */
  #awake = false;
  #turnEnd = 0;
  #untilLook = HANDLES_PER_LOOK;
  /** Things outside the loop that will wake it up: tasks on foreign promises, waits for one. */
  #foreign = 0;
  #hostTimer: HostTimer | null = null;
  #hostTimerDeadline = Infinity;
  #stopWatchingIdle: (() => void) | null = null;
  /** A native function's step was part of the iteration. */
  #hadStep = false;
  /** The microtask queue was seen to be empty, and nothing has become ready since. */
  #isQuiet = false;

  constructor(clock: Clock) {
    this.clock = clock;
    if (clock.jump !== undefined) {
      clock.wake = () => {
        this.#wake();
      };
    }
  }

  /** The scheduler of `clock`; always the same one for the same clock. */
  static of(clock: Clock): Scheduler {
    let scheduler = schedulers.get(clock);
    if (scheduler === undefined) {
      scheduler = new Scheduler(clock);
      schedulers.set(clock, scheduler);
    }
    return scheduler;
  }

  /** True while the scheduler has something to do or is about to look. */
  get isAwake(): boolean {
    return this.#awake;
  }

  /** True while there are handles of an iteration that have not run yet. */
  get isInIteration(): boolean {
    return this.#left > 0;
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  nextDeadline(): number | undefined {
    return this.#timers.nextDeadline();
  }

  /** The deadline of a timer, for reports: looks through all of them. */
  deadlineOf(timer: Timer): number | undefined {
    return this.#timers.deadlineOf(timer);
  }

  /** Makes `runnable` ready: it runs in the next iteration. */
  callSoon(runnable: Runnable): void {
    this.#ready.push(runnable);
    if (!this.#awake) this.#wake();
  }

  /**
   * `callSoon`, for something that the host itself calls from its poll, such as that a socket has data. When the loop is
   * at rest it begins at once, in the microtasks that follow that call, and not in the host's next turn: a socket whose
   * bytes come faster than they can be worked on would else have brought a megabyte of them before the loop sees the
   * first, and they would have left the processor's cache. Not for what can happen in microtasks again and again: the
   * host would have no turn.
   */
  callFromPoll(runnable: Runnable): void {
    this.#ready.push(runnable);
    if (this.#awake) return;
    this.#awake = true;
    this.#endGrace();
    host.context.neutral.runInAsyncScope(this.#startTurn, undefined);
  }

  /** Makes `runnables` ready before all others, between two iterations: they were so before, while their loop stood. */
  callFirst(runnables: readonly Runnable[]): void {
    for (const runnable of [...runnables].reverse()) this.#ready.unshift(runnable);
    this.#wake();
  }

  /** Makes `timer` ready when the clock reaches `deadline`. */
  callAt(deadline: number, timer: Timer): void {
    this.#timers.push(deadline, timer);
    if (!this.#awake) this.#wake();
  }

  /** Takes a timer back that was set aside: it is due before all that were made later for the same moment. */
  restoreTimer(deadline: number, timer: Timer, arrival: number): void {
    this.#timers.restore(deadline, timer, arrival);
    this.#wake();
  }

  /** A timer in the heap has become stale. */
  noteStaleTimer(): void {
    this.#timers.noteStale();
  }

  /** Something outside the loop is being waited for: a virtual clock must not jump over it. */
  enterForeign(): void {
    this.#foreign++;
  }

  leaveForeign(): void {
    this.#foreign--;
    if (this.#foreign === 0) this.#wake();
  }

  /** Runs `callback` once, when the current iteration has ended. */
  afterIteration(callback: () => void): void {
    this.#afterIteration.push(callback);
    this.#wake();
  }

  addClient(client: SchedulerClient): void {
    this.clients.add(client);
    this.#wake();
    this.#stopWatchingIdle ??= host.onIdle(() => {
      this.#onHostIdle();
    });
  }

  removeClient(client: SchedulerClient): void {
    this.clients.delete(client);
    if (this.clients.size > 0) return;
    this.#stopWatchingIdle?.();
    this.#stopWatchingIdle = null;
    this.#disarm();
  }

  /** Goes on after a step, or after another scheduler's. */
  continue(): void {
    this.#pump();
  }

  takeResumption(owner: StepOwner): Runnable | null {
    // A coroutine that the step has made and not begun may be the other one of two awaits.
    if (housekeeping.dueCount > 0) return null;
    // What the thread's budget allows is looked at by the iteration itself.
    if (this.#untilLook <= 1) return null;
    const next = this.#ready.first();
    if (next === undefined || (next.resumesInMicrotask ?? owner) === owner) return null;
    if (this.#left === 0) {
      if (this.#afterIteration.length > 0) return null;
      this.#beginIteration();
    }
    this.#untilLook--;
    this.#left--;
    this.#ready.shift();
    return next;
  }

  #wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#endGrace();
    host.turn(this.#startTurn);
  }

  /** The pump starts in a microtask: only from there can the end of a native function's step be seen. */
  readonly #startTurn = (): void => {
    this.#turnEnd = host.now() + TURN_SECONDS;
    this.#untilLook = HANDLES_PER_LOOK;
    void microtasks.then(this.#pump);
  };

  readonly #startPump = (): void => {
    void microtasks.then(this.#pump);
  };

  readonly #pump = (): void => {
    if (currentStepOwner() !== null) {
      continueAfterStep(this);
      return;
    }
    while (this.#runIteration());
  };

  /** Runs the iteration, or what is left of it. True when the next one can follow at once. */
  #runIteration(): boolean {
    if (this.#left === 0 && !this.#beginIteration()) {
      if (!this.#isQuiet && this.clock.jump !== undefined) {
        // A clock that jumps must not jump over what microtasks are about to ask for, nor call that a deadlock.
        this.#isQuiet = true;
        host.context.neutral.runInAsyncScope(host.drained, undefined, this.#startPump);
        return false;
      }
      this.#isQuiet = false;
      this.#awake = false;
      this.#rest();
      return false;
    }
    this.#isQuiet = false;
    while (this.#left > 0) {
      if (--this.#untilLook <= 0) {
        this.#untilLook = HANDLES_PER_LOOK;
        if (host.now() > this.#turnEnd) {
          host.turn(this.#startTurn);
          return false;
        }
      }
      this.#left--;
      this.#ready.shift()?.run();
      // A native function goes on in microtasks; `continue` is called when its step has ended.
      if (currentStepOwner() !== null) {
        this.#hadStep = true;
        return false;
      }
    }
    if (this.#hadStep) {
      this.#hadStep = false;
      return true;
    }
    // Between iterations, promises that have settled meanwhile get their microtasks; after a step they have had them.
    void microtasks.then(this.#pump);
    return false;
  }

  /** Adds the timers that are due and fixes what the next iteration runs. False: nothing is ready. */
  #beginIteration(): boolean {
    if (this.#afterIteration.length > 0) {
      const callbacks = this.#afterIteration;
      this.#afterIteration = [];
      for (const callback of callbacks) callback();
    }
    if (housekeeping.dueCount > 0) housekeeping.run();
    if (this.#timers.size > 0) this.#readyDueTimers();
    this.#left = this.#ready.length;
    return this.#left > 0;
  }

  get #mayJump(): boolean {
    return this.#isQuiet && this.clients.size > 0;
  }

  #readyDueTimers(): void {
    const deadline = this.#timers.nextDeadline();
    if (deadline === undefined) return;
    let now = this.clock.time();
    if (
      deadline > now &&
      deadline < Infinity &&
      this.#ready.length === 0 &&
      this.#foreign === 0 &&
      this.#mayJump
    ) {
      if (this.clock.jump?.(deadline) === true) now = this.clock.time();
    }
    for (let next: number | undefined = deadline; next !== undefined && next <= now;) {
      const arrival = this.#timers.nextArrival;
      const timer = this.#timers.pop() as Timer;
      if (timer.loop.admitsTimer(timer, next, arrival)) this.#ready.push(timer);
      next = this.#timers.nextDeadline();
    }
  }

  /** Nothing is ready: wait for the next timer, for the outside, or for nothing at all. */
  #rest(): void {
    const deadline = this.#timers.nextDeadline();
    if (deadline === undefined || deadline === Infinity) this.clock.catchUp?.();
    // Timers that a stopped loop has left must neither keep the process nor move the clock.
    if (this.clients.size === 0) return;
    if (this.clock.jump === undefined) {
      if (deadline === undefined) this.#disarm();
      else this.#arm(deadline, (deadline - this.clock.time()) * 1000);
      return;
    }
    if (this.#foreign > 0) {
      // The clock stands still for what is outside, but not for ever.
      if (deadline !== undefined) this.#arm(deadline, (this.clock.foreignGrace ?? 0) * 1000);
    } else if (deadline === undefined || deadline === Infinity) {
      this.#noteDeadlock();
    }
  }

  #arm(deadline: number, milliseconds: number): void {
    // It stays armed while the loop is at work: a program that waits for sockets, under a timeout, would else set and
    // clear one in each turn.
    if (this.#hostTimer !== null && this.#hostTimerDeadline === deadline) return;
    this.#disarm();
    this.#hostTimerDeadline = deadline;
    this.#hostTimer = host.setTimer(
      this.#onHostTimer,
      Math.min(Math.max(0, Math.ceil(milliseconds)), LONGEST_HOST_TIMER),
      true,
    );
  }

  /** The grace period of a clock that jumps counts from when the loop went to rest. */
  #endGrace(): void {
    if (this.clock.jump !== undefined) this.#disarm();
  }

  #disarm(): void {
    this.#hostTimer?.cancel();
    this.#hostTimer = null;
    this.#hostTimerDeadline = Infinity;
  }

  readonly #onHostTimer = (): void => {
    this.#hostTimer = null;
    this.#hostTimerDeadline = Infinity;
    if (this.#awake) return;
    // The grace period of a virtual clock is over: it jumps although something is outside.
    const deadline = this.#timers.nextDeadline();
    if (deadline !== undefined && deadline < Infinity) this.clock.jump?.(deadline);
    this.#awake = true;
    this.#startTurn();
  };

  /** The host would end the program while loops are still running on this scheduler. */
  #onHostIdle(): void {
    if (!this.#awake && this.#timers.nextDeadline() === undefined) this.#noteDeadlock();
  }

  #noteDeadlock(): void {
    for (const client of [...this.clients]) client.noteDeadlock();
    // What no cancel can reach, such as a bare wait for a promise of the host's, is seen by looking once more.
    this.#wake();
  }
}

const schedulers = new WeakMap<Clock, Scheduler>();

export const systemScheduler: Scheduler = Scheduler.of(systemClock);
