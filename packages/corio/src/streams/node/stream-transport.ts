import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { TLSSocket } from "node:tls";
import { host } from "#host";
import { badArgument, RuntimeError, TimeoutError } from "../../errors.ts";
import type { Steps } from "../../futures/awaitable.ts";
import type { EventLoop } from "../../futures/event-loop.ts";
import type { TimerHandle } from "../../futures/handle.ts";
import type { BaseProtocol, BufferedProtocol, Protocol, SocketAddress } from "../protocols.ts";
import type { BaseTransport, Transport } from "../transports.ts";
import { localAddress, remoteAddress } from "./addresses.ts";
import { toTlsUpgrade } from "./handshake.ts";
import type { SslOptions, StartTlsOptions, TlsUpgrade } from "./handshake.ts";
import { requireBytes, TransportBase } from "../transport-base.ts";
import { Unsent } from "./unsent.ts";

/**
 * A stream that has brought so many bytes before the loop came to look is paused meanwhile: a stream of the web's can
 * go on in microtasks for ever.
 */
const MOST_UNDELIVERED = 1024 * 1024;

/** What is written in one iteration is put together when its pieces are not longer than this, */
const SHORT = 8 * 1024;
/** and when all of it is not longer than this. */
const MOST_STAGED = 128 * 1024;

/** Where that happens, for all sockets of the thread; null while a socket has it. */
let freeStage: Buffer | null = null;

/** Of every transport for which nothing has arrived: an array that was emptied would keep its place for the next. */
const noChunks: Uint8Array[] = [];

/** What bytes that arrive are given to. */
export type StreamProtocol<T extends BaseTransport = Transport> = Protocol<T> | BufferedProtocol<T>;

/** Options of a stream transport. */
export interface StreamTransportOptions {
  /** For what is not a socket: what `getExtraInfo` knows. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
  /** The path of a Unix socket, which its connections do not know. */
  readonly path?: string | undefined;
  /** Which side of a stream with two is used; by default both. */
  readonly only?: "readable" | "writable" | undefined;
  /** For TLS: seconds that `close` may take. */
  readonly shutdownTimeout?: number | undefined;
}

/**
 * A transport over a stream of the host's: a socket, with TLS or without, or one end of a pipe.
 *
 * What has arrived is kept in `#chunks` until the loop takes it to the protocol, and is not taken there while reading
 * is paused: the host may have several chunks under way when it is told to stop.
 *
 * What is written stays in `#unsent` until the iteration of the loop is over, and then leaves together; what goes over
 * the high-water mark leaves at once, as asyncio's writes do, and only what the kernel does not take counts as buffered.
 */
export class StreamTransport extends TransportBase<StreamProtocol<BaseTransport>> implements Transport {
  readonly #readable: Readable | null;
  readonly #writable: Writable | null;
  readonly #options: StreamTransportOptions;
  protected readonly isPolled: boolean;
  readonly #peername: SocketAddress | string | undefined;
  readonly #sockname: SocketAddress | string | undefined;
  #chunks: Uint8Array[] = noChunks;
  /** How many of the chunks the protocol has got, while it is being told of them: it may begin TLS meanwhile. */
  #delivered = 0;
  /** Bytes in the others. */
  #undelivered = 0;
  #hasStarted = false;
  #isPaused = false;
  #hasEnded = false;
  #isEndDelivered = false;
  #isWriteEnded = false;
  /** What this iteration has written. */
  #unsent: Unsent | null = null;
  #wasWritten = false;
  /** `sendfile` is at work: nothing else may come in between. */
  isSendingFile = false;
  #shutdownTimer: TimerHandle | null = null;

