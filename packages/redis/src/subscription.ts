import { ArgumentTypeError, coroutine } from "corio";
import type { Coroutine } from "corio";
import { Feed } from "corio/pool";
import type { FeedOptions, Gap } from "corio/pool";
import { isAboutConnection } from "./reconnect.ts";
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
export interface SubscriptionOptions extends FeedOptions {
  /** How many messages are kept for a loop that is slow; more are lost, which is a gap. Default 10 000. */
  readonly maxBuffered?: number | undefined;
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
      : ((topics as SubscriptionTopics | null | undefined) ?? {});
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
 * When the connection is lost, it connects again, for as long as it takes, and gives a `Gap`.
 *
 * Cancel safety: nothing that has arrived is lost by a cancel, except for what nobody has taken when it is closed. A
 * `for await` loop closes it when it is left, in whatever way, and so does the end of an `await using` block; after
 * `next`, also one that was cancelled, the next one can be asked for.
 *
 * redis-py: `PubSub`, which connects again without a word.
 */
export class Subscription implements AsyncIterableIterator<SubscriptionEvent, undefined>, AsyncDisposable {
  readonly #feed: Feed<Message, Session>;

  /** @internal */
  constructor(topics: Topics, options: SubscriptionOptions, open: () => PromiseLike<Session>) {
    this.#feed = new Feed<Message, Session>(
      {
        name: "subscribe",
        open: (feed) => begin(topics, feed, open),
        // It says no goodbye: nothing is on its way that could be lost.
        close: async (session) => {
          session.drop("the subscription was closed");
          await Promise.resolve();
        },
        isTemporary: isAboutConnection,
      },
      options,
    );
  }

  /** Connects, and subscribes. @internal */
  async begin(): Promise<void> {
    await this.#feed.connect();
  }

  /** The next event. After `close` there is none. */
  async next(): Promise<IteratorResult<SubscriptionEvent, undefined>> {
    return await this.#feed.next();
  }

  /** Closes it. */
  async return(): Promise<IteratorResult<SubscriptionEvent, undefined>> {
    return await this.#feed.return();
  }

  /** For `for await`, which closes it when it is left, in whatever way. */
  [Symbol.asyncIterator](): AsyncIterableIterator<SubscriptionEvent, undefined> {
    return this.#feed[Symbol.asyncIterator]();
  }

  /** Closes the connection; a loop that waits for a message ends. Nothing happens the second time. */
  close(): Coroutine<void> {
    return closeFeed(this.#feed);
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function begin(
  { channels, patterns, shardChannels }: Topics,
  feed: Feed<Message, Session>,
  open: () => PromiseLike<Session>,
): Promise<Session> {
  const session = await open();
  const put = (pattern: string | null) => (message: string, channel: string) =>
    feed.put({ kind: "message", channel, pattern, message });
  try {
    session.onLost(() => feed.wakeUp());
    await session.perform(async (client) => {
      await Promise.all([
        channels.length > 0 && client.subscribe(channels, put(null)),
        // The driver does not say which pattern it was.
        ...patterns.map((pattern) => client.pSubscribe([pattern], put(pattern))),
        shardChannels.length > 0 && client.sSubscribe(shardChannels, put(null)),
      ]);
    });
    session.keepAlive();
    return session;
  } catch (error) {
    session.drop("it could not subscribe");
    throw error;
  }
}

const closeFeed = coroutine(async function close(feed: Feed<Message, Session>): Promise<void> {
  await feed.close();
});
