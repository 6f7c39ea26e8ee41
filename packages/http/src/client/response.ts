import { coroutine, InvalidStateError, isCancelledError } from "corio";
import type { Coroutine, Task } from "corio";
import { HttpError, HttpTimeoutError, PayloadError, ResponseError } from "../errors.ts";
import { concatBytes, decodeText } from "../shared/bytes.ts";
import { EventParser } from "../shared/events.ts";
import type { ReceivedEvent } from "../shared/events.ts";
import type { Deadline } from "./deadline.ts";
import { shownUrl } from "./shown-url.ts";
import type { WireResponse } from "./transport.ts";

/** What a response is made of. @internal */
export interface ResponseParts {
  readonly wire: WireResponse;
  readonly url: URL;
  readonly method: string;
  readonly deadline: Deadline;
  /** The task that still sends the body of the request. */
  readonly sender: Task | null;
  readonly history: readonly ClientResponse[];
  readonly maxBodySize: number | null;
}

/**
 * A response whose head is here. Its body is read with `read`, `text`, `json`, as pieces, lines or events; what is not
 * read must be given up with `close`, which `await using` and `session.get(url, body)` do.
 *
 * aiohttp: `ClientResponse`.
 */
export class ClientResponse implements AsyncIterable<Uint8Array>, AsyncDisposable {
  /** As the server gave it: 200, 404. */
  readonly status: number;
  /** The words beside the status. aiohttp: `reason`. */
  readonly statusText: string;
  /** The headers. */
  readonly headers: Headers;
  /** The address that has answered, after redirects, without a password. */
  readonly url: string;
  /** The method that was used last: a redirect may change it. */
  readonly method: string;
  /** The redirects that led here. */
  readonly history: readonly ClientResponse[];
  readonly #wire: WireResponse;
  readonly #deadline: Deadline;
  readonly #maxBodySize: number | null;
  #received = 0;
  #sender: Task | null;
  #body: Uint8Array | null = null;
  #state: "unread" | "reading" | "read" | "closed" = "unread";

  /** @internal */
  constructor(parts: ResponseParts) {
    const { deadline, history, maxBodySize, method, sender, url, wire } = parts;
    this.#maxBodySize = maxBodySize;
    this.#wire = wire;
    this.#deadline = deadline;
    this.#sender = sender;
    this.status = wire.status;
    this.statusText = wire.statusText;
    this.headers = wire.headers;
    this.url = shownUrl(url);
    this.method = method;
    this.history = history;
  }

  /** Whether the status is below 400. */
  get ok(): boolean {
    return this.status < 400;
  }

  /** Throws `ResponseError` when the status is 400 or more; gives the response otherwise. aiohttp: `raise_for_status`. */
  raiseForStatus(): this {
    if (!this.ok) {
      throw new ResponseError(
        `${this.method} ${this.url}: ${this.status} ${this.statusText}`.trimEnd(),
        this,
      );
    }
    return this;
  }

  /**
   * The whole body; it is kept for the next time.
   *
   * Cancel safety: a cancelled read closes the connection, and the body is lost.
   */
  read(): Coroutine<Uint8Array> {
    return readAll(this);
  }

  /** The body as text, in `charset`, by default that of the Content-Type, else UTF-8. */
  text(charset?: string): Coroutine<string> {
    return readText(this, charset);
  }

  /** The body as JSON, whatever its Content-Type says. Throws `PayloadError` when it is none. */
  json<T = unknown>(): Coroutine<T> {
    return readJson(this) as Coroutine<T>;
  }

  /** The lines of the body as text, without their ends. */
  async *lines(): AsyncGenerator<string, void> {
    let rest = "";
    for await (const text of this.#texts()) {
      // A long line comes in many pieces: what is known to have no end in it is not searched again.
      if (!text.includes("\n")) {
        rest += text;
        continue;
      }
      const lines = (rest + text).split(/\r\n|\n/);
      rest = lines.pop() ?? "";
      yield* lines;
    }
    if (rest !== "") yield rest;
  }

