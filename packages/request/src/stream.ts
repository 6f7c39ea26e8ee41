import { createTask, Future, getRunningLoop, isCancelledError, sleep } from "corio";
import type { Task } from "corio";
import { requireRequest } from "./current-request.ts";
import { formatEvent } from "./events.ts";
import type { ServerSentEvent } from "./events.ts";

/** A piece of a body; strings are sent as UTF-8. */
export type StreamChunk = string | Uint8Array;

/** What gives the pieces: an async generator function, or anything that `for await` takes. */
export type StreamSource<T> = AsyncIterable<T> | Iterable<T> | (() => AsyncIterable<T> | Iterable<T>);

/** Bytes that are made before the client has taken them. */
const HIGH_WATER_MARK = 16_384;

/**
 * A response whose body is what `source` gives, piece by piece, made by a task of the current request: `source` may
 * use everything of corio's. It goes on as fast as the client reads. When the client goes away it is cancelled, its
 * `finally` runs, and the request waits for that; also after the first byte.
 *
 * An error in it breaks the connection off, since the status has been sent, and goes to the exception handler.
 *
 * Throws `RuntimeError` outside of a request. FastAPI: `StreamingResponse`.
 */
export function stream(source: StreamSource<StreamChunk>, init?: ResponseInit): Response {
  return new Response(bodyOf(source, toBytes, "stream()"), init);
}

/**
 * A response that is an event stream, as `EventSource` reads it; the rest is as for `stream`.
 *
 * Throws `RuntimeError` outside of a request.
 */
export function eventStream(source: StreamSource<ServerSentEvent>, init: ResponseInit = {}): Response {
  const headers = new Headers(init.headers);
  if (!headers.has("content-type")) headers.set("content-type", "text/event-stream");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-cache");
  const body = bodyOf(source, (event) => toBytes(formatEvent(event)), "eventStream()");
  return new Response(body, { ...init, headers });
}

function bodyOf<T>(
  source: StreamSource<T>,
  encode: (item: T) => Uint8Array,
  where: string,
): ReadableStream<Uint8Array> {
  const request = requireRequest(where);
  const loop = getRunningLoop();
  let task: Task<void> | null = null;
  let demand: Future<void> | null = null;
  let isClosed = false;

  async function produce(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      for await (const item of typeof source === "function" ? source() : source) {
        if (isClosed) {
          // The source has not met the cancellation yet. It is met here, and does not disturb the cleaning up.
          await sleep(0);
          return;
        }
        controller.enqueue(encode(item));
        while ((controller.desiredSize ?? 0) <= 0) await (demand = new Future<void>({ loop }));
      }
      // A source that was cancelled may come to its end all the same.
      endQuietly(controller);
    } catch (error) {
      // Servers report an error. That the client went away is none, and there is nobody to be told that this is not all.
      if (isCancelledError(error) && request.hasNoClient) endQuietly(controller);
      else controller.error(error);
      if (isCancelledError(error)) throw error;
      loop.callExceptionHandler({
        message: "a response's body failed",
        exception: error,
        task: task as Task,
      });
    }
  }

  const underlying = {
    start: (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      task = createTask(() => produce(controller), { name: "response body" });
      request.addStream(task);
    },
    pull: (): void => {
      if (demand?.done() === false) demand.setResult();
    },
    cancel: (): void => {
      isClosed = true;
      // The request may have done it already: a second cancel would disturb the cleaning up.
      if (task?.cancelling() === 0) task.cancel("the response was closed", { requestedBy: "the response" });
    },
  };
  return new ReadableStream<Uint8Array>(
    underlying,
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
  );
}

function endQuietly(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.close();
  } catch {
    // The server has closed it already.
  }
}

const encoder = new TextEncoder();

function toBytes(chunk: StreamChunk): Uint8Array {
  return typeof chunk === "string" ? encoder.encode(chunk) : chunk;
}
