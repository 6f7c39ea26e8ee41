/** Options of `scanIter` and the like. */
export interface ScanOptions {
  /** Only what matches this pattern: `user:*`. */
  readonly match?: string | undefined;
  /** About how many the server should look at in each step. Default: the server's, 10. */
  readonly count?: number | undefined;
  /** Only keys of this type: `string`, `list`, `set`, `zset`, `hash` or `stream`. */
  readonly type?: string | undefined;
}

/** A field of a hash. */
export interface HashEntry {
  readonly field: string;
  readonly value: string;
}

/** A member of a sorted set. */
export interface SortedSetMember {
  readonly value: string;
  readonly score: number;
}

/** The options as the driver has them. */
interface DriverOptions {
  MATCH?: string;
  COUNT?: number;
  TYPE?: string;
}

interface Page<T> {
  readonly next: string;
  readonly items: readonly T[];
}

/** What the pages of a scan have, item by item, until the cursor is back at 0. */
export async function* scanAll<T>(
  { match, count, type }: ScanOptions,
  read: (cursor: string, options: DriverOptions) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  const options: DriverOptions = {
    ...(match !== undefined && { MATCH: match }),
    ...(count !== undefined && { COUNT: count }),
    ...(type !== undefined && { TYPE: type }),
  };
  let cursor = "0";
  do {
    const { next, items } = await read(cursor, options);
    yield* items;
    cursor = next;
  } while (cursor !== "0");
}
