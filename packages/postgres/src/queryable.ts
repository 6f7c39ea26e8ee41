import { ArgumentTypeError, timeout, ValueError } from "corio";
import type { Coroutine, Duration } from "corio";
import { exchange } from "corio/pool";
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
  /** Runs one statement, and gives what `pick` makes of its result. @internal */
  abstract run<T>(
    query: DriverQuery,
    options: OperationOptions,
    pick: (result: DriverResult) => T,
  ): Coroutine<T>;

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
    return this.run(query, options, (result) => toResult(result) as QueryResult<object> as QueryResult<R>);
  }

  /** Runs a statement and gives its rows. asyncpg: `fetch`. */
  fetch<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<R[]> {
    return this.run(toQuery("fetch", text, values), options, ({ rows }) => rows as R[]);
  }

  /** Runs a statement and gives its first row, null when there is none. asyncpg: `fetchrow`. */
  fetchRow<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Coroutine<R | null> {
    return this.run(toQuery("fetchRow", text, values), options, ({ rows }) => {
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
    return this.run(query, options, (result) => {
      return firstValue(result) as T | null;
    });
  }

  /** Runs a statement and gives how many rows it was about. asyncpg: `execute`, which gives the command tag. */
  execute(text: string, values?: readonly unknown[], options: OperationOptions = {}): Coroutine<number> {
    return this.run(toQuery("execute", text, values), options, ({ rowCount }) => rowCount ?? 0);
  }
}

/**
 * Runs `query` on the session that is there when it is awaited, and gives what `pick` makes of its result. It may
 * take as long as the options say, or else the `commandTimeout`.
 */
export function runOn<T>(
  session: () => Session,
  commandTimeout: Duration | null,
  query: DriverQuery,
  options: OperationOptions,
  pick: (result: DriverResult) => T,
): Coroutine<T> {
  const run = (): Coroutine<T> =>
    exchange(
      () => session().request(query, pick),
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

/** What pg is given; throws when it is of the wrong kind. */
export function toQuery(where: string, text: string, values: readonly unknown[] | undefined): DriverQuery {
  checkText(where, text);
  if (values !== undefined && !Array.isArray(values)) {
    throw new ArgumentTypeError(
      `${where} expects the values of $1, $2, … as an array, got ${typeof values}; write [value]`,
    );
  }
  if (values === undefined) return { text };
  if (values.length > MOST_VALUES) {
    throw new ValueError(
      `${where} cannot send ${values.length} values: the protocol has room for ${MOST_VALUES}; use copyRecords, or one value that is an array`,
    );
  }
  return { text, values };
}

/** The driver would write more modulo 65,536, and the server take them for something else. */
const MOST_VALUES = 65_535;

export function checkText(where: string, text: string): void {
  if (typeof text !== "string")
    throw new ArgumentTypeError(`${where} expects a statement as a string, got ${typeof text}`);
  // The protocol ends texts with it.
  if (text.includes("\0")) throw new ValueError(`${where} expects a statement without NUL characters`);
}
