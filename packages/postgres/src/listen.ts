import { ArgumentTypeError, ValueError } from "corio";
import { Feed } from "corio/pool";
import type { FeedOptions, Gap } from "corio/pool";
import { quoteIdentifier } from "./driver.ts";
import { toOptions } from "./options.ts";
import type { ConnectOptions } from "./options.ts";
import { Session } from "./session.ts";

/** Options of `listen`. */
export interface ListenOptions extends FeedOptions {
  /** How many notifications are kept for a loop that is slow; more are lost, which is a gap. Default 10 000. */
  readonly maxBuffered?: number | undefined;
}

/** What somebody has sent with NOTIFY. */
export interface Notification {
  readonly kind: "notification";
  /** The channel. */
  readonly channel: string;
  /** The text; empty when there is none. */
  readonly payload: string;
  /** The number of the sender's process. */
  readonly processId: number;
}

/** What the loop over `listen` is given. */
export type ListenEvent = Notification | Gap;

/**
 * Notifications of one or more channels as an async iterable, on a connection of its own. When that is lost it connects
 * again, for as long as it takes, and gives a `Gap` then. The first attempt is not repeated: it throws what `connect`
 * throws.
 *
 * Cancel safety: nothing that has arrived is lost by a cancel, except for what nobody has taken when it is closed. A
 * `for await` loop closes it when it is left, in whatever way; after `next`, also one that was cancelled, the next one
 * can be asked for.
 *
 * asyncpg: `add_listener`, which does not connect again.
 *
 * @example
 * ```ts
 * import { createTask, run } from "corio";
 * import { connect, listen } from "@corio/postgres";
 *
 * const url = "postgres://postgres@127.0.0.1/test";
 *
 * async function main() {
 *   const events = listen(url, "corio_example_jobs");
 *   const first = createTask(async () => ({ event: await events.next() }));
 *   await using connection = await connect(url);
 *   // Until it listens, nobody hears.
 *   while (!first.done()) await connection.execute("SELECT pg_notify('corio_example_jobs', 'job 1')");
 *   const { event } = await first;
 *   if (!event.done && event.value.kind === "notification") console.log(event.value.payload);
 *   await events.return?.();
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * job 1
 * ```
 */
export function listen(
  options: string | ConnectOptions,
  channels: string | readonly string[],
  listenOptions: ListenOptions = {},
): AsyncIterableIterator<ListenEvent> {
  return listenTo(toOptions("listen", options), channels, listenOptions);
}

/** `listen`, with options that have been looked at. */
export function listenTo(
  options: ConnectOptions,
  channels: string | readonly string[],
  listenOptions: ListenOptions,
): AsyncIterableIterator<ListenEvent> {
  const names = typeof channels === "string" ? [channels] : channels;
  if (!Array.isArray(names) || names.length === 0 || names.some((name) => typeof name !== "string")) {
    throw new ArgumentTypeError("listen expects the name of a channel, or an array of names");
  }
  for (const name of names as readonly string[]) checkChannel(name);
  return new Feed<Notification, Session>(
    {
      name: "listen",
      open: (feed) => begin(options, names as readonly string[], feed),
      close: (session) => session.close(),
      isTemporary: () => true,
    },
    listenOptions,
  );
}

/** The server cuts longer names, with LISTEN, and refuses them with NOTIFY: nothing would ever arrive. */
const LONGEST_NAME = 63;

function checkChannel(name: string): void {
  quoteIdentifier("listen: channel", name);
  if (Buffer.byteLength(name) <= LONGEST_NAME) return;
  throw new ValueError(
    `listen expects names of channels of ${LONGEST_NAME} bytes at most, got ${Buffer.byteLength(name)}`,
  );
}

async function begin(
  options: ConnectOptions,
  channels: readonly string[],
  feed: Feed<Notification, Session>,
): Promise<Session> {
  const session = await Session.open(options);
  try {
    session.client.on("notification", (message: { channel: string; payload?: string; processId: number }) => {
      const { channel, payload = "", processId } = message;
      feed.put({ kind: "notification", channel, payload, processId });
    });
    session.onLost(() => feed.wakeUp());
    const statements = channels.map((name) => `LISTEN ${quoteIdentifier("listen: channel", name)}`);
    await session.run({ text: statements.join(";") });
    // Somebody waits for what arrives here: that keeps the process alive.
    session.keepAlive();
    return session;
  } catch (error) {
    session.drop("it could not listen");
    throw error;
  }
}
