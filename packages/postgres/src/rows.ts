import type { DriverResult } from "./driver.ts";

/** A row when nothing more is known about it. Say what you expect: `fetch<{ id: number }>(…)`. Nobody checks that. */
export type Row = Record<string, unknown>;

/** A column of a result. */
export interface Field {
  /** The column's name. */
  readonly name: string;
  /** The OID of its type. */
  readonly typeId: number;
}

/** What a statement gives. */
export interface QueryResult<R extends object = Row> {
  /** The rows, in the server's order. */
  readonly rows: R[];
  /** How many rows were given, inserted, changed or deleted; null for commands that have nothing to do with rows. */
  readonly rowCount: number | null;
  /** The first word of what was done: `SELECT`, `INSERT`, …; empty for an empty statement. */
  readonly command: string;
  /** The columns. */
  readonly fields: readonly Field[];
}

export function toResult({ rows, rowCount, command, fields }: DriverResult): QueryResult {
  return {
    rows: rows as Row[],
    rowCount,
    command: command ?? "",
    fields: fields.map(({ name, dataTypeID }) => ({ name, typeId: dataTypeID })),
  };
}

/** The first column of the first row; null when there is none. The rows are arrays: columns may have the same name. */
export function firstValue({ rows }: DriverResult): unknown {
  return (rows as unknown[][])[0]?.[0] ?? null;
}
