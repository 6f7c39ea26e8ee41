import type { Duplex } from "node:stream";
import { Agent, buildConnector } from "undici";
import type { Dispatcher } from "undici";
import { addFlow, currentFlow } from "./flow.ts";
import type { Flow } from "./flow.ts";
import { tunnel } from "./tunnel.ts";
import type { Attempt, Connect } from "./tunnel.ts";
import type { Transport, TransportOptions, WireRequest, WireResponse } from "./transport.ts";

/** How many bytes of a body may wait to be read before the connection is not read from any more. */
const HIGH_WATER = 65_536;

/**
 * Requests over undici's pools, by its dispatcher: `request` and `fetch` settle a request that was given up while there
 * is no connection only when the attempt to connect has ended.
 */
export class UndiciTransport implements Transport {
  readonly #dispatcher: Dispatcher;
  /** Attempts to connect, by host. */
  readonly #connecting = new Map<string, Set<Attempt>>();
  /**
   * All connections. undici forgets a client that could not connect, also when a request that came meanwhile has made it
   * connect again.
   */
  readonly #connections = new Set<Duplex>();
  #isClosed = false;
  /** How many requests wait for a connection, by host. */
  readonly #waiting = new Map<string, number>();

  constructor(options: TransportOptions) {
    const { ca, ...tls } = options.tls;
    const http2 = options.http2 && options.proxy === null;
    const direct = buildConnector({
      ...Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
      ...(ca !== undefined && { ca: typeof ca === "string" ? ca : [...ca] }),
      allowH2: http2,
      // Time limits are the session's: each request has its own, and gives up by itself.
      timeout: 0,
    }) as unknown as Connect;
    const keepAliveTimeout = Math.max(1, options.keepAliveTimeout * 1000);
    this.#dispatcher = new Agent({
      connections: options.maxConnectionsPerHost,
      keepAliveTimeout,
      // What servers ask for at most: they may ask for less.
      keepAliveMaxTimeout: keepAliveTimeout,
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: http2,
      connect: this.#watched(options.proxy === null ? direct : tunnel(new URL(options.proxy), direct)),
    });
  }

  #watched(connect: Connect): buildConnector.connector {
    return (options, callback) => {
      const key = `${options.protocol}//${options.hostname}:${options.port}`;
      if (this.#isClosed || !this.#waiting.has(key)) {
        // After a request was given up, undici connects again for it, only to find that it was. At once: a request that
        // came in between would fail with it.
        callback(new Error("given up"), null);
        return;
      }
      const attempts = this.#connecting.get(key) ?? new Set<Attempt>();
      this.#connecting.set(key, attempts);
      const attempt = connect(options, (...results) => {
        attempts.delete(attempt);
        if (attempts.size === 0) this.#connecting.delete(key);
        const [error, socket] = results;
        if (error === null) this.#add(socket);
        callback(...results);
      });
      attempts.add(attempt);
    };
  }

  #add(socket: Duplex): void {
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    if (!speaksHttp2(socket)) addFlow(socket);
  }

  async send(request: WireRequest): Promise<WireResponse> {
    const { url } = request;
    const key = `${url.protocol}//${url.hostname.replace(/^\[|\]$/g, "")}:${url.port}`;
    const headers: string[] = [];
    for (const [name, value] of request.headers) headers.push(name, value);
    const exchange = new Exchange(request);
    this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1);
    exchange.onLeftQueue = () => {
      const left = (this.#waiting.get(key) ?? 1) - 1;
      if (left > 0) {
        this.#waiting.set(key, left);
        return;
      }
      this.#waiting.delete(key);
      // Nobody is left who wants those connections.
      if (request.signal.aborted)
        for (const attempt of this.#connecting.get(key) ?? []) attempt.destroy(new Error("given up"));
    };
    this.#dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers,
        // undici takes an async iterable, its types do not say so.
        body: request.body as Uint8Array | string | null,
      },
      exchange,
    );
    return await exchange.response;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const closed = this.#dispatcher.destroy();
    for (const attempts of this.#connecting.values()) for (const attempt of attempts) attempt.destroy();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }
}

