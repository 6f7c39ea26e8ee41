import { ArgumentTypeError, coroutine, isCancelledError } from "corio";
import type { Coroutine, Duration } from "corio";
import { toSeconds } from "corio/pool";
import { Inbox } from "./inbox.ts";
import { openAgain } from "./reconnect.ts";
import type { Session } from "./session.ts";

/** What to listen to. */
export interface SubscriptionTopics {
  /** Names of channels. */
  readonly channels?: string | readonly string[] | undefined;
  /** Patterns of names: `news.*`. */
  readonly patterns?: string | readonly string[] | undefined;
  /** Names of shard channels, which `sPublish` sends to. */
  readonly shardChannels?: string | readonly string[] | undefined;
}

/** Options of `subscribe`. */
export interface SubscriptionOptions {
  /** How many messages are kept for a loop that is slow; more are lost, which is a gap. Default 10 000. */
  readonly maxBuffered?: number | undefined;
  /** How often the connection is checked when nothing arrives. Default 30 seconds. */
  readonly heartbeat?: Duration | undefined;
  /** The longest pause between two attempts to connect again. Default 10 seconds. */
  readonly maxDelay?: Duration | undefined;
}

/** What somebody has published. */
export interface Message {
  readonly kind: "message";
  /** The channel. */
  readonly channel: string;
  /** The pattern by which it was found; null when the channel itself was subscribed to. */
  readonly pattern: string | null;
  /** The text. */
  readonly message: string;
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

/** What the loop over a subscription is given. */
export type SubscriptionEvent = Message | Gap;

/** The topics as arrays. */
export interface Topics {
  readonly channels: string[];
  readonly patterns: string[];
  readonly shardChannels: string[];
}

/** Makes sense of what `subscribe` is given. */
export function toTopics(topics: string | readonly string[] | SubscriptionTopics): Topics {
  const given: SubscriptionTopics =
    typeof topics === "string" || Array.isArray(topics)
      ? { channels: topics as string | readonly string[] }
      : (topics as SubscriptionTopics);
  const [channels, patterns, shardChannels] = (["channels", "patterns", "shardChannels"] as const).map(
    (kind) => {
      const names = given[kind] ?? [];
      return typeof names === "string" ? [names] : [...names];
    },
  ) as [string[], string[], string[]];
  const all = [...channels, ...patterns, ...shardChannels];
  if (all.length === 0 || all.some((name) => typeof name !== "string")) {
    throw new ArgumentTypeError(
      "subscribe expects the name of a channel, an array of names, or { channels, patterns, shardChannels }",
    );
  }
  return { channels, patterns, shardChannels };
}

/**
 * Messages as an async iterable, on a connection of its own: what `subscribe` gives. From then on nothing is missed.
 * When the connection is lost, the loop connects again, for as long as it takes, and gives a `Gap`.
 *
 * Cancel safety: nothing that has arrived is lost by a cancel, except for what the loop has not taken when it is closed.
 * Leaving a `for await` loop closes it, and so does the end of an `await using` block.
 *
 * redis-py: `PubSub`, which connects again without a word.
 */
export class Subscription implements AsyncIterableIterator<SubscriptionEvent>, AsyncDisposable {
  readonly #topics: Topics;
  readonly #open: () => PromiseLike<Session>;
  readonly #heartbeat: Duration;
  readonly #maxDelay: number;
  readonly #inbox: Inbox<Message>;
  readonly #events: AsyncGenerator<SubscriptionEvent, void, undefined>;
  #session: Session | null = null;
  #isClosed = false;

  /** @internal */
  constructor(topics: Topics, options: SubscriptionOptions, open: () => PromiseLike<Session>) {
    const { maxBuffered = 10_000, heartbeat = 30, maxDelay = 10 } = options;
    this.#topics = topics;
    this.#open = open;
    this.#heartbeat = heartbeat;
    this.#maxDelay = toSeconds(maxDelay, "subscribe: maxDelay");
    this.#inbox = new Inbox(maxBuffered);
    this.#events = this.#run();
  }

  /** Connects, and subscribes. @internal */
  async begin(): Promise<Session> {
    const session = await this.#open();
    const { channels, patterns, shardChannels } = this.#topics;
    const put = (pattern: string | null) => (message: string, channel: string) =>
      this.#inbox.put({ kind: "message", channel, pattern, message });
    try {
      session.onLost(() => this.#inbox.wakeUp());
      await session.perform(async (client) => {
        await Promise.all([
          channels.length > 0 && client.subscribe(channels, put(null)),
          // The driver does not say which pattern it was.
          ...patterns.map((pattern) => client.pSubscribe([pattern], put(pattern))),
          shardChannels.length > 0 && client.sSubscribe(shardChannels, put(null)),
        ]);
      });
      this.#session = session;
      if (this.#isClosed) session.drop("the subscription was closed");
      else session.keepAlive();
      return session;
    } catch (error) {
      session.drop("it could not subscribe");
      throw error;
    }
  }

  /** The next event. After `close` there is none. */
  async next(): Promise<IteratorResult<SubscriptionEvent, undefined>> {
    return (await this.#events.next()) as IteratorResult<SubscriptionEvent, undefined>;
  }

  /** Closes it. */
  async return(): Promise<IteratorResult<SubscriptionEvent, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Closes the connection; a loop that waits for a message ends. Nothing happens the second time. */
  close(): Coroutine<void> {
    return closeSubscription(this);
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  closeNow(): void {
    this.#isClosed = true;
    this.#session?.drop("the subscription was closed");
    this.#inbox.wakeUp();
  }

  async *#run(): AsyncGenerator<SubscriptionEvent, void, undefined> {
    while (!this.#isClosed) {
      const message = this.#inbox.take();
      if (message !== undefined) {
        yield message;
        continue;
      }
      const count = this.#inbox.takeLost();
      if (count > 0) {
        yield { kind: "gap", reason: "overflow", lost: count, cause: null };
        continue;
      }
      const session = this.#session as Session;
      const { lost } = session;
      if (lost === null) {
        if (!(await this.#inbox.wait(this.#heartbeat))) await checkStillThere(session);
        continue;
      }
      await openAgain(() => this.begin(), this.#maxDelay);
      yield { kind: "gap", reason: "reconnected", lost: null, cause: lost };
    }
  }
}

/** A connection that nobody sends anything on looks the same whether the server is there or not. */
async function checkStillThere(session: Session): Promise<void> {
  try {
    await session.check();
  } catch (error) {
    if (isCancelledError(error)) throw error;
    session.drop("it does not answer");
  }
}

const closeSubscription = coroutine(async function close(subscription: Subscription): Promise<void> {
  await Promise.resolve();
  subscription.closeNow();
});
