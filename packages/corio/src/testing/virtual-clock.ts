import { ValueError } from "../errors.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import type { Clock } from "../loop/clock.ts";

/** Options of the `VirtualClock` constructor. */
export interface VirtualClockOptions {
  /** Where the clock starts, in seconds. Default 0. */
  readonly start?: number;
  /** Jump to the next timer as soon as nothing is ready. Default true; with false only `advance` moves the clock. */
  readonly autoJump?: boolean;
  /**
   * How long, in real time, the clock stands still for a task that awaits a foreign promise (a socket, a real timer)
   * before it jumps all the same. Default 1 second.
   */
  readonly foreignGrace?: Duration;
}

/**
 * A clock that does not wait: when nothing is ready it jumps to the next timer. A program that sleeps for an hour ends
 * at once, its times are exact, and a program that can never continue ends with `DeadlockError`.
 *
 * @example
 * ```ts
 * import { coroutine, getRunningLoop, run, sleep } from "corio";
 * import { VirtualClock } from "corio/testing";
 *
 * const main = coroutine(async function main() {
 *   await sleep({ hours: 1 });
 *   return getRunningLoop().time();
 * });
 *
 * console.log(await run(main(), { clock: new VirtualClock() }));
 * ```
 * ```text output
 * 3600
 * ```
 */
export class VirtualClock implements Clock {
  readonly foreignGrace: number;
  wake?: () => void;
  readonly #autoJump: boolean;
  #now: number;
  /** How far `advance` allows the clock to go, when it does not jump by itself. */
  #limit: number;

  /** Throws `ArgumentTypeError` or `ValueError` when `start` or `foreignGrace` is no duration. */
  constructor(options: VirtualClockOptions = noOptions) {
    checkOptions(options, "VirtualClock");
    this.#now = toSeconds(options.start ?? 0, "VirtualClock: start");
    this.#limit = this.#now;
    this.#autoJump = options.autoJump ?? true;
    this.foreignGrace = toSeconds(options.foreignGrace ?? 1, "VirtualClock: foreignGrace");
  }

  /** The virtual time in seconds. */
  time(): number {
    return this.#now;
  }

  /** Moves the clock forward; timers on the way fire in order, each at its own time. */
  advance(duration: Duration): void {
    const seconds = toSeconds(duration, "VirtualClock.advance");
    if (seconds < 0)
      throw new ValueError(`VirtualClock.advance expects a positive duration, got ${seconds.toString()}`);
    this.#limit = Math.max(this.#limit, this.#now) + seconds;
    if (this.wake === undefined) this.#now = this.#limit;
    else this.wake();
  }

  jump(deadline: number): boolean {
    if (this.#autoJump || deadline <= this.#limit) {
      this.#now = Math.max(this.#now, deadline);
      return true;
    }
    this.catchUp();
    return false;
  }

  catchUp(): void {
    this.#now = Math.max(this.#now, this.#limit);
  }
}
