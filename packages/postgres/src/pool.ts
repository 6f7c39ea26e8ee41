import { ArgumentTypeError, coroutine, timeout } from "corio";
import type { Coroutine, Duration, Steps, WithBody } from "corio";
import { callBlock, Pool } from "corio/pool";
import type { Lease, PoolAcquireOptions, PoolCloseOptions, PoolOptions, PoolStatistics } from "corio/pool";
import { Connection } from "./connection.ts";
import type { CopyTarget } from "./copy.ts";
import type { DriverQuery, DriverResult } from "./driver.ts";
import { listenTo } from "./listen.ts";
import type { ListenEvent, ListenOptions } from "./listen.ts";
import { toOptions } from "./options.ts";
import type { ConnectOptions } from "./options.ts";
import { Queryable } from "./queryable.ts";
import type { OperationOptions } from "./queryable.ts";
import { Session } from "./session.ts";
import type { TransactionOptions } from "./transaction.ts";

/** Options of `createPool`: how to connect, and how many. */
export interface PostgresPoolOptions
  extends
    ConnectOptions,
    Pick<
      PoolOptions<unknown>,
      "minSize" | "maxSize" | "maxIdle" | "maxLifetime" | "acquireTimeout" | "validateAfter" | "name"
    > {}

/**
 * Connections to one database, lent to one task at a time, in the order in which tasks ask. A connection comes back
 * clean: an open transaction is rolled back, and the session reset if it was changed (see the option `reset`).
 *
 * It may be made at module level, and used by any number of `run`s. It connects when it is first used. The connections
 * that are idle do not keep the process alive.
 *
 * asyncpg: `Pool`.
 */
export class PostgresPool extends Queryable implements AsyncDisposable {
  readonly #options: ConnectOptions;
  readonly #pool: Pool<Session>;

