/**
 * MySQL and MariaDB for corio: what aiomysql is to asyncio. A cancelled task is a cancelled query.
 *
 * @module @corio/mysql
 */

// Connecting.
export { connect, Connection } from "./connection.ts";
export { createPool, MysqlPool } from "./pool.ts";
export type { MysqlPoolOptions } from "./pool.ts";
export type { ConnectOptions, TlsOptions, TypeCastField } from "./options.ts";

// Statements.
export { Queryable } from "./queryable.ts";
export type { OperationOptions } from "./queryable.ts";
export { PreparedStatement } from "./prepared-statement.ts";
export type { Field, QueryResult, Row } from "./rows.ts";
export type { StreamOptions } from "./row-stream.ts";
export type { InsertTarget, Records } from "./insert.ts";

// Transactions.
export type { IsolationLevel, RetryOptions, TransactionOptions } from "./transaction.ts";

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
  MysqlError,
  StatementError,
  TlsError,
  TransactionAbortedError,
} from "./errors.ts";
export type { MysqlErrorCode } from "./errors.ts";
