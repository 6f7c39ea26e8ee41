import { coroutine } from "corio";
import type { Coroutine, Duration } from "corio";
import type { Flight } from "corio/pool";
import type { DriverConnection, DriverQuery, DriverResult, Submittable } from "./driver.ts";
import { ConnectionReleasedError } from "./errors.ts";
import { Queryable, runOn, toQuery } from "./queryable.ts";
import type { OperationOptions } from "./queryable.ts";
import type { QueryResult, Row } from "./rows.ts";
import type { Session } from "./session.ts";

/**
 * A statement that the server has parsed, to be run again and again on its connection: what `connection.prepare` gives.
 * Each method is that of the connection, without the text. It lasts as long as the connection does.
 *
 * asyncpg: `PreparedStatement`.
 */
export class PreparedStatement implements AsyncDisposable {
  /** The statement. */
  readonly text: string;
  readonly #statement: NamedStatement;

  /** @internal */
  constructor(session: () => Session, commandTimeout: Duration | null, name: string, text: string) {
    this.text = text;
    this.#statement = new NamedStatement(session, commandTimeout, name);
  }

  /** Runs it, and gives rows, count and columns. */
  query<R extends object = Row>(
    values?: readonly unknown[],
    options?: OperationOptions,
  ): Coroutine<QueryResult<R>> {
    return this.#statement.query<R>(this.text, values, options);
  }

  /** Runs it and gives its rows. */
  fetch<R extends object = Row>(values?: readonly unknown[], options?: OperationOptions): Coroutine<R[]> {
    return this.#statement.fetch<R>(this.text, values, options);
  }

  /** Runs it and gives its first row, null when there is none. */
  fetchRow<R extends object = Row>(
    values?: readonly unknown[],
    options?: OperationOptions,
  ): Coroutine<R | null> {
    return this.#statement.fetchRow<R>(this.text, values, options);
  }

  /** Runs it and gives the first column of its first row, null when there is none. */
  fetchValue<T = unknown>(values?: readonly unknown[], options?: OperationOptions): Coroutine<T | null> {
    return this.#statement.fetchValue<T>(this.text, values, options);
  }

  /** Runs it and gives how many rows it was about. */
  execute(values?: readonly unknown[], options?: OperationOptions): Coroutine<number> {
    return this.#statement.execute(this.text, values, options);
  }

  /** Makes the server forget it; nothing happens the second time. Cancel safety: it waits for the answer. */
  close(): Coroutine<void> {
    return this.#statement.close();
  }

  /** Makes the server forget it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Runs statements under a name: pg sends the text of each name only once. */
class NamedStatement extends Queryable {
  readonly #session: () => Session;
  readonly #commandTimeout: Duration | null;
  readonly #name: string;
  #isClosed = false;

  constructor(session: () => Session, commandTimeout: Duration | null, name: string) {
    super();
    this.#session = session;
    this.#commandTimeout = commandTimeout;
    this.#name = name;
  }

  override run<T>(
    query: DriverQuery,
    options: OperationOptions,
    pick: (result: DriverResult) => T,
  ): Coroutine<T> {
    const session = (): Session => {
      if (this.#isClosed) throw new ConnectionReleasedError("this prepared statement was closed");
      return this.#session();
    };
    // With no values, too: pg goes by the name then.
    const named = { values: [], ...query, name: this.#name };
    return runOn(session, this.#commandTimeout, named, options, pick);
  }

  close(): Coroutine<void> {
    return closeStatement(this);
  }

  async closeNow(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const session = this.#session();
    if (session.isBroken) return;
    await session.perform(() => submitted(session, new Close(this.#name)), { isInterruptible: false });
    session.forgetStatement(this.#name);
  }
}

const closeStatement = coroutine(async function close(statement: NamedStatement) {
  await statement.closeNow();
});

let prepared = 0;

/** Has the server parse `text`, and throws what it has to say about it. */
export function prepareStatement(session: () => Session, text: string): Coroutine<PreparedStatement> {
  return parseStatement(session, text);
}

const parseStatement = coroutine(async function prepare(
  session: () => Session,
  text: string,
): Promise<PreparedStatement> {
  toQuery("prepare", text, undefined);
  const name = `corio_${++prepared}`;
  const current = session();
  await current.perform(() => submitted(current, new Parse(name, text)));
  current.keepStatement(name, text);
  return new PreparedStatement(session, current.commandTimeout, name, text);
});

async function submitted(session: Session, message: Message): Promise<void> {
  const flight = session.submit(message, "");
  message.flight = flight;
  await flight;
  session.throwFailure(flight);
}

/** A message of the protocol that is answered by nothing but ReadyForQuery, or an error. */
abstract class Message implements Submittable {
  flight: Flight | null = null;

  abstract submit(connection: DriverConnection): void;

  handleError(error: unknown): void {
    this.flight?.fail(error);
  }

  handleReadyForQuery(): void {
    // The session sees that.
  }
}

class Parse extends Message {
  readonly #name: string;
  readonly text: string;

  constructor(name: string, text: string) {
    super();
    this.#name = name;
    this.text = text;
  }

  submit(connection: DriverConnection): void {
    connection.parse({ name: this.#name, text: this.text });
    connection.sync();
  }
}

class Close extends Message {
  readonly #name: string;

  constructor(name: string) {
    super();
    this.#name = name;
  }

  submit(connection: DriverConnection): void {
    connection.close({ type: "S", name: this.#name });
    connection.sync();
  }
}
