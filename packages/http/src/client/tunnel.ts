import type { Socket } from "node:net";
import { buildConnector, Client } from "undici";
import { basicAuthorization } from "./basic-authorization.ts";

/** Makes a connection for undici. What it gives ends the attempt; undici's types do not say that theirs gives a socket. */
export type Connect = (...given: Parameters<buildConnector.connector>) => Attempt;

/** An attempt to connect that can be given up. */
export interface Attempt {
  destroy(error?: Error): unknown;
}

/**
 * Connects through a proxy, by CONNECT; `connect` speaks TLS through it. undici has its own way, but an attempt of that
 * cannot be given up: a proxy that does not answer would keep its connections, even when the session is closed.
 */
export function tunnel(proxy: URL, connect: Connect): Connect {
  const connectToProxy = buildConnector({ timeout: 0 }) as unknown as Connect;
  const isKnown = proxy.username !== "" || proxy.password !== "";
  const headers = isKnown ? { "proxy-authorization": basicAuthorization(proxy) } : {};
  return (options, callback) => {
    /** What the attempt is about: the connection to the proxy, then TLS through it. */
    let stage: Attempt | null = null;
    let isOver = false;
    const client = new Client(proxy.origin, {
      connect: (toProxy, onConnected) => {
        stage = connectToProxy(toProxy, onConnected);
      },
      headersTimeout: 0,
    });
    const fail = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      stage?.destroy(error);
      void client.destroy(error);
      callback(error, null);
    };
    const defaultPort = options.protocol === "https:" ? 443 : 80;
    const path = options.port === "" ? `${options.host ?? ""}:${defaultPort}` : (options.host ?? "");
    client.connect({ path, headers: { ...headers, host: path } }, (error, answer) => {
      if (error !== null) {
        fail(error);
        return;
      }
      // Over TCP and TLS it is a socket, which undici has let go of.
      const { socket: stream }: { readonly socket: unknown } = answer;
      const socket = stream as Socket;
      socket.on("error", () => undefined);
      stage = socket;
      if (isOver) socket.destroy();
      else if (answer.statusCode < 200 || answer.statusCode > 299)
        fail(new Error(`the proxy answered CONNECT with ${answer.statusCode}`));
      else if (options.protocol === "https:") stage = connect({ ...options, httpSocket: socket }, callback);
      else callback(null, socket);
    });
    return { destroy: (error = new Error("given up")) => fail(error) };
  };
}
