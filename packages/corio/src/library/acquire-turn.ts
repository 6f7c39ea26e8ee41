import type { Task } from "../futures/task.ts";
import { Turn } from "./turn.ts";
import type { WaitQueue } from "./wait-queue.ts";

/** What a task can wait for its turn at. */
export interface TakesTurns {
  /** The task of `turn` has it now. */
  takeTurn(turn: AcquireTurn): void;
  /** The task of `turn` was cancelled. */
  passTurn(turn: AcquireTurn): void;
}

/** A task's turn at a lock or semaphore. */
export class AcquireTurn extends Turn<true> {
  readonly #owner: TakesTurns;

  constructor(queue: WaitQueue, task: Task, owner: TakesTurns) {
    super(queue, task);
    this.#owner = owner;
  }

  protected override finish(): true {
    this.#owner.takeTurn(this);
    return true;
  }

  protected override giveUp(): void {
    this.#owner.passTurn(this);
  }
}
