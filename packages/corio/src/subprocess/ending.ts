import { host } from "#host";
import type { HostTimer } from "../host/host.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { CANCELLED, PENDING } from "../futures/future.ts";
import type { CancelOptions, FutureState } from "../futures/future.ts";
import { HostWait } from "../streams/host-wait.ts";
import type { ProcessGroup } from "./process-group.ts";

/** Seconds between two looks at what is left of a group whose process has ended: at first, and at most. */
const FIRST_LOOK = 0.002;
const LONGEST_LOOK = 0.1;

/** Seconds after which those that do not even die are left alone; the process itself is waited for in any case. */
const GIVE_UP = 2;

/** In milliseconds: what a timer of the host can count. */
export const LONGEST_TIMER: number = 2 ** 31 - 1;

/**
 * Ends a process with its group, and waits for that: asks all of them to terminate, and kills those that are there when
 * the grace period is over. It counts real seconds, whatever the clock of the loop: processes know no other.
 *
 * The host tells when the process itself has ended. For the others of the group there is no such event, so they are
 * looked at again and again.
 *
 * A cancel cuts the grace period short, and takes effect when everything has ended: nothing is left behind.
 */
export class Ending extends HostWait<void> {
  readonly #group: ProcessGroup;
  readonly #deadline: number;
  readonly #forgetExit: () => void;
  #timer: HostTimer | null = null;
  #pause = FIRST_LOOK;
  #killedAt: number | null = null;
  #cancelled: unknown = null;

  constructor(loop: EventLoop, group: ProcessGroup, gracePeriod: number) {
    super(loop);
    this.#group = group;
    this.#deadline = host.now() + gracePeriod;
    this.#forgetExit = group.onExit(() => {
      this.#look();
    });
    if (gracePeriod > 0 && group.isAlive) {
      this.#send("SIGTERM");
      // One that was stopped gets it only when it goes on.
      this.#send("SIGCONT");
    }
    this.#look();
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (this.state !== PENDING) return false;
    this.#cancelled ??= this.makeCancelled(reason, options?.requestedBy);
    this.#kill();
    return true;
  }

  describeWait(): string {
    return `process ${this.#group.pid} to end`;
  }

  #kill(): void {
    this.#killedAt ??= host.now();
    this.#send("SIGKILL");
  }

  /** A process that belongs to somebody else (`sudo`) cannot be ended: the wait for that fails. */
  #send(signal: NodeJS.Signals): void {
    if (this.state !== PENDING) return;
    try {
      this.#group.signalAll(signal);
    } catch (error) {
      this.#forgetExit();
      this.fail(error);
    }
  }

  #look(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.state !== PENDING) return;
    const group = this.#group;
    if (!group.isAlive) {
      this.#finish();
      return;
    }
    const now = host.now();
    if (this.#killedAt === null && now >= this.#deadline) {
      this.#kill();
      this.#pause = FIRST_LOOK;
    }
    if ((this.state as FutureState) !== PENDING) return;
    if (group.hasExited && this.#killedAt !== null && now >= this.#killedAt + GIVE_UP) {
      this.#finish();
      return;
    }
    const untilDeadline = this.#killedAt === null ? this.#deadline - now : Infinity;
    const untilNext = group.hasExited ? this.#nextPause() : Infinity;
    const seconds = Math.min(untilDeadline, untilNext);
    // Killed, and not dead yet: the host will tell.
    if (seconds === Infinity && this.#killedAt !== null) return;
    const milliseconds = Math.min(Math.ceil(seconds * 1000), LONGEST_TIMER);
    this.#timer = host.setTimer(() => this.#look(), milliseconds, true);
  }

  #nextPause(): number {
    const pause = this.#pause;
    this.#pause = Math.min(pause * 2, LONGEST_LOOK);
    return pause;
  }

  #finish(): void {
    this.#forgetExit();
    if (this.#cancelled === null) this.succeed(undefined);
    else this.settle(CANCELLED, this.#cancelled);
  }
}
