import type { Socket } from "node:net";
import type { EventLoop, Future } from "corio";

/** How many requests of one connection are handled at once. */
const MAX_AT_ONCE = 16;

/** How many there may be at all. No client that means well has so many. */
const MAX_OPEN = 1000;

/**
 * The requests of one connection whose responses have not ended. A client may send many without reading an answer, and
 * all answers but the first have to be kept; so only a few are made before those in front of them have been sent.
 */
export class Pipeline {
  #open = 0;
  readonly #waiting: Future<void>[] = [];

  /** Whether there are more than a connection may have. */
  get isFull(): boolean {
    return this.#open >= MAX_OPEN;
  }

  /** A request came. What its task has to wait for first; null: nothing. */
  enter(loop: EventLoop): Future<void> | null {
    if (++this.#open <= MAX_AT_ONCE) return null;
    const turn: Future<void> = loop.createFuture();
    this.#waiting.push(turn);
    return turn;
  }

  /** A response has ended. */
  leave(): void {
    this.#open--;
    const next = this.#waiting.shift();
    if (next?.done() === false) next.setResult(undefined);
  }
}

const pipelines = new WeakMap<Socket, Pipeline>();

export function pipelineOf(socket: Socket): Pipeline {
  let found = pipelines.get(socket);
  if (found === undefined) pipelines.set(socket, (found = new Pipeline()));
  return found;
}
