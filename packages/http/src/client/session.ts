import {
  ArgumentTypeError,
  coroutine,
  createTask,
  isCancelledError,
  sleep,
  TimeoutError,
  ValueError,
} from "corio";
import type { Coroutine, Duration, Task } from "corio";
import { keepOrClose, toSeconds } from "corio/pool";
import {
  ConnectError,
  ConnectionLostError,
  HttpError,
  HttpTimeoutError,
  PayloadError,
  SessionClosedError,
  TooManyRedirectsError,
} from "../errors.ts";
import { checkCount, checkSeconds } from "../shared/checks.ts";
import { EventParser } from "../shared/events.ts";
import type { ReceivedEvent } from "../shared/events.ts";
import type { WebSocketConnection } from "../shared/web-socket.ts";
import { BodyChannel, encodeBody } from "./body.ts";
import type { EncodedBody, RequestBody } from "./body.ts";
import { basicAuthorization } from "./basic-authorization.ts";
import { CookieJar } from "./cookie-jar.ts";
import { Deadline } from "./deadline.ts";
import type { Limits } from "./deadline.ts";
import { ACCEPT_ENCODING, decompress } from "./decompress.ts";
import { ClientResponse, endSender } from "./response.ts";
import { checkRetry, RetryPlan } from "./retry.ts";
import type { RetryOptions } from "./retry.ts";
import { shownUrl } from "./shown-url.ts";
import type { TlsOptions, Transport, TransportOptions } from "./transport.ts";
import { connectWebSocket } from "./web-socket.ts";
import type { WebSocketOptions } from "./web-socket.ts";

/** Time limits of a request, in seconds; null for none. */
export interface RequestTimeouts {
  /** From the start to the end of the body, redirects and retries included. Default 300. */
  readonly total?: Duration | null | undefined;
  /** Until there is a connection: a new one, or one that becomes free. Default 30. */
  readonly connect?: Duration | null | undefined;
  /** How long the server may be silent: before its response, and in the middle of it. Default null. */
  readonly read?: Duration | null | undefined;
}

/** Headers: a record, pairs, or a `Headers`. */
export type HeadersLike = Headers | Readonly<Record<string, string>> | readonly (readonly [string, string])[];

/** Options of one request. */
export interface RequestOptions {
  /** They are added to those of the session, and win. */
  readonly headers?: HeadersLike | undefined;
  /** Added to the query of the address. */
  readonly params?: Readonly<Record<string, string | number | boolean>> | URLSearchParams | undefined;
  /** The body. An async generator is iterated in a task of its own, at the pace of the server. */
  readonly data?: RequestBody | undefined;
  /** A value that is sent as JSON. */
  readonly json?: unknown;
  /** The total limit, or several; what is not given is as in the session. */
  readonly timeout?: Duration | RequestTimeouts | null | undefined;
  /** How many redirects are followed; 0 gives them as they are. Default: the session's. */
  readonly maxRedirects?: number | undefined;
  /** When to try again. Default: the session's; null: never. */
  readonly retry?: RetryOptions | null | undefined;
  /** Throws `ResponseError` for a status of 400 or more. Default: the session's. */
  readonly raiseForStatus?: boolean | undefined;
  /** How many bytes the body of the response may have, unpacked. Default: the session's. */
  readonly maxBodySize?: number | null | undefined;
}

