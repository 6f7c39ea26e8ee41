import { createSocket } from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { badArgument, ValueError } from "../../errors.ts";
import type { Steps } from "../../futures/awaitable.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import type { CancelOptions } from "../../futures/future.ts";
import { Future } from "../../futures/future.ts";
import { call } from "../../library/call.ts";
import { HostWait } from "../host-wait.ts";
import type { DatagramProtocol, SocketAddress } from "../protocols.ts";
import type { DatagramTransport } from "../transports.ts";
import { requireBytes, TransportBase } from "../transport-base.ts";
import { formatAddress, toFamily } from "./addresses.ts";
import { requireFactory } from "./connect.ts";
import { resolve, toAddressFamily, toPort } from "./dns.ts";
import type { AddressFamily, Port } from "./dns.ts";
import { reusePortOption } from "./reuse-port.ts";
import type { ReusePort } from "./reuse-port.ts";

/** Options of `createDatagramEndpoint`. */
export interface DatagramOptions {
  /** Where to receive: a host's name or address, and a port (0 for any). asyncio: `local_addr`. */
  readonly localAddr?: readonly [host: string, port: Port] | null | undefined;
  /** Where to send to, and the only one to receive from. asyncio: `remote_addr`. */
  readonly remoteAddr?: readonly [host: string, port: Port] | null | undefined;
  /** 4 or 6; has to be given when no address is. */
  readonly family?: AddressFamily | undefined;
  /** Allows to send to a broadcast address. asyncio: `allow_broadcast`. */
  readonly allowBroadcast?: boolean | undefined;
  /**
   * Lets several sockets be bound to the address and port; the system shares the datagrams out. Not on every system;
   * needs Node 22.12 or newer, and does not work on Deno. asyncio: `reuse_port`.
   */
  readonly reusePort?: boolean | undefined;
  /** A socket of `node:dgram` to use, which is bound already, in place of the addresses. */
  readonly sock?: Socket | null | undefined;
}

/**
 * Opens an endpoint for datagrams (UDP), and gives the transport, with the protocol that `protocolFactory` has made.
 *
 * Cancel safety: cancelling closes the socket.
 *
 * Throws what the host throws (`EADDRINUSE`); `ValueError` and `ArgumentTypeError` for options that do not fit
 * together.
 *
 * asyncio: `loop.create_datagram_endpoint`. Runs on Node, Bun and Deno. There are no datagrams on Unix sockets.
 *
 * @example
 * ```ts
 * import { coroutine, Future, run } from "corio";
 * import { createDatagramEndpoint } from "corio/streams";
 *
 * const main = coroutine(async function main() {
 *   const received = new Future<string>();
 *   const receiver = {
 *     datagramReceived: (data: Uint8Array) => received.setResult(new TextDecoder().decode(data)),
 *   };
 *   const [here] = await createDatagramEndpoint(() => receiver, { localAddr: ["127.0.0.1", 0] });
 *   const { address, port } = here.getExtraInfo("sockname") as { address: string; port: number };
 *   const [there] = await createDatagramEndpoint(() => ({}), { remoteAddr: [address, port] });
 *   there.sendto(new TextEncoder().encode("Hello"));
 *   console.log(await received);
 *   here.close();
 *   there.close();
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * Hello
 * ```
 */
export function createDatagramEndpoint<P extends DatagramProtocol>(
  protocolFactory: () => P,
  options: DatagramOptions = {},
): Coroutine<[transport: DatagramTransport, protocol: P]> {
  const where = "createDatagramEndpoint";
  requireFactory(where, protocolFactory);
  const local = toEnd(`${where}: localAddr`, options.localAddr);
  const remote = toEnd(`${where}: remoteAddr`, options.remoteAddr);
  const family = toAddressFamily(where, options.family);
  const { sock, allowBroadcast = false } = options;
  const reusePort = reusePortOption(where, options.reusePort);
  if (reusePort.reusePort === true && "Deno" in globalThis)
    throw new ValueError(`${where}: Deno has no reusePort for datagrams`);
  if (sock !== undefined && sock !== null) {
    if (local !== null || remote !== null || family !== 0 || allowBroadcast || reusePort.reusePort === true)
      throw new ValueError(`${where}: no other option can be given together with sock`);
    if (typeof (sock as Partial<Socket>).send !== "function")
      throw badArgument(where, "a socket of node:dgram as sock", sock);
  } else if (local === null && remote === null && family === 0) {
    throw new ValueError(`${where}: localAddr, remoteAddr or family has to be given`);
  }
  return call(where, function* ({ loop }) {
    if (sock !== undefined && sock !== null) return yield* makeEndpoint(loop, sock, null, protocolFactory);
    const ends = yield* findEnds(loop, local, remote, family);
    const [socket, peer] = yield* openFirst(loop, ends, allowBroadcast, reusePort);
    return yield* makeEndpoint(loop, socket, peer, protocolFactory);
  });
}

