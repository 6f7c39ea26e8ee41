import type { Steps } from "../futures/awaitable.ts";
import { coroutine } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { sleep } from "./sleep.ts";
import { until } from "./until.ts";

/**
 * Gives what was just opened, unless the task has been cancelled: then calls `close`, waits for what that returns, and
 * raises the cancel. For functions that open something and give it to their caller.
 *
 * A cancel that comes too late to stop the opening is raised at the next await. A task that only opens something has
 * none: it would end as cancelled, and what it has opened would be lost with its result. So the function that opens
 * has to look once more, which takes one turn of the loop.
 *
 * Cancel safety: that is what it is for. A second cancel reaches what `close` awaits of corio's, as in a `finally` block,
 * and waits for foreign promises.
 *
 * asyncio: none.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, run, sleep, until } from "corio";
 * import { keepOrClose } from "corio/pool";
 *
 * const open = coroutine(async function open() {
 *   const opened = await until(async () => "the door");
 *   return await keepOrClose(opened, () => console.log(`${opened} is closed again`));
 * });
 *
 * const main = coroutine(async function main() {
 *   const opening = createTask(open());
 *   await sleep(0);
 *   opening.cancel("enough");
 *   console.log(await opening.catch(String));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * the door is closed again
 * CancelledError: enough
 * ```
 */
export function keepOrClose<T>(opened: T, close: (opened: T) => unknown): Coroutine<T> {
  return keep(opened, close as (opened: unknown) => unknown) as Coroutine<T>;
}

const keep = coroutine(function* keepOrClose(
  opened: unknown,
  close: (opened: unknown) => unknown,
): Steps<unknown> {
  try {
    yield* sleep(0);
  } catch (error) {
    yield* until(async () => await close(opened));
    throw error;
  }
  return opened;
});
