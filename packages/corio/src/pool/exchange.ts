import { badArgument, isObject } from "../errors.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { Future } from "../futures/future.ts";
import type { TimerHandle } from "../futures/handle.ts";
import { Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";
import { DeadlineTimer } from "../library/deadline-timer.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { WorkFuture } from "../library/work-future.ts";
import { Flight } from "./flight.ts";
import type { FlightListener } from "./flight.ts";

/**
 * The cancel rule, for requests to a server that are cancelled by a second command over another connection.
 *
 *     the task is cancelled
 *           │
 *           ▼
 *     cancel() ──► has ended; no answer yet ──► a pause ──► cancel() ──► …
 *           │                                                  │
 *           │ the request has its answer,                      │ cancelTimeout has passed
 *           │ and the cancel command has ended                 ▼
 *           ▼                                          terminate(), then drop()
 *     the task goes on                                         │ which makes the request fail
 *                                                              ▼
 *                                                       the task goes on
 *
 * Neither half of "the request has its answer, and the cancel command has ended" can be left out. A cancel command that
 * is still under way when the connection gets its next request would hit that one. A single cancel command is not
 * enough either: it may come to the server before the request does, and then nothing happens.
 */
export interface ExchangeOptions {
  /**
   * Asks the server, over another connection, to give up what this one is doing. The promise settles when that command
   * can have no effect any more; whether it came through does not matter. Null: the request is not to be interrupted; a
   * cancel waits for its answer, up to `cancelTimeout`.
   */
  readonly cancel: (() => PromiseLike<unknown>) | null;
  /** Ends the connection on the server, by other means than the connection itself. Given `cancelTimeout` as well. */
  readonly terminate?: (() => PromiseLike<unknown>) | undefined;
  /** Closes the connection on this side, for good. The request must fail by that. */
  readonly drop: (reason: string) => void;
  /** How long cancelling may take before the connection is given up. */
  readonly cancelTimeout: Duration;
  /** How long the answer may take before the request is cancelled without anybody asking for it. Default: any time. */
  readonly answerTimeout?: Duration | undefined;
}

/** Seconds between two cancel commands: the first pause, and the longest. */
const FIRST_PAUSE = 0.05;
const LONGEST_PAUSE = 1;

/**
 * Sends a request and waits for its answer. When the task is cancelled the request is cancelled on the server, and the
 * wait goes on until the answer is there and the last cancel command has ended: then, and only then, the connection can
 * be used for something else. `send` is called when the coroutine is awaited; it gives a promise, or a `Flight`. So are
 * options that are given as a function, before it.
 *
 * Cancel safety: an answer that arrives although the request was cancelled is delivered, and the cancellation is raised
 * at the next await. A failure after the cancel is raised as `CancelledError`.
 *
 * asyncio: none.
 *
 * @example
 * ```ts
 * import { run, timeout, TimeoutError } from "corio";
 * import { exchange } from "corio/pool";
 *
 * // What a driver has: a request, and a way to interrupt it.
 * let interrupt = () => {};
 * const query = () => new Promise<string>((_resolve, reject) => {
 *   interrupt = () => { reject(new Error("canceling statement due to user request")); };
 * });
 *
 * async function main() {
 *   try {
 *     await timeout(0.01, () => exchange(query, {
 *       cancel: async () => { interrupt(); },
 *       drop: (reason) => { console.log("dropped:", reason); },
 *       cancelTimeout: 5,
 *     }));
 *   } catch (error) {
 *     console.log(error instanceof TimeoutError);
 *   }
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * true
 * ```
 */
export function exchange<T>(
  send: () => PromiseLike<T>,
  options: ExchangeOptions | (() => ExchangeOptions),
): Coroutine<T> {
  if (typeof send !== "function") throw badArgument("exchange", "a function that sends the request", send);
  if (typeof options !== "function") checkExchange(options);
  return new Exchange<T>(send, options);
}

function checkExchange(options: unknown): void {
  if (!isObject(options)) throw badArgument("exchange", "an object with options", options);
  const { cancel, drop } = options as { cancel?: unknown; drop?: unknown };
  if (cancel !== null && typeof cancel !== "function")
    throw badArgument("exchange: cancel", "a function or null", cancel);
  if (typeof drop !== "function") throw badArgument("exchange: drop", "a function", drop);
}

class Exchange<T> extends Operation<T> {
  readonly #send: () => PromiseLike<T>;
  readonly #options: ExchangeOptions | (() => ExchangeOptions);

  constructor(send: () => PromiseLike<T>, options: ExchangeOptions | (() => ExchangeOptions)) {
    super();
    this.#send = send;
    this.#options = options;
  }

  get name(): string {
    return "exchange";
  }

  /** The driver is native code of the program: it has to find its task. */
  override get isNative(): boolean {
    return true;
  }

  begin(task: Task): Future<T> {
    const answer = new Answer<T>(task.loop);
    answer.begin(this.#send, typeof this.#options === "function" ? this.#options() : this.#options);
    return answer;
  }
}

/** The answer to a request: what `exchange` waits for. */
export class Answer<T> extends WorkFuture<T> implements FlightListener<T> {
  #options: ExchangeOptions | null = null;
  #cancelSeconds = 0;
  #limit: TimerHandle | null = null;
  #isAnswered = false;
  #noteAnswered: (() => void) | null = null;
  #interruption: Promise<void> | null = null;

  /** Sends the request. What `send` throws is thrown, and so is what the options have wrong, before it. */
  begin(send: () => PromiseLike<T>, options: ExchangeOptions): void {
    checkExchange(options);
    this.#options = options;
    const { cancelTimeout, answerTimeout } = options;
    this.#cancelSeconds = toSeconds(cancelTimeout, "exchange: cancelTimeout");
    const answerSeconds =
      answerTimeout === undefined ? null : toSeconds(answerTimeout, "exchange: answerTimeout");
    const request = send();
    if (answerSeconds !== null) {
      this.#limit = this.loop.callLater(answerSeconds, () => {
        this.#interruption ??= this.#interrupt();
      });
    }
    this.noteBegun();
    if (request instanceof Flight) request.listen(this);
    else {
      Promise.resolve(request).then(
        (value) => {
          this.resolve(value);
        },
        (error: unknown) => {
          this.reject(error);
        },
      );
    }
  }

  protected override requestEnd(): void {
    this.#interruption ??= this.#interrupt();
  }

  override describeWait(): string {
    return this.isEndRequested ? "an answer, or that a cancelled request ends" : "an answer";
  }

  resolve(value: T): void {
    this.#noteAnswer();
    if (this.#interruption === null) this.succeed(value);
    else {
      void this.#interruption.then(() => {
        this.succeed(value);
      });
    }
  }

  reject(error: unknown): void {
    this.#noteAnswer();
    if (this.#interruption === null) this.giveUp(error);
    else {
      void this.#interruption.then(() => {
        this.giveUp(error);
      });
    }
  }

  #noteAnswer(): void {
    this.#isAnswered = true;
    this.#limit?.cancel();
    this.#noteAnswered?.();
  }

  /** Never rejects. */
  async #interrupt(): Promise<void> {
    const { cancel, terminate, drop } = this.#options as ExchangeOptions;
    const seconds = this.#cancelSeconds;
    const answered = new Promise<void>((resolve) => (this.#noteAnswered = resolve));
    const limit = this.#timer(seconds);
    const isOver = (): boolean => this.#isAnswered || limit.isOver();
    let isUnderWay = false;
    for (let pause = FIRST_PAUSE; cancel !== null; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      isUnderWay = true;
      const command = call(cancel).then(() => (isUnderWay = false));
      await Promise.race([command, limit.over]);
      if (isOver()) break;
      const rest = this.#timer(pause);
      await Promise.race([answered, rest.over, limit.over]);
      rest.stop();
      if (isOver()) break;
    }
    if (cancel === null) await Promise.race([answered, limit.over]);
    limit.stop();
    if (this.#isAnswered && !isUnderWay) return;

    if (!this.#isAnswered && terminate !== undefined) {
      const secondLimit = this.#timer(seconds);
      await Promise.race([call(terminate), secondLimit.over]);
      secondLimit.stop();
    }
    try {
      drop(
        this.#isAnswered
          ? `the command that cancels its request did not end within ${seconds} s`
          : `its request was to end, and did not within ${seconds} s`,
      );
    } catch (exception) {
      // The answer, if it comes, is the task's all the same.
      this.loop.callExceptionHandler({ message: "exchange: drop failed", exception });
    }
  }

  #timer(seconds: number): Timer {
    let end: () => void = () => undefined;
    let isOver = false;
    const over = new Promise<void>((resolve) => (end = resolve));
    const deadline = new DeadlineTimer(this.loop, this.loop.time() + seconds, () => {
      isOver = true;
      end();
    });
    return { isOver: () => isOver, over, stop: () => deadline.cancel() };
  }
}

interface Timer {
  readonly isOver: () => boolean;
  readonly over: Promise<void>;
  readonly stop: () => void;
}

async function call(command: () => PromiseLike<unknown>): Promise<void> {
  try {
    await command();
  } catch {
    // Not even a connection for the command: the next try may have one.
  }
}
