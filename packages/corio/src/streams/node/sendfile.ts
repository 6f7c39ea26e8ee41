import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { badArgument, RuntimeError, ValueError } from "../../errors.ts";
import type { Steps } from "../../futures/awaitable.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import type { Task } from "../../futures/task.ts";
import { until } from "../../library/until.ts";
import { call } from "../../library/call.ts";
import type { BaseProtocol } from "../protocols.ts";
import type { WriteTransport } from "../transports.ts";
import { WriterFlow } from "../writer-flow.ts";
import { StreamTransport } from "./stream-transport.ts";

/** Options of `sendfile`. */
export interface SendfileOptions {
  /** Where in the file to begin, in bytes. Default 0. */
  readonly offset?: number | undefined;
  /** How many bytes to send; by default all there are. */
  readonly count?: number | null | undefined;
}

/** As much is read at once. */
const BLOCK = 256 * 1024;

/**
 * Sends a file, or a part of it, and gives the number of bytes that were sent. `file` is its path, or an open
 * `FileHandle`, which stays open. Meanwhile nothing else can be written, and nothing is received.
 *
 * Cancel safety: what has been sent is sent; nobody knows how much that was.
 *
 * Throws what the host throws for the file, `ConnectionResetError` when the connection is lost, `RuntimeError` when it
 * is closed.
 *
 * asyncio: `loop.sendfile`. It reads and writes in blocks, with TLS and without: the hosts offer no more. Runs on Node,
 * Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { openConnection, sendfile, startServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   await using server = await startServer(
 *     async (_reader, writer) => {
 *       await sendfile(writer.transport, "package.json", { count: 1 });
 *       writer.close();
 *     },
 *     "127.0.0.1",
 *     0,
 *   );
 *   const [reader, writer] = await openConnection("127.0.0.1", server.port);
 *   console.log(new TextDecoder().decode(await reader.read()));
 *   writer.close();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * {
 * ```
 */
export function sendfile(
  transport: WriteTransport,
  file: FileHandle | string | URL,
  options: SendfileOptions = {},
): Coroutine<number> {
  if (!(transport instanceof StreamTransport))
    throw badArgument("sendfile", "the transport of a connection", transport);
  if (
    typeof file !== "string" &&
    typeof (file as Partial<FileHandle>).read !== "function" &&
    !(file instanceof URL)
  )
    throw badArgument("sendfile", "a path or a FileHandle", file);
  const offset = requireNumber("offset", options.offset ?? 0);
  const count =
    options.count === undefined || options.count === null ? null : requireNumber("count", options.count);
  return call("sendfile", (task) => send(task, transport, file, offset, count ?? Infinity));
}

function* send(
  task: Task,
  transport: StreamTransport,
  file: FileHandle | string | URL,
  offset: number,
  count: number,
): Steps<number> {
  if (transport.isClosing()) throw new RuntimeError("sendfile: the transport is closed");
  if (transport.isSendingFile) throw new RuntimeError("sendfile: the transport is sending a file already");
  const isOurs = typeof file === "string" || file instanceof URL;
  const protocol = transport.getProtocol();
  const relay = new Relay(protocol, transport.isOverHigh);
  const wasReading = transport.isReading();
  let handle: FileHandle | null = null;
  transport.isSendingFile = true;
  transport.setProtocol(relay);
  transport.pauseReading();
  try {
    handle = isOurs ? yield* openFile(file) : file;
    return yield* sendBlocks(task, transport, relay.flow, handle, offset, count);
  } finally {
    transport.isSendingFile = false;
    transport.setProtocol(protocol);
    if (wasReading) transport.resumeReading();
    relay.tellWhatItMissed();
    if (isOurs) void handle?.close().catch(ignore);
  }
}

function* openFile(file: string | URL): Steps<FileHandle> {
  const opening = open(file);
  try {
    return yield* until(opening);
  } catch (error) {
    // Cancelled, perhaps: what is opened all the same must be closed.
    void opening.then((handle) => handle.close()).catch(ignore);
    throw error;
  }
}

function ignore(): void {
  // Whoever waited for it has been told.
}

function* sendBlocks(
  task: Task,
  transport: StreamTransport,
  flow: WriterFlow,
  handle: FileHandle,
  offset: number,
  count: number,
): Steps<number> {
  let sent = 0;
  while (sent < count) {
    yield* flow.drain(task);
    const size = Math.min(BLOCK, count - sent);
    // A new one each time: the transport has the last one still.
    const { bytesRead, buffer } = yield* until(handle.read(new Uint8Array(size), 0, size, offset + sent));
    if (bytesRead === 0) break;
    if (flow.isLost || transport.isClosing()) throw flow.lossError();
    transport.send(buffer.subarray(0, bytesRead));
    sent += bytesRead;
  }
  yield* flow.drain(task);
  return sent;
}

/** Stands in for the protocol meanwhile; tells it what concerns it. */
class Relay implements BaseProtocol {
  readonly flow: WriterFlow = new WriterFlow();
  readonly #protocol: BaseProtocol;
  /** What the protocol itself was told last. */
  readonly #wasPaused: boolean;

  constructor(protocol: BaseProtocol, wasPaused: boolean) {
    this.#protocol = protocol;
    this.#wasPaused = wasPaused;
    if (wasPaused) this.flow.pause();
  }

  pauseWriting(): void {
    this.flow.pause();
  }

  resumeWriting(): void {
    this.flow.resume();
  }

  connectionLost(error: unknown): void {
    this.flow.lose(error);
    this.#protocol.connectionLost?.(error);
  }

  tellWhatItMissed(): void {
    const { isPaused, isLost } = this.flow;
    if (isLost || isPaused === this.#wasPaused) return;
    if (isPaused) this.#protocol.pauseWriting?.();
    else this.#protocol.resumeWriting?.();
  }
}

function requireNumber(name: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value))
    throw badArgument(`sendfile: ${name}`, "a whole number", value);
  if (value < 0) throw new ValueError(`sendfile: ${name} must not be negative, got ${value}`);
  return value;
}
