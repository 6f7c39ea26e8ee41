import { coroutine, Future, until } from "corio";
import type { Coroutine } from "corio";
import { WebSocketClosedError } from "../errors.ts";

/** A message that came: text, or bytes. */
export type WebSocketMessage = string | Uint8Array;

/** What is needed of a `WebSocket` of ws. Its types are not everybody's. @internal */
export interface SocketDriver {
  readonly protocol: string;
  readonly readyState: number;
  readonly OPEN: number;
  on(event: "message", listener: (data: RawData, isBinary: boolean) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): unknown;
  once(event: "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
  send(message: string | Uint8Array, callback: (error?: Error | null) => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

type RawData = Uint8Array | ArrayBuffer | Uint8Array[];

/** How many messages wait to be received before the peer is not read from any more. */
const HIGH_WATER = 16;
/** How long a peer may take to answer our goodbye, in seconds. */
const CLOSE_LIMIT = 5;

/**
 * One end of a WebSocket. `for await (const message of socket)` goes on until it is closed. A peer that sends faster than
 * messages are received is slowed down; `send` waits while the peer does not read.
 *
 * aiohttp: `web.WebSocketResponse`, `ClientWebSocketResponse`.
 */
export class WebSocketConnection implements AsyncIterable<WebSocketMessage>, AsyncDisposable {
  readonly #driver: SocketDriver;
  readonly #messages: WebSocketMessage[] = [];
  readonly #receivers = new Set<Future<void>>();
  #isPaused = false;
  #closed: { readonly code: number; readonly reason: string } | null = null;

  /** @internal */
  constructor(driver: SocketDriver) {
    this.#driver = driver;
    driver.on("message", (data: RawData, isBinary: boolean) => {
      this.#messages.push(isBinary ? bytesOf(data) : textOf(data));
      this.#wakeOne();
      if (this.#messages.length >= HIGH_WATER) this.#pause(true);
    });
    // `close` follows, with the code 1006 or the one that was sent for a broken rule.
    driver.on("error", () => undefined);
    driver.on("close", (code: number, reason: Uint8Array) => {
      this.#closed = { code, reason: textOf(reason) };
      for (const receiver of this.#receivers) wake(receiver);
    });
  }

  /** What both have agreed on; empty when on nothing. */
  get protocol(): string {
    return this.#driver.protocol;
  }

  /** Whether it is closed; messages that came before may still be there. */
  get isClosed(): boolean {
    return this.#closed !== null;
  }

  /** The number it was closed with, 1006 when the connection was lost; null while it is open. */
  get closeCode(): number | null {
    return this.#closed?.code ?? null;
  }

  /**
   * The next message. Throws `WebSocketClosedError` when there will be none.
   *
   * Cancel safety: no message is lost.
   */
  receive(): Coroutine<WebSocketMessage> {
    return receiveMessage(this);
  }

  /** @internal */
  async next(): Promise<WebSocketMessage | null> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        if (this.#isPaused && this.#messages.length <= HIGH_WATER / 2) this.#pause(false);
        return message;
      }
      if (this.#closed !== null) return null;
      const receiver = new Future<void>();
      this.#receivers.add(receiver);
      try {
        await receiver;
      } catch (error) {
        if (this.#messages.length > 0) this.#wakeOne();
        throw error;
      } finally {
        this.#receivers.delete(receiver);
      }
    }
  }

  /** The messages, until it is closed by either side. */
  async *[Symbol.asyncIterator](): AsyncGenerator<WebSocketMessage, void> {
    for (let message = await this.next(); message !== null; message = await this.next()) yield message;
  }

  /**
   * Sends a message, and waits until the system has taken it. Throws `WebSocketClosedError`.
   *
   * Cancel safety: a message whose sending is cancelled may be sent or not, but never in part.
   */
  send(message: WebSocketMessage): Coroutine<void> {
    return sendMessage(this, message);
  }

  /** Sends a value as JSON. */
  sendJson(value: unknown): Coroutine<void> {
    return sendMessage(this, JSON.stringify(value));
  }

  /** @internal */
  async sendNow(message: WebSocketMessage): Promise<void> {
    const driver = this.#driver;
    if (this.#closed !== null || driver.readyState !== driver.OPEN) throw this.closedError();
    await until(
      new Promise<void>((resolve, reject) => {
        const onClose = (): void => reject(this.closedError());
        driver.once("close", onClose);
        driver.send(message, (error) => {
          driver.off("close", onClose);
          if (error instanceof Error) reject(this.closedError());
          else resolve();
        });
      }),
    );
  }

  /** @internal */
  closedError(): WebSocketClosedError {
    return new WebSocketClosedError(this.#closed?.code ?? 1006, this.#closed?.reason ?? "");
  }

  /**
   * Says goodbye, and waits for the peer's answer, for some seconds. Nothing happens when it is closed.
   *
   * Cancel safety: it is closed, without waiting for the peer.
   */
  close(code = 1000, reason = ""): Coroutine<void> {
    return closeSocket(this, code, reason);
  }

  /** @internal */
  async closeNow(code: number, reason: string): Promise<void> {
    if (this.#closed !== null) return;
    const driver = this.#driver;
    let limit: ReturnType<typeof setTimeout> | undefined;
    try {
      await until(
        new Promise<void>((resolve) => {
          driver.once("close", () => resolve());
          // What comes now is not for anybody, but must be read to find the answer.
          this.#pause(false);
          driver.close(code, reason);
          limit = setTimeout(() => driver.terminate(), CLOSE_LIMIT * 1000);
        }),
      );
    } finally {
      clearTimeout(limit);
      if ((this.#closed as unknown) === null) driver.terminate();
    }
  }

  /** Begins to close, without waiting. @internal */
  sayGoodbye(code: number): void {
    this.#driver.close(code);
  }

  /** Closes it, without a goodbye. */
  terminate(): void {
    this.#driver.terminate();
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #wakeOne(): void {
    for (const receiver of this.#receivers) {
      if (receiver.done()) continue;
      wake(receiver);
      return;
    }
  }

  #pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    // Bun's stand-in for ws cannot.
    if (isPaused) (this.#driver as Partial<SocketDriver>).pause?.();
    else (this.#driver as Partial<SocketDriver>).resume?.();
  }
}

const receiveMessage = coroutine(async function receive(
  socket: WebSocketConnection,
): Promise<WebSocketMessage> {
  const message = await socket.next();
  if (message === null) throw socket.closedError();
  return message;
});
const sendMessage = coroutine(async function send(socket: WebSocketConnection, message: WebSocketMessage) {
  await socket.sendNow(message);
});
const closeSocket = coroutine(async function close(
  socket: WebSocketConnection,
  code: number,
  reason: string,
) {
  await socket.closeNow(code, reason);
});

function wake(receiver: Future<void>): void {
  if (!receiver.done()) receiver.setResult(undefined);
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

function textOf(data: RawData | string): string {
  return typeof data === "string" ? data : Buffer.from(bytesOf(data)).toString("utf8");
}
