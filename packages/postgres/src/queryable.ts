import { ArgumentTypeError, coroutine, timeout } from "corio";
import type { Coroutine, Duration, Steps } from "corio";
import type { DriverQuery, DriverResult } from "./driver.ts";
import { firstValue, toResult } from "./rows.ts";
import type { QueryResult, Row } from "./rows.ts";
import type { Session } from "./session.ts";

/** Options of one operation. */
export interface OperationOptions {
  /** How long it may take before it is cancelled with `TimeoutError`. Default: `commandTimeout`; null: any time. */
  readonly timeout?: Duration | null | undefined;
}

/**
 * What runs statements: a connection, a pool (each statement on whichever connection is free), a prepared statement's
 * connection.
 *
 * Cancel safety, for all of them: a cancelled task cancels its statement on the server, and goes on when the server has
 * answered. A result that comes all the same is delivered, and the cancellation raised at the next await. A statement
 * that is cancelled has done nothing, unless it did its own commits; a statement of several is undone as a whole,
 * outside of a transaction.
 */
export abstract class Queryable {
  /** Runs one statement. @internal */
  abstract run(query: DriverQuery, options: OperationOptions): Coroutine<DriverResult>;

  /**
   * Runs a statement, and gives rows, count and columns. Parameters are `$1`, `$2`, …; without values there may be
   * several statements, separated by semicolons, and the last one's result is given.
   *
   * Throws `StatementError` when the server refuses it, `ConnectionLostError` when the connection breaks.
   */
  query<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<QueryResult<R>> {
    const query = toQuery("query", text, values);
    return statement(
      this,
      query,
      options,
      (result) => toResult(result) as QueryResult<object> as QueryResult<R>,
    );
  }

  /** Runs a statement and gives its rows. asyncpg: `fetch`. */
  fetch<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<R[]> {
    return statement(this, toQuery("fetch", text, values), options, ({ rows }) => rows as R[]);
  }

  /** Runs a statement and gives its first row, null when there is none. asyncpg: `fetchrow`. */
  fetchRow<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<R | null> {
    return statement(this, toQuery("fetchRow", text, values), options, ({ rows }) => {
      return (rows[0] as R | undefined) ?? null;
    });
  }

  /** Runs a statement and gives the first column of its first row, null when there is none. asyncpg: `fetchval`. */
  fetchValue<T = unknown>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<T | null> {
    const query: DriverQuery = { ...toQuery("fetchValue", text, values), rowMode: "array" };
    return statement(this, query, options, (result) => {
      return firstValue(result) as T | null;
    });
  }

  /** Runs a statement and gives how many rows it was about. asyncpg: `execute`, which gives the command tag. */
  execute(text: string, values?: readonly unknown[], options: OperationOptions = {}): Coroutine<number> {
    return statement(this, toQuery("execute", text, values), options, ({ rowCount }) => rowCount ?? 0);
  }
}

/** Runs `query` on `session`, within the time that the options allow. */
export function runOn(
  session: Session,
  query: DriverQuery,
  options: OperationOptions,
): Coroutine<DriverResult> {
  return withTimeout(session, options, () => session.run(query));
}

/** Limits what `start` begins by the options' timeout, or the session's. */
export function withTimeout<T>(
  session: Session,
  options: OperationOptions,
  start: () => Coroutine<T>,
): Coroutine<T> {
  const limit = options.timeout === undefined ? session.commandTimeout : options.timeout;
  return limit === null ? start() : timeout(limit, start);
}

/** What pg is given; throws when it is of the wrong kind. */
export function toQuery(where: string, text: string, values: readonly unknown[] | undefined): DriverQuery {
  checkText(where, text);
  if (values !== undefined && !Array.isArray(values)) {
    throw new ArgumentTypeError(
      `${where} expects the values of $1, $2, … as an array, got ${typeof values}; write [value]`,
    );
  }
  return values === undefined ? { text } : { text, values };
}

export function checkText(where: string, text: string): void {
  if (typeof text === "string") return;
  throw new ArgumentTypeError(`${where} expects a statement as a string, got ${typeof text}`);
}

const statement = coroutine(function* statement<T>(
  queryable: Queryable,
  query: DriverQuery,
  options: OperationOptions,
  pick: (result: DriverResult) => T,
): Steps<T> {
  return pick(yield* queryable.run(query, options));
});
