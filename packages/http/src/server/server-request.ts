import type { IncomingMessage, ServerResponse } from "node:http";
import { CancelledError, coroutine, InvalidStateError } from "corio";
import type { Coroutine } from "corio";
import { HttpException } from "../errors.ts";
import { concatBytes, decodeText } from "../shared/bytes.ts";
import { Wakeup } from "../shared/wakeup.ts";
import { Reply } from "./reply.ts";
import { isUpgrade, runWebSocket } from "./upgrade.ts";
import type { WebSocketAcceptOptions, WebSocketBody } from "./upgrade.ts";

/** What the task of a request is cancelled with: `error.reason` says it. */
export const DISCONNECTED = "the client went away";

/** What a handler returns that has answered with a WebSocket. */
export const UPGRADED: Reply = new Reply();

/** Addresses whose path is what stands there: nothing in it is escaped, or taken away by the rules of URLs. */
function isPlain(target: string): boolean {
  return PLAIN_TARGET.test(target) && !target.includes("/.");
}
const PLAIN_TARGET = /^\/[\w\-~!$&'()*+,;=:@./]*(?:\?[^#]*)?$/;
const PLAIN_HOST = /^[a-z\d.-]+(?::\d{1,4})?$/i;

const ignore = (): void => undefined;

/**
 * What a handler is given: a request, whose body is still to be read.
 *
 * aiohttp: `web.Request`.
 */
export class ServerRequest implements AsyncIterable<Uint8Array> {
  /** Node's own object, for what is missing here. Its body is not to be read by it. */
  readonly incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #expectsContinue: boolean;
  readonly #onAccept: (sayGoodbye: () => void) => void;
  #url: URL | null = null;
  #headers: Headers | null = null;
  #maxBodySize: number | null;
  #isReading = false;
  #received = 0;

  /** @internal */
  constructor(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    maxBodySize: number | null,
    expectsContinue: boolean,
    onAccept: (sayGoodbye: () => void) => void,
  ) {
    this.incoming = incoming;
    this.#outgoing = outgoing;
    this.#maxBodySize = maxBodySize;
    this.#expectsContinue = expectsContinue;
    this.#onAccept = onAccept;
    // A body that is cut off is an error of Node's: the task is cancelled for it, and need not get it as well.
    incoming.on("error", ignore);
  }

  /** `GET`, `POST` and so on. */
  get method(): string {
    return this.incoming.method ?? "GET";
  }

  /** The whole address. The host is what the client says it is. */
  get url(): URL {
    if (this.#url === null) {
      const target = this.incoming.url ?? "/";
      const { encrypted } = this.incoming.socket as { readonly encrypted?: boolean };
      const scheme = encrypted === true ? "https" : "http";
      const host = this.incoming.headers.host ?? "localhost";
      const base = `${scheme}://${host}`;
      try {
        // What else than a host the header has would become a part of the path.
        if (/[\s/?#@\\]/.test(host)) throw new TypeError(`${host} is no host`);
        const url = target.startsWith("/") ? new URL(base + target) : new URL(target, base);
        if (!/^https?:$/.test(url.protocol)) throw new TypeError(`${target} is no address`);
        this.#url = url;
      } catch (error) {
        throw new HttpException(400, "the address or the Host header cannot be understood", { cause: error });
      }
    }
    return this.#url;
  }

  /** The path of the address, percent-encoded as it came. */
  get path(): string {
    // Most addresses need not be taken apart for it.
    const target = this.incoming.url ?? "/";
    if (this.#url !== null || !isPlain(target) || !PLAIN_HOST.test(this.incoming.headers.host ?? ""))
      return this.url.pathname;
    const end = target.indexOf("?");
    return end < 0 ? target : target.slice(0, end);
  }

  /** What follows the `?`. */
  get query(): URLSearchParams {
    return this.url.searchParams;
  }

  /** The headers. */
  get headers(): Headers {
    if (this.#headers === null) {
      const headers = new Headers();
      const raw = this.incoming.rawHeaders;
      for (let index = 0; index + 1 < raw.length; index += 2)
        headers.append(raw[index] ?? "", raw[index + 1] ?? "");
      this.#headers = headers;
    }
    return this.#headers;
  }

  /** The cookies that the client sent. */
  get cookies(): ReadonlyMap<string, string> {
    const cookies = new Map<string, string>();
    for (const pair of (this.incoming.headers.cookie ?? "").split(";")) {
      const equals = pair.indexOf("=");
      if (equals > 0)
        cookies.set(
          pair.slice(0, equals).trim(),
          pair
            .slice(equals + 1)
            .trim()
            .replace(/^"(.*)"$/, "$1"),
        );
    }
    return cookies;
  }

  /** The address at the other end of the connection: of a proxy, if there is one. */
  get remoteAddress(): string | undefined {
    return this.incoming.socket.remoteAddress;
  }

  /** How many bytes of body this request may have; null for any number. Default: the server's `maxBodySize`. */
  set maxBodySize(bytes: number | null) {
    this.#maxBodySize = bytes;
  }

  get maxBodySize(): number | null {
    return this.#maxBodySize;
  }

  /**
   * The whole body. Throws `HttpException` with status 413 when it is larger than `maxBodySize`.
   *
   * Cancel safety: what was read before the cancel is lost. aiohttp: `read`.
   */
  read(): Coroutine<Uint8Array> {
    return readBody(this);
  }

  /** The body as text, in the charset that the Content-Type names. */
  text(): Coroutine<string> {
    return readText(this);
  }

  /** The body as JSON; status 400 when it is none. */
  json<T = unknown>(): Coroutine<T> {
    return readJson(this) as Coroutine<T>;
  }

  /** A form, of either kind; status 400 when it is none. Files are kept in memory. aiohttp: `post`. */
  form(): Coroutine<FormData> {
    return readForm(this);
  }

  /** The pieces of the body, as they come. While none is asked for, the client is not read from. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const { incoming } = this;
    if (this.#isReading)
      throw new InvalidStateError("the body of this request is being read, or was read, before");
    this.#isReading = true;
    this.#checkLength(Number(incoming.headers["content-length"] ?? 0));
    if (this.#expectsContinue) this.#outgoing.writeContinue();
    const wakeup = new Wakeup();
    const { wake } = wakeup;
    incoming.on("readable", wake);
    incoming.on("end", wake);
    incoming.on("close", wake);
    try {
      for (;;) {
        const chunk = incoming.read() as Uint8Array | null;
        if (chunk !== null) {
          this.#received += chunk.length;
          this.#checkLength(this.#received);
          yield chunk;
        } else if (incoming.readableEnded) return;
        else if (incoming.destroyed) throw new CancelledError(DISCONNECTED);
        else await wakeup.wait();
      }
    } finally {
      incoming.off("readable", wake);
      incoming.off("end", wake);
      incoming.off("close", wake);
    }
  }

  /** Whether the client asks for a WebSocket. */
  get isWebSocket(): boolean {
    return isUpgrade(this.incoming);
  }

  /**
   * Answers with a WebSocket, and calls `body` with it; closes it when `body` ends. Throws `HttpException` with status
   * 426 when the client did not ask for one. Give the result to the server: `return await request.webSocket(…)`.
   *
   * When the socket closes, a `body` that waits for a message sees its loop end, and one that waits for anything else is
   * cancelled; `cancelOnClose: false` is for those that must go on.
   *
   * @example
   * ```ts
   * import { run } from "corio";
   * import { ClientSession, serve } from "@corio/http";
   *
   * async function main() {
   *   await using server = await serve(async (request) => {
   *     return await request.webSocket(async (socket) => {
   *       for await (const message of socket) await socket.send(`you said ${String(message)}`);
   *     });
   *   });
   *   await using session = new ClientSession({ baseUrl: server.url });
   *   await using socket = await session.webSocket("/");
   *   await socket.send("hello");
   *   console.log(await socket.receive());
   * }
   *
   * await run(main);
   * ```
   * ```text output
   * you said hello
   * ```
   */
  async webSocket(body: WebSocketBody, options: WebSocketAcceptOptions = {}): Promise<Reply> {
    await runWebSocket(this.incoming, body, options, this.#onAccept);
    return UPGRADED;
  }

  #checkLength(length: number): void {
    if (this.#maxBodySize === null || length <= this.#maxBodySize) return;
    throw new HttpException(413, `the body is larger than ${this.#maxBodySize} bytes`, {
      headers: { connection: "close" },
    });
  }

  /** Throws away what is left of the body: Node does so only when nothing of it was read. @internal */
  dropRest(): void {
    if (!this.incoming.readableEnded) this.incoming.resume();
  }

  /** Whether more body may come than we would want to throw away to keep the connection. @internal */
  get leavesTooMuch(): boolean {
    const { incoming } = this;
    if (incoming.complete || incoming.readableEnded) return false;
    const { "content-length": length, "transfer-encoding": encoding } = incoming.headers;
    if (encoding !== undefined) return true;
    return this.#maxBodySize !== null && Number(length ?? 0) > this.#maxBodySize;
  }
}

const readBody = coroutine(async function read(request: ServerRequest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request) {
    chunks.push(chunk);
    length += chunk.length;
  }
  return concatBytes(chunks, length);
});

const readText = coroutine(async function text(request: ServerRequest): Promise<string> {
  return decodeText(await request.read(), request.incoming.headers["content-type"]);
});

const readJson = coroutine(async function json(request: ServerRequest): Promise<unknown> {
  const text = await request.text();
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HttpException(400, `the body is no JSON: ${(error as Error).message}`, { cause: error });
  }
});

const readForm = coroutine(async function form(request: ServerRequest): Promise<FormData> {
  const bytes = await request.read();
  const type = request.incoming.headers["content-type"] ?? "";
  try {
    // The bytes are there: nothing of it waits for the client.
    return await new Response(bytes as Uint8Array<ArrayBuffer>, {
      headers: { "content-type": type },
    }).formData();
  } catch (error) {
    throw new HttpException(400, "the body is no form", { cause: error });
  }
});
