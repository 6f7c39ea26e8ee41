import { CancelledError } from "corio";
import type { Task } from "corio";
import { assert } from "./harness.ts";

/**
 * Cancels `opening` from outside of the loop, `turns` turns of the host after `isThere` says that it has begun to have an
 * effect. There is a moment at which the host has told corio and the task has not gone on: the cancel is too late for
 * the opening then, and the task does nothing else that could raise it. Gives what was opened when the task was faster.
 */
export async function cancelledAfter<T>(
  turns: number,
  opening: Task<T>,
  isThere: () => boolean = () => true,
): Promise<T | null> {
  await new Promise<void>((resolve) => {
    const look = (left: number): void => {
      if (!isThere()) setImmediate(look, left);
      else if (left > 0) setImmediate(look, left - 1);
      else resolve();
    };
    look(turns);
  });
  opening.cancel();
  try {
    return await opening;
  } catch (error) {
    assert.ok(error instanceof CancelledError);
    return null;
  }
}
