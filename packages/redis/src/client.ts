import { ArgumentTypeError, coroutine, isCancelledError, Lock } from "corio";
import type { Coroutine, Duration, Steps } from "corio";
import { Pool, PoolClosedError } from "corio/pool";
import type { Lease, PoolAcquireOptions, PoolCloseOptions, PoolOptions, PoolStatistics } from "corio/pool";
import { emptyBatch } from "./batch.ts";
import { Commander, withLimit } from "./commander.ts";
import { Connection } from "./connection.ts";
import { ControlLines } from "./control.ts";
import { SessionCommandError } from "./errors.ts";
import { targetOf, toOptions } from "./options.ts";
import type { ConnectOptions } from "./options.ts";
import { Session } from "./session.ts";
import type { Begin } from "./session.ts";
import { checkConsumer, consumeEntries, readEntries, toStreams } from "./stream.ts";
import type {
  ConsumeStreamOptions,
  ReadStreamOptions,
  StreamEntry,
  StreamHost,
  StreamJob,
} from "./stream.ts";
import { Subscription, toTopics } from "./subscription.ts";
import type { SubscriptionOptions, SubscriptionTopics } from "./subscription.ts";
import { keysToWatch, runTransaction } from "./transaction.ts";
import type { TransactionBody, TransactionOptions } from "./transaction.ts";

/**
 * Options of `createClient`: how to connect, and how many connections there may be for blocking commands, transactions
 * and `with`. Beside those are one for all other commands, one for each subscription and stream that is read, and one to
 * unblock others when that is needed.
 */
export interface RedisClientOptions
  extends
    ConnectOptions,
    Pick<
      PoolOptions<unknown>,
      "minSize" | "maxSize" | "maxIdle" | "maxLifetime" | "acquireTimeout" | "validateAfter" | "name"
    > {}

/** What `RedisClient.statistics()` gives. */
export interface RedisClientStatistics {
  /** Whether the connection for commands that do not block is there. */
  readonly isConnected: boolean;
  /** How many commands are on their way on it. */
  readonly inFlight: number;
  /** The connections that one task has at a time. */
  readonly pool: PoolStatistics;
}

/**
 * A client of one Redis server, for any number of tasks. Every command is a method with the driver's name.
 *
 * Commands that do not block share one connection: they are sent as they come, and need not wait for each other. A
 * blocking command has a connection of its own, from a pool of `maxSize`; when its task is cancelled it is ended on the
 * server, and an element that arrived in the same moment is delivered. A connection that is lost is replaced when the next
 * command needs one; what was on its way fails with `ConnectionLostError`.
 *
 * It may be made at module level, and used by any number of `run`s. It connects when it is first used. Idle connections
 * do not keep the process alive.
 *
 * redis-py: `redis.asyncio.Redis`.
 */
export class RedisClient extends Commander implements AsyncDisposable {
  readonly #options: ConnectOptions;
  readonly #lines: ControlLines;
  readonly #trunk: Trunk;
  readonly #pool: Pool<Session>;
  readonly #commandTimeout: Duration | null;
  /** Subscriptions and streams: they are closed with the client. */
  readonly #others = new Set<Session>();

