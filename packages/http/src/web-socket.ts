/**
 * WebSockets on the servers of others: what `@corio/hono` and `@corio/fastify` are built on.
 *
 * @module @corio/http/web-socket
 */

export { acceptWebSockets, runWebSocket } from "./server/upgrade.ts";
export type { WebSocketAcceptOptions, WebSocketBody } from "./server/upgrade.ts";
export { WebSocketConnection } from "./shared/web-socket.ts";
export type { WebSocketMessage } from "./shared/web-socket.ts";
export { HttpException, WebSocketClosedError } from "./errors.ts";
