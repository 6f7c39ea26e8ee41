/** The server that all tests share: on the standard port of this machine, with the user root and the database test. */
import { run } from "corio";
import { connect, createPool } from "@corio/mysql";
import type { ConnectOptions, MysqlPool, MysqlPoolOptions } from "@corio/mysql";
import { after, before } from "../../../corio/test/support/harness.ts";
import { testsThatRequire, whyItFails } from "../../../corio/test/support/servers/requirement.ts";

/** It may be busy with others: what has to be answered has as much time as the test. */
const SHARED: ConnectOptions = {
  host: process.env["CORIO_TEST_MYSQL_HOST"] ?? "127.0.0.1",
  port: 3306,
  user: "root",
  database: "test",
  connectTimeout: 60,
  cancelTimeout: 60,
};

const unavailable = await whyItFails(async () => {
  const connection = await connect(SHARED);
  await connection.close();
});

/** Declares a test on the shared server. Without one it is skipped, and says so; in CI it fails. */
export const databaseTest: (title: string, body: () => void | PromiseLike<void>) => void = testsThatRequire(
  "tests that need a MySQL or MariaDB server",
  unavailable,
);

/** A database of a test file's own, which is there while its tests run. */
export class TestDatabase {
  readonly name: string = `corio_test_${process.pid}_${Math.random().toString(36).slice(2)}`;
  /** For statements beside what is tested; not in this database, so that it does not count. */
  readonly admin: MysqlPool = createPool({ ...SHARED, maxSize: 2, name: "admin" });

  constructor() {
    before(() => this.#each((name) => `CREATE DATABASE ${name}`));
    after(() => this.#each((name) => `DROP DATABASE ${name}`, true));
  }

  /** To connect with this database. */
  options(options: Partial<MysqlPoolOptions> = {}): MysqlPoolOptions {
    return { ...SHARED, database: this.name, ...options };
  }

  /** How many connections to this database run a statement, or whatever `condition` says. */
  async count(condition = "COMMAND NOT IN ('Sleep', 'Killed')"): Promise<number> {
    const text = `SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = ? AND (${condition})`;
    return (await this.admin.fetchValue<number>(text, [this.name])) ?? 0;
  }

  /** Waits until that many connections are in that state. The process list cannot tell us: we have to ask. */
  async until(count: number, condition?: string): Promise<void> {
    while ((await this.count(condition)) !== count);
  }

  /** Waits until that many connections are in `SLEEP`. */
  async untilSleeping(count: number): Promise<void> {
    await this.until(count, "STATE = 'User sleep'");
  }

  async #each(statement: (name: string) => string, isLast = false): Promise<void> {
    if (unavailable !== null) return;
    await run(async () => {
      await this.admin.execute(statement(this.name));
      if (isLast) await this.admin.close();
    });
  }
}

/** A pool for one test, which is closed at its end, with all that was lent given back. */
export async function withPool(
  options: MysqlPoolOptions,
  body: (pool: MysqlPool) => Promise<void>,
): Promise<void> {
  await run(async () => {
    await using pool = createPool(options);
    await body(pool);
  });
}
