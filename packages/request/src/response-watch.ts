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

/** Calls `onEnd` once, when the response has ended; `isFinished` tells whether the client got all of it. */
export function watchResponse(response: NodeResponse, onEnd: (isFinished: boolean) => void): void {
  const socket = response.stream === undefined ? response.req?.socket : undefined;
  const end = (): void => {
    response.off("close", end);
    if (socket !== undefined && socket !== null) listenersOf(socket).delete(end);
    onEnd(response.writableFinished && response.stream?.aborted !== true);
  };
  if (response.destroyed === true || response.stream?.destroyed === true || socket?.destroyed === true) {
    end();
    return;
  }
  response.once("close", end);
  if (socket !== undefined && socket !== null) listenersOf(socket).add(end);
}

/** One listener for each connection, however many requests are queued on it: Node warns of more than ten. */
const socketListeners = new WeakMap<NodeSocket, Set<() => void>>();

function listenersOf(socket: NodeSocket): Set<() => void> {
  let listeners = socketListeners.get(socket);
  if (listeners === undefined) {
    const made = (listeners = new Set<() => void>());
    socketListeners.set(socket, made);
    socket.once("close", () => {
      for (const listener of [...made]) listener();
    });
  }
  return listeners;
}
