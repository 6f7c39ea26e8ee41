import { badArgument, RuntimeError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { keepThenAtHand, Operation } from "../futures/operation.ts";
import { showAs } from "#host";
import type { Task } from "../futures/task.ts";
import { sleep } from "../library/sleep.ts";
import { call } from "../library/call.ts";
import type { SslOptions, StartTlsOptions, TlsUpgrade } from "./node/handshake.ts";
import type { BaseProtocol } from "./protocols.ts";
import type { StreamReader } from "./stream-reader.ts";
import type { Transport, WriteTransport } from "./transports.ts";
import type { WriterFlow } from "./writer-flow.ts";

/** What a writer needs of its protocol. */
export interface WriterProtocol extends BaseProtocol {
  /** Whether to pause, and whether the connection is gone. @internal */
  readonly flow: WriterFlow;
  /** The connection was accepted, not made. @internal */
  readonly isServerSide?: boolean;
  /** TLS was put over the transport. @internal */
  replaceTransport?(transport: Transport): void;
}

/**
 * Where a task writes bytes to. `openConnection` and `startServer` make them.
 *
 * `write` does not wait; `await writer.drain()` after it, so that memory does not fill up when the peer is slow. What
 * is written in one iteration of the loop leaves together. `await using` closes the writer, and waits for that.
 *
 * asyncio: `StreamWriter`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { openConnection, startServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   await using server = await startServer(
 *     async (reader, writer) => {
 *       writer.write(await reader.readline());
 *       await writer.drain();
 *       writer.close();
 *     },
 *     "127.0.0.1",
 *     0,
 *   );
 *   const [reader, writer] = await openConnection("127.0.0.1", server.port);
 *   writer.write("Hello\n");
 *   await writer.drain();
 *   console.log(new TextDecoder().decode(await reader.read()).trimEnd());
 *   writer.close();
 *   await writer.waitClosed();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export class StreamWriter implements AsyncDisposable {
  readonly #loop: EventLoop;
  readonly #protocol: WriterProtocol;
  readonly #reader: StreamReader | null;
  #transport: WriteTransport;

  /** `reader` is the one whose exception `drain` throws; null when there is none. */
  constructor(
    transport: WriteTransport,
    protocol: WriterProtocol,
    reader: StreamReader | null,
    loop: EventLoop,
  ) {
    this.#transport = transport;
    this.#protocol = protocol;
    this.#reader = reader;
    this.#loop = loop;
  }

  /** The name of the class. */
  get [Symbol.toStringTag](): string {
    return "StreamWriter";
  }

  /** What carries the bytes. */
  get transport(): WriteTransport {
    return this.#transport;
  }

  /** The loop that the writer belongs to. asyncio: `_loop`. */
  getLoop(): EventLoop {
    return this.#loop;
  }

  /**
   * Sends bytes, or text as UTF-8, and does not wait for that. The array is not copied: do not change it afterwards.
   *
   * Throws `ArgumentTypeError` for anything else, `RuntimeError` after `writeEof`. After `close` nothing happens.
   */
  write(data: Uint8Array | string): void {
    this.#transport.write(toBytes(data));
  }

  /** `write`, for several. */
  writelines(data: Iterable<Uint8Array | string>): void {
    this.#transport.writelines([...data].map(toBytes));
  }

  /** Sends what has been written, then tells the peer that nothing more will come. asyncio: `write_eof`. */
  writeEof(): void {
    this.#transport.writeEof();
  }

  /** Whether `writeEof` is possible; with TLS it is not. asyncio: `can_write_eof`. */
  canWriteEof(): boolean {
    return this.#transport.canWriteEof();
  }

  /** Sends what has been written, and closes the connection. Also of the reader, if there is one. */
  close(): void {
    this.#transport.close();
  }

  /** True when the connection is closed, or is being closed. asyncio: `is_closing`. */
  isClosing(): boolean {
    return this.#transport.isClosing();
  }

  /**
   * Waits until the connection is closed. Throws what it was lost by, if that was an error.
   *
   * Cancel safety: nothing is lost.
   *
   * asyncio: `wait_closed`.
   */
  waitClosed(): Coroutine<void> {
    return call("StreamWriter.waitClosed", (task) => this.#protocol.flow.waitClosed(task));
  }

  /** What is known of the connection; see `BaseTransport`. asyncio: `get_extra_info`. */
  getExtraInfo(name: string, missing: unknown = null): unknown {
    return this.#transport.getExtraInfo(name, missing);
  }

  /**
   * Waits until the peer has taken enough of what was written: while more than the transport's high-water mark is
   * buffered, until it is down to the low-water mark. Otherwise it does not suspend. Several tasks may wait at once.
   *
   * Cancel safety: what was written is sent all the same.
   *
   * Throws the reader's exception, if it has one; `ConnectionResetError` when the connection is gone.
   */
  drain(): Coroutine<void> {
    return new Drain(this, this.#reader, this.#protocol.flow);
  }

  /**
   * Puts TLS over the connection, in place: sends what was written, then does the handshake. On a connection of
   * `startServer` this end is the server, and `ssl` needs a key and a certificate. What the reader has got and nobody
   * has read is taken for the beginning of the handshake.
   *
   * Cancel safety: cancelling closes the connection, and so does every error.
   *
   * Throws what `drain` and the handshake throw; `RuntimeError` when the transport is not a socket's.
   *
   * asyncio: `start_tls`.
   */
  startTls(ssl: SslOptions, options: Omit<StartTlsOptions, "serverSide"> = {}): Coroutine<void> {
    const transport = this.#transport as WriteTransport & Partial<CanStartTls>;
    const serverSide = this.#protocol.isServerSide === true;
    const upgrade = transport.prepareTls?.("StreamWriter.startTls", ssl, { ...options, serverSide });
    if (upgrade === undefined)
      throw new RuntimeError("StreamWriter.startTls: TLS cannot be put over this transport");
    return call("StreamWriter.startTls", () => this.#startTls(transport as CanStartTls, upgrade));
  }

  *#startTls(transport: CanStartTls, upgrade: TlsUpgrade): Steps<void> {
    yield* this.drain();
    const buffered = this.#reader?.takeAll() ?? new Uint8Array(0);
    const upgraded = yield* transport.upgrade(this.#protocol, upgrade, buffered);
    this.#transport = upgraded;
    this.#protocol.replaceTransport?.(upgraded);
  }

  /** Closes the writer, and waits until the connection is closed; errors of the connection are not thrown. */
  [Symbol.asyncDispose](): Coroutine<void> {
    return call("StreamWriter.close", (task) => this.#dispose(task));
  }

  *#dispose(task: Task): Steps<void> {
    this.close();
    const { flow } = this.#protocol;
    yield* flow.waitUntilLost(task);
  }

  /** @internal */
  replaceTransport(transport: WriteTransport): void {
    this.#transport = transport;
  }

  /** @internal */
  describe(): string {
    const state = this.isClosing() ? " closing" : "";
    return `<StreamWriter ${this.#transport.getWriteBufferSize()} bytes buffered${state}>`;
  }
}

/** A transport that TLS can be put over. */
interface CanStartTls {
  prepareTls(where: string, ssl: SslOptions, options: StartTlsOptions): TlsUpgrade;
  upgrade(protocol: BaseProtocol, upgrade: TlsUpgrade, buffered: Uint8Array): Steps<Transport>;
}

showAs(StreamWriter, (writer) => writer.describe());

/** Made for each message of many programs: the fields are declared, see `Awaitable`. */
class Drain extends Operation<void> {
  declare private readonly writer: StreamWriter;
  declare private readonly reader: StreamReader | null;
  declare private readonly flow: WriterFlow;

  constructor(writer: StreamWriter, reader: StreamReader | null, flow: WriterFlow) {
    super();
    this.writer = writer;
    this.reader = reader;
    this.flow = flow;
  }

  get name(): string {
    return "StreamWriter.drain";
  }

  override attempt(): boolean {
    this.noteStart();
    this.reader?.throwException();
    if (this.writer.isClosing()) return false;
    if (this.flow.isLost) throw this.flow.lossError();
    return !this.flow.isPaused;
  }

  *begin(task: Task): Steps<void> {
    // A loop that writes and drains, and would never suspend, must come to see that the connection is gone.
    if (this.writer.isClosing()) yield* sleep(0);
    yield* this.flow.drain(task);
  }
}

keepThenAtHand(Drain);

function toBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data === "string") return new TextEncoder().encode(data);
  throw badArgument("StreamWriter.write", "a Uint8Array or text", data);
}
