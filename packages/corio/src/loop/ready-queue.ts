import type { Runnable } from "./runnable.ts";

const INITIAL_CAPACITY = 64;

/**
 * First in, first out, in constant time: a ring that doubles when full. It shrinks when emptied after a burst, so
 * that a million tasks made ready at once do not hold their memory for ever.
 */
export class ReadyQueue {
  #ring: (Runnable | undefined)[] = new Array<Runnable | undefined>(INITIAL_CAPACITY).fill(undefined);
  #mask: number = INITIAL_CAPACITY - 1;
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: Runnable): void {
    if (this.#length > this.#mask) this.#grow();
    this.#ring[(this.#head + this.#length) & this.#mask] = item;
    this.#length++;
  }

  /** Puts `item` in front of all others. */
  unshift(item: Runnable): void {
    if (this.#length > this.#mask) this.#grow();
    this.#head = (this.#head - 1) & this.#mask;
    this.#ring[this.#head] = item;
    this.#length++;
  }

  shift(): Runnable | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    if (this.#length === 0 && this.#mask > 0xffff) this.#reset(INITIAL_CAPACITY);
    return item;
  }

  #grow(): void {
    const items = this.#ring.slice(this.#head).concat(this.#ring.slice(0, this.#head));
    this.#reset(items.length * 2);
    for (let index = 0; index < items.length; index++) this.#ring[index] = items[index];
  }

  #reset(capacity: number): void {
    this.#ring = new Array<Runnable | undefined>(capacity).fill(undefined);
    this.#mask = capacity - 1;
    this.#head = 0;
  }
}
