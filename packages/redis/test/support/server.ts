/** The server that all tests share: on the standard port of this machine, without a password. */
import { run } from "corio";
import { connect, createClient } from "@corio/redis";
import type { ConnectOptions, RedisClient, RedisClientOptions } from "@corio/redis";
import { after } from "../../../corio/test/support/harness.ts";
import { testsThatRequire, whyItFails } from "../../../corio/test/support/servers/requirement.ts";

/** It may be busy with others: what has to be answered has as much time as the test. */
const SHARED: ConnectOptions = {
  host: process.env["CORIO_TEST_REDIS_HOST"] ?? "127.0.0.1",
  port: 6379,
  connectTimeout: 60,
  cancelTimeout: 60,
};

const unavailable = await whyItFails(async () => {
  await using connection = await connect(SHARED);
  await connection.ping();
});

/** Declares a test on the shared server that calls `run` itself. */
export const redisProgram: (title: string, body: () => Promise<void>) => void = testsThatRequire(
  "tests that need a Redis server",
  unavailable,
);

/** Declares a test on the shared server. Without one it is skipped, and says so; in CI it fails. */
export function redisTest(title: string, body: () => Promise<void>): void {
  redisProgram(title, () => run(body));
}

/** Keys of a test file's own, which are gone after its tests. */
export class TestKeys {
  readonly prefix: string = `corio_test_${process.pid}_${Math.random().toString(36).slice(2)}`;
  /** For commands beside what is tested. */
  readonly admin: RedisClient = createClient({ ...SHARED, maxSize: 2, name: "admin" });
  #count = 0;

  constructor() {
    after(async () => {
      if (unavailable !== null) return;
      await run(async () => {
        const keys: string[] = [];
        for await (const key of this.admin.scanIter({ match: `${this.prefix}*`, count: 1000 }))
          keys.push(key);
        if (keys.length > 0) await this.admin.del(keys);
        await this.admin.close();
      });
    });
  }

  /** A key that nobody has used yet. */
  next(): string {
    return `${this.prefix}:${String(++this.#count)}`;
  }

  /** To connect so that `clients` counts it. */
  options(options: Partial<RedisClientOptions> = {}): RedisClientOptions {
    return { ...SHARED, clientName: this.prefix, ...options };
  }

  /** How many connections of this file there are that match. */
  async clients(pattern: RegExp = /./): Promise<number> {
    return await countClients(this.admin, this.prefix, pattern);
  }

  /** Waits until that many connections match. */
  async until(count: number, pattern?: RegExp): Promise<void> {
    while ((await this.clients(pattern)) !== count);
  }

  /** Ends the connections of this file that match; others share the server. */
  async kill(pattern: RegExp): Promise<void> {
    for (const line of await linesOf(this.admin, this.prefix, pattern))
      await this.admin.executeCommand(["CLIENT", "KILL", "ID", /id=(\d+)/.exec(line)?.[1] ?? ""]);
  }

  /** Waits until that many of this file's connections are blocked. */
  async untilBlocked(count: number): Promise<void> {
    await this.until(count, BLOCKED);
  }
}

/** A line of CLIENT LIST that is of a blocked client. */
export const BLOCKED: RegExp = /flags=\w*b/;

/** How many connections with this name have a line in CLIENT LIST that matches. */
export async function countClients(admin: RedisClient, name: string, pattern: RegExp): Promise<number> {
  return (await linesOf(admin, name, pattern)).length;
}

async function linesOf(admin: RedisClient, name: string, pattern: RegExp): Promise<string[]> {
  const list = await admin.executeCommand<string>(["CLIENT", "LIST"]);
  return list.split("\n").filter((line) => line.includes(` name=${name} `) && pattern.test(line));
}
