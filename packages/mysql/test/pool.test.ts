import { createTask, gather, run } from "corio";
import { PoolClosedError } from "corio/pool";
import { ConnectionLostError, ConnectionReleasedError, createPool } from "@corio/mysql";
import type { Connection } from "@corio/mysql";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { runProgram } from "../../corio/test/support/program.ts";
import { databaseTest, TestDatabase, withPool } from "./support/database.ts";

const database = new TestDatabase();

describe("a connection that comes back to the pool", () => {
  const dirts: Record<
    string,
    [soil: (connection: Connection) => PromiseLike<unknown>, look: string, clean: unknown]
  > = {
    "a variable": [(connection) => connection.execute("SET @mine = 7"), "SELECT @mine", null],
    "a variable made on the way": [
      (connection) => connection.execute("SELECT @mine := 7"),
      "SELECT @mine",
      null,
    ],
    "a variable of a SELECT": [
      (connection) => connection.execute("SELECT 7 INTO @mine"),
      "SELECT @mine",
      null,
    ],
    "a setting": [
      (connection) => connection.execute("/* mine */ SET SESSION sql_mode = 'ANSI'"),
      "SELECT @@sql_mode = @@global.sql_mode",
      1,
    ],
    "a setting of its own": [
      (connection) => connection.execute("SET max_statement_time = 7"),
      "SELECT @@max_statement_time",
      33,
    ],
    "a character set": [
      (connection) => connection.execute("SET NAMES latin1"),
      "SELECT @@character_set_client",
      "utf8mb4",
    ],
    "another database": [(connection) => connection.execute("USE mysql"), "SELECT DATABASE()", "own"],
    "a lock": [
      (connection) => connection.execute("SELECT GET_LOCK(CONCAT(DATABASE(), '.pool'), 0)"),
      "SELECT IS_USED_LOCK(CONCAT(DATABASE(), '.pool'))",
      null,
    ],
    "locked tables": [
      (connection) => connection.execute("LOCK TABLES seen READ"),
      "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'no_such_table'",
      0,
    ],
    "a temporary table": [
      async (connection) => {
        await connection.execute("CREATE TEMPORARY TABLE seen(n int)");
        await connection.execute("INSERT INTO seen VALUES (1)");
      },
      "SELECT COUNT(*) FROM seen",
      0,
    ],
    "a prepared statement by SQL": [
      (connection) => connection.execute("PREPARE mine FROM 'SELECT 1'"),
      "SELECT 'well'",
      "well",
    ],
    "a transaction": [
      async (connection) => {
        await connection.execute("START TRANSACTION");
        await connection.execute("INSERT INTO seen VALUES (1)");
      },
      "SELECT COUNT(*) FROM seen",
      0,
    ],
    "no autocommit": [
      async (connection) => {
        await connection.execute("SET autocommit = 0");
        await connection.execute("INSERT INTO seen VALUES (1)");
      },
      "SELECT COUNT(*) + 1 - @@autocommit FROM seen",
      0,
    ],
    "something in a procedure": [(connection) => connection.execute("CALL hidden()"), "SELECT @mine", null],
    "what markDirty tells": [
      async (connection) => {
        connection.markDirty();
        await connection.execute("SELECT hides()");
      },
      "SELECT @mine",
      null,
    ],
  };

  for (const [what, [soil, look, clean]] of Object.entries(dirts)) {
    databaseTest(`does not bring ${what} with it`, () =>
      withPool(database.options({ maxSize: 1, settings: { max_statement_time: 33 } }), async (pool) => {
        await database.admin.with(async (connection) => {
          await connection.execute(`USE ${database.name}`);
          await connection.execute("CREATE TABLE IF NOT EXISTS seen(n int) ENGINE = InnoDB");
          await connection.execute("CREATE OR REPLACE PROCEDURE hidden() SET @mine = 8");
          await connection.execute(
            "CREATE OR REPLACE FUNCTION hides() RETURNS int BEGIN SET @mine = 9; RETURN 1; END",
          );
        });
        const threadId = await pool.with(async (connection) => {
          await soil(connection);
          return connection.threadId;
        });
        assert.equal(await pool.fetchValue(look), clean === "own" ? database.name : clean);
        // Cleaned, not replaced; and what is the session's own is there again.
        assert.equal(await pool.fetchValue("SELECT CONNECTION_ID()"), threadId);
        assert.equal(Number(await pool.fetchValue("SELECT @@max_statement_time")), 33);
        assert.equal(await pool.fetchValue("SELECT @@collation_connection"), "utf8mb4_unicode_ci");
        assert.equal(await pool.fetchValue("SELECT DATABASE()"), database.name);
      }),
    );
  }

  databaseTest("is not reset when there is nothing to clean, unless that is wanted", async () => {
    const marked = async (reset: "auto" | "always"): Promise<unknown> => {
      let result: unknown;
      await withPool(database.options({ maxSize: 1, reset }), async (pool) => {
        // What nobody can see from here.
        await database.admin.execute(
          `CREATE OR REPLACE FUNCTION ${database.name}.marks() RETURNS int BEGIN SET @mark = 1; RETURN 1; END`,
        );
        await pool.fetchValue("SELECT marks()");
        result = await pool.fetchValue("SELECT @mark");
      });
      return result;
    };
    assert.equal(await marked("auto"), 1);
    assert.equal(await marked("always"), null);
  });

  databaseTest("on another database, when it had none of its own, is replaced", () =>
    withPool(database.options({ maxSize: 1, database: undefined }), async (pool) => {
      await pool.execute("USE mysql");
      assert.equal(await pool.fetchValue("SELECT DATABASE()"), null);
      assert.equal(pool.statistics().destroyed, 1);
    }),
  );

  databaseTest("with a stream that was left open is closed", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.with(async (connection) => {
        await connection.stream("SELECT seq FROM seq_1_to_1000000").next();
      });
      assert.equal(await pool.fetchValue("SELECT 1"), 1);
      assert.equal(pool.statistics().destroyed, 1);
    }),
  );

  databaseTest("leaves no prepared statements behind", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      const prepared = () => pool.fetchRow<{ Value: string }>("SHOW SESSION STATUS LIKE 'Com_stmt_close'");
      const before = Number((await prepared())?.Value);
      await pool.with(async (connection) => {
        const statement = await connection.prepare("SELECT 1");
        assert.equal(await statement.fetchValue(), 1);
      });
      assert.equal(Number((await prepared())?.Value), before + 1);
      assert.equal(pool.statistics().destroyed, 0);
    }),
  );

  databaseTest("cannot be used any more by who had it", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      const kept = await pool.with((connection) => ({ connection }));
      await assert.rejects(kept.connection.fetch("SELECT 1"), ConnectionReleasedError);
      const lent = await pool.acquire();
      assert.equal(await lent.fetchValue("SELECT 1"), 1);
      await lent.close();
      await lent.close();
      assert.equal(lent.isClosed, true);
      assert.equal(pool.statistics().idle, 1);
    }),
  );
});

