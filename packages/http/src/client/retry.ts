import { ArgumentTypeError, ValueError } from "corio";
import type { Duration } from "corio";
import { toSeconds } from "corio/pool";
import { checkCount, checkSeconds } from "../shared/checks.ts";

/** When a request is sent again, and how soon. Durations are seconds. */
export interface RetryOptions {
  /** How often it is sent, the first time included. Default 3. */
  readonly attempts?: number | undefined;
  /** Of which methods; others only when no connection could be made. Default: those that may be repeated. */
  readonly methods?: readonly string[] | undefined;
  /** After which statuses. Default 429, 502, 503, 504. */
  readonly statuses?: readonly number[] | undefined;
  /** The pause before the second attempt; it doubles each time. Default 0.2. */
  readonly delay?: Duration | undefined;
  /** The longest pause, and the longest `Retry-After` that is waited for. Default 30. */
  readonly maxDelay?: Duration | undefined;
  /** What part of each pause is left to chance, 0 to 1. Default 0.5. */
  readonly jitter?: number | undefined;
}

const IDEMPOTENT = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"];

/** Throws for options that make no sense. */
export function checkRetry(options: RetryOptions | null | undefined): void {
  if (options === null || options === undefined) return;
  if (typeof (options as unknown) !== "object")
    throw new ArgumentTypeError(`retry expects an object such as { attempts: 3 }, got ${typeof options}`);
  checkCount(options.attempts, "retry: attempts", 1);
  for (const name of ["delay", "maxDelay"] as const)
    if (options[name] !== undefined) checkSeconds(options[name], `retry: ${name}`);
  const { jitter = 0 } = options;
  if (!(jitter >= 0 && jitter <= 1)) throw new ValueError(`retry: jitter expects 0 to 1, got ${jitter}`);
}

/** What `RetryOptions` say about one request. */
export class RetryPlan {
  readonly #options: RetryOptions;
  readonly #method: string;
  #attempts = 1;

  constructor(options: RetryOptions | null, method: string) {
    this.#options = options ?? { attempts: 1 };
    this.#method = method;
  }

  #mayTry(): boolean {
    return this.#attempts < (this.#options.attempts ?? 3);
  }

  #mayRepeat(): boolean {
    const { methods = IDEMPOTENT } = this.#options;
    return methods.some((method) => method.toUpperCase() === this.#method);
  }

  /** Seconds to wait before it is sent again after this response; null when it is not. */
  afterResponse(status: number, headers: Headers): number | null {
    const statuses = this.#options.statuses ?? [429, 502, 503, 504];
    if (!this.#mayTry() || !this.#mayRepeat() || !statuses.includes(status)) return null;
    const asked = retryAfter(headers.get("retry-after"));
    if (asked === null) return this.#pause();
    if (asked > this.#maxDelay()) return null;
    this.#attempts++;
    return asked;
  }

  /** The same after a failure; `wasSent`: the server may have got it. */
  afterFailure(wasSent: boolean): number | null {
    return this.#mayTry() && (!wasSent || this.#mayRepeat()) ? this.#pause() : null;
  }

  #maxDelay(): number {
    return toSeconds(this.#options.maxDelay ?? 30, "retry: maxDelay");
  }

  #pause(): number {
    const first = toSeconds(this.#options.delay ?? 0.2, "retry: delay");
    const pause = Math.min(first * 2 ** (this.#attempts - 1), this.#maxDelay());
    this.#attempts++;
    return pause * (1 - (this.#options.jitter ?? 0.5) * Math.random());
  }
}

/** The seconds of a Retry-After header, which has a number or a date; null without one. */
export function retryAfter(value: string | null, now: number = Date.now()): number | null {
  if (value === null) return null;
  if (/^\s*\d+\s*$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}
