import { ValueError } from "../errors.ts";
import { Semaphore } from "./semaphore.ts";

/**
 * A semaphore that notices when it is released more often than it was acquired.
 *
 * asyncio: `BoundedSemaphore`. Throws as `Semaphore` does.
 *
 * @example
 * ```ts
 * import { BoundedSemaphore } from "corio";
 *
 * const semaphore = new BoundedSemaphore(2);
 * try {
 *   semaphore.release();
 * } catch (error) {
 *   console.log(String(error));
 * }
 * ```
 * ```text output
 * ValueError: BoundedSemaphore released too many times: its value would be more than 2
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  readonly #bound: number;

  /** `value` is how many places there are; at first all are free. Throws as `Semaphore` does. */
  constructor(value = 1) {
    super(value);
    this.#bound = value;
  }

  override get [Symbol.toStringTag](): string {
    return "BoundedSemaphore";
  }

  /** Gives a place back, or to the first waiting task. Throws `ValueError` when all places are free. */
  override release(): void {
    if (this.value >= this.#bound) {
      throw new ValueError(
        `BoundedSemaphore released too many times: its value would be more than ${this.#bound}`,
      );
    }
    super.release();
  }
}
