import { CorioError } from "corio";

/** What went wrong with a request: its time is up, the server is being closed, or the client has gone. */
export type RequestErrorCode = "CORIO_REQUEST_TIMEOUT" | "CORIO_SERVER_CLOSING" | "CORIO_CLIENT_CLOSED";

const KINDS: Readonly<Record<RequestErrorCode, { statusCode: 499 | 503 | 504; message: string }>> = {
  CORIO_REQUEST_TIMEOUT: { statusCode: 504, message: "the request took too long" },
  CORIO_SERVER_CLOSING: { statusCode: 503, message: "the server is being closed" },
  CORIO_CLIENT_CLOSED: { statusCode: 499, message: "the client closed the connection" },
};

/**
 * Why a request has no answer of its handler. `statusCode` is what the answer should have: 504 after the deadline, 503
 * while the server is being closed. With 499 nobody is there to read one. The cause is the error behind it.
 */
export class RequestError extends CorioError {
  static override readonly brand: string = "RequestError";
  /** Which of the three it is. */
  override readonly code: RequestErrorCode;
  /** The status of the answer. */
  readonly statusCode: 499 | 503 | 504;

  /** The message comes with the code; it holds nothing that a client must not read. */
  constructor(code: RequestErrorCode, options?: ErrorOptions) {
    super(KINDS[code].message, options);
    this.code = code;
    this.statusCode = KINDS[code].statusCode;
  }
}
