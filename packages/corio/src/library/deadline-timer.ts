import type { EventLoop } from "../futures/event-loop.ts";
import type { Timer } from "../loop/runnable.ts";

/** Calls a function of corio's own at a time of the loop's clock: a `callAt` without a handle, context or frame. */
export class DeadlineTimer implements Timer {
  readonly loop: EventLoop;
  #action: (() => void) | null;
  readonly #isInHeap: boolean;

  /** With `when` undefined the action is due now, which is in the next iteration. */
  constructor(loop: EventLoop, when: number | undefined, action: () => void) {
    this.loop = loop;
    this.#action = action;
    this.#isInHeap = when !== undefined;
    if (when === undefined) loop.scheduler.callSoon(this);
    else loop.scheduler.callAt(when, this);
  }

  get isStale(): boolean {
    return this.#action === null || this.loop.isClosed();
  }

  run(): void {
    const action = this.#action;
    if (action === null || !this.loop.admits(this)) return;
    this.#action = null;
    action();
  }

  cancel(): void {
    if (this.#action === null) return;
    this.#action = null;
    if (this.#isInHeap) this.loop.scheduler.noteStaleTimer();
  }
}
