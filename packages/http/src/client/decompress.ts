import { Readable } from "node:stream";
import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { PayloadError } from "../errors.ts";
import type { WireResponse } from "./transport.ts";

/** What a session asks servers for. */
export const ACCEPT_ENCODING = "gzip, deflate, br";

/** The response with its body unpacked, if it is packed in a way that is known here. */
export function decompress(response: WireResponse): WireResponse {
  const encodings = (response.headers.get("content-encoding") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  const [encoding = ""] = encodings;
  const inflater = encodings.length === 1 ? makeInflater(encoding) : null;
  return inflater === null ? response : new Unpacked(response, inflater);
}

function makeInflater(encoding: string): Transform | null {
  if (encoding === "gzip" || encoding === "x-gzip") return createGunzip();
  if (encoding === "deflate") return createInflate();
  if (encoding === "br") return createBrotliDecompress();
  return null;
}

class Unpacked implements WireResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly #packed: WireResponse;
  readonly #inflater: Transform;
  #chunks: AsyncIterator<Uint8Array> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(packed: WireResponse, inflater: Transform) {
    this.status = packed.status;
    this.statusText = packed.statusText;
    this.headers = packed.headers;
    this.#packed = packed;
    this.#inflater = inflater;
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#chunks === null) {
      // A body without a byte is not even a packed nothing: answers to HEAD have one.
      const first = await this.#packed.read();
      if (first === null) return null;
      const source = Readable.from(this.#pieces(first), { objectMode: false });
      source.on("error", (error) => this.#inflater.destroy(error));
      this.#chunks = source.pipe(this.#inflater)[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    }
    try {
      const piece = await this.#chunks.next();
      return piece.done === true ? null : piece.value;
    } catch (error) {
      if (this.#failure !== null) throw this.#failure.error;
      throw new PayloadError(`the body cannot be unpacked: ${(error as Error).message}`, { cause: error });
    }
  }

  async *#pieces(first: Uint8Array): AsyncGenerator<Uint8Array, void> {
    try {
      for (let chunk: Uint8Array | null = first; chunk !== null; chunk = await this.#packed.read())
        yield chunk;
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  abort(): void {
    this.#packed.abort();
    this.#inflater.destroy();
  }
}
