import { timeout, TimeoutError, ValueError } from "corio";
import type { Duration } from "corio";
import { toSeconds } from "corio/pool";
import { interruption, StatementError } from "./errors.ts";
import type { DriverError, DriverFields, DriverHeader } from "./driver.ts";
import type { OperationOptions } from "./queryable.ts";
import type { Errand, Session, Statement } from "./session.ts";

/** Options of `stream`. */
export interface StreamOptions extends OperationOptions {
  /**
   * How many rows may be held on this side before the server is made to wait. Default 100. The timeout is for each time
   * that rows are waited for.
   */
  readonly bufferSize?: number | undefined;
}

/**
 * The rows of a statement as they come. When `bufferSize` are here and nobody takes them, the socket is not read any
 * more: the server fills the buffers of the network, and then waits. The protocol cannot skip rows: who leaves the loop
 * early has to take all that would come, or to kill the statement, which is what is done here; the few rows that are on
 * the way are dropped.
 */
export async function* streamRows(
  session: Session,
  statement: Statement,
  options: StreamOptions,
): AsyncGenerator<unknown, void, undefined> {
  const { timeout: limit = session.commandTimeout } = options;
  const flow = new RowFlow(session, options.bufferSize ?? 100);
  const read = () => session.perform(() => flow.read(statement));
  try {
    for (;;) {
      const rows = await (limit === null ? read() : inTime(limit, flow, read));
      for (const row of rows) yield row;
      if (rows.length === 0) return;
    }
  } finally {
    if (flow.isUnderWay) {
      // Cancelled at once: that is a KILL, and another, until the server has ended it.
      await session.perform(() => flow.whenDiscarded(), { answerTimeout: 0 });
    }
  }
}

async function inTime(
  limit: Duration,
  flow: RowFlow,
  read: () => PromiseLike<unknown[]>,
): Promise<unknown[]> {
  try {
    return await timeout(limit, read);
  } catch (error) {
    // The time was over just when rows came, which were given. By then the statement was being killed for that.
    if (!flow.isGivenUp || !(error instanceof StatementError)) throw error;
    throw new TimeoutError(`timed out after ${toSeconds(limit, "stream: timeout")} s`, { cause: error });
  }
}

class RowFlow {
  readonly #session: Session;
  readonly #size: number;
  #flight: Errand<void> | null = null;
  #rows: unknown[] = [];
  #isPaused = false;
  #isDiscarding = false;
  /** Rows were dropped: what was given is not all. */
  #isCutShort = false;
  #noteRows: () => void = () => undefined;

  constructor(session: Session, size: number) {
    this.#session = session;
    this.#size = size;
  }

  get isUnderWay(): boolean {
    return this.#flight !== null && !this.#flight.isOver;
  }

  /** It is being killed, or has been. */
  get isGivenUp(): boolean {
    return this.#isDiscarding;
  }

  /** The rows that have come, at least one; none when there are no more. */
  async read(statement: Statement): Promise<unknown[]> {
    this.#flight ??= this.#start(statement);
    const flight = this.#flight;
    if (this.#rows.length === 0 && !flight.isOver) {
      const news = new Promise<void>((resolve) => (this.#noteRows = resolve));
      flight.onOver = this.#noteRows;
      this.#resume();
      await news;
      // To kill it was begun meanwhile: it has to end first.
      if (this.#isDiscarding) await flight;
    }
    // With the KILL that was for it.
    if (flight.isOver) await flight;
    // A failure comes after the rows that came before it.
    if (this.#isCutShort || (flight.isOver && this.#rows.length === 0)) this.#throwFailure(flight);
    return this.#rows.splice(0);
  }

  /** Resolves when the statement, which is being killed, has ended. */
  async whenDiscarded(): Promise<void> {
    await this.#flight;
  }

  #throwFailure(flight: Errand<void>): void {
    this.#session.throwFailure(flight);
    if (this.#isCutShort || flight.isKilled) throw interruption();
  }

  #start(statement: Statement): Errand<void> {
    const session = this.#session;
    session.check(statement);
    const flight = session.begin((): void => undefined);
    flight.onCancel = () => this.#discard();
    flight.onKilled = () => this.#resume();
    const { sql, values } = statement;
    const command = session.client.query({ sql, ...(values !== undefined && { values }) });
    // Undefined for a statement without rows, whose only "row" is what it has to say.
    let hasRows = true;
    command.on("fields", (fields: DriverFields | undefined) => (hasRows = fields !== undefined));
    command.on("result", (row: unknown) => {
      if (hasRows) this.#take(row);
      else session.noteHeader(row as DriverHeader);
    });
    command.once("error", (error: DriverError) => {
      session.failFlight(flight, error, () => session.endFlight(flight));
    });
    command.once("end", () => {
      // After an error as well; then the flight ends when the server has been asked about the transaction.
      if (flight.failure !== null) return;
      session.noteEnd();
      session.endFlight(flight);
    });
    return flight;
  }

  #take(row: unknown): void {
    if (this.#isDiscarding) {
      this.#isCutShort = true;
      return;
    }
    this.#rows.push(row);
    if (this.#rows.length >= this.#size) this.#pause();
    this.#noteRows();
  }

  /**
   * From now on rows are dropped. None are read before the server was told to stop: it would send more of them all that
   * time, and they would keep us from telling it.
   */
  #discard(): void {
    if (this.#isDiscarding) return;
    this.#isDiscarding = true;
    if (this.#rows.splice(0).length > 0) this.#isCutShort = true;
    this.#pause();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#session.client.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#session.client.resume();
  }
}

export function checkBufferSize(size: number | undefined): void {
  if (size === undefined || (Number.isInteger(size) && size > 0)) return;
  throw new ValueError(`stream expects bufferSize to be a positive integer, got ${String(size)}`);
}
