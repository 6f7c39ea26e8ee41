/** Something the loop can run: the one method every entry of the ready queue has. It must not throw. */
export interface Runnable {
  /** True when nothing of a program runs inside of `run`: it only lets the host queue the microtask in which it does. */
  readonly resumesInMicrotask?: boolean;
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
