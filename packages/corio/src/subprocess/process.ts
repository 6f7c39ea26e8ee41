import { badArgument, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { gather } from "../library/gather.ts";
import { call } from "../library/call.ts";
import { ConnectionResetError } from "../streams/errors.ts";
import type { StreamReader } from "../streams/stream-reader.ts";
import type { StreamWriter } from "../streams/stream-writer.ts";
import { codeOf } from "./command.ts";
import type { ProcessTransport } from "./process-transport.ts";
import type { Signal } from "./signals.ts";
import type { SubprocessStreamProtocol } from "./stream-protocol.ts";

/** What `communicate` writes to the process: bytes, or text, which stands for its UTF-8. */
export type Input = Uint8Array | string;

/** Options of `Process.stop`. */
export interface StopOptions {
  /** In place of the option of the same name that the process was started with. */
  readonly gracePeriod?: Duration | undefined;
}

/**
 * A process that was started: `createSubprocessExec` and `createSubprocessShell` make them.
 *
 * `await using` ends the process with its group, and waits for that, when the block is left: also when the block's task
 * is cancelled or its time is up. Without it the process lives on when a task that waits for it is cancelled.
 *
 * asyncio: `Process`.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { createSubprocessExec, PIPE } from "corio/subprocess";
 *
 * const main = coroutine(async function main() {
 *   await using process = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE });
 *   process.stdin?.write("Hello\n");
 *   console.log(new TextDecoder().decode(await process.stdout?.readline()).trimEnd());
 *   process.stdin?.close();
 *   console.log(await process.wait());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * 0
 * ```
 */
export class Process implements AsyncDisposable {
  readonly #transport: ProcessTransport;
  readonly #streams: SubprocessStreamProtocol;

  /** @internal */
  constructor(transport: ProcessTransport, streams: SubprocessStreamProtocol) {
    this.#transport = transport;
    this.#streams = streams;
  }

  /** The name of the class. */
  get [Symbol.toStringTag](): string {
    return "Process";
  }

  /** The process's number. */
  get pid(): number {
    return this.#transport.getPid();
  }

  /** The exit code; null while the process runs, -N when signal N has ended it. */
  get returncode(): number | null {
    return this.#transport.getReturncode();
  }

  /** What is written to the standard input; null unless that is a `PIPE`. */
  get stdin(): StreamWriter | null {
    return this.#streams.stdin;
  }

  /** What the process writes to its standard output; null unless that is a `PIPE`. */
  get stdout(): StreamReader | null {
    return this.#streams.stdout;
  }

  /** What the process writes to its error stream; null unless that is a `PIPE`. */
  get stderr(): StreamReader | null {
    return this.#streams.stderr;
  }

  /**
   * Waits until the process has ended, and gives its return code. What it has written can be read afterwards; others
   * that hold its pipes open are not waited for. A process whose pipe is full waits, too: read its output, or use
   * `communicate`.
   *
   * Cancel safety: a cancelled wait leaves the process alone; wait again, or end it with `stop`.
   */
  wait(): Coroutine<number> {
    return new Wait(this.#transport);
  }

  /**
   * Writes `input` to the process and closes its standard input, reads everything it writes, and waits until it has
   * ended. Gives what came from the standard output and from the error stream; null for one that is not a `PIPE`. All
   * of it is kept in memory. A process that does not read its input is no error.
   *
   * It reads until all who hold the pipes have closed them: perhaps somebody that the process has left behind.
   *
   * Cancel safety: the process lives on. What has arrived can still be read, with `communicate()` for example; a part
   * of the input may have been written.
   *
   * Throws `ValueError` when there is an input and the standard input is not a `PIPE`.
   */
  communicate(input: Input | null = null): Coroutine<[stdout: Uint8Array | null, stderr: Uint8Array | null]> {
    if (input !== null && typeof input !== "string" && !(input instanceof Uint8Array))
      throw badArgument("Process.communicate", "bytes or text", input);
    if (input !== null && this.stdin === null)
      throw new ValueError("Process.communicate: an input needs a process with stdin: PIPE");
    return call("Process.communicate", () => this.#communicate(input));
  }

  *#communicate(input: Input | null): Steps<[Uint8Array | null, Uint8Array | null]> {
    const [, stdout, stderr] = yield* gather(
      call("Process.communicate: stdin", () => feed(this.stdin, input)),
      call("Process.communicate: stdout", () => readAll(this.stdout)),
      call("Process.communicate: stderr", () => readAll(this.stderr)),
    );
    yield* this.#transport.waitExit();
    return [stdout, stderr];
  }

  /**
   * Sends a signal to the process, and only to it: what it has started lives on. Throws `ProcessLookupError` when it is
   * known to have ended, `ValueError` when there is no such signal. asyncio: `send_signal`.
   */
  sendSignal(signal: Signal): void {
    this.#transport.sendSignal(signal);
  }

  /** Sends `SIGTERM` to the process, and only to it. Throws `ProcessLookupError` when it is known to have ended. */
  terminate(): void {
    this.#transport.terminate();
  }

  /** Sends `SIGKILL` to the process, and only to it. Throws `ProcessLookupError` when it is known to have ended. */
  kill(): void {
    this.#transport.kill();
  }

  /**
   * Ends the process and all that is left of its group, waits for that, and closes the pipes: `SIGTERM` for all; when
   * the grace period is over, `SIGKILL` for those that are still there. It does nothing to what has moved to a group of
   * its own. A process with `startNewSession: false` is ended alone. Gives the return code.
   *
   * Cancel safety: a cancel ends the grace period, and takes effect when the processes have ended.
   *
   * asyncio: none.
   */
  stop(options: StopOptions = {}): Coroutine<number> {
    const { gracePeriod } = options;
    const seconds =
      gracePeriod === undefined ? undefined : toSeconds(gracePeriod, "Process.stop: gracePeriod");
    const transport = this.#transport;
    return call("Process.stop", function* (): Steps<number> {
      yield* transport.end(seconds);
      return yield* transport.waitExit();
    });
  }

  /** `stop`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Coroutine<void> {
    return call("Process.stop", () => this.#transport.end());
  }

  /** @internal */
  get transport(): ProcessTransport {
    return this.#transport;
  }

  /** @internal */
  describe(): string {
    const { pid, returncode } = this;
    return `<Process ${pid}${returncode === null ? " running" : ` returncode=${returncode}`}>`;
  }
}

showAs(Process, (process) => process.describe());

class Wait extends Operation<number> {
  readonly #transport: ProcessTransport;

  constructor(transport: ProcessTransport) {
    super();
    this.#transport = transport;
  }

  get name(): string {
    return "Process.wait";
  }

  override attempt(): boolean {
    this.noteStart();
    const returncode = this.#transport.getReturncode();
    if (returncode === null) return false;
    this.value = returncode;
    return true;
  }

  begin(): Steps<number> {
    return this.#transport.waitExit();
  }
}

function* feed(stdin: StreamWriter | null, input: Input | null): Steps<void> {
  if (stdin === null) return;
  try {
    if (input !== null) stdin.write(input);
    yield* stdin.drain();
  } catch (error) {
    // It has ended, or wants no more.
    if (!(error instanceof ConnectionResetError) && !["EPIPE", "ECONNRESET"].includes(codeOf(error)))
      throw error;
  }
  stdin.close();
}

function* readAll(reader: StreamReader | null): Steps<Uint8Array | null> {
  if (reader === null) return null;
  const bytes = yield* reader.read();
  reader.transport?.close();
  return bytes;
}
