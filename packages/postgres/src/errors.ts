/**
 * The errors of `@corio/postgres`. What the driver or the server said is kept as `cause`; an error that the server sent
 * has its SQLSTATE.
 */

import { CorioError } from "corio";
import type { ServerMessage } from "./driver.ts";

/** The `code` of every error of this package. */
export type PostgresErrorCode =
  | "CORIO_POSTGRES_AUTHENTICATION"
  | "CORIO_POSTGRES_BUSY"
  | "CORIO_POSTGRES_CANNOT_CONNECT"
  | "CORIO_POSTGRES_COMMIT_OUTCOME_UNKNOWN"
  | "CORIO_POSTGRES_CONNECTION_LOST"
  | "CORIO_POSTGRES_NO_DATABASE"
  | "CORIO_POSTGRES_RELEASED"
  | "CORIO_POSTGRES_STATEMENT"
  | "CORIO_POSTGRES_TLS"
  | "CORIO_POSTGRES_TRANSACTION_ABORTED";

/** The base of this package's errors. */
export abstract class PostgresError extends CorioError {
  static override readonly brand: string = "PostgresError";
  /** What went wrong, for programs. */
  abstract override readonly code: PostgresErrorCode;
  /** The five characters by which PostgreSQL names an error; null when the error is not from the server. */
  readonly sqlState: string | null;

  /** `options.cause` is what the driver or the server said. */
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.sqlState = sqlStateOf(options.cause);
  }
}

/** There is no connection: the server is not there, does not answer in time, or has no place left. */
export class ConnectError extends PostgresError {
  static override readonly brand: string = "PostgresConnectError";
  readonly code: PostgresErrorCode = "CORIO_POSTGRES_CANNOT_CONNECT";
}

/** The server does not let this user in: the password is wrong or missing, or `pg_hba.conf` says no. */
export class AuthenticationError extends ConnectError {
  static override readonly brand: string = "PostgresAuthenticationError";
  override readonly code = "CORIO_POSTGRES_AUTHENTICATION" as const;
}

/** The server wants TLS and was not offered it, or the other way round, or its certificate is not trusted. */
export class TlsError extends ConnectError {
  static override readonly brand: string = "PostgresTlsError";
  override readonly code = "CORIO_POSTGRES_TLS" as const;
}

/** The server has no database of that name. */
export class DatabaseNotFoundError extends ConnectError {
  static override readonly brand: string = "PostgresDatabaseNotFoundError";
  override readonly code = "CORIO_POSTGRES_NO_DATABASE" as const;
}

/** The connection broke: the server went away, an administrator ended it, or corio gave it up. */
export class ConnectionLostError extends PostgresError {
  static override readonly brand: string = "PostgresConnectionLostError";
  readonly code = "CORIO_POSTGRES_CONNECTION_LOST" as const;
}

/**
 * The connection broke after COMMIT was sent and before its answer came. The transaction is committed or rolled back;
 * only the database can tell. Look for what the transaction has written before doing it again.
 */
export class CommitOutcomeUnknownError extends PostgresError {
  static override readonly brand: string = "PostgresCommitOutcomeUnknownError";
  readonly code = "CORIO_POSTGRES_COMMIT_OUTCOME_UNKNOWN" as const;
}

/** COMMIT was answered with a rollback: a statement of the transaction had failed, and the block went on. */
export class TransactionAbortedError extends PostgresError {
  static override readonly brand: string = "PostgresTransactionAbortedError";
  readonly code = "CORIO_POSTGRES_TRANSACTION_ABORTED" as const;
}

/** A connection does one thing at a time, and this one is at work. */
export class ConnectionBusyError extends PostgresError {
  static override readonly brand: string = "PostgresConnectionBusyError";
  readonly code = "CORIO_POSTGRES_BUSY" as const;
}

/** The connection was closed, or given back to its pool. */
export class ConnectionReleasedError extends PostgresError {
  static override readonly brand: string = "PostgresConnectionReleasedError";
  readonly code = "CORIO_POSTGRES_RELEASED" as const;
}

/** The server refused a statement. `sqlState` says why; the other fields are those that the server sent. */
export class StatementError extends PostgresError {
  static override readonly brand: string = "PostgresStatementError";
  readonly code = "CORIO_POSTGRES_STATEMENT" as const;
  override readonly sqlState: string;
  /** More about the problem. */
  readonly detail: string | undefined;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** Where in the statement, in characters from 1. */
  readonly position: number | undefined;
  /** The PL/pgSQL functions and the like that were running. */
  readonly context: string | undefined;
  /** What it is about. */
  readonly schema: string | undefined;
  /** What it is about. */
  readonly table: string | undefined;
  /** What it is about. */
  readonly column: string | undefined;
  /** The constraint that would have been violated. */
  readonly constraint: string | undefined;

