import { badArgument, ValueError } from "../errors.ts";
import { Coroutine } from "./coroutine.ts";
import type { EventLoop } from "./event-loop.ts";
import { Future } from "./future.ts";
import { getLoop } from "./get-loop.ts";
import { checkOptions, noOptions } from "./options.ts";
import { PromiseFuture } from "./promise-future.ts";
import { isThenable } from "./to-coroutine.ts";
import type { CoroutineLike } from "./to-coroutine.ts";

/** What can be waited for: what `createTask` takes, and any promise. */
export type Waitable<T> = CoroutineLike<T> | PromiseLike<T>;

/**
 * A future of what is given: a future is returned as it is, a coroutine or function becomes a task, a promise is
 * watched.
 *
 * asyncio: `ensure_future`. Throws `ValueError` when a future belongs to another loop than the one asked for.
 */
export function ensureFuture<T>(
  awaitable: Waitable<T>,
  options: { readonly loop?: EventLoop | undefined } = noOptions,
): Future<T> {
  try {
    checkOptions(options, "ensureFuture");
    if (awaitable instanceof Future) {
      if (options.loop !== undefined && options.loop.scheduler !== awaitable.loop.scheduler) {
        throw new ValueError("the future belongs to another loop than the one specified");
      }
      return awaitable;
    }
    if (awaitable instanceof Coroutine || typeof awaitable === "function")
      return (options.loop ?? getLoop()).createTask(awaitable);
    if (isThenable(awaitable)) return new PromiseFuture<T>(awaitable, options.loop ?? getLoop());
  } catch (error) {
    if (awaitable instanceof Coroutine) awaitable.close();
    throw error;
  }
  throw badArgument("ensureFuture", "a future, a coroutine, a function or a promise", awaitable);
}
