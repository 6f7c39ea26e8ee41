/** A network between client and server that can be cut. */
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

export class Proxy implements AsyncDisposable {
  port = 0;
  /** What clients have sent, one entry for each connection. */
  readonly sent: Uint8Array[] = [];
  /** How many bytes of servers have been passed on. */
  passed = 0;
  /** Nothing passes any more, in either direction; connections are accepted, as a dead route's are not refused. */
  isCut = false;
  /** Connections made while this is not null hang in it: nothing passes. Called for each. */
  onHeld: (() => void) | null = null;
  /** Connections that come after so many are closed at once. */
  limit: number = Infinity;
  /** What the server says on these is swallowed. */
  readonly #muted = new Set<object>();
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #held = new Set<Socket>();
  readonly #server: Server;

  private constructor(target: { host: string; port: number }) {
    this.#server = createServer((client) => {
      if (this.sent.length >= this.limit) {
        client.destroy();
        return;
      }
      if (this.onHeld !== null) {
        this.#held.add(client);
        client.on("error", () => undefined);
        this.onHeld();
        return;
      }
      const index = this.sent.push(new Uint8Array()) - 1;
      const server = connect({ host: target.host, port: target.port });
      const pair = [client, server] as const;
      this.#pairs.add(pair);
      client.on("data", (chunk: Uint8Array) => {
        this.sent[index] = Buffer.concat([this.sent[index] ?? new Uint8Array(), chunk]);
        if (!this.isCut) server.write(chunk);
      });
      server.on("data", (chunk: Uint8Array) => {
        if (this.isCut || this.#muted.has(pair)) return;
        this.passed += chunk.length;
        if (client.write(chunk)) return;
        // The server has to wait for a client that does not read.
        server.pause();
        client.once("drain", () => server.resume());
      });
      const end = (): void => {
        if (this.isCut || this.#muted.has(pair)) return;
        this.#pairs.delete(pair);
        client.destroy();
        server.destroy();
      };
      for (const socket of pair) socket.on("error", end).on("close", end);
    });
  }

  static async to(target: { host: string; port: number }): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    proxy.port = (proxy.#server.address() as AddressInfo).port;
    return proxy;
  }

  /** From now on clients hear nothing on the connections that they have; those that they make later are not touched. */
  mute(): void {
    for (const pair of this.#pairs) this.#muted.add(pair);
  }

  /** Closes the connections that hang. */
  closeHeld(): void {
    this.onHeld = null;
    for (const client of this.#held) client.destroy();
    this.#held.clear();
  }

  /** Resets all connections of clients; those to the server are closed. */
  reset(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
    this.#pairs.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closeHeld();
    for (const [client, server] of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