  /** The server-sent events of the body. */
  async *events(parser: EventParser = new EventParser()): AsyncGenerator<ReceivedEvent, void> {
    for await (const text of this.#texts()) yield* parser.push(text);
  }

  /** The pieces of the body, as they come. While none is asked for, the server is not read from. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    if (this.#body !== null) {
      yield this.#body;
      return;
    }
    if (this.#state !== "unread")
      throw new InvalidStateError(
        `the body of this response ${this.#state === "closed" ? "was given up" : "is being read, or was read, before"}`,
      );
    this.#state = "reading";
    try {
      for (let chunk = await this.#readChunk(); chunk !== null; chunk = await this.#readChunk()) yield chunk;
      this.#state = "read";
    } finally {
      await this.#end();
    }
  }

  async #readChunk(): Promise<Uint8Array | null> {
    try {
      // What is here needs no clock, and nothing that could be cancelled.
      let chunk = this.#wire.take?.();
      if (chunk === undefined) {
        chunk = await this.#deadline.read(
          () => this.#wire.read(),
          () => this.#wire.abort(),
        );
      }
      this.#received += chunk?.length ?? 0;
      if (this.#maxBodySize !== null && this.#received > this.#maxBodySize)
        throw new PayloadError(
          `${this.method} ${this.url}: the body is larger than ${this.#maxBodySize} bytes`,
        );
      return chunk;
    } catch (error) {
      this.#wire.abort();
      if (isCancelledError(error) || error instanceof HttpError || error instanceof HttpTimeoutError)
        throw error;
      throw new PayloadError(
        `${this.method} ${this.url}: the response ended too early: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }

  async *#texts(): AsyncGenerator<string, void> {
    const decoder = new TextDecoder();
    for await (const chunk of this) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  }

  /** @internal */
  async readNow(): Promise<Uint8Array> {
    if (this.#body !== null) return this.#body;
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this) {
      chunks.push(chunk);
      length += chunk.length;
    }
    this.#body = concatBytes(chunks, length);
    return this.#body;
  }

  /**
   * Gives up what was not read. The connection goes back to the pool if everything has been received, and is closed
   * otherwise.
   *
   * Cancel safety: the connection is closed or back in any case.
   */
  close(): Coroutine<void> {
    return closeResponse(this);
  }

  /** @internal */
  async closeNow(): Promise<void> {
    if (this.#state === "unread") this.#state = "closed";
    await this.#end();
  }

  async #end(): Promise<void> {
    if (this.#state !== "read") {
      this.#state = "closed";
      this.#wire.abort();
    }
    const sender = this.#sender;
    this.#sender = null;
    if (sender !== null) await endSender(sender);
  }

  /** Closes the response at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Stops the task that sends a body. What went wrong in it has been seen as the failure of the request. @internal */
export async function endSender(sender: Task): Promise<void> {
  sender.cancel("nobody wants the rest of the body", { requestedBy: "ClientSession" });
  await new Promise<void>((resolve) => {
    sender.addDoneCallback(() => resolve());
  });
  if (!sender.cancelled()) sender.exception();
}

const readAll = coroutine(async function read(response: ClientResponse): Promise<Uint8Array> {
  return await response.readNow();
});

const readText = coroutine(async function text(
  response: ClientResponse,
  charset: string | undefined,
): Promise<string> {
  return decodeText(await response.readNow(), response.headers.get("content-type"), charset);
});

const readJson = coroutine(async function json(response: ClientResponse): Promise<unknown> {
  const text = decodeText(await response.readNow(), response.headers.get("content-type"));
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new PayloadError(
      `${response.method} ${response.url}: the body is no JSON: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
});

const closeResponse = coroutine(async function close(response: ClientResponse): Promise<void> {
  await response.closeNow();
});
