/**
 * PostgreSQL for corio: what asyncpg is to asyncio. A cancelled task is a cancelled query.
 *
 * @module @corio/postgres
 */

// Connecting.
export { connect, Connection } from "./connection.ts";
export { createPool, PostgresPool } from "./pool.ts";
export type { PostgresPoolOptions } from "./pool.ts";
export type { ConnectOptions, Notice, TlsOptions } from "./options.ts";

// Statements.
export { Queryable } from "./queryable.ts";
export type { OperationOptions } from "./queryable.ts";
export { PreparedStatement } from "./prepared-statement.ts";
export type { Field, QueryResult, Row } from "./rows.ts";
export type { CursorOptions } from "./cursor.ts";
export type { CopySource, CopyTarget } from "./copy.ts";

// Transactions.
export type { IsolationLevel, RetryOptions, TransactionOptions } from "./transaction.ts";

// Notifications.
export { listen } from "./listen.ts";
export type { Gap } from "corio/pool";
export type { ListenEvent, ListenOptions, Notification } from "./listen.ts";

// Errors.
export {
  AuthenticationError,
  CommitOutcomeUnknownError,
  ConnectError,
  ConnectionBusyError,
  ConnectionLostError,
  ConnectionReleasedError,
  DatabaseNotFoundError,
  isRetryable,
  PostgresError,
  StatementError,
  TlsError,
  TransactionAbortedError,
} from "./errors.ts";
export type { PostgresErrorCode } from "./errors.ts";
