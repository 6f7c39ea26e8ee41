import type { CancelDetails } from "../errors.ts";
import type { Future } from "../futures/future.ts";
import { Strand } from "../futures/strand.ts";

/**
 * For work that was told of a cancel and came through all the same: its value is delivered, and those who wait for
 * `future` get the cancellation at their next await. To be called before the future is settled.
 */
export function redeliverCancel(future: Future, request: CancelDetails): void {
  for (const callback of future.callbacks()) {
    if (callback instanceof Strand) callback.task.redeliverCancel(callback, request);
  }
}
