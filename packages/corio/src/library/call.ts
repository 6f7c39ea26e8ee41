import type { Steps } from "../futures/awaitable.ts";
import { Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";

/** The call of an operation that is written as a generator: lazy as every coroutine, shown in reports by its public name. */
export function call<T>(name: string, steps: (task: Task) => Steps<T>): Operation<T> {
  return new Call<T>(name, steps);
}

class Call<T> extends Operation<T> {
  readonly name: string;
  readonly #steps: (task: Task) => Steps<T>;

  constructor(name: string, steps: (task: Task) => Steps<T>) {
    super();
    this.name = name;
    this.#steps = steps;
  }

  begin(task: Task): Steps<T> {
    return this.#steps(task);
  }
}
