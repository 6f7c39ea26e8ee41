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
  const socket = (response.stream === undefined ? response.req?.socket : undefined) ?? null;
  const end = (isHandedOver?: boolean): void => {
    response.off("close", onClose);
    if (socket !== null) watchesOf(socket).delete(end);
    onEnd(isHandedOver === true || (response.writableFinished && response.stream?.aborted !== true));
  };
  const onClose = (): void => end();
  if (response.destroyed === true || response.stream?.destroyed === true || socket?.destroyed === true) {
    end();
    return;
  }
  response.once("close", onClose);
  if (socket !== null) watchesOf(socket).add(end);
}

/**
 * Ends the watch of what is answered on a connection that is not HTTP's any more, but a WebSocket's: its responses count
 * as finished, and its end is no longer theirs.
 */
export function handOver(socket: NodeSocket): void {
  for (const end of [...watchesOf(socket)]) end(true);
}

type Watch = (isHandedOver?: boolean) => void;

/** One listener for each connection, however many requests are queued on it: Node warns of more than ten. */
const watches = new WeakMap<NodeSocket, Set<Watch>>();

function watchesOf(socket: NodeSocket): Set<Watch> {
  let found = watches.get(socket);
  if (found === undefined) {
    const made = (found = new Set<Watch>());
    watches.set(socket, made);
    socket.once("close", () => {
      for (const end of [...made]) end();
    });
  }
  return found;
}
