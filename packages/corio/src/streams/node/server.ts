import { randomBytes } from "node:crypto";
import { lstatSync, renameSync, unlinkSync } from "node:fs";
import { createServer as createNetServer, Server as NetServer } from "node:net";
import type { ListenOptions, Socket } from "node:net";
import { dirname, join } from "node:path";
import type { Server as TlsServer } from "node:tls";
import { host as hostOfLoop } from "#host";
import { badArgument, isCancelledError, RuntimeError, ValueError } from "../../errors.ts";
import type { Steps } from "../../futures/awaitable.ts";
import { copyContext } from "../../futures/context.ts";
import type { Context } from "../../futures/context.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import type { EventLoop, LoopResource } from "../../futures/event-loop.ts";
import { Future } from "../../futures/future.ts";
import { showAs } from "#host";
import type { Task } from "../../futures/task.ts";
import { Waiter, WaitQueue } from "../../library/wait-queue.ts";
import { call } from "../../library/call.ts";
import type { SocketAddress } from "../protocols.ts";
import { formatAddress, toFamily } from "./addresses.ts";
import { requireFactory, toPath } from "./connect.ts";
import { requireHost, resolve, toAddressFamily, toPort } from "./dns.ts";
import type { AddressFamily, Port } from "./dns.ts";
import { reusePortOption } from "./reuse-port.ts";
import { acceptTls, handOver, serverTls } from "./handshake.ts";
import type { TlsServerOptions, TlsSettings } from "./handshake.ts";
import { HostWait } from "../host-wait.ts";
import { StreamTransport } from "./stream-transport.ts";
import type { StreamProtocol, StreamTransportOptions } from "./stream-transport.ts";
import type { OwnedTransport, TransportOwner } from "../transport-base.ts";

/** Options that all servers have. */
export interface ListeningOptions extends TlsServerOptions {
  /** How many connections may wait to be accepted. Default 100. */
  readonly backlog?: number | undefined;
  /**
   * Whether the server listens at once. With false it does when `startServing` or `serveForever` is awaited, and has no
   * addresses before. Default true. asyncio: `start_serving`.
   */
  readonly startServing?: boolean | undefined;
}

/** Options of `createServer`. */
export interface ServerOptions extends ListeningOptions {
  /** Which of the host's addresses are listened on: 4, 6, or 0, the default, for both. */
  readonly family?: AddressFamily | undefined;
  /**
   * Lets several processes listen on the port; the system shares the connections out. Not on every system; needs Node
   * 22.12 or newer. asyncio: `reuse_port`.
   */
  readonly reusePort?: boolean | undefined;
  /** Has the system look, from time to time, whether idle connections are alive. asyncio: `keep_alive`. */
  readonly keepAlive?: boolean | undefined;
  /**
   * A server of `node:net` that listens, to take connections from, in place of host and port. It has to be made with
   * `allowHalfOpen`, and is closed with this one.
   */
  readonly sock?: NetServer | null | undefined;
}

/** Options of `createUnixServer`. */
export interface UnixServerOptions extends ListeningOptions {
  /** Removes the socket's file when the server is closed. Default true. asyncio: `cleanup_socket`. */
  readonly cleanupSocket?: boolean | undefined;
}

