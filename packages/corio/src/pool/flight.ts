/** Who is told how a flight has ended. */
export interface FlightListener<T> {
  /** It has given this. */
  resolve(value: T): void;
  /** It has failed by this. */
  reject(error: unknown): void;
}

/**
 * A request to a server that is on its way: from being sent until the server is ready for the next one. For clients
 * whose driver calls back; `exchange` takes a promise as well.
 *
 * A driver reports that a request has failed before the server is ready for another one, and what it gives may be known
 * only after that. So what the driver calls notes what has happened, `end` says that it is over, and `conclude` then
 * gives the result, or throws.
 *
 * It can be awaited, any number of times. `exchange` listens to it instead, which takes no promise: on the way of a short
 * query those are most of the cost.
 *
 * asyncio: none.
 *
 * @example
 * ```ts
 * import { Flight } from "corio/pool";
 *
 * let rows = 0;
 * const flight = new Flight(() => `${rows} rows`);
 * // What the driver calls when it hears from the server:
 * setTimeout(() => {
 *   rows = 3;
 *   flight.end();
 * }, 1);
 * console.log(await flight);
 * ```
 * ```text output
 * 3 rows
 * ```
 */
export class Flight<T = void> implements PromiseLike<T> {
  readonly #conclude: () => T;
  #failure: { readonly error: unknown } | null = null;
  #isOver = false;
  #state: "open" | "given" | "failed" = "open";
  /** What it has given, or has failed by. */
  #outcome: unknown = undefined;
  /** Most have one. */
  #listener: FlightListener<T> | null = null;
  #otherListeners: FlightListener<T>[] | null = null;
  /** Called when it is over: for those who wait often, and would leave something behind each time. */
  onOver: (() => void) | null = null;

  /** `conclude` is called once, after the end: it gives what the request gives, or throws. */
  constructor(conclude: () => T) {
    this.#conclude = conclude;
  }

  /** The first that went wrong; null if nothing has. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  /** Whether the server is ready for the next request, or the connection is lost. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Notes that something went wrong. It is not over by that. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Says that it is over. Nothing happens the second time. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.onOver?.();
    const last = this.beforeConclusion();
    if (last === null) this.#settle();
    else void last.then(() => this.#settle());
  }

  /** What must have ended, and does not reject, before it concludes; null if nothing. */
  protected beforeConclusion(): Promise<void> | null {
    return null;
  }

  /** Tells `listener` how it ends; at once when it has. */
  listen(listener: FlightListener<T>): void {
    if (this.#state !== "open") this.#tell(listener);
    else if (this.#listener === null) this.#listener = listener;
    else (this.#otherListeners ??= []).push(listener);
  }

  /** For `await`. */
  then<Fulfilled = T, Rejected = never>(
    onFulfilled?: ((value: T) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    const promise = new Promise<T>((resolve, reject) => {
      this.listen({ resolve, reject });
    });
    return promise.then(onFulfilled, onRejected);
  }

  #settle(): void {
    try {
      this.#outcome = this.#conclude();
      this.#state = "given";
    } catch (error) {
      this.#outcome = error;
      this.#state = "failed";
    }
    if (this.#listener !== null) this.#tell(this.#listener);
    for (const listener of this.#otherListeners ?? []) this.#tell(listener);
  }

  #tell(listener: FlightListener<T>): void {
    if (this.#state === "given") listener.resolve(this.#outcome as T);
    else listener.reject(this.#outcome);
  }
}
