import { Readable } from "node:stream";
import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from "node:zlib";
import { PayloadError } from "../errors.ts";
import type { WireResponse } from "./transport.ts";

/** What a session asks servers for. */
export const ACCEPT_ENCODING = "gzip, deflate, br";

/** More than anybody needs; each costs memory, and a server may name as many as it likes. */
const MOST_ENCODINGS = 5;

/** The response with its body unpacked, if it is packed in ways that are known here: as a whole, or not at all. */
export function decompress(response: WireResponse): WireResponse {
  const encodings = (response.headers.get("content-encoding") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
  const inflaters = encodings.map((name) => INFLATERS.get(name)).filter((make) => make !== undefined);
  if (inflaters.length < encodings.length || encodings.length > MOST_ENCODINGS) return response;
  // They stand in the order in which the server has packed.
  return inflaters.reduceRight<WireResponse>((packed, make) => new Unpacked(packed, make), response);
}

/** What unpacks a body that begins with these bytes. */
type MakeInflater = (first: Uint8Array) => Transform;

const INFLATERS: ReadonlyMap<string, MakeInflater> = new Map<string, MakeInflater>([
  ["br", () => createBrotliDecompress()],
  // Some servers leave out the two bytes with which the format begins, as browsers have always let them.
  ["deflate", ([first = 0]) => ((first & 0x0f) === 8 ? createInflate() : createInflateRaw())],
  ["gzip", () => createGunzip()],
  ["x-gzip", () => createGunzip()],
]);

class Unpacked implements WireResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly #packed: WireResponse;
  readonly #make: MakeInflater;
  #inflater: Transform | null = null;
  #chunks: AsyncIterator<Uint8Array> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(packed: WireResponse, make: MakeInflater) {
    this.status = packed.status;
    this.statusText = packed.statusText;
    this.headers = packed.headers;
    this.#packed = packed;
    this.#make = make;
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#chunks === null) {
      // A body without a byte is not even a packed nothing: answers to HEAD have one.
      const first = await this.#packed.read();
      if (first === null) return null;
      const inflater = (this.#inflater = this.#make(first));
      const source = Readable.from(this.#pieces(first), { objectMode: false });
      source.on("error", (error) => inflater.destroy(error));
      // Who reads is told by the iterator; when nobody does any more, nobody is to be told.
      inflater.on("error", () => undefined);
      this.#chunks = source.pipe(inflater)[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    }
    try {
      const piece = await this.#chunks.next();
      if (piece.done !== true) return piece.value;
      // Something may come behind what was packed: nobody reads it, and it would keep the connection.
      this.#packed.abort();
      return null;
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
    this.#inflater?.destroy();
  }
}
