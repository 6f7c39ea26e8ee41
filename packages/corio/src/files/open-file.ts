import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { badArgument, isCancelledError, RuntimeError, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { coroutine } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { showAs } from "#host";
import { concatenate } from "../library/bytes.ts";
import { keepOrClose } from "../library/keep-or-close.ts";
import { Lock } from "../library/lock.ts";
import { Ring } from "../library/ring.ts";
import { until } from "../library/until.ts";
import { LineSplitter } from "./line-splitter.ts";
import type { LineOptions } from "./line-splitter.ts";
import type { FileData, FilePath } from "./whole-file.ts";

/** How much is read at a time when it is up to us, and written between two looks at whether to stop. */
const CHUNK_BYTES = 64 * 1024;

/**
 * An open file, which reads or writes from where it stands. Close it with `close`, or declare it with `await using`.
 * For everything else there is Node's own `handle`, with `until`.
 *
 * Made by `openFile`.
 */
export class File implements AsyncDisposable {
  /** Node's file handle: `await until(file.handle.stat())`. What is read with it is not what `read` gives next. */
  readonly handle: FileHandle;
  readonly #path: string;
  /** Read, and not asked for yet. */
  #ahead: Uint8Array[] = [];
  /** A read whose task was cancelled. The operating system cannot take it back: the next read gets what it gives. */
  #reading: Promise<Uint8Array> | null = null;
  #closing: Promise<void> | null = null;
  /** One write at a time: each is done in pieces, and another's must not come in between. @internal */
  readonly writeLock: Lock = new Lock();
  /** The write that is under way. It rejects with nothing: who waits in `write` hears of errors. */
  #writing: Promise<unknown> | null = null;
  /** A task waits in a read: a second one would get what belongs to it. */
  #isWaited = false;

  /** @internal */
  constructor(handle: FileHandle, path: string) {
    this.handle = handle;
    this.#path = path;
  }

  /** What it was opened as. */
  get path(): string {
    return this.#path;
  }

  /**
   * Reads at most `size` bytes; all that is left when no size is given. An empty array means the end of the file.
   *
   * Cancel safety: nothing is lost; the next read gets what a cancelled one would have got.
   *
   * Throws what the operating system reports, `RuntimeError` when another task is reading or the file is closed, and
   * `ValueError` for a size that is none.
   */
  read(size?: number): Coroutine<Uint8Array> {
    if (size !== undefined && !(Number.isInteger(size) && size >= 0))
      throw new ValueError(`File.read expects a number of bytes, got ${String(size)}`);
    return size === undefined ? readRest(this) : readSome(this, size);
  }

  /**
   * The lines from here on, decoded as UTF-8, without their ends (`\n` or `\r\n`). Leaving the loop does not close the
   * file.
   *
   * Cancel safety: a cancelled `next` has taken nothing.
   *
   * Throws `ValueError` for a line that is longer than the limit.
   */
  lines(
    options: LineOptions = {},
  ): AsyncIterableIterator<string, void, undefined> & AsyncIterator<string, void> {
    return new FileLines(this, new LineSplitter(options, "File.lines"));
  }

  /**
   * Writes all of `data`. What several tasks write comes one after another, not mixed.
   *
   * Cancel safety: a cancel waits for the piece that is being written (64 KiB); what comes after it is not written.
   *
   * Throws what the operating system reports, such as `ENOSPC`, and `RuntimeError` when the file is closed.
   */
  write(data: FileData): Coroutine<void> {
    if (typeof data !== "string" && !(data instanceof Uint8Array))
      throw badArgument("File.write", "a string or bytes", data);
    return writeInTurn(this, data);
  }

  /** @internal */
  startWriting(data: FileData, signal: AbortSignal): Promise<void> {
    if (this.#closing !== null) throw new RuntimeError(`the file ${this.#path} is closed`);
    const writing = writeAll(this.handle, data, signal);
    this.#writing = writing.catch(() => undefined);
    return writing;
  }

  /** Makes the operating system bring what was written to the disk. Cancel safety: as with `write`. */
  sync(): Coroutine<void> {
    return until(() => this.handle.sync());
  }

  /** Closes the file, after what is being read or written. Does nothing the second time. Cannot be cancelled. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.handle.close();
  }

  /** Closes the file at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The next chunk, of at most `size` bytes if it has to be read; empty at the end. @internal */
  *chunk(size: number): Generator<object, Uint8Array, unknown> {
    if (this.#isWaited) throw new RuntimeError(`another task is reading from ${this.#path} already`);
    const ahead = this.#ahead.shift();
    if (ahead !== undefined) return ahead;
    this.#reading ??= this.#read(size);
    this.#isWaited = true;
    try {
      const chunk = yield* until(this.#reading);
      this.#reading = null;
      return chunk;
    } catch (error) {
      // A cancel leaves it there.
      if (!isCancelledError(error)) this.#reading = null;
      throw error;
    } finally {
      this.#isWaited = false;
    }
  }

  /** Puts back what was not wanted. @internal */
  putBack(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#ahead.unshift(chunk);
  }

  async #read(size: number): Promise<Uint8Array> {
    if (this.#closing !== null) throw new RuntimeError(`the file ${this.#path} is closed`);
    // An array of its own, or what is read after a cancel would be where something else is by then.
    const { bytesRead, buffer } = await this.handle.read(new Uint8Array(size), 0, size, null);
    return buffer.subarray(0, bytesRead);
  }
}

const readSome = coroutine(function* read(file: File, size: number): Generator<object, Uint8Array, unknown> {
  if (size === 0) return new Uint8Array(0);
  const chunk = yield* file.chunk(size);
  file.putBack(chunk.subarray(size));
  return chunk.subarray(0, size);
});

const readRest = coroutine(function* read(file: File): Generator<object, Uint8Array, unknown> {
  const chunks: Uint8Array[] = [];
  try {
    for (;;) {
      const chunk = yield* file.chunk(CHUNK_BYTES);
      if (chunk.length === 0) return concatenate(chunks);
      chunks.push(chunk);
    }
  } catch (error) {
    for (const chunk of chunks.reverse()) file.putBack(chunk);
    throw error;
  }
});

const writeInTurn = coroutine(function* write(file: File, data: FileData): Generator<object, void, unknown> {
  yield* file.writeLock.acquire();
  try {
    yield* until((signal) => file.startWriting(data, signal));
  } finally {
    file.writeLock.release();
  }
});

class FileLines implements AsyncIterableIterator<string, void, undefined> {
  readonly file: File;
  readonly splitter: LineSplitter;
  readonly ready = new Ring<string>();
  isAtEnd = false;

  constructor(file: File, splitter: LineSplitter) {
    this.file = file;
    this.splitter = splitter;
  }

  next(): Coroutine<IteratorResult<string, void>> {
    return nextLine(this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const nextLine = coroutine(function* nextLine(
  lines: FileLines,
): Generator<object, IteratorResult<string, void>, unknown> {
  for (;;) {
    if (lines.ready.length > 0) return { done: false, value: lines.ready.pop() };
    if (lines.isAtEnd) return { done: true, value: undefined };
    const chunk = yield* lines.file.chunk(CHUNK_BYTES);
    lines.isAtEnd = chunk.length === 0;
    for (const line of lines.isAtEnd ? lines.splitter.end() : lines.splitter.push(chunk))
      lines.ready.push(line);
  }
});

/** Writes all of `data`, in pieces; stops between two of them when `signal` aborts. */
export async function writeAll(handle: FileHandle, data: FileData, signal: AbortSignal): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let offset = 0; offset < bytes.length;) {
    signal.throwIfAborted();
    const piece = Math.min(CHUNK_BYTES, bytes.length - offset);
    const { bytesWritten } = await handle.write(bytes, offset, piece, null);
    offset += bytesWritten;
  }
}

/**
 * Opens a file. `flags` are Node's: `"r"` reads (the default), `"w"` writes anew, `"a"` appends, `"x"` in addition
 * refuses a file that is there. `mode` are the permissions of a file that is made, by default `0o666` without the umask.
 *
 * Cancel safety: a file that opens after the cancel is closed again.
 *
 * Python: `open`. Throws what the operating system reports, such as `ENOENT`.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { openFile } from "corio/files";
 *
 * const main = coroutine(async function main() {
 *   await using file = await openFile("LICENSE");
 *   for await (const line of file.lines()) {
 *     console.log(line);
 *     break;
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * MIT License
 * ```
 */
export function openFile(path: FilePath, flags = "r", mode?: number): Coroutine<File> {
  return openInTask(path, flags, mode);
}

const openInTask = coroutine(function* openFile(
  path: FilePath,
  flags: string,
  mode: number | undefined,
): Steps<File> {
  const file = yield* until(async () => new File(await open(path, flags, mode), String(path)));
  return yield* keepOrClose(file, () => file.close());
});

/**
 * The lines of a file, decoded as UTF-8, without their ends (`\n` or `\r\n`). The file is opened with the first, and
 * closed when the loop is left, in whatever way.
 *
 * Cancel safety: a cancelled `next` closes the file.
 *
 * Python: `for line in open(path)`. Throws as `openFile`, and `ValueError` for a line that is longer than the limit.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { readLines } from "corio/files";
 *
 * const main = coroutine(async function main() {
 *   let count = 0;
 *   for await (const line of readLines("LICENSE")) if (line === "") count++;
 *   console.log(count > 0);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * true
 * ```
 */
export async function* readLines(
  path: FilePath,
  options: LineOptions = {},
): AsyncGenerator<string, void, undefined> {
  const file = await openFile(path);
  try {
    yield* file.lines(options);
  } finally {
    await file.close();
  }
}

showAs(File as unknown as { prototype: File }, (file) => `<File ${file.path}>`);
