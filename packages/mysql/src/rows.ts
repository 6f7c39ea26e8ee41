import type { DriverField, DriverFields, DriverHeader, DriverRows } from "./driver.ts";

/** A row when nothing more is known about it. Say what you expect: `fetch<{ id: number }>(…)`. Nobody checks that. */
export type Row = Record<string, unknown>;

/** A column of a result. */
export interface Field {
  /** The column's name. */
  readonly name: string;
  /** The number of its type in the protocol. */
  readonly typeId: number;
  /** The table that it comes from, by the name or alias in the statement; empty when there is none. */
  readonly table: string;
}

/** What a statement gives. */
export interface QueryResult<R extends object = Row> {
  /** The rows, in the server's order. Of a CALL: those of its last SELECT. */
  readonly rows: R[];
  /**
   * How many rows were given, inserted, matched or deleted. An `ON DUPLICATE KEY UPDATE` counts 2 for each that it
   * changed; so does `REPLACE`.
   */
  readonly rowCount: number;
  /** The first number that AUTO_INCREMENT has made; 0 if none. A string when it is too large for a number. */
  readonly insertId: number | string;
  /** How many warnings `SHOW WARNINGS` would show. The server tells it for statements without rows only. */
  readonly warningCount: number;
  /** What the server says beside it, such as `Rows matched: 1  Changed: 0  Warnings: 0`. */
  readonly info: string;
  /** The columns. */
  readonly fields: readonly Field[];
  /** The rows of each SELECT of a procedure; for anything else, those that `rows` has, if any. */
  readonly resultSets: readonly R[][];
}

/** The answer to a statement. */
export interface Answer {
  /** The row sets; more than one only after a CALL. */
  readonly sets: readonly { readonly rows: unknown[]; readonly fields: readonly DriverField[] }[];
  /** The last OK packet, if there was one. */
  readonly header: DriverHeader | null;
}

/** mysql2 gives one result as it is, several as arrays. */
export function toAnswer(rows: DriverRows | undefined, fields: DriverFields | undefined): Answer {
  if (rows === undefined) return { sets: [], header: null };
  if (!Array.isArray(rows)) return { sets: [], header: rows };
  if (fields === undefined) return { sets: [], header: null };
  const isSeveral = fields.length > 0 && (fields[0] === undefined || Array.isArray(fields[0]));
  if (!isSeveral) return { sets: [{ rows, fields: fields as readonly DriverField[] }], header: null };
  let header: DriverHeader | null = null;
  const sets = (rows as DriverRows[]).flatMap((each, index) => {
    if (Array.isArray(each)) return [{ rows: each, fields: (fields[index] ?? []) as readonly DriverField[] }];
    header = each;
    return [];
  });
  return { sets, header };
}

export function rowsOf({ sets }: Answer): unknown[] {
  return sets.at(-1)?.rows ?? [];
}

export function countOf({ sets, header }: Answer): number {
  const last = sets.at(-1);
  return last === undefined ? (header?.affectedRows ?? 0) : last.rows.length;
}

export function toResult(answer: Answer): QueryResult {
  const { sets, header } = answer;
  return {
    rows: rowsOf(answer) as Row[],
    rowCount: countOf(answer),
    insertId: header?.insertId ?? 0,
    warningCount: header?.warningStatus ?? 0,
    info: header?.info ?? "",
    fields: (sets.at(-1)?.fields ?? []).map(({ name, columnType, table }) => ({
      name,
      typeId: columnType ?? 0,
      table: table ?? "",
    })),
    resultSets: sets.map(({ rows }) => rows as Row[]),
  };
}

/** The first column of the first row; null when there is none. The rows are arrays: columns may have the same name. */
export function firstValue(answer: Answer): unknown {
  return (rowsOf(answer) as unknown[][])[0]?.[0] ?? null;
}

/** Makes objects of rows that are arrays. */
export function toObjects({ sets, header }: Answer): Answer {
  return {
    sets: sets.map(({ rows, fields }) => ({
      rows: rows.map((row) => toObject(row as unknown[], fields)),
      fields,
    })),
    header,
  };
}

export function toObject(row: readonly unknown[], fields: readonly DriverField[]): Row {
  const object: Row = {};
  for (const [index, { name }] of fields.entries()) object[name] = row[index];
  return object;
}
