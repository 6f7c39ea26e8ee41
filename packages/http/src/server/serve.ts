import { createServer, STATUS_CODES } from "node:http";
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { ServerOptions as TlsServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { isLastOnConnection, watchResponse } from "@corio/request";
import {
  ArgumentTypeError,
  copyContext,
  coroutine,
  Event,
  Future,
  getRunningLoop,
  isCancelledError,
  timeout,
  TimeoutError,
  until,
} from "corio";
import type { Context, Coroutine, Duration, EventLoop, Task } from "corio";
import { HttpException } from "../errors.ts";
import { cancellable } from "../shared/cancellable.ts";
import { toBytes } from "../shared/bytes.ts";
import { checkCount, checkSeconds } from "../shared/checks.ts";
import { Wakeup } from "../shared/wakeup.ts";
import { pipelineOf } from "./pipeline.ts";
import { Reply } from "./reply.ts";
import type { ReplyBody } from "./reply.ts";
import { DISCONNECTED, ServerRequest, UPGRADED } from "./server-request.ts";
import { acceptWebSockets } from "./upgrade.ts";

/** What a handler may return: a reply, its text, or null for one without a body. */
export type HandlerResult = Reply | string | null;

/** Answers a request. It runs in a task of its own, which is cancelled when the client goes away. */
export type Handler = (request: ServerRequest) => HandlerResult | PromiseLike<HandlerResult>;

/** Options of `serve`. Durations are seconds; a limit that is null is none. */
export interface ServeOptions {
  /** Default: any free port; `server.port` says which. */
  readonly port?: number | undefined;
  /** Default `127.0.0.1`: this machine only. `0.0.0.0` or `::` for all. */
  readonly host?: string | undefined;
  /** Serves HTTPS: `{ key, cert }` and whatever else Node's TLS takes. */
  readonly tls?: TlsServerOptions | undefined;
  /** How many bytes the first line and the headers may have. Default 16 KiB. Refused with status 431. */
  readonly maxHeaderSize?: number | undefined;
  /** How many bytes a body may have. Default 1 MiB. Refused with status 413. `request.maxBodySize` changes it for one. */
  readonly maxBodySize?: number | null | undefined;
  /** How many connections there may be at once; more are closed at once. Default null. */
  readonly maxConnections?: number | null | undefined;
  /** How long a client may take for the headers. Default 20. Refused with status 408. */
  readonly headersTimeout?: Duration | null | undefined;
  /** How long a client may take for the whole request, its body included. Default 300. Refused with status 408. */
  readonly requestTimeout?: Duration | null | undefined;
  /** How long a connection may be idle between two requests. Default 60. */
  readonly keepAliveTimeout?: Duration | undefined;
  /** How long a client may read nothing of its response. Default 60. The connection is closed. */
  readonly sendTimeout?: Duration | null | undefined;
  /** How long a handler may take, until its reply begins. Default null. Then it is cancelled; status 503. */
  readonly handlerTimeout?: Duration | null | undefined;
  /** How long `close` waits for what is under way before it cancels it. Default 30. */
  readonly shutdownTimeout?: Duration | null | undefined;
  /**
   * Serves clients, and proxies, that close their half of the connection after the request and still read. Default
   * false: that is how most clients look when they go away, and the handler is cancelled. When true, a client that is
   * gone is noticed only when something is sent to it.
   */
  readonly allowHalfClose?: boolean | undefined;
}

/** Options of `HttpServer.close`. */
export interface ServerCloseOptions {
  /** How long to wait before what is under way is cancelled. Default: the server's `shutdownTimeout`; null: for ever. */
  readonly timeout?: Duration | null | undefined;
}

/** What `HttpServer.statistics()` gives. */
export interface ServerStatistics {
  /** How many requests are being handled. */
  readonly requests: number;
  /** How many requests there have been. */
  readonly requestsTotal: number;
  /** How many handlers were cancelled because their client went away. */
  readonly disconnected: number;
  /** How many connections there are. */
  readonly connections: number;
}

const SHUTDOWN = "the server is closing";

/**
 * A server that listens: what `serve` gives.
 *
 * Each request is a task. The task is cancelled when the response closes before it is finished: the client went away,
 * or its connection broke. `close`, or the end of an `await using` block, stops accepting, finishes what was accepted,
 * and cancels it at the deadline. A server that nobody closes ends, at once, with the `run` that it began in.
 *
 * aiohttp: `web.AppRunner` with `web.TCPSite`.
 */
export class HttpServer implements AsyncDisposable {
  readonly #handler: Handler;
  readonly #options: ServeOptions;
  readonly #loop: EventLoop;
  readonly #context: Context;
  readonly #server: Server;
  readonly #tasks = new Set<Task>();
  /** Responses that are not closed. Those of finished tasks may still be on their way. */
  readonly #open = new Set<ServerResponse>();
  /** What tells the clients of WebSockets that the server is going, by the task that serves them. */
  readonly #goodbyes = new Map<Task, () => void>();
  readonly #connections = new Set<Socket>();
  readonly #changed: Wakeup = new Wakeup();
  readonly #closed: Event = new Event();
  readonly #sendTimeout: number | null;
  readonly #handlerTimeout: number | null;
  #isClosing = false;
  #isCut = false;
  #keeper: Task | null = null;
  #requestsTotal = 0;
  #disconnected = 0;

  /** @internal */
  constructor(handler: Handler, options: ServeOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#loop = getRunningLoop();
    this.#context = copyContext();
    checkCount(options.maxHeaderSize, "maxHeaderSize", 1);
    checkCount(options.maxBodySize, "maxBodySize");
    checkCount(options.maxConnections, "maxConnections", 1);
    seconds(options.shutdownTimeout, null, "shutdownTimeout");
    this.#sendTimeout = seconds(options.sendTimeout, 60, "sendTimeout");
    this.#handlerTimeout = seconds(options.handlerTimeout, null, "handlerTimeout");
    const server = this.#makeServer();
    this.#server = server;
    server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) =>
      this.#accept(incoming, outgoing, false),
    );
    acceptWebSockets(server);
    // The client asks before it sends a body. The answer is given when the handler asks for it.
    server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) =>
      this.#accept(incoming, outgoing, true),
    );
    server.on("connection", (socket: Socket) => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
    });
  }

  #makeServer(): Server {
    const options = this.#options;
    const requestTimeout = milliseconds(options.requestTimeout, 300, "requestTimeout");
    const headersTimeout = milliseconds(options.headersTimeout, 20, "headersTimeout");
    const settings: ServerOptions & { httpAllowHalfOpen?: boolean } = {
      maxHeaderSize: options.maxHeaderSize ?? 16_384,
      // The headers are a part of the request; Node wants to hear so.
      headersTimeout:
        requestTimeout === 0 ? headersTimeout : Math.min(headersTimeout || Infinity, requestTimeout),
      requestTimeout,
      keepAliveTimeout: milliseconds(options.keepAliveTimeout, 60, "keepAliveTimeout"),
      // How late Node may notice that one of them has passed.
      connectionsCheckingInterval: 1000,
      requireHostHeader: true,
    };
    const server =
      options.tls === undefined ? createServer(settings) : createTlsServer({ ...options.tls, ...settings });
    Object.assign(server, { httpAllowHalfOpen: options.allowHalfClose ?? false });
    if (options.maxConnections !== null && options.maxConnections !== undefined)
      server.maxConnections = options.maxConnections;
    return server;
  }

  /** @internal */
  async listen(): Promise<void> {
    const { port = 0, host = "127.0.0.1" } = this.#options;
    const server = this.#server;
    await until(
      (signal) =>
        new Promise<void>((resolve, reject) => {
          signal.addEventListener("abort", () => {
            server.close();
            reject(signal.reason as Error);
          });
          server.once("error", reject);
          server.listen({ port, host }, () => {
            server.off("error", reject);
            resolve();
          });
        }),
    );
    server.on("error", (exception) => this.#report("the server cannot accept a connection", exception));
    this.#keeper = this.#loop.createTask(() => this.#keep(), { name: `HTTP server ${this.url}` });
  }

  /** Lives as long as the server. Cancelled at the end of `run`, it takes the server with it. */
  async #keep(): Promise<void> {
    try {
      await new Future<void>();
    } finally {
      this.#cut();
    }
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Where it can be reached: `http://127.0.0.1:8080`. */
  get url(): string {
    const { host = "127.0.0.1", tls } = this.#options;
    const name =
      host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
    return `${tls === undefined ? "http" : "https"}://${name}:${this.port}`;
  }

  /** Whether `close` was called: time for a handler of a long stream to come to an end. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** What it is doing at this moment. */
  statistics(): ServerStatistics {
    return {
      requests: this.#tasks.size,
      requestsTotal: this.#requestsTotal,
      disconnected: this.#disconnected,
      connections: this.#connections.size,
    };
  }

  /**
   * Waits until the server is closed. A cancel closes it, with the time that `close` gives to what is under way.
   *
   * asyncio: `Server.serve_forever`.
   */
  serveForever(): Coroutine<void> {
    return serveForever(this);
  }

  /** @internal */
  async waitClosed(): Promise<void> {
    await this.#closed.wait();
  }

  /**
   * Stops accepting, waits until what was accepted is answered, cancels the rest at the deadline and waits for it.
   * WebSockets are closed with the code 1001. The second call waits for the first.
   *
   * Cancel safety: what is under way is cancelled at once, and not waited for.
   */
  close(options: ServerCloseOptions = {}): Coroutine<void> {
    return closeServer(this, options);
  }

  /** Closes the server at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  async closeNow(options: ServerCloseOptions): Promise<void> {
    if (this.#isClosing) {
      await this.#closed.wait();
      return;
    }
    const given = options.timeout === undefined ? this.#options.shutdownTimeout : options.timeout;
    const limit = seconds(given, 30, "close: timeout");
    this.#isClosing = true;
    try {
      this.#server.close();
      this.#server.closeIdleConnections();
      for (const sayGoodbye of this.#goodbyes.values()) sayGoodbye();
      try {
        await timeout(limit, () => this.#drained(() => this.#tasks.size + this.#open.size === 0));
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        for (const task of this.#tasks) task.cancel(SHUTDOWN, { requestedBy: "HttpServer.close" });
        await this.#drained(() => this.#tasks.size === 0);
      }
    } finally {
      this.#keeper?.cancel();
      this.#cut();
    }
    await this.#drained(() => this.#connections.size === 0);
  }

  async #drained(isDone: () => boolean): Promise<void> {
    while (!isDone()) await this.#changed.wait();
  }

  /** Ends everything at once. */
  #cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#isClosing = true;
    this.#server.close();
    for (const task of this.#tasks) task.cancel(SHUTDOWN, { requestedBy: "HttpServer" });
    for (const socket of this.#connections) {
      // What was written is sent before; nothing more is read.
      if (this.#hasOpen(socket)) socket.destroy();
      else socket.destroySoon();
      socket.once("close", this.#changed.wake);
    }
    this.#closed.set();
  }

  #hasOpen(socket: Socket): boolean {
    for (const response of this.#open) if (response.socket === socket) return true;
    return false;
  }

  // ── Requests ──────────────────────────────────────────────────────────────────────────────────────────────────

  #accept(incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean): void {
    if (this.#isCut || this.#loop.isClosed() || lingering.has(incoming.socket)) {
      outgoing.destroy();
      return;
    }
    if (hasSeveralHosts(incoming)) {
      // Whoever stands in front of the server may have looked at the other one.
      outgoing.writeHead(400, { connection: "close" }).end();
      return;
    }
    const pipeline = pipelineOf(incoming.socket);
    if (pipeline.isFull) {
      incoming.socket.destroy();
      return;
    }
    this.#requestsTotal++;
    this.#open.add(outgoing);
    const limit = this.#options.maxBodySize === undefined ? 1 << 20 : this.#options.maxBodySize;
    const request = new ServerRequest(incoming, outgoing, limit, expectsContinue, (sayGoodbye) => {
      this.#goodbyes.set(task, sayGoodbye);
      if (this.#isClosing) sayGoodbye();
    });
    const turn = pipeline.enter(this.#loop);
    const task = this.#loop.createTask(() => this.#handle(request, outgoing, turn), {
      name: `${incoming.method ?? ""} ${incoming.url ?? ""}`,
      context: this.#context.copy(),
    });
    this.#tasks.add(task);
    task.addDoneCallback(() => {
      // Cancelled before it began: nobody has answered.
      if (task.cancelled() && !outgoing.writableEnded) outgoing.destroy();
      this.#tasks.delete(task);
      this.#goodbyes.delete(task);
      if (this.#isClosing) this.#changed.wake();
    });
    watchResponse(outgoing, (isFinished) => {
      this.#open.delete(outgoing);
      pipeline.leave();
      if (isFinished) request.dropRest();
      else if (task.cancel(DISCONNECTED, { requestedBy: "the client's disconnect" })) this.#disconnected++;
      if (!this.#isClosing) return;
      this.#server.closeIdleConnections();
      this.#changed.wake();
    });
  }

  async #handle(request: ServerRequest, outgoing: ServerResponse, turn: Future<void> | null): Promise<void> {
    if (turn !== null) await turn;
    const reply = await this.#replyOf(request, outgoing);
    if (reply === UPGRADED) return;
    try {
      await this.#send(request, outgoing, reply);
    } catch (error) {
      discard(reply.body);
      // A header, say, that cannot be sent: there is still time for an answer.
      if (!outgoing.headersSent && !isCancelledError(error))
        outgoing
          .writeHead(500, STATUS_CODES[500] ?? "", { connection: "close" })
          .end(`${STATUS_CODES[500] ?? ""}\n`);
      // The client must see that this is not the whole of it.
      else outgoing.destroy();
      if (isCancelledError(error)) throw error;
      this.#report(`the response to ${request.method} ${request.incoming.url ?? ""} failed`, error);
    }
  }

  async #replyOf(request: ServerRequest, outgoing: ServerResponse): Promise<Reply> {
    const limit = this.#handlerTimeout;
    try {
      return toReply(
        limit === null
          ? await this.#handler(request)
          : await timeout(limit, async () => await this.#handler(request)),
      );
    } catch (error) {
      if (isCancelledError(error)) {
        // Whoever cancelled it, the client is still there: it should not wait for what will not come.
        if (!outgoing.headersSent && !outgoing.destroyed) {
          outgoing.writeHead(503, { connection: "close" });
          outgoing.end();
        }
        throw error;
      }
      if (error instanceof HttpException) {
        return new Reply(
          `${error.message === "" ? (STATUS_CODES[error.status] ?? "") : error.message}\n`,
          error,
        );
      }
      this.#report(`the handler of ${request.method} ${request.incoming.url ?? ""} failed`, error);
      const status = limit !== null && error instanceof TimeoutError ? 503 : 500;
      return new Reply(`${STATUS_CODES[status] ?? ""}\n`, { status });
    }
  }

  async #send(request: ServerRequest, outgoing: ServerResponse, reply: Reply): Promise<void> {
    const { body, status } = reply;
    const headers: Record<string, string | number | string[]> = {
      ...(reply.headers as Record<string, string>),
    };
    const leavesTooMuch = request.leavesTooMuch;
    if (leavesTooMuch) linger(request.incoming);
    // What is behind it on its connection has been accepted, too.
    if (leavesTooMuch || (this.#isClosing && isLastOnConnection(outgoing))) headers["connection"] = "close";
    // More or fewer bytes than were announced would be taken for a part of another response.
    outgoing.strictContentLength = true;
    const hasBody = status !== 204 && status !== 304;
    const isWhole = body === null || typeof body === "string" || body instanceof Uint8Array;
    if (isWhole && hasBody) headers["content-length"] ??= Buffer.byteLength(body ?? "");
    outgoing.writeHead(status, headers);
    if (request.method === "HEAD" || !hasBody) {
      discard(body);
      outgoing.end();
    } else if (isWhole && (body === null || body.length <= PIECE)) outgoing.end(body ?? "");
    else {
      await this.#sendEach(outgoing, isWhole ? [body] : body);
      outgoing.end();
    }
    if (this.#waitsForTurn(outgoing)) await this.#turnToSend(outgoing);
    // A client that does not read leaves something here.
    if ((outgoing.socket?.writableLength ?? 0) > 0 && !outgoing.writableFinished)
      await this.#sent(outgoing, "finish");
  }

  /** Whether those in front of it on its connection are still on their way. */
  #waitsForTurn(outgoing: ServerResponse): boolean {
    return outgoing.socket === null && this.#open.has(outgoing);
  }

  async #turnToSend(outgoing: ServerResponse): Promise<void> {
    const wakeup = new Wakeup();
    const events = ["socket", "finish", "close"] as const;
    for (const event of events) outgoing.once(event, wakeup.wake);
    try {
      await wakeup.wait();
    } finally {
      for (const event of events) outgoing.off(event, wakeup.wake);
    }
  }

  async #sendEach(
    outgoing: ServerResponse,
    body: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  ): Promise<void> {
    // Those in front of it on its connection may take as long as they do: no client is to blame for that.
    if (this.#waitsForTurn(outgoing)) await this.#turnToSend(outgoing);
    // So that the client sees that the response has begun.
    outgoing.flushHeaders();
    for await (const chunk of Symbol.asyncIterator in body ? cancellable(body) : body)
      for (const piece of piecesOf(chunk)) if (!outgoing.write(piece)) await this.#sent(outgoing, "drain");
  }

  async #sent(outgoing: ServerResponse, event: "drain" | "finish"): Promise<void> {
    const wakeup = new Wakeup();
    outgoing.once(event, wakeup.wake);
    outgoing.once("close", wakeup.wake);
    try {
      await timeout(this.#sendTimeout, () => wakeup.wait());
    } finally {
      outgoing.off(event, wakeup.wake);
      outgoing.off("close", wakeup.wake);
    }
  }

  #report(message: string, exception: unknown): void {
    this.#loop.callExceptionHandler({ message, exception });
  }
}

const serveForever = coroutine(async function serveForever(server: HttpServer): Promise<void> {
  try {
    await server.waitClosed();
  } finally {
    await server.close();
  }
});

const closeServer = coroutine(async function close(
  server: HttpServer,
  options: ServerCloseOptions,
): Promise<void> {
  await server.closeNow(options);
});

const startServer = coroutine(async function serve(
  handler: Handler,
  options: ServeOptions,
): Promise<HttpServer> {
  const server = new HttpServer(handler, options);
  await server.listen();
  return server;
});

/**
 * Starts a server. When it is awaited the server listens. `handler` is called for each request, in a task of its own,
 * with a copy of the current context.
 *
 * Throws what the system says when it cannot listen, such as `EADDRINUSE`. aiohttp: `web.run_app`.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { ClientSession, Reply, serve } from "@corio/http";
 *
 * async function main() {
 *   await using server = await serve((request) => Reply.json({ path: request.path }));
 *   await using session = new ClientSession();
 *   console.log(await session.get(`${server.url}/hello`, (response) => response.json()));
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * { path: '/hello' }
 * ```
 */
export function serve(handler: Handler, options: ServeOptions = {}): Coroutine<HttpServer> {
  if (typeof handler !== "function")
    throw new ArgumentTypeError(`serve expects a function that answers requests, got ${typeof handler}`);
  return startServer(handler, options);
}

/** Ends a body that nobody has asked for a piece of: a generator has not begun, but a stream may hold a file. */
function discard(body: ReplyBody): void {
  if (body instanceof ReadableStream) body.cancel().catch(() => undefined);
  else if (typeof body === "object") (body as { destroy?: () => void } | null)?.destroy?.();
}

/** How long a client that is still sending is listened to after it was answered, in milliseconds. */
const LINGER = 5000;
const lingering = new WeakSet<Socket>();

/**
 * The answer to a client that is still sending is its last: what else it sends is not wanted. If the connection were
 * closed at once, the system would tell the client so by a reset, which overtakes the answer. So our half is closed, and
 * what comes is thrown away, until the client has seen it.
 */
function linger(incoming: IncomingMessage): void {
  const { socket } = incoming;
  if (lingering.has(socket)) return;
  socket.destroySoon = () => {
    // The second time somebody means it.
    if (lingering.has(socket)) {
      socket.destroy();
      return;
    }
    lingering.add(socket);
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once("close", () => clearTimeout(timer));
    socket.end();
    incoming.resume();
  };
}

/** How many bytes of a response are given to the system at once. */
const PIECE = 262_144;

/** Pieces that are small enough that a client which reads slowly takes one within the time that it has for each. */
function* piecesOf(chunk: string | Uint8Array): Generator<string | Uint8Array, void> {
  if (chunk.length <= PIECE) {
    if (chunk.length > 0) yield chunk;
    return;
  }
  const bytes = toBytes(chunk);
  for (let start = 0; start < bytes.length; start += PIECE) yield bytes.subarray(start, start + PIECE);
}

function hasSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts > 1;
}

function toReply(result: unknown): Reply {
  if (result instanceof Reply) return result;
  if (typeof result === "string" || result === null || result === undefined) return new Reply(result ?? null);
  throw new ArgumentTypeError(`a handler must return a Reply, a string or null, got ${typeof result}`);
}

function seconds(
  duration: Duration | null | undefined,
  fallback: number | null,
  where: string,
): number | null {
  if (duration === null) return null;
  return duration === undefined ? fallback : checkSeconds(duration, where);
}

function milliseconds(duration: Duration | null | undefined, fallback: number, where: string): number {
  const given = seconds(duration, fallback, where);
  // 0 is none, for Node, and not what somebody means who says 0.
  return given === null || given === Infinity ? 0 : Math.max(1, Math.ceil(given * 1000));
}
