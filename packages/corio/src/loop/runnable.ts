import type { StepOwner } from "./step.ts";

/** Something the loop can run: the one method every entry of the ready queue has. It must not throw. */
export interface Runnable {
  /**
   * The task that `run` resumes, when nothing of a program runs inside of it: it only lets the host queue the microtask
   * in which the task goes on.
   */
  readonly resumesInMicrotask?: StepOwner | null | undefined;
  run(): void;
}

/** A runnable with a deadline. */
export interface Timer extends Runnable {
  readonly loop: TimerOwner;
  /** True when it need not run any more: the heap forgets it. */
  readonly isStale: boolean;
}

/** The loop that a timer belongs to, seen from below. */
export interface TimerOwner {
  /**
   * Whether a timer that has become due may run. If not, the loop keeps it, and gives it to `restoreTimer` when it runs
   * again.
   */
  admitsTimer(timer: Timer, deadline: number, arrival: number): boolean;
}
