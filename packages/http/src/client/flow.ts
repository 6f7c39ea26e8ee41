import type { Duplex } from "node:stream";

/** What slows a server down: what it sends is left where it is. */
export interface Flow {
  /** Reads no more. What has been read from the system is still given. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** The connection is for somebody else now. */
  release(): void;
}

/** Of the connection whose data are being parsed at this moment. */
let current: Flow | null = null;

/** What slows down the connection on which a piece of a response has just come; null for HTTP/2. */
export function currentFlow(): Flow | null {
  return current;
}

/**
 * Lets a connection of undici over HTTP/1.1 be slowed down, by not telling undici that there is something to read.
 *
 * undici's own way is to pause its parser. But if the connection ends, or breaks, while the parser is paused, it throws
 * an AssertionError out of a callback of the host, and with that ends the process (nodejs/undici#5360). The version in
 * which that is mended does not run on Node 20.
 */
export function addFlow(socket: Duplex): void {
  let isPaused = false;
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...values: unknown[]) => boolean;
  const flow: Flow = {
    pause: () => (isPaused = true),
    resume: () => {
      isPaused = false;
      socket.emit("readable");
    },
    release: () => (isPaused = false),
  };
  socket.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event !== "readable") return emit(event, ...values);
    if (isPaused) return false;
    current = flow;
    try {
      return emit(event, ...values);
    } finally {
      current = null;
    }
  };
}