describe("a pool of connections", () => {
  databaseTest("works for several runs at once, at module level", async () => {
    const pool = createPool(database.options({ maxSize: 2 }));
    const program = (n: number) =>
      run(async () => await gather(Array.from({ length: 10 }, () => pool.fetchValue("SELECT ?", [n]))));
    const answers = await Promise.all([1, 2, 3].map(program));
    assert.deepEqual(
      answers.map((answer) => new Set(answer)),
      [new Set([1]), new Set([2]), new Set([3])],
    );
    assert.ok(pool.statistics().size <= 2);
    await run(pool.close());
    await run(() => assert.rejects(pool.fetchValue("SELECT 1"), PoolClosedError));
  });

  databaseTest("has transactions, bulk insert and many statements, too", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE through_pool(n int)");
      await pool.transaction((connection) => connection.execute("INSERT INTO through_pool VALUES (1)"));
      assert.equal(await pool.insertRecords("through_pool", [[2], [3]]), 2);
      assert.equal(await pool.executeMany("INSERT INTO through_pool VALUES (?)", [[4], [5]]), 2);
      await using connection = await pool.acquire();
      assert.equal(Number(await connection.fetchValue("SELECT SUM(n) FROM through_pool")), 15);
    }),
  );

  databaseTest("replaces connections that have ended while they were idle", () =>
    withPool(database.options({ maxSize: 1, validateAfter: 0 }), async (pool) => {
      const first = await pool.fetchValue<number>("SELECT CONNECTION_ID()");
      await database.admin.execute(`KILL ${first ?? 0}`);
      // Whether the news has come, or the check finds it out.
      const second = await pool.fetchValue("SELECT CONNECTION_ID()").catch((error: unknown) => {
        assert.instanceOf(error, ConnectionLostError);
        return pool.fetchValue("SELECT CONNECTION_ID()");
      });
      assert.notEqual(second, first);
    }),
  );

  databaseTest("closes by force under who does not give back", () =>
    run(async () => {
      const pool = createPool(database.options({ maxSize: 1 }));
      const task = createTask(pool.execute("SELECT SLEEP(60)"));
      await database.untilSleeping(1);
      await pool.close({ timeout: 0 });
      await assert.rejects(task, ConnectionLostError);
    }),
  );

  databaseTest("does not keep the process alive", async () => {
    const options = JSON.stringify(database.options());
    const ended = await runProgram(`
      import { run } from "corio";
      import { createPool } from ${JSON.stringify(import.meta.resolve("@corio/mysql"))};
      const pool = createPool(${options});
      await run(async () => console.log(await pool.fetchValue("SELECT 42")));
    `);
    assert.deepEqual([ended.stdout, ended.exitCode], [["42"], 0]);
  });
});
