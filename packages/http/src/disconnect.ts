/**
 * A client that goes away, seen from a Node server: the response was closed before it was finished.
 *
 * For frameworks on `node:http`; nothing here knows one. What does not work, and why it is not used:
 *
 * - the request's `close`: Node emits it when the request was read to its end, which is no reason to stop;
 * - a framework's `request.signal`: some abort it at that same moment, so that a POST is cancelled at once;
 * - the response's `close` alone: a response that waits behind another on the same connection (pipelining) has no
 *   socket yet, and on Node 20 it emits nothing when that connection is lost. So the socket is watched, too.
 *
 * @module @corio/http/disconnect
 */

import type { Task } from "corio";

/** What is needed of a response: a `http.ServerResponse` or a `http2.Http2ServerResponse` is one. */
export interface ClosableResponse {
  /** Everything was handed to the system. */
  readonly writableFinished: boolean;
  /** As of an event emitter. */
  on(event: "close", listener: () => void): unknown;
  /** As of an event emitter. */
  off(event: "close", listener: () => void): unknown;
}

/** What is needed of a connection: a `net.Socket` is one. */
export interface ClosableSocket {
  /** The connection is closed. */
  readonly destroyed: boolean;
  /** As of an event emitter. */
  on(event: "close", listener: () => void): unknown;
  /** As of an event emitter. */
  off(event: "close", listener: () => void): unknown;
}

/** What a task is cancelled with: `error.reason === DISCONNECTED`. */
export const DISCONNECTED = "the client went away";

/**
 * Calls `listener` once if the response closes before it is finished; at once when the connection is closed already.
 * Returns a function that ends the watch: call it when the request is done.
 *
 * @example
 * ```ts
 * import { createServer, get } from "node:http";
 * import type { AddressInfo } from "node:net";
 * import { run, until } from "corio";
 * import { onDisconnect } from "@corio/http/disconnect";
 *
 * async function main() {
 *   const server = createServer();
 *   const gone = new Promise<string>((resolve) => {
 *     server.on("request", (request, response) => {
 *       onDisconnect(response, request.socket, () => resolve("gone"));
 *       client.destroy();
 *     });
 *   });
 *   await until(new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
 *   const client = get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
 *   client.on("error", () => undefined);
 *   console.log(await until(gone));
 *   server.close();
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * gone
 * ```
 */
export function onDisconnect(
  response: ClosableResponse,
  socket: ClosableSocket | null | undefined,
  listener: () => void,
): () => void {
  const check = (): void => {
    stop();
    if (!response.writableFinished) listener();
  };
  const stop = (): void => {
    response.off("close", check);
    socket?.off("close", check);
  };
  if (socket?.destroyed === true) {
    if (!response.writableFinished) listener();
    return stop;
  }
  response.on("close", check);
  socket?.on("close", check);
  return stop;
}

/**
 * Cancels `task` if the response closes before it is finished. The `CancelledError` has `DISCONNECTED` as its reason.
 * Returns a function that ends the watch.
 */
export function cancelOnDisconnect(
  response: ClosableResponse,
  socket: ClosableSocket | null | undefined,
  task: Task,
): () => void {
  return onDisconnect(response, socket, () => {
    task.cancel(DISCONNECTED, { requestedBy: "the client's disconnect" });
  });
}
