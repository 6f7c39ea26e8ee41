import { Coroutine, GeneratorCoroutine, isGeneratorFunction } from "../futures/coroutine.ts";
import type { Body } from "../futures/coroutine.ts";
import type { Steps } from "../futures/awaitable.ts";
import { Future } from "../futures/future.ts";

/** What `with` runs: a function, async or not, a generator function, or a coroutine function. */
export type WithBody<Parameters extends readonly unknown[], T> =
  ((...parameters: Parameters) => Steps<T>) | ((...parameters: Parameters) => T | PromiseLike<T>);

/** A coroutine that calls `body`, for generators to wait for with `yield*`. */
export function callBody<Parameters extends readonly unknown[], T>(
  body: WithBody<Parameters, T>,
  ...parameters: Parameters
): Coroutine<T> {
  // A generator function runs nothing when it is called. Anything else may be native code, which has to find its task.
  if (isGeneratorFunction(body)) return new GeneratorCoroutine<T>(body, undefined, parameters);
  return new BodyCall<T>(body, parameters);
}

class BodyCall<T> extends Coroutine<T> {
  readonly #callee: (...parameters: never) => unknown;
  readonly #parameters: readonly unknown[];

  constructor(callee: (...parameters: never) => unknown, parameters: readonly unknown[]) {
    super();
    this.#callee = callee;
    this.#parameters = parameters;
  }

  get name(): string {
    return this.#callee.name || "(anonymous)";
  }

  override get isNative(): boolean {
    return true;
  }

  begin(): Body<T> {
    const result: unknown = Reflect.apply(this.#callee, undefined, this.#parameters);
    if (result instanceof Promise || result instanceof Future || isGenerator(result))
      return result as Body<T>;
    if (result instanceof Coroutine) return forward<T>(result as Coroutine<T>);
    return (async () => await (result as T))();
  }
}

/** A coroutine as a body: another one that only awaits it. */
export function* forward<T>(coroutine: Coroutine<T>): Steps<T> {
  return yield* coroutine;
}

/** Whether `value` is what calling a generator function gives. */
export function isGenerator(value: unknown): boolean {
  return Object.prototype.toString.call(value) === "[object Generator]";
}

/**
 * Calls a block of code that a native function was given, of whatever kind it is: `await callBlock(body, connection)`.
 * What `coroutine(body)(connection)` does for that, without making a coroutine function.
 *
 * asyncio: none.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import type { WithBody } from "corio";
 * import { callBlock } from "corio/pool";
 *
 * async function twice(body: WithBody<[n: number], number>) {
 *   return (await callBlock(body, 1)) + (await callBlock(body, 2));
 * }
 *
 * async function main() {
 *   console.log(await twice((n) => n * 10), await twice(async (n) => n), await twice(function* (n) { return n; }));
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * 30 3 3
 * ```
 */
export function callBlock<Parameters extends readonly unknown[], T>(
  body: WithBody<Parameters, T>,
  ...parameters: Parameters
): T | PromiseLike<T> {
  const work = (body as (...parameters: Parameters) => unknown)(...parameters);
  // A function that only forwards may return what a generator function made, too.
  return isGenerator(work) ? callBody<[], T>(() => work as Steps<T>) : (work as T | PromiseLike<T>);
}
