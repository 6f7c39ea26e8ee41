import { ArgumentTypeError, timeout } from "corio";
import type { Flight } from "corio/pool";
import Cursor from "pg-cursor";
import type { DriverConnection, Submittable } from "./driver.ts";
import type { OperationOptions } from "./queryable.ts";
import type { Session } from "./session.ts";

/** Options of `cursor`. */
export interface CursorOptions extends OperationOptions {
  /** How many rows are asked for at a time. Default 100. The timeout is for each time. */
  readonly batchSize?: number | undefined;
}

interface DriverCursor extends Submittable {
  read(count: number, callback: (error: unknown, rows: unknown[]) => void): void;
  close(callback: () => void): void;
  handleDataRow(message: unknown): void;
}

const DriverCursor = Cursor as unknown as new (text: string, values?: readonly unknown[]) => DriverCursor;

/** A cursor for any statement: what pg-cursor throws while it is called by the socket would end the process. */
class RowCursor extends DriverCursor {
  /** A row that could not be read, since a parser of the program's has thrown. */
  failure: { readonly error: unknown } | null = null;

  override handleDataRow(message: unknown): void {
    if (this.failure !== null) return;
    try {
      super.handleDataRow(message);
    } catch (error) {
      this.failure = { error };
    }
  }

  handleCopyInResponse(connection: DriverConnection): void {
    connection.sendCopyFail("a cursor has nothing to copy: use copyIn");
  }

  handleCopyData(): void {
    // Of COPY TO, which has no rows.
  }
}

/**
 * The rows of a statement, fetched in batches from a portal of the server. The connection is at work until the last row
 * was given or the loop is left, which closes the portal.
 */
export async function* readCursor(
  session: Session,
  text: string,
  values: readonly unknown[] | undefined,
  options: CursorOptions,
): AsyncGenerator<unknown, void, undefined> {
  const size = options.batchSize ?? 100;
  const { timeout: limit = session.commandTimeout } = options;
  const cursor = new RowCursor(text, values);
  const flight = session.submit(cursor, text);
  const read = () => session.perform(() => readBatch(session, flight, cursor, size));
  try {
    for (;;) {
      const rows = await (limit === null ? read() : timeout(limit, read));
      for (const row of rows) yield row;
      if (flight.isOver) return;
    }
  } finally {
    if (!flight.isOver) {
      await session.perform(
        () => {
          cursor.close(() => undefined);
          return flight;
        },
        { isInterruptible: false, answerTimeout: 0 },
      );
    }
  }
}

async function readBatch(
  session: Session,
  flight: Flight,
  cursor: RowCursor,
  size: number,
): Promise<unknown[]> {
  const rows = await new Promise<unknown[]>((resolve) => {
    cursor.read(size, (error, batch) => {
      if (error !== null && error !== undefined) flight.fail(error);
      resolve(batch);
    });
    // A lost connection calls nobody back when the cursor is between two batches. The last rows come after the end.
    flight.onOver = () => {
      if (session.isBroken) resolve([]);
    };
  });
  if (cursor.failure !== null) throw cursor.failure.error;
  if (flight.failure === null && !flight.isOver) return rows;
  // pg-cursor asks the server to get ready by itself after an error and after the last row, and only then; to close
  // it would wait for ever.
  await flight;
  session.throwFailure(flight);
  return rows;
}

/** For which the protocol has room. */
const MOST_ROWS = 2 ** 31 - 1;

export function checkBatchSize(size: number | undefined): void {
  if (size === undefined || (Number.isInteger(size) && size > 0 && size <= MOST_ROWS)) return;
  throw new ArgumentTypeError(
    `cursor expects batchSize to be an integer from 1 to ${MOST_ROWS}, got ${String(size)}`,
  );
}
