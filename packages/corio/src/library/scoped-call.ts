import { badArgument } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { Coroutine } from "../futures/coroutine.ts";
import type { Body } from "../futures/coroutine.ts";
import type { Future } from "../futures/future.ts";
import type { Task } from "../futures/task.ts";
import { isThenable } from "../futures/to-coroutine.ts";
import { callBlock, callBody } from "./body-call.ts";

/** How a block ended when it did not return. */
export interface Failure {
  readonly error: unknown;
}

/** What is around a block of code in a task: asyncio's `async with`. Made when the block is entered. */
export interface Scope {
  /** The block has ended. */
  noteBodyEnd(failure: Failure | null): void;
  /** What has to be waited for before the scope can be left; null when nothing has. Asked again after each wait. */
  wanted(): Future | null;
  /** The wait was interrupted. */
  noteInterruption(error: unknown): void;
  /** The scope is left. Returns what is thrown out of it. */
  leave(failure: Failure | null): Failure | null;
}

/** A block's code: a function, async or not, a generator function, or a coroutine function. */
export type ScopeBody<S, T> = ((scope: S) => Steps<T>) | ((scope: S) => T | PromiseLike<T>);

/**
 * The call of a function with a scope around it, in the awaiting task.
 *
 * There are two ways to run it. A native body is awaited by a native function, so that an error thrown inside has a
 * stack that goes on through the callers; a generator's body is run by the generator driver, which is exact on every
 * host.
 */
export class ScopedCall<S extends Scope, T> extends Coroutine<T> {
  readonly #name: string;
  readonly #enter: (task: Task) => S;
  readonly #body: ScopeBody<S, T>;
  readonly #isNative: boolean;

  constructor(name: string, enter: (task: Task) => S, body: ScopeBody<S, T>, isNative: boolean) {
    super();
    this.#name = name;
    this.#enter = enter;
    this.#body = body;
    this.#isNative = isNative;
  }

  get name(): string {
    return this.#name;
  }

  override get isNative(): boolean {
    return this.#isNative;
  }

  begin(task: Task): Body<T> {
    const scope = this.#enter(task);
    return this.#isNative ? this.#runNative(scope) : this.#runSteps(scope);
  }

  async #runNative(scope: S): Promise<T> {
    let result: unknown;
    let failure: Failure | null = null;
    try {
      result = await callBlock<[scope: S], T>(this.#body, scope);
    } catch (error) {
      failure = { error };
    }
    scope.noteBodyEnd(failure);
    for (let future = scope.wanted(); future !== null; future = scope.wanted()) {
      try {
        await future;
      } catch (error) {
        scope.noteInterruption(error);
      }
    }
    const thrown = scope.leave(failure);
    if (thrown !== null) throw thrown.error;
    return result as T;
  }

  *#runSteps(scope: S): Steps<T> {
    let result: unknown;
    let failure: Failure | null = null;
    try {
      result = yield* callBody(this.#body as (scope: S) => Steps<T>, scope);
    } catch (error) {
      failure = { error };
    }
    scope.noteBodyEnd(failure);
    for (let future = scope.wanted(); future !== null; future = scope.wanted()) {
      try {
        yield* future;
      } catch (error) {
        scope.noteInterruption(error);
      }
    }
    const thrown = scope.leave(failure);
    if (thrown !== null) throw thrown.error;
    return result as T;
  }
}

/** Throws, for `where`, unless `body` is a function. */
export function checkBody(body: unknown, where: string, advice?: string): void {
  if (typeof body === "function") return;
  throw badArgument(where, "a function as the block to run", body, isThenable(body) ? advice : undefined);
}
