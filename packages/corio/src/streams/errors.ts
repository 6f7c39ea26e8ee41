/** The errors of `corio/streams`. Errors of the host, such as `ECONNREFUSED`, are passed on as they are. */
import { CorioError } from "../errors.ts";

/**
 * The stream ended before everything that was asked for had arrived.
 *
 * asyncio: `IncompleteReadError`.
 */
export class IncompleteReadError extends CorioError {
  static override readonly brand: string = "IncompleteReadError";
  readonly code = "CORIO_INCOMPLETE_READ" as const;
  /** What had arrived; it is no longer in the reader. */
  readonly partial: Uint8Array;
  /** How many bytes were asked for; null when a separator was. */
  readonly expected: number | null;

  /** `expected` is null when a separator was waited for, and not a number of bytes. */
  constructor(partial: Uint8Array, expected: number | null, options?: ErrorOptions) {
    const wanted = expected === null ? "a separator" : `${expected} bytes`;
    super(`the stream ended after ${partial.length} bytes, before ${wanted} had arrived`, options);
    this.partial = partial;
    this.expected = expected;
  }
}

/**
 * The separator does not come within the reader's limit. What has arrived stays in the reader.
 *
 * asyncio: `LimitOverrunError`.
 */
export class LimitOverrunError extends CorioError {
  static override readonly brand: string = "LimitOverrunError";
  readonly code = "CORIO_LIMIT_OVERRUN" as const;
  /** How many bytes can be taken out of the reader without breaking a separator. */
  readonly consumed: number;

  /** `consumed` bytes are certain not to have the separator's beginning. */
  constructor(message: string, consumed: number, options?: ErrorOptions) {
    super(message, options);
    this.consumed = consumed;
  }
}

/** The connection is gone. Python: `ConnectionResetError`. */
export class ConnectionResetError extends CorioError {
  static override readonly brand: string = "ConnectionResetError";
  readonly code = "CORIO_CONNECTION_RESET" as const;
}

/** The connection was given up on this side: its TLS handshake took too long. Python: `ConnectionAbortedError`. */
export class ConnectionAbortedError extends CorioError {
  static override readonly brand: string = "ConnectionAbortedError";
  readonly code = "CORIO_CONNECTION_ABORTED" as const;
}

/** One address that could not be connected to. */
export interface FailedAttempt {
  /** The address, with its port, as in `127.0.0.1:80` and `[::1]:80`. */
  readonly address: string;
  /** Why. */
  readonly error: unknown;
}

/**
 * None of a host's addresses could be connected to; the message has each of them. Where only one was tried, its own
 * error is thrown instead.
 *
 * asyncio: the `OSError` with "Multiple exceptions".
 */
export class ConnectError extends CorioError {
  static override readonly brand: string = "ConnectError";
  readonly code = "CORIO_CONNECT" as const;
  /** What was tried, in order. */
  readonly attempts: readonly FailedAttempt[];

  /** `target` is what was to be connected to. */
  constructor(target: string, attempts: readonly FailedAttempt[], options?: ErrorOptions) {
    const reasons = attempts.map(({ address, error }) => `${address}: ${messageOf(error)}`);
    super(`cannot connect to ${target}: ${reasons.join("; ")}`, options);
    this.attempts = attempts;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
