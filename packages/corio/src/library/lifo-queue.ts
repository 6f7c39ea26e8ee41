import { Queue } from "./queue.ts";
import type { QueueOptions } from "./queue.ts";

/**
 * A queue that gives what was put in last: a stack that can be waited for.
 *
 * asyncio: `LifoQueue`. Throws as `Queue` does.
 *
 * @example
 * ```ts
 * import { LifoQueue } from "corio";
 *
 * const queue = new LifoQueue<number>();
 * for (const item of [1, 3, 2]) queue.putNowait(item);
 * console.log(queue.getNowait(), queue.getNowait(), queue.getNowait());
 * ```
 * ```text output
 * 2 3 1
 * ```
 */
export class LifoQueue<T = unknown> extends Queue<T> {
  /** `maxsize` is how many items fit in, any number by default. Throws `ArgumentTypeError` when it is not a number. */
  constructor(maxsize: number | QueueOptions = 0) {
    super(maxsize, new Stack<T>());
  }

  override get [Symbol.toStringTag](): string {
    return "LifoQueue";
  }
}

class Stack<T> {
  readonly #items: T[] = [];

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T {
    return this.#items.pop() as T;
  }
}
