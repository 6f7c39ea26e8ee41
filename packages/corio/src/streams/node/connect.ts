import { Socket } from "node:net";
import type { SocketConnectOpts } from "node:net";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { badArgument, ValueError } from "../../errors.ts";
import type { CancelOptions } from "../../futures/future.ts";
import type { Steps } from "../../futures/awaitable.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import { Future } from "../../futures/future.ts";
import type { Task } from "../../futures/task.ts";
import { toSeconds } from "../../library/duration.ts";
import type { Duration } from "../../library/duration.ts";
import { ExceptionGroup } from "../../library/exception-group.ts";
import { staggeredRace } from "../../library/staggered-race.ts";
import { call } from "../../library/call.ts";
import { ConnectError } from "../errors.ts";
import type { FailedAttempt } from "../errors.ts";
import type { SocketAddress } from "../protocols.ts";
import type { Transport } from "../transports.ts";
import { formatAddress } from "./addresses.ts";
import { interleave, requireHost, resolve, toAddressFamily, toPort } from "./dns.ts";
import type { AddressFamily, Port } from "./dns.ts";
import { HostWait } from "../host-wait.ts";
import { StreamTransport } from "./stream-transport.ts";
import type { StreamProtocol } from "./stream-transport.ts";
import { clientHandshake, clientTls, serverHandshake, serverTls } from "./handshake.ts";
import type { TlsClientOptions, TlsServerOptions } from "./handshake.ts";

/** Options of `createConnection`. */
export interface ConnectionOptions extends TlsClientOptions {
  /** Which of the host's addresses are tried: 4, 6, or 0, the default, for both. */
  readonly family?: AddressFamily | undefined;
  /**
   * Where to connect from; a host's name, or an address, and a port (0 for any). Of the addresses of a name the first
   * that can be used is. asyncio: `local_addr`.
   */
  readonly localAddr?: readonly [host: string, port: Port] | null | undefined;
  /**
   * Starts the attempt on the next address this much later, without waiting for the one before to fail: "happy
   * eyeballs", RFC 8305, which recommends 0.25 seconds. By default each attempt waits for the one before.
   */
  readonly happyEyeballsDelay?: Duration | null | undefined;
  /**
   * Takes the addresses of the families in turn, beginning with so many of the first; 0 keeps the system's order. By
   * default 1 with `happyEyeballsDelay`, else 0.
   */
  readonly interleave?: number | undefined;
  /** Throws an `ExceptionGroup` of all errors when no address can be connected to. asyncio: `all_errors`. */
  readonly allErrors?: boolean | undefined;
  /** A connected socket of the host's to use, in place of host and port. */
  readonly sock?: Socket | null | undefined;
}

/** Options of `createUnixConnection`. */
export interface UnixConnectionOptions extends TlsClientOptions {
  /** A connected socket of the host's to use, in place of a path. */
  readonly sock?: Socket | null | undefined;
}

/**
 * Connects to a host, and gives the transport, with the protocol that `protocolFactory` has made for it. The host's
 * addresses are tried one after another. The protocol's `connectionMade` has been called by then.
 *
 * Cancel safety: cancelling destroys every socket that was made.
 *
 * Throws the error of the attempt if there was one only, else `ConnectError`, which has all of them; what the TLS
 * handshake fails with; `ValueError` and `ArgumentTypeError` for options that do not fit together.
 *
 * asyncio: `loop.create_connection`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, Future, run } from "corio";
 * import { createConnection, startServer } from "corio/streams";
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
 *   const lost = new Future<void>();
 *   const protocol = {
 *     dataReceived: (data: Uint8Array) => console.log(new TextDecoder().decode(data)),
 *     connectionLost: () => lost.setResult(),
 *   };
 *   await createConnection(() => protocol, "127.0.0.1", server.port);
 *   await lost;
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export function createConnection<P extends StreamProtocol>(
  protocolFactory: () => P,
  host: string | null = null,
  port: Port | null = null,
  options: ConnectionOptions = {},
): Coroutine<[transport: Transport, protocol: P]> {
  return call("createConnection", connecting("createConnection", protocolFactory, host, port, options));
}

/** Begins to connect, when it is called with the task that is to wait for it. */
export type Connect<P> = (task: Task) => Steps<[transport: Transport, protocol: P]>;

/** What `createConnection` does, for the function `where`. Checks the arguments at once. */
export function connecting<P extends StreamProtocol>(
  where: string,
  protocolFactory: (loop: EventLoop) => P,
  host: string | null,
  port: Port | null,
  options: ConnectionOptions,
): Connect<P> {
  requireFactory(where, protocolFactory);
  const tls = clientTls(where, host, options);
  const { sock } = options;
  if (sock !== undefined && sock !== null) {
    if (host !== null || port !== null)
      throw new ValueError(`${where}: host and port cannot be given together with sock`);
    requireSocket(where, sock);
  } else if (host === null && port === null) {
    throw new ValueError(`${where}: host and port have to be given, or sock`);
  }
  const target = sock ?? toTarget(where, host, port, options);
  return function* ({ loop }) {
    const socket = target instanceof Socket ? target : yield* connectSocket(loop, target);
    const begin = tls === null ? null : () => clientHandshake(loop, socket, tls);
    return yield* makeTransport(loop, socket, protocolFactory, begin, {
      shutdownTimeout: tls?.shutdownTimeout,
    });
  };
}

