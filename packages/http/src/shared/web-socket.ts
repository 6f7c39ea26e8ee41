import { ArgumentTypeError, coroutine, currentTask, Future, until, ValueError } from "corio";
import type { Coroutine, Duration, Task } from "corio";
import { toSeconds } from "corio/pool";
import { WebSocketClosedError } from "../errors.ts";

/** A message that came: text, or bytes. */
export type WebSocketMessage = string | Uint8Array;

/** What is needed of a `WebSocket` of ws. Its types are not everybody's. @internal */
export interface SocketDriver {
  readonly protocol: string;
  readonly readyState: number;
  readonly OPEN: number;
  readonly bufferedAmount: number;
  on(event: "message", listener: (data: RawData, isBinary: boolean) => void): unknown;
  on(event: "ping" | "pong", listener: (data: Uint8Array) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): unknown;
  once(event: "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
  send(message: string | Uint8Array, callback: (error?: Error | null) => void): void;
  close(code?: number, reason?: string): void;
  ping(): void;
  pong(data: Uint8Array): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

type RawData = Uint8Array | ArrayBuffer | Uint8Array[];

/** How many messages, or how many bytes, wait to be received before the peer is not read from any more. */
const HIGH_WATER = 16;
const HIGH_WATER_BYTES = 1 << 20;
/** How many bytes wait to be sent before pings are not answered any more: a peer may send more of them than it reads. */
const PONG_LIMIT = 65_536;
/** How long a peer may take to answer our goodbye, in seconds. */
const CLOSE_LIMIT = 5;

/** Who a WebSocket belongs to, and what keeps it alive. @internal */
export interface ConnectionOptions {
  /** The task that is cancelled when the socket has closed and the task waits for something else. */
  readonly owner?: Task | null | undefined;
  readonly heartbeat?: Duration | null | undefined;
}

/**
 * One end of a WebSocket. `for await (const message of socket)` goes on until it is closed. A peer that sends faster than
 * messages are received is slowed down; `send` waits while the peer does not read.
 *
 * aiohttp: `web.WebSocketResponse`, `ClientWebSocketResponse`.
 */
export class WebSocketConnection implements AsyncIterable<WebSocketMessage>, AsyncDisposable {
  readonly #driver: SocketDriver;
  readonly #messages: WebSocketMessage[] = [];
  /** How much of them there is: bytes, or characters. */
  #size = 0;
  readonly #receivers = new Set<Future<void>>();
  /** What ends the sending that is under way, when it is closed: Node warns of more than ten listeners. */
  readonly #sends = new Set<() => void>();
  /** Tasks that wait for a message, or until one is sent: they are told there that the socket has closed. */
  readonly #waiting = new Set<Task | null>();
  #owner: Task | null;
  #isPaused = false;
  /** `close` was called: what comes now is not for anybody, but must be read to find the peer's answer. */
  #isClosing = false;
  #closed: { readonly code: number; readonly reason: string } | null = null;

  /** @internal */
  constructor(driver: SocketDriver, { owner = null, heartbeat = null }: ConnectionOptions = {}) {
    this.#driver = driver;
    this.#owner = owner;
    driver.on("message", (data: RawData, isBinary: boolean) => {
      if (this.#isClosing) return;
      const message = isBinary ? bytesOf(data) : textOf(data);
      this.#messages.push(message);
      this.#size += message.length;
      this.#wakeOne();
      if (this.#messages.length >= HIGH_WATER || this.#size >= HIGH_WATER_BYTES) this.#pause(true);
    });
    // Bun's stand-in for ws answers by itself.
    if (!("Bun" in globalThis)) {
      driver.on("ping", (data: Uint8Array) => {
        if (driver.bufferedAmount < PONG_LIMIT) driver.pong(data);
      });
    }
    // `close` follows, with the code 1006 or the one that was sent for a broken rule.
    driver.on("error", () => undefined);
    driver.on("close", (code: number, reason: Uint8Array) => {
      this.#closed = { code, reason: textOf(reason) };
      for (const receiver of this.#receivers) wake(receiver);
      for (const onClose of this.#sends) onClose();
      this.#sends.clear();
      if (this.#messages.length === 0) this.#cancelOwner();
    });
    if (heartbeat !== null) this.#startHeartbeat(toSeconds(heartbeat, "heartbeat"));
  }

  /** There is nothing more to come. Who waits for it here is told here; anybody else is not to wait for nothing. */
  #cancelOwner(): void {
    const owner = this.#owner;
    this.#owner = null;
    if (owner === null || this.#waiting.has(owner)) return;
    owner.cancel("the WebSocket was closed", { requestedBy: "the WebSocket" });
  }

  /** A peer that is cut off from the network says nothing: it is asked. */
  #startHeartbeat(seconds: number): void {
    const driver = this.#driver;
    let isAlive = true;
    const beat = (): void => {
      // While we do not read, its answers wait, too; when we read again, it has another interval. How long a handshake
      // may take is not for us to say.
      if (this.#isPaused || driver.readyState < driver.OPEN) {
        isAlive = true;
        return;
      }
      if (!isAlive) {
        // A process that stood still, or was busy, is told of the time before it is told of what has come meanwhile.
        setImmediate(() => {
          if (!isAlive && !this.#isPaused) driver.terminate();
        });
        return;
      }
      isAlive = false;
      if (driver.readyState === driver.OPEN) driver.ping();
    };
    const timer = setInterval(beat, seconds * 1000);
    driver.on("pong", () => (isAlive = true));
    driver.once("close", () => clearInterval(timer));
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
        this.#size -= message.length;
        if (this.#messages.length <= HIGH_WATER / 2 && this.#size <= HIGH_WATER_BYTES / 2) this.#pause(false);
        return message;
      }
      const task = currentTask();
      if (this.#closed !== null) {
        // Another task has got the end: the one that it was accepted in has not.
        if (task !== this.#owner) this.#cancelOwner();
        return null;
      }
      const receiver = new Future<void>();
      this.#receivers.add(receiver);
      this.#waiting.add(task);
      try {
        await receiver;
      } catch (error) {
        if (this.#messages.length > 0) this.#wakeOne();
        throw error;
      } finally {
        this.#receivers.delete(receiver);
        this.#waiting.delete(task);
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
    if (typeof message !== "string" && !((message as unknown) instanceof Uint8Array)) {
      throw new ArgumentTypeError(
        `send expects a string or bytes, got ${typeof message}; for objects there is sendJson`,
      );
    }
    return sendMessage(this, message);
  }

  /** Sends a value as JSON. Throws `ArgumentTypeError` for what JSON cannot say, such as undefined. */
  sendJson(value: unknown): Coroutine<void> {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new ArgumentTypeError(`sendJson cannot write ${typeof value} as JSON`);
    return sendMessage(this, text);
  }

  /** @internal */
  async sendNow(message: WebSocketMessage): Promise<void> {
    const driver = this.#driver;
    if (this.#closed !== null || driver.readyState !== driver.OPEN) throw this.closedError();
    const task = currentTask();
    this.#waiting.add(task);
    try {
      await until(
        new Promise<void>((resolve, reject) => {
          const onClose = (): void => reject(this.closedError());
          this.#sends.add(onClose);
          driver.send(message, (error) => {
            this.#sends.delete(onClose);
            if (error instanceof Error) reject(this.closedError());
            else resolve();
          });
        }),
      );
    } finally {
      this.#waiting.delete(task);
    }
  }

  /** @internal */
  closedError(): WebSocketClosedError {
    return new WebSocketClosedError(this.#closed?.code ?? 1006, this.#closed?.reason ?? "");
  }

  /**
   * Says goodbye, and waits for the peer's answer, for some seconds. Nothing happens when it is closed. Throws
   * `ValueError` for a code or a reason that cannot be sent.
   *
   * Cancel safety: it is closed, without waiting for the peer.
   */
  close(code = 1000, reason = ""): Coroutine<void> {
    if (!isCloseCode(code))
      throw new ValueError(
        `close expects a code such as 1000 or 1001, or one from 3000 to 4999, got ${code}`,
      );
    if (Buffer.byteLength(reason) > 123)
      throw new ValueError("the reason for which a WebSocket is closed has at most 123 bytes");
    return closeSocket(this, code, reason);
  }

  /** @internal */
  async closeNow(code: number, reason: string): Promise<void> {
    // It is closed from here: nobody has to be told.
    this.#owner = null;
    if (this.#closed !== null) return;
    this.#isClosing = true;
    const driver = this.#driver;
    let limit: ReturnType<typeof setTimeout> | undefined;
    try {
      await until(
        new Promise<void>((resolve) => {
          driver.once("close", () => resolve());
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

/** What programs may send, and what RFC 6455 has for servers and libraries; not the three that stand for no code at all. */
function isCloseCode(code: number): boolean {
  return (
    Number.isInteger(code) &&
    ((code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999))
  );
}

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
