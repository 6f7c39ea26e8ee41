/**
 * The errors of `@corio/mysql`. What the driver or the server said is kept as `cause`; an error that the server sent has
 * its number and its SQLSTATE.
 */

import { CorioError } from "corio";
import type { DriverError } from "./driver.ts";

/** The `code` of every error of this package. */
export type MysqlErrorCode =
  | "CORIO_MYSQL_AUTHENTICATION"
  | "CORIO_MYSQL_BUSY"
  | "CORIO_MYSQL_CANNOT_CONNECT"
  | "CORIO_MYSQL_COMMIT_OUTCOME_UNKNOWN"
  | "CORIO_MYSQL_CONNECTION_LOST"
  | "CORIO_MYSQL_NO_DATABASE"
  | "CORIO_MYSQL_RELEASED"
  | "CORIO_MYSQL_STATEMENT"
  | "CORIO_MYSQL_TLS"
  | "CORIO_MYSQL_TRANSACTION_ABORTED";

/** The base of this package's errors. */
export abstract class MysqlError extends CorioError {
  static override readonly brand: string = "MysqlError";
  /** What went wrong, for programs. */
  abstract override readonly code: MysqlErrorCode;
  /** The server's number of the error, such as 1062 for a duplicate key; null when it is not from the server. */
  readonly errno: number | null;
  /** The SQLSTATE, coarser than `errno`; null when it is not from the server. */
  readonly sqlState: string | null;

  /** `options.cause` is what the driver or the server said. */
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options);
    const { cause } = options;
    const isFromServer = cause instanceof MysqlError || isServerMessage(cause);
    this.errno = isFromServer ? (cause.errno ?? null) : null;
    this.sqlState = isFromServer ? (cause.sqlState ?? null) : null;
  }
}

/** There is no connection: the server is not there, does not answer in time, or has no place left. */
export class ConnectError extends MysqlError {
  static override readonly brand: string = "MysqlConnectError";
  readonly code: MysqlErrorCode = "CORIO_MYSQL_CANNOT_CONNECT";
}

/** The server does not let this user in: the password is wrong or missing, or the account is for other hosts. */
export class AuthenticationError extends ConnectError {
  static override readonly brand: string = "MysqlAuthenticationError";
  override readonly code = "CORIO_MYSQL_AUTHENTICATION" as const;
}

/** The server wants TLS and was not offered it, or the other way round, or its certificate is not trusted. */
export class TlsError extends ConnectError {
  static override readonly brand: string = "MysqlTlsError";
  override readonly code = "CORIO_MYSQL_TLS" as const;
}

/** The server has no database of that name, or none that this user may see. */
export class DatabaseNotFoundError extends ConnectError {
  static override readonly brand: string = "MysqlDatabaseNotFoundError";
  override readonly code = "CORIO_MYSQL_NO_DATABASE" as const;
}

/** The connection broke: the server went away, an administrator ended it, or corio gave it up. */
export class ConnectionLostError extends MysqlError {
  static override readonly brand: string = "MysqlConnectionLostError";
  readonly code = "CORIO_MYSQL_CONNECTION_LOST" as const;
}

/**
 * The connection broke after COMMIT was sent and before its answer came. The transaction is committed or rolled back;
 * only the database can tell. Look for what the transaction has written before doing it again.
 */
export class CommitOutcomeUnknownError extends MysqlError {
  static override readonly brand: string = "MysqlCommitOutcomeUnknownError";
  readonly code = "CORIO_MYSQL_COMMIT_OUTCOME_UNKNOWN" as const;
}

/**
 * The transaction ended inside of its block: the server rolled it back because of a deadlock or the like, of which
 * `cause` tells, or a statement has committed it, as most that change tables do.
 */
export class TransactionAbortedError extends MysqlError {
  static override readonly brand: string = "MysqlTransactionAbortedError";
  readonly code = "CORIO_MYSQL_TRANSACTION_ABORTED" as const;
}

/** A connection does one thing at a time, and this one is at work. */
export class ConnectionBusyError extends MysqlError {
  static override readonly brand: string = "MysqlConnectionBusyError";
  readonly code = "CORIO_MYSQL_BUSY" as const;
}

/** The connection was closed, or given back to its pool. */
export class ConnectionReleasedError extends MysqlError {
  static override readonly brand: string = "MysqlConnectionReleasedError";
  readonly code = "CORIO_MYSQL_RELEASED" as const;
}