/**
 * Listens on a port, and makes a protocol for each connection. `host` is a name, an address, or a list of those: each
 * address is listened on. Null, the default, and "" mean all of this machine's. Port 0 is one that the system chooses:
 * see `server.port`.
 *
 * Cancel safety: a cancelled call listens nowhere.
 *
 * Throws what the host throws (`EADDRINUSE`, `EACCES`); `ValueError` and `ArgumentTypeError` for options that do not
 * fit together.
 *
 * asyncio: `loop.create_server`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import type { Protocol, Transport } from "corio/streams";
 * import { createServer, openConnection } from "corio/streams";
 *
 * class Echo implements Protocol {
 *   #transport: Transport | undefined;
 *   connectionMade(transport: Transport) {
 *     this.#transport = transport;
 *   }
 *   dataReceived(data: Uint8Array) {
 *     this.#transport?.write(data);
 *     this.#transport?.close();
 *   }
 * }
 *
 * const main = coroutine(async function main() {
 *   await using server = await createServer(() => new Echo(), "127.0.0.1", 0);
 *   const [reader, writer] = await openConnection("127.0.0.1", server.port);
 *   writer.write("Hello");
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
export function createServer(
  protocolFactory: () => StreamProtocol,
  host: string | readonly string[] | null = null,
  port: Port | null = null,
  options: ServerOptions = {},
): Coroutine<Server> {
  return serve("createServer", protocolFactory, host, port, options);
}

/** What `createServer` does, for the function `where`. */
export function serve(
  where: string,
  protocolFactory: (loop: EventLoop) => StreamProtocol,
  host: string | readonly string[] | null,
  port: Port | null,
  options: ServerOptions,
): Coroutine<Server> {
  requireFactory(where, protocolFactory);
  const tls = serverTls(where, options);
  const family = toAddressFamily(where, options.family);
  const { sock, startServing = true } = options;
  const makeServer = (loop: EventLoop, listeners: Listener[]): Server =>
    new Server(loop, listeners, protocolFactory, tls);
  if (sock !== undefined && sock !== null) {
    if (host !== null || port !== null)
      throw new ValueError(`${where}: host and port cannot be given together with sock`);
    if (!(sock instanceof NetServer)) throw badArgument(where, "a server of node:net as sock", sock);
    if (!sock.listening)
      throw new ValueError(`${where}: the server that is given as sock has to listen already`);
    return call(where, (task) =>
      startListening(makeServer(task.loop, [{ server: sock, options: {} }]), startServing),
    );
  }
  if (host === null && port === null)
    throw new ValueError(`${where}: host and port have to be given, or sock`);
  const hosts: readonly string[] | null =
    host === null || host === "" ? null : typeof host === "string" ? [host] : host;
  if (hosts !== null && !Array.isArray(hosts)) throw badArgument(where, "a host, or an array of hosts", host);
  hosts?.forEach((name: unknown) => requireHost(where, name));
  const number = toPort(where, port ?? 0);
  const listen: ListenOptions = {
    backlog: options.backlog ?? 100,
    ...reusePortOption(where, options.reusePort),
  };
  return call(where, function* (task) {
    const addresses = yield* findAddresses(task.loop, hosts, number, family);
    const make = (where: ListenOptions): Listener => ({
      server: createNetServer({ allowHalfOpen: true, keepAlive: options.keepAlive ?? false }),
      options: { ...listen, ...where, port: number },
    });
    const listeners = addresses.map(make);
    return yield* startListening(makeServer(task.loop, listeners), startServing);
  });
}

/**
 * As `createServer`, on a Unix socket (on Windows: a named pipe). A socket that an earlier server has left at `path` is
 * replaced. When the server is closed its file is removed, unless another one has taken its place.
 *
 * Cancel safety: a cancelled call listens nowhere.
 *
 * asyncio: `loop.create_unix_server`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { coroutine, run } from "corio";
 * import { createUnixServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const path = join(mkdtempSync(join(tmpdir(), "example-")), "socket");
 *   await using server = await createUnixServer(() => ({}), path);
 *   console.log(server.isServing(), server.addresses.length);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * true 1
 * ```
 */
export function createUnixServer(
  protocolFactory: () => StreamProtocol,
  path: string | URL,
  options: UnixServerOptions = {},
): Coroutine<Server> {
  return serveUnix("createUnixServer", protocolFactory, path, options);
}

