/**
 * The errors of `@corio/redis`. What the driver or the server said is kept as `cause`; an error that the server sent has
 * its first word, such as `WRONGTYPE`, as `reply`.
 */

import { CorioError } from "corio";
import { ErrorReply } from "redis";

/** The `code` of every error of this package. */
export type RedisErrorCode =
  | "CORIO_REDIS_AUTHENTICATION"
  | "CORIO_REDIS_BUSY"
  | "CORIO_REDIS_CANNOT_CONNECT"
  | "CORIO_REDIS_COMMAND"
  | "CORIO_REDIS_CONNECTION_LOST"
  | "CORIO_REDIS_NO_DATABASE"
  | "CORIO_REDIS_OUTCOME_UNKNOWN"
  | "CORIO_REDIS_PIPELINE"
  | "CORIO_REDIS_RELEASED"
  | "CORIO_REDIS_SESSION_COMMAND"
  | "CORIO_REDIS_TLS"
  | "CORIO_REDIS_WATCHED_KEY_CHANGED";

/** The base of this package's errors. */
export abstract class RedisError extends CorioError {
  static override readonly brand: string = "RedisError";
  /** What went wrong, for programs. */
  abstract override readonly code: RedisErrorCode;
  /** The word by which Redis names an error, such as `WRONGTYPE`; null when the error is not from the server. */
  readonly reply: string | null;

  /** `options.cause` is what the driver or the server said. */
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.reply = replyOf(options.cause);
  }
}

/** There is no connection: the server is not there, does not answer in time, or has no place left. */
export class ConnectError extends RedisError {
  static override readonly brand: string = "RedisConnectError";
  readonly code: RedisErrorCode = "CORIO_REDIS_CANNOT_CONNECT";
}

/** The server does not let this user in: the password is wrong, or missing. */
export class AuthenticationError extends ConnectError {
  static override readonly brand: string = "RedisAuthenticationError";
  override readonly code = "CORIO_REDIS_AUTHENTICATION" as const;
}

/** The server does not speak TLS, or wants it, or its certificate is not trusted. */
export class TlsError extends ConnectError {
  static override readonly brand: string = "RedisTlsError";
  override readonly code = "CORIO_REDIS_TLS" as const;
}

/** The server has no database of that number. */
export class DatabaseNotFoundError extends ConnectError {
  static override readonly brand: string = "RedisDatabaseNotFoundError";
  override readonly code = "CORIO_REDIS_NO_DATABASE" as const;
}

/** The connection broke: the server went away, somebody ended it, or corio gave it up. */
export class ConnectionLostError extends RedisError {
  static override readonly brand: string = "RedisConnectionLostError";
  readonly code = "CORIO_REDIS_CONNECTION_LOST" as const;
}

/** The connection broke after EXEC was sent and before its answer came: all of the transaction was done, or nothing. */
export class TransactionOutcomeUnknownError extends RedisError {
  static override readonly brand: string = "RedisTransactionOutcomeUnknownError";
  readonly code = "CORIO_REDIS_OUTCOME_UNKNOWN" as const;
}

/** A key that the transaction has watched was changed by somebody else: nothing of it was done. redis-py: `WatchError`. */
export class WatchedKeyChangedError extends RedisError {
  static override readonly brand: string = "RedisWatchedKeyChangedError";
  readonly code = "CORIO_REDIS_WATCHED_KEY_CHANGED" as const;
}

/** A blocking command has its connection for itself, and this one is at work. */
export class ConnectionBusyError extends RedisError {
  static override readonly brand: string = "RedisConnectionBusyError";
  readonly code = "CORIO_REDIS_BUSY" as const;
}

/** The connection was closed, or given back. */
export class ConnectionReleasedError extends RedisError {
  static override readonly brand: string = "RedisConnectionReleasedError";
  readonly code = "CORIO_REDIS_RELEASED" as const;
}

/** The command changes the state of a connection that many tasks use: it needs one of its own. */
export class SessionCommandError extends RedisError {
  static override readonly brand: string = "RedisSessionCommandError";
  readonly code = "CORIO_REDIS_SESSION_COMMAND" as const;
}

/** The server refused a command. `reply` says why. */
export class CommandError extends RedisError {
  static override readonly brand: string = "RedisCommandError";
  readonly code = "CORIO_REDIS_COMMAND" as const;
  override readonly reply: string;

  /** `cause` is the driver's `ErrorReply`. */
  constructor(cause: ErrorReply) {
    super(cause.message, { cause });
    this.reply = firstWord(cause.message);
  }
}

