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