/**
 * As `createConnection`, to a Unix socket (on Windows: a named pipe).
 *
 * Cancel safety: cancelling destroys the socket.
 *
 * asyncio: `loop.create_unix_connection`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { createUnixConnection } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   try {
 *     await createUnixConnection(() => ({}), "/nowhere/socket");
 *   } catch (error) {
 *     console.log((error as { code?: string }).code);
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * ENOENT
 * ```
 */
export function createUnixConnection<P extends StreamProtocol>(
  protocolFactory: () => P,
  path: string | URL | null = null,
  options: UnixConnectionOptions = {},
): Coroutine<[transport: Transport, protocol: P]> {
  return call("createUnixConnection", connectingUnix("createUnixConnection", protocolFactory, path, options));
}

/** What `createUnixConnection` does, for the function `where`. Checks the arguments at once. */
export function connectingUnix<P extends StreamProtocol>(
  where: string,
  protocolFactory: (loop: EventLoop) => P,
  path: string | URL | null,
  options: UnixConnectionOptions,
): Connect<P> {
  requireFactory(where, protocolFactory);
  const tls = clientTls(where, null, options);
  const { sock } = options;
  if (sock !== undefined && sock !== null) {
    if (path !== null) throw new ValueError(`${where}: a path cannot be given together with sock`);
    requireSocket(where, sock);
  } else if (path === null) throw new ValueError(`${where}: a path has to be given, or sock`);
  const name = path === null ? undefined : toPath(where, path);
  return function* ({ loop }) {
    const socket =
      name === undefined
        ? (sock as Socket)
        : yield* untilConnected(new Connecting(loop, { path: name }, name));
    const begin = tls === null ? null : () => clientHandshake(loop, socket, tls);
    return yield* makeTransport(loop, socket, protocolFactory, begin, {
      shutdownTimeout: tls?.shutdownTimeout,
      path: name,
    });
  };
}

/**
 * Makes a transport of a socket that something else has accepted, such as a server of `node:net`.
 *
 * Cancel safety: cancelling destroys the socket.
 *
 * asyncio: `loop.connect_accepted_socket`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts type-only: it needs a socket
 * import type { Socket } from "node:net";
 * import { connectAcceptedSocket } from "corio/streams";
 *
 * export async function greet(socket: Socket): Promise<void> {
 *   const [transport] = await connectAcceptedSocket(() => ({}), socket);
 *   transport.write(new TextEncoder().encode("Hello"));
 *   transport.close();
 * }
 * ```
 */
export function connectAcceptedSocket<P extends StreamProtocol>(
  protocolFactory: () => P,
  sock: Socket,
  options: TlsServerOptions = {},
): Coroutine<[transport: Transport, protocol: P]> {
  const where = "connectAcceptedSocket";
  requireFactory(where, protocolFactory);
  requireSocket(where, sock);
  const tls = serverTls(where, options);
  return call(where, (task: Task) => {
    const begin = tls === null ? null : () => serverHandshake(task.loop, sock, tls);
    return makeTransport(task.loop, sock, protocolFactory, begin, { shutdownTimeout: tls?.shutdownTimeout });
  });
}

/** From a connected socket to a connected protocol; whatever goes wrong on the way destroys the socket. */
function* makeTransport<P extends StreamProtocol>(
  loop: EventLoop,
  socket: Socket,
  protocolFactory: (loop: EventLoop) => P,
  beginTls: (() => HostWait<TLSSocket>) | null,
  options: { shutdownTimeout?: number | undefined; path?: string | undefined },
): Steps<[transport: Transport, protocol: P]> {
  let isDone = false;
  try {
    const stream = beginTls === null ? socket : yield* beginTls();
    const protocol = protocolFactory(loop);
    const transport = new StreamTransport(loop, stream, protocol, options);
    const waiter = new Future<void>(loop);
    transport.start(waiter);
    try {
      yield* waiter;
    } catch (error) {
      transport.abort();
      throw error;
    }
    isDone = true;
    return [transport, protocol];
  } finally {
    if (!isDone) socket.destroy();
  }
}

/** Where to connect to, checked. */
interface Target {
  readonly where: string;
  readonly host: string;
  readonly port: number;
  readonly family: AddressFamily;
  readonly local: { readonly host: string; readonly port: number } | null;
  readonly delay: number | null;
  readonly interleave: number;
  readonly allErrors: boolean;
}

function toTarget(where: string, host: string | null, port: Port | null, options: ConnectionOptions): Target {
  requireHost(where, host);
  const { happyEyeballsDelay: delay = null, localAddr, allErrors = false } = options;
  const interleaved: unknown = options.interleave ?? (delay === null ? 0 : 1);
  if (typeof interleaved !== "number" || interleaved < 0)
    throw badArgument(where, "a number of 0 or more as interleave", interleaved);
  return {
    where,
    host: host ?? "localhost",
    port: toPort(where, port ?? 0),
    family: toAddressFamily(where, options.family),
    local:
      localAddr === undefined || localAddr === null
        ? null
        : { host: localAddr[0], port: toPort(`${where}: localAddr`, localAddr[1]) },
    delay: delay === null ? null : toSeconds(delay, `${where}: happyEyeballsDelay`),
    interleave: interleaved,
    allErrors,
  };
}

