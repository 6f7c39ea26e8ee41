import { GeneratorCoroutine, isGeneratorFunction, NativeCoroutine } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { getEventLoop } from "../futures/event-loop.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import type { Task } from "../futures/task.ts";
import type { WithBody } from "../library/body-call.ts";
import type { Protocol } from "./protocols.ts";
import type { StreamReader } from "./stream-reader.ts";
import { StreamWriter } from "./stream-writer.ts";
import type { WriterProtocol } from "./stream-writer.ts";
import type { BaseTransport, Transport } from "./transports.ts";
import { WriterFlow } from "./writer-flow.ts";

/** What `startServer` calls for each connection: it runs as a task of its own. */
export type ClientConnectedCallback = WithBody<[reader: StreamReader, writer: StreamWriter], unknown>;

/** Options of the `StreamReaderProtocol` constructor. */
export interface StreamReaderProtocolOptions {
  /** Called when the connection is there, as a task. */
  readonly clientConnectedCb?: ClientConnectedCallback | undefined;
  /** The loop; by default the running one. */
  readonly loop?: EventLoop | undefined;
}

/**
 * The protocol that feeds a `StreamReader`: between transports and streams.
 *
 * asyncio: `StreamReaderProtocol`. Throws `RuntimeError` without an event loop.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { createConnection, startServer, StreamReader, StreamReaderProtocol } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   await using server = await startServer(
 *     (_reader, writer) => {
 *       writer.write("Hello");
 *       writer.close();
 *     },
 *     "127.0.0.1",
 *     0,
 *   );
 *   const reader = new StreamReader();
 *   const factory = () => new StreamReaderProtocol(reader);
 *   const [transport] = await createConnection(factory, "127.0.0.1", server.port);
 *   console.log(new TextDecoder().decode(await reader.read()));
 *   transport.close();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export class StreamReaderProtocol implements Protocol<BaseTransport>, WriterProtocol {
  /** @internal */
  readonly flow: WriterFlow = new WriterFlow();
  readonly #loop: EventLoop;
  /** @internal */
  readonly reader: StreamReader;
  readonly #clientConnected: ClientConnectedCallback | undefined;
  #transport: BaseTransport | null = null;
  #writer: StreamWriter | null = null;
  #task: Task | null = null;
  #isLost = false;

  constructor(reader: StreamReader, options: StreamReaderProtocolOptions = {}) {
    this.reader = reader;
    this.#clientConnected = options.clientConnectedCb;
    this.#loop = options.loop ?? getEventLoop();
  }

  /** Gives the transport to the reader, and starts the task. */
  connectionMade(transport: BaseTransport): void {
    this.#transport = transport;
    this.reader.setTransport(transport as Transport);
    const clientConnected = this.#clientConnected;
    if (clientConnected === undefined) return;
    const writer = new StreamWriter(transport as Transport, this, this.reader, this.#loop);
    this.#writer = writer;
    this.#task = this.#loop.createTask(toCall(clientConnected, [this.reader, writer]));
    this.#task.addDoneCallback((task) => this.#clientDone(task));
  }

  /** A handler that fails, or is cancelled, will not close its connection any more. */
  #clientDone(task: { cancelled(): boolean; exception(): unknown }): void {
    this.#task = null;
    const transport = this.#transport;
    if (task.cancelled()) {
      transport?.close();
      return;
    }
    const exception = task.exception();
    if (exception === null) return;
    this.#loop.callExceptionHandler({
      message: "Unhandled exception in clientConnectedCb",
      exception,
      transport,
    });
    transport?.close();
  }

  /** Feeds the reader. */
  dataReceived(data: Uint8Array): void {
    this.reader.feedData(data);
  }

  /** Ends the reader. The connection stays open for writing, where that is possible. */
  eofReceived(): boolean {
    this.reader.feedEof();
    return this.#transport?.getExtraInfo("sslObject") === null;
  }

  /** Ends the reader, and wakes up who waits in `drain` and `waitClosed`. */
  connectionLost(error: unknown): void {
    if (this.#isLost) return;
    this.#isLost = true;
    if (error === null || error === undefined) this.reader.feedEof();
    else this.reader.setException(error);
    this.flow.lose(error);
    this.#transport = null;
    this.#writer = null;
  }

  /** Makes `drain` wait. */
  pauseWriting(): void {
    this.flow.pause();
  }

  /** Ends the wait of `drain`. */
  resumeWriting(): void {
    this.flow.resume();
  }

  /** A connection that was accepted: this end is the server when TLS begins. @internal */
  get isServerSide(): boolean {
    return this.#clientConnected !== undefined;
  }

  /** TLS was put over the transport. @internal */
  replaceTransport(transport: Transport): void {
    this.#transport = transport;
    this.reader.replaceTransport(transport);
    this.#writer?.replaceTransport(transport);
  }
}

/** The callback's call, as a coroutine for a task to run. */
function toCall(callback: ClientConnectedCallback, streams: [StreamReader, StreamWriter]): Coroutine {
  if (isGeneratorFunction(callback)) return new GeneratorCoroutine(callback, undefined, streams);
  return new NativeCoroutine(callback as () => Promise<unknown>, undefined, streams);
}
