import type { Runnable } from "../loop/runnable.ts";
import type { Future } from "./future.ts";
import type { Task } from "./task.ts";

/**
 * A line of execution inside a task, suspended at one place. Most tasks have one; `await Promise.all([a(), b()])` makes
 * two, which are cancelled together and which the task waits for before it is done.
 *
 * A strand is a callback of the future it waits for: when that is done the strand is made ready, and its `run` resumes
 * the code.
 */
export abstract class Strand implements Runnable {
  declare readonly task: Task<unknown>;
  /** What the strand waits for; null while it runs or only yields one iteration. */
  declare future: Future<unknown> | null;

  constructor(task: Task<unknown>) {
    this.task = task;
    this.future = null;
  }

  /** Who is resumed when the future is done: for the graph of who awaits whom. */
  get awaiter(): Future<unknown> {
    return this.task;
  }

  get resumesInMicrotask(): Task<unknown> | null {
    return null;
  }

  abstract run(): void;
}
