import { ArgumentTypeError, Event, isCancelledError, sleep, timeout, TimeoutError } from "corio";
import type { Duration } from "corio";
import { toSeconds } from "corio/pool";
import { quoteIdentifier } from "./driver.ts";
import { toOptions } from "./options.ts";
import type { ConnectOptions } from "./options.ts";
import { Session } from "./session.ts";

/** Options of `listen`. */
export interface ListenOptions {
  /** How many notifications are kept for a loop that is slow; more are lost, which is a gap. Default 10 000. */
  readonly maxBuffered?: number | undefined;
  /** How often the connection is checked when nothing arrives. Default 30 seconds. */
  readonly heartbeat?: Duration | undefined;
  /** The longest pause between two attempts to connect again. Default 10 seconds. */
  readonly maxDelay?: Duration | undefined;
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

/** Notifications may have been lost between the one before and the one after this. Look at what they are about. */
export interface Gap {
  readonly kind: "gap";
  /** `reconnected`: nobody listened for a while. `overflow`: more arrived than were kept. */
  readonly reason: "reconnected" | "overflow";
  /** How many were lost; null when nobody knows. */
  readonly lost: number | null;
  /** What ended the connection. */
  readonly cause: unknown;
}

/** What the loop over `listen` is given. */
export type ListenEvent = Notification | Gap;

const FIRST_DELAY = 0.1;

/**
 * Notifications of one or more channels as an async iterable, on a connection of its own. When that is lost it connects
 * again, for as long as it takes, and gives a `Gap` then. The first attempt is not repeated: it throws what `connect`
 * throws.
 *
 * Cancel safety: nothing that has arrived is lost by a cancel, except for what the loop has not taken yet when it ends.
 * Leaving the loop closes the connection.
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
  return events(options, names as readonly string[], listenOptions);
}

async function* events(
  options: ConnectOptions,
  channels: readonly string[],
  { maxBuffered = 10_000, heartbeat = 30, maxDelay = 10 }: ListenOptions,
): AsyncGenerator<ListenEvent, void, undefined> {
  const inbox = new Inbox(maxBuffered);
  let session: Session | null = await begin(options, channels, inbox);
  try {
    for (;;) {
      const event = inbox.take();
      if (event !== null) {
        yield event;
        continue;
      }
      const lost = session.lost;
      if (lost === null) {
        if (!(await inbox.wait(heartbeat))) await checkStillThere(session);
        continue;
      }
      session = await beginAgain(options, channels, inbox, toSeconds(maxDelay, "listen: maxDelay"));
      yield { kind: "gap", reason: "reconnected", lost: null, cause: lost };
    }
  } finally {
    await session.close();
  }
}

async function begin(options: ConnectOptions, channels: readonly string[], inbox: Inbox): Promise<Session> {
  const session = await Session.open(options);
  try {
    session.client.on("notification", (message: { channel: string; payload?: string; processId: number }) => {
      const { channel, payload = "", processId } = message;
      inbox.put({ kind: "notification", channel, payload, processId });
    });
    session.onLost(() => inbox.wakeUp());
    await session.run({ text: channels.map((name) => `LISTEN ${quoteIdentifier(name)}`).join(";") });
    // Somebody waits for what arrives here: that keeps the process alive.
    session.client.ref();
    return session;
  } catch (error) {
    session.drop("it could not listen");
    throw error;
  }
}

async function beginAgain(
  options: ConnectOptions,
  channels: readonly string[],
  inbox: Inbox,
  maxDelay: number,
): Promise<Session> {
  for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, maxDelay)) {
    try {
      return await begin(options, channels, inbox);
    } catch (error) {
      if (isCancelledError(error)) throw error;
    }
    await sleep(delay);
  }
}

/** A connection that nobody sends anything on looks the same whether the server is there or not. */
async function checkStillThere(session: Session): Promise<void> {
  try {
    await session.check();
    session.client.ref();
  } catch (error) {
    if (isCancelledError(error)) throw error;
    session.drop("it does not answer");
  }
}

/** What has arrived, and nobody has taken yet. */
class Inbox {
  readonly #limit: number;
  #events: Notification[] = [];
  #lost = 0;
  readonly #news: Event = new Event();

  constructor(limit: number) {
    this.#limit = limit;
  }

  put(notification: Notification): void {
    // The newest are kept out: what is given up lies after what the loop sees next, as a gap should.
    if (this.#events.length >= this.#limit) this.#lost++;
    else this.#events.push(notification);
    this.#news.set();
  }

  wakeUp(): void {
    this.#news.set();
  }

  take(): ListenEvent | null {
    const event = this.#events.shift();
    if (event !== undefined) return event;
    this.#news.clear();
    if (this.#lost === 0) return null;
    const lost = this.#lost;
    this.#lost = 0;
    return { kind: "gap", reason: "overflow", lost, cause: null };
  }

  /** Whether there is news within that time. */
  async wait(limit: Duration): Promise<boolean> {
    try {
      await timeout(limit, () => this.#news.wait());
      return true;
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      return false;
    }
  }
}
