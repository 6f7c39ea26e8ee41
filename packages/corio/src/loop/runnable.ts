/** Something the loop can run: the one method every entry of the ready queue has. It must not throw. */
export interface Runnable {
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
  isRunning(): boolean;
  /** Keeps a timer that has become due while the loop is not running. When it runs again it gives it to `restoreTimer`. */
  setAside(timer: Timer, deadline: number, arrival: number): void;
}
