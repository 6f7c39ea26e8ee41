import { ArgumentTypeError, coroutine, until } from "corio";
import type { Coroutine } from "corio";
import { exchange } from "corio/pool";
import type { Flight } from "corio/pool";
import type { Writable } from "node:stream";
import { from } from "pg-copy-streams";
import type { DriverConnection, Submittable } from "./driver.ts";
import { prepareValue, quoteIdentifier } from "./driver.ts";
import { checkText } from "./queryable.ts";
import type { Session } from "./session.ts";

/** What COPY reads: text or bytes, in pieces of any length. */
export type CopySource = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** Where `copyRecords` puts its records. */
export interface CopyTarget {
  /** The table; `schema.table` is `{ schema, table }`. */
  readonly table: string;
  /** The table's schema. Default: the first of the search path that has the table. */
  readonly schema?: string | undefined;
  /** The columns, in the order of a record's values. Default: all of the table's, in its order. */
  readonly columns?: readonly string[] | undefined;
}

/** Seconds after which a COPY that should end, and does not, is interrupted by other means as well. */
const PATIENCE = 0.5;

const MESSAGES: readonly string[] = [
  "CommandComplete",
  "CopyData",
  "CopyInResponse",
  "DataRow",
  "EmptyQuery",
  "PortalSuspended",
  "ReadyForQuery",
  "RowDescription",
];

/** pg hands each message of the server to the submittable, which must have a method for it, or the process ends. */
function tolerant<S extends Submittable>(stream: S): S {
  const ignore = (): void => undefined;
  const defaults: Record<string, () => void> = {};
  for (const message of MESSAGES) if (!(`handle${message}` in stream)) defaults[`handle${message}`] = ignore;
  return Object.assign(stream, defaults);
}

// ── In ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface CopyStream extends Writable, Submittable {
  readonly rowCount: number;
  handleCopyInResponse(connection: DriverConnection): void;
}

/**
 * COPY … FROM STDIN. When the source throws, or the task is cancelled, CopyFail ends it, and nothing is inserted.
 */
export function copyIn(session: Session, text: string, source: CopySource): Coroutine<number> {
  return copyFrom(session, text, source);
}

const copyFrom = coroutine(async function copyIn(
  session: Session,
  text: string,
  source: CopySource,
): Promise<number> {
  const stream = tolerant(from(text) as Writable as CopyStream);
  const begin = stream.handleCopyInResponse.bind(stream);
  let hasBegun = false;
  stream.handleCopyInResponse = (connection) => {
    // The text has a second COPY, for which there is no source.
    if (hasBegun) connection.sendCopyFail("copyIn expects one statement");
    else begin(connection);
    hasBegun = true;
  };
  const flight = session.submit(stream, text);
  // The statement has failed: the stream is of no use any more, and must not be written to. pg-copy-streams would then
  // look for the connection that it has just forgotten.
  stream.on("error", (error) => flight.fail(error));
  try {
    for await (const chunk of source) {
      checkChunk(chunk);
      if (flight.failure !== null || flight.isOver) break;
      if (chunk.length > 0) await until(write(stream, chunk, flight));
    }
    // The server says what it thinks of the data only now.
    await session.perform(async () => {
      if (flight.failure === null && !flight.isOver) stream.end();
      await flight;
      // Not after this: that it was cancelled would be taken for a failure.
      session.throwFailure(flight);
    });
  } catch (error) {
    if (!flight.isOver) await failCopy(session, stream, flight);
    throw error;
  }
  return stream.rowCount;
});

function checkChunk(chunk: unknown): void {
  if (typeof chunk === "string" || chunk instanceof Uint8Array) return;
  throw new ArgumentTypeError(
    `copyIn expects a source of strings or bytes, got ${chunk === null ? "null" : typeof chunk}`,
  );
}

/** Settles when the stream takes more, or when the COPY has ended before. */
async function write(stream: Writable, chunk: string | Uint8Array, flight: Flight): Promise<void> {
  await new Promise<void>((resolve) => {
    flight.onOver = resolve;
    // One chunk at a time: with several in its buffer pg-copy-streams goes on with the next after an error.
    stream.write(chunk, () => resolve());
  });
}

async function failCopy(session: Session, stream: Writable, flight: Flight): Promise<void> {
  await session.perform(
    () => {
      // pg-copy-streams sends CopyFail with the error's text, and gives the server's answer to that as an error.
      stream.destroy(new Error("the COPY was given up"));
      return flight;
    },
    // A server that waits for a lock does not read what we send.
    { answerTimeout: PATIENCE },
  );
}

// ── Out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Bytes that may wait for the loop before the server has to. */
const HIGH_WATER = 262_144;

/** COPY … TO STDOUT. To leave the loop early cancels the statement, and reads what is on its way. */
export async function* copyOut(session: Session, text: string): AsyncGenerator<Uint8Array, void, undefined> {
  const rows = new CopiedRows(text);
  const flight = session.submit(tolerant(rows), text);
  rows.flight = flight;
  try {
    for (;;) {
      const chunk = rows.take();
      if (chunk !== null) yield chunk;
      else if (flight.isOver) break;
      else await until(rows.wait());
    }
  } finally {
    if (!flight.isOver) await leave(session, rows, flight);
  }
  session.throwFailure(flight);
}

