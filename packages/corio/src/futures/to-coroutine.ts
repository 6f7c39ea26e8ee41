import { badArgument, isObject } from "../errors.ts";
import type { Steps } from "./awaitable.ts";
import { Coroutine, isGeneratorFunction, GeneratorCoroutine, NativeCoroutine } from "./coroutine.ts";
import { Future } from "./future.ts";

/** What can be made a task of: a coroutine, a function that starts the work, or a future to wait for. */
export type CoroutineLike<T> = Coroutine<T> | Future<T> | (() => PromiseLike<T>) | (() => Steps<T>);

/** A coroutine of what `where` was given. Refuses promises: what already runs cannot be cancelled from inside. */
export function toCoroutine<T>(value: CoroutineLike<T>, where: string): Coroutine<T> {
  if (value instanceof Coroutine) return value;
  if (value instanceof Future) return new GeneratorCoroutine<T>(waitForFuture, undefined, [value]);
  if (isGeneratorFunction(value)) return new GeneratorCoroutine<T>(value, undefined, []);
  if (typeof value === "function") return new NativeCoroutine<T>(value, undefined, []);
  if (isThenable(value)) {
    throw badArgument(
      where,
      "a coroutine or a function",
      value,
      "it already runs: pass () => helper() instead",
    );
  }
  throw badArgument(where, "a coroutine or a function", value);
}

function* waitForFuture<T>(future: Future<T>): Generator<object, T, unknown> {
  return yield* future;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (isObject(value) || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}
