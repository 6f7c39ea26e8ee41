/** A server for one test, and a record of what its handlers went through. */
import { Future, isCancelledError, run } from "corio";
import type { RunOptions } from "corio";
import { ClientSession, serve } from "@corio/http";
import type { ClientSessionOptions, Handler, HttpServer, ServeOptions } from "@corio/http";
import { assert } from "../../../corio/test/support/harness.ts";

/** What has happened, in tasks and in callbacks of the host, which a test can wait for. */
export class Log {
  readonly entries: string[] = [];
  readonly #waiters = new Set<Future<void>>();

  add(entry: string): void {
    this.entries.push(entry);
    for (const waiter of this.#waiters) if (!waiter.done()) waiter.setResult(undefined);
    this.#waiters.clear();
  }

  /** Waits until an entry is there so many times. */
  async has(entry: string, times = 1): Promise<void> {
    while (this.entries.filter((other) => other === entry).length < times) {
      const waiter = new Future<void>();
      this.#waiters.add(waiter);
      await waiter;
    }
  }

  /** Runs a block of a handler, and tells how it ended. */
  async around<T>(name: string, body: () => PromiseLike<T>): Promise<T> {
    this.add(`${name} begins`);
    try {
      const result = await body();
      this.add(`${name} ends`);
      return result;
    } catch (error) {
      this.add(`${name} ${isCancelledError(error) ? `cancelled: ${String(error.reason)}` : String(error)}`);
      throw error;
    } finally {
      this.add(`${name} cleaned up`);
    }
  }
}

export interface Fixture {
  readonly server: HttpServer;
  readonly log: Log;
  readonly session: (options?: ClientSessionOptions) => ClientSession;
}

/** Runs a test with a server, by the host's clock or another one; nothing must be left of it afterwards. */
export async function serving(
  handler: (log: Log) => Handler,
  body: (fixture: Fixture) => Promise<void>,
  options: ServeOptions = {},
  runOptions: RunOptions = {},
): Promise<void> {
  await run(async () => {
    const log = new Log();
    const server = await serve(handler(log), options);
    const sessions: ClientSession[] = [];
    const session = (given: ClientSessionOptions = {}): ClientSession => {
      const made = new ClientSession({ baseUrl: server.url, ...given });
      sessions.push(made);
      return made;
    };
    try {
      await body({ server, log, session });
    } finally {
      for (const made of sessions) await made.close();
      await server.close({ timeout: 0 });
    }
    const { connections, requests } = server.statistics();
    assert.deepEqual([connections, requests], [0, 0]);
  }, runOptions);
}