/**
 * Cancels a COPY, and reads what is on its way. None of that is read before the server was told to stop: it would send
 * more all that time, and that would keep us from telling it.
 */
async function leave(session: Session, rows: CopiedRows, flight: Flight): Promise<void> {
  const options = session.exchangeOptions;
  const cancel = async (): Promise<void> => {
    rows.discard();
    try {
      await options.cancel?.();
    } finally {
      rows.drain();
    }
  };
  await exchange(() => flight, { ...options, cancel, answerTimeout: 0 });
}

/**
 * The receiving end of a COPY. pg-copy-streams has one, too: it takes the socket away from pg and reads it in its place,
 * which hangs on Deno. pg's own parser does as well.
 */
class CopiedRows implements Submittable {
  readonly #text: string;
  #flight: Flight | null = null;
  #connection: DriverConnection | null = null;
  #rows: Uint8Array[] = [];
  #size = 0;
  #isDiscarding = false;
  #wakeUp: () => void = () => undefined;

  constructor(text: string) {
    this.#text = text;
  }

  set flight(flight: Flight) {
    this.#flight = flight;
    flight.onOver = () => this.#wakeUp();
  }

  submit(connection: DriverConnection): void {
    this.#connection = connection;
    connection.query(this.#text);
  }

  /** All that has arrived; null when there is nothing. */
  take(): Uint8Array | null {
    if (this.#size === 0) return null;
    const chunk = Buffer.concat(this.#rows);
    this.#rows = [];
    this.#size = 0;
    this.#connection?.stream.resume();
    return chunk;
  }

  /** Settles when there may be something to take, or the COPY is over. */
  wait(): Promise<void> {
    return new Promise((resolve) => (this.#wakeUp = resolve));
  }

  /** Whatever comes from now on is of no interest; and it is not to come yet. */
  discard(): void {
    this.#isDiscarding = true;
    this.#connection?.stream.pause();
  }

  /** What is on its way may come. */
  drain(): void {
    this.#connection?.stream.resume();
  }

  handleCopyData({ chunk }: { readonly chunk: Uint8Array }, connection: DriverConnection): void {
    if (this.#isDiscarding) return;
    // A copy: the parser uses its buffer again.
    this.#rows.push(Uint8Array.from(chunk));
    this.#size += chunk.length;
    if (this.#size > HIGH_WATER) connection.stream.pause();
    this.#wakeUp();
  }

  handleCopyInResponse(connection: DriverConnection): void {
    connection.sendCopyFail("copyOut has nothing to copy from: use copyIn");
  }

  handleError(error: unknown): void {
    this.#flight?.fail(error);
  }
}

// ── Records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The statement that copies records into a table. */
export function copyRecordsStatement({ table, schema, columns }: CopyTarget): string {
  const quotedTable = quoteIdentifier("copyRecords: table", table);
  const name =
    schema === undefined ? quotedTable : `${quoteIdentifier("copyRecords: schema", schema)}.${quotedTable}`;
  const quotedColumns = columns?.map((column) => quoteIdentifier("copyRecords: columns", column));
  const list = quotedColumns === undefined ? "" : ` (${quotedColumns.join(", ")})`;
  return `COPY ${name}${list} FROM STDIN`;
}

/** About as many bytes are sent at a time. */
const CHUNK = 65_536;

/** Records as COPY's text format, in pieces of a useful size. */
export async function* encodeRecords(
  records: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
): AsyncGenerator<string, void, undefined> {
  let text = "";
  for await (const record of records) {
    if (!Array.isArray(record))
      throw new ArgumentTypeError(
        `copyRecords expects records that are arrays of values, got ${typeof record}`,
      );
    text += `${record.map(encodeValue).join("\t")}\n`;
    if (text.length < CHUNK) continue;
    yield text;
    text = "";
  }
  if (text.length > 0) yield text;
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function encodeValue(value: unknown): string {
  const prepared = prepareValue(value);
  if (prepared === null) return "\\N";
  if (typeof prepared !== "string") return `\\\\x${Buffer.from(prepared).toString("hex")}`;
  return prepared.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

/** COPY with the wrong direction would wait for data that nobody sends. */
export function checkCopy(where: string, text: string, direction: "FROM" | "TO"): void {
  checkText(where, text);
  const pattern = direction === "FROM" ? /^\s*copy\b[^]*\bfrom\s+stdin\b/i : /^\s*copy\b[^]*\bto\s+stdout\b/i;
  if (pattern.test(text)) return;
  const stream = direction === "FROM" ? "STDIN" : "STDOUT";
  throw new ArgumentTypeError(
    `${where} expects a statement COPY … ${direction} ${stream}, got ${JSON.stringify(text)}`,
  );
}