/** One request and its response, as undici's handler. */
class Exchange implements Dispatcher.DispatchHandler, WireResponse {
  readonly response: Promise<WireResponse>;
  onLeftQueue: (() => void) | null = null;
  status = 0;
  statusText = "";
  headers: Headers = new Headers();
  readonly #request: WireRequest;
  #controller: Dispatcher.DispatchController | null = null;
  #flow: Flow | null = null;
  #resolve!: (response: WireResponse) => void;
  #reject!: (error: unknown) => void;
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #isPaused = false;
  /** All was received, or nothing more will be. */
  #end: { readonly error: unknown } | null = null;
  #reader: { resolve: (chunk: Uint8Array | null) => void; reject: (error: unknown) => void } | null = null;

  constructor(request: WireRequest) {
    this.#request = request;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    request.signal.addEventListener("abort", this.#onAbort);
  }

  #onAbort = (): void => {
    this.#leaveQueue();
    this.#fail(this.#request.signal.reason);
    this.#controller?.abort(toError(this.#request.signal.reason));
  };

  #leaveQueue(): void {
    this.onLeftQueue?.();
    this.onLeftQueue = null;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown before anything was sent: the connection is as good as before, for the next.
    if (this.#request.signal.aborted) throw toError(this.#request.signal.reason);
    this.#controller = controller;
    this.#leaveQueue();
    this.#request.onConnected();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    statusText?: string,
  ): void {
    if (status < 200) return;
    this.#flow = currentFlow() ?? streamFlow(controller);
    this.status = status;
    this.statusText = statusText ?? "";
    for (const [name, value] of Object.entries(headers)) {
      for (const one of Array.isArray(value) ? value : [value ?? ""]) this.headers.append(name, one);
    }
    this.#resolve(this);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#end !== null) return;
    if (this.#reader !== null) {
      const reader = this.#reader;
      this.#reader = null;
      reader.resolve(chunk);
      return;
    }
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered >= HIGH_WATER && !this.#isPaused) {
      this.#isPaused = true;
      this.#flow?.pause();
    }
  }

  onResponseEnd(): void {
    this.#finish(null);
    this.#reader?.resolve(null);
    this.#reader = null;
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#leaveQueue();
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#finish(error);
    this.#reject(error);
    this.#reader?.reject(error);
    this.#reader = null;
  }

  #finish(error: unknown): void {
    this.#end ??= { error };
    if (this.#isPaused) this.#flow?.release();
    this.#isPaused = false;
    this.#request.signal.removeEventListener("abort", this.#onAbort);
  }

  // ── The body ──────────────────────────────────────────────────────────────────────────────────────────────────

  take(): Uint8Array | null | undefined {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#buffered -= chunk.length;
      if (this.#isPaused && this.#buffered < HIGH_WATER) {
        this.#isPaused = false;
        this.#flow?.resume();
      }
      return chunk;
    }
    if (this.#end === null) return undefined;
    if (this.#end.error !== null) throw this.#end.error;
    return null;
  }

  async read(): Promise<Uint8Array | null> {
    const ready = this.take();
    if (ready !== undefined) return ready;
    return await new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  abort(): void {
    this.#chunks = [];
    if (this.#end !== null) return;
    const error = new Error("the rest of the response was given up");
    this.#fail(error);
    this.#controller?.abort(error);
  }
}

function speaksHttp2(socket: Duplex): boolean {
  return (socket as { readonly alpnProtocol?: unknown }).alpnProtocol === "h2";
}

/** A stream of HTTP/2 has a flow of its own, which ends with it. */
function streamFlow(controller: Dispatcher.DispatchController): Flow {
  return { pause: () => controller.pause(), resume: () => controller.resume(), release: () => undefined };
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
