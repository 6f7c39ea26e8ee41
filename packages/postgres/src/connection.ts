import { coroutine } from "corio";
import type { Coroutine, Duration, Steps } from "corio";
import { checkCopy, copyIn, copyOut, copyRecordsStatement, encodeRecords } from "./copy.ts";
import type { CopySource, CopyTarget } from "./copy.ts";
import { checkBatchSize, readCursor } from "./cursor.ts";
import type { CursorOptions } from "./cursor.ts";
import type { DriverQuery, DriverResult } from "./driver.ts";
import { ConnectionReleasedError } from "./errors.ts";
import type { ConnectOptions } from "./options.ts";
import { toOptions } from "./options.ts";
import { prepareStatement } from "./prepared-statement.ts";
import type { PreparedStatement } from "./prepared-statement.ts";
import { Queryable, runOn, toQuery, withTimeout } from "./queryable.ts";
import type { OperationOptions } from "./queryable.ts";
import type { Row } from "./rows.ts";
import { Session } from "./session.ts";
import { runTransaction } from "./transaction.ts";
import type { TransactionOptions } from "./transaction.ts";

/**
 * A connection to PostgreSQL: what `connect` gives, and what a pool lends. It does one thing at a time; a second
 * operation at the same time is refused with `ConnectionBusyError`.
 *
 * asyncpg: `Connection`.
 */
export class Connection extends Queryable implements AsyncDisposable {
  #session: Session | null;
  readonly #commandTimeout: Duration | null;
  /** Gives it back to where it is from; null when that is somebody else's business. */
  readonly #release: ((session: Session) => Coroutine<void>) | null;

  /** @internal */
  constructor(session: Session, release: ((session: Session) => Coroutine<void>) | null) {
    super();
    this.#session = session;
    this.#commandTimeout = session.commandTimeout;
    this.#release = release;
  }

  /** The number of the server's process: `pid` in `pg_stat_activity`. Null when the server has not said it. */
  get processId(): number | null {
    return this.#require().processId;
  }

  /** Whether a transaction is open. asyncpg: `is_in_transaction`. */
  get isInTransaction(): boolean {
    return this.#require().isInTransaction;
  }

  /** True when it was closed, given back to its pool, or lost. asyncpg: `is_closed`. */
  get isClosed(): boolean {
    return this.#session === null || this.#session.isBroken;
  }

