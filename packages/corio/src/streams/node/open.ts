import type { Steps } from "../../futures/awaitable.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import { badArgument } from "../../errors.ts";
import { call } from "../../library/call.ts";
import type { StreamReaderOptions } from "../stream-reader.ts";
import { requireLimit, StreamReader } from "../stream-reader.ts";
import { StreamReaderProtocol } from "../stream-reader-protocol.ts";
import type { ClientConnectedCallback } from "../stream-reader-protocol.ts";
import { StreamWriter } from "../stream-writer.ts";
import { connecting, connectingUnix } from "./connect.ts";
import type { Connect, ConnectionOptions, UnixConnectionOptions } from "./connect.ts";
import type { Port } from "./dns.ts";
import { serve, serveUnix } from "./server.ts";
import type { Server, ServerOptions, UnixServerOptions } from "./server.ts";

/** Options of the streams' readers. */
type ReaderOptions = Pick<StreamReaderOptions, "limit">;

/** Options of `openConnection`: those of `createConnection`, and the reader's limit. */
export interface OpenConnectionOptions extends ConnectionOptions, ReaderOptions {}

/** Options of `openUnixConnection`: those of `createUnixConnection`, and the reader's limit. */
export interface OpenUnixConnectionOptions extends UnixConnectionOptions, ReaderOptions {}

/** Options of `startServer`: those of `createServer`, and the readers' limit. */
export interface StartServerOptions extends ServerOptions, ReaderOptions {}

/** Options of `startUnixServer`: those of `createUnixServer`, and the readers' limit. */
export interface StartUnixServerOptions extends UnixServerOptions, ReaderOptions {}

/** What a connection is read with, and written to. */
export type Streams = [reader: StreamReader, writer: StreamWriter];

/**
 * Connects to a host, and gives what the connection is read with and written to. The host's addresses are tried one
 * after another; with `happyEyeballsDelay`, staggered. With `ssl`, over TLS.
 *
 * Cancel safety: cancelling destroys every socket that was made.
 *
 * Throws as `createConnection`.
 *
 * asyncio: `open_connection`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { openConnection, startServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   await using server = await startServer(
 *     async (reader, writer) => {
 *       for await (const line of reader) writer.write(line);
 *       writer.close();
 *     },
 *     "127.0.0.1",
 *     0,
 *   );
 *   const [reader, writer] = await openConnection("127.0.0.1", server.port);
 *   writer.write("one\ntwo\n");
 *   writer.writeEof();
 *   for await (const line of reader.lines()) console.log(line);
 *   writer.close();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * one
 * two
 * ```
 */
export function openConnection(
  host: string | null = null,
  port: Port | null = null,
  options: OpenConnectionOptions = {},
): Coroutine<Streams> {
  const factory = protocols("openConnection", options);
  return open("openConnection", connecting("openConnection", factory, host, port, options));
}

/**
 * As `openConnection`, to a Unix socket (on Windows: a named pipe).
 *
 * Cancel safety: cancelling destroys the socket.
 *
 * asyncio: `open_unix_connection`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { coroutine, run } from "corio";
 * import { openUnixConnection, startUnixServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const path = join(mkdtempSync(join(tmpdir(), "example-")), "socket");
 *   await using server = await startUnixServer((_reader, writer) => {
 *     writer.write("Hello");
 *     writer.close();
 *   }, path);
 *   const [reader, writer] = await openUnixConnection(path);
 *   console.log(new TextDecoder().decode(await reader.read()));
 *   writer.close();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export function openUnixConnection(
  path: string | URL | null = null,
  options: OpenUnixConnectionOptions = {},
): Coroutine<Streams> {
  const factory = protocols("openUnixConnection", options);
  return open("openUnixConnection", connectingUnix("openUnixConnection", factory, path, options));
}

/**
 * Listens on a port, and calls `clientConnected` for each connection, as a task of its own, with what the connection
 * is read with and written to. An error in it goes to the loop's exception handler, and closes the connection; so does
 * a cancellation, at the end of `run` for example. A function that returns has to close its writer.
 *
 * Cancel safety: a cancelled call listens nowhere.
 *
 * Throws as `createServer`.
 *
 * asyncio: `start_server`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { openConnection, startServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   await using server = await startServer(
 *     async (reader, writer) => {
 *       await using _ = writer;
 *       writer.write(await reader.readline());
 *     },
 *     "127.0.0.1",
 *     0,
 *   );
 *   const [reader, writer] = await openConnection("127.0.0.1", server.port);
 *   writer.write("echo\n");
 *   console.log(new TextDecoder().decode(await reader.readline()).trimEnd());
 *   writer.close();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * echo
 * ```
 */
export function startServer(
  clientConnected: ClientConnectedCallback,
  host: string | readonly string[] | null = null,
  port: Port | null = null,
  options: StartServerOptions = {},
): Coroutine<Server> {
  const factory = protocols("startServer", options, requireCallback("startServer", clientConnected));
  return serve("startServer", factory, host, port, options);
}

/**
 * As `startServer`, on a Unix socket (on Windows: a named pipe).
 *
 * Cancel safety: a cancelled call listens nowhere.
 *
 * asyncio: `start_unix_server`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { coroutine, run } from "corio";
 * import { startUnixServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const path = join(mkdtempSync(join(tmpdir(), "example-")), "socket");
 *   await using server = await startUnixServer((_reader, writer) => writer.close(), path);
 *   console.log(server.addresses[0] === path);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * true
 * ```
 */
export function startUnixServer(
  clientConnected: ClientConnectedCallback,
  path: string | URL,
  options: StartUnixServerOptions = {},
): Coroutine<Server> {
  const factory = protocols("startUnixServer", options, requireCallback("startUnixServer", clientConnected));
  return serveUnix("startUnixServer", factory, path, options);
}

function open(where: string, connect: Connect<StreamReaderProtocol>): Coroutine<Streams> {
  return call(where, function* (task): Steps<Streams> {
    const [transport, protocol] = yield* connect(task);
    const { reader } = protocol;
    return [reader, new StreamWriter(transport, protocol, reader, task.loop)];
  });
}

/** Makes the protocol of a connection, with its reader. */
function protocols(
  where: string,
  { limit }: ReaderOptions,
  clientConnectedCb?: ClientConnectedCallback,
): (loop: EventLoop) => StreamReaderProtocol {
  requireLimit(where, limit);
  return (loop) => new StreamReaderProtocol(new StreamReader({ limit, loop }), { loop, clientConnectedCb });
}

function requireCallback(where: string, clientConnected: ClientConnectedCallback): ClientConnectedCallback {
  if (typeof clientConnected === "function") return clientConnected;
  throw badArgument(where, "a function of a reader and a writer", clientConnected);
}
