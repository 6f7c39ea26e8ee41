const INITIAL_CAPACITY = 8;

/** First in, first out, in constant time: a ring that doubles when it is full and starts anew when a large one empties. */
export class Ring<T> {
  #slots: (T | undefined)[] = new Array<T | undefined>(INITIAL_CAPACITY).fill(undefined);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    const slots = this.#slots;
    if (this.#length === slots.length) this.grow();
    // The capacity is a power of two.
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = item;
    this.#length++;
  }

  /** The oldest item. Only for a ring that is not empty. */
  pop(): T {
    const slots = this.#slots;
    const item = slots[this.#head] as T;
    slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (slots.length - 1);
    this.#length--;
    if (this.#length === 0 && slots.length > 0xffff) this.reset(INITIAL_CAPACITY);
    return item;
  }

  private grow(): void {
    const items = this.#slots.slice(this.#head).concat(this.#slots.slice(0, this.#head));
    this.reset(items.length * 2);
    for (let index = 0; index < items.length; index++) this.#slots[index] = items[index];
  }

  private reset(capacity: number): void {
    this.#slots = new Array<T | undefined>(capacity).fill(undefined);
    this.#head = 0;
  }
}