  /** @internal */
  override run<T>(
    query: DriverQuery,
    options: OperationOptions,
    pick: (result: DriverResult) => T,
  ): Coroutine<T> {
    return runOn(() => this.#require(), this.#commandTimeout, query, options, pick);
  }

  /**
   * Runs one statement for each list of values, one after the other, as a transaction. Gives how many rows it was about
   * in all. For many rows `copyRecords` is faster. asyncpg: `executemany`.
   */
  executeMany(
    text: string,
    manyValues: Iterable<readonly unknown[]>,
    options: OperationOptions = {},
  ): Coroutine<number> {
    toQuery("executeMany", text, undefined);
    return this.transaction(async () => {
      await using statement = await this.prepare(text);
      let count = 0;
      for (const values of manyValues) count += await statement.execute(values, options);
      return count;
    });
  }

  /**
   * Has the server parse a statement, to be run many times on this connection.
   *
   * Cancel safety: nothing is prepared when it is cancelled. asyncpg: `prepare`.
   */
  prepare(text: string): Coroutine<PreparedStatement> {
    return prepareStatement(() => this.#require(), text);
  }

  /**
   * Runs `body` as a transaction: commits when it returns, and gives what it gives; rolls back when it throws. Inside of
   * a transaction it is a savepoint, and the options are ignored.
   *
   * With `retry` the block runs again, from its beginning, when the transaction failed because of others: so it should
   * do nothing that cannot be done twice.
   *
   * Throws `TransactionAbortedError` when the server answers COMMIT with a rollback, `CommitOutcomeUnknownError` when
   * the connection is lost while COMMIT is under way.
   *
   * Cancel safety: a cancel in the block rolls back. One during COMMIT waits for its answer; if that is yes, the result
   * is given, and the cancellation is raised at the next await.
   *
   * asyncpg: `async with connection.transaction()`.
   */
  transaction<T>(body: (connection: this) => Steps<T>, options?: TransactionOptions): Coroutine<T>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  transaction<T>(body: (connection: this) => T | PromiseLike<T>, options?: TransactionOptions): Coroutine<T>;
  transaction<T>(
    body: (connection: this) => T | PromiseLike<T> | Steps<T>,
    options: TransactionOptions = {},
  ): Coroutine<T> {
    return runTransaction<this, T>(this.#require(), this, body as (connection: this) => T, options);
  }

  /**
   * The rows of a statement as an async iterable, fetched in batches: for results that are too large to be held. Until
   * the loop ends the connection can do nothing else. Leaving the loop closes the server's portal.
   *
   * Cancel safety: a cancel while rows are fetched cancels the statement; rows of the batch at hand are not lost before.
   *
   * asyncpg: `connection.cursor`, which needs a transaction; this does not.
   */
  cursor<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: CursorOptions = {},
  ): AsyncIterableIterator<R> {
    const query = toQuery("cursor", text, values);
    checkBatchSize(options.batchSize);
    return readCursor(this.#require(), query.text, query.values, options) as AsyncIterableIterator<R>;
  }

  /**
   * Runs `COPY … FROM STDIN` with what `source` gives, and gives how many rows it was.
   *
   * Cancel safety: a cancel, or an error of the source, ends the COPY with CopyFail: nothing is inserted.
   *
   * asyncpg: `copy_to_table`.
   */
  copyIn(text: string, source: CopySource, options: OperationOptions = {}): Coroutine<number> {
    checkCopy("copyIn", text, "FROM");
    const session = this.#require();
    return withTimeout(session.commandTimeout, options, () => copyIn(session, text, source));
  }

  /**
   * Runs `COPY … TO STDOUT`, and gives its bytes in pieces as the server sends them. Leaving the loop cancels it.
   *
   * asyncpg: `copy_from_query`, `copy_from_table`.
   */
  copyOut(text: string): AsyncIterableIterator<Uint8Array> {
    checkCopy("copyOut", text, "TO");
    return copyOut(this.#require(), text);
  }

  /**
   * Inserts records, each an array of values, by COPY: the fastest way to insert many rows. Values are written as they
   * are for parameters. Gives how many there were.
   *
   * Cancel safety: as `copyIn`. asyncpg: `copy_records_to_table`.
   */
  copyRecords(
    target: string | CopyTarget,
    records: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
    options: OperationOptions = {},
  ): Coroutine<number> {
    const statement = copyRecordsStatement(typeof target === "string" ? { table: target } : target);
    const session = this.#require();
    return withTimeout(session.commandTimeout, options, () =>
      copyIn(session, statement, encodeRecords(records)),
    );
  }

  /** Says that a function has changed the session out of sight: it is reset before anybody else has it. */
  markDirty(): void {
    this.#require().markDirty();
  }

  /** How values of the type with this OID are made of the server's text, for this connection, from now on. */
  setTypeParser(typeId: number, parse: (text: string) => unknown): void {
    this.#require().client.setTypeParser(typeId, "text", parse);
  }

  /**
   * Closes the connection, or gives it back to its pool; nothing happens the second time.
   *
   * Cancel safety: it is closed, or given back, in any case.
   */
  close(): Coroutine<void> {
    return closeConnection(this);
  }

  /** Closes the connection, or gives it back to its pool, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  detach(): Session | null {
    const session = this.#session;
    this.#session = null;
    return session;
  }

  /** @internal */
  async closeNow(): Promise<void> {
    const session = this.detach();
    if (session !== null) await this.#release?.(session);
  }

  #require(): Session {
    if (this.#session !== null) return this.#session;
    throw new ConnectionReleasedError(
      "this connection was closed or given back to its pool: by now it may be somebody else's",
    );
  }
}

const closeConnection = coroutine(async function close(connection: Connection) {
  await connection.closeNow();
});

const openConnection = coroutine(async function connect(options: ConnectOptions): Promise<Connection> {
  return new Connection(await Session.open(options), (session) => session.close());
});

/**
 * Connects to a server. Throws `AuthenticationError`, `TlsError`, `DatabaseNotFoundError`, or `ConnectError` for
 * everything else that can go wrong; each says what to do.
 *
 * Cancel safety: a cancelled `connect` leaves no connection.
 *
 * asyncpg: `connect`.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { connect } from "@corio/postgres";
 *
 * async function main() {
 *   await using connection = await connect("postgres://postgres@127.0.0.1/test");
 *   console.log(await connection.fetchValue("SELECT $1::int + 1", [41]));
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * 42
 * ```
 */
export function connect(options?: string | ConnectOptions): Coroutine<Connection> {
  return openConnection(toOptions("connect", options));
}
