import { badArgument, ValueError } from "../errors.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import type { BaseTransport, WriteBufferLimits } from "./transports.ts";

const DEFAULT_HIGH = 64 * 1024;

/**
 * A transport's marks, and whether its protocol has been asked to pause. The protocol is told in the very call that
 * goes over the mark, so that who writes in a loop can see it.
 */
export class FlowControl {
  readonly #loop: EventLoop;
  readonly #transport: BaseTransport;
  #low = DEFAULT_HIGH / 4;
  #high = DEFAULT_HIGH;
  isPaused = false;

  constructor(loop: EventLoop, transport: BaseTransport) {
    this.#loop = loop;
    this.#transport = transport;
  }

  get high(): number {
    return this.#high;
  }

  get limits(): Required<WriteBufferLimits> {
    return { low: this.#low, high: this.#high };
  }

  setLimits(limits: WriteBufferLimits = {}): void {
    if (typeof limits !== "object" || (limits as unknown) === null)
      throw badArgument("setWriteBufferLimits", "an object with low and high", limits);
    const high = limits.high ?? (limits.low === undefined ? DEFAULT_HIGH : limits.low * 4);
    const low = limits.low ?? Math.floor(high / 4);
    if (!(high >= low && low >= 0)) {
      throw new ValueError(`setWriteBufferLimits expects high >= low >= 0, got high ${high}, low ${low}`);
    }
    this.#low = low;
    this.#high = high;
  }

  /** Something was written: `size` bytes are waiting now. */
  pauseAbove(size: number): void {
    if (this.isPaused || size <= this.#high) return;
    this.isPaused = true;
    this.#tell("pauseWriting");
  }

  /** Something was sent: `size` bytes are waiting still. */
  resumeBelow(size: number): void {
    if (!this.isPaused || size > this.#low) return;
    this.isPaused = false;
    this.#tell("resumeWriting");
  }

  #tell(method: "pauseWriting" | "resumeWriting"): void {
    const protocol = this.#transport.getProtocol();
    try {
      protocol[method]?.();
    } catch (error) {
      this.#loop.callExceptionHandler({
        message: `protocol.${method}() failed`,
        exception: error,
        transport: this.#transport,
        protocol,
      });
    }
  }
}