/** What `createUnixServer` does, for the function `where`. */
export function serveUnix(
  where: string,
  protocolFactory: (loop: EventLoop) => StreamProtocol,
  path: string | URL,
  options: UnixServerOptions,
): Coroutine<Server> {
  requireFactory(where, protocolFactory);
  const name = toPath(where, path);
  const tls = serverTls(where, options);
  const { backlog = 100, startServing = true, cleanupSocket = true } = options;
  return call(where, (task) => {
    const listener: Listener = {
      server: createNetServer({ allowHalfOpen: true }),
      options: { backlog },
      file: new SocketFile(name, cleanupSocket),
    };
    return startListening(new Server(task.loop, [listener], protocolFactory, tls), startServing);
  });
}

function* startListening(server: Server, startServing: boolean): Steps<Server> {
  try {
    if (startServing) yield* server.listen();
    return server;
  } catch (error) {
    server.close();
    throw error;
  }
}

/** Where to listen; without hosts at one socket for all addresses, of both families where the system allows. */
function* findAddresses(
  loop: EventLoop,
  hosts: readonly string[] | null,
  port: number,
  family: AddressFamily,
): Steps<ListenOptions[]> {
  if (hosts === null)
    return [family === 0 ? {} : { host: family === 6 ? "::" : "0.0.0.0", ipv6Only: family === 6 }];
  const found = new Map<string, ListenOptions>();
  for (const host of hosts) {
    for (const { address } of yield* resolve(loop, host, port, family)) {
      found.set(address, { host: address, ipv6Only: address.includes(":") });
    }
  }
  return [...found.values()];
}

/** The codes of errors of an address that is not this machine's; Deno has the second one. */
const UNAVAILABLE: ReadonlySet<unknown> = new Set(["EADDRNOTAVAIL", "EINVAL"]);

/** One socket that listens, and where. */
interface Listener {
  readonly server: NetServer;
  readonly options: ListenOptions;
  readonly file?: SocketFile;
}

/**
 * Accepts connections, and knows those that are open. Made by `startServer`, `createServer` and their Unix forms.
 *
 * `await using` closes the server and waits until its connections are closed, too.
 *
 * asyncio: `Server`.
 *
 * @example
 * ```ts
 * import { coroutine, createTask, run } from "corio";
 * import { startServer } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const server = await startServer((_reader, writer) => writer.close(), "127.0.0.1", 0);
 *   const serving = createTask(server.serveForever());
 *   console.log(server.isServing(), server.port > 0);
 *   server.close();
 *   await server.waitClosed();
 *   console.log(server.isServing());
 *   await serving.catch(() => undefined);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * true true
 * false
 * ```
 */
export class Server implements TransportOwner, LoopResource, AsyncDisposable {
  readonly #loop: EventLoop;
  readonly #factory: (loop: EventLoop) => StreamProtocol;
  readonly #tls: TlsSettings<object> | null;
  readonly #tlsServer: TlsServer | null;
  readonly #context: Context = copyContext();
  /** Of all connections that have no path. */
  readonly #transportOptions: StreamTransportOptions;
  /** For all sockets: each is its `this`. */
  readonly #onSocketClosed: (this: Socket) => void;
  #listeners: readonly Listener[];
  #isListening = false;
  #isClosed = false;
  #servingForever: Future | null = null;
  readonly #clients = new Set<OwnedTransport>();
  /** Connections whose TLS handshake is not over, or that have no protocol yet; those with TLS until they are closed. */
  readonly #sockets = new Set<Socket>();
  /** Those of them that have a protocol: whatever closes that closes them. */
  readonly #taken = new WeakSet<Socket>();
  readonly #closing = new WaitQueue("Server", () => "Server.waitClosed");

  /** @internal */
  constructor(
    loop: EventLoop,
    listeners: readonly Listener[],
    factory: (loop: EventLoop) => StreamProtocol,
    tls: TlsSettings<object> | null,
  ) {
    this.#loop = loop;
    this.#listeners = listeners;
    this.#factory = factory;
    this.#tls = tls;
    this.#transportOptions = { shutdownTimeout: tls?.shutdownTimeout };
    const forget = (socket: Socket): void => {
      this.#forget(socket);
    };
    this.#onSocketClosed = function () {
      forget(this);
    };
    this.#tlsServer =
      tls === null
        ? null
        : acceptTls(
            { ...tls.options, handshakeTimeout: tls.handshakeTimeout * 1000 },
            { secured: (socket) => this.#soon(socket), failed: () => undefined },
          );
  }

