import { createTask, gather, run } from "corio";
import { PoolClosedError } from "corio/pool";
import { ConnectionLostError, createPool, ConnectionReleasedError } from "@corio/postgres";
import type { Connection } from "@corio/postgres";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { runProgram } from "../../corio/test/support/program.ts";
import { databaseTest, TestSchema, withPool } from "./support/database.ts";

const schema = new TestSchema();

describe("a connection that comes back to the pool", () => {
  const dirts: Record<
    string,
    [soil: (connection: Connection) => PromiseLike<unknown>, look: string, clean: unknown]
  > = {
    "a setting": [
      (connection) => connection.execute("SET statement_timeout = '7s'"),
      "SHOW statement_timeout",
      "0",
    ],
    "a setting made by a function": [
      (connection) => connection.execute("SELECT set_config('app.user', 'ada', false)"),
      "SELECT coalesce(current_setting('app.user', true), '')",
      "",
    ],
    "a role": [(connection) => connection.execute("SET ROLE pg_monitor"), "SELECT current_user", "postgres"],
    "an advisory lock": [
      (connection) => connection.execute("SELECT pg_advisory_lock($1::int)", [process.pid]),
      "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
      0,
    ],
    "a temporary table": [
      (connection) => connection.execute("CREATE TEMPORARY TABLE passing(n int)"),
      "SELECT to_regclass('passing')::text",
      null,
    ],
    "a temporary table by SELECT": [
      (connection) => connection.execute("SELECT 1 AS n INTO TEMP passing"),
      "SELECT to_regclass('passing')::text",
      null,
    ],
    "a channel that it listens on": [
      (connection) => connection.execute("LISTEN news"),
      "SELECT count(*)::int FROM pg_listening_channels()",
      0,
    ],
    "a prepared statement by SQL": [
      (connection) => connection.execute("PREPARE mine AS SELECT 1"),
      "SELECT count(*)::int FROM pg_prepared_statements",
      0,
    ],
    "a cursor that outlives its transaction": [
      (connection) =>
        connection.transaction(() => connection.execute("DECLARE mine CURSOR WITH HOLD FOR SELECT 1")),
      "SELECT count(*)::int FROM pg_cursors",
      0,
    ],
    "a transaction": [
      (connection) => connection.execute("BEGIN; CREATE TABLE never(n int)"),
      "SELECT to_regclass('never')::text",
      null,
    ],
    "a transaction that has failed": [
      (connection) => connection.execute("BEGIN; SELECT 1/0").then(undefined, () => null),
      "SELECT 'well'",
      "well",
    ],
    "something in a DO block": [
      (connection) => connection.execute("DO $$ BEGIN PERFORM set_config('app.user', 'bob', false); END $$"),
      "SELECT coalesce(current_setting('app.user', true), '')",
      "",
    ],
    "what markDirty tells": [
      async (connection) => {
        connection.markDirty();
        await connection.execute(`SELECT "hidden"()`);
      },
      "SELECT coalesce(current_setting('app.user', true), '')",
      "",
    ],
  };

  for (const [what, [soil, look, clean]] of Object.entries(dirts)) {
    databaseTest(`does not bring ${what} with it`, () =>
      withPool(schema.options({ maxSize: 1 }), async (pool) => {
        await schema.admin.execute(
          `CREATE OR REPLACE FUNCTION ${schema.name}.hidden() RETURNS void LANGUAGE plpgsql AS
            $$ BEGIN PERFORM set_config('app.user', 'eve', false); END $$`,
        );
        const processId = await pool.with(async (connection) => {
          await soil(connection);
          return connection.processId;
        });
        assert.equal(await pool.fetchValue(look), clean);
        // Cleaned, not replaced; and what is the session's own is there again.
        assert.equal(await pool.fetchValue("SELECT pg_backend_pid()"), processId);
        assert.equal(await pool.fetchValue("SHOW search_path"), schema.name);
        const version = Number(await pool.fetchValue("SHOW server_version_num"));
        if (version >= 140000)
          assert.equal(await pool.fetchValue("SHOW client_connection_check_interval"), "5s");
      }),
    );
  }

  databaseTest("is not reset when there is nothing to clean, unless that is wanted", async () => {
    const statements = async (reset: "auto" | "always"): Promise<unknown> => {
      let result: unknown;
      await withPool(schema.options({ maxSize: 1, reset }), async (pool) => {
        await pool.fetchValue("SELECT 'looked at'");
        const text = "SELECT query FROM pg_stat_activity WHERE application_name = $1";
        result = await schema.admin.fetchValue(text, [schema.name]);
      });
      return result;
    };
    assert.equal(await statements("auto"), "SELECT 'looked at'");
    assert.match(String(await statements("always")), /RESET ALL/);
  });

  databaseTest("with a cursor or a COPY that was left open is closed", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      await pool.with(async (connection) => {
        await connection.cursor("SELECT generate_series(1, 1000)").next();
      });
      assert.equal(await pool.fetchValue("SELECT 1"), 1);
      assert.equal(pool.statistics().destroyed, 1);
    }),
  );

  databaseTest("has no statement any more that was prepared on it and not closed", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      const count = "SELECT count(*)::int FROM pg_prepared_statements";
      const pid = await pool.with(async (connection) => {
        const statement = await connection.prepare("SELECT 1");
        await connection.execute("SET statement_timeout = 1000");
        assert.equal(await statement.fetchValue(), 1);
        assert.equal(await connection.fetchValue(count), 1);
        return connection.processId;
      });
      assert.equal(await pool.fetchValue(count), 0);
      assert.equal(await pool.with((connection) => connection.processId), pid);
    }),
  );

  databaseTest("has the role of its settings again", () =>
    withPool(schema.options({ maxSize: 1, settings: { role: "pg_monitor" } }), async (pool) => {
      assert.equal(await pool.fetchValue("SELECT current_user"), "pg_monitor");
      await pool.execute("SET ROLE postgres");
      assert.equal(await pool.fetchValue("SELECT current_user"), "pg_monitor");
    }),
  );

  databaseTest("cannot be used any more by who had it", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      const kept = await pool.with((connection) => ({ connection }));
      await assert.rejects(kept.connection.fetch("SELECT 1"), ConnectionReleasedError);
      const lent = await pool.acquire();
      assert.equal(await lent.fetchValue("SELECT 1"), 1);
      await lent.close();
      await lent.close();
      await assert.rejects(lent.fetch("SELECT 1"), ConnectionReleasedError);
      assert.equal(pool.statistics().idle, 1);
    }),
  );
});

