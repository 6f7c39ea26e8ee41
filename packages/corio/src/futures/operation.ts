import type { Body } from "./coroutine.ts";
import { Coroutine } from "./coroutine.ts";
import type { Task } from "./task.ts";

/**
 * The call of one of corio's own coroutine functions, such as `queue.get()`: lazy like any coroutine. An operation
 * that can finish at once does so in `attempt`, without making anything; otherwise `begin` gives a future to wait for
 * or a generator.
 */
export abstract class Operation<T> extends Coroutine<T> {
  /** The result of an `attempt` that came through; operations that only wait never have it. @internal */
  declare value: T | undefined;

  /** @internal */
  override attempted(): T | undefined {
    return this.value;
  }

  abstract override begin(task: Task): Body<T>;
}

/**
 * Puts `then` on the prototypes of classes whose objects are awaited for each message. `await` looks it up by name, one
 * prototype after another and with no cache: from the third one on that is 14 of 220 ns.
 */
export function keepThenAtHand(
  ...classes: readonly (abstract new (...parameters: never) => Operation<unknown>)[]
): void {
  const then = Object.getOwnPropertyDescriptor(Coroutine.prototype, "then") as PropertyDescriptor;
  for (const { prototype } of classes) Object.defineProperty(prototype, "then", then);
}