  constructor(
    loop: EventLoop,
    stream: Readable | Writable | Duplex,
    protocol: StreamProtocol<BaseTransport>,
    options: StreamTransportOptions = {},
  ) {
    super(loop, protocol);
    this.#options = options;
    this.#readable = "read" in stream && options.only !== "writable" ? stream : null;
    this.#writable = "write" in stream && options.only !== "readable" && stream.writable ? stream : null;
    this.isPolled = stream instanceof Socket;
    if (stream instanceof Socket) {
      // Nobody knows them any more when the connection is closed.
      this.#peername = remoteAddress(stream) ?? options.path;
      this.#sockname = localAddress(stream) ?? options.path;
    }
    this.error = stream.errored ?? null;
    stream.on("error", this.#onError);
    if (stream.destroyed) this.#onClose();
    else stream.on("close", this.#onClose);
  }

  protected get kind(): string {
    const stream = this.#stream;
    if (stream instanceof TLSSocket) return "TLS connection";
    return stream instanceof Socket ? "connection" : "pipe";
  }

  get #stream(): Readable | Writable {
    return (this.#readable ?? this.#writable) as Readable | Writable;
  }

  get isTls(): boolean {
    return this.#stream instanceof TLSSocket;
  }

  // ── What the host tells ───────────────────────────────────────────────────────────────────────────────────────

  readonly #onData = (chunk: unknown): void => {
    if (this.isShuttingDown) return;
    try {
      const bytes = plainBytes(chunk);
      if (this.#chunks.length === 0) this.#chunks = [bytes];
      else this.#chunks.push(bytes);
      this.#undelivered += bytes.length;
      if (this.#undelivered > MOST_UNDELIVERED) this.#readable?.pause();
      this.schedule();
    } catch (error) {
      this.fail(error, "Fatal error: a stream gave something that is not bytes");
    }
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.schedule();
  };

  readonly #onError = (error: unknown): void => {
    this.error ??= error;
  };

  readonly #onClose = (): void => {
    this.isLost = true;
    this.#shutdownTimer?.cancel();
    this.schedule();
  };

  readonly #onWritten = (error?: Error | null): void => {
    // What failed was not written: who waits for that is woken up when the connection is lost.
    if (!this.flow.isPaused || (error !== undefined && error !== null)) return;
    this.#wasWritten = true;
    this.schedule();
  };

  protected deliver(): void {
    if (this.#wasWritten) {
      this.#wasWritten = false;
      if (!this.isLost) this.flow.resumeBelow(this.getWriteBufferSize());
    }
    const isHeld = this.#undelivered > MOST_UNDELIVERED;
    this.#deliverChunks();
    if (isHeld && this.#mayDeliver) this.#readable?.resume();
    if (this.#hasEnded && !this.#isEndDelivered && this.#chunks.length === 0 && this.#mayDeliver) {
      this.#isEndDelivered = true;
      this.#deliverEnd();
    }
    if (this.isLost) this.loseConnection();
  }

  /** What had arrived before the connection was lost is delivered even to a protocol that has paused. */
  get #mayDeliver(): boolean {
    return this.#hasStarted && !this.isShuttingDown && (!this.#isPaused || this.isLost);
  }

  #deliverChunks(): void {
    while (this.#delivered < this.#chunks.length && this.#mayDeliver) {
      const chunk = this.#chunks[this.#delivered++] as Uint8Array;
      this.#undelivered -= chunk.length;
      if (!this.#deliverChunk(chunk)) break;
    }
    // A protocol that has closed the connection has thrown away what was left.
    this.#chunks = this.#delivered >= this.#chunks.length ? noChunks : this.#chunks.slice(this.#delivered);
    this.#delivered = 0;
  }

