import type { Duration } from "corio";
import { ErrorReply } from "redis";
import { makeClient } from "./driver.ts";
import type { DriverClient } from "./driver.ts";
import type { Address, Target } from "./options.ts";

/** A connection that is to be unblocked or ended, as the server knows it. */
export interface Victim {
  readonly address: Address;
  /** `CLIENT ID`; null when the user may not ask for it. */
  readonly id: number | null;
  /** Of the server's process: another one gives the same numbers to others. */
  readonly runId: string | null;
  /** Called when nobody can tell whether, or when, the command takes effect: its line broke before the answer. */
  readonly onDoubt: () => void;
}

/**
 * The connections over which blocking commands are ended, one for each address: beside all pools, since a pool whose
 * connections are all blocked would have none to unblock them with. They are made when they are first needed, and do
 * not keep the process alive. Only promises here: when a command is given up there may be no task.
 *
 * They go to the address, not to the name: another server of the same name has clients with the same numbers.
 */
export class ControlLines {
  readonly #target: Target;
  readonly #connectTimeout: Duration;
  readonly #lines = new Map<string, Line>();

  constructor(target: Target, connectTimeout: Duration) {
    this.#target = target;
    this.#connectTimeout = connectTimeout;
  }

  /** Ends the wait of a blocked client; nothing happens to one that is not blocked. */
  async unblock(victim: Victim): Promise<void> {
    await this.#run(victim, (id) => ["CLIENT", "UNBLOCK", id, "ERROR"]);
  }

  /** Has the server close the connection of a client. */
  async kill(victim: Victim): Promise<void> {
    await this.#run(victim, (id) => ["CLIENT", "KILL", "ID", id]);
  }

  /** Forgets the line to this address: it may be the reason why nothing happens. */
  discard(address: Address): void {
    const key = keyOf(address);
    this.#lines.get(key)?.client.destroy();
    this.#lines.delete(key);
  }

  close(): void {
    for (const { client } of this.#lines.values()) client.destroy();
    this.#lines.clear();
  }

  async #run({ address, id, runId, onDoubt }: Victim, command: (id: string) => string[]): Promise<void> {
    if (id === null)
      throw new Error("the server has not told the number of this connection: CLIENT ID was refused");
    const line = this.#line(address);
    const { runId: ours } = await line.ready;
    if (runId !== null && ours !== null && runId !== ours) return;
    line.client.ref();
    try {
      await line.client.sendCommand(command(String(id)));
    } catch (error) {
      if (!(error instanceof ErrorReply)) onDoubt();
      throw error;
    } finally {
      line.client.unref();
    }
  }

  #line(address: Address): Line {
    const key = keyOf(address);
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const client = makeClient(this.#target, address, this.#connectTimeout);
    const line: Line = { client, ready: begin(client) };
    this.#lines.set(key, line);
    const forget = (): void => {
      if (this.#lines.get(key) === line) this.#lines.delete(key);
    };
    client.on("error", forget).on("end", forget);
    line.ready.catch(() => {
      forget();
      client.destroy();
    });
    return line;
  }
}

interface Line {
  readonly client: DriverClient;
  readonly ready: Promise<{ readonly runId: string | null }>;
}

async function begin(client: DriverClient): Promise<{ runId: string | null }> {
  await client.connect();
  const runId = await runIdOf(client);
  client.unref();
  return { runId };
}

/** Which process of the server it is; null when the user may not ask. */
export async function runIdOf(client: DriverClient): Promise<string | null> {
  try {
    const info = await client.sendCommand(["INFO", "server"]);
    return /^run_id:(\w+)/m.exec(String(info))?.[1] ?? null;
  } catch {
    return null;
  }
}

function keyOf({ host, port, path }: Address): string {
  return path ?? `${host} ${port}`;
}
