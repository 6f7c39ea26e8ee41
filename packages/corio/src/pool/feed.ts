import { isCancelledError, TimeoutError, ValueError } from "../errors.ts";
import { Event } from "../library/event.ts";
import { Lock } from "../library/lock.ts";
import { timeout } from "../library/timeout.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";

/** How much a feed keeps, and how it looks after its connection. */
export interface FeedOptions {
  /** How many messages are kept for a loop that is slow; more are lost, which is a gap. Default 10 000. */
  readonly maxBuffered?: number | undefined;
  /** How often the connection is checked when nothing arrives. Default 30 seconds. */
  readonly heartbeat?: Duration | undefined;
  /** The longest pause between two attempts to connect again. Default 10 seconds. */
  readonly maxDelay?: Duration | undefined;
}

/** Messages may have been lost between the one before and the one after this. Look at what they are about. */
export interface Gap {
  readonly kind: "gap";
  /** `reconnected`: nobody listened for a while. `overflow`: more arrived than were kept. */
  readonly reason: "reconnected" | "overflow";
  /** How many were lost; null when nobody knows. */
  readonly lost: number | null;
  /** What ended the connection. */
  readonly cause: unknown;
}

/** A connection on which messages arrive. */
export interface FeedConnection {
  /** Why it is of no use any more; null while it is. */
  readonly lost: unknown;
  /** Throws when the server does not answer. */
  check(): PromiseLike<unknown>;
  /** Closes it on this side. */
  drop(reason: string): void;
}

/** Where the messages of a feed come from. */
export interface FeedSource<M, C extends FeedConnection> {
  /** For messages of errors: `listen`. */
  readonly name: string;
  /** Connects, and gives the connection when the server sends messages on it, which go to `feed.put`. */
  open(feed: Feed<M, C>): PromiseLike<C>;
  /** Ends a connection in order. */
  close(connection: C): PromiseLike<unknown>;
  /** Whether another attempt may succeed after `open` has thrown this. */
  isTemporary(error: unknown): boolean;
}

const FIRST_DELAY = 0.1;

/**
 * What a server sends by itself, as an async iterable that connects again when its connection is lost, for as long as it
 * takes, and then gives a `Gap`. The first attempt is not repeated.
 *
 * `for await` owns the feed: leaving the loop closes it, be it by `break`, by an error or by a cancel. `next` leaves it
 * open, also when it is cancelled.
 *
 * Cancel safety: nothing that has arrived is lost by a cancel, except for what nobody has taken when it is closed.
 */
export class Feed<M, C extends FeedConnection = FeedConnection>
  implements AsyncIterableIterator<M | Gap, undefined>, AsyncDisposable
{
  readonly #source: FeedSource<M, C>;
  readonly #limit: number;
  readonly #heartbeat: number;
  readonly #maxDelay: number;
  readonly #news: Event = new Event();
  /** Events are given one at a time, in the order in which they were asked for. */
  readonly #turn: Lock = new Lock();
  #messages: M[] = [];
  #taken = 0;
  #lost = 0;
  #connection: C | null = null;
  readonly #closed: Event = new Event();

  /** Does not connect yet. Throws when an option makes no sense. */
  constructor(source: FeedSource<M, C>, options: FeedOptions) {
    const { maxBuffered = 10_000, heartbeat = 30, maxDelay = 10 } = options;
    if (!(maxBuffered >= 1))
      throw new ValueError(`${source.name} expects maxBuffered to be 1 or more, got ${String(maxBuffered)}`);
    this.#source = source;
    this.#limit = maxBuffered;
    this.#heartbeat = toSeconds(heartbeat, `${source.name}: heartbeat`);
    this.#maxDelay = toSeconds(maxDelay, `${source.name}: maxDelay`);
  }

  // ── For the source ────────────────────────────────────────────────────────────────────────────────────────────

  /** A message has arrived. */
  put(message: M): void {
    // The newest are kept out: what is given up lies after what the loop sees next, as a gap should. So do those that
    // come after them, until the loop has seen the gap.
    if (this.#messages.length - this.#taken >= this.#limit || this.#lost > 0) this.#lost++;
    else this.#messages.push(message);
    this.#news.set();
  }

  /** The connection was lost. */
  wakeUp(): void {
    this.#news.set();
  }

  // ── For those who take ────────────────────────────────────────────────────────────────────────────────────────

  /** Connects; `next` does that, too. */
  async connect(): Promise<void> {
    const connection = await this.#source.open(this);
    if (this.#closed.isSet()) connection.drop("nobody waits for messages any more");
    this.#connection = connection;
  }

  /** The next message or gap; `done` after `close`. */
  async next(): Promise<IteratorResult<M | Gap, undefined>> {
    await this.#turn.acquire();
    try {
      const event = await this.#nextEvent();
      return event === null ? { done: true, value: undefined } : { done: false, value: event };
    } finally {
      this.#turn.release();
    }
  }

  /** Closes it. */
  async return(): Promise<IteratorResult<M | Gap, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** For `for await`, which closes the feed when it is left, in whatever way. */
  [Symbol.asyncIterator](): AsyncIterableIterator<M | Gap, undefined> {
    const iterator = {
      next: async () => {
        try {
          return await this.next();
        } catch (error) {
          await this.close();
          throw error;
        }
      },
      return: () => this.return(),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Closes the connection; who waits for a message is told that there is none. Nothing happens the second time. */
  async close(): Promise<void> {
    this.#closed.set();
    this.#news.set();
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null) await this.#source.close(connection);
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #nextEvent(): Promise<M | Gap | null> {
    while (!this.#closed.isSet()) {
      if (this.#taken < this.#messages.length) return this.#take();
      this.#news.clear();
      if (this.#lost > 0) {
        const lost = this.#lost;
        this.#lost = 0;
        return { kind: "gap", reason: "overflow", lost, cause: null };
      }
      if (this.#connection === null) {
        await this.connect();
        continue;
      }
      const cause = this.#connection.lost;
      if (cause === null) {
        if (!(await happens(this.#news, this.#heartbeat))) await checkStillThere(this.#connection);
        continue;
      }
      if (await this.#connectAgain()) return { kind: "gap", reason: "reconnected", lost: null, cause };
    }
    return null;
  }

  #take(): M {
    const message = this.#messages[this.#taken++] as M;
    // Not one by one, which would move the others each time.
    if (this.#taken === this.#messages.length) {
      this.#messages = [];
      this.#taken = 0;
    }
    return message;
  }

  /** False when the feed was closed before that. */
  async #connectAgain(): Promise<boolean> {
    for (let delay = FIRST_DELAY; !this.#closed.isSet(); delay = Math.min(2 * delay, this.#maxDelay)) {
      try {
        await this.connect();
        return !this.#closed.isSet();
      } catch (error) {
        if (isCancelledError(error) || !this.#source.isTemporary(error)) throw error;
      }
      await happens(this.#closed, delay);
    }
    return false;
  }
}

/** Whether `event` is set before so many seconds have passed. */
async function happens(event: Event, seconds: number): Promise<boolean> {
  try {
    await timeout(seconds, () => event.wait());
    return true;
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    return false;
  }
}

/** A connection that nobody sends anything on looks the same whether the server is there or not. */
async function checkStillThere(connection: FeedConnection | null): Promise<void> {
  try {
    await connection?.check();
  } catch (error) {
    if (isCancelledError(error)) throw error;
    connection?.drop("it does not answer");
  }
}
