import { timeout, TimeoutError, until } from "corio";
import type { Duration } from "corio";
import { keepOrClose } from "corio/pool";
import { WebSocket } from "ws";
import { ConnectError, HttpTimeoutError, WebSocketHandshakeError } from "../errors.ts";
import { WebSocketConnection } from "../shared/web-socket.ts";
import type { HeadersLike } from "./session.ts";
import { shownUrl } from "./shown-url.ts";
import type { TlsOptions } from "./transport.ts";

/** Options of `session.webSocket`. */
export interface WebSocketOptions {
  /** They are added to those of the session, and win. */
  readonly headers?: HeadersLike | undefined;
  /** What this client speaks, the best first. */
  readonly protocols?: readonly string[] | undefined;
  /** The largest message, in bytes; a longer one closes the socket. Default 16 MiB. */
  readonly maxMessageSize?: number | undefined;
  /**
   * How often the peer is asked whether it is still there, in seconds; one that has not answered until the next time is
   * given up, with the code 1006. Default null: never. aiohttp: `heartbeat`.
   */
  readonly heartbeat?: Duration | null | undefined;
}

/** Opens a WebSocket. A cancelled attempt is over, and its connection closed, when the cancel is thrown. */
export async function connectWebSocket(
  url: URL,
  headers: Headers,
  limit: number | null,
  tls: TlsOptions,
  options: WebSocketOptions,
): Promise<WebSocketConnection> {
  const target = new URL(url);
  target.protocol = target.protocol.replace(/^http/, "ws");
  target.hash = "";
  headers.delete("accept-encoding");
  let abandon = (): void => undefined;
  const open = (signal: AbortSignal): Promise<WebSocketConnection> =>
    new Promise((resolve, reject) => {
      const driver = new WebSocket(target, [...(options.protocols ?? [])], {
        headers: Object.fromEntries(headers),
        maxPayload: options.maxMessageSize ?? 16 << 20,
        autoPong: false,
        ...(tls as object),
      });
      // Made at once: a message may come with the answer of the server.
      const connection = new WebSocketConnection(driver, { heartbeat: options.heartbeat });
      driver.once("open", () => resolve(connection));
      driver.once("unexpected-response", (_request, response) => {
        reject(
          new WebSocketHandshakeError(`${shownUrl(url)}: the server answered ${String(response.statusCode)}`),
        );
        driver.terminate();
      });
      driver.once("error", (error) => {
        const code = (error as { code?: string }).code ?? "";
        reject(
          /^E[A-Z_]+$/.test(code)
            ? new ConnectError(`${shownUrl(url)}: cannot connect: ${error.message || code}`, { cause: error })
            : new WebSocketHandshakeError(`${shownUrl(url)}: ${error.message}`, { cause: error }),
        );
      });
      driver.once("close", () =>
        reject(new WebSocketHandshakeError(`${shownUrl(url)}: the connection was closed`)),
      );
      abandon = () => driver.terminate();
      signal.addEventListener("abort", abandon);
    });
  try {
    const connection = await timeout(limit, () => until(open));
    return await keepOrClose(connection, abandon);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    throw new HttpTimeoutError(`${shownUrl(url)} got no WebSocket within ${String(limit)} s`, "connect", {
      cause: error,
    });
  }
}
