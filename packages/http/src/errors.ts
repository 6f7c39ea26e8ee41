/** The errors of `@corio/http`. What the host or the driver said is kept as `cause`. */

import { ArgumentTypeError, CorioError, TimeoutError } from "corio";

/** The `code` of the errors of this package, timeouts excepted: they have `CORIO_TIMEOUT`. */
export type HttpErrorCode =
  | "CORIO_HTTP_BAD_STATUS"
  | "CORIO_HTTP_CANNOT_CONNECT"
  | "CORIO_HTTP_CONNECTION_LOST"
  | "CORIO_HTTP_EXCEPTION"
  | "CORIO_HTTP_PAYLOAD"
  | "CORIO_HTTP_SESSION_CLOSED"
  | "CORIO_HTTP_TOO_MANY_REDIRECTS"
  | "CORIO_HTTP_WEBSOCKET_CLOSED"
  | "CORIO_HTTP_WEBSOCKET_HANDSHAKE";

/** The base of this package's errors. aiohttp: `ClientError`. */
export abstract class HttpError extends CorioError {
  static override readonly brand: string = "HttpError";
  /** What went wrong, for programs. */
  abstract override readonly code: HttpErrorCode;
}

/** There is no connection: no such host, nobody listens there, or TLS failed. aiohttp: `ClientConnectorError`. */
export class ConnectError extends HttpError {
  static override readonly brand: string = "HttpConnectError";
  readonly code = "CORIO_HTTP_CANNOT_CONNECT" as const;
}

/**
 * The connection broke after the request was sent and before the head of the response came. The server may have acted
 * on the request or not. aiohttp: `ServerDisconnectedError`.
 */
export class ConnectionLostError extends HttpError {
  static override readonly brand: string = "HttpConnectionLostError";
  readonly code = "CORIO_HTTP_CONNECTION_LOST" as const;
}

/** The body of a response ended too early, or is not what its headers say. aiohttp: `ClientPayloadError`. */
export class PayloadError extends HttpError {
  static override readonly brand: string = "HttpPayloadError";
  readonly code = "CORIO_HTTP_PAYLOAD" as const;
}

/** What `raiseForStatus` throws. aiohttp: `ClientResponseError`. */
export class ResponseError extends HttpError {
  static override readonly brand: string = "HttpResponseError";
  readonly code = "CORIO_HTTP_BAD_STATUS" as const;
  /** The status of the response: 400 or more. */
  readonly status: number;
  /** The address that was asked, after redirects. */
  readonly url: string;
  /** The headers of the response. */
  readonly headers: Headers;

  /** Made by `raiseForStatus`. */
  constructor(message: string, response: { status: number; url: string; headers: Headers }) {
    super(message);
    this.status = response.status;
    this.url = response.url;
    this.headers = response.headers;
  }
}

/** More redirects than `maxRedirects`. aiohttp: `TooManyRedirects`. */
export class TooManyRedirectsError extends HttpError {
  static override readonly brand: string = "HttpTooManyRedirectsError";
  readonly code = "CORIO_HTTP_TOO_MANY_REDIRECTS" as const;
}

/** The session was closed. */
export class SessionClosedError extends HttpError {
  static override readonly brand: string = "HttpSessionClosedError";
  readonly code = "CORIO_HTTP_SESSION_CLOSED" as const;
}

/** The server did not agree to a WebSocket. aiohttp: `WSServerHandshakeError`. */
export class WebSocketHandshakeError extends HttpError {
  static override readonly brand: string = "WebSocketHandshakeError";
  readonly code = "CORIO_HTTP_WEBSOCKET_HANDSHAKE" as const;
}

/** The WebSocket is closed: `receive` and `send` cannot do anything more. */
export class WebSocketClosedError extends HttpError {
  static override readonly brand: string = "WebSocketClosedError";
  readonly code = "CORIO_HTTP_WEBSOCKET_CLOSED" as const;
  /** The number the peer gave; 1006 when the connection was lost. */
  readonly closeCode: number;
  /** The text the peer gave. */
  readonly reason: string;

  /** The code and the text are those of the close frame. */
  constructor(closeCode: number, reason: string) {
    super(`the WebSocket is closed: ${closeCode}${reason === "" ? "" : ` ${reason}`}`);
    this.closeCode = closeCode;
    this.reason = reason;
  }
}

/** Which time limit of a request ran out. */
export type HttpTimeoutKind = "total" | "connect" | "read";

/** A time limit of a session or request ran out; a `TimeoutError`, so that one `catch` serves. aiohttp: the same. */
export class HttpTimeoutError extends TimeoutError {
  static override readonly brand: string = "HttpTimeoutError";
  /**
   * `connect`: no connection, or none free in the pool. `read`: the server was silent. `total`: everything together took
   * too long.
   */
  readonly kind: HttpTimeoutKind;

  /** As the constructor of `Error`, with the kind in between. */
  constructor(message: string, kind: HttpTimeoutKind, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * Thrown by a handler to answer with a status: `throw new HttpException(404)`. The message is the body, as text.
 *
 * aiohttp: `web.HTTPException` and its subclasses.
 */
export class HttpException extends HttpError {
  static override readonly brand: string = "HttpException";
  readonly code = "CORIO_HTTP_EXCEPTION" as const;
  /** The status of the answer, 400 to 599. */
  readonly status: number;
  /** Headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;

  /**
   * The message is sent to the client; by default it is the name of the status. Throws `ArgumentTypeError` for a status
   * that is none of an error.
   */
  constructor(
    status: number,
    message?: string,
    options: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    if (!Number.isInteger(status) || status < 400 || status > 599)
      throw new ArgumentTypeError(`HttpException expects a status from 400 to 599, got ${String(status)}`);
    super(message ?? "", options);
    this.status = status;
    this.headers = options.headers ?? {};
  }
}
