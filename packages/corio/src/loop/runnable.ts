/** Something the loop can run: the one method every entry of the ready queue has. It must not throw. */
export interface Runnable {
  run(): void;
}

/** A runnable with a deadline. */
export interface Timer extends Runnable {
  /** True when it need not run any more: the heap forgets it. */
  readonly isStale: boolean;
}