  #deliverChunk(chunk: Uint8Array): boolean {
    const protocol = this.protocol;
    try {
      if ("getBuffer" in protocol) feedBuffered(protocol, chunk);
      else protocol.dataReceived?.(chunk);
      return true;
    } catch (error) {
      this.fail(error, "Fatal error: the protocol failed to receive data");
      return false;
    }
  }

  #deliverEnd(): void {
    let staysOpen: unknown;
    try {
      staysOpen = this.protocol.eofReceived?.();
    } catch (error) {
      this.fail(error, "Fatal error: protocol.eofReceived() failed");
      return;
    }
    if (staysOpen === true && this.isTls) {
      host.warn("returning true from eofReceived() has no effect with TLS", "CORIO_TLS_EOF");
    }
    if (staysOpen !== true || this.isTls || this.#writable === null) this.close();
  }

  // ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────

  protected startReading(): void {
    const readable = this.#readable;
    this.#hasStarted = true;
    if (readable === null) return;
    readable.on("end", this.#onEnd);
    readable.on("data", this.#onData);
    if (this.#isPaused) readable.pause();
    else readable.resume();
    if (readable.readableEnded) this.#onEnd();
  }

  isReading(): boolean {
    return this.#readable !== null && !this.isShuttingDown && !this.#isPaused && !this.#isEndDelivered;
  }

  pauseReading(): void {
    if (!this.isReading()) return;
    this.#isPaused = true;
    this.#readable?.pause();
  }

  resumeReading(): void {
    if (this.isShuttingDown || !this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#hasStarted) return;
    if (this.#undelivered <= MOST_UNDELIVERED) this.#readable?.resume();
    if (this.#chunks.length > 0 || this.#hasEnded) this.schedule();
  }

  // ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────

  write(data: Uint8Array): void {
    if (this.isSendingFile) throw new RuntimeError("write: sendfile is sending a file on this transport");
    this.send(data);
  }

  /** `write`, for `sendfile`. */
  send(data: Uint8Array): void {
    const bytes = requireBytes("write", data);
    const writable = this.#writable;
    if (writable === null) throw new RuntimeError("write: this transport is for reading only");
    if (this.#isWriteEnded) throw new RuntimeError("write after writeEof: nothing more can be sent");
    if (this.isShuttingDown || this.isLost) {
      this.noteIgnoredWrite();
      return;
    }
    if (bytes.length === 0) return;
    if (this.#unsent !== null) this.#unsent.add(bytes);
    else {
      this.#unsent = new Unsent(bytes);
      this.loop.scheduler.afterIteration(this.#flush);
    }
    if (this.getWriteBufferSize() <= this.flow.high) return;
    this.#flush();
    this.flow.pauseAbove(writable.writableLength);
  }

  writelines(data: Iterable<Uint8Array>): void {
    for (const bytes of [...data].map((line) => requireBytes("writelines", line))) this.write(bytes);
  }

  readonly #flush = (): void => {
    const writable = this.#writable;
    const unsent = this.#unsent;
    if (unsent === null || writable === null) return;
    this.#unsent = null;
    if (writable.destroyed) return;
    const pieces = unsent.pieces();
    if (pieces === null) {
      const error = new RuntimeError("the memory of what was written was transferred, or made smaller");
      this.fail(error, "Fatal error: what was written cannot be sent");
    } else if (pieces.length === 1) writable.write(pieces[0], this.#onWritten);
    else if (this.isPolled && unsent.size <= MOST_STAGED && pieces.every(isShort))
      this.#writeTogether(writable, pieces, unsent.size);
    else {
      writable.cork();
      for (const piece of pieces) writable.write(piece, this.#onWritten);
      writable.uncork();
    }
  };

  /** Short pieces go as one: a copy of them costs a fraction of what the host does for each. */
  #writeTogether(writable: Writable, pieces: readonly Uint8Array[], size: number): void {
    // The host keeps what it cannot send at once, and with TLS all of it: no stage may lie there for a few bytes.
    const isKept = writable.writableLength > 0 || this.isTls;
    const memory = isKept ? Buffer.allocUnsafe(size) : (freeStage ??= Buffer.allocUnsafeSlow(MOST_STAGED));
    let end = 0;
    for (const piece of pieces) {
      memory.set(piece, end);
      end += piece.length;
    }
    writable.write(memory.subarray(0, end), this.#onWritten);
    // A socket that has nothing to write is done with it; mostly the system has taken everything at once.
    if (memory === freeStage && writable.writableLength > 0) freeStage = null;
  }

  writeEof(): void {
    if (!this.canWriteEof())
      throw new RuntimeError(`writeEof: a ${this.kind} cannot be closed for writing only`);
    if (this.isShuttingDown || this.#isWriteEnded) return;
    this.#isWriteEnded = true;
    this.#flush();
    this.#writable?.end();
  }

  canWriteEof(): boolean {
    return this.#writable !== null && !this.isTls;
  }

  /** The protocol was asked to pause. */
  get isOverHigh(): boolean {
    return this.flow.isPaused;
  }

  getWriteBufferSize(): number {
    return (this.#unsent?.size ?? 0) + (this.#writable?.writableLength ?? 0);
  }

  // ── Closing ───────────────────────────────────────────────────────────────────────────────────────────────────

  close(): void {
    if (this.isShuttingDown) return;
    this.isShuttingDown = true;
    this.#chunks = noChunks;
    const writable = this.#writable;
    if (writable === null || writable.writableFinished || writable.errored !== null) {
      this.destroy();
      return;
    }
    this.#flush();
    writable.once("finish", () => {
      // Deno often does not tell that a TLS connection has ended: it would wait in vain.
      if (this.isTls && host.name !== "deno") this.#destroyAtEnd();
      else this.destroy();
    });
    if (!this.#isWriteEnded) writable.end();
    const timeout = this.#options.shutdownTimeout;
    // On Bun it may be over by now.
    if (timeout === undefined || this.isLost) return;
    this.#shutdownTimer = this.loop.callLater(timeout, () => {
      this.forceClose(new TimeoutError(`the TLS connection could not be closed within ${timeout} seconds`));
    });
  }

  /**
   * TLS is over when the peer has said so, too. Before that it may have sent something, if only a ticket: the system
   * resets a connection that is closed with anything unread, and what the peer has not read yet is lost to it.
   */
  #destroyAtEnd(): void {
    const readable = this.#readable;
    if (readable === null || readable.readableEnded) {
      this.destroy();
      return;
    }
    readable.once("end", () => {
      this.destroy();
    });
    readable.resume();
  }

  protected destroy(): void {
    this.#chunks = noChunks;
    this.#stream.destroy();
  }

  // ── TLS ───────────────────────────────────────────────────────────────────────────────────────────────────────

  prepareTls(where: string, ssl: SslOptions, options: StartTlsOptions): TlsUpgrade {
    return toTlsUpgrade(where, ssl, options);
  }

  /**
   * Puts TLS over the socket: gives the transport that takes this one's place. What has arrived and was not delivered
   * is the beginning of the handshake, and before that comes `buffered`, which a reader had got already. Whatever goes
   * wrong closes the connection.
   */
  *upgrade(
    protocol: BaseProtocol,
    { begin, shutdownTimeout }: TlsUpgrade,
    buffered: Uint8Array,
  ): Steps<StreamTransport> {
    const { loop, owner } = this;
    const socket = this.#giveSocketUp(buffered);
    let secured: TLSSocket;
    try {
      secured = yield* begin(loop, socket);
    } catch (error) {
      socket.destroy();
      loop.callSoon(() => {
        protocol.connectionLost?.(error);
        owner?.detach(this);
      });
      throw error;
    }
    const upgraded = new StreamTransport(loop, secured, protocol, {
      ...this.#options,
      shutdownTimeout,
    });
    upgraded.flow.setLimits(this.flow.limits);
    upgraded.owner = owner;
    // Of the connection the protocol knows since it was without TLS.
    upgraded.isMade = true;
    owner?.attach(upgraded);
    owner?.detach(this);
    upgraded.startReading();
    if (upgraded.isLost) upgraded.schedule();
    return upgraded;
  }

  #giveSocketUp(buffered: Uint8Array): Socket {
    const socket = this.#stream;
    if (!(socket instanceof Socket)) throw new RuntimeError("startTls: this transport is not a socket's");
    if (this.isShuttingDown) throw new RuntimeError("startTls: the connection is closed");
    this.#flush();
    socket.pause();
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    const chunks = this.#chunks.slice(this.#delivered);
    if (buffered.length > 0) chunks.unshift(buffered);
    for (const chunk of chunks.reverse()) socket.unshift(chunk);
    this.#chunks = noChunks;
    this.leave();
    return socket;
  }

  // ── What is known ─────────────────────────────────────────────────────────────────────────────────────────────

  getExtraInfo(name: string, missing: unknown = null): unknown {
    return this.#info(name) ?? missing;
  }

  #info(name: string): unknown {
    const { extra } = this.#options;
    if (extra !== undefined && name in extra) return extra[name];
    const stream = this.#stream;
    if (!(stream instanceof Socket)) return undefined;
    switch (name) {
      case "socket":
        return stream;
      case "peername":
        return this.#peername;
      case "sockname":
        return this.#sockname;
    }
    if (!(stream instanceof TLSSocket)) return undefined;
    switch (name) {
      case "sslObject":
        return stream;
      case "peercert": {
        const certificate = stream.getPeerCertificate() as object | null;
        return certificate === null || Object.keys(certificate).length === 0 ? undefined : certificate;
      }
      case "cipher":
        return stream.getCipher();
    }
    return undefined;
  }
}

function isShort(piece: Uint8Array): boolean {
  return piece.length <= SHORT;
}

/** Programs must not come to depend on the host's Buffer. */
function plainBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (typeof chunk === "string") return new TextEncoder().encode(chunk);
  throw badArgument("a transport", "a stream of bytes", chunk);
}

function feedBuffered(protocol: BufferedProtocol<BaseTransport>, chunk: Uint8Array): void {
  for (let rest = chunk; rest.length > 0;) {
    const buffer = protocol.getBuffer(rest.length);
    if (buffer.length === 0) throw new RuntimeError("getBuffer() returned an empty buffer");
    const count = Math.min(buffer.length, rest.length);
    buffer.set(rest.subarray(0, count));
    protocol.bufferUpdated(count);
    rest = rest.subarray(count);
  }
}
