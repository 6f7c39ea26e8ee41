import { badArgument } from "../../errors.ts";
import type { Coroutine } from "../../futures/coroutine.ts";
import { call } from "../../library/call.ts";
import type { BaseProtocol } from "../protocols.ts";
import type { BaseTransport, Transport } from "../transports.ts";
import type { SslOptions, StartTlsOptions } from "./handshake.ts";
import { StreamTransport } from "./stream-transport.ts";

/**
 * Puts TLS over a connection, in place: gives the transport to use from now on; the old one is of no use any more. The
 * protocol stays, and is not told. With streams, `writer.startTls` does it.
 *
 * What has arrived and was not delivered yet is taken for the beginning of the handshake.
 *
 * Cancel safety: cancelling closes the connection, and so does every error.
 *
 * Throws what the handshake fails with, `ConnectionAbortedError` when it takes too long, `ConnectionResetError` when
 * the connection is lost meanwhile; `ArgumentTypeError` for a transport that is not one of `createConnection` or
 * `createServer`.
 *
 * asyncio: `loop.start_tls`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts type-only: it needs a certificate
 * import type { Protocol, Transport } from "corio/streams";
 * import { startTls } from "corio/streams";
 *
 * export async function secure(transport: Transport, protocol: Protocol): Promise<Transport> {
 *   return await startTls(transport, protocol, true, { serverHostname: "example.com" });
 * }
 * ```
 */
export function startTls(
  transport: BaseTransport,
  protocol: BaseProtocol,
  ssl: SslOptions,
  options: StartTlsOptions = {},
): Coroutine<Transport> {
  if (!(transport instanceof StreamTransport))
    throw badArgument("startTls", "the transport of a connection", transport);
  if (typeof protocol !== "object" || (protocol as unknown) === null)
    throw badArgument("startTls", "a protocol", protocol);
  const upgrade = transport.prepareTls("startTls", ssl, options);
  return call("startTls", () => transport.upgrade(protocol, upgrade, new Uint8Array(0)));
}