  /** @internal */
  constructor(options: RedisClientOptions) {
    super();
    this.#options = options;
    this.#commandTimeout = options.commandTimeout ?? null;
    this.#lines = new ControlLines(targetOf(options), options.cancelTimeout ?? 5);
    this.#trunk = new Trunk(() => Session.open(options, this.#lines));
    this.#pool = new Pool<Session>({
      name: "RedisClient",
      // A server that went away without a word is noticed before somebody waits on it.
      validateAfter: 10,
      ...options,
      create: () => Session.open(options, this.#lines),
      validate: async (session) => {
        await session.check();
        return true;
      },
      isBroken: (session) => session.isBroken,
      isClean: (session) => session.isClean,
      // These two do not wait: a cancel that came too late must not be raised before its command's answer is delivered.
      // eslint-disable-next-line require-yield -- a generator function is run without a suspension.
      *reset(session: Session): Steps<boolean> {
        return session.reset();
      },
      // eslint-disable-next-line require-yield -- as above.
      *destroy(session: Session): Steps<void> {
        session.drop("it was closed");
      },
    });
  }

  // ── Commands ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  override perform<T>(begin: Begin<T>): Coroutine<T> {
    const session = this.#trunk.ready;
    const call = session === null ? performLater(this.#trunk, begin) : session.perform(begin);
    return withLimit(this.#commandTimeout, call);
  }

  /** @internal */
  override block<T>(begin: Begin<T>, seconds: number | null): Coroutine<T> {
    return this.#pool.with<T>((session) => session.block(begin, seconds));
  }

  /** @internal */
  override noteSessionCommand(name: string): never {
    throw new SessionCommandError(
      `${name} changes the connection, which many tasks use; use with((connection) => …), or transaction and subscribe`,
    );
  }

  /**
   * Reads, and then does several commands as one, provided that nobody has changed what was read: `watch` names the
   * keys. The block gets a connection of its own, to read with, and an empty batch; it gives the batch with the commands,
   * which are done when it returns. Gives their answers.
   *
   * Throws `WatchedKeyChangedError` when somebody has changed a watched key: then nothing was done. With `retry` the block
   * runs again, from its beginning. Throws `TransactionOutcomeUnknownError` when the connection is lost during EXEC, and
   * `PipelineError` when some commands failed, which does not undo the others.
   *
   * Cancel safety: a cancel in the block does nothing on the server. One during EXEC waits for its answer, which is given,
   * and the cancellation is raised at the next await.
   *
   * redis-py: `transaction`.
   *
   * @example
   * ```ts
   * import { run } from "corio";
   * import { createClient } from "@corio/redis";
   *
   * const redis = createClient("redis://127.0.0.1");
   *
   * async function main() {
   *   const key = "corio:example:transaction";
   *   await redis.set(key, "20");
   *   const [, value] = await redis.transaction(
   *     async (connection, batch) => {
   *       const half = Number(await connection.get(key)) / 2;
   *       return batch.set(key, String(half)).get(key);
   *     },
   *     { watch: key, retry: true },
   *   );
   *   console.log(value);
   *   await redis.del(key);
   *   await redis.close();
   * }
   *
   * await run(main);
   * ```
   * ```text output
   * 10
   * ```
   */
  transaction<Replies extends readonly unknown[]>(
    body: TransactionBody<Replies>,
    options: TransactionOptions = {},
  ): Coroutine<Replies> {
    if (typeof body !== "function")
      throw new ArgumentTypeError(`transaction expects a function, got ${typeof body}`);
    keysToWatch(options);
    return this.with((connection) => runTransaction(connection, body, options, emptyBatch));
  }

  // ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Lends a connection to `body`, and gives what that gives.
   *
   * Cancel safety: a cancel while waiting takes no connection; afterwards it is given back clean, whatever happened.
   */
  with<T>(body: (connection: Connection) => Steps<T>, options?: PoolAcquireOptions): Coroutine<T>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  with<T>(body: (connection: Connection) => T | PromiseLike<T>, options?: PoolAcquireOptions): Coroutine<T>;
  with<T>(
    body: (connection: Connection) => T | PromiseLike<T> | Steps<T>,
    options?: PoolAcquireOptions,
  ): Coroutine<T> {
    if (typeof body !== "function")
      throw new ArgumentTypeError(`with expects a function, got ${typeof body}`);
    const call = coroutine(body as (connection: Connection) => Promise<T>);
    return this.#pool.with<T>(async (session) => {
      const connection = new Connection(session, this.#commandTimeout, noRelease);
      try {
        return await call(connection);
      } finally {
        connection.detach();
      }
    }, options);
  }

  /**
   * Lends a connection: `await using connection = await client.acquire();` gives it back at the end of the block.
   *
   * Cancel safety: a cancelled `acquire` has no connection.
   */
  acquire(options?: PoolAcquireOptions): Coroutine<Connection> {
    return acquireConnection(this.#pool, this.#commandTimeout, options);
  }

  /**
   * Subscribes to channels, on a connection of its own. When it gives the subscription, the server has confirmed it: what
   * is published from then on arrives.
   *
   * Cancel safety: a cancelled `subscribe` leaves no connection.
   *
   * redis-py: `pubsub()`.
   *
   * @example
   * ```ts
   * import { run } from "corio";
   * import { createClient } from "@corio/redis";
   *
   * const redis = createClient("redis://127.0.0.1");
   *
   * async function main() {
   *   await using subscription = await redis.subscribe("corio:example:news");
   *   await redis.publish("corio:example:news", "hello");
   *   for await (const event of subscription) {
   *     if (event.kind === "gap") continue; // messages may have been lost
   *     console.log(event.channel, event.message);
   *     break;
   *   }
   *   await redis.close();
   * }
   *
   * await run(main);
   * ```
   * ```text output
   * corio:example:news hello
   * ```
   */
  subscribe(
    topics: string | readonly string[] | SubscriptionTopics,
    options: SubscriptionOptions = {},
  ): Coroutine<Subscription> {
    return openSubscription(new Subscription(toTopics(topics), options, () => this.#openOther()));
  }

  /**
   * The entries of one or more streams, as they are added, on a connection of its own. When that is lost it connects
   * again, and goes on after the last entry that the loop got: nothing is missed, unless the stream was trimmed.
   *
   * Cancel safety: reading removes nothing. To go on later, remember the last `id`, and give it as `after`.
   */
  readStream(
    streams: string | readonly string[],
    options: ReadStreamOptions = {},
  ): AsyncIterableIterator<StreamEntry> {
    return readEntries(this.#streamHost(), toStreams(streams), options);
  }

  /**
   * The entries that a consumer group gives to this consumer: first those that it was given before and has not
   * acknowledged, then new ones. Each is to be acknowledged when it is done: `await job.ack()`. On a connection of its own,
   * as `readStream`.
   *
   * Cancel safety: what was fetched and not acknowledged stays this consumer's, and comes again the next time.
   */
  consumeStream(stream: string, options: ConsumeStreamOptions): AsyncIterableIterator<StreamJob> {
    checkConsumer(stream, options);
    return consumeEntries(this.#streamHost(), stream, options);
  }

  #streamHost(): StreamHost {
    return {
      open: () => this.#openOther(),
      acknowledge: (stream, group, id) => this.xAck(stream, group, id),
    };
  }

  #openOther(): Coroutine<Session> {
    return openOther(this.#options, this.#lines, this.#others, () => this.#trunk.requireOpen());
  }

  // ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Connects: so that a program whose server is not there ends at once. It need not be called. */
  open(): Coroutine<void> {
    return openClient(this.#trunk, this.#pool);
  }

  /**
   * Closes the client. Who waits for a connection gets `PoolClosedError`; commands on their way are waited for, and so are
   * connections that are lent, until the timeout; subscriptions and streams are ended.
   *
   * Cancel safety: it stays closed.
   */
  close(options?: PoolCloseOptions): Coroutine<void> {
    return closeClient(this.#trunk, this.#pool, this.#others, this.#lines, options);
  }

  /** Closes the client at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What the client is doing at this moment. */
  statistics(): RedisClientStatistics {
    const session = this.#trunk.ready;
    return Object.freeze({
      isConnected: session !== null,
      inFlight: session?.inFlight ?? 0,
      pool: this.#pool.statistics(),
    });
  }
}

/** The one connection for all that does not block. It is made when somebody needs it. */
class Trunk {
  readonly #open: () => Coroutine<Session>;
  readonly #lock: Lock = new Lock();
  #session: Session | null = null;
  #failures = 0;
  #failure: unknown = null;
  #isClosed = false;

  constructor(open: () => Coroutine<Session>) {
    this.#open = open;
  }

  /** The connection, if it is there. */
  get ready(): Session | null {
    return this.#session === null || this.#session.isBroken ? null : this.#session;
  }

  requireOpen(): void {
    if (this.#isClosed) throw new PoolClosedError("RedisClient is closed");
  }

  /**
   * Gives the connection, and makes it if need be. Only one task makes it at a time; when that fails, those who have waited
   * for it fail as well, and when its task is cancelled, the next takes over.
   */
  async connect(): Promise<Session> {
    const failures = this.#failures;
    return await this.#lock.with(async () => {
      this.requireOpen();
      if (this.ready !== null) return this.ready;
      if (this.#failures > failures) throw this.#failure;
      try {
        this.#session = await this.#open();
      } catch (error) {
        // A cancel is for the task that makes it; so is the end of its commandTimeout. The next takes over.
        if (!isCancelledError(error)) {
          this.#failure = error;
          this.#failures++;
        }
        throw error;
      }
      if (this.#isClosed) this.#session.drop("it was closed");
      this.requireOpen();
      return this.#session;
    });
  }

  /** No new command from now on; those that are on their way are waited for. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const session = this.ready;
    this.#session = null;
    if (session === null) return;
    try {
      // Answered after all that was sent before.
      if (session.inFlight > 0) await session.check();
    } finally {
      session.drop("the client was closed");
    }
  }
}

const performLater = coroutine(async function command<T>(trunk: Trunk, begin: Begin<T>): Promise<T> {
  const session = await trunk.connect();
  return await session.perform(begin);
});

/** It goes back when its block ends, not before. */
const noRelease = coroutine(async function release(session: Session): Promise<void> {
  session.markDirty();
  await Promise.resolve();
});

const acquireConnection = coroutine(async function acquire(
  pool: Pool<Session>,
  commandTimeout: Duration | null,
  options: PoolAcquireOptions | undefined,
): Promise<Connection> {
  const lease: Lease<Session> = await pool.acquire(options);
  return new Connection(lease.resource, commandTimeout, () => lease.release());
});

const openSubscription = coroutine(async function subscribe(
  subscription: Subscription,
): Promise<Subscription> {
  await subscription.begin();
  return subscription;
});

const openOther = coroutine(async function open(
  options: ConnectOptions,
  lines: ControlLines,
  others: Set<Session>,
  requireOpen: () => void,
): Promise<Session> {
  requireOpen();
  const session = await Session.open(options, lines);
  for (const other of others) if (other.isBroken) others.delete(other);
  others.add(session);
  return session;
});

const openClient = coroutine(async function open(trunk: Trunk, pool: Pool<Session>): Promise<void> {
  await trunk.connect();
  await pool.open();
});

const closeClient = coroutine(async function close(
  trunk: Trunk,
  pool: Pool<Session>,
  others: Set<Session>,
  lines: ControlLines,
  options: PoolCloseOptions | undefined,
): Promise<void> {
  try {
    for (const session of others) session.drop("the client was closed");
    others.clear();
    await trunk.close();
    await pool.close(options);
  } finally {
    lines.close();
  }
});

/**
 * Makes a client. It connects when it is first used.
 *
 * redis-py: `redis.asyncio.from_url`.
 *
 * @example
 * ```ts
 * import { gather, run } from "corio";
 * import { createClient } from "@corio/redis";
 *
 * const redis = createClient("redis://127.0.0.1");
 *
 * async function main() {
 *   const keys = ["corio:example:a", "corio:example:b"];
 *   await gather(keys.map((key, index) => redis.set(key, String(index))));
 *   console.log(await redis.mGet(keys));
 *   await redis.del(keys);
 *   await redis.close();
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * [ '0', '1' ]
 * ```
 */
export function createClient(options?: string | RedisClientOptions): RedisClient {
  return new RedisClient(toOptions<RedisClientOptions>("createClient", options));
}
