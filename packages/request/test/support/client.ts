/** HTTP clients that can do what well-behaved ones do not: cut, half-close, pipeline. */
import { connect } from "node:net";
import type { Socket } from "node:net";

/** A connection that is written to by hand. */
export class RawClient {
  readonly socket: Socket;
  #received = "";
  #wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (data: string) => {
      this.#received += data;
      this.#wake?.();
    });
    socket.on("close", () => this.#wake?.());
    socket.on("error", () => undefined);
  }

  static async connect(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", ...options });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new RawClient(socket);
  }

  get received(): string {
    return this.#received;
  }

  write(text: string): void {
    this.socket.write(text);
  }

  get(path: string): void {
    this.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  post(path: string, body: string): void {
    this.write(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  /** Waits until this was received; throws when the connection is closed before. */
  async until(text: string): Promise<void> {
    while (!this.#received.includes(text)) {
      if (this.socket.closed) throw new Error(`closed before "${text}" came, after: ${this.#received}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async closed(): Promise<void> {
    while (!this.socket.closed) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** As when a process is killed: everything is gone. */
  cut(): void {
    this.socket.destroy();
  }
}

/** A place where a test waits for what happens in a handler. */
export class Signal {
  readonly reached: Promise<void>;
  readonly #resolve: () => void;

  constructor() {
    let settle = (): void => undefined;
    this.reached = new Promise<void>((resolve) => (settle = resolve));
    this.#resolve = settle;
  }

  reach(): void {
    this.#resolve();
  }
}
