import { ServerResponse } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { handOver } from "@corio/request";
import { CancelledError, currentTask, InvalidStateError, isCancelledError, until } from "corio";
import type { Duration } from "corio";
import { WebSocketServer } from "ws";
import { HttpException } from "../errors.ts";
import { WebSocketConnection } from "../shared/web-socket.ts";

/** Options of `request.webSocket`, and of `webSocket` of the frameworks' packages. */
export interface WebSocketAcceptOptions {
  /** What this server speaks, the best first. The first that the client offers, too, is taken. */
  readonly protocols?: readonly string[] | undefined;
  /** The largest message, in bytes; a longer one closes the socket. Default 1 MiB. */
  readonly maxMessageSize?: number | undefined;
  /**
   * Whether the handler is cancelled when the socket has closed and the handler waits for something else. Default true.
   * One that waits for a message, or sends one, is told there in any case: its loop ends, and `send` throws.
   */
  readonly cancelOnClose?: boolean | undefined;
  /** As of `session.webSocket`. */
  readonly heartbeat?: Duration | null | undefined;
}

/** What talks over a WebSocket; it is closed when it ends. */
export type WebSocketBody = (socket: WebSocketConnection) => unknown;

/** A message of a WebSocket, in bytes. */
const MAX_MESSAGE_SIZE = 1 << 20;

interface Upgrade {
  readonly outgoing: ServerResponse;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly onEnd: () => void;
  isAccepted: boolean;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();
const servers = new WeakSet<Server>();

/**
 * Lets the requests for a WebSocket of a server go the way of all others: to whoever listens for `request`, with a
 * response that can be answered with. The handler then accepts the WebSocket, or answers as usual, say with 401.
 *
 * Does nothing the second time. Nobody else should listen for `upgrade`.
 */
export function acceptWebSockets(server: Server): void {
  if (servers.has(server)) return;
  servers.add(server);
  // New versions of Node ask which requests are meant. On older ones all that have an Upgrade header come here.
  Object.assign(server, { shouldUpgradeCallback: wantsWebSocket });
  server.on("upgrade", (incoming: IncomingMessage, stream: unknown, head: Buffer) => {
    // Its type says less; over TCP and TLS it is a socket.
    const socket = stream as Socket;
    const outgoing = new ServerResponse(incoming);
    outgoing.shouldKeepAlive = false;
    socket.on("error", () => undefined);
    try {
      outgoing.assignSocket(socket);
    } catch {
      // Requests in front of it are not answered yet, and Node does not watch their connection any more. Whoever means
      // to speak something else afterwards waits for the answers before.
      socket.destroy();
      return;
    }
    outgoing.once("finish", () => {
      outgoing.detachSocket(socket);
      socket.destroySoon();
    });
    // From here on Node watches this connection no longer, and nobody reads it.
    const onEnd = (): void => socket.destroySoon();
    socket.once("end", onEnd);
    if (wantsWebSocket(incoming)) {
      upgrades.set(incoming, { outgoing, socket, head, onEnd, isAccepted: false });
    } else if (hasBody(incoming)) {
      // Node has given up parsing where the body begins.
      outgoing.writeHead(501, { connection: "close" }).end("Not Implemented\n");
      return;
    }
    server.emit("request", incoming, outgoing);
  });
}

/** Whether a request asks for a WebSocket that can be accepted. */
export function isUpgrade(incoming: IncomingMessage): boolean {
  return upgrades.has(incoming);
}

/**
 * Accepts the WebSocket that a request asks for, calls `body` with it, and closes it when `body` ends. `onAccept` is
 * given what tells the client that the server is going.
 *
 * Throws `HttpException` when the client did not ask for one (426), or not properly (400).
 */
export async function runWebSocket(
  incoming: IncomingMessage,
  body: WebSocketBody,
  options: WebSocketAcceptOptions,
  onAccept: (sayGoodbye: () => void) => void,
): Promise<void> {
  const socket = await accept(incoming, options);
  let code = 1000;
  try {
    onAccept(() => socket.sayGoodbye(1001));
    await body(socket);
  } catch (error) {
    code = isCancelledError(error) ? 1001 : 1011;
    throw error;
  } finally {
    await socket.close(code);
  }
}

async function accept(
  incoming: IncomingMessage,
  options: WebSocketAcceptOptions,
): Promise<WebSocketConnection> {
  const upgrade = upgrades.get(incoming);
  if (upgrade === undefined) {
    const { server } = incoming.socket as { server?: Server };
    if (wantsWebSocket(incoming) && server !== undefined && !servers.has(server))
      throw new InvalidStateError("for WebSockets, give the server to acceptWebSockets(server) first");
    throw new HttpException(426, "this address wants a WebSocket", { headers: { upgrade: "websocket" } });
  }
  if (upgrade.isAccepted) throw new InvalidStateError("the WebSocket of this request was accepted before");
  const { head, onEnd, outgoing, socket } = upgrade;
  if (socket.destroyed) throw new CancelledError("the client went away");
  const upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    autoPong: false,
    maxPayload: options.maxMessageSize ?? MAX_MESSAGE_SIZE,
    handleProtocols: (offered) => options.protocols?.find((name) => offered.has(name)) ?? false,
  });
  const owner = options.cancelOnClose === false ? null : currentTask();
  // As a function: a WebSocket that is accepted while a cancel comes must not be lost.
  return await until(
    () =>
      new Promise<WebSocketConnection>((resolve, reject) => {
        upgrader.once("wsClientError", (error) => {
          const headers = { "sec-websocket-version": "13" };
          reject(new HttpException(400, error.message, { headers, cause: error }));
        });
        // A client that has gone by now is not an error for ws, which closes the connection and calls nobody.
        const onClose = (): void => reject(new CancelledError("the client went away"));
        socket.once("close", onClose);
        upgrader.handleUpgrade(incoming, socket, head, (driver) => {
          upgrade.isAccepted = true;
          socket.off("close", onClose);
          socket.off("end", onEnd);
          // From here on the end of the connection is the WebSocket's business.
          outgoing.detachSocket(socket);
          handOver(socket);
          resolve(new WebSocketConnection(driver, { owner, heartbeat: options.heartbeat }));
        });
      }),
  );
}

/** A request with a body asks for something else: when Node upgrades it, it gives up parsing where the body begins. */
function wantsWebSocket(incoming: IncomingMessage): boolean {
  return (
    incoming.headers.upgrade?.toLowerCase() === "websocket" && incoming.method === "GET" && !hasBody(incoming)
  );
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
