// What every task is doing, by its name, and what those that were cancelled were doing.
import { CancelledError, currentTask, getRunningLoop } from "corio";

interface Activity {
  readonly description: string;
  readonly began: number;
}

export interface CancelledActivity {
  readonly task: string;
  readonly description: string;
  /** How long the task had been at it. */
  readonly seconds: number;
}

export class Activities {
  readonly cancelled: CancelledActivity[] = [];
  readonly #current: Map<string, Activity> = new Map<string, Activity>();

  /** Runs `body`, which is what the current task is for; remembers it if it is cancelled. */
  async track<T>(description: string, body: () => Promise<T>): Promise<T> {
    this.begin(description);
    try {
      return await body();
    } catch (error) {
      if (error instanceof CancelledError) this.#noteCancelled();
      throw error;
    } finally {
      this.#current.delete(currentTaskName());
    }
  }

  /** The current task does something else from now on. */
  begin(description: string): void {
    this.#current.set(currentTaskName(), { description, began: getRunningLoop().time() });
  }

  /** How many tasks have not ended. */
  get underWay(): number {
    return this.#current.size;
  }

  #noteCancelled(): void {
    const task = currentTaskName();
    const activity = this.#current.get(task);
    if (activity === undefined) return;
    const { description, began } = activity;
    this.cancelled.push({ task, description, seconds: getRunningLoop().time() - began });
  }
}

function currentTaskName(): string {
  return currentTask()?.getName() ?? "no task";
}
