/**
 * asyncio's streams, servers, transports and protocols, on the host's own modules: TCP, TLS, Unix sockets, datagrams,
 * pipes. Runs on Node 20 and newer, Bun and Deno; not in browsers.
 *
 * @module corio/streams
 */

// Readers and writers.
export { StreamReader } from "./streams/stream-reader.ts";
export type { Separator, StreamReaderOptions } from "./streams/stream-reader.ts";
export { StreamWriter } from "./streams/stream-writer.ts";
export type { WriterProtocol } from "./streams/stream-writer.ts";
export { StreamReaderProtocol } from "./streams/stream-reader-protocol.ts";
export type {
  ClientConnectedCallback,
  StreamReaderProtocolOptions,
} from "./streams/stream-reader-protocol.ts";
export { openConnection, openUnixConnection, startServer, startUnixServer } from "./streams/node/open.ts";
export type {
  OpenConnectionOptions,
  OpenUnixConnectionOptions,
  StartServerOptions,
  StartUnixServerOptions,
  Streams,
} from "./streams/node/open.ts";

export { fromNode, fromWeb, toNode, toWeb } from "./streams/node/convert.ts";

// Servers.
export { createServer, createUnixServer, Server } from "./streams/node/server.ts";
export type { ListeningOptions, ServerOptions, UnixServerOptions } from "./streams/node/server.ts";

// Transports and protocols.
export { connectAcceptedSocket, createConnection, createUnixConnection } from "./streams/node/connect.ts";
export type { ConnectionOptions, UnixConnectionOptions } from "./streams/node/connect.ts";
export { startTls } from "./streams/node/start-tls.ts";
export type {
  SslOptions,
  StartTlsOptions,
  TlsClientOptions,
  TlsServerOptions,
  TlsTimeouts,
} from "./streams/node/handshake.ts";
export { createDatagramEndpoint } from "./streams/node/datagram.ts";
export type { DatagramOptions } from "./streams/node/datagram.ts";
export { connectReadPipe, connectWritePipe } from "./streams/node/pipes.ts";
export { sendfile } from "./streams/node/sendfile.ts";
export type { SendfileOptions } from "./streams/node/sendfile.ts";
export type { StreamProtocol } from "./streams/node/stream-transport.ts";
export type {
  BaseProtocol,
  BufferedProtocol,
  DatagramProtocol,
  Protocol,
  SocketAddress,
  SubprocessProtocol,
} from "./streams/protocols.ts";
export type {
  BaseTransport,
  DatagramTransport,
  FlowControlled,
  ReadTransport,
  SubprocessTransport,
  Transport,
  WriteBufferLimits,
  WriteTransport,
} from "./streams/transports.ts";

// Names and addresses.
export { getaddrinfo, getnameinfo } from "./streams/node/dns.ts";
export type { AddressFamily, GetaddrinfoOptions, Port } from "./streams/node/dns.ts";

// Errors.
export {
  ConnectError,
  ConnectionAbortedError,
  ConnectionResetError,
  IncompleteReadError,
  LimitOverrunError,
} from "./streams/errors.ts";
export type { FailedAttempt } from "./streams/errors.ts";
