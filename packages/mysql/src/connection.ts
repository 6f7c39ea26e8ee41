import { coroutine } from "corio";
import type { Coroutine, Duration, Steps } from "corio";
import { ConnectionReleasedError } from "./errors.ts";
import { checkTarget, insertRecords } from "./insert.ts";
import type { InsertTarget, Records } from "./insert.ts";
import type { ConnectOptions } from "./options.ts";
import { toOptions } from "./options.ts";
import { prepareStatement } from "./prepared-statement.ts";
import type { PreparedStatement } from "./prepared-statement.ts";
import { Queryable, runOn, toStatement, withTimeout } from "./queryable.ts";
import type { OperationOptions } from "./queryable.ts";
import { checkBufferSize, streamRows } from "./row-stream.ts";
import type { StreamOptions } from "./row-stream.ts";
import type { Answer, Row } from "./rows.ts";
import { Session } from "./session.ts";
import type { Statement } from "./session.ts";
import { runTransaction } from "./transaction.ts";
import type { TransactionOptions } from "./transaction.ts";

/**
 * A connection to MySQL or MariaDB: what `connect` gives, and what a pool lends. It does one thing at a time; a second
 * operation at the same time is refused with `ConnectionBusyError`.
 *
 * aiomysql: `Connection`, with its cursors.
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

  /** The server's number of the connection: `ID` in the process list, `CONNECTION_ID()`. aiomysql: `thread_id`. */
  get threadId(): number | null {
    return this.#require().threadId;
  }

  /** Whether a transaction is open. aiomysql: `get_transaction_status`. */
  get isInTransaction(): boolean {
    return this.#require().isInTransaction;
  }

  /** True when it was closed, given back to its pool, or lost. aiomysql: `closed`. */
  get isClosed(): boolean {
    return this.#session === null || this.#session.isBroken;
  }

  /** @internal */
  override run<T>(
    statement: Statement,
    options: OperationOptions,
    pick: (answer: Answer) => T,
  ): Coroutine<T> {
    return runOn(() => this.#require(), this.#commandTimeout, statement, options, pick);
  }

  /**
   * Runs one statement for each list of values, one after the other, as a transaction. Gives how many rows it was about
   * in all. For many new rows `insertRecords` is faster. aiomysql: `executemany`.
   */
  executeMany(
    text: string,
    manyValues: Iterable<readonly unknown[]>,
    options: OperationOptions = {},
  ): Coroutine<number> {
    toStatement("executeMany", text, undefined);
    return this.transaction(async () => {
      await using statement = await this.prepare(text);
      let count = 0;
      for (const values of manyValues) count += await statement.execute(values, options);
      return count;
    });
  }

  /**
   * Inserts records, each an array of values, by statements with up to a thousand rows each, as a transaction. Gives how
   * many records there were.
   *
   * Cancel safety: a cancel, or an error of what gives the records, inserts nothing, if the table is transactional.
   *
   * aiomysql: `executemany` of an INSERT.
   */
  insertRecords(
    target: string | InsertTarget,
    records: Records,
    options: OperationOptions = {},
  ): Coroutine<number> {
    checkTarget(target);
    const session = this.#require();
    return withTimeout(session.commandTimeout, options, () =>
      this.transaction(() => insertRecords(session, target, records)),
    );
  }

  /**
   * Has the server parse a statement, to be run many times on this connection.
   *
   * Cancel safety: nothing is prepared when it is cancelled.
   */
  prepare(text: string): Coroutine<PreparedStatement> {
    toStatement("prepare", text, undefined);
    return prepareStatement(() => this.#require(), text);
  }

  /**
   * Runs `body` as a transaction: commits when it returns, and gives what it gives; rolls back when it throws. Inside of
   * a transaction it is a savepoint, and the options are ignored.
   *
   * With `retry` the block runs again, from its beginning, when the transaction failed because of others: so it should
   * do nothing that cannot be done twice.
   *
   * Throws `TransactionAbortedError` when the transaction has ended inside of the block, which is also what any further
   * statement of the block throws: the server rolls back after a deadlock, and commits at CREATE TABLE and the like.
   * Throws `CommitOutcomeUnknownError` when the connection is lost while COMMIT is under way.
   *
   * Cancel safety: a cancel in the block rolls back. One during COMMIT waits for its answer; if that is yes, the result
   * is given, and the cancellation is raised at the next await.
   *
   * aiomysql: `begin`, `commit`, `rollback`.
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
   * The rows of a statement as an async iterable, while the server sends them: for results that are too large to be held.
   * Until the loop ends the connection can do nothing else. The server waits while nobody takes rows; if that is for
   * longer than its `net_write_timeout` (60 seconds, unless the option `settings` says otherwise) it ends the connection.
   *
   * Leaving the loop early kills the statement. Cancel safety: so does a cancel while rows are waited for.
   *
   * aiomysql: `SSCursor`.
   */
  stream<R extends object = Row>(
    text: string,
    values?: readonly unknown[],
    options: StreamOptions = {},
  ): AsyncIterableIterator<R> {
    const statement = toStatement("stream", text, values);
    checkBufferSize(options.bufferSize);
    return streamRows(this.#require(), statement, options) as AsyncIterableIterator<R>;
  }

  /** Says that a function has changed the session out of sight: it is reset before anybody else has it. */
  markDirty(): void {
    this.#require().markDirty();
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
 * aiomysql: `connect`.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { connect } from "@corio/mysql";
 *
 * async function main() {
 *   await using connection = await connect("mysql://root@127.0.0.1/test");
 *   console.log(await connection.fetchValue("SELECT ? + 1", [41]));
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
