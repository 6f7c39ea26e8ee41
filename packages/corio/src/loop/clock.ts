import { host } from "#host";

/**
 * Where a loop takes its time from. The real one is `systemClock`; `VirtualClock` of `corio/testing` is the other.
 * All `run` calls with the same clock share one scheduler; objects of different clocks must not meet.
 */
export interface Clock {
  /** Seconds since some fixed moment; never goes back. */
  time(): number;

  /**
   * Present on clocks that do not follow real time. Called when nothing is ready: `deadline` is the next timer's,
   * and the clock moves there (true) or stays (false: whoever holds the clock will call `wake`).
   */
  jump?(deadline: number): boolean;

  /** For clocks with `jump`. Called when nothing is ready and no timer is set: a clock that was moved may go there. */
  catchUp?(): void;

  /** For clocks with `jump`: real seconds to wait for tasks that sit on foreign promises before jumping. */
  readonly foreignGrace?: number;

  /** For clocks with `jump`: set by the scheduler, to be called when the clock was moved by hand. */
  wake?: () => void;
}

/** The host's monotonic clock. */
export const systemClock: Clock = { time: () => host.now() };