/**
 * Some commands of a pipeline or transaction have failed; the others were done. `results` has an answer or a
 * `CommandError` for each.
 */
export class PipelineError extends RedisError {
  static override readonly brand: string = "RedisPipelineError";
  readonly code = "CORIO_REDIS_PIPELINE" as const;
  /** What each command has given, in their order. */
  readonly results: readonly unknown[];

  /** `cause` is the first error. */
  constructor(message: string, results: readonly unknown[], cause: unknown) {
    super(message, { cause });
    this.results = results;
  }
}

/** Makes the error of commands that were run together, of which some failed. */
export function pipelineError(results: readonly unknown[]): PipelineError {
  const failed = results.flatMap((result, index) => (result instanceof CommandError ? [index] : []));
  const first = results[failed[0] ?? 0];
  const what = failed.length === 1 ? "1 command" : `${failed.length} commands`;
  const text = first instanceof Error ? first.message : String(first);
  return new PipelineError(
    `${what} of ${results.length} failed, the first at index ${failed[0] ?? 0}: ${text}; the others were done, see results`,
    results,
    first,
  );
}

function firstWord(message: string): string {
  return /^[A-Z0-9_-]+(?=[\s:]|$)/.exec(message)?.[0] ?? "ERR";
}

function replyOf(error: unknown): string | null {
  if (error instanceof CommandError) return error.reply;
  return error instanceof ErrorReply ? firstWord(error.message) : null;
}

/** The error of a failed attempt to connect, of what the driver reported. */
export function connectError(error: unknown, server: string, user: string, database: number): ConnectError {
  if (error instanceof ConnectError) return error;
  const options = { cause: error };
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof ErrorReply) {
    switch (firstWord(text)) {
      case "WRONGPASS":
        return new AuthenticationError(
          `${server} refuses user '${user}': ${text}; check username and password`,
          options,
        );
      case "NOAUTH":
        return new AuthenticationError(
          `${server} asks for a password for user '${user}': ${text}; set the option password`,
          options,
        );
      case "NOPERM":
        return new AuthenticationError(
          `${server} does not let user '${user}' begin: ${text}; the user needs HELLO, CLIENT and SELECT`,
          options,
        );
      case "DENIED":
        return new AuthenticationError(`${server} refuses the connection: ${text}`, options);
      case "LOADING":
        return new ConnectError(`${server} is starting up: ${text}; try again`, options);
      default:
    }
    if (/DB index is out of range|invalid DB index/i.test(text)) {
      return new DatabaseNotFoundError(
        `${server} has no database ${database}; use a smaller number, or raise 'databases' on the server`,
        options,
      );
    }
    if (text.includes("without any password configured")) {
      return new AuthenticationError(`${server} has no password for user '${user}': ${text}`, options);
    }
    if (text.includes("max number of clients")) {
      return new ConnectError(
        `${server} has no connection left: ${text}; use fewer connections, or raise maxclients`,
        options,
      );
    }
    return new ConnectError(`${server} refuses the connection: ${text}`, options);
  }
  if (typeof code === "string") {
    if (/^(ERR_SSL_WRONG_VERSION|ERR_SSL_PACKET_LENGTH|ERR_SSL_TLSV1_ALERT_PROTOCOL)/.test(code)) {
      return new TlsError(`${server} does not speak TLS; use redis:// or leave the option tls out`, options);
    }
    if (/^(ERR_TLS|ERR_SSL|CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/.test(code)) {
      return new TlsError(
        `cannot agree on TLS with ${server}: ${text}; give its certificate authority as tls: { ca }`,
        options,
      );
    }
    if (code === "ECONNREFUSED" || code === "ENOENT") {
      return new ConnectError(`no server listens at ${server}: ${text}; check host and port`, options);
    }
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
      return new ConnectError(`cannot find the address of ${server}: ${text}; check the host`, options);
    }
  }
  if (/unable to verify|self.signed|certificate/i.test(text)) {
    return new TlsError(
      `cannot agree on TLS with ${server}: ${text}; give its certificate authority as tls: { ca }`,
      options,
    );
  }
  if (code === "ECONNRESET" || /closed unexpectedly|socket hang up|disconnected before/i.test(text)) {
    return new ConnectError(
      `${server} closed the connection at once: ${text}; if it speaks TLS, use rediss:// or the option tls, if not, leave that out`,
      options,
    );
  }
  return new ConnectError(`cannot connect to ${server}: ${text}`, options);
}
