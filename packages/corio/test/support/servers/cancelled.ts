/** What is shown of cancels with each of the servers. */
import { CancelledError, createTask, sleep } from "corio";
import type { Task } from "corio";
import { assert } from "../assert.ts";

/** Cancels a task, which must end by that. */
export async function cancelled(task: Task<unknown>): Promise<void> {
  task.cancel("enough");
  const error = await assert.rejects<CancelledError>(task, CancelledError);
  assert.equal(error.reason, "enough");
}

/** A `close` that has to wait and is cancelled has closed all the same: the cancel comes at the next await. */
export async function assertClosesThoughCancelled(connection: { close(): PromiseLike<void> }): Promise<void> {
  let isClosed = false;
  const closing = createTask(async () => {
    await connection.close();
    isClosed = true;
    await sleep(60);
  });
  await sleep(0);
  await cancelled(closing);
  assert.equal(isClosed, true);
}
