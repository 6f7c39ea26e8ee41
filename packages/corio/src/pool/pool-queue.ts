import { DeadlineTimer } from "../library/deadline-timer.ts";
import { WaitQueue } from "../library/wait-queue.ts";
import type { LoopBinding } from "../library/wait-queue.ts";
import type { PoolTurn } from "./pool-turn.ts";

/**
 * The tasks that wait for a resource, and the time that the pool gives them. Since that is the same for all, whoever came
 * first is the first to run out of it, and one timer is enough: with one for each, setting and cancelling them took more
 * than a third of the time in which a resource goes from hand to hand.
 */
export class PoolQueue<R> extends WaitQueue {
  /** For the one that runs out of time next, or did when it was set. */
  #timer: DeadlineTimer | null = null;
  /** How many have a deadline. */
  #hurried = 0;

  constructor(describe: () => string, binding: LoopBinding) {
    super("Pool", describe, binding);
  }

  /** The task that has waited longest. One whose loop was closed under it would keep for ever what it is given. */
  get firstTurn(): PoolTurn<R> | null {
    let turn = this.first as PoolTurn<R> | null;
    while (turn?.loop.isClosed() === true) {
      this.leave(turn);
      turn = this.first as PoolTurn<R> | null;
    }
    return turn;
  }

  /** Gives the last turn, which has none, a deadline: not before that of any other. */
  hurry(turn: PoolTurn<R>, deadline: number): void {
    turn.deadline = deadline;
    this.#hurried++;
    if (this.#timer === null) this.#setTimer();
  }

  override leave(turn: PoolTurn<R>): void {
    super.leave(turn);
    if (turn.deadline !== Infinity) this.#hurried--;
    // The timer must not keep a program waiting for nobody, nor end with the loop of somebody who has gone.
    if (this.#timer !== null && (this.#hurried === 0 || this.#timer.loop !== this.first?.loop))
      this.#setTimer();
  }

  #setTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const first = this.firstTurn;
    let next = first;
    while (next !== null && next.deadline === Infinity) next = next.behind as PoolTurn<R> | null;
    if (first !== null && next !== null)
      this.#timer = new DeadlineTimer(first.loop, next.deadline, this.#onDue);
  }

  readonly #onDue = (): void => {
    this.#timer = null;
    for (let turn = this.firstTurn; turn !== null;) {
      const behind = turn.behind as PoolTurn<R> | null;
      if (turn.deadline !== Infinity) {
        if (turn.deadline > turn.loop.time()) break;
        turn.runOutOfTime();
      }
      turn = behind;
    }
    this.#setTimer();
  };
}
