import { ArgumentTypeError, coroutine, ValueError } from "corio";
import type { Coroutine } from "corio";
import { quoteIdentifier } from "./driver.ts";
import type { Session } from "./session.ts";
import { toValues } from "./values.ts";

/** Where records are inserted. */
export interface InsertTarget {
  /** The table, without quotes. */
  readonly table: string;
  /** The database that it is in. Default: that of the connection. */
  readonly database?: string | undefined;
  /** The columns that each record has values for, in that order. Default: all of the table. */
  readonly columns?: readonly string[] | undefined;
  /**
   * What is done with a record whose key is there already: `error`, the default, inserts nothing at all; `ignore` skips
   * it; `replace` deletes the old row; `update` changes the old row, for which `columns` is needed.
   */
  readonly onDuplicate?: "error" | "ignore" | "replace" | "update" | undefined;
}

/** Records, each an array of values. */
export type Records = Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>;

/** No statement has more: the server parses it as a whole. */
const MOST_ROWS = 1000;
/** Nor is it longer, in bytes, even if the server would take it. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Inserts records by statements with many rows each. The caller makes a transaction of it. */
export function insertRecords(
  session: Session,
  target: string | InsertTarget,
  records: Records,
): Coroutine<number> {
  return insertInBatches(session, typeof target === "string" ? { table: target } : target, records);
}

const insertInBatches = coroutine(async function insertRecords(
  session: Session,
  target: InsertTarget,
  records: Records,
): Promise<number> {
  const { head, tail } = insertStatement(target);
  // The statement is counted in characters, of which each has four bytes at most.
  const limit = Math.min(MOST_BYTES, session.maxPacket) / 4 - head.length - tail.length - 64;
  let rows: string[] = [];
  let length = 0;
  let count = 0;
  const flush = async (): Promise<void> => {
    if (rows.length === 0) return;
    const sql = head + rows.join(",") + tail;
    count += rows.length;
    rows = [];
    length = 0;
    await session.run({ sql });
  };
  for await (const record of records) {
    const row = session.quoteRow(toValues("insertRecords", record, true));
    if (rows.length >= MOST_ROWS || length + row.length > limit) await flush();
    rows.push(row);
    length += row.length + 1;
  }
  await flush();
  return count;
});

/** Throws when a target makes no sense. */
export function checkTarget(target: string | InsertTarget): void {
  insertStatement(typeof target === "string" ? { table: target } : target);
}

function insertStatement({ table, database, columns, onDuplicate = "error" }: InsertTarget): {
  head: string;
  tail: string;
} {
  if (typeof table !== "string" || table === "") {
    throw new ArgumentTypeError(`insertRecords expects the name of a table, got ${typeof table}`);
  }
  const verbs = { error: "INSERT", ignore: "INSERT IGNORE", replace: "REPLACE", update: "INSERT" };
  const verb = Object.hasOwn(verbs, onDuplicate) ? verbs[onDuplicate] : undefined;
  if (verb === undefined) {
    throw new ValueError(
      `insertRecords expects onDuplicate to be one of ${Object.keys(verbs).join(", ")}, got ${JSON.stringify(onDuplicate)}`,
    );
  }
  const names = columns?.map((column) => {
    if (typeof column === "string") return quoteIdentifier(column);
    throw new ArgumentTypeError(`insertRecords expects columns to be strings, got ${typeof column}`);
  });
  let tail = "";
  if (onDuplicate === "update") {
    if (names === undefined) {
      throw new ValueError(
        "insertRecords expects columns together with onDuplicate: update; it has to name them",
      );
    }
    tail = ` ON DUPLICATE KEY UPDATE ${names.map((name) => `${name}=VALUES(${name})`).join(",")}`;
  }
  const into = [...(database === undefined ? [] : [database]), table].map(quoteIdentifier).join(".");
  const list = names === undefined ? "" : ` (${names.join(",")})`;
  return { head: `${verb} INTO ${into}${list} VALUES `, tail };
}
