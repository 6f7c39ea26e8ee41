import { CancelledError, createTask, Event, run, sleep, timeout, TimeoutError } from "corio";
import { connect, createPool, StatementError } from "@corio/mysql";
import type { MysqlPool } from "@corio/mysql";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { assertClosesThoughCancelled, cancelled } from "../../corio/test/support/servers/cancelled.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { databaseTest, TestDatabase, withPool } from "./support/database.ts";

const database = new TestDatabase();

/** Nothing runs, nothing is lent, and the pool gives right answers on all its connections. */
async function assertWell(pool: MysqlPool, size: number): Promise<void> {
  // The answer comes a moment before the server's list tells of it.
  await database.until(0);
  const { leased, tasksWaiting } = pool.statistics();
  assert.deepEqual([leased, tasksWaiting], [0, 0]);
  const tasks = Array.from({ length: size * 3 }, (_, n) => createTask(pool.fetchValue("SELECT ?", [n])));
  for (const [n, task] of tasks.entries()) assert.equal(await task, n);
  assert.ok(pool.statistics().size <= size);
}

const ENDLESS = "SELECT a.seq FROM seq_1_to_1000000 a, seq_1_to_1000000 b";

describe("a cancelled statement", () => {
  databaseTest("is gone from the server when the timeout is reported, and the pool serves on", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      const threadId = await pool.fetchValue<number>("SELECT CONNECTION_ID()");
      await assert.rejects(
        timeout(0.2, () => pool.execute("SELECT SLEEP(60)")),
        TimeoutError,
      );
      // By then it is over, not only asked to end.
      await database.until(0, "INFO LIKE '%SLEEP(60)%'");
      assert.equal(await pool.fetchValue("SELECT CONNECTION_ID()"), threadId);
      await assertWell(pool, 1);
    }),
  );

  // Those of MariaDB that give a value although they were interrupted: SLEEP does in MySQL.
  const returning: Record<string, [sql: string, state: string]> = {
    DO: ["DO SLEEP(60)", "STATE = 'User sleep'"],
    GET_LOCK: ["SELECT GET_LOCK(CONCAT(DATABASE(), '.held'), 60)", "STATE = 'User lock'"],
    BENCHMARK: ["SELECT BENCHMARK(100000000000, 1 + 1)", "INFO LIKE '%BENCHMARK%'"],
  };
  for (const [name, [sql, state]] of Object.entries(returning)) {
    databaseTest(`is a cancel even if it returns normally: ${name}`, () =>
      withPool(database.options({ maxSize: 1 }), async (pool) => {
        await using holder = await connect(database.options());
        await holder.fetchValue("SELECT GET_LOCK(CONCAT(DATABASE(), '.held'), 0)");
        const task = createTask(pool.fetchValue(sql));
        await database.until(1, state);
        await cancelled(task);
        await holder.fetchValue("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.held'))");
        await assertWell(pool, 1);
      }),
    );
  }

  databaseTest("in a task is cancelled wherever the task is", () =>
    withPool(database.options({ maxSize: 2 }), async (pool) => {
      const sleeping = createTask(async () => {
        await pool.with(async (connection) => {
          await connection.execute("SELECT SLEEP(60)");
        });
      });
      await database.untilSleeping(1);
      await cancelled(sleeping);
      await assertWell(pool, 2);
    }),
  );

  databaseTest("that is prepared is cancelled, and can be run again", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.with(async (connection) => {
        await using statement = await connection.prepare("SELECT SLEEP(?)");
        const task = createTask(statement.fetchValue([60]));
        await database.untilSleeping(1);
        await cancelled(task);
        assert.equal(await statement.fetchValue([0]), 0);
      });
      await assertWell(pool, 1);
    }),
  );

  databaseTest("that does not end in time takes its connection with it", () =>
    run(async () => {
      // What waits for a disk does not end, but cannot be had here; so the KILLs are made to fail: they come with a
      // password that is wrong by then.
      let password = "";
      const options = database.options({ maxSize: 1, cancelTimeout: 0.5, password: () => password });
      await using own = createPool(options);
      const task = createTask(own.execute("SELECT SLEEP(60)"));
      await database.untilSleeping(1);
      password = "wrong";
      await cancelled(task);
      assert.equal(own.statistics().destroyed, 1);
      password = "";
      assert.equal(await own.fetchValue("SELECT 1"), 1);
      // The server notices by itself that the client has gone, when it looks: in SLEEP that is every few seconds.
      await database.untilSleeping(0);
      await assertWell(own, 1);
    }),
  );

  databaseTest("that writes, and comes through all the same, gives its result, and the cancel after it", () =>
    withPool(database.options({ maxSize: 2 }), async (pool) => {
      const seen: unknown[] = [];
      await pool.execute("CREATE TABLE came_through(n int) ENGINE = InnoDB");
      await using holder = await connect(database.options());
      await holder.execute("START TRANSACTION");
      await holder.execute("INSERT INTO came_through VALUES (1)");
      // A connection whose cancels cannot get through.
      let isReachable = true;
      await using own = createPool(
        database.options({
          maxSize: 1,
          password: () => (isReachable ? "" : new Promise<string>(() => undefined)),
        }),
      );
      const task = createTask(async () => {
        seen.push(
          await own.execute("INSERT INTO came_through SELECT n + 1 FROM came_through LOCK IN SHARE MODE"),
        );
        await sleep(0.001);
        seen.push("not reached");
      });
      await database.until(1, "INFO LIKE 'INSERT INTO came_through SELECT%'");
      isReachable = false;
      task.cancel("enough");
      await sleep(0);
      await holder.execute("COMMIT");
      await assert.rejects(task, CancelledError);
      assert.deepEqual(seen, [1]);
      assert.equal(await pool.fetchValue("SELECT COUNT(*) FROM came_through"), 2);
      await assertWell(pool, 2);
    }),
  );

  databaseTest("over a Unix socket is cancelled there", async () => {
    let socketPath = "";
    await run(async () => {
      socketPath = (await database.admin.fetchValue<string>("SELECT @@socket")) ?? "";
    });
    await withPool(database.options({ socketPath, maxSize: 1 }), async (pool) => {
      const task = createTask(pool.execute("SELECT SLEEP(60)"));
      await database.untilSleeping(1);
      await cancelled(task);
      await assertWell(pool, 1);
    });
  });

  databaseTest("is no CancelledError when somebody else has killed it", () =>
    withPool(database.options(), async (pool) => {
      const task = createTask(
        pool.with(async (connection) => {
          await connection.execute("SELECT SLEEP(60)");
        }),
      );
      await database.untilSleeping(1);
      const id = await database.admin.fetchValue<number>(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep' AND DB = ?",
        [database.name],
      );
      await database.admin.execute(`KILL QUERY ${id ?? 0}`);
      const error = await assert.rejects<StatementError>(task, StatementError);
      assert.equal(error.errno, 1317);
    }),
  );
});

