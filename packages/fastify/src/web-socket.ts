/**
 * WebSockets in Fastify apps.
 *
 * @module @corio/fastify/web-socket
 */

import { runWebSocket } from "@corio/http/web-socket";
import type { WebSocketAcceptOptions, WebSocketBody } from "@corio/http/web-socket";
import { isInsideRequest, onClosing, setDeadline } from "@corio/request";
import { RuntimeError } from "corio";
import type { FastifyReply, FastifyRequest } from "fastify";

export { acceptWebSockets, WebSocketClosedError, WebSocketConnection } from "@corio/http/web-socket";
export type { WebSocketAcceptOptions, WebSocketBody, WebSocketMessage } from "@corio/http/web-socket";

/**
 * Answers a request with a WebSocket, and calls `body` with it, in the task of the request; closes it when `body` ends.
 * There is no deadline from here on. The server must have been given to `acceptWebSockets(app.server)`. Hooks and
 * validation run before, as for every route.
 *
 * When the socket closes, a `body` that waits for a message sees its loop end, and one that waits for anything else is
 * cancelled. When the app is closed, the client is told so (code 1001).
 *
 * Throws `HttpException` with status 426 when the client did not ask for a WebSocket, 400 when not properly; Fastify's
 * error handler answers with that. Throws `RuntimeError` in a handler that is not run as a task.
 *
 * FastAPI: `@app.websocket`.
 */
export async function webSocket(
  request: FastifyRequest,
  reply: FastifyReply,
  body: WebSocketBody,
  options: WebSocketAcceptOptions = {},
): Promise<void> {
  if (!isInsideRequest()) throw new RuntimeError("webSocket() needs the plugin: await app.register(corio)");
  await runWebSocket(request.raw, body, options, (sayGoodbye) => {
    setDeadline(null);
    onClosing(sayGoodbye);
    // Nobody else is to answer.
    void reply.hijack();
  });
}