/** The addresses, one after another or staggered, until one is connected to. */
function* connectSocket(loop: EventLoop, target: Target): Steps<Socket> {
  const { host, port, family } = target;
  const found = yield* resolve(loop, host, port, family);
  const locals = target.local && (yield* resolve(loop, target.local.host, target.local.port, family));
  const addresses = target.interleave > 0 ? interleave(found, target.interleave) : found;
  if (addresses.length === 0) throw new ConnectError(host, []);

  const sockets: Socket[] = [];
  const attempt = function* (address: SocketAddress): Steps<Socket> {
    let unusable: unknown;
    for (const from of starts(address, locals)) {
      const connecting = new Connecting(
        loop,
        { host: address.address, port, family: address.family === "IPv6" ? 6 : 4, ...from },
        formatAddress(address),
      );
      sockets.push(connecting.socket);
      try {
        return yield* connecting;
      } catch (error) {
        if (!UNUSABLE.has((error as { code?: unknown } | null)?.code)) throw error;
        unusable = error;
      }
    }
    throw unusable;
  };
  let winner: Socket | null = null;
  try {
    const first = addresses[0] as SocketAddress;
    if (addresses.length === 1 && !target.allErrors) {
      winner = yield* attempt(first);
      return winner;
    }
    const { result, exceptions } = yield* staggeredRace<Socket>(
      addresses.map(
        (address) =>
          function* connect() {
            return yield* attempt(address);
          },
      ),
      target.delay,
      { loop },
    );
    winner = result;
    if (winner !== null) return winner;
    throw failure(target, addresses, exceptions);
  } finally {
    for (const socket of sockets) if (socket !== winner) socket.destroy();
  }
}

function failure(target: Target, addresses: readonly SocketAddress[], errors: readonly unknown[]): unknown {
  if (target.allErrors) return new ExceptionGroup(`${target.where} failed`, errors);
  if (errors.length === 1) return errors[0];
  const attempts: FailedAttempt[] = errors.map((error, index) => ({
    address: formatAddress(addresses[index] as SocketAddress),
    error,
  }));
  return new ConnectError(formatAddress({ address: target.host, port: target.port }), attempts, {
    cause: errors[0],
  });
}

/** The codes of errors of a local address that is not this machine's, or in use; Deno has the third one. */
const UNUSABLE: ReadonlySet<unknown> = new Set(["EADDRNOTAVAIL", "EADDRINUSE", "EINVAL"]);

/** Where an attempt on `address` may start from: the local addresses of its family, one after another. */
function starts(
  address: SocketAddress,
  locals: readonly SocketAddress[] | null,
): readonly { localAddress?: string; localPort?: number }[] {
  if (locals === null) return [{}];
  const found = locals.filter(({ family }) => family === address.family);
  if (found.length === 0) {
    throw new ValueError(`localAddr has no ${address.family} address to connect to ${address.address} from`);
  }
  return found.map((local) => ({
    localAddress: local.address,
    ...(local.port === 0 ? {} : { localPort: local.port }),
  }));
}

/** A socket on its way. Its own attempts at several addresses are off: they drop each one at a timeout. */
class Connecting extends HostWait<Socket> {
  readonly socket: Socket;
  readonly #target: string;

  constructor(loop: EventLoop, options: SocketConnectOpts, target: string) {
    super(loop);
    this.#target = target;
    this.socket = new Socket({ allowHalfOpen: true });
    this.socket.on("error", (error) => {
      this.fail(error);
    });
    this.socket.once("connect", () => {
      this.socket.setNoDelay(true);
      this.succeed(this.socket);
    });
    this.socket.connect("path" in options ? options : { ...options, autoSelectFamily: false });
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (!super.cancel(reason, options)) return false;
    this.socket.destroy();
    return true;
  }

  override describeWait(): string {
    return `a connection to ${this.#target}`;
  }
}

/** Also a cancel that comes after the connection, and before the task goes on, must not leave a socket behind. */
function* untilConnected(connecting: Connecting): Steps<Socket> {
  try {
    return yield* connecting;
  } catch (error) {
    connecting.socket.destroy();
    throw error;
  }
}

export function requireFactory(where: string, protocolFactory: unknown): void {
  if (typeof protocolFactory !== "function")
    throw badArgument(where, "a function that makes a protocol", protocolFactory);
}

function requireSocket(where: string, socket: unknown): void {
  if (!(socket instanceof Socket)) throw badArgument(where, "a socket of node:net", socket);
}

/** The path of a Unix socket; of a `file:` URL, too. */
export function toPath(where: string, path: string | URL): string {
  if (path instanceof URL) return fileURLToPath(path);
  if (typeof path !== "string" || path === "") throw badArgument(where, "the path of a socket", path);
  return path;
}
