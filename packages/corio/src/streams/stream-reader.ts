import { badArgument, describeValue, RuntimeError, ValueError } from "../errors.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { getEventLoop } from "../futures/event-loop.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import type { Future } from "../futures/future.ts";
import { keepThenAtHand, Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { Turn } from "../library/turn.ts";
import { WaitQueue } from "../library/wait-queue.ts";
import { ByteBuffer } from "./byte-buffer.ts";
import { IncompleteReadError, LimitOverrunError } from "./errors.ts";
import type { ReadTransport } from "./transports.ts";

/** A reader's limit when none is given: 64 KiB. */
export const DEFAULT_LIMIT: number = 64 * 1024;

/** Options of the `StreamReader` constructor. */
export interface StreamReaderOptions {
  /**
   * How long a line, or what comes before a separator, may be, in bytes; by default 64 KiB. When more than twice as
   * much has arrived that nobody has read, nothing more is received.
   */
  readonly limit?: number | undefined;
  /** The loop that the reader belongs to; by default the running one. */
  readonly loop?: EventLoop | undefined;
}

/** What `readuntil` waits for: bytes, or text, which stands for its UTF-8. */
export type Separator = Uint8Array | string;

/** One for all: there may be many readers. What a task waits for, `ReadTurn` says. */
const describeReader = (): string => "StreamReader";

const NEWLINE: Uint8Array = Uint8Array.of(10);

/**
 * Bytes that arrive, for a task to read. `openConnection` and `startServer` make them; one made by hand is fed with
 * `feedData` and `feedEof`, in tests for example.
 *
 * Reading with `for await` gives the lines, with their line ends. `await using` closes the connection.
 *
 * What is read is mostly a part of what has arrived, and not a copy: its `buffer` has other bytes, too. Use `slice()`
 * before you transfer it to a thread, or keep it for long.
 *
 * Cancel safety: a cancelled read has taken nothing, and the next one gets it.
 *
 * Only one task can read at a time. Runs on Node, Bun and Deno.
 *
 * asyncio: `StreamReader`. Throws `ValueError` when the limit is not a positive number, `RuntimeError` without an
 * event loop.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { StreamReader } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const reader = new StreamReader();
 *   reader.feedData(new TextEncoder().encode("one\ntwo\nthree"));
 *   reader.feedEof();
 *   for await (const line of reader) console.log(line.length);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * 4
 * 4
 * 5
 * ```
 */
export class StreamReader implements AsyncIterable<Uint8Array, void, undefined>, AsyncDisposable {
  readonly #loop: EventLoop;
  readonly #limit: number;
  readonly #buffer = new ByteBuffer();
  #hasEof = false;
  #exception: unknown = null;
  /** One task at most. */
  readonly #waiters: WaitQueue;
  #transport: ReadTransport | null = null;
  /** This reader has paused its transport. */
  #isPaused = false;

  constructor(options: StreamReaderOptions = {}) {
    this.#limit = requireLimit("StreamReader", options.limit);
    this.#loop = options.loop ?? getEventLoop();
    this.#waiters = new WaitQueue("StreamReader", describeReader, this.#loop);
  }

  /** The name of the class. */
  get [Symbol.toStringTag](): string {
    return "StreamReader";
  }

  /** The loop that the reader belongs to. asyncio: `_loop`. */
  getLoop(): EventLoop {
    return this.#loop;
  }

  /** How long a line may be, in bytes. */
  get limit(): number {
    return this.#limit;
  }

  /** Where the bytes come from, if that was set. */
  get transport(): ReadTransport | null {
    return this.#transport;
  }

  // ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Reads at most `count` bytes, as soon as there are any: an empty array means that the stream has ended. A negative
   * count, the default, reads until the end. The limit does not apply.
   *
   * Throws the exception that was set on the reader; `RuntimeError` when it has to wait and another task waits
   * already.
   *
   * asyncio: `read`.
   */
  read(count = -1): Coroutine<Uint8Array> {
    requireCount("read", count);
    return new Read(this, count);
  }

  /**
   * Reads a line, with its newline. At the end of the stream it is what was left, perhaps nothing.
   *
   * Throws `ValueError` when the line is longer than the limit: what has arrived of it is then thrown away. Otherwise
   * as `read`.
   *
   * asyncio: `readline`.
   */
  readline(): Coroutine<Uint8Array> {
    return new ReadLine(this);
  }

  /**
   * Reads exactly `count` bytes, however many that are. Throws `IncompleteReadError`, with what there was, when the
   * stream ends before; `ValueError` for a negative count. Otherwise as `read`.
   *
   * asyncio: `readexactly`.
   */
  readexactly(count: number): Coroutine<Uint8Array> {
    requireCount("readexactly", count);
    if (count < 0) throw new ValueError(`readexactly expects a count of 0 or more, got ${count}`);
    return new ReadExactly(this, count);
  }

  /**
   * Reads until a separator, which belongs to what is returned; by default a newline. Of several separators (an array)
   * the one that ends first counts.
   *
   * Throws `IncompleteReadError`, with what there was, when the stream ends before; `LimitOverrunError` when there are
   * more bytes before the separator than the limit allows (they stay in the reader); `ValueError` for an empty
   * separator, or none. Otherwise as `read`.
   *
   * asyncio: `readuntil`.
   */
  readuntil(separator: Separator | readonly Separator[] = NEWLINE): Coroutine<Uint8Array> {
    return new ReadUntil(this, toSeparators(separator));
  }

  /**
   * The lines as text, without their line ends (`\n` or `\r\n`), until the stream ends. The encoding is one that
   * `TextDecoder` knows, by default UTF-8; UTF-16, whose newline is not one byte, is a `ValueError`. A byte order mark
   * at the beginning is left out. Throws as `readline`.
   *
   * asyncio: none.
   */
  lines(encoding = "utf-8"): AsyncIterable<string, void, undefined> {
    // Each line is decoded on its own: the decoder would take what any of them begins with for a mark.
    const decoder = new TextDecoder(encoding, { ignoreBOM: true });
    if (decoder.encoding.startsWith("utf-16"))
      throw new ValueError(`lines: ${encoding} has newlines of two bytes; decode what read() gives`);
    return { [Symbol.asyncIterator]: () => new TextLines(this, decoder) };
  }

  /** The lines, with their line ends, until the stream ends. Throws as `readline`. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, undefined> {
    return { next: () => new NextLine(this) };
  }

  /** True when the stream has ended, and everything was read. asyncio: `at_eof`. */
  atEof(): boolean {
    return this.#hasEof && this.#buffer.length === 0;
  }

  /** What was given to `setException`, null otherwise. asyncio: `exception`. */
  exception(): unknown {
    return this.#exception;
  }

  /** Closes the transport at the end of an `await using` block. What the reader still has can be read. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#transport?.close();
    return Promise.resolve();
  }

  // ── Feeding ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Bytes have arrived. The reader keeps the array: do not change it afterwards. Throws `RuntimeError` after
   * `feedEof`. asyncio: `feed_data`.
   */
  feedData(data: Uint8Array): void {
    if (!(data instanceof Uint8Array)) throw badArgument("feedData", "a Uint8Array", data);
    if (this.#hasEof) throw new RuntimeError("feedData after feedEof: the stream has ended");
    if (data.length === 0) return;
    this.#buffer.append(data);
    this.#waiters.wakeNext();
    if (this.#transport === null || this.#isPaused || this.#buffer.length <= 2 * this.#limit) return;
    this.#isPaused = true;
    this.#transport.pauseReading();
  }

  /** The stream has ended: what has arrived can still be read. asyncio: `feed_eof`. */
  feedEof(): void {
    this.#hasEof = true;
    this.#waiters.wakeNext();
  }

  /** Makes every read fail from now on, and the one that waits. asyncio: `set_exception`. */
  setException(exception: unknown): void {
    if (exception === undefined || exception === null)
      throw badArgument("setException", "an error", exception);
    this.#exception = exception;
    this.#waiters.wakeNext();
  }

  /** Sets where the bytes come from: what is paused when too many have arrived. asyncio: `set_transport`. */
  setTransport(transport: ReadTransport): void {
    if (this.#transport !== null) throw new RuntimeError("setTransport: this reader has a transport already");
    this.#transport = transport;
  }

  /** TLS was put over the transport. @internal */
  replaceTransport(transport: ReadTransport): void {
    this.#transport = transport;
    this.#isPaused = false;
  }

  /** What has arrived and was not read, which is no longer in the reader. @internal */
  takeAll(): Uint8Array {
    return this.#buffer.take(this.#buffer.length);
  }

  // ── What the operations are made of ───────────────────────────────────────────────────────────────────────────

  /** Bytes in the buffer. @internal */
  get available(): number {
    return this.#buffer.length;
  }

  /** @internal */
  get hasEof(): boolean {
    return this.#hasEof;
  }

  /** @internal */
  throwException(): void {
    if (this.#exception !== null) throw this.#exception;
  }

  /** The result of `reading`, when something has arrived, the stream has ended, or an exception was set. @internal */
  readInTurn<T>(task: Task, reading: Reading<T>): Future<T> {
    this.noteWait(reading.method);
    return new ReadTurn<T>(this.#waiters, task, this, reading);
  }

  /** A task is about to wait for more. Throws when another one does. @internal */
  noteWait(method: string): void {
    if (this.#waiters.length > 0) {
      throw new RuntimeError(`${method}: another task is waiting for this StreamReader already`);
    }
    this.#resume();
  }

  /** @internal */
  take(count: number): Uint8Array {
    const taken = this.#buffer.take(count);
    if (this.#isPaused && this.#buffer.length <= this.#limit) this.#resume();
    return taken;
  }

  /** Looks for the separators from `from` on. @internal */
  search(separators: readonly Uint8Array[], from: number): Match | null {
    let best: Match | null = null;
    for (const separator of separators) {
      const start = this.#buffer.indexOf(separator, from);
      if (start === -1) continue;
      const end = start + separator.length;
      if (best === null || end < best.end) best = { start, end };
    }
    return best;
  }

  /** Throws away what a line had that was too long: as far as its newline, if that has arrived. @internal */
  skipLine(consumed: number): void {
    const hasNewline = this.#buffer.hasAt(NEWLINE, consumed);
    this.#buffer.skip(hasNewline ? consumed + NEWLINE.length : this.#buffer.length);
    if (this.#isPaused && this.#buffer.length <= this.#limit) this.#resume();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#transport?.resumeReading();
  }

  /** For the host's consoles. @internal */
  describe(): string {
    const parts = ["StreamReader"];
    if (this.#buffer.length > 0) parts.push(`${this.#buffer.length} bytes`);
    if (this.#hasEof) parts.push("eof");
    if (this.#limit !== DEFAULT_LIMIT) parts.push(`limit=${this.#limit}`);
    if (this.#waiters.length > 0) parts.push("a task waits");
    if (this.#exception !== null) parts.push(`exception=${describeValue(this.#exception)}`);
    if (this.#transport !== null) parts.push("connected");
    if (this.#isPaused) parts.push("paused");
    return `<${parts.join(" ")}>`;
  }
}

showAs(StreamReader, (reader) => reader.describe());

/** Where a separator is. */
interface Match {
  readonly start: number;
  readonly end: number;
}

/**
 * One call of a reader's method. `find` gives how many bytes it takes, or null as long as there are too few. When it
 * can tell at once nothing is suspended, and nothing else is made.
 *
 * A server makes one for each message, so the fields are declared, and the names are on the prototypes: see `Awaitable`.
 */
abstract class Reading<T> extends Operation<T> {
  declare protected readonly reader: StreamReader;
  /** What was asked for; -1: everything. */
  declare protected readonly wanted: number;
  /** How many bytes it takes. */
  declare private found: number;

  constructor(reader: StreamReader, wanted: number) {
    super();
    this.reader = reader;
    this.wanted = wanted;
    this.found = 0;
  }

  /** The method's own name. */
  abstract get method(): string;

  /** How many bytes to take; null: wait for more. Throws what ends the call. */
  protected abstract find(): number | null;

  /** Makes the result of the bytes. */
  protected abstract finish(bytes: Uint8Array): T;

  get name(): string {
    return `StreamReader.${this.method}`;
  }

  override attempt(): boolean {
    this.noteStart();
    return this.look();
  }

  /** Whether there is enough; throws what ends the call. */
  look(): boolean {
    // Also with bytes in the buffer: as in asyncio, an error comes before them.
    this.reader.throwException();
    const count = this.find();
    this.found = count ?? 0;
    return count !== null;
  }

  override attempted(): T {
    return this.finish(this.reader.take(this.found));
  }

  begin(task: Task): Future<T> {
    return this.reader.readInTurn(task, this);
  }
}

/**
 * What a task that reads waits for. The bytes are taken when the task goes on: what a cancelled one would have got is
 * still there, and when another task has been faster it waits again.
 */
class ReadTurn<T> extends Turn<T> {
  declare private readonly reader: StreamReader;
  declare private readonly reading: Reading<T>;

  constructor(queue: WaitQueue, task: Task, reader: StreamReader, reading: Reading<T>) {
    super(queue, task);
    this.reader = reader;
    this.reading = reading;
  }

  protected override finish(): boolean {
    if (!this.reading.look()) return false;
    this.outcome = this.reading.attempted();
    return true;
  }

  protected override giveUp(): void {
    // It has taken nothing, and nobody else waits.
  }

  override waitAgain(): void {
    this.reader.noteWait(this.reading.method);
    super.waitAgain();
  }

  override describeWait(): string {
    return this.reading.name;
  }
}

class Read extends Reading<Uint8Array> {
  get method(): string {
    return "read";
  }

  protected find(): number | null {
    const { available, hasEof } = this.reader;
    const wanted = this.wanted;
    if (wanted === 0) return 0;
    if (wanted < 0) return hasEof ? available : null;
    return available > 0 || hasEof ? wanted : null;
  }

  protected finish(bytes: Uint8Array): Uint8Array {
    return bytes;
  }
}

class ReadExactly extends Reading<Uint8Array> {
  get method(): string {
    return "readexactly";
  }

  protected find(): number | null {
    const { reader, wanted } = this;
    if (reader.available >= wanted) return wanted;
    if (reader.hasEof) throw new IncompleteReadError(reader.takeAll(), wanted);
    return null;
  }

  protected finish(bytes: Uint8Array): Uint8Array {
    return bytes;
  }
}

/** What is looked for. */
interface Separators {
  readonly list: readonly Uint8Array[];
  readonly shortest: number;
  readonly longest: number;
}

/** Looks for separators; what was searched once is not searched again. */
abstract class Searching<T> extends Reading<T> {
  declare private readonly separators: Separators;
  declare private searched: number;

  constructor(reader: StreamReader, separators: Separators) {
    super(reader, -1);
    this.separators = separators;
    this.searched = 0;
  }

  protected find(): number | null {
    const { available, hasEof, limit } = this.reader;
    const { list, shortest, longest } = this.separators;
    if (available - this.searched >= shortest) {
      const match = this.reader.search(list, this.searched);
      if (match !== null) {
        if (match.start <= limit) return match.end;
        throw new LimitOverrunError(
          `the separator comes after ${match.start} bytes, more than the limit of ${limit}`,
          match.start,
        );
      }
      // A separator may have begun in the last bytes.
      this.searched = Math.max(0, available + 1 - longest);
      if (this.searched > limit) {
        throw new LimitOverrunError(
          `no separator in ${this.searched} bytes, more than the limit of ${limit}`,
          this.searched,
        );
      }
    }
    // Only now: the last bytes may have completed it.
    if (hasEof) throw new IncompleteReadError(this.reader.takeAll(), null);
    return null;
  }
}

class ReadUntil extends Searching<Uint8Array> {
  get method(): string {
    return "readuntil";
  }

  protected finish(bytes: Uint8Array): Uint8Array {
    return bytes;
  }
}

const newlines: Separators = { list: [NEWLINE], shortest: 1, longest: 1 };

abstract class LineReading<T> extends Searching<T> {
  /** What was left at the end of the stream. */
  declare private rest: Uint8Array | null;

  constructor(reader: StreamReader) {
    super(reader, newlines);
    this.rest = null;
  }

  get method(): string {
    return "readline";
  }

  protected override find(): number | null {
    // What is left at the end of the stream is a line, too.
    const { reader } = this;
    try {
      return super.find();
    } catch (error) {
      if (error instanceof IncompleteReadError) {
        this.rest = error.partial;
        return 0;
      }
      if (!(error instanceof LimitOverrunError)) throw error;
      reader.skipLine(error.consumed);
      throw new ValueError(`readline: ${error.message}`, { cause: error });
    }
  }

  protected finish(bytes: Uint8Array): T {
    return this.finishLine(this.rest ?? bytes);
  }

  protected abstract finishLine(line: Uint8Array): T;
}

class ReadLine extends LineReading<Uint8Array> {
  protected finishLine(line: Uint8Array): Uint8Array {
    return line;
  }
}

class NextLine extends LineReading<IteratorResult<Uint8Array, void>> {
  protected finishLine(line: Uint8Array): IteratorResult<Uint8Array, void> {
    return line.length === 0 ? { done: true, value: undefined } : { done: false, value: line };
  }
}

keepThenAtHand(Read, ReadExactly, ReadUntil, ReadLine, NextLine);

class TextLines implements AsyncIterator<string, void, undefined> {
  readonly #reader: StreamReader;
  readonly #decoder: TextDecoder;
  #isFirst = true;

  constructor(reader: StreamReader, decoder: TextDecoder) {
    this.#reader = reader;
    this.#decoder = decoder;
  }

  next(): Coroutine<IteratorResult<string, void>> {
    return new NextTextLine(this.#reader, this);
  }

  decode(line: Uint8Array): string {
    const text = this.#decoder.decode(line).replace(/\r?\n$/, "");
    if (!this.#isFirst) return text;
    this.#isFirst = false;
    return text.startsWith("\uFEFF") ? text.slice(1) : text;
  }
}

class NextTextLine extends LineReading<IteratorResult<string, void>> {
  readonly #lines: TextLines;

  constructor(reader: StreamReader, lines: TextLines) {
    super(reader);
    this.#lines = lines;
  }

  protected finishLine(line: Uint8Array): IteratorResult<string, void> {
    if (line.length === 0) return { done: true, value: undefined };
    return { done: false, value: this.#lines.decode(line) };
  }
}

export function requireLimit(where: string, limit: unknown = DEFAULT_LIMIT): number {
  if (typeof limit !== "number") throw badArgument(where, "a number of bytes as its limit", limit);
  if (!(limit > 0)) throw new ValueError(`${where} expects a positive limit, got ${limit}`);
  return limit;
}

function requireCount(method: string, count: unknown): void {
  if (typeof count !== "number" || !Number.isInteger(count))
    throw badArgument(method, "a whole number of bytes", count);
}

function toSeparators(separator: Separator | readonly Separator[]): Separators {
  const given: readonly Separator[] =
    separator instanceof Uint8Array || typeof separator === "string" ? [separator] : separator;
  if (!Array.isArray(given)) throw badArgument("readuntil", "bytes, text, or an array of those", separator);
  if (given.length === 0)
    throw new ValueError("readuntil expects at least one separator, got an empty array");
  const list = given.map((one: unknown) => {
    const bytes = typeof one === "string" ? new TextEncoder().encode(one) : one;
    if (!(bytes instanceof Uint8Array)) throw badArgument("readuntil", "bytes or text as a separator", one);
    if (bytes.length === 0) throw new ValueError("readuntil expects a separator of at least one byte");
    return bytes;
  });
  const lengths = list.map(({ length }) => length);
  return { list, shortest: Math.min(...lengths), longest: Math.max(...lengths) };
}