  /** @internal */
  constructor(cause: ServerMessage) {
    super(cause.message, { cause });
    this.sqlState = cause.code;
    this.detail = cause.detail;
    this.hint = cause.hint;
    this.position = cause.position === undefined ? undefined : Number(cause.position);
    this.context = cause.where;
    this.schema = cause.schema;
    this.table = cause.table;
    this.column = cause.column;
    this.constraint = cause.constraint;
  }
}

/** Whether `error` is one after which the whole transaction may be tried again: 40001 and 40P01. */
export function isRetryable(error: unknown): boolean {
  return error instanceof PostgresError && (error.sqlState === "40001" || error.sqlState === "40P01");
}

/** Whether this came from the server. */
export function isServerMessage(error: unknown): error is ServerMessage {
  return (
    error instanceof Error && "severity" in error && typeof (error as { code?: unknown }).code === "string"
  );
}

function sqlStateOf(error: unknown): string | null {
  return isServerMessage(error) ? error.code : null;
}

/** After this the server closes the connection. */
export function isFatal(error: unknown): boolean {
  // The severity may be in the server's language; what ends a connection in the middle is 57P01 to 57P05.
  return isServerMessage(error) && (/^(FATAL|PANIC)$/.test(error.severity) || error.code.startsWith("57P0"));
}

/** The error of an operation on a connection, of what the driver reported. */
export function operationError(error: unknown): unknown {
  if (error instanceof PostgresError || !isServerMessage(error)) return error;
  if (!isFatal(error)) return new StatementError(error);
  return new ConnectionLostError(`the server ended the connection: ${error.message}`, { cause: error });
}

/** Where somebody wanted to connect to, for messages. */
export interface Target {
  readonly user: string;
  readonly database: string;
  readonly server: string;
}

/** The error of a failed attempt to connect, of what the driver reported. */
export function connectError(error: unknown, { user, database, server }: Target): ConnectError {
  if (error instanceof ConnectError) return error;
  const options = { cause: error };
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (isServerMessage(error)) {
    switch (error.code) {
      case "28P01":
        return new AuthenticationError(
          `${server} refuses user '${user}': ${text}; check the password`,
          options,
        );
      case "28000":
        // pg_hba.conf has no line for this kind of connection. The server says what kind it was.
        if (/^no pg_hba\.conf entry.*(no encryption|SSL off)/.test(text)) {
          return new TlsError(
            `${server} does not let user '${user}' in without TLS: ${text}; set the option ssl`,
            options,
          );
        }
        return new AuthenticationError(
          `${server} refuses user '${user}': ${text}; check the user, and pg_hba.conf on the server, which may want TLS (the option ssl)`,
          options,
        );
      case "3D000":
        return new DatabaseNotFoundError(
          `${server} has no database '${database}'; create it, or check the name`,
          options,
        );
      case "53300":
        return new ConnectError(
          `${server} has no connection left for user '${user}': ${text}; make pools smaller, or raise max_connections`,
          options,
        );
      case "57P03":
        return new ConnectError(`${server} is starting up or shutting down: ${text}; try again`, options);
      default:
        return new ConnectError(`${server} refuses the connection: ${text}`, options);
    }
  }
  if (/password must be a/i.test(text)) {
    return new AuthenticationError(
      `${server} asks for a password for user '${user}'; set the option password`,
      options,
    );
  }
  if (text.includes("does not support SSL")) {
    return new TlsError(
      `${server} does not support TLS; leave the option ssl out, or set ssl = on on the server`,
      options,
    );
  }
  if (typeof code === "string" && /^(ERR_TLS|ERR_SSL|CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) {
    return new TlsError(
      `cannot trust ${server}: ${text}; give its certificate authority as ssl: { ca }`,
      options,
    );
  }
  if (code === "ECONNREFUSED" || code === "ENOENT") {
    return new ConnectError(`no server listens at ${server}: ${text}; check host and port`, options);
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new ConnectError(`cannot find the address of ${server}: ${text}; check the host`, options);
  }
  return new ConnectError(`cannot connect to ${server}: ${text}`, options);
}
