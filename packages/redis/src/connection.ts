import { coroutine } from "corio";
import type { Coroutine, Duration } from "corio";
import { Commander, withLimit } from "./commander.ts";
import { ControlLines } from "./control.ts";
import { ConnectionReleasedError } from "./errors.ts";
import { targetOf, toOptions } from "./options.ts";
import type { ConnectOptions } from "./options.ts";
import { Session } from "./session.ts";
import type { Begin } from "./session.ts";

/**
 * A connection to Redis for one task: what `connect` gives, and what a client lends. It can do what changes a
 * connection: WATCH, SELECT. A blocking command must be alone on it: beside others it is refused with
 * `ConnectionBusyError`.
 *
 * redis-py: `Redis(single_connection_client=True)`.
 */
export class Connection extends Commander implements AsyncDisposable {
  #session: Session | null;
  readonly #commandTimeout: Duration | null;
  /** Gives it back to where it is from. */
  readonly #release: (session: Session) => Coroutine<void>;

  /** @internal */
  constructor(
    session: Session,
    commandTimeout: Duration | null,
    release: (session: Session) => Coroutine<void>,
  ) {
    super();
    this.#session = session;
    this.#commandTimeout = commandTimeout;
    this.#release = release;
  }

  /** The number of this connection: `CLIENT ID`. Null when the server has not told it. */
  get id(): number | null {
    return this.#require().id;
  }

  /** True when it was closed, given back, or lost. */
  get isClosed(): boolean {
    return this.#session === null || this.#session.isBroken;
  }

  /** @internal */
  override perform<T>(begin: Begin<T>): Coroutine<T> {
    return withLimit(this.#commandTimeout, this.#require().perform(begin));
  }

  /** @internal */
  override block<T>(begin: Begin<T>, seconds: number | null): Coroutine<T> {
    return this.#require().block(begin, seconds);
  }

  /** @internal */
  override noteSessionCommand(): void {
    this.#require().markDirty();
  }

  /**
   * From now on, a `multi` on this connection is refused with `WatchedKeyChangedError` when somebody else has changed one
   * of these keys; until the next `multi`, or `unwatch`. See `transaction`, which does it all.
   */
  watch(...keys: readonly string[]): Coroutine<void> {
    this.#require().noteWatching(true);
    return this.perform(async (client) => {
      await client.sendCommand(["WATCH", ...keys]);
    });
  }

  /** Watches no key any more. */
  unwatch(): Coroutine<void> {
    return this.perform(async (client) => {
      await client.sendCommand(["UNWATCH"]);
    });
  }

  /** Uses another database from now on. The connection is not given to anybody else after that. */
  select(database: number): Coroutine<void> {
    this.#require().markDirty();
    return this.perform(async (client) => {
      await client.sendCommand(["SELECT", String(database)]);
    });
  }

  /**
   * Closes the connection, or gives it back; nothing happens the second time.
   *
   * Cancel safety: it is closed, or given back, in any case.
   */
  close(): Coroutine<void> {
    return closeConnection(this);
  }

  /** Closes the connection, or gives it back, at the end of an `await using` block. */
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
    if (session !== null) await this.#release(session);
  }

  #require(): Session {
    if (this.#session !== null) return this.#session;
    throw new ConnectionReleasedError(
      "this connection was closed or given back: by now it may be somebody else's",
    );
  }
}

const closeConnection = coroutine(async function close(connection: Connection) {
  await connection.closeNow();
});

const openConnection = coroutine(async function connect(options: ConnectOptions): Promise<Connection> {
  const lines = new ControlLines(targetOf(options), options.cancelTimeout ?? 5);
  const session = await Session.open(options, lines);
  const release = coroutine(async (closing: Session): Promise<void> => {
    await Promise.resolve();
    closing.drop("it was closed");
    lines.close();
  });
  return new Connection(session, options.commandTimeout ?? null, release);
});

/**
 * Connects to a server, for one task. Programs will rather use `createClient`. Throws `AuthenticationError`, `TlsError`,
 * `DatabaseNotFoundError`, or `ConnectError` for everything else that can go wrong; each says what to do.
 *
 * Cancel safety: a cancelled `connect` leaves no connection.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { connect } from "@corio/redis";
 *
 * async function main() {
 *   await using connection = await connect("redis://127.0.0.1");
 *   console.log(await connection.echo("hello"));
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * hello
 * ```
 */
export function connect(options?: string | ConnectOptions): Coroutine<Connection> {
  return openConnection(toOptions<ConnectOptions>("connect", options));
}
