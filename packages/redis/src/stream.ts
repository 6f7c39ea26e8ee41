import { ArgumentTypeError, coroutine } from "corio";
import type { Coroutine, Duration } from "corio";
import { toSeconds } from "corio/pool";
import type { DriverClient } from "./driver.ts";
import { CommandError } from "./errors.ts";
import { isAboutConnection, openAgain } from "./reconnect.ts";
import type { Session } from "./session.ts";

/** Options of `readStream`. */
export interface ReadStreamOptions {
  /**
   * After which entry to begin, for every stream: an id; `0` is from its first; `$`, the default, what is added from now
   * on.
   */
  readonly after?: string | undefined;
  /** How many entries to fetch at once at most. Default 100. */
  readonly count?: number | undefined;
  /** How long the server is asked to wait for new entries each time. Default 30 seconds. */
  readonly heartbeat?: Duration | undefined;
  /** The longest pause between two attempts to connect again. Default 10 seconds. */
  readonly maxDelay?: Duration | undefined;
}

/** Options of `consumeStream`. */
export interface ConsumeStreamOptions {
  /** The name of the group. Each entry goes to one consumer of it. */
  readonly group: string;
  /** The name of this consumer: two that run at the same time must not share one. */
  readonly consumer: string;
  /** Where a group begins that does not exist yet; null does not make it. Default `0`: at the first entry. */
  readonly createAfter?: string | null | undefined;
  /** How many entries to fetch at once at most. Default 10. */
  readonly count?: number | undefined;
  /** Takes over what other consumers have had for so long without acknowledging it. Default null: does not. */
  readonly claimIdle?: Duration | null | undefined;
  /** How long the server is asked to wait for new entries each time. Default 30 seconds. */
  readonly heartbeat?: Duration | undefined;
  /** The longest pause between two attempts to connect again. Default 10 seconds. */
  readonly maxDelay?: Duration | undefined;
}

/** An entry of a stream. */
export interface StreamEntry {
  /** The stream's key. */
  readonly stream: string;
  /** Its id: two numbers, `1700000000000-0`. */
  readonly id: string;
  /** What it says. */
  readonly fields: Readonly<Record<string, string>>;
}

/** An entry that a group has given to this consumer. It stays this consumer's until it is acknowledged. */
export interface StreamJob extends StreamEntry {
  /** Tells the group that it is done: nobody gets it again. */
  ack(): Coroutine<void>;
}

/**
 * What the server answers, as the driver decodes it: fields and values in turn, null for an entry that was deleted. The
 * driver's own methods cannot read those.
 */
type RawEntry = readonly [id: string, fields: readonly string[] | null] | null;
type RawReply = Readonly<Record<string, readonly RawEntry[]>> | null;

/** What reads streams needs from its client. */
export interface StreamHost {
  open(): Coroutine<Session>;
  acknowledge(stream: string, group: string, id: string): Coroutine<unknown>;
}

/** A connection that is replaced when it is lost. */
class Reader {
  readonly #open: () => PromiseLike<Session>;
  readonly #maxDelay: number;
  #session: Session | null = null;

  constructor(open: () => PromiseLike<Session>, maxDelay: number) {
    this.#open = open;
    this.#maxDelay = maxDelay;
  }

