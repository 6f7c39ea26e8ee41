import { isIP } from "node:net";
import type { Socket } from "node:net";
import { connect, createServer } from "node:tls";
import type { ConnectionOptions, Server, TlsOptions, TLSSocket } from "node:tls";
import { badArgument, ValueError } from "../../errors.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import { FINISHED } from "../../futures/future.ts";
import type { CancelOptions, FutureState } from "../../futures/future.ts";
import type { TimerHandle } from "../../futures/handle.ts";
import { toSeconds } from "../../library/duration.ts";
import type { Duration } from "../../library/duration.ts";
import { ConnectionAbortedError, ConnectionResetError } from "../errors.ts";
import { HostWait } from "../host-wait.ts";

/** Seconds, as in asyncio. */
const HANDSHAKE_TIMEOUT = 60;
const SHUTDOWN_TIMEOUT = 30;

/** How long TLS may take to begin and to end. */
export interface TlsTimeouts {
  /** How long the handshake may take; by default 60 seconds. asyncio: `ssl_handshake_timeout`. */
  readonly sslHandshakeTimeout?: Duration | undefined;
  /** How long `close` may take; by default 30 seconds. asyncio: `ssl_shutdown_timeout`. */
  readonly sslShutdownTimeout?: Duration | undefined;
}

/** TLS for what connects. */
export interface TlsClientOptions extends TlsTimeouts {
  /** Uses TLS: true, or options of `tls.connect`, such as `ca`, `cert`, `key` and `ALPNProtocols`. */
  readonly ssl?: boolean | ConnectionOptions | null | undefined;
  /**
   * The name that the server's certificate has to have; by default the host that was given. With an empty text the name
   * is not checked. asyncio: `server_hostname`.
   */
  readonly serverHostname?: string | null | undefined;
}

/** TLS for what is connected to. */
export interface TlsServerOptions extends TlsTimeouts {
  /** Uses TLS: options of `tls.createServer`, such as `key` and `cert`. */
  readonly ssl?: TlsOptions | null | undefined;
}

/** What is needed to begin TLS, checked and with its defaults. */
export interface TlsSettings<Options> {
  readonly options: Options;
  readonly handshakeTimeout: number;
  readonly shutdownTimeout: number;
}

/** Null without TLS. Throws for options that have no sense, or none without TLS. */
export function clientTls(
  where: string,
  host: string | null,
  options: TlsClientOptions,
): TlsSettings<ConnectionOptions> | null {
  const { ssl, serverHostname } = options;
  if (ssl === undefined || ssl === null || ssl === false) {
    if (serverHostname !== undefined && serverHostname !== null)
      throw new ValueError(`${where}: serverHostname is only meaningful with ssl`);
    requireNoTimeouts(where, options);
    return null;
  }
  if (ssl !== true && typeof ssl !== "object")
    throw badArgument(where, "true, or options of tls.connect, as ssl", ssl);
  return withName(where, ssl === true ? {} : ssl, serverHostname, host, options);
}

function withName(
  where: string,
  given: ConnectionOptions,
  serverHostname: string | null | undefined,
  host: string | null,
  timeouts: TlsTimeouts,
): TlsSettings<ConnectionOptions> {
  const name = serverHostname ?? given.servername ?? host;
  if (name === null) {
    throw new ValueError(
      `${where}: serverHostname has to be given when there is ssl and no host; "" turns the check of the name off`,
    );
  }
  return { options: { ...given, ...nameOptions(name) }, ...toTimeouts(where, timeouts) };
}

function nameOptions(name: string): ConnectionOptions {
  if (name === "") return { host: "localhost", checkServerIdentity: () => undefined };
  // Only a name may be told to the server (RFC 6066); an address is compared with the certificate's all the same.
  return isIP(name) === 0 ? { servername: name } : { host: name };
}

/** Null without TLS. */
export function serverTls(where: string, options: TlsServerOptions): TlsSettings<TlsOptions> | null {
  const { ssl } = options;
  if (ssl === undefined || ssl === null) {
    requireNoTimeouts(where, options);
    return null;
  }
  if (typeof ssl !== "object") throw badArgument(where, "options of tls.createServer as ssl", ssl);
  return { options: ssl, ...toTimeouts(where, options) };
}

function toTimeouts(
  where: string,
  options: TlsTimeouts,
): { handshakeTimeout: number; shutdownTimeout: number } {
  return {
    handshakeTimeout: positive(
      where,
      "sslHandshakeTimeout",
      options.sslHandshakeTimeout ?? HANDSHAKE_TIMEOUT,
    ),
    shutdownTimeout: positive(where, "sslShutdownTimeout", options.sslShutdownTimeout ?? SHUTDOWN_TIMEOUT),
  };
}

function positive(where: string, name: string, duration: Duration): number {
  const seconds = toSeconds(duration, `${where}: ${name}`);
  if (seconds <= 0) throw new ValueError(`${where}: ${name} has to be positive, got ${seconds}`);
  return seconds;
}

function requireNoTimeouts(where: string, options: TlsTimeouts): void {
  for (const name of ["sslHandshakeTimeout", "sslShutdownTimeout"] as const) {
    if (options[name] !== undefined) throw new ValueError(`${where}: ${name} is only meaningful with ssl`);
  }
}

