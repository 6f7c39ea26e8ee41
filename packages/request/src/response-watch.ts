/**
 * When the client has gone. The one thing that can be relied on is that the *response* was closed before it was
 * finished: a request's own `close` comes when its body has been read, which for a POST is at once, and signals that
 * are made of it abort then.
 *
 * Node has two gaps. A response that is queued behind another on the same connection (pipelining) is not told when the
 * connection is closed, so connections are watched, too. And a response of HTTP/2 may be called finished although its
 * stream was reset.
 */

/** A connection of Node, as far as it is looked at. */
export interface NodeSocket {
  /** Whether it is closed, or about to be. */
  readonly destroyed: boolean;
  /** Registers a listener that is called once. */
  once(event: "close", listener: () => void): unknown;
}

/** Node's `ServerResponse` or `Http2ServerResponse`, as far as it is looked at. */
export interface NodeResponse {
  /** Whether all of it has been handed to the operating system. */
  readonly writableFinished: boolean;
  /** Whether it is closed. */
  readonly destroyed?: boolean;
  /** The stream of an HTTP/2 response. */
  readonly stream?: { readonly aborted?: boolean; readonly destroyed?: boolean } | undefined;
  /** The request that it answers. */
  readonly req?: { readonly socket?: NodeSocket | null } | undefined;
  /** Registers a listener that is called once. */
  once(event: "close", listener: () => void): unknown;
  /** Removes a listener. */
  off(event: "close", listener: () => void): unknown;
}

/**
 * Calls `onEnd` once, when the response has ended; `isFinished` tells whether the client got all of it. With false the
 * client has gone, and what is done for it should be cancelled. When that is known already, `onEnd` is called at once.
 *
 * @example
 * ```ts
 * import { createServer, get } from "node:http";
 * import type { AddressInfo } from "node:net";
 * import { run, until } from "corio";
 * import { watchResponse } from "@corio/request";
 *
 * async function main() {
 *   const server = createServer();
 *   const finished = new Promise<boolean>((resolve) => {
 *     server.on("request", (_request, response) => {
 *       watchResponse(response, resolve);
 *       client.destroy();
 *     });
 *   });
 *   await until(new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
 *   const client = get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
 *   client.on("error", () => undefined);
 *   console.log((await until(finished)) ? "answered" : "gone");
 *   server.close();
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * gone
 * ```
 */
export function watchResponse(response: NodeResponse, onEnd: (isFinished: boolean) => void): void {
  const socket = socketOf(response);
  const end = (isHandedOver?: boolean): void => {
    response.off("close", onClose);
    if (socket !== null) watchesOf(socket).delete(watch);
    const { server } = (socket ?? {}) as { readonly server?: NodeServer };
    if (server?.listening === false && closing.has(server)) server.closeIdleConnections?.();
    onEnd(isHandedOver === true || (response.writableFinished && response.stream?.aborted !== true));
  };
  const onClose = (): void => end();
  const watch: Watch = { response, end };
  if (response.destroyed === true || response.stream?.destroyed === true || socket?.destroyed === true) {
    end();
    return;
  }
  response.once("close", onClose);
  if (socket !== null) watchesOf(socket).add(watch);
}

/**
 * Whether no other response that is watched has to be sent on its connection after this one (pipelining). Only then may
 * it say that the connection will be closed.
 */
export function isLastOnConnection(response: NodeResponse): boolean {
  const socket = socketOf(response);
  let last: NodeResponse | null = null;
  if (socket !== null) for (const watch of watchesOf(socket)) last = watch.response;
  return last === null || last === response;
}

/**
 * Ends the watch of what is answered on a connection that is not HTTP's any more, but a WebSocket's: its responses count
 * as finished, and its end is no longer theirs.
 */
export function handOver(socket: NodeSocket): void {
  for (const watch of [...watchesOf(socket)]) watch.end(true);
}

interface Watch {
  readonly response: NodeResponse;
  readonly end: (isHandedOver?: boolean) => void;
}

/** One listener for each connection, however many requests are queued on it: Node warns of more than ten. */
const watches = new WeakMap<NodeSocket, Set<Watch>>();

function watchesOf(socket: NodeSocket): Set<Watch> {
  let found = watches.get(socket);
  if (found === undefined) {
    const made = (found = new Set<Watch>());
    watches.set(socket, made);
    const { server } = socket as { readonly server?: NodeServer };
    if (server !== undefined) connectionsOf(server).add(socket);
    socket.once("close", () => {
      if (server !== undefined) connectionsOf(server).delete(socket);
      for (const watch of [...made]) watch.end();
    });
  }
  return found;
}

/** What is used of Node's `Server` that is not the same everywhere. */
interface NodeServer {
  readonly listening: boolean;
  closeIdleConnections?(): void;
}

/** The connections of a server on which responses have been watched. */
const connections = new WeakMap<NodeServer, Set<NodeSocket>>();
/** Servers that have closed their idle connections while others were busy. */
const closing = new WeakSet<NodeServer>();

/**
 * A server that is closed closes its idle connections, and takes for idle those whose answer has been ended, but is still
 * on its way, or has others behind it. It looks whether the message is finished: of such a one it is told that it is not.
 * Each that is busy is closed when it has become idle, and not after the time that idle ones have otherwise.
 */
function connectionsOf(server: NodeServer): Set<NodeSocket> {
  const found = connections.get(server);
  if (found !== undefined) return found;
  const made = new Set<NodeSocket>();
  connections.set(server, made);
  const closeIdle = server.closeIdleConnections?.bind(server);
  if (closeIdle === undefined) return made;
  server.closeIdleConnections = () => {
    const messages: { finished: boolean }[] = [];
    closing.delete(server);
    for (const socket of made) {
      if (watchesOf(socket).size === 0) continue;
      closing.add(server);
      const { _httpMessage: message } = socket as { readonly _httpMessage?: { finished: boolean } | null };
      if (message?.finished === true) messages.push(message);
    }
    for (const message of messages) message.finished = false;
    try {
      closeIdle();
    } finally {
      for (const message of messages) message.finished = true;
    }
  };
  return made;
}

/** The connection of HTTP/1.1. */
function socketOf({ req, stream }: NodeResponse): NodeSocket | null {
  return (stream === undefined ? req?.socket : undefined) ?? null;
}
