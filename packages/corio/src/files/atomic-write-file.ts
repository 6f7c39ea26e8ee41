import { chmod, open, realpath, rename, rm, stat } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { badArgument } from "../errors.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { until } from "../library/until.ts";
import { writeAll } from "./open-file.ts";
import type { FileData, FilePath } from "./whole-file.ts";

/** Options of `atomicWriteFile`. */
export interface AtomicWriteOptions {
  /** The permissions. Default: those of the file that is replaced; of a new one `0o666` without the umask. */
  readonly mode?: number;
}

/**
 * Writes a whole file so that it is there as a whole or not at all: at every moment, and after a crash, a reader finds
 * what was there before or what is there now. The data goes into a temporary file in the same directory, is brought to
 * the disk, and takes the place of the old file. A symbolic link stays, and what it points to is replaced.
 *
 * Cancel safety: until the new file has taken the place of the old one, a cancel leaves the old one as it was and
 * takes the temporary file away.
 *
 * Throws what the operating system reports (`code` is `ENOSPC` on a full disk); the old file is then as it was.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { atomicWriteFile, readFile, temporaryDirectory } from "corio/files";
 *
 * const main = coroutine(async function main() {
 *   await using directory = await temporaryDirectory();
 *   const path = `${directory.path}/settings.json`;
 *   await atomicWriteFile(path, '{ "theme": "dark" }\n');
 *   console.log(JSON.parse(await readFile(path, "utf8")));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * { theme: 'dark' }
 * ```
 */
export function atomicWriteFile(
  path: FilePath,
  data: FileData,
  options: AtomicWriteOptions = {},
): Coroutine<void> {
  if (typeof data !== "string" && !(data instanceof Uint8Array))
    throw badArgument("atomicWriteFile", "a string or bytes", data);
  const wanted = path instanceof URL ? fileURLToPath(path) : path;
  return until(async (signal) => {
    try {
      await replaceFile(wanted, data, options, signal);
    } catch (error) {
      throw signal.aborted ? error : explain(error, wanted);
    }
  });
}

async function replaceFile(
  wanted: string,
  data: FileData,
  options: AtomicWriteOptions,
  signal: AbortSignal,
): Promise<void> {
  const path = await realpath(wanted).catch(unless("ENOENT", () => wanted));
  const old = await stat(path).catch(unless("ENOENT", () => null));
  const directory = dirname(path);
  const temporary = join(directory, temporaryName(basename(path)));
  const mode = options.mode ?? (old === null ? undefined : old.mode & 0o7777);
  signal.throwIfAborted();
  const handle = await open(temporary, "wx", mode);
  try {
    try {
      await writeAll(handle, data, signal);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // The umask may have taken something away.
    if (mode !== undefined) await chmod(temporary, mode);
    signal.throwIfAborted();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

/** How long a name may be on most systems, in bytes. */
const LONGEST_NAME = 255;

/** Begins as the file's name, for who finds it after a crash, as far as there is room for that. */
function temporaryName(name: string): string {
  const end = `.${randomUUID()}.tmp`;
  return Buffer.byteLength(name) + end.length < LONGEST_NAME ? `.${name}${end}` : end;
}

/** A rename is on the disk when the directory is. Windows cannot do this, and some file systems do not. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => null);
  if (handle === null) return;
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}

function unless<T>(code: string, otherwise: () => T): (error: unknown) => T {
  return (error) => {
    if ((error as { code?: unknown }).code !== code) throw error;
    return otherwise();
  };
}

function explain(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const explained = new Error(`could not write ${path}, which is as it was: ${error.message}`, {
    cause: error,
  });
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  return Object.assign(explained, { code, errno, syscall, path });
}