/** A host and a port, as they were given. */
interface End {
  readonly host: string;
  readonly port: number;
}

function toEnd(where: string, end: readonly [string, Port] | null | undefined): End | null {
  if (end === undefined || end === null) return null;
  const given: unknown = end;
  if (!Array.isArray(given) || given.length !== 2 || typeof given[0] !== "string")
    throw badArgument(where, "a host and a port, as an array", end);
  return { host: end[0], port: toPort(where, end[1]) };
}

/** Both ends of an endpoint; they have the same family. */
interface Ends {
  readonly family: "IPv4" | "IPv6";
  readonly local: SocketAddress | null;
  readonly remote: SocketAddress | null;
}

function* findEnds(
  loop: EventLoop,
  local: End | null,
  remote: End | null,
  family: AddressFamily,
): Steps<Ends[]> {
  const locals = local === null ? [null] : yield* resolve(loop, local.host, local.port, family);
  const remotes = remote === null ? [null] : yield* resolve(loop, remote.host, remote.port, family);
  const ends: Ends[] = [];
  for (const from of locals) {
    for (const to of remotes) {
      const found = from?.family ?? to?.family ?? (family === 6 ? "IPv6" : "IPv4");
      if ((to?.family ?? found) === found) ends.push({ family: found, local: from, remote: to });
    }
  }
  if (ends.length === 0)
    throw new ValueError("createDatagramEndpoint: localAddr and remoteAddr have no family in common");
  return ends;
}

/** The first ends at which a socket can be opened. */
function* openFirst(
  loop: EventLoop,
  ends: readonly Ends[],
  allowBroadcast: boolean,
  reusePort: ReusePort,
): Steps<[socket: Socket, remote: SocketAddress | null]> {
  let failed: unknown;
  for (const end of ends) {
    const socket = createSocket({ type: end.family === "IPv6" ? "udp6" : "udp4", ...reusePort });
    socket.on("error", ignore);
    let isOpen = false;
    try {
      const { local, remote } = end;
      const bound = new Opening(loop, socket);
      socket.bind({ port: local?.port ?? 0, ...(local === null ? {} : { address: local.address }) }, () => {
        bound.succeed();
      });
      yield* bound;
      if (allowBroadcast) socket.setBroadcast(true);
      if (remote !== null) {
        const connected = new Opening(loop, socket);
        // Hosts tell the callback of a failure, and nobody else.
        socket.connect(remote.port, remote.address, (error?: unknown) => {
          if (error === undefined || error === null) connected.succeed();
          else connected.fail(error);
        });
        yield* connected;
      }
      isOpen = true;
      return [socket, remote];
    } catch (error) {
      if (!(error instanceof Error) || !("syscall" in error)) throw error;
      failed ??= error;
    } finally {
      if (!isOpen) socket.close();
    }
  }
  throw failed;
}

function ignore(): void {
  // Whoever waits for the socket hears of it.
}

/** A socket that is being bound, or connected. */
class Opening extends HostWait<void> {
  readonly #socket: Socket;
  readonly #onError = (error: unknown): void => {
    this.fail(error);
  };

  constructor(loop: EventLoop, socket: Socket) {
    super(loop);
    this.#socket = socket;
    socket.once("error", this.#onError);
  }

  override succeed(): void {
    this.#socket.off("error", this.#onError);
    super.succeed(undefined);
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    this.#socket.off("error", this.#onError);
    return super.cancel(reason, options);
  }

  override describeWait(): string {
    return "a datagram socket";
  }
}

function* makeEndpoint<P extends DatagramProtocol>(
  loop: EventLoop,
  socket: Socket,
  remote: SocketAddress | null,
  protocolFactory: () => P,
): Steps<[transport: DatagramTransport, protocol: P]> {
  let endpoint: Endpoint | null = null;
  let isDone = false;
  try {
    const protocol = protocolFactory();
    endpoint = new Endpoint(loop, socket, remote, protocol);
    const waiter = new Future<void>(loop);
    endpoint.start(waiter);
    yield* waiter;
    isDone = true;
    return [endpoint, protocol];
  } finally {
    if (!isDone) {
      if (endpoint === null) socket.close();
      else endpoint.abort();
    }
  }
}

