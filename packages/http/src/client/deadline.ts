import { getRunningLoop, sleep, timeoutAt, TimeoutError, until } from "corio";
import type { Timeout } from "corio";
import { HttpTimeoutError } from "../errors.ts";
import type { HttpTimeoutKind } from "../errors.ts";

/** Time limits in seconds; null for none. */
export interface Limits {
  readonly total: number | null;
  readonly connect: number | null;
  readonly read: number | null;
}

/** The time limits of one request, from its start to the end of its body. */
export class Deadline {
  readonly #what: string;
  readonly #limits: Limits;
  readonly #total: number | null;

  constructor(what: string, limits: Limits) {
    this.#what = what;
    this.#limits = limits;
    this.#total = limits.total === null ? null : getRunningLoop().time() + limits.total;
  }

  /**
   * Waits for a response. `start` gets a signal, and what to call when it has a connection: until then the limit is
   * `connect`, after it `read`.
   */
  async response<T>(start: (signal: AbortSignal, onConnected: () => void) => PromiseLike<T>): Promise<T> {
    let kind: HttpTimeoutKind = "connect";
    return await this.#within(
      "connect",
      () => kind,
      (scope) =>
        until((signal) =>
          start(signal, () => {
            kind = "read";
            if (scope.state === "active") scope.reschedule(this.#when("read"));
          }),
        ),
    );
  }

  /** Waits for a piece of a body. `abort` must make the read fail. */
  async read<T>(start: () => PromiseLike<T>, abort: () => void): Promise<T> {
    return await this.#within(
      "read",
      () => "read",
      () =>
        until((signal) => {
          signal.addEventListener("abort", abort);
          return start();
        }),
    );
  }

  /** Waits between two attempts. */
  async pause(seconds: number): Promise<void> {
    await this.#within(
      "total",
      () => "total",
      () => sleep(seconds),
    );
  }

  async #within<T>(
    first: HttpTimeoutKind,
    kindNow: () => HttpTimeoutKind,
    body: (scope: Timeout) => PromiseLike<T>,
  ): Promise<T> {
    const when = this.#when(first);
    let scope: Timeout | null = null;
    try {
      return await timeoutAt(when, (given) => {
        scope = given;
        return body(given);
      });
    } catch (error) {
      if (!(error instanceof TimeoutError) || (scope as Timeout | null)?.expired() !== true) throw error;
      throw this.#error(kindNow(), error);
    }
  }

  /** When a wait of this kind has to end, in seconds of the loop's clock. */
  #when(kind: HttpTimeoutKind): number | null {
    const own = this.#limits[kind];
    const when = own === null ? null : getRunningLoop().time() + own;
    if (when === null || this.#total === null) return when ?? this.#total;
    return Math.min(when, this.#total);
  }

  #error(kind: HttpTimeoutKind, cause: unknown): HttpTimeoutError {
    const isTotal = this.#total !== null && getRunningLoop().time() >= this.#total;
    const which = isTotal ? "total" : kind;
    const what = { total: "was not done", connect: "got no connection", read: "got nothing from the server" }[
      which
    ];
    return new HttpTimeoutError(`${this.#what} ${what} within ${String(this.#limits[which])} s`, which, {
      cause,
    });
  }
}