/** The server refused a statement. `errno` and `sqlState` say why. */
export class StatementError extends MysqlError {
  static override readonly brand: string = "MysqlStatementError";
  readonly code = "CORIO_MYSQL_STATEMENT" as const;
  override readonly errno: number;
  override readonly sqlState: string;

  /** `cause` is the driver's error. */
  constructor(cause: Error & { readonly errno: number; readonly sqlState: string }) {
    super(cause.message, { cause });
    this.errno = cause.errno;
    this.sqlState = cause.sqlState;
  }
}

/** Deadlock; lock wait timeout; a row has changed since it was read (with MariaDB's snapshot isolation). */
const RETRYABLE: ReadonlySet<number | null> = new Set([1213, 1205, 1020]);

/** Whether `error` is one after which the whole transaction may be tried again: 1213, 1205 and 1020. */
export function isRetryable(error: unknown): boolean {
  return error instanceof MysqlError && RETRYABLE.has(error.errno);
}

/** What the server said. */
export type ServerMessage = DriverError & { readonly errno: number; readonly sqlState: string };

/** Whether this came from the server. */
export function isServerMessage(error: unknown): error is ServerMessage {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown };
  return typeof errno === "number" && typeof sqlState === "string";
}

/** The server shuts down, or has ended this connection. */
const FATAL: ReadonlySet<number> = new Set([1053, 1080, 1152, 1184, 1927, 3169, 4031]);

/** After this the server closes the connection. */
export function isFatal(error: unknown): boolean {
  if (isServerMessage(error) && FATAL.has(error.errno)) return true;
  return error instanceof Error && (error as DriverError).fatal === true;
}

/** "Query execution was interrupted", as the server says it where it says something. */
export function interruption(): StatementError {
  const cause = Object.assign(new Error("Query execution was interrupted"), {
    errno: 1317,
    sqlState: "70100",
  });
  return new StatementError(cause);
}

/** The error of an operation on a connection, of what the driver reported. */
export function operationError(error: unknown): unknown {
  if (error instanceof MysqlError || !isServerMessage(error)) return error;
  if (!isFatal(error)) return new StatementError(error);
  return new ConnectionLostError(`the server ended the connection: ${error.message}`, { cause: error });
}

/** Where somebody wanted to connect to, for messages. */
export interface Target {
  readonly user: string;
  readonly database: string | undefined;
  readonly server: string;
  readonly hasTls: boolean;
}

/** The error of a failed attempt to connect, of what the driver reported. */
export function connectError(error: unknown, { user, database, server, hasTls }: Target): ConnectError {
  if (error instanceof ConnectError) return error;
  const options = { cause: error };
  const text = error instanceof Error ? error.message : String(error);
  if (isServerMessage(error)) {
    switch (error.errno) {
      case 1045:
      case 1698:
        return new AuthenticationError(
          `${server} refuses user '${user}': ${text}; check the password` +
            (hasTls ? "" : ", and whether the account needs TLS (the option ssl)"),
          options,
        );
      case 1130:
        return new AuthenticationError(
          `${server} refuses user '${user}': ${text}; the account is for other hosts`,
          options,
        );
      case 3159:
        return new TlsError(`${server} lets nobody in without TLS: ${text}; set the option ssl`, options);
      case 1049:
        return new DatabaseNotFoundError(
          `${server} has no database '${database ?? ""}'; create it, or check the name`,
          options,
        );
      case 1044:
        return new DatabaseNotFoundError(
          `${server} has no database '${database ?? ""}' that user '${user}' may use: ${text}`,
          options,
        );
      case 1040:
      case 1203:
      case 1226:
        return new ConnectError(
          `${server} has no connection left for user '${user}': ${text}; make pools smaller, or raise max_connections`,
          options,
        );
      default:
        return new ConnectError(`${server} refuses the connection: ${text}`, options);
    }
  }
  const code = (error as { code?: unknown } | null)?.code;
  switch (code) {
    case "HANDSHAKE_NO_SSL_SUPPORT":
      return new TlsError(
        `${server} does not support TLS; leave the option ssl out, or give the server a certificate`,
        options,
      );
    case "HANDSHAKE_SSL_ERROR":
      return new TlsError(
        `cannot trust ${server}: ${text}; give its certificate authority as ssl: { ca }`,
        options,
      );
    case "ECONNREFUSED":
    case "ENOENT":
      return new ConnectError(
        `no server listens at ${server}: ${text || code}; check host and port`,
        options,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new ConnectError(`cannot find the address of ${server}: ${text}; check the host`, options);
    default:
      return new ConnectError(`cannot connect to ${server}: ${text}`, options);
  }
}
