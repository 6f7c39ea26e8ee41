import { waitIn } from "./effection-wait.mjs";

/** A fair semaphore for Effection. */
export class EffectionSemaphore {
  #free;
  /** @type {Set<() => void>} */
  #waiters = new Set();

  /** @param {number} permits */
  constructor(permits) {
    this.#free = permits;
  }

  /** @returns {any} */
  *acquire() {
    if (this.#free > 0) this.#free--;
    else yield* waitIn(this.#waiters);
  }

  release() {
    for (const resolve of this.#waiters) {
      // A permit that is handed on never becomes free: nobody can overtake.
      this.#waiters.delete(resolve);
      resolve();
      return;
    }
    this.#free++;
  }
}
