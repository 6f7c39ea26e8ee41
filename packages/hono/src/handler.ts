import { coroutine } from "corio";
import type { Coroutine, Steps } from "corio";
import type { Context, Env, Input } from "hono";

/** What `handler` gives: a handler as Hono takes it. */
export type CorioHandler<E extends Env, P extends string, I extends Input, R> = (
  c: Context<E, P, I>,
) => Promise<R>;

/**
 * A handler of a generator function, or of a coroutine function. Hono's types know of neither; `async` functions need
 * nothing around them.
 */
export function handler<R, E extends Env = Env, P extends string = string, I extends Input = Input>(
  body: (c: Context<E, P, I>) => Steps<R> | Coroutine<R>,
): CorioHandler<E, P, I, R> {
  const call = coroutine(body as (c: Context<E, P, I>) => Steps<R>);
  return async (c) => await call(c);
}
