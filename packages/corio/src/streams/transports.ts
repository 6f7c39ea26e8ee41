/** What carries the bytes: the layer under readers and writers. asyncio: `transports`. */
import type { BaseProtocol, SocketAddress } from "./protocols.ts";

/** What all transports have. asyncio: `BaseTransport`. */
export interface BaseTransport {
  /**
   * What is known of the connection: `peername` and `sockname` (a `SocketAddress`, or the path of a Unix socket),
   * `socket` (the host's object), for TLS `sslObject`, `peercert` and `cipher`, for pipes `pipe`, for processes
   * `subprocess`. `missing`, by default null, stands for what is not known. asyncio: `get_extra_info`.
   */
  getExtraInfo(name: string, missing?: unknown): unknown;

  /** True when it is closed, or is being closed. asyncio: `is_closing`. */
  isClosing(): boolean;

  /**
   * Sends what has been written, and closes the connection. Nothing is received any more, and what is written from
   * now on is ignored. The protocol's `connectionLost(null)` is called at the end.
   */
  close(): void;

  /** Who is told what happens from now on. asyncio: `set_protocol`. */
  setProtocol(protocol: BaseProtocol): void;

  /** Who is told what happens. asyncio: `get_protocol`. */
  getProtocol(): BaseProtocol;
}

/** A transport that bytes come from. asyncio: `ReadTransport`. */
export interface ReadTransport extends BaseTransport {
  /** True unless reading is paused, or has ended. asyncio: `is_reading`. */
  isReading(): boolean;

  /** Receives nothing until `resumeReading`. Does nothing the second time. asyncio: `pause_reading`. */
  pauseReading(): void;

  /** Goes on receiving. Does nothing when it is not paused. asyncio: `resume_reading`. */
  resumeReading(): void;
}

/** The two marks of a write buffer, in bytes. */
export interface WriteBufferLimits {
  /** Below or at this the protocol may write again. By default a quarter of `high`. */
  readonly low?: number | undefined;
  /** Above this the protocol is asked to pause. By default 64 KiB, or four times `low`. */
  readonly high?: number | undefined;
}

/** A transport's way to say that enough was written for now. */
export interface FlowControlled {
  /**
   * Sets when the protocol is asked to pause writing, and to go on. Throws `ValueError` unless `high >= low >= 0`.
   * asyncio: `set_write_buffer_limits`.
   */
  setWriteBufferLimits(limits?: WriteBufferLimits): void;

  /** The marks, in bytes. asyncio: `get_write_buffer_limits`. */
  getWriteBufferLimits(): Required<WriteBufferLimits>;

  /** How many bytes were written and have not been sent. asyncio: `get_write_buffer_size`. */
  getWriteBufferSize(): number;

  /** Closes the connection at once; what has not been sent is lost. */
  abort(): void;
}

/** A transport that bytes go to. asyncio: `WriteTransport`. */
export interface WriteTransport extends BaseTransport, FlowControlled {
  /**
   * Sends bytes, and does not wait for that. What one iteration of the loop writes leaves together. The array is not
   * copied: do not change it afterwards. Throws `ArgumentTypeError` for anything but bytes, `RuntimeError` after
   * `writeEof`.
   */
  write(data: Uint8Array): void;

  /** `write`, for several arrays. */
  writelines(data: Iterable<Uint8Array>): void;

  /** Sends what has been written, then tells the peer that nothing more will come. asyncio: `write_eof`. */
  writeEof(): void;

  /** Whether the connection can be closed in one direction only; TLS cannot. asyncio: `can_write_eof`. */
  canWriteEof(): boolean;
}

/** A transport for both directions. asyncio: `Transport`. */
export interface Transport extends ReadTransport, WriteTransport {}

/** A transport for datagrams. asyncio: `DatagramTransport`. */
export interface DatagramTransport extends BaseTransport, FlowControlled {
  /**
   * Sends a datagram to `address`, or to the one that the endpoint is connected to, and does not wait for that. The array
   * is copied. What the host reports goes to the protocol's `errorReceived`.
   *
   * Throws `ArgumentTypeError` for anything but bytes, and for what is no address; `ValueError` for a port that there is
   * not, and for an address that is not the one that the endpoint is connected to.
   */
  sendto(data: Uint8Array, address?: Pick<SocketAddress, "address" | "port"> | null): void;
}

/** A process and its pipes. asyncio: `SubprocessTransport`. */
export interface SubprocessTransport extends BaseTransport {
  /** The process's number. asyncio: `get_pid`. */
  getPid(): number;
  /** The exit code; null while it runs, -N when signal N ended it. asyncio: `get_returncode`. */
  getReturncode(): number | null;
  /** The transport of a pipe: 0, 1 and 2 are the three standard ones. asyncio: `get_pipe_transport`. */
  getPipeTransport(fd: number): BaseTransport | null;
  /** Sends a signal, given as its name or number. asyncio: `send_signal`. */
  sendSignal(signal: string | number): void;
  /** Asks the process to end: sends `SIGTERM`. */
  terminate(): void;
  /** Ends the process: sends `SIGKILL`. */
  kill(): void;
}
