/**
 * WebSockets in apps that `@hono/node-server` serves.
 *
 * @module @corio/hono/web-socket
 */

import type { IncomingMessage } from "node:http";
import { HttpException, runWebSocket } from "@corio/http/web-socket";
import type { WebSocketAcceptOptions, WebSocketBody } from "@corio/http/web-socket";
import { isInsideRequest, onClosing, setDeadline } from "@corio/request";
import { RuntimeError } from "corio";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";

export { acceptWebSockets, WebSocketClosedError, WebSocketConnection } from "@corio/http/web-socket";
export type { WebSocketAcceptOptions, WebSocketBody, WebSocketMessage } from "@corio/http/web-socket";

/**
 * Answers a request with a WebSocket, and calls `body` with it, in the task of the request; closes it when `body` ends.
 * There is no deadline from here on. Return what it gives. The server must have been given to `acceptWebSockets`.
 *
 * When the socket closes, a `body` that waits for a message sees its loop end, and one that waits for anything else is
 * cancelled. When the server is closed, the client is told so (code 1001).
 *
 * Throws `HTTPException` with status 426 when the client did not ask for a WebSocket, 400 when not properly;
 * `RuntimeError` where the middleware `corio` is not used.
 *
 * FastAPI: `@app.websocket`.
 */
export async function webSocket(
  c: Context,
  body: WebSocketBody,
  options: WebSocketAcceptOptions = {},
): Promise<Response> {
  const { incoming } = ((c.env as unknown) ?? {}) as { readonly incoming?: IncomingMessage };
  if (!isInsideRequest()) throw new RuntimeError("webSocket() needs the middleware: app.use(corio())");
  try {
    if (incoming === undefined) throw new HttpException(426, "only @hono/node-server has WebSockets here");
    await runWebSocket(incoming, body, options, (sayGoodbye) => {
      setDeadline(null);
      onClosing(sayGoodbye);
    });
  } catch (error) {
    if (!(error instanceof HttpException)) throw error;
    const { headers, message, status } = error;
    const res = new Response(message, { status, headers });
    throw new HTTPException(status as ContentfulStatusCode, { message, res, cause: error });
  }
  // Nobody sends it: the connection is not HTTP's any more.
  return c.body(null);
}
