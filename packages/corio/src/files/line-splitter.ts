import { ValueError } from "../errors.ts";
import { concatenate } from "../library/bytes.ts";

/** How long a line may be when nobody says otherwise, in bytes. */
const DEFAULT_LIMIT = 1024 * 1024;
const NEWLINE = 10;

/** Options of what reads by lines. */
export interface LineOptions {
  /** How many bytes a line may have; a longer one is an error, and not a full memory. Default 1 MiB. */
  readonly limit?: number;
}

/**
 * Cuts chunks of UTF-8 into lines, which end with `\n` or `\r\n`; the ends are not part of them. A character may be
 * spread over several chunks: no byte of one is a newline, so only whole lines are ever decoded.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #encoder: TextEncoder = new TextEncoder();
  /** The line that has not ended yet. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #isFirst = true;

  constructor(options: LineOptions, where: string) {
    this.#limit = options.limit ?? DEFAULT_LIMIT;
    if (!(this.#limit > 0))
      throw new ValueError(`${where} expects a limit above 0, got ${String(this.#limit)}`);
  }

  /** The lines that `chunk` completes. */
  push(chunk: Uint8Array | string): string[] {
    const bytes = typeof chunk === "string" ? this.#encoder.encode(chunk) : chunk;
    const end = bytes.lastIndexOf(NEWLINE);
    if (end < 0) {
      this.#keep(bytes);
      return [];
    }
    const lines = this.#decode(bytes.subarray(0, end)).split("\n");
    this.#keep(bytes.subarray(end + 1));
    return lines.map((line) => this.#check(line));
  }

  /** The last line, when there is no newline after it. */
  end(): string[] {
    return this.#pieceBytes === 0 ? [] : [this.#check(this.#decode(new Uint8Array(0)))];
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#pieceBytes + bytes.length > this.#limit + 1) throw this.#tooLong();
    // A copy: whoever read the chunk may use its memory again.
    this.#pieces.push(bytes.slice());
    this.#pieceBytes += bytes.length;
  }

  #decode(rest: Uint8Array): string {
    const whole = this.#pieceBytes === 0 ? rest : concatenate([...this.#pieces, rest]);
    this.#pieces = [];
    this.#pieceBytes = 0;
    const text = this.#decoder.decode(whole);
    if (!this.#isFirst) return text;
    this.#isFirst = false;
    return text.startsWith("\uFEFF") ? text.slice(1) : text;
  }

  #check(line: string): string {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    // A UTF-16 unit is at most three bytes: most lines need not be measured.
    if (text.length * 3 > this.#limit && this.#encoder.encode(text).length > this.#limit)
      throw this.#tooLong();
    return text;
  }

  #tooLong(): ValueError {
    return new ValueError(`a line is longer than the limit of ${this.#limit} bytes`);
  }
}
