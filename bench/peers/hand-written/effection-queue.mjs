import { waitIn } from "./effection-wait.mjs";
import { Fifo } from "./fifo.mjs";

/** A bounded queue for Effection, whose own has no bound. */
export class EffectionQueue {
  #capacity;
  /** @type {Fifo<number>} */
  #items = new Fifo();
  /** @type {Set<() => void>} */
  #getters = new Set();
  /** @type {Set<() => void>} */
  #putters = new Set();

  /** @param {number} capacity */
  constructor(capacity) {
    this.#capacity = capacity;
  }

  /** @param {number} item @returns {any} */
  *put(item) {
    while (this.#items.size >= this.#capacity) yield* waitIn(this.#putters);
    this.#items.push(item);
    wakeFirst(this.#getters);
  }

  /** @returns {any} */
  *get() {
    while (this.#items.size === 0) yield* waitIn(this.#getters);
    const item = this.#items.shift();
    wakeFirst(this.#putters);
    return item;
  }
}

/** @param {Set<() => void>} waiters */
function wakeFirst(waiters) {
  for (const resolve of waiters) {
    waiters.delete(resolve);
    resolve();
    return;
  }
}
