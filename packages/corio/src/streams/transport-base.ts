import { host } from "#host";
import { badArgument } from "../errors.ts";
import type { EventLoop, LoopResource } from "../futures/event-loop.ts";
import { PENDING } from "../futures/future.ts";
import type { Future } from "../futures/future.ts";
import { Handle } from "../futures/handle.ts";
import { showAs } from "#host";
import { FlowControl } from "./flow-control.ts";
import type { BaseProtocol } from "./protocols.ts";
import type { BaseTransport, FlowControlled, WriteBufferLimits } from "./transports.ts";

/** What has transports that belong to it: a server. */
export interface TransportOwner {
  attach(transport: OwnedTransport): void;
  detach(transport: OwnedTransport): void;
}

/** A transport as its owner sees it. */
export type OwnedTransport = BaseTransport & Pick<FlowControlled, "abort">;

const noParameters: readonly unknown[] = [];

/** From this ignored write on there is a warning: who writes on must have missed that the connection is gone. */
const IGNORED_WRITES = 5;

/**
 * What all transports over the host's objects do: they belong to a loop, and bring what the host tells them into its
 * order.
 *
 * The host calls back whenever it likes. A transport notes what it was told, and makes one handle ready, which then
 * tells the protocol: so protocols are called as asyncio's are, in the loop's order, in the context in which the
 * connection was made, outside of any task. A loop that is not running keeps the handle until it does.
 *
 * An open transport is something outside the loop that may wake it up: a virtual clock does not jump over it. When the
 * loop is closed what is still open is closed with it, with a warning.
 */
export abstract class TransportBase<P extends BaseProtocol<never>>
  implements BaseTransport, FlowControlled, LoopResource
{
  protected readonly loop: EventLoop;
  protected readonly flow: FlowControl;
  protected protocol: P;
  /** The protocol knows of the connection; before that it is told of nothing, whatever happens. */
  protected isMade = false;
  protected isLost = false;
  protected isShuttingDown = false;
  /** What the connection is lost by. */
  protected error: unknown = null;
  readonly #handle: Handle;
  #isHandleReady = false;
  #isOver = false;
  #ignoredWrites = 0;
  owner: TransportOwner | null = null;

  constructor(loop: EventLoop, protocol: P) {
    this.loop = loop;
    this.protocol = protocol;
    this.flow = new FlowControl(loop, this);
    const deliver = (): void => {
      this.#isHandleReady = false;
      this.deliver();
    };
    this.#handle = new Handle(loop, deliver, noParameters);
    loop.adopt(this);
    loop.scheduler.enterForeign();
  }

  /** Tells the protocol what the host has told. */
  protected abstract deliver(): void;

  /** Lets the host's object go, at once. */
  protected abstract destroy(): void;

  /** Whether what the host tells comes from its poll, and not from other programs' microtasks. */
  protected abstract readonly isPolled: boolean;

  /** In a word, for warnings. */
  protected abstract readonly kind: string;

  abstract close(): void;
  abstract getExtraInfo(name: string, missing?: unknown): unknown;
  abstract getWriteBufferSize(): number;

  /** Has `deliver` called by the loop. */
  protected schedule(): void {
    if (this.#isHandleReady || this.#isOver || !this.isMade) return;
    this.#isHandleReady = true;
    if (this.isPolled) this.loop.scheduler.callFromPoll(this.#handle);
    else this.loop.scheduler.callSoon(this.#handle);
  }

  /** Tells the protocol that it is connected, then begins to receive, then lets go on who waits for that. */
  start(waiter: Future<void>): void {
    const { loop } = this;
    const context = this.#handle.getContext();
    loop.callSoonIn(context, () => {
      this.isMade = true;
      // It may be gone already.
      if (this.isLost) this.schedule();
      (this.protocol as BaseProtocol).connectionMade?.(this);
    });
    loop.callSoonIn(context, () => {
      if (!this.isShuttingDown && !this.#isOver) this.startReading();
    });
    loop.callSoonIn(context, () => {
      if (waiter.state === PENDING) waiter.setResult();
    });
  }

  protected abstract startReading(): void;

  /** The last thing a protocol hears. */
  protected loseConnection(): void {
    this.leave();
    try {
      this.protocol.connectionLost?.(this.error);
    } finally {
      this.owner?.detach(this);
    }
  }

  /** From now on the loop has nothing to do with it. */
  protected leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.isShuttingDown = true;
    this.loop.release(this);
    this.loop.scheduler.leaveForeign();
  }

  /** The protocol has failed: nothing more can be done for this connection. */
  protected fail(error: unknown, message: string): void {
    this.loop.callExceptionHandler({ message, exception: error, transport: this, protocol: this.protocol });
    this.forceClose(error);
  }

  /** Closes the connection at once. */
  protected forceClose(error: unknown): void {
    if (this.isLost) return;
    this.error ??= error;
    this.isShuttingDown = true;
    this.destroy();
  }

  abort(): void {
    this.forceClose(null);
  }

  abandon(): void {
    const wasClosing = this.isShuttingDown;
    this.leave();
    if (wasClosing) return;
    host.warn(
      `unclosed ${this.kind}: it was open when its event loop was closed; close() it before`,
      "CORIO_UNCLOSED",
    );
    this.destroy();
  }

  isClosing(): boolean {
    // Also when it is lost and the protocol has not heard of it yet: who only writes and drains would go on otherwise.
    return this.isShuttingDown || this.isLost;
  }

  setProtocol(protocol: BaseProtocol): void {
    if (typeof protocol !== "object" || (protocol as unknown) === null)
      throw badArgument("setProtocol", "a protocol", protocol);
    this.protocol = protocol as unknown as P;
  }

  getProtocol(): P & BaseProtocol {
    return this.protocol;
  }

  getLoop(): EventLoop {
    return this.loop;
  }

  setWriteBufferLimits(limits?: WriteBufferLimits): void {
    this.flow.setLimits(limits);
    this.flow.pauseAbove(this.getWriteBufferSize());
  }

  getWriteBufferLimits(): Required<WriteBufferLimits> {
    return this.flow.limits;
  }

  /** Something was written to what is closed. */
  protected noteIgnoredWrite(): void {
    this.#ignoredWrites++;
    if (this.#ignoredWrites !== IGNORED_WRITES) return;
    host.warn(
      `${IGNORED_WRITES} writes to a closed ${this.kind} were ignored: see isClosing(), or await drain()`,
      "CORIO_WRITE_AFTER_CLOSE",
    );
  }

  describe(): string {
    const state = this.isLost ? " closed" : this.isShuttingDown ? " closing" : "";
    return `<Transport ${this.kind}${state}, ${this.getWriteBufferSize()} bytes buffered>`;
  }
}

showAs(TransportBase as unknown as { prototype: { describe(): string } }, (transport) =>
  transport.describe(),
);

/** Bytes as `write` takes them; throws for anything else. */
export function requireBytes(where: string, data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  throw badArgument(where, "a Uint8Array", data, "encode text with TextEncoder");
}
