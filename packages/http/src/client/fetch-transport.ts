import { shownUrl } from "./shown-url.ts";
import type { Transport, TransportOptions, WireRequest, WireResponse } from "./transport.ts";

/**
 * Requests over the host's own `fetch`: for Bun, which puts a stub in the place of undici. There the pool is Bun's own,
 * and a request cannot tell when it has its connection.
 */
export class FetchTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #closed: AbortController = new AbortController();

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  async send(request: WireRequest): Promise<WireResponse> {
    const { body, headers, method, url } = request;
    const { proxy, tls } = this.#options;
    // Nobody can tell, so that only the other limits hold.
    request.onConnected();
    const abort = new AbortController();
    const giveUp = (): void => abort.abort(request.signal.reason);
    request.signal.addEventListener("abort", giveUp);
    this.#closed.signal.addEventListener("abort", giveUp);
    const release = (): void => {
      request.signal.removeEventListener("abort", giveUp);
      this.#closed.signal.removeEventListener("abort", giveUp);
    };
    try {
      const options = {
        method,
        headers,
        redirect: "manual",
        signal: abort.signal,
        body: (body !== null && typeof body === "object" && Symbol.asyncIterator in body
          ? streamOf(body)
          : body) as BodyInit | null,
        // Bun's own.
        decompress: false,
        ...(proxy !== null && { proxy }),
        tls,
        duplex: "half",
      };
      // Without a password: the session has made a header of it, or has refused to.
      const response = await fetch(shownUrl(url), options as RequestInit);
      return new FetchResponse(response, abort, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the session was closed"));
    await Promise.resolve();
  }
}

class FetchResponse implements WireResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #abort: AbortController;
  readonly #release: () => void;
  #isOver = false;

  constructor(response: Response, abort: AbortController, release: () => void) {
    this.status = response.status;
    this.statusText = response.statusText;
    this.headers = response.headers;
    this.#reader = response.body?.getReader() ?? null;
    this.#abort = abort;
    this.#release = release;
  }

  async read(): Promise<Uint8Array | null> {
    const piece = await this.#reader?.read();
    if (piece?.done === false) return piece.value;
    this.#isOver = true;
    this.#release();
    return null;
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#abort.abort(new Error("the rest of the response was given up"));
  }
}

function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await iterator.next();
        if (piece.done === true) controller.close();
        else controller.enqueue(piece.value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
