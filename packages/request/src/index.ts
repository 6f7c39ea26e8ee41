/**
 * What `@corio/hono` and `@corio/fastify` share, without a framework in it: a request as a task that ends with its
 * response. For those who write such a package for another framework; programs use the framework's.
 *
 * @module @corio/request
 */
export { background, isInsideRequest, onClosing, setDeadline } from "./current-request.ts";
export { RequestError } from "./errors.ts";
export type { RequestErrorCode } from "./errors.ts";
export { formatEvent } from "./events.ts";
export type { ServerSentEvent } from "./events.ts";
export { eventStream, stream } from "./stream.ts";
export type { StreamChunk, StreamSource } from "./stream.ts";
export { RequestTasks } from "./request-tasks.ts";
export type { HandleOptions, RequestStatistics, RequestTasksOptions } from "./request-tasks.ts";
export { handOver, isLastOnConnection, watchResponse } from "./response-watch.ts";
export type { NodeResponse, NodeSocket } from "./response-watch.ts";
