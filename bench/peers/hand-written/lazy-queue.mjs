import { Fifo } from "./fifo.mjs";

/**
 * The queue of promise-queue.mjs, but `put` and `get` do nothing before they are awaited, as in asyncio: the least that
 * a queue costs whose operations can be handed to `createTask` or `waitFor`. It cannot be cancelled either.
 *
 * @template T
 */
export class LazyQueue {
  /** @readonly */
  capacity;
  /** @type {Fifo<T>} */
  items = new Fifo();
  /** @type {Fifo<() => void>} */
  getters = new Fifo();
  /** @type {Fifo<() => void>} */
  putters = new Fifo();

  /** @param {number} capacity */
  constructor(capacity) {
    this.capacity = capacity;
  }

  /** @param {T} item */
  put(item) {
    return new Put(this, item);
  }

  get() {
    return new Get(this);
  }
}

/** @template T */
class Put {
  #queue;
  #item;

  /** @param {LazyQueue<T>} queue @param {T} item */
  constructor(queue, item) {
    this.#queue = queue;
    this.#item = item;
  }

  /** Called by `await`. @param {() => void} resolve */
  then(resolve) {
    const { items, capacity, getters, putters } = this.#queue;
    if (items.size >= capacity) {
      putters.push(() => this.then(resolve));
      return;
    }
    items.push(this.#item);
    getters.shift()?.();
    resolve();
  }
}

/** @template T */
class Get {
  #queue;

  /** @param {LazyQueue<T>} queue */
  constructor(queue) {
    this.#queue = queue;
  }

  /** Called by `await`. @param {(item: T) => void} resolve */
  then(resolve) {
    const { items, getters, putters } = this.#queue;
    if (items.size === 0) {
      getters.push(() => this.then(resolve));
      return;
    }
    const item = /** @type {T} */ (items.shift());
    putters.shift()?.();
    resolve(item);
  }
}