/** Options of a session. */
export interface ClientSessionOptions {
  /** What relative addresses begin with. */
  readonly baseUrl?: string | URL | undefined;
  /** Sent with each request. */
  readonly headers?: HeadersLike | undefined;
  /** The total limit of each request, or several. Default `{ total: 300, connect: 30 }`. */
  readonly timeout?: Duration | RequestTimeouts | null | undefined;
  /** How many connections there may be to one host at once; null for any number. Default 100. */
  readonly maxConnectionsPerHost?: number | null | undefined;
  /** How long an idle connection is kept. Default 4 seconds; servers may ask for less. */
  readonly keepAliveTimeout?: Duration | undefined;
  /** Default 10. More throw `TooManyRedirectsError`. */
  readonly maxRedirects?: number | undefined;
  /** Default null: a request is sent once. */
  readonly retry?: RetryOptions | null | undefined;
  /** Throws `ResponseError` for each status of 400 or more. Default false. */
  readonly raiseForStatus?: boolean | undefined;
  /**
   * How many bytes the body of a response may have, after it was unpacked: against servers that are not trusted. More
   * throw `PayloadError`. Default null: any number.
   */
  readonly maxBodySize?: number | null | undefined;
  /** Where cookies are kept; sessions may share one. Null: none are kept, none are sent. */
  readonly cookieJar?: CookieJar | null | undefined;
  /** Whether packed responses are asked for and unpacked. Default true. */
  readonly decompress?: boolean | undefined;
  /** The address of a proxy: `http://user:password@proxy:3128`. */
  readonly proxy?: string | undefined;
  /** How servers are trusted. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Speaks HTTP/2 with the servers of `https:` that do. Each connection has one request at a time, as with HTTP/1.1: what
   * undici has beyond that would let one request hold up, or take along, others. A request that is given up resets its
   * stream, and the connection stays. Default false. It has no effect on Bun, and through a proxy.
   */
  readonly http2?: boolean | undefined;
}

/** A function that is called with a response, which is closed when it ends. */
export type ResponseBody<T> = (response: ClientResponse) => T | PromiseLike<T>;

/**
 * Requests that share connections, cookies and defaults. A response belongs to who asked for it: read it to its end, or
 * close it; `session.get(url, body)` and `await using` do that.
 *
 * Cancel safety, of all requests: a cancelled request is over when its `CancelledError` is thrown. Its connection has
 * been closed if anything of the request was sent, and is good for the next one if not.
 *
 * aiohttp: `ClientSession`.
 *
 * @example
 * ```ts
 * import { gather, run } from "corio";
 * import { ClientSession, Reply, serve } from "@corio/http";
 *
 * async function main() {
 *   await using server = await serve((request) => Reply.json({ double: 2 * Number(request.query.get("n")) }));
 *   await using session = new ClientSession({ baseUrl: server.url });
 *   const double = (n: number) => session.get("/", { params: { n } }, (response) => response.json());
 *   console.log(await gather([1, 2].map(double)));
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * [ { double: 2 }, { double: 4 } ]
 * ```
 */
export class ClientSession implements AsyncDisposable {
  /** Its cookies; null when it keeps none. */
  readonly cookies: CookieJar | null;
  readonly #options: ClientSessionOptions;
  readonly #headers: Headers;
  readonly #baseUrl: URL | null;
  #transport: Promise<Transport> | null = null;
  #isClosed = false;

