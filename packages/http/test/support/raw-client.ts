/** A client that writes what a test says, byte for byte, and shows what came back. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { until } from "corio";
import type { HttpServer } from "@corio/http";

export class RawClient {
  readonly socket: Socket;
  /** All that has come. */
  received = "";
  isEnded = false;
  isClosed = false;
  #onChange: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
      this.#onChange();
    });
    socket.on("end", () => {
      this.isEnded = true;
      this.#onChange();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
      this.#onChange();
    });
  }

  static async connect(server: HttpServer | number, allowHalfOpen = false): Promise<RawClient> {
    const port = typeof server === "number" ? server : server.port;
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen });
    const client = new RawClient(socket);
    await until(
      new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", reject);
      }),
    );
    return client;
  }

  /** A connection on which a request is under way: the head, with what else is given. */
  static async request(server: HttpServer, head: string, rest = ""): Promise<RawClient> {
    const client = await RawClient.connect(server);
    client.write(`${head} HTTP/1.1\r\nHost: test\r\n${rest}\r\n`);
    return client;
  }

  write(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Goes away, as a browser's closed tab does. */
  goAway(): void {
    this.socket.destroy();
  }

  /** Waits until what was received has this in it. */
  async find(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.received);
      if (match !== null) return match;
      if (this.isClosed)
        throw new Error(`closed before ${String(pattern)} came, after ${JSON.stringify(this.received)}`);
      await this.#change();
    }
  }

  /** Waits until the server has closed the connection; gives all that came. */
  async closed(): Promise<string> {
    while (!this.isClosed) await this.#change();
    return this.received;
  }

  async #change(): Promise<void> {
    await until(new Promise<void>((resolve) => (this.#onChange = resolve)));
  }
}
