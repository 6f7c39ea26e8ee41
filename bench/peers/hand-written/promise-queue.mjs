import { Fifo } from "./fifo.mjs";

/**
 * A bounded queue on promises, after CPython's: what a program without a library has. It cannot be cancelled.
 *
 * @template T
 */
export class PromiseQueue {
  #capacity;
  /** @type {Fifo<T>} */
  #items = new Fifo();
  /** @type {Fifo<() => void>} */
  #getters = new Fifo();
  /** @type {Fifo<() => void>} */
  #putters = new Fifo();

  /** @param {number} capacity */
  constructor(capacity) {
    this.#capacity = capacity;
  }

  /** @param {T} item */
  async put(item) {
    while (this.#items.size >= this.#capacity) await waitIn(this.#putters);
    this.#items.push(item);
    this.#getters.shift()?.();
  }

  /** @returns {Promise<T>} */
  async get() {
    while (this.#items.size === 0) await waitIn(this.#getters);
    const item = /** @type {T} */ (this.#items.shift());
    this.#putters.shift()?.();
    return item;
  }
}

/** @param {Fifo<() => void>} waiters @returns {Promise<void>} */
function waitIn(waiters) {
  return new Promise((resolve) => {
    waiters.push(resolve);
  });
}
