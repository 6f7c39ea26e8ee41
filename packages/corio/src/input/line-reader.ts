import process from "node:process";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers";
import { LineSplitter } from "../files/line-splitter.ts";
import type { LineOptions } from "../files/line-splitter.ts";
import { EventStream } from "../library/event-stream.ts";

/** A stream of text that may come from a terminal. */
export type InputStream = Readable & { readonly isTTY?: boolean };

const readers = new WeakMap<InputStream, LineReader>();

/**
 * Reads a stream by lines, while somebody waits for one. What was read and not taken stays here, whoever is cancelled:
 * there is one reader for each stream, and the next who asks gets it.
 */
export abstract class LineReader {
  readonly lines: EventStream<string>;

  constructor(input: InputStream) {
    this.lines = new EventStream<string>({
      description: "a line of input",
      noteWanted: () => this.start(),
      noteUnwanted: () => this.pause(),
      release: () => {
        this.stop();
        readers.delete(input);
      },
    });
  }

  /** The reader of `input`: always the same one, until the input has ended. */
  static of(input: InputStream, options: LineOptions): LineReader {
    let reader = readers.get(input);
    if (reader === undefined) {
      reader = input.isTTY === true ? new TerminalReader(input) : new PlainReader(input, options);
      readers.set(input, reader);
    }
    return reader;
  }

  /** What is shown before the next line that is typed. */
  abstract showPrompt(prompt: string): void;
  protected abstract start(): void;
  protected abstract pause(): void;
  protected abstract stop(): void;
}

/** A pipe, a file, a socket. */
class PlainReader extends LineReader {
  readonly #input: InputStream;
  readonly #splitter: LineSplitter;

  constructor(input: InputStream, options: LineOptions) {
    super(input);
    this.#input = input;
    this.#splitter = new LineSplitter(options, "lines");
  }

  showPrompt(prompt: string): void {
    if (prompt !== "") process.stdout.write(prompt);
  }

  protected start(): void {
    const input = this.#input;
    if (input.readableEnded || input.destroyed) {
      const error = input.errored;
      // Not at once: who waits is about to.
      queueMicrotask(error === null ? this.#onEnd : () => this.#onError(error));
      return;
    }
    input.on("data", this.#onData).on("end", this.#onEnd).on("close", this.#onEnd).on("error", this.#onError);
    input.resume();
  }

  protected pause(): void {
    this.#input.pause();
    this.stop();
  }

  protected stop(): void {
    const input = this.#input;
    input
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("close", this.#onEnd)
      .off("error", this.#onError);
  }

  readonly #onData = (chunk: Uint8Array | string): void => {
    try {
      for (const line of this.#splitter.push(chunk)) this.lines.push(line);
    } catch (error) {
      this.lines.fail(error);
    }
  };

  readonly #onEnd = (): void => {
    try {
      for (const line of this.#splitter.end()) this.lines.push(line);
      this.lines.end();
    } catch (error) {
      this.lines.fail(error);
    }
  };

  readonly #onError = (error: unknown): void => this.lines.fail(error);
}

/** A terminal: readline lets its user edit the line. */
class TerminalReader extends LineReader {
  readonly #input: InputStream;
  readonly #output: Writable = process.stdout;
  #interface: Interface | null = null;
  #prompt = "";
  /** Typed, but not ended with Enter, when the reading was interrupted: it is there again the next time. */
  #unfinished = "";

  constructor(input: InputStream) {
    super(input);
    this.#input = input;
  }

  showPrompt(prompt: string): void {
    this.#prompt = prompt;
  }

  protected start(): void {
    if (this.#interface !== null) {
      // Not closed yet since the last line.
      this.#interface.setPrompt(this.#prompt);
      this.#interface.prompt(true);
      return;
    }
    const readline = createInterface({
      input: this.#input,
      output: this.#output,
      terminal: true,
      prompt: this.#prompt,
    });
    this.#interface = readline;
    readline.on("line", (line) => this.lines.push(line));
    // Ctrl-D: the end of the input.
    readline.on("close", () => {
      if (this.#interface === readline) this.lines.end();
    });
    // In a terminal that readline reads, Ctrl-C is a character.
    readline.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    readline.prompt();
    if (this.#unfinished !== "") readline.write(this.#unfinished);
    this.#unfinished = "";
  }

  protected pause(): void {
    // Later: what was pasted may have more lines, of which readline has told us the first.
    setImmediate(() => {
      if (!this.lines.isWanted) this.stop();
    });
  }

  protected stop(): void {
    const readline = this.#interface;
    if (readline === null) return;
    this.#interface = null;
    this.#unfinished = readline.line;
    readline.close();
  }
}
