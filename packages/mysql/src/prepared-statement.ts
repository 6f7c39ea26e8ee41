import { coroutine } from "corio";
import type { Coroutine, Duration } from "corio";
import { ConnectionReleasedError } from "./errors.ts";
import { runOn, toStatement } from "./queryable.ts";
import type { OperationOptions } from "./queryable.ts";
import { countOf, firstValue, rowsOf, toObjects, toResult } from "./rows.ts";
import type { Answer, QueryResult, Row } from "./rows.ts";
import type { Session } from "./session.ts";

/**
 * A statement that the server has parsed, to be run again and again on its connection: what `connection.prepare` gives.
 * Each method is that of the connection, without the text. It lasts until the connection is given back.
 *
 * The values travel beside the statement, so a list is no list of values here: it is sent as JSON, as any object.
 */
export class PreparedStatement implements AsyncDisposable {
  /** The statement. */
  readonly text: string;
  readonly #session: () => Session;
  readonly #commandTimeout: Duration | null;
  #isClosed = false;

  /** @internal */
  constructor(session: () => Session, commandTimeout: Duration | null, text: string) {
    this.#session = session;
    this.#commandTimeout = commandTimeout;
    this.text = text;
  }

  /** Runs it, and gives rows, counts and columns. */
  query<R extends object = Row>(
    values?: readonly unknown[],
    options?: OperationOptions,
  ): Coroutine<QueryResult<R>> {
    return this.#run("query", values, options, (answer) => {
      return toResult(toObjects(answer)) as QueryResult<object> as QueryResult<R>;
    });
  }

  /** Runs it and gives its rows. */
  fetch<R extends object = Row>(values?: readonly unknown[], options?: OperationOptions): Coroutine<R[]> {
    return this.#run("fetch", values, options, (answer) => rowsOf(toObjects(answer)) as R[]);
  }

  /** Runs it and gives its first row, null when there is none. */
  fetchRow<R extends object = Row>(
    values?: readonly unknown[],
    options?: OperationOptions,
  ): Coroutine<R | null> {
    return this.#run("fetchRow", values, options, (answer) => {
      return (rowsOf(toObjects(answer))[0] as R | undefined) ?? null;
    });
  }

  /** Runs it and gives the first column of its first row, null when there is none. */
  fetchValue<T = unknown>(values?: readonly unknown[], options?: OperationOptions): Coroutine<T | null> {
    return this.#run("fetchValue", values, options, (answer) => firstValue(answer) as T | null);
  }

  /** Runs it and gives how many rows it was about. */
  execute(values?: readonly unknown[], options?: OperationOptions): Coroutine<number> {
    return this.#run("execute", values, options, countOf);
  }

  /** Makes the server forget it; nothing happens the second time. It waits for nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session().unprepare(this.text);
  }

  /** Makes the server forget it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await Promise.resolve();
  }

  #run<T>(
    where: string,
    values: readonly unknown[] = [],
    options: OperationOptions = {},
    pick: (answer: Answer) => T,
  ): Coroutine<T> {
    if (this.#isClosed) throw new ConnectionReleasedError("this prepared statement was closed");
    const statement = { ...toStatement(where, this.text, values, true), isPrepared: true };
    return runOn(this.#session, this.#commandTimeout, statement, options, pick);
  }
}

/** Has the server parse `text`, and throws what it has to say about it. */
export function prepareStatement(session: () => Session, text: string): Coroutine<PreparedStatement> {
  return parseStatement(session, text);
}

const parseStatement = coroutine(async function prepare(
  session: () => Session,
  text: string,
): Promise<PreparedStatement> {
  const current = session();
  await current.perform(() => current.prepare(text));
  return new PreparedStatement(session, current.commandTimeout, text);
});