  /** Whether there is another connection than the last time. */
  async connect(): Promise<boolean> {
    if (this.#session === null) this.#session = await this.#open();
    else if (this.#session.isBroken) this.#session = await openAgain(this.#open, this.#maxDelay);
    else return false;
    return true;
  }

  /** Runs a command; null when the connection was lost. With `seconds` it may block for so long. */
  async run<T>(args: readonly (string | number)[], seconds?: number): Promise<T | null> {
    const session = this.#session as Session;
    const begin = (client: DriverClient): Promise<T> => client.sendCommand(args.map(String)) as Promise<T>;
    try {
      return await (seconds === undefined ? session.perform(begin) : session.block(begin, seconds));
    } catch (error) {
      if (!isAboutConnection(error)) throw error;
      return null;
    }
  }

  get isConnected(): boolean {
    return this.#session?.isBroken === false;
  }

  close(): void {
    this.#session?.drop("the loop has ended");
  }
}

/** `readStream`: each entry of some streams, once, in the order of each stream. */
export async function* readEntries(
  host: StreamHost,
  streams: readonly string[],
  { after = "$", count = 100, heartbeat = 30, maxDelay = 10 }: ReadStreamOptions,
): AsyncGenerator<StreamEntry, void, undefined> {
  const seconds = toSeconds(heartbeat, "readStream: heartbeat");
  const reader = new Reader(() => host.open(), toSeconds(maxDelay, "readStream: maxDelay"));
  const last = new Map(streams.map((stream) => [stream, after]));
  const read = ["XREAD", "COUNT", count, "BLOCK", milliseconds(seconds), "STREAMS"];
  try {
    for (;;) {
      await reader.connect();
      // "From now on" is a place as well: or what arrives before a reconnection would be lost.
      for (const [stream, id] of last) {
        if (id === "$") last.set(stream, (await newestId(reader, stream)) ?? "$");
      }
      if (!reader.isConnected) continue;
      const reply = await reader.run<RawReply>([...read, ...last.keys(), ...last.values()], seconds);
      for (const [stream, entries] of Object.entries(reply ?? {})) {
        for (const entry of entries) {
          if (entry === null) continue;
          const [id, fields] = entry;
          last.set(stream, id);
          yield { stream, id, fields: toFields(fields ?? []) };
        }
      }
    }
  } finally {
    reader.close();
  }
}

/** The id after which everything is new; null when the connection was lost. */
async function newestId(reader: Reader, stream: string): Promise<string | null> {
  const reply = await reader.run<readonly RawEntry[]>(["XREVRANGE", stream, "+", "-", "COUNT", 1]);
  return reply === null ? null : (reply[0]?.[0] ?? "0-0");
}

function milliseconds(seconds: number): number {
  return Math.max(1, Math.ceil(1000 * seconds));
}

/** Fields and values, which come in turn. */
function toFields(words: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let n = 0; n + 1 < words.length; n += 2) fields[words[n] ?? ""] = words[n + 1] ?? "";
  return fields;
}

/**
 * `consumeStream`: first what this consumer was given earlier and has not acknowledged, then what is new.
 *
 * An answer that was lost with its connection has made its entries this consumer's all the same. So they are asked for
 * again after each connection; those that the loop has in its hands are left out.
 */
export async function* consumeEntries(
  host: StreamHost,
  stream: string,
  options: ConsumeStreamOptions,
): AsyncGenerator<StreamJob, void, undefined> {
  const { group, consumer, createAfter = "0", count = 10, claimIdle = null } = options;
  const { heartbeat = 30, maxDelay = 10 } = options;
  const seconds = toSeconds(heartbeat, "consumeStream: heartbeat");
  const idleSeconds = claimIdle === null ? null : toSeconds(claimIdle, "consumeStream: claimIdle");
  const idle = idleSeconds === null ? null : Math.round(1000 * idleSeconds);
  // What others let lie is looked for as often as it may become due.
  const pause = idleSeconds === null ? seconds : Math.min(seconds, Math.max(1, idleSeconds));
  const reader = new Reader(() => host.open(), toSeconds(maxDelay, "consumeStream: maxDelay"));
  const inHand = new Set<string>();
  const toJob = (id: string, fields: readonly string[]): StreamJob => {
    inHand.add(id);
    return {
      stream,
      id,
      fields: toFields(fields),
      ack: () => acknowledge(host, stream, group, id, inHand),
    };
  };
  /** Entries that are this consumer's, without those that the loop has, or that are deleted. */
  const fresh = async (entries: readonly RawEntry[]): Promise<StreamJob[]> => {
    const jobs: StreamJob[] = [];
    for (const entry of entries) {
      if (entry === null || inHand.has(entry[0])) continue;
      const [id, fields] = entry;
      if (fields === null) await host.acknowledge(stream, group, id);
      else jobs.push(toJob(id, fields));
    }
    return jobs;
  };
  /** Reads, and gives null when the connection was lost. */
  const read = async (after: string, block?: number): Promise<readonly RawEntry[] | null> => {
    const blocking = block === undefined ? [] : ["BLOCK", milliseconds(block)];
    const args = [
      "XREADGROUP",
      "GROUP",
      group,
      consumer,
      "COUNT",
      count,
      ...blocking,
      "STREAMS",
      stream,
      after,
    ];
    const reply = await reader.run<RawReply>(args, block);
    return reader.isConnected ? (reply?.[stream] ?? []) : null;
  };
  try {
    for (;;) {
      if (await reader.connect()) {
        if (createAfter !== null) await createGroup(reader, stream, group, createAfter);
        for (let after = "0"; ;) {
          const entries = await read(after);
          const newest = entries?.at(-1)?.[0];
          if (entries === null || newest === undefined) break;
          after = newest;
          yield* await fresh(entries);
        }
        if (!reader.isConnected) continue;
      }
      if (idle !== null) {
        for (let cursor = "0-0"; ;) {
          const claim = ["XAUTOCLAIM", stream, group, consumer, idle, cursor, "COUNT", count];
          const reply = await reader.run<readonly [next: string, entries: readonly RawEntry[]]>(claim);
          if (reply === null) break;
          yield* await fresh(reply[1]);
          cursor = reply[0];
          if (cursor === "0-0") break;
        }
        if (!reader.isConnected) continue;
      }
      yield* await fresh((await read(">", pause)) ?? []);
    }
  } finally {
    reader.close();
  }
}

async function createGroup(reader: Reader, stream: string, group: string, after: string): Promise<void> {
  try {
    await reader.run(["XGROUP", "CREATE", stream, group, after, "MKSTREAM"]);
  } catch (error) {
    if (!(error instanceof CommandError) || error.reply !== "BUSYGROUP") throw error;
  }
}

const acknowledge = coroutine(async function ack(
  host: StreamHost,
  stream: string,
  group: string,
  id: string,
  inHand: Set<string>,
): Promise<void> {
  await host.acknowledge(stream, group, id);
  inHand.delete(id);
});

/** The names of streams that `readStream` is given. */
export function toStreams(streams: string | readonly string[]): readonly string[] {
  const names = typeof streams === "string" ? [streams] : streams;
  if (!Array.isArray(names) || names.length === 0 || names.some((name) => typeof name !== "string"))
    throw new ArgumentTypeError("readStream expects the key of a stream, or an array of keys");
  return names as readonly string[];
}

/** Whether `consumeStream` was told who it is. */
export function checkConsumer(stream: unknown, options: Partial<ConsumeStreamOptions> | undefined): void {
  const { group, consumer } = options ?? {};
  if (typeof stream !== "string" || typeof group !== "string" || typeof consumer !== "string")
    throw new ArgumentTypeError("consumeStream expects the key of a stream, and { group, consumer }");
}
