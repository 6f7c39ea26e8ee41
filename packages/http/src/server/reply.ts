import { formatEvent } from "@corio/request";
import type { ServerSentEvent } from "@corio/request";
import { ArgumentTypeError } from "corio";
import { cancellable } from "../shared/cancellable.ts";

/** The body of a reply. What is iterated is sent piece by piece, at the pace of the client. */
export type ReplyBody = string | Uint8Array | AsyncIterable<string | Uint8Array> | null;

/** What the head of a reply says. */
export interface ReplyOptions {
  /** Default 200; 204 when the body is null. */
  readonly status?: number | undefined;
  /** Names in any case; several values as a list. */
  readonly headers?: Readonly<Record<string, string | number | readonly string[]>> | undefined;
}

/**
 * What a handler answers. A string is sent as text, an async iterable piece by piece. An iterable that is an async
 * generator runs in the task of the request: it is cancelled when the client goes away, and its `finally` blocks run.
 *
 * aiohttp: `web.Response`, `web.StreamResponse`.
 *
 * @example
 * ```ts
 * import { run, sleep } from "corio";
 * import { ClientSession, Reply, serve } from "@corio/http";
 *
 * async function* count() {
 *   for (let n = 1; n <= 3; n++) {
 *     yield `${n}\n`;
 *     await sleep(0.01);
 *   }
 * }
 *
 * async function main() {
 *   await using server = await serve(() => new Reply(count()));
 *   await using session = new ClientSession({ baseUrl: server.url });
 *   console.log(await session.get("/", (response) => response.text()));
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * 1
 * 2
 * 3
 * ```
 */
export class Reply {
  readonly status: number;
  readonly body: ReplyBody;
  /** Names in lower case. */
  readonly headers: Record<string, string | number | readonly string[]>;

  /** Throws `ArgumentTypeError` for a body or a status that cannot be sent. */
  constructor(body: ReplyBody = null, options: ReplyOptions = {}) {
    if (
      body !== null &&
      typeof body !== "string" &&
      !(body instanceof Uint8Array) &&
      !isAsyncIterable(body)
    ) {
      throw new ArgumentTypeError(
        `Reply expects a string, bytes, an async iterable of them or null, got ${typeof body}; for objects there is Reply.json`,
      );
    }
    const status = options.status ?? (body === null ? 204 : 200);
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new ArgumentTypeError(`Reply expects a status from 200 to 599, got ${String(status)}`);
    this.status = status;
    this.body = body;
    this.headers = {};
    for (const [name, value] of Object.entries(options.headers ?? {}))
      this.headers[name.toLowerCase()] = value;
    if (typeof body === "string") this.headers["content-type"] ??= "text/plain; charset=utf-8";
  }

  /** A value as JSON. aiohttp: `web.json_response`. */
  static json(value: unknown, options: ReplyOptions = {}): Reply {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new ArgumentTypeError(`Reply.json cannot write ${typeof value} as JSON`);
    return new Reply(text, {
      ...options,
      headers: { "content-type": "application/json", ...options.headers },
    });
  }

  /** Sends the client to another address. Default status 302. */
  static redirect(location: string | URL, status = 302): Reply {
    return new Reply("", { status, headers: { location: String(location) } });
  }

  /** Server-sent events: strings are the data of an event. */
  static events(source: AsyncIterable<string | ServerSentEvent>, options: ReplyOptions = {}): Reply {
    return new Reply(formatEvents(source), {
      ...options,
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
        ...options.headers,
      },
    });
  }
}

async function* formatEvents(source: AsyncIterable<string | ServerSentEvent>): AsyncGenerator<string, void> {
  for await (const event of cancellable(source)) yield formatEvent(event);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
