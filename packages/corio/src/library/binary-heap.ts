/** Less than 0 when the first comes before the second, as for `Array.sort`. */
export type Compare<T> = (first: T, second: T) => number;

/**
 * The smallest item first. Step by step the algorithm of Python's `heapq`, so that items which are equal come out in
 * the same order as there.
 */
export class BinaryHeap<T> {
  readonly #items: T[] = [];
  readonly #compare: Compare<T>;

  constructor(compare: Compare<T>) {
    this.#compare = compare;
  }

  get length(): number {
    return this.#items.length;
  }

  /** When the comparison throws, the item is not in the heap. */
  push(item: T): void {
    const items = this.#items;
    const path: number[] = [];
    let position = items.length;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!(this.#compare(item, items[parent] as T) < 0)) break;
      path.push(position);
      position = parent;
    }
    for (const below of path) items[below] = items[(below - 1) >> 1] as T;
    items[position] = item;
  }

  /** The smallest item. Only for a heap that is not empty. */
  pop(): T {
    const items = this.#items;
    const last = items.pop() as T;
    if (items.length === 0) return last;
    const smallest = items[0] as T;
    this.siftUp(last);
    return smallest;
  }

  /**
   * Fills the hole at the top. The smaller child moves up until the hole has none; from there the item goes up to its
   * place. (To stop on the way down as soon as it fits would compare more often: it usually belongs near the bottom.)
   */
  private siftUp(item: T): void {
    const items = this.#items;
    const compare = this.#compare;
    let position = 0;
    for (let child = 1; child < items.length; child = 2 * position + 1) {
      const right = child + 1;
      if (right < items.length && !(compare(items[child] as T, items[right] as T) < 0)) child = right;
      items[position] = items[child] as T;
      position = child;
    }
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!(compare(item, items[parent] as T) < 0)) break;
      items[position] = items[parent] as T;
      position = parent;
    }
    items[position] = item;
  }
}
