import process from "node:process";
import { badArgument, CorioError } from "../errors.ts";
import { coroutine } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { LineOptions } from "../files/line-splitter.ts";
import { LineReader } from "./line-reader.ts";
import type { InputStream } from "./line-reader.ts";

/** Options of `lines`. */
export interface LinesOptions extends LineOptions {
  /** What is shown before each line. Default: nothing. */
  readonly prompt?: string;
}

/** There is no more input: the user pressed Ctrl-D, or the file or pipe has ended. Python: `EOFError`. */
export class EOFError extends CorioError {
  static override readonly brand: string = "EOFError";
  readonly code = "CORIO_END_OF_INPUT" as const;
}

/**
 * Reads a line from the standard input, after showing `prompt`: at a terminal with its user's usual keys, and as well
 * from a pipe or a file.
 *
 * Cancel safety: nothing is lost. Lines that have come stay for the next who asks, and so does what was typed without
 * Enter.
 *
 * Python: `input`. Throws `EOFError` when there is no more input. Ctrl-C does what it does elsewhere: `run` rejects with
 * `KeyboardInterrupt`.
 *
 * @example
 * ```ts type-only: it reads the standard input
 * import { coroutine, run, timeout } from "corio";
 * import { input } from "corio/input";
 *
 * const main = coroutine(async function main() {
 *   const name = await timeout(30, () => input("What is your name? "));
 *   console.log(`Hello, ${name}`);
 * });
 *
 * await run(main());
 * ```
 */
export function input(prompt = ""): Coroutine<string> {
  if (typeof prompt !== "string") throw badArgument("input", "a string", prompt);
  return readLine(prompt);
}

const readLine = coroutine(function* input(prompt: string): Generator<object, string, unknown> {
  const reader = LineReader.of(process.stdin, {});
  reader.showPrompt(prompt);
  const { done, value } = yield* reader.lines.next();
  if (done === true) throw new EOFError("the input has ended");
  return value;
});

/**
 * The lines of a stream (by default the standard input) as they come, decoded as UTF-8, without their ends (`\n` or
 * `\r\n`). It reads only while somebody waits, so a fast writer is held back. A stream has one limit: that of the first
 * call.
 *
 * Cancel safety: nothing is lost. Leaving the loop, also by a cancel, stops reading; lines that have come stay for the
 * next who asks.
 *
 * Throws `ArgumentTypeError` for what is no stream, `ValueError` for a line that is longer than the limit, and what the
 * stream fails with.
 *
 * @example
 * ```ts
 * import { Readable } from "node:stream";
 * import { coroutine, run } from "corio";
 * import { lines } from "corio/input";
 *
 * const main = coroutine(async function main() {
 *   for await (const line of lines(Readable.from(["one\ntw", "o\r\nthree"]))) console.log(line);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * one
 * two
 * three
 * ```
 */
export function lines(
  stream: InputStream = process.stdin,
  options: LinesOptions = {},
): AsyncIterableIterator<string, void, undefined> {
  if (typeof (stream as Partial<InputStream> | null)?.resume !== "function")
    throw badArgument(
      "lines",
      "a readable stream of Node's",
      stream,
      "for a web stream use Readable.fromWeb",
    );
  const reader = LineReader.of(stream, options);
  return {
    next: () => nextLine(reader, options.prompt),
    return: () => Promise.resolve({ done: true, value: undefined }),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const nextLine = coroutine(function* nextLine(
  reader: LineReader,
  prompt: string | undefined,
): Generator<object, IteratorResult<string, void>, unknown> {
  reader.showPrompt(prompt ?? "");
  return yield* reader.lines.next();
});