/** Hosts throw for what is no port in the middle of sending. */
function requireAddress(where: string, address: unknown): void {
  if (typeof address !== "object" || address === null || !("address" in address && "port" in address))
    throw badArgument(where, "an object with address and port", address);
  if (typeof address.address !== "string") throw badArgument(where, "a host's address", address.address);
  if (toPort(where, address.port) === 0)
    throw new ValueError(`${where} expects a port from 1 to 65535, got 0`);
}

class Endpoint extends TransportBase<DatagramProtocol> implements DatagramTransport {
  protected readonly kind: string = "datagram endpoint";
  protected readonly isPolled: boolean = true;
  readonly #socket: Socket;
  readonly #remote: SocketAddress | null;
  readonly #sockname: SocketAddress;
  #received: [data: Uint8Array, from: SocketAddress][] = [];
  #errors: unknown[] = [];
  /** Datagrams that were given to the host, and their bytes. */
  #sending = 0;
  #unsent = 0;
  #isSocketClosed = false;

  constructor(loop: EventLoop, socket: Socket, remote: SocketAddress | null, protocol: DatagramProtocol) {
    super(loop, protocol);
    this.#socket = socket;
    this.#remote = remote;
    const { address, port, family } = socket.address();
    this.#sockname = { address, port, family: toFamily(family, address) };
    socket.on("error", this.#onError);
    socket.once("close", () => {
      this.isLost = true;
      this.schedule();
    });
  }

  readonly #onError = (error: unknown): void => {
    if (this.isShuttingDown) return;
    this.#errors.push(error);
    this.schedule();
  };

  protected startReading(): void {
    this.#socket.on("message", (data: Uint8Array, { address, port, family }: RemoteInfo) => {
      if (this.isShuttingDown) return;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      this.#received.push([bytes, { address, port, family: toFamily(family, address) }]);
      this.schedule();
    });
  }

  protected deliver(): void {
    if (!this.isLost) this.flow.resumeBelow(this.#unsent);
    const received = this.#received;
    this.#received = [];
    for (const [data, from] of received) {
      if (!this.isShuttingDown) this.#tell(() => this.protocol.datagramReceived?.(data, from));
    }
    const errors = this.#errors;
    this.#errors = [];
    for (const error of errors) {
      if (!this.isShuttingDown) this.#tell(() => this.protocol.errorReceived?.(error));
    }
    if (this.isLost) this.loseConnection();
  }

  /** A protocol that fails for one datagram gets the next one all the same. */
  #tell(notify: () => void): void {
    try {
      notify();
    } catch (error) {
      this.loop.callExceptionHandler({
        message: "a datagram protocol failed",
        exception: error,
        transport: this,
        protocol: this.protocol,
      });
    }
  }

  sendto(data: Uint8Array, address: Pick<SocketAddress, "address" | "port"> | null = null): void {
    // A copy: what the system cannot take at once leaves later, and the caller may use its array again.
    const bytes = new Uint8Array(requireBytes("sendto", data));
    const remote = this.#remote;
    if (address !== null) requireAddress("sendto", address);
    if (remote !== null && address !== null && formatAddress(address) !== formatAddress(remote)) {
      throw new ValueError(
        `sendto: the endpoint is connected to ${formatAddress(remote)}, and cannot send to ${formatAddress(address)}`,
      );
    }
    if (remote === null && address === null)
      throw new ValueError("sendto: an address has to be given, as the endpoint is not connected");
    if (this.isShuttingDown) {
      this.noteIgnoredWrite();
      return;
    }
    this.#sending++;
    this.#unsent += bytes.length;
    const onSent = (error: Error | null): void => {
      this.#sending--;
      this.#unsent -= bytes.length;
      if (error !== null) this.#onError(error);
      if (this.isShuttingDown && this.#sending === 0) this.destroy();
      else if (this.flow.isPaused) this.schedule();
    };
    if (remote !== null || address === null) this.#socket.send(bytes, onSent);
    else this.#socket.send(bytes, address.port, address.address, onSent);
    this.flow.pauseAbove(this.#unsent);
  }

  getWriteBufferSize(): number {
    return this.#unsent;
  }

  close(): void {
    if (this.isShuttingDown) return;
    this.isShuttingDown = true;
    if (this.#sending === 0) this.destroy();
  }

  protected destroy(): void {
    if (this.#isSocketClosed) return;
    this.#isSocketClosed = true;
    this.#socket.close();
  }

  getExtraInfo(name: string, missing: unknown = null): unknown {
    switch (name) {
      case "socket":
        return this.#socket;
      case "sockname":
        return this.#sockname;
      case "peername":
        return this.#remote ?? missing;
    }
    return missing;
  }
}
