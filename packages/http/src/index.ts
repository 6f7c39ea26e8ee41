/**
 * HTTP for corio, client and server: what aiohttp is to asyncio. Who goes away cancels what was done for them.
 *
 * @module @corio/http
 */

// Client.
export { ClientSession } from "./client/session.ts";
export type {
  ClientSessionOptions,
  HeadersLike,
  RequestOptions,
  RequestTimeouts,
  ResponseBody,
} from "./client/session.ts";
export { ClientResponse } from "./client/response.ts";
export type { RequestBody } from "./client/body.ts";
export type { RetryOptions } from "./client/retry.ts";
export type { TlsOptions } from "./client/transport.ts";
export type { WebSocketOptions } from "./client/web-socket.ts";
export { CookieJar } from "./client/cookie-jar.ts";

// Server.
export { HttpServer, serve } from "./server/serve.ts";
export type {
  Handler,
  HandlerResult,
  ServeOptions,
  ServerCloseOptions,
  ServerStatistics,
} from "./server/serve.ts";
export { Reply } from "./server/reply.ts";
export type { ReplyBody, ReplyOptions } from "./server/reply.ts";
export { ServerRequest } from "./server/server-request.ts";
export type { WebSocketAcceptOptions, WebSocketBody } from "./server/upgrade.ts";
export { Router } from "./server/router.ts";
export type { PathParameters, RouteHandler } from "./server/router.ts";
export { staticFiles } from "./server/static-files.ts";
export type { FileHandler, StaticFilesOptions } from "./server/static-files.ts";

// Both.
export { WebSocketConnection } from "./shared/web-socket.ts";
export type { WebSocketMessage } from "./shared/web-socket.ts";
export { EventParser } from "./shared/events.ts";
export type { ReceivedEvent } from "./shared/events.ts";
export { formatEvent } from "@corio/request";
export type { ServerSentEvent } from "@corio/request";

// Errors.
export {
  ConnectError,
  ConnectionLostError,
  HttpError,
  HttpException,
  HttpTimeoutError,
  PayloadError,
  ResponseError,
  SessionClosedError,
  TooManyRedirectsError,
  WebSocketClosedError,
  WebSocketHandshakeError,
} from "./errors.ts";
export type { HttpErrorCode, HttpTimeoutKind } from "./errors.ts";