  /** @internal */
  constructor(options: PostgresPoolOptions) {
    super();
    this.#options = options;
    this.#pool = new Pool<Session>({
      name: "PostgresPool",
      // A server that went away without a word is noticed before somebody runs a statement on it.
      validateAfter: 10,
      ...options,
      create: () => Session.open(options),
      destroy: (session) => session.close(),
      validate: async (session) => {
        await session.check();
        return true;
      },
      isBroken: (session) => session.isBroken,
      isClean: (session) => session.isClean,
      reset: (session) => session.reset(),
    });
  }

  /** Runs one statement on a connection that is free. @internal */
  override run<T>(
    query: DriverQuery,
    options: OperationOptions,
    pick: (result: DriverResult) => T,
  ): Coroutine<T> {
    const { timeout: limit = this.#options.commandTimeout ?? null } = options;
    // The time in which it waits for a connection does not count: a limit begins when it has one.
    if (limit !== null) return runStatement(this.#pool, limit, query, pick);
    return this.#pool.exchange(
      (session) => session.request(query, pick),
      (session) => session.exchangeOptions,
    );
  }

  /**
   * Lends a connection to `body`, and gives what that gives.
   *
   * Cancel safety: a cancel while waiting takes no connection; afterwards it is given back clean, whatever happened.
   *
   * asyncpg: `async with pool.acquire() as connection`.
   */
  with<T>(body: (connection: Connection) => Steps<T>, options?: PoolAcquireOptions): Coroutine<T>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  with<T>(body: (connection: Connection) => T | PromiseLike<T>, options?: PoolAcquireOptions): Coroutine<T>;
  with<T>(body: WithBody<[connection: Connection], T>, options?: PoolAcquireOptions): Coroutine<T> {
    if (typeof body !== "function")
      throw new ArgumentTypeError(`with expects a function, got ${typeof body}`);
    return this.#pool.with((session) => useConnection<T>(session, body), options);
  }

  /**
   * Lends a connection: `await using connection = await pool.acquire();` gives it back at the end of the block.
   *
   * Cancel safety: a cancelled `acquire` has no connection. asyncpg: `acquire`.
   */
  acquire(options?: PoolAcquireOptions): Coroutine<Connection> {
    return acquireConnection(this.#pool, options);
  }

  /** `connection.transaction`, on a connection of the pool. With `retry` all attempts are on the same one. */
  transaction<T>(body: (connection: Connection) => Steps<T>, options?: TransactionOptions): Coroutine<T>;
  transaction<T>(
    // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
    body: (connection: Connection) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Coroutine<T>;
  transaction<T>(
    body: (connection: Connection) => T | PromiseLike<T> | Steps<T>,
    options?: TransactionOptions,
  ): Coroutine<T> {
    return this.with((connection) =>
      connection.transaction(body as (connection: Connection) => T | PromiseLike<T>, options),
    );
  }

  /** `connection.executeMany`, on a connection of the pool. */
  executeMany(
    text: string,
    manyValues: Iterable<readonly unknown[]>,
    options?: OperationOptions,
  ): Coroutine<number> {
    return this.with((connection) => connection.executeMany(text, manyValues, options));
  }

  /** `connection.copyRecords`, on a connection of the pool. */
  copyRecords(
    target: string | CopyTarget,
    records: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
    options?: OperationOptions,
  ): Coroutine<number> {
    return this.with((connection) => connection.copyRecords(target, records, options));
  }

  /**
   * Listens on one or more channels, on a connection of its own beside those of the pool. See `listen`.
   */
  listen(
    channels: string | readonly string[],
    options: ListenOptions = {},
  ): AsyncIterableIterator<ListenEvent> {
    return listenTo(this.#options, channels, options);
  }

  /**
   * Makes `minSize` connections, at least one, and waits for them: so that a program whose database is not there ends at
   * once. It need not be called.
   */
  open(): Coroutine<void> {
    return openPool(this.#pool);
  }

  /**
   * Closes the pool: who waits for a connection gets `PoolClosedError`, idle connections are closed, those that are lent
   * are waited for, or dropped after the timeout.
   *
   * Cancel safety: it stays closed. asyncpg: `close`, `terminate`.
   */
  close(options?: PoolCloseOptions): Coroutine<void> {
    return this.#pool.close(options);
  }

  /** Closes the pool at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What the pool is doing at this moment. */
  statistics(): PoolStatistics {
    return this.#pool.statistics();
  }
}

const runStatement = coroutine(function* statement<T>(
  pool: Pool<Session>,
  limit: Duration,
  query: DriverQuery,
  pick: (result: DriverResult) => T,
): Steps<T> {
  const lease = yield* pool.acquire();
  try {
    const session = lease.resource;
    return yield* timeout(limit, () => session.perform(() => session.request(query, pick)));
  } finally {
    yield* lease.release();
  }
});

async function useConnection<T>(session: Session, body: WithBody<[connection: Connection], T>): Promise<T> {
  // It goes back when the block ends, not before.
  const connection = new Connection(session, null);
  try {
    return await callBlock(body, connection);
  } finally {
    connection.detach();
  }
}

const acquireConnection = coroutine(async function acquire(
  pool: Pool<Session>,
  options: PoolAcquireOptions | undefined,
): Promise<Connection> {
  const lease: Lease<Session> = await pool.acquire(options);
  return new Connection(lease.resource, () => lease.release());
});

const openPool = coroutine(async function open(pool: Pool<Session>): Promise<void> {
  await pool.open();
  if (pool.statistics().size > 0) return;
  await pool.with(() => undefined, { timeout: null });
});

/**
 * Makes a pool of connections. It connects when it is first used.
 *
 * asyncpg: `create_pool`.
 *
 * @example
 * ```ts
 * import { gather, run } from "corio";
 * import { createPool } from "@corio/postgres";
 *
 * const pool = createPool({ url: "postgres://postgres@127.0.0.1/test", maxSize: 5 });
 *
 * async function main() {
 *   const double = (n: number) => pool.fetchValue<number>("SELECT $1::int * 2", [n]);
 *   console.log(await gather([1, 2, 3].map(double)));
 *   await pool.close();
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * [ 2, 4, 6 ]
 * ```
 */
export function createPool(options?: string | PostgresPoolOptions): PostgresPool {
  return new PostgresPool(toOptions("createPool", options));
}
