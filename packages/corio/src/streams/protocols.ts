/**
 * What a program that works on the level of callbacks writes, and a transport calls. asyncio has classes with empty
 * methods to inherit from; here they are interfaces, and what a program does not need it leaves out. All of them are
 * called by the loop, never by the host directly, and never inside a task.
 */
import type { BaseTransport, DatagramTransport, SubprocessTransport, Transport } from "./transports.ts";

/** What all protocols have. asyncio: `BaseProtocol`. */
export interface BaseProtocol<T extends BaseTransport = BaseTransport> {
  /** The connection is there; called once, before everything else. asyncio: `connection_made`. */
  connectionMade?(transport: T): unknown;

  /**
   * The connection is gone, or closed; called once, at the end. `error` is null when it was closed on this side, or by
   * the peer in the regular way. asyncio: `connection_lost`.
   */
  connectionLost?(error: unknown): unknown;

  /** The transport's write buffer has grown over its high-water mark: write no more. asyncio: `pause_writing`. */
  pauseWriting?(): unknown;

  /** The write buffer has sunk to its low-water mark, after `pauseWriting`. asyncio: `resume_writing`. */
  resumeWriting?(): unknown;
}

/** A protocol for a stream of bytes. asyncio: `Protocol`. */
export interface Protocol<T extends BaseTransport = Transport> extends BaseProtocol<T> {
  /** Bytes have arrived; at least one. asyncio: `data_received`. */
  dataReceived?(data: Uint8Array): unknown;

  /**
   * The peer writes no more. The transport closes itself after that, unless the method returns true; a TLS transport
   * does in any case. asyncio: `eof_received`.
   */
  eofReceived?(): unknown;
}

/**
 * A protocol that says where the bytes are to be put. What has a `getBuffer` is one of these. asyncio:
 * `BufferedProtocol`.
 */
export interface BufferedProtocol<T extends BaseTransport = Transport> extends BaseProtocol<T> {
  /**
   * Where the next bytes go. `sizeHint` is how many there are at the moment; a buffer of another size, but not of
   * none, will do. asyncio: `get_buffer`.
   */
  getBuffer(sizeHint: number): Uint8Array;

  /** The first `bytes` bytes of the buffer have been written. asyncio: `buffer_updated`. */
  bufferUpdated(bytes: number): unknown;

  /** As in `Protocol`. asyncio: `eof_received`. */
  eofReceived?(): unknown;
}

/** A protocol for datagrams. asyncio: `DatagramProtocol`. */
export interface DatagramProtocol extends BaseProtocol<DatagramTransport> {
  /** A datagram has arrived; it may be empty. asyncio: `datagram_received`. */
  datagramReceived?(data: Uint8Array, address: SocketAddress): unknown;

  /** Sending or receiving failed, but the endpoint goes on. asyncio: `error_received`. */
  errorReceived?(error: unknown): unknown;
}

/** A protocol for a process and its pipes. asyncio: `SubprocessProtocol`. */
export interface SubprocessProtocol extends BaseProtocol<SubprocessTransport> {
  /** The process has written to the pipe `fd`: 1 is its standard output, 2 its error stream. */
  pipeDataReceived?(fd: number, data: Uint8Array): unknown;

  /** A pipe was closed. */
  pipeConnectionLost?(fd: number, error: unknown): unknown;

  /** The process has ended. */
  processExited?(): unknown;
}

/** One end of a connection. Python: the tuple of host and port. */
export interface SocketAddress {
  /** The IP address. */
  readonly address: string;
  /** The port. */
  readonly port: number;
  /** `IPv4` or `IPv6`. */
  readonly family: "IPv4" | "IPv6";
}
