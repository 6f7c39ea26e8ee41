import { ArgumentTypeError, timeout } from "corio";
import type { Coroutine, Duration } from "corio";
import { exchange } from "corio/pool";
import { countOf, firstValue, rowsOf, toResult } from "./rows.ts";
import type { Answer, QueryResult, Row } from "./rows.ts";
import type { Session, Statement } from "./session.ts";
import { toValues } from "./values.ts";

/** Options of one operation. */
export interface OperationOptions {
  /** How long it may take before it is cancelled with `TimeoutError`. Default: `commandTimeout`; null: any time. */
  readonly timeout?: Duration | null | undefined;
}

/**
 * What runs statements: a connection, a pool (each statement on whichever connection is free), a prepared statement's
 * connection.
 *
 * Values stand for the `?` of a statement, one after the other; they are escaped and put into its text, as mysql2 and
 * aiomysql do. A list stands for its items, `WHERE id IN (?)`; any other object is sent as JSON. `??` is a name.
 *
 * Cancel safety, for all of them: a cancelled task kills its statement on the server, and goes on when the server has
 * answered. The answer of a statement that writes, and came through all the same, is delivered, and the cancellation
 * raised at the next await. One that was cancelled has done nothing, if its tables are transactional and it did no
 * commits of its own.
 */
export abstract class Queryable {
  /** Runs one statement, and gives what `pick` makes of its answer. @internal */
  abstract run<T>(statement: Statement, options: OperationOptions, pick: (answer: Answer) => T): Coroutine<T>;

  /**
   * Runs a statement, and gives rows, counts and columns.
   *
   * Throws `StatementError` when the server refuses it, `ConnectionLostError` when the connection breaks, `ValueError`
   * for a value that cannot be sent.
   */
  query<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<QueryResult<R>> {
    const query = toStatement("query", text, values);
    return this.run(query, options, (answer) => toResult(answer) as QueryResult<object> as QueryResult<R>);
  }

  /** Runs a statement and gives its rows. aiomysql: `execute` and `fetchall`. */
  fetch<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<R[]> {
    const query = toStatement("fetch", text, values);
    return this.run(query, options, (answer) => rowsOf(answer) as R[]);
  }

  /** Runs a statement and gives its first row, null when there is none. aiomysql: `execute` and `fetchone`. */
  fetchRow<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<R | null> {
    const query = toStatement("fetchRow", text, values);
    return this.run(query, options, (answer) => (rowsOf(answer)[0] as R | undefined) ?? null);
  }

  /** Runs a statement and gives the first column of its first row, null when there is none. */
  fetchValue<T = unknown>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<T | null> {
    const query: Statement = { ...toStatement("fetchValue", text, values), rowsAsArray: true };
    return this.run(query, options, (answer) => firstValue(answer) as T | null);
  }

  /** Runs a statement and gives how many rows it was about. aiomysql: `execute`. */
  execute(text: string, values?: readonly unknown[], options: OperationOptions = {}): Coroutine<number> {
    return this.run(toStatement("execute", text, values), options, countOf);
  }
}

/**
 * Runs `statement` on the session that is there when it is awaited, and gives what `pick` makes of its answer. It may
 * take as long as the options say, or else the `commandTimeout`.
 */
export function runOn<T>(
  session: () => Session,
  commandTimeout: Duration | null,
  statement: Statement,
  options: OperationOptions,
  pick: (answer: Answer) => T,
): Coroutine<T> {
  const run = (): Coroutine<T> =>
    exchange(
      () => session().request(statement, pick),
      () => session().exchangeOptions,
    );
  return withTimeout(commandTimeout, options, run);
}

/** Limits what `start` begins by the options' timeout, or else the `commandTimeout`. */
export function withTimeout<T>(
  commandTimeout: Duration | null,
  options: OperationOptions,
  start: () => Coroutine<T>,
): Coroutine<T> {
  const { timeout: limit = commandTimeout } = options;
  return limit === null ? start() : timeout(limit, start);
}

/** What is sent; throws when it is of the wrong kind. */
export function toStatement(
  where: string,
  text: string,
  values: readonly unknown[] | undefined,
  isPrepared = false,
): Statement {
  if (typeof text !== "string") {
    throw new ArgumentTypeError(`${where} expects a statement as a string, got ${typeof text}`);
  }
  return values === undefined ? { sql: text } : { sql: text, values: toValues(where, values, isPrepared) };
}
