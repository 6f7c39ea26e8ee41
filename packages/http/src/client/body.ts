import { ArgumentTypeError, Future, isCancelledError } from "corio";
import { toBytes } from "../shared/bytes.ts";
import { cancellable } from "../shared/cancellable.ts";

/** What can be sent: text, bytes, a form (multipart), an URL-encoded form, or pieces as they are made. */
export type RequestBody =
  string | Uint8Array | URLSearchParams | FormData | AsyncIterable<string | Uint8Array>;

/** A body that is ready to be sent, and how often it can be. */
export interface EncodedBody {
  readonly contentType: string | null;
  /** A stream can be sent once. */
  readonly content: Uint8Array | string | AsyncIterable<string | Uint8Array> | null;
}

/** Of the options of a request. Throws `ArgumentTypeError` for what cannot be sent. */
export function encodeBody(options: { readonly data?: unknown; readonly json?: unknown }): EncodedBody {
  const { data, json } = options;
  if (json !== undefined) {
    if (data !== undefined) throw new ArgumentTypeError("a request has either data or json, not both");
    return { contentType: "application/json", content: JSON.stringify(json) };
  }
  if (data === undefined || data === null) return { contentType: null, content: null };
  if (typeof data === "string") return { contentType: "text/plain; charset=utf-8", content: data };
  if (data instanceof Uint8Array) return { contentType: "application/octet-stream", content: data };
  if (data instanceof URLSearchParams)
    return { contentType: "application/x-www-form-urlencoded", content: data.toString() };
  if (data instanceof FormData) {
    const response = new Response(data);
    // In this order: on Bun a response whose body was touched has no type any more.
    const contentType = response.headers.get("content-type");
    return { contentType, content: response.body };
  }
  if (typeof data === "object" && Symbol.asyncIterator in data)
    return { contentType: "application/octet-stream", content: data as AsyncIterable<string | Uint8Array> };
  throw new ArgumentTypeError(
    `data must be a string, bytes, a URLSearchParams, a FormData or an async iterable of pieces, got ${typeof data}; for objects there is json`,
  );
}

/**
 * Hands the pieces of a body from a task, in which the program's generator runs, to the transport, which asks for them
 * outside of any task.
 */
export class BodyChannel implements AsyncIterableIterator<Uint8Array> {
  #offered: { readonly chunk: Uint8Array; readonly taken: Future<void> } | null = null;
  #asked: { resolve: (result: IteratorResult<Uint8Array>) => void; reject: (error: unknown) => void } | null =
    null;
  #end: { readonly error: unknown } | null = null;
  #isClosed = false;

  /** The task's side: sends what `source` gives, at the transport's pace. Fails as the source does. */
  async pump(source: AsyncIterable<string | Uint8Array>): Promise<void> {
    try {
      for await (const piece of cancellable(source)) {
        const chunk = toBytes(piece);
        if (chunk.length === 0) continue;
        if (this.#isClosed) return;
        await this.#offer(chunk);
      }
      this.#finish(null);
    } catch (error) {
      this.#finish(isCancelledError(error) ? new Error("the body was cancelled") : error);
      throw error;
    }
  }

  async #offer(chunk: Uint8Array): Promise<void> {
    const asked = this.#asked;
    if (asked !== null) {
      this.#asked = null;
      asked.resolve({ done: false, value: chunk });
      return;
    }
    const taken = new Future<void>();
    this.#offered = { chunk, taken };
    await taken;
  }

  #finish(error: unknown): void {
    this.#end ??= { error };
    const asked = this.#asked;
    this.#asked = null;
    if (asked === null) return;
    if (error === null) asked.resolve({ done: true, value: undefined });
    else asked.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const offered = this.#offered;
    if (offered !== null) {
      this.#offered = null;
      if (!offered.taken.done()) offered.taken.setResult(undefined);
      return Promise.resolve({ done: false, value: offered.chunk });
    }
    if (this.#end !== null) {
      return this.#end.error === null
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(this.#end.error);
    }
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
    });
  }

  /** The transport wants no more. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.#isClosed = true;
    this.#finish(null);
    const offered = this.#offered;
    this.#offered = null;
    if (offered?.taken.done() === false) offered.taken.setResult(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }
}
