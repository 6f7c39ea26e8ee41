import type { Context } from "./context.ts";
import type { Future, FutureCallback } from "./future.ts";
import { Handle } from "./handle.ts";

/** A function given to `addDoneCallback`. */
export class DoneCallback extends Handle implements FutureCallback {
  readonly awaiter: null = null;
  readonly callback: (future: Future<unknown>) => void;
  readonly #future: Future<unknown>;

  constructor(
    future: Future<unknown>,
    callback: (future: Future<unknown>) => void,
    context: Context | undefined,
  ) {
    super(future.loop, callback, [future], context);
    this.callback = callback;
    this.#future = future;
  }

  protected override describe(): Record<string, unknown> {
    return { future: this.#future };
  }
}