describe("a pool of connections", () => {
  databaseTest("works for several runs at once, at module level", async () => {
    const pool = createPool(schema.options({ maxSize: 2 }));
    const program = (n: number) =>
      run(async () => await gather(Array.from({ length: 10 }, () => pool.fetchValue("SELECT $1::int", [n]))));
    const answers = await Promise.all([1, 2, 3].map(program));
    assert.deepEqual(
      answers.map((answer) => new Set(answer)),
      [new Set([1]), new Set([2]), new Set([3])],
    );
    assert.ok(pool.statistics().size <= 2);
    await run(pool.close());
    await run(() => assert.rejects(pool.fetchValue("SELECT 1"), PoolClosedError));
  });

  databaseTest("has transactions, COPY and many statements, too", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE through_pool(n int)");
      await pool.transaction((connection) => connection.execute("INSERT INTO through_pool VALUES (1)"));
      assert.equal(await pool.copyRecords("through_pool", [[2], [3]]), 2);
      assert.equal(await pool.executeMany("INSERT INTO through_pool VALUES ($1)", [[4], [5]]), 2);
      await using connection = await pool.acquire();
      assert.equal(await connection.fetchValue("SELECT sum(n)::int FROM through_pool"), 15);
    }),
  );

  databaseTest("replaces connections that have ended while they were idle", () =>
    withPool(schema.options({ maxSize: 1, validateAfter: 0 }), async (pool) => {
      const first = await pool.fetchValue("SELECT pg_backend_pid()");
      await schema.admin.execute("SELECT pg_terminate_backend($1::int)", [first]);
      // Whether the news has come, or the check finds it out.
      const second = await pool.fetchValue("SELECT pg_backend_pid()").catch((error: unknown) => {
        assert.instanceOf(error, ConnectionLostError);
        return pool.fetchValue("SELECT pg_backend_pid()");
      });
      assert.notEqual(second, first);
    }),
  );

  databaseTest("closes by force under who does not give back", () =>
    run(async () => {
      const pool = createPool(schema.options({ maxSize: 1 }));
      const task = createTask(pool.execute("SELECT pg_sleep(60)"));
      await schema.untilSleeping(1);
      await pool.close({ timeout: 0 });
      await assert.rejects(task, ConnectionLostError);
    }),
  );

  databaseTest("does not keep the process alive", async () => {
    const options = JSON.stringify(schema.options());
    const ended = await runProgram(`
      import { run } from "corio";
      import { createPool } from ${JSON.stringify(import.meta.resolve("@corio/postgres"))};
      const pool = createPool(${options});
      await run(async () => console.log(await pool.fetchValue("SELECT 42")));
    `);
    assert.deepEqual([ended.stdout, ended.exitCode], [["42"], 0]);
  });
});
