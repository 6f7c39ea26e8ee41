/** The server that all tests share: on the standard port of this machine, with the user postgres and the database test. */
import { run } from "corio";
import { connect, createPool } from "@corio/postgres";
import type { ConnectOptions, PostgresPool, PostgresPoolOptions } from "@corio/postgres";
import { after, before } from "../../../corio/test/support/harness.ts";
import { testsThatRequire, whyItFails } from "../../../corio/test/support/servers/requirement.ts";

/** It may be busy with others: what has to be answered has as much time as the test. */
const SHARED: ConnectOptions = {
  host: process.env["CORIO_TEST_PGHOST"] ?? "127.0.0.1",
  port: 5432,
  user: "postgres",
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
  "tests that need a PostgreSQL server",
  unavailable,
);

/** A schema of a test file's own, which is there while its tests run. */
export class TestSchema {
  readonly name: string = `corio_test_${process.pid}_${Math.random().toString(36).slice(2)}`;
  /** For statements beside what is tested. */
  readonly admin: PostgresPool = createPool({ ...SHARED, maxSize: 2, name: "admin" });

  constructor() {
    before(() => this.#each((name) => `CREATE SCHEMA ${name}`));
    after(() => this.#each((name) => `DROP SCHEMA ${name} CASCADE`, true));
  }

  /** To connect with this schema as the search path; it is also the application's name. */
  options(options: Partial<PostgresPoolOptions> = {}): PostgresPoolOptions {
    return { ...SHARED, applicationName: this.name, settings: { search_path: this.name }, ...options };
  }

  /** How many connections of this schema run a statement, or whatever `condition` says. */
  async count(condition = "state = 'active'"): Promise<number> {
    const text = `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = $1 AND ${condition}`;
    return (await this.admin.fetchValue<number>(text, [this.name])) ?? 0;
  }

  /** Waits until that many connections are in that state: the server tells us with a little delay. */
  async until(count: number, condition?: string): Promise<void> {
    while ((await this.count(condition)) !== count);
  }

  /** Waits until that many connections are in `pg_sleep`: one that is active may still be setting itself up. */
  async untilSleeping(count: number): Promise<void> {
    await this.until(count, "wait_event = 'PgSleep'");
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
  options: PostgresPoolOptions,
  body: (pool: PostgresPool) => Promise<void>,
): Promise<void> {
  await run(async () => {
    await using pool = createPool(options);
    await body(pool);
  });
}
