import { followAbort, leaveAbort } from "../futures/abort-followers.ts";
import type { Task } from "../futures/task.ts";

/** Makes an abort of a signal cancel a task for as long as the task is inside a block. */
export class ScopeSignal {
  readonly #task: Task;
  readonly #signal: AbortSignal;
  #isRequested = false;

  constructor(task: Task, signal: AbortSignal) {
    this.#task = task;
    this.#signal = signal;
    if (signal.aborted) this.#cancel();
    else followAbort(signal, this.#cancel);
  }

  readonly #cancel = (): void => {
    this.#isRequested = true;
    this.#task.cancel(this.#signal.reason, { requestedBy: "AbortSignal" });
  };

  /** The block is over: the request for cancellation, if there was one, is taken back. */
  release(): void {
    leaveAbort(this.#signal, this.#cancel);
    if (this.#isRequested) this.#task.uncancel();
  }
}