  /** Opens nothing yet. Throws `ArgumentTypeError` and `ValueError` for impossible options. */
  constructor(options: ClientSessionOptions = {}) {
    this.#options = options;
    this.cookies = options.cookieJar === undefined ? new CookieJar() : options.cookieJar;
    this.#headers = toHeaders(options.headers);
    this.#baseUrl = options.baseUrl === undefined ? null : toUrl(String(options.baseUrl), null);
    limitsOf(options.timeout, undefined);
    checkOptions(options);
    checkCount(options.maxConnectionsPerHost, "maxConnectionsPerHost", 1);
    if (options.keepAliveTimeout !== undefined) checkSeconds(options.keepAliveTimeout, "keepAliveTimeout");
    if (options.proxy !== undefined) checkProxy(options.proxy);
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a request; gives the response as soon as its head is here. */
  request(method: string, url: string | URL, options?: RequestOptions): Coroutine<ClientResponse>;
  /** Sends a request, and calls `body` with the response, which is closed when `body` ends. */
  request<T>(method: string, url: string | URL, body: ResponseBody<T>): Coroutine<T>;
  request<T>(method: string, url: string | URL, options: RequestOptions, body: ResponseBody<T>): Coroutine<T>;
  request<T>(
    method: string,
    url: string | URL,
    options?: RequestOptions | ResponseBody<T>,
    body?: ResponseBody<T>,
  ): Coroutine<T | ClientResponse> {
    if (typeof options === "function") return withResponse(this, method, url, {}, options);
    if (body !== undefined) return withResponse(this, method, url, options ?? {}, body);
    return sendRequest(this, method, url, options ?? {});
  }

  /** `request("GET", …)`. */
  get(url: string | URL, options?: RequestOptions): Coroutine<ClientResponse>;
  get<T>(url: string | URL, body: ResponseBody<T>): Coroutine<T>;
  get<T>(url: string | URL, options: RequestOptions, body: ResponseBody<T>): Coroutine<T>;
  get<T>(
    url: string | URL,
    options?: RequestOptions | ResponseBody<T>,
    body?: ResponseBody<T>,
  ): Coroutine<unknown> {
    return this.request("GET", url, options as RequestOptions, body as ResponseBody<T>);
  }

  /** `request("HEAD", …)`. */
  head(url: string | URL, options?: RequestOptions): Coroutine<ClientResponse>;
  head<T>(url: string | URL, body: ResponseBody<T>): Coroutine<T>;
  head<T>(url: string | URL, options: RequestOptions, body: ResponseBody<T>): Coroutine<T>;
  head<T>(
    url: string | URL,
    options?: RequestOptions | ResponseBody<T>,
    body?: ResponseBody<T>,
  ): Coroutine<unknown> {
    return this.request("HEAD", url, options as RequestOptions, body as ResponseBody<T>);
  }

  /** `request("POST", …)`. */
  post(url: string | URL, options?: RequestOptions): Coroutine<ClientResponse>;
  post<T>(url: string | URL, body: ResponseBody<T>): Coroutine<T>;
  post<T>(url: string | URL, options: RequestOptions, body: ResponseBody<T>): Coroutine<T>;
  post<T>(
    url: string | URL,
    options?: RequestOptions | ResponseBody<T>,
    body?: ResponseBody<T>,
  ): Coroutine<unknown> {
    return this.request("POST", url, options as RequestOptions, body as ResponseBody<T>);
  }

  /** `request("PUT", …)`. */
  put(url: string | URL, options?: RequestOptions): Coroutine<ClientResponse>;
  put<T>(url: string | URL, body: ResponseBody<T>): Coroutine<T>;
  put<T>(url: string | URL, options: RequestOptions, body: ResponseBody<T>): Coroutine<T>;
  put<T>(
    url: string | URL,
    options?: RequestOptions | ResponseBody<T>,
    body?: ResponseBody<T>,
  ): Coroutine<unknown> {
    return this.request("PUT", url, options as RequestOptions, body as ResponseBody<T>);
  }

  /** `request("PATCH", …)`. */
  patch(url: string | URL, options?: RequestOptions): Coroutine<ClientResponse>;
  patch<T>(url: string | URL, body: ResponseBody<T>): Coroutine<T>;
  patch<T>(url: string | URL, options: RequestOptions, body: ResponseBody<T>): Coroutine<T>;
  patch<T>(
    url: string | URL,
    options?: RequestOptions | ResponseBody<T>,
    body?: ResponseBody<T>,
  ): Coroutine<unknown> {
    return this.request("PATCH", url, options as RequestOptions, body as ResponseBody<T>);
  }

  /** `request("DELETE", …)`. */
  delete(url: string | URL, options?: RequestOptions): Coroutine<ClientResponse>;
  delete<T>(url: string | URL, body: ResponseBody<T>): Coroutine<T>;
  delete<T>(url: string | URL, options: RequestOptions, body: ResponseBody<T>): Coroutine<T>;
  delete<T>(
    url: string | URL,
    options?: RequestOptions | ResponseBody<T>,
    body?: ResponseBody<T>,
  ): Coroutine<unknown> {
    return this.request("DELETE", url, options as RequestOptions, body as ResponseBody<T>);
  }

  /**
   * Server-sent events. When the connection ends, or is lost, it connects again after a pause, and tells the server what
   * it has got (`Last-Event-ID`). A status of 204 ends it quietly, one of 400 or more with `ResponseError`, and what is no
   * event stream with `PayloadError`. The total time limit is not applied; a server that is silent for longer than `read`
   * is connected to again.
   */
  async *events(url: string | URL, options: RequestOptions = {}): AsyncGenerator<ReceivedEvent, void> {
    const parser = new EventParser();
    let failures = 0;
    for (;;) {
      const headers = toHeaders(options.headers);
      headers.set("accept", "text/event-stream");
      if (parser.lastId !== "") headers.set("last-event-id", parser.lastId);
      try {
        const limits = limitsOf(options.timeout, this.#options.timeout);
        const timeout = { ...limits, total: null };
        await using response = await this.get(url, { ...options, headers, timeout, raiseForStatus: true });
        if (response.status === 204) return;
        const type = response.headers.get("content-type") ?? "";
        if (!/^text\/event-stream\s*(;|$)/i.test(type))
          throw new NoEventStream(
            `GET ${shownUrl(new URL(response.url))}: no event stream, but ${type || "nothing known"}`,
          );
        failures = 0;
        parser.restart();
        for await (const event of response.events(parser)) yield event;
      } catch (error) {
        const isLost =
          (error instanceof HttpError &&
            error.code !== "CORIO_HTTP_BAD_STATUS" &&
            !(error instanceof NoEventStream)) ||
          error instanceof HttpTimeoutError;
        if (!isLost || this.#isClosed) throw error;
        if (++failures > 10) throw error;
      }
      // What the server has asked for is for when it is well.
      const patience = failures === 0 ? 0 : Math.min(0.5 * 2 ** failures, 30);
      await sleep(Math.max(parser.retry ?? 0.5, patience));
    }
  }

  /** Opens a WebSocket; `http:` addresses will do. See `WebSocketConnection`. aiohttp: `ws_connect`. */
  webSocket(url: string | URL, options: WebSocketOptions = {}): Coroutine<WebSocketConnection> {
    return openWebSocket(this, url, options);
  }

  /** Closes all connections. Requests that are under way fail. */
  close(): Coroutine<void> {
    return closeSession(this);
  }

  /** Closes the session at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ── What is behind it ─────────────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  async closeNow(): Promise<void> {
    this.#isClosed = true;
    const transport = await this.#transport;
    this.#transport = null;
    await transport?.close();
  }

  /** @internal */
  async connectNow(url: string | URL, options: WebSocketOptions): Promise<WebSocketConnection> {
    this.#checkOpen();
    const target = toUrl(url, this.#baseUrl);
    const headers = this.#headersFor(target, options.headers);
    const cookieUrl = new URL(target);
    cookieUrl.protocol = target.protocol.replace(/^ws/, "http");
    this.#addCookies(headers, cookieUrl);
    const limits = limitsOf(undefined, this.#options.timeout);
    return await connectWebSocket(target, headers, limits.connect, this.#options.tls ?? {}, options);
  }

  /** @internal */
  async requestNow(method: string, url: string | URL, options: RequestOptions): Promise<ClientResponse> {
    this.#checkOpen();
    const wanted = method.toUpperCase();
    if (wanted === "CONNECT")
      throw new ValueError("CONNECT is for proxies: see the option proxy of sessions");
    const target = toHttpUrl(url, this.#baseUrl);
    addParams(target, options.params);
    checkOptions(options);
    const body = encodeBody(options);
    // Before the clock begins to tick: the first time something has to be loaded.
    const transport = await this.#open();
    const deadline = new Deadline(
      `${wanted} ${shownUrl(target)}`,
      limitsOf(options.timeout, this.#options.timeout),
    );
    const plan = new RetryPlan(canSendAgain(body) ? (options.retry ?? this.#retry(options)) : null, wanted);
    for (;;) {
      let pause: number | null;
      try {
        const response = await this.#follow(transport, wanted, target, body, options, deadline);
        pause = plan.afterResponse(response.status, response.headers);
        if (pause === null) {
          if (options.raiseForStatus ?? this.#options.raiseForStatus ?? false) await raise(response);
          return response;
        }
        await response.close();
      } catch (error) {
        const isLost = error instanceof ConnectionLostError;
        pause = isLost || error instanceof ConnectError ? plan.afterFailure(isLost) : null;
        if (pause === null) throw error;
      }
      await deadline.pause(pause);
    }
  }

  #retry(options: RequestOptions): RetryOptions | null {
    return options.retry === null ? null : (this.#options.retry ?? null);
  }

  async #follow(
    transport: Transport,
    firstMethod: string,
    firstUrl: URL,
    firstBody: EncodedBody,
    options: RequestOptions,
    deadline: Deadline,
  ): Promise<ClientResponse> {
    const maxRedirects = options.maxRedirects ?? this.#options.maxRedirects ?? 10;
    const history: ClientResponse[] = [];
    let [method, url, body] = [firstMethod, firstUrl, firstBody];
    let isSameOrigin = true;
    for (;;) {
      const headers = this.#headersFor(url, options.headers);
      // Secrets, and its name, are for the server that they were given for.
      if (!isSameOrigin)
        for (const name of ["authorization", "cookie", "host", "proxy-authorization"]) headers.delete(name);
      // The body is gone, and with it what was said about it.
      if (body !== firstBody)
        for (const name of [...headers.keys()])
          if (name.startsWith("content-") || name === "transfer-encoding") headers.delete(name);
      this.#addCookies(headers, url);
      if (body.contentType !== null && !headers.has("content-type"))
        headers.set("content-type", body.contentType);
      const response = await this.#exchange(
        { transport, method, url, headers, body, deadline, history: [...history] },
        options.maxBodySize === undefined ? (this.#options.maxBodySize ?? null) : options.maxBodySize,
      );
      for (const cookie of response.headers.getSetCookie()) this.cookies?.set(url, cookie);
      const location = response.headers.get("location");
      if (maxRedirects === 0 || location === null || ![301, 302, 303, 307, 308].includes(response.status))
        return response;
      const becomesGet =
        response.status === 303 ? method !== "HEAD" : response.status < 303 && method === "POST";
      if (!becomesGet && !canSendAgain(body)) return response;
      await response.close();
      history.push(response);
      if (history.length > maxRedirects) {
        throw new TooManyRedirectsError(
          `${firstMethod} ${shownUrl(firstUrl)}: more than ${maxRedirects} redirects`,
        );
      }
      const next = redirectUrl(location, url, `${method} ${shownUrl(url)}`);
      if (next.hash === "") next.hash = url.hash;
      isSameOrigin &&= next.origin === url.origin;
      if (isSameOrigin && next.username === "") [next.username, next.password] = [url.username, url.password];
      url = next;
      if (becomesGet) {
        method = "GET";
        body = { contentType: null, content: null };
      }
    }
  }

  #addCookies(headers: Headers, url: URL): void {
    const cookies = this.cookies?.headerFor(url) ?? null;
    if (cookies === null) return;
    const own = headers.get("cookie");
    headers.set("cookie", own === null ? cookies : `${own}; ${cookies}`);
  }

  /** One request, one response. */
  async #exchange(parts: ExchangeParts, maxBodySize: number | null): Promise<ClientResponse> {
    const { transport, method, url, headers, deadline, history } = parts;
    const { content } = parts.body;
    let sender: Task | null = null;
    let isConnected = false;
    try {
      let wireBody: Uint8Array | string | BodyChannel | null;
      if (content !== null && typeof content === "object" && Symbol.asyncIterator in content) {
        const channel = new BodyChannel();
        wireBody = channel;
        sender = createTask(() => channel.pump(content), { name: `body of ${method} ${url.pathname}` });
      } else wireBody = content;
      const wire = await deadline.response((signal, onConnected) =>
        transport.send({
          method,
          url,
          headers,
          body: wireBody,
          signal,
          onConnected: () => {
            isConnected = true;
            onConnected();
          },
        }),
      );
      const unpacked = this.#options.decompress === false ? wire : decompress(wire);
      return new ClientResponse({ wire: unpacked, url, method, deadline, sender, history, maxBodySize });
    } catch (error) {
      // What the program's own generator has thrown is what the program wants to see.
      if (sender?.done() === true && !sender.cancelled()) {
        const failure = sender.exception();
        if (failure !== null) throw failure;
      }
      if (sender !== null) await endSender(sender);
      if (isCancelledError(error) || error instanceof TimeoutError || error instanceof ArgumentTypeError)
        throw error;
      if (this.#isClosed) throw new SessionClosedError("the session was closed", { cause: error });
      throw failureOf(`${method} ${shownUrl(url)}`, error, isConnected);
    }
  }

  #headersFor(url: URL, own: HeadersLike | undefined): Headers {
    const headers = new Headers();
    headers.set("accept", "*/*");
    if (this.#options.decompress !== false) headers.set("accept-encoding", ACCEPT_ENCODING);
    if (url.username !== "") headers.set("authorization", basicAuthorization(url));
    for (const [name, value] of this.#headers) headers.set(name, value);
    for (const [name, value] of toHeaders(own)) headers.set(name, value);
    return headers;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new SessionClosedError("the session is closed: make another one");
  }

  async #open(): Promise<Transport> {
    this.#transport ??= openTransport({
      maxConnectionsPerHost:
        this.#options.maxConnectionsPerHost === undefined ? 100 : this.#options.maxConnectionsPerHost,
      keepAliveTimeout: toSeconds(this.#options.keepAliveTimeout ?? 4, "keepAliveTimeout"),
      proxy: this.#options.proxy ?? null,
      http2: this.#options.http2 ?? false,
      tls: this.#options.tls ?? {},
    });
    return await this.#transport;
  }
}

interface ExchangeParts {
  readonly transport: Transport;
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: EncodedBody;
  readonly deadline: Deadline;
  readonly history: readonly ClientResponse[];
}

/** Loaded when it is needed: Bun has no undici, and the others should not load what is for Bun. */
async function openTransport(options: TransportOptions): Promise<Transport> {
  if ("Bun" in globalThis) {
    const { FetchTransport } = await import("./fetch-transport.ts");
    return new FetchTransport(options);
  }
  const { UndiciTransport } = await import("./undici-transport.ts");
  return new UndiciTransport(options);
}

async function raise(response: ClientResponse): Promise<void> {
  try {
    response.raiseForStatus();
  } catch (error) {
    await response.close();
    throw error;
  }
}

function canSendAgain({ content }: EncodedBody): boolean {
  return content === null || typeof content === "string" || content instanceof Uint8Array;
}

function failureOf(what: string, error: unknown, isConnected: boolean): unknown {
  if (error instanceof HttpError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  // What undici does not send: the program has asked for it.
  if (
    code === "UND_ERR_INVALID_ARG" ||
    code === "UND_ERR_NOT_SUPPORTED" ||
    code === "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"
  )
    return new ArgumentTypeError(`${what}: ${text}`, { cause: error });
  const isRefused =
    typeof code === "string" &&
    /^(ECONNREFUSED|ConnectionRefused|ENOTFOUND|EAI_|FailedToOpenSocket)/.test(code);
  if (isRefused || !isConnected)
    return new ConnectError(`${what}: cannot connect: ${text || String(code)}; check host and port`, {
      cause: error,
    });
  return new ConnectionLostError(`${what}: the connection was lost before the response came: ${text}`, {
    cause: error,
  });
}

/** What is not tried again: the answer would be the same. */
class NoEventStream extends PayloadError {}

function redirectUrl(location: string, from: URL, what: string): URL {
  try {
    const url = toHttpUrl(asUtf8(location), from);
    if (url.username !== "") basicAuthorization(url);
    return url;
  } catch (error) {
    throw new PayloadError(
      `${what}: the server redirects to ${JSON.stringify(location)}, which is no address`,
      {
        cause: error,
      },
    );
  }
}

/** A header has bytes, one a character. Servers that do not escape an address mean UTF-8, as browsers take it. */
function asUtf8(header: string): string {
  if (!/[\x80-\xff]/.test(header) || /[^\0-\xff]/.test(header)) return header;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(header, "latin1"));
  } catch {
    return header;
  }
}

function toUrl(url: string | URL, base: URL | null): URL {
  let parsed: URL;
  try {
    parsed = base === null ? new URL(url) : new URL(url, base);
  } catch (error) {
    throw new ValueError(
      `${String(url)} is no address${base === null ? "; a relative one needs a session with a baseUrl" : ""}`,
      { cause: error },
    );
  }
  if (!/^(https?|wss?):$/.test(parsed.protocol))
    throw new ValueError(`${shownUrl(parsed)}: only http: and https: addresses can be asked`);
  return parsed;
}

/** Those of WebSockets are for `webSocket`. */
function toHttpUrl(url: string | URL, base: URL | null): URL {
  const parsed = toUrl(url, base);
  if (!parsed.protocol.startsWith("http"))
    throw new ValueError(`${shownUrl(parsed)}: only http: and https: addresses can be asked`);
  return parsed;
}

function toHeaders(given: HeadersLike | undefined): Headers {
  try {
    return new Headers(given as HeadersInit | undefined);
  } catch (error) {
    throw new ArgumentTypeError(`headers: ${(error as Error).message}`, { cause: error });
  }
}

/** What the session's options and those of a request have in common. */
function checkOptions({ maxBodySize, maxRedirects, retry }: ClientSessionOptions | RequestOptions): void {
  checkCount(maxBodySize, "maxBodySize");
  checkCount(maxRedirects, "maxRedirects");
  checkRetry(retry);
}

function checkProxy(address: string): void {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new ValueError(
      `proxy expects an address such as "http://proxy:3128", got ${url === null ? JSON.stringify(address) : url.protocol}`,
    );
  basicAuthorization(url);
}

function addParams(url: URL, params: RequestOptions["params"]): void {
  const pairs = params instanceof URLSearchParams ? params : Object.entries(params ?? {});
  for (const [name, value] of pairs) url.searchParams.append(name, String(value));
}

function limitsOf(
  own: Duration | RequestTimeouts | null | undefined,
  session: Duration | RequestTimeouts | null | undefined,
): Limits {
  const first = timeoutsOf(own);
  const second = timeoutsOf(session);
  const limit = (kind: keyof Limits, fallback: number | null): number | null => {
    const given = first[kind] === undefined ? second[kind] : first[kind];
    if (given === undefined) return fallback;
    return given === null ? null : toSeconds(given, `timeout: ${kind}`);
  };
  return { total: limit("total", 300), connect: limit("connect", 30), read: limit("read", null) };
}

function timeoutsOf(given: Duration | RequestTimeouts | null | undefined): RequestTimeouts {
  if (given === undefined) return {};
  if (given === null) return { total: null };
  const isLimits = typeof given === "object" && ("total" in given || "connect" in given || "read" in given);
  return isLimits ? given : { total: given as Duration };
}

// Coroutines: they run nothing until they are awaited.
const sendRequest = coroutine(async function request(
  session: ClientSession,
  method: string,
  url: string | URL,
  options: RequestOptions,
): Promise<ClientResponse> {
  const response = await session.requestNow(method, url, options);
  return await keepOrClose(response, () => response.closeNow());
});

function withResponse<T>(
  session: ClientSession,
  method: string,
  url: string | URL,
  options: RequestOptions,
  body: ResponseBody<T>,
): Coroutine<T> {
  // A coroutine function has no type parameters.
  return useResponse(session, method, url, options, body) as Coroutine<T>;
}

const useResponse = coroutine(async function request(
  session: ClientSession,
  method: string,
  url: string | URL,
  options: RequestOptions,
  body: ResponseBody<unknown>,
): Promise<unknown> {
  const response = await session.requestNow(method, url, options);
  try {
    return await body(response);
  } finally {
    await response.closeNow();
  }
});

const openWebSocket = coroutine(async function webSocket(
  session: ClientSession,
  url: string | URL,
  options: WebSocketOptions,
): Promise<WebSocketConnection> {
  return await session.connectNow(url, options);
});

const closeSession = coroutine(async function close(session: ClientSession): Promise<void> {
  await session.closeNow();
});
