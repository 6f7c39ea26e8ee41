/**
 * Fastify for corio: each request is a task, which is cancelled when the client goes away.
 *
 * @module @corio/fastify
 */
export { corio } from "./plugin.ts";
export type { CorioOptions } from "./plugin.ts";
export { background, eventStream, RequestError, RequestTasks, setDeadline, stream } from "@corio/request";
export type {
  RequestErrorCode,
  RequestStatistics,
  ServerSentEvent,
  StreamChunk,
  StreamSource,
} from "@corio/request";