  /** The name of the class. */
  get [Symbol.toStringTag](): string {
    return "Server";
  }

  // ── Listening ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins to listen, everywhere or nowhere. @internal */
  *listen(): Steps<void> {
    if (this.#isClosed) throw new RuntimeError("this server is closed: it cannot listen again");
    if (this.#isListening) return;
    this.#isListening = true;
    this.#loop.adopt(this);
    this.#loop.scheduler.enterForeign();
    const listening: Listener[] = [];
    let unavailable: unknown = null;
    for (const listener of this.#listeners) {
      const { server } = listener;
      server.on("connection", (socket) => this.#onConnection(socket, listener));
      // From the first connection on; of what goes wrong before it listens, `Listening` hears.
      server.on("error", (error) => {
        if (server.listening) this.#acceptFailed(error);
      });
      try {
        if (!server.listening) yield* new Listening(this.#loop, listener);
      } catch (error) {
        // A family that this machine does not have is no reason to do without the other.
        if (this.#listeners.length === 1 || !UNAVAILABLE.has((error as { code?: unknown }).code)) throw error;
        unavailable = error;
        continue;
      }
      listening.push(listener);
    }
    if (listening.length === 0 && unavailable !== null) throw unavailable;
    this.#listeners = listening;
  }

  #acceptFailed(error: unknown): void {
    this.#loop.callExceptionHandler({
      message: "a connection could not be accepted",
      exception: error,
      server: this,
    });
  }

  /** Called by the host: the rest is done by the loop. */
  #onConnection(socket: Socket, { file }: Listener): void {
    socket.on("error", ignore);
    if (this.#isClosed || this.#loop.isClosed()) {
      socket.destroy();
      return;
    }
    if (file === undefined) socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.on("close", this.#onSocketClosed);
    if (this.#tlsServer === null) this.#soon(socket, file?.path);
    else handOver(this.#tlsServer, socket);
  }

  #soon(socket: Socket, path?: string): void {
    if (this.#loop.isClosed()) socket.destroy();
    else this.#loop.callSoonIn(this.#context, () => this.#accept(socket, path));
  }

  #accept(socket: Socket, path: string | undefined): void {
    let transport: StreamTransport;
    try {
      const protocol = this.#factory(this.#loop) as StreamProtocol<never>;
      const options = path === undefined ? this.#transportOptions : { ...this.#transportOptions, path };
      transport = new StreamTransport(this.#loop, socket, protocol, options);
    } catch (error) {
      socket.destroy();
      this.#loop.callExceptionHandler({
        message: "the protocol factory of a server failed",
        exception: error,
        server: this,
      });
      return;
    }
    transport.owner = this;
    this.attach(transport);
    if (this.#tls === null) {
      // From now on it is the transport's, and keeps nothing of the server's.
      socket.off("close", this.#onSocketClosed);
      socket.off("error", ignore);
      this.#forget(socket);
    } else this.#taken.add(underTls(socket));
    transport.start(new Future<void>(this.#loop));
  }

  /** @internal */
  attach(transport: OwnedTransport): void {
    this.#clients.add(transport);
  }

  /** @internal */
  detach(transport: OwnedTransport): void {
    this.#clients.delete(transport);
    this.#noteGone();
  }

  #forget(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#noteGone();
  }

  get #isOver(): boolean {
    return this.#isClosed && this.#clients.size === 0 && this.#sockets.size === 0;
  }

  #noteGone(): void {
    if (this.#isOver) this.#closing.wakeAll();
  }

  // ── What programs use ─────────────────────────────────────────────────────────────────────────────────────────

  /** The loop that the server belongs to. asyncio: `get_loop`. */
  getLoop(): EventLoop {
    return this.#loop;
  }

  /** True while the server accepts connections. asyncio: `is_serving`. */
  isServing(): boolean {
    return this.#isListening && !this.#isClosed;
  }

  /** The host's servers that listen; none after `close`. */
  get sockets(): readonly NetServer[] {
    return this.isServing() ? this.#listeners.map(({ server }) => server) : [];
  }

  /** Where the server listens: addresses with their ports, or the path of a Unix socket; none after `close`. */
  get addresses(): readonly (SocketAddress | string)[] {
    if (!this.isServing()) return [];
    return this.#listeners.map(({ server, file }) => {
      if (file !== undefined) return file.path;
      const bound = server.address();
      if (bound === null || typeof bound === "string") return bound ?? "";
      return { address: bound.address, port: bound.port, family: toFamily(bound.family, bound.address) };
    });
  }

  /** The port of the first address. Throws `RuntimeError` when there is none. asyncio: none. */
  get port(): number {
    const [first] = this.addresses;
    if (typeof first === "object") return first.port;
    throw new RuntimeError(
      first === undefined ? "a server that does not listen has no port" : "a Unix socket has no port",
    );
  }

  /**
   * Begins to accept connections; does nothing when it does already. Throws what the host throws, and `RuntimeError`
   * after `close`.
   *
   * Cancel safety: cancelled while it begins, the server is of no use any more.
   *
   * asyncio: `start_serving`.
   */
  startServing(): Coroutine<void> {
    return call("Server.startServing", () => this.listen());
  }

  /**
   * Accepts connections until it is cancelled, or the server is closed: then it throws `CancelledError`, after closing
   * the server and waiting until its connections are closed, too. `closeClients` sees to that.
   *
   * Throws `RuntimeError` when the server is closed, or another task waits here.
   *
   * asyncio: `serve_forever`.
   */
  serveForever(): Coroutine<never> {
    return call("Server.serveForever", (task) => this.#serveForever(task));
  }

  *#serveForever(task: Task): Steps<never> {
    if (this.#servingForever !== null)
      throw new RuntimeError("serveForever: another task waits in this server's serveForever already");
    if (this.#isClosed) throw new RuntimeError("serveForever: this server is closed");
    const future = new ServingForever(task.loop, this);
    this.#servingForever = future;
    try {
      yield* this.listen();
      return yield* future;
    } catch (error) {
      if (!isCancelledError(error)) throw error;
      try {
        this.close();
        yield* this.#waitClosed(task);
      } finally {
        // eslint-disable-next-line no-unsafe-finally -- as in asyncio: the first cancellation is what is thrown
        throw error;
      }
    } finally {
      this.#servingForever = null;
    }
  }

  /**
   * Stops listening. Connections stay as they are; see `closeClients`. Ends `serveForever`. Does nothing the second
   * time.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isListening) {
      this.#loop.release(this);
      this.#loop.scheduler.leaveForeign();
      for (const { server, file } of this.#listeners) {
        // One that is not listening yet may be about to.
        if (server.listening) server.close();
        else server.once("listening", () => server.close());
        file?.remove();
      }
    }
    this.#servingForever?.cancel(undefined, { requestedBy: "Server.close" });
    this.#noteGone();
  }

  /**
   * Closes all connections: what was written is sent before. Those whose TLS handshake is not over are cut. asyncio:
   * `close_clients`.
   */
  closeClients(): void {
    for (const transport of [...this.#clients]) transport.close();
    for (const socket of [...this.#sockets]) if (!this.#taken.has(socket)) socket.destroy();
  }

  /** Closes all connections at once; what was not sent is lost. asyncio: `abort_clients`. */
  abortClients(): void {
    for (const transport of [...this.#clients]) transport.abort();
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  /**
   * Waits until the server is closed, and its last connection, too.
   *
   * Cancel safety: nothing is lost.
   *
   * asyncio: `wait_closed`.
   */
  waitClosed(): Coroutine<void> {
    return call("Server.waitClosed", (task) => this.#waitClosed(task));
  }

  *#waitClosed(task: Task): Steps<void> {
    if (!this.#isOver) yield* new Waiter(this.#closing, task.loop);
  }

  /** Closes the server at the end of an `await using` block, and waits for its connections. */
  [Symbol.asyncDispose](): Coroutine<void> {
    this.close();
    return this.waitClosed();
  }

  /** @internal */
  abandon(): void {
    hostOfLoop.warn(
      `unclosed server on ${this.describeAddresses()}: it listened when its event loop was closed; close() it before`,
      "CORIO_UNCLOSED",
    );
    this.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** @internal */
  describeAddresses(): string {
    const texts = this.addresses.map((address) =>
      typeof address === "string" ? address : formatAddress(address),
    );
    return texts.join(", ");
  }
}

showAs(Server, (server) => {
  const addresses = server.describeAddresses();
  return `<Server ${addresses === "" ? (server.isServing() ? "serving" : "not serving") : addresses}>`;
});

function ignore(): void {
  // The transport hears of it.
}

/** The socket that was accepted. Of a server's TLS sockets no host tells it otherwise, but all have this. */
function underTls(secured: Socket): Socket {
  return (secured as Socket & { readonly _parent: Socket })._parent;
}

/** What `serveForever` waits for. */
class ServingForever extends Future<never> {
  readonly #server: Server;

  constructor(loop: EventLoop, server: Server) {
    super(loop);
    this.#server = server;
  }

  override describeWait(): string {
    return `Server.serveForever on ${this.#server.describeAddresses()}`;
  }
}

/** A server about to listen. */
class Listening extends HostWait<void> {
  constructor(loop: EventLoop, { server, options, file }: Listener) {
    super(loop);
    const onError = (error: unknown): void => {
      this.fail(error);
    };
    server.once("error", onError);
    const path = file?.prepare();
    server.listen(path === undefined ? options : { ...options, path }, () => {
      server.off("error", onError);
      try {
        file?.publish();
        this.succeed();
      } catch (error) {
        server.close();
        this.fail(error);
      }
    });
  }

  override describeWait(): string {
    return "a server to listen";
  }

  override succeed(): void {
    super.succeed(undefined);
  }
}

/** How long the path of a socket may be on the system that allows the least. */
const LONGEST_PATH = 100;

/**
 * The file of a Unix socket.
 *
 * Hosts remove the file of a socket that they close, whatever it is by then. So the socket is made under another name
 * and moved to its own: the host does not find it any more, and we can look whether the file is still ours. Moving
 * also replaces a socket that is there already in one step; anything else that is there is in use.
 */
class SocketFile {
  readonly path: string;
  readonly #isRemoved: boolean;
  #made: string | null = null;
  #inode: number | null = null;

  constructor(path: string, isRemoved: boolean) {
    this.path = path;
    this.#isRemoved = isRemoved;
  }

  /** Where to listen. */
  prepare(): string {
    const temporary = join(dirname(this.path), `.${randomBytes(6).toString("hex")}`);
    const isFile = process.platform !== "win32" && !this.path.startsWith("\0");
    const found = isFile ? lstatSync(this.path, { throwIfNoEntry: false }) : undefined;
    const isOccupied = found !== undefined && !found.isSocket();
    // The host itself says best why a path cannot be used.
    if (!isFile || isOccupied || temporary.length > LONGEST_PATH) return this.path;
    this.#made = temporary;
    return temporary;
  }

  /** The server listens. */
  publish(): void {
    if (this.#made === null) return;
    renameSync(this.#made, this.path);
    this.#inode = lstatSync(this.path).ino;
  }

  /** The server is closed. */
  remove(): void {
    if (!this.#isRemoved || this.#inode === null) return;
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    if (found?.ino === this.#inode) unlinkSync(this.path);
  }
}
