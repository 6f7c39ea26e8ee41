/**
 * How a statement is cancelled: MySQL's protocol has no message for that; `KILL` is a statement, so it needs a connection
 * of its own. That one is not of the pool: a pool whose connections are all at work could not cancel any of them. It goes
 * to the address that the other has ended up at, since the DNS might name another server by now; with the same user, and
 * over TLS if the other uses that.
 *
 * The connection to be killed is looked up first. Its number alone is not enough: a server that was restarted counts from
 * the beginning, and the number may be a stranger's. So the client's address and port, which no other connection has at
 * the same time, must be the same. Only a connection that is at work is killed; and MariaDB can kill a statement by its
 * own number, so that a KILL which comes late can only hit the statement that it is for.
 */

import net from "node:net";
import { makeClient } from "./driver.ts";
import type { DriverClient, DriverConfig, DriverError, DriverRows } from "./driver.ts";
import { isServerMessage } from "./errors.ts";

/** Whom to kill, and how to get there. */
export interface KillTarget {
  /** The server's number of the connection. */
  readonly threadId: number;
  /** The client's address and port as the server sees them; null when it has not told. */
  readonly peer: string | null;
  readonly isMariaDb: boolean;
  /** Where the connection has ended up; null for a Unix socket. */
  readonly address: { readonly host: string; readonly port: number } | null;
  readonly config: Omit<DriverConfig, "password">;
  readonly password: () => Promise<string | undefined>;
}

/** What is killed: what the connection does, or the connection. */
export type KillScope = "QUERY" | "CONNECTION";

/** A KILL under way. */
export class Kill {
  /**
   * Resolves when it can have no effect any more: with true when the server has carried it out, with false when there
   * was nothing to kill. Rejects when it could not be sent.
   */
  readonly ended: Promise<boolean>;
  readonly #target: KillTarget;
  readonly #scope: KillScope;
  #client: DriverClient | null = null;
  #isSent = false;
  #isAborted = false;
  #noteAborted!: (isDone: false) => void;

  constructor(target: KillTarget, scope: KillScope) {
    this.#target = target;
    this.#scope = scope;
    const aborted = new Promise<false>((resolve) => (this.#noteAborted = resolve));
    // Whatever it waits for by then: a password may never come.
    this.ended = Promise.race([this.#run(), aborted]);
  }

  /** The statement has its answer: if KILL was not sent yet, it will not be. */
  makeNeedless(): void {
    if (!this.#isSent) this.abort();
  }

  /** Gives it up. */
  abort(): void {
    this.#isAborted = true;
    this.#client?.stream.destroy();
    this.#noteAborted(false);
  }

  async #run(): Promise<boolean> {
    try {
      const password = await this.#target.password();
      if (!this.#isWanted()) return false;
      await this.#connect(password);
      const id = await this.#find();
      // It may have been called off while we waited.
      if (id === null || !this.#isWanted()) return false;
      this.#isSent = true;
      const what = this.#scope === "QUERY" && this.#target.isMariaDb ? "QUERY ID" : this.#scope;
      await this.#query(`KILL ${what} ${id}`);
      return true;
    } catch (error) {
      // "Unknown thread id", "Unknown query id": it had ended by then.
      if (isServerMessage(error) && (error.errno === 1094 || error.errno === 1957)) return false;
      if (!this.#isWanted() && !this.#isSent) return false;
      throw error;
    } finally {
      this.#client?.end();
    }
  }

  #isWanted(): boolean {
    return !this.#isAborted;
  }

  async #connect(password: string | undefined): Promise<void> {
    const { address, config } = this.#target;
    const client = makeClient({
      ...config,
      password,
      // It may have been dropped meanwhile, which is no reason not to kill.
      database: undefined,
      // The host's name stays: the certificate is for that.
      ...(address !== null && { stream: () => net.connect(address).setNoDelay(true) }),
    });
    this.#client = client;
    client.stream.unref();
    await new Promise<void>((resolve, reject) => {
      client.on("error", reject);
      client.stream.once("close", () => reject(new Error("the connection for KILL was closed")));
      client.connect((error) => {
        if (error === null || error === undefined) resolve();
        else reject(error);
      });
    });
  }

  /** What KILL has to name; null when there is nothing to kill. */
  async #find(): Promise<string | number | null> {
    const { threadId, peer, isMariaDb } = this.#target;
    const byQuery = this.#scope === "QUERY";
    const text =
      `SELECT ${byQuery && isMariaDb ? "QUERY_ID" : "ID"} AS id, HOST AS peer FROM information_schema.PROCESSLIST ` +
      `WHERE ID = ${threadId}${byQuery ? " AND COMMAND <> 'Sleep'" : ""}`;
    const [row] = (await this.#query(text)) as { id: string | number; peer: string }[];
    return row !== undefined && (peer === null || row.peer === peer) ? row.id : null;
  }

  #query(sql: string): Promise<DriverRows | undefined> {
    const client = this.#client as DriverClient;
    return new Promise((resolve, reject) => {
      // A connection that is closed calls nobody back if nothing was under way.
      client.stream.once("close", () => reject(new Error("the connection for KILL was closed")));
      client.query({ sql }, (error: DriverError | null, rows) => {
        if (error === null) resolve(rows);
        else reject(error);
      });
    });
  }
}