describe("a cancel", () => {
  databaseTest("while connecting leaves no connection", () =>
    run(async () => {
      const iterations = 30;
      for (let pause = 0; pause < iterations; pause++) {
        const task = createTask(connect(database.options()));
        // From before anything is sent to after the server has said yes.
        for (let turn = 0; turn < pause; turn++) await new Promise((resolve) => setImmediate(resolve));
        task.cancel();
        try {
          const connection = await task.catch(() => null);
          await connection?.close();
        } catch (error) {
          assert.instanceOf(error, CancelledError);
        }
      }
      await database.until(0, "TRUE");
    }),
  );

  databaseTest("while waiting for the pool takes nothing", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      const taken = new Event();
      const release = new Event();
      const holder = createTask(
        pool.with(async () => {
          taken.set();
          await release.wait();
        }),
      );
      await taken.wait();
      const waiting = createTask(pool.fetchValue("SELECT 1"));
      const next = createTask(pool.fetchValue("SELECT 2"));
      await sleep(0);
      await cancelled(waiting);
      release.set();
      await holder;
      assert.equal(await next, 2);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("inside a transaction rolls back", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE in_transaction(n int)");
      const task = createTask(
        pool.transaction(async (connection) => {
          await connection.execute("INSERT INTO in_transaction VALUES (1)");
          await connection.transaction(async () => {
            await connection.execute("SELECT SLEEP(60)");
          });
        }),
      );
      await database.untilSleeping(1);
      await cancelled(task);
      assert.equal(await pool.fetchValue("SELECT COUNT(*) FROM in_transaction"), 0);
      assert.equal(await pool.fetchValue("SELECT @@in_transaction"), 0);
      assert.equal(pool.statistics().destroyed, 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("between two statements of a transaction rolls back, too", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE between_statements(n int)");
      const inserted = new Event();
      const task = createTask(
        pool.transaction(async (connection) => {
          await connection.execute("INSERT INTO between_statements VALUES (1)");
          inserted.set();
          await sleep(60);
        }),
      );
      await inserted.wait();
      await cancelled(task);
      assert.equal(await pool.fetchValue("SELECT COUNT(*) FROM between_statements"), 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("while rows are inserted inserts none of them", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE inserted(n int)");
      const reached = new Event();
      async function* records() {
        for (let n = 0; n < 5000; n++) yield [n];
        reached.set();
        await sleep(60);
        yield [5000];
      }
      const task = createTask(pool.insertRecords("inserted", records()));
      await reached.wait();
      await cancelled(task);
      assert.equal(await pool.fetchValue("SELECT COUNT(*) FROM inserted"), 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("while rows are waited for kills the statement", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      let rows = 0;
      const task = createTask(
        pool.with(async (connection) => {
          // SLEEP comes after enough rows that the server has sent some of them.
          for await (const row of connection.stream(
            "SELECT REPEAT('x', 1000), IF(seq > 1000, SLEEP(60), 0) FROM seq_1_to_2000",
          )) {
            rows += Object.keys(row).length > 0 ? 1 : 0;
          }
        }),
      );
      await database.untilSleeping(1);
      await cancelled(task);
      assert.ok(rows <= 1000);
      assert.equal(pool.statistics().destroyed, 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("in the body of a loop over rows, too", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      const reached = new Event();
      const task = createTask(
        pool.with(async (connection) => {
          for await (const row of connection.stream(ENDLESS)) {
            assert.ok(Object.keys(row).length > 0);
            reached.set();
            await sleep(60);
          }
        }),
      );
      await reached.wait();
      await cancelled(task);
      assert.equal(pool.statistics().destroyed, 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("at shutdown cancels what runs, and gives everything back", async () => {
    const pool = createPool(database.options({ maxSize: 4 }));
    await run(async () => {
      createTask(pool.execute("SELECT SLEEP(60)"));
      createTask(pool.transaction((connection) => connection.execute("SELECT SLEEP(60)")));
      createTask(
        pool.with(async (connection) => {
          await connection.execute("SET @mine = 1");
          await connection.execute("SELECT SLEEP(60)");
        }),
      );
      await database.untilSleeping(3);
      createTask(pool.fetchValue("SELECT 1"));
      createTask(pool.fetchValue("SELECT 1"));
      // The end of run cancels all five.
    });
    await run(async () => {
      await assertWell(pool, 4);
      await pool.close();
      await database.until(0, "TRUE");
    });
  });
});

describe("leaving a loop over rows early", () => {
  databaseTest("kills the statement, and the connection can be used at once", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.with(async (connection) => {
        let rows = 0;
        for await (const row of connection.stream<{ seq: number }>(ENDLESS)) {
          rows += Number(row.seq > 0);
          if (rows === 3) break;
        }
        assert.equal(rows, 3);
        assert.equal(await connection.fetchValue("SELECT 1"), 1);
        await assert.rejects(
          (async () => {
            for await (const row of connection.stream(ENDLESS)) throw new RangeError(Object.keys(row).join());
          })(),
          RangeError,
        );
        assert.equal(await connection.fetchValue("SELECT 2"), 2);
      });
      assert.equal(pool.statistics().destroyed, 0);
      await assertWell(pool, 1);
    }),
  );
});

describe("a cancelled close", () => {
  databaseTest("has closed, so that the answer to a statement before it is not lost", () =>
    run(async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 3306 });
      const connection = await connect(database.options({ port: proxy.port }));
      // The server's goodbye does not come.
      proxy.mute();
      await assertClosesThoughCancelled(connection);
    }),
  );
});
