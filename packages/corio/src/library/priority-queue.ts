import { ArgumentTypeError, badArgument, describeValue, isObject } from "../errors.ts";
import { BinaryHeap } from "./binary-heap.ts";
import type { Compare } from "./binary-heap.ts";
import { Queue } from "./queue.ts";
import type { QueueOptions } from "./queue.ts";

/** Options of `PriorityQueue`. */
export interface PriorityQueueOptions<T> extends QueueOptions {
  /** Which of two items comes first; by default the smaller number, string or array. */
  readonly compare?: Compare<T>;
}

/**
 * A queue that gives the smallest item first: typically `[priority, item]`.
 *
 * Without a compare function, numbers and strings are ordered by `<` and arrays as Python's tuples are: by their
 * first elements, if these are equal by their second ones, and so on. Equal items come out in the order of Python's
 * `heapq`, which is not always that in which they were put in: add a counter, `[priority, counter++, item]`.
 *
 * asyncio: `PriorityQueue`. `put` and `putNowait` throw `ArgumentTypeError` for items that have no order.
 *
 * @example
 * ```ts
 * import { PriorityQueue } from "corio";
 *
 * const queue = new PriorityQueue<[number, string]>();
 * queue.putNowait([2, "later"]);
 * queue.putNowait([1, "now"]);
 * console.log(queue.getNowait());
 *
 * const longest = new PriorityQueue<string>({ compare: (first, second) => second.length - first.length });
 * for (const word of ["a", "ccc", "bb"]) longest.putNowait(word);
 * console.log(longest.getNowait());
 * ```
 * ```text output
 * [ 1, 'now' ]
 * ccc
 * ```
 */
export class PriorityQueue<T = unknown> extends Queue<T> {
  /**
   * `maxsize` is how many items fit in, any number by default; `compare` may also be among the options. Throws
   * `ArgumentTypeError` when the size is not a number or `compare` not a function.
   */
  constructor(maxsize: number | PriorityQueueOptions<T> = 0, compare?: Compare<T>) {
    const wanted: unknown = compare ?? (isObject(maxsize) ? maxsize.compare : undefined) ?? compareByValue;
    if (typeof wanted !== "function") throw badArgument("PriorityQueue", "a compare function", wanted);
    super(maxsize, new BinaryHeap<T>(wanted as Compare<T>));
  }

  override get [Symbol.toStringTag](): string {
    return "PriorityQueue";
  }
}

function compareByValue(first: unknown, second: unknown): number {
  if (Array.isArray(first) && Array.isArray(second)) return compareArrays(first, second);
  if (typeof first !== typeof second && !(isNumeric(first) && isNumeric(second)))
    throw unorderedError(first, second);
  if (typeof first !== "string" && !isNumeric(first)) throw unorderedError(first, second);
  if (first < (second as typeof first)) return -1;
  return first > (second as typeof first) ? 1 : 0;
}

function compareArrays(first: readonly unknown[], second: readonly unknown[]): number {
  const length = Math.min(first.length, second.length);
  for (let index = 0; index < length; index++) {
    // What is the same need not have an order: `[1, task]` may be compared with itself.
    if (Object.is(first[index], second[index])) continue;
    const order = compareByValue(first[index], second[index]);
    if (order !== 0) return order;
  }
  return first.length - second.length;
}

function isNumeric(value: unknown): value is number | bigint | boolean | Date {
  return (
    typeof value === "number" ||
    typeof value === "bigint" ||
    typeof value === "boolean" ||
    value instanceof Date
  );
}

function unorderedError(first: unknown, second: unknown): ArgumentTypeError {
  return new ArgumentTypeError(
    `PriorityQueue cannot order ${describeValue(first)} and ${describeValue(second)}: it knows numbers, strings and ` +
      "arrays of them; give it a compare function",
  );
}
