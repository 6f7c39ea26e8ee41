import { badArgument, isObject } from "../errors.ts";

/** What `aclosing` can close: anything with an asynchronous `return`, as async generators have. */
export interface AsyncClosable {
  /** Ends the generator; what has none needs no closing. */
  return?(value?: unknown): PromiseLike<unknown>;
}

/**
 * Runs `body` with an async generator and closes the generator afterwards, whatever happened. `for await` closes the
 * generator it iterates by itself; this is for those that are advanced by hand, or passed on.
 *
 * Python: `contextlib.aclosing`.
 *
 * @example
 * ```ts
 * import { aclosing, coroutine, run, sleep } from "corio";
 *
 * async function* ticks() {
 *   try {
 *     for (let tick = 0; ; tick++) {
 *       await sleep(0.01);
 *       yield tick;
 *     }
 *   } finally {
 *     console.log("closed");
 *   }
 * }
 *
 * const main = coroutine(async function main() {
 *   await aclosing(ticks(), async (generator) => {
 *     console.log((await generator.next()).value);
 *   });
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * 0
 * closed
 * ```
 */
export async function aclosing<Closable extends AsyncClosable, T>(
  generator: Closable,
  body: (generator: Closable) => T | PromiseLike<T>,
): Promise<T> {
  if (!isObject(generator)) throw badArgument("aclosing", "an async generator", generator);
  if (typeof body !== "function") throw badArgument("aclosing", "a function as its second argument", body);
  try {
    return await body(generator);
  } finally {
    await generator.return?.();
  }
}
