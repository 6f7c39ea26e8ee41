/**
 * PostgreSQL's CancelRequest: a connection of its own, on which the client sends sixteen bytes with the process and the
 * secret key of the connection that is to be interrupted. The server does what it can, and closes the connection
 * without an answer. It has signalled the process before that: a request cannot be interrupted by a CancelRequest whose
 * connection was closed before the request was sent.
 *
 * pg has `client.cancel`, which is of no use here: it sends the secret key in clear text even when the connection has
 * TLS, and does not notice when it cannot connect.
 */

import net from "node:net";
import tls from "node:tls";
import type { DriverClient, TlsSettings } from "./driver.ts";

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;

/** Whom to interrupt, and where that is. */
export interface CancelTarget {
  /**
   * Where the connection has ended up. Asking the DNS again might give another server: the request would then come to
   * nothing there, or to a stranger's process.
   */
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  /** How the connection does TLS; null when it does not. */
  readonly tls: { readonly host: string; readonly settings: TlsSettings; readonly isDirect: boolean } | null;
  readonly processId: number;
  readonly secretKey: number | Uint8Array;
}

/** What `client`, which is connected, is for a CancelRequest; null when the server has not said. */
export function cancelTargetOf(client: DriverClient): CancelTarget | null {
  const { processID, secretKey } = client;
  if (processID === null || secretKey === null) return null;
  return { address: addressOf(client), tls: tlsOf(client), processId: processID, secretKey };
}

function addressOf({ host, port, connection: { stream } }: DriverClient): CancelTarget["address"] {
  if (host.startsWith("/")) return { path: `${host}/.s.PGSQL.${port}` };
  return { host: stream.remoteAddress ?? host, port: stream.remotePort ?? port };
}

function tlsOf({ host, ssl, sslNegotiation, connection: { stream } }: DriverClient): CancelTarget["tls"] {
  if (!("encrypted" in stream)) return null;
  // pg makes the private key non-enumerable, so that it is not printed.
  const settings = typeof ssl === "object" ? { ...ssl, ...("key" in ssl && { key: ssl["key"] }) } : {};
  return { host, settings, isDirect: sslNegotiation === "direct" };
}

/** A CancelRequest under way. */
export interface CancelRequest {
  /** Settles when the server has closed the connection; rejects when the request could not be sent. */
  readonly ended: Promise<void>;
  /** Gives it up. */
  abort(): void;
}

/** Sends a CancelRequest. */
export function sendCancelRequest(target: CancelTarget): CancelRequest {
  const socket = net.connect(target.address);
  let transport: net.Socket = socket;
  const ended = new Promise<void>((resolve, reject) => {
    let isSent = false;
    let failure: unknown = new Error("the server closed the connection before the CancelRequest was sent");
    const note = (error: Error): void => {
      failure = error;
    };
    const send = (): void => {
      transport.write(cancelPacket(target));
      // The end of the stream is seen only by those who read it.
      transport.resume();
      isSent = true;
    };
    const secure = (): void => {
      transport = tls.connect({ ...tlsOptions(target), socket });
      transport.on("error", note);
      transport.once("secureConnect", send);
    };
    socket.on("error", note);
    socket.once("close", () => {
      if (isSent) resolve();
      else reject(failure);
    });
    socket.once("connect", () => {
      if (target.tls === null) send();
      else if (target.tls.isDirect) secure();
      else {
        socket.write(sslRequestPacket());
        socket.once("data", (answer: Uint8Array) => {
          if (answer[0] === 0x53)
            secure(); // "S"
          else socket.destroy(new Error("the server does not offer TLS to a CancelRequest"));
        });
      }
    });
  });
  return {
    ended,
    abort: () => {
      transport.destroy();
      socket.destroy();
    },
  };
}

/** The same as pg uses: see `upgradeToSSL` there. A server name must not be an IP address. */
function tlsOptions({ tls: connection }: CancelTarget): tls.ConnectionOptions {
  if (connection === null) return {};
  const { host, settings, isDirect } = connection;
  return {
    host,
    ...settings,
    ...(isDirect && { ALPNProtocols: ["postgresql"] }),
    ...(net.isIP(host) === 0 && { servername: host }),
  };
}

function sslRequestPacket(): Uint8Array {
  const packet = new DataView(new ArrayBuffer(8));
  packet.setInt32(0, 8);
  packet.setInt32(4, SSL_REQUEST);
  return new Uint8Array(packet.buffer);
}

function cancelPacket({ processId, secretKey }: CancelTarget): Uint8Array {
  // Four bytes up to protocol 3.0, which is what pg speaks.
  const keyLength = typeof secretKey === "number" ? 4 : secretKey.length;
  const packet = new DataView(new ArrayBuffer(12 + keyLength));
  packet.setInt32(0, packet.byteLength);
  packet.setInt32(4, CANCEL_REQUEST);
  packet.setInt32(8, processId);
  if (typeof secretKey === "number") packet.setInt32(12, secretKey);
  else new Uint8Array(packet.buffer, 12).set(secretKey);
  return new Uint8Array(packet.buffer);
}