/** Begins TLS on a connected socket, as the client. A handshake that fails, or is cancelled, closes it. */
export function clientHandshake(
  loop: EventLoop,
  socket: Socket,
  { options, handshakeTimeout }: TlsSettings<ConnectionOptions>,
): HostWait<TLSSocket> {
  // First: it throws for a key or a certificate that it cannot read.
  const secured = connect({ ...options, socket });
  const handshake = new Handshake(loop, socket, handshakeTimeout);
  handshake.watch(secured);
  secured.once("secureConnect", () => handshake.succeed(secured));
  return handshake;
}

/** Begins TLS on a connected socket, as the server. */
export function serverHandshake(
  loop: EventLoop,
  socket: Socket,
  { options, handshakeTimeout }: TlsSettings<TlsOptions>,
): HostWait<TLSSocket> {
  // A server that listens nowhere: only that checks a client's certificate, and chooses by the name and the protocol.
  // First, as with the client's: it may throw.
  const server = acceptTls(options, {
    secured: (secured) => handshake.succeed(secured),
    failed: (error) => handshake.fail(error),
  });
  const handshake = new Handshake(loop, socket, handshakeTimeout);
  handOver(server, socket);
  return handshake;
}

/** Has `server` do the handshake on a socket that something else has accepted. */
export function handOver(server: Server, socket: Socket): void {
  // TLS takes this over: half open, a client that goes away during the handshake would never be noticed.
  socket.allowHalfOpen = false;
  server.emit("connection", socket);
}

/** A TLS server for sockets that something else accepts: they are handed over to it. */
export function acceptTls(
  options: TlsOptions,
  told: { secured: (socket: TLSSocket) => void; failed: (error: unknown) => void },
): Server {
  const server = createServer(options);
  server.on("secureConnection", (socket) => {
    socket.on("error", ignore);
    socket.allowHalfOpen = true;
    told.secured(socket);
  });
  server.on("tlsClientError", (error, socket) => {
    socket.on("error", ignore);
    socket.destroy();
    told.failed(error);
  });
  return server;
}

function ignore(): void {
  // Whoever has the socket by then hears of it, too.
}

class Handshake extends HostWait<TLSSocket> {
  readonly #socket: Socket;
  readonly #timer: TimerHandle;
  readonly #onClose = (): void => {
    this.fail(new ConnectionResetError("the connection was lost during the TLS handshake"));
  };

  constructor(loop: EventLoop, socket: Socket, timeout: number) {
    super(loop);
    this.#socket = socket;
    socket.on("error", ignore);
    socket.once("close", this.#onClose);
    this.#timer = loop.callLater(timeout, () => {
      this.fail(
        new ConnectionAbortedError(
          `the TLS handshake takes longer than ${timeout} seconds: connection aborted`,
        ),
      );
    });
  }

  watch(secured: TLSSocket): void {
    secured.allowHalfOpen = true;
    secured.on("error", (error) => {
      this.fail(error);
    });
    secured.once("close", this.#onClose);
  }

  override settle(state: FutureState, outcome: unknown): void {
    this.#timer.cancel();
    this.#socket.off("close", this.#onClose);
    super.settle(state, outcome);
  }

  override fail(error: unknown): void {
    if (this.state === FINISHED) return;
    super.fail(error);
    this.#socket.destroy();
  }

  override cancel(reason?: unknown, options?: CancelOptions): boolean {
    if (!super.cancel(reason, options)) return false;
    this.#socket.destroy();
    return true;
  }

  override describeWait(): string {
    return "a TLS handshake";
  }
}

/** What TLS begins with: options of `tls.connect`, true for its defaults, or on the server's side those of its servers. */
export type SslOptions = true | ConnectionOptions | TlsOptions;

/** Options of `startTls`. */
export interface StartTlsOptions extends TlsTimeouts {
  /** Whether this end is the server. Default false. asyncio: `server_side`. */
  readonly serverSide?: boolean | undefined;
  /** The name that the server's certificate has to have. asyncio: `server_hostname`. */
  readonly serverHostname?: string | null | undefined;
}

/** How TLS begins on the socket of a transport: checked, with everything but the socket known. */
export interface TlsUpgrade {
  readonly shutdownTimeout: number;
  readonly begin: (loop: EventLoop, socket: Socket) => HostWait<TLSSocket>;
}

/** What `startTls` was given, checked. */
export function toTlsUpgrade(where: string, ssl: SslOptions, options: StartTlsOptions): TlsUpgrade {
  if (ssl !== true && (typeof ssl !== "object" || (ssl as unknown) === null))
    throw badArgument(where, "true, or options of node:tls, as ssl", ssl);
  const { serverSide = false, serverHostname } = options;
  if (serverSide) {
    if (ssl === true)
      throw badArgument(where, "options with a key and a certificate as ssl on the server's side", ssl);
    const settings = { options: ssl as TlsOptions, ...toTimeouts(where, options) };
    return { ...settings, begin: (loop, socket) => serverHandshake(loop, socket, settings) };
  }
  const settings = withName(
    where,
    ssl === true ? {} : (ssl as ConnectionOptions),
    serverHostname,
    null,
    options,
  );
  return { ...settings, begin: (loop, socket) => clientHandshake(loop, socket, settings) };
}
