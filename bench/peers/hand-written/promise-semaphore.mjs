import { Fifo } from "./fifo.mjs";

/** A fair semaphore on promises: what a program without a library has. It cannot be cancelled. */
export class PromiseSemaphore {
  #free;
  /** @type {Fifo<() => void>} */
  #waiters = new Fifo();

  /** @param {number} permits */
  constructor(permits) {
    this.#free = permits;
  }

  /** @returns {Promise<void>} */
  acquire() {
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  release() {
    const next = this.#waiters.shift();
    // A permit that is handed on never becomes free: nobody can overtake.
    if (next === undefined) this.#free++;
    else next();
  }
}
