/**
 * Hono for corio: each request is a task, which is cancelled when the client goes away.
 *
 * @module @corio/hono
 */
export { corio } from "./middleware.ts";
export type { CorioMiddleware, CorioOptions } from "./middleware.ts";
export { handler } from "./handler.ts";
export type { CorioHandler } from "./handler.ts";
export { onError } from "./on-error.ts";
export { background, eventStream, RequestError, setDeadline, stream } from "@corio/request";
export type {
  RequestErrorCode,
  RequestStatistics,
  ServerSentEvent,
  StreamChunk,
  StreamSource,
} from "@corio/request";
