import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../library/until.ts";
import type { FilePath } from "./whole-file.ts";

/** What `walk` finds. */
export interface WalkEntry {
  /** Its path, which begins with the path that was given to `walk`. */
  readonly path: string;
  /** The last part of the path. */
  readonly name: string;
  /** What it is. A symbolic link is one, wherever it leads. */
  readonly kind: "file" | "directory" | "symbolicLink" | "other";
}

/** Options of `walk`. */
export interface WalkOptions {
  /** Whether to look into a directory. Default: into all of them. */
  readonly enter?: (directory: WalkEntry) => boolean;
}

/**
 * Everything under a directory, in the order of the names; a directory comes before what is in it. Symbolic links are
 * given, not followed. What is removed meanwhile may or may not be among it.
 *
 * Cancel safety: nothing is left open. A cancelled `next` ends the walk.
 *
 * Python: `os.walk`. Throws what the operating system reports of a directory that cannot be read.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { walk } from "corio/files";
 *
 * const main = coroutine(async function main() {
 *   for await (const { name, kind } of walk("packages/corio/src/input")) console.log(kind, name);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * file input.ts
 * file line-reader.ts
 * ```
 */
export async function* walk(
  root: FilePath,
  options: WalkOptions = {},
): AsyncGenerator<WalkEntry, void, undefined> {
  yield* walkInside(root instanceof URL ? fileURLToPath(root) : root, options, true);
}

async function* walkInside(
  directory: string,
  options: WalkOptions,
  isRoot: boolean,
): AsyncGenerator<WalkEntry, void, undefined> {
  const found: Dirent[] = await until(
    readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      // Removed since its parent was read.
      if (!isRoot && (error as { code?: unknown }).code === "ENOENT") return [];
      throw error;
    }),
  );
  found.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of found) {
    const seen: WalkEntry = { path: join(directory, entry.name), name: entry.name, kind: kindOf(entry) };
    yield seen;
    if (seen.kind === "directory" && options.enter?.(seen) !== false)
      yield* walkInside(seen.path, options, false);
  }
}

function kindOf(entry: Dirent): WalkEntry["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "symbolicLink" : "other";
}
