import { CancelledError, createTask, Event, run, sleep, timeout, TimeoutError } from "corio";
import { connect, ConnectionBusyError, createPool, StatementError } from "@corio/postgres";
import type { PostgresPool } from "@corio/postgres";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { assertClosesThoughCancelled, cancelled } from "../../corio/test/support/servers/cancelled.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { databaseTest, TestSchema, withPool } from "./support/database.ts";

const schema = new TestSchema();

/** Nothing runs (a connection that was given up may take a moment to be seen as that), nothing is lent, and the pool gives right answers on all its connections. */
async function assertWell(pool: PostgresPool, size: number): Promise<void> {
  await schema.until(0);
  const { leased, tasksWaiting } = pool.statistics();
  assert.deepEqual([leased, tasksWaiting], [0, 0]);
  const tasks = Array.from({ length: size * 3 }, (_, n) =>
    createTask(pool.fetchValue("SELECT $1::int", [n])),
  );
  for (const [n, task] of tasks.entries()) assert.equal(await task, n);
  assert.ok(pool.statistics().size <= size);
}

describe("a cancelled statement", () => {
  databaseTest("is gone from the server within a second, and the pool serves on", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      const processId = await pool.fetchValue<number>("SELECT pg_backend_pid()");
      await assert.rejects(
        timeout(0.2, () => pool.execute("SELECT pg_sleep(60)")),
        TimeoutError,
      );
      // By the time that the timeout is reported it is over, not only asked to end.
      assert.equal(await schema.count("query LIKE '%pg_sleep%' AND state = 'active'"), 0);
      assert.equal(await pool.fetchValue("SELECT pg_backend_pid()"), processId);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("whose CancelRequest is still on its way lets nothing begin, though it has its answer", () =>
    run(async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 5432 });
      await using connection = await connect(schema.options({ port: proxy.port }));
      await using other = await connect(schema.options());
      // Such locks are the whole database's: other test runs are in it as well.
      const lock = process.pid;
      await other.execute("SELECT pg_advisory_lock($1::int)", [lock]);
      let isAnswered = false;
      const waiting = createTask(async () => {
        await connection.execute("SELECT pg_advisory_lock($1::int)", [lock]);
        isAnswered = true;
      });
      await schema.until(1, "wait_event_type = 'Lock'");
      const isHeld = new Event();
      proxy.onHeld = () => isHeld.set();
      waiting.cancel();
      await isHeld.wait();
      // The statement comes to its end by itself, while the CancelRequest hangs in the network.
      await other.execute("SELECT pg_advisory_unlock($1::int)", [lock]);
      await schema.until(0, "wait_event_type = 'Lock'");
      await schema.until(1, "query LIKE '%pg_advisory_lock%' AND state = 'idle'");
      await sleep(0);
      await assert.rejects(connection.fetchValue("SELECT 1"), ConnectionBusyError);
      assert.equal(waiting.done(), false);
      proxy.closeHeld();
      await assert.rejects(waiting, CancelledError);
      assert.equal(isAnswered, true);
      assert.equal(await connection.fetchValue("SELECT 2"), 2);
    }),
  );

  databaseTest(
    "that a block has left behind takes its connection with it, if its CancelRequest is on its way",
    () =>
      run(async () => {
        await using proxy = await Proxy.to({ host: "127.0.0.1", port: 5432 });
        await using pool = createPool(schema.options({ port: proxy.port, maxSize: 1 }));
        await using other = await connect(schema.options());
        const lock = process.pid;
        await other.execute("SELECT pg_advisory_lock($1::int)", [lock]);
        const isHeld = new Event();
        const left = await pool.with(async (connection) => {
          // Of the transaction: the session is clean after it.
          const task = createTask(connection.execute("SELECT pg_advisory_xact_lock($1::int)", [lock]));
          await schema.until(1, "wait_event_type = 'Lock'");
          proxy.onHeld = () => isHeld.set();
          task.cancel();
          await isHeld.wait();
          await other.execute("SELECT pg_advisory_unlock($1::int)", [lock]);
          await schema.until(1, "query LIKE '%pg_advisory_xact_lock%' AND state = 'idle'");
          await sleep(0);
          return [task];
        });
        proxy.onHeld = null;
        assert.equal(await pool.fetchValue("SELECT 2"), 2);
        for (const task of left) await assert.rejects(task, CancelledError);
      }),
  );

  databaseTest("in a task is cancelled wherever the task is", () =>
    withPool(schema.options({ maxSize: 2 }), async (pool) => {
      const sleeping = createTask(async () => {
        await pool.with(async (connection) => {
          await connection.execute("SELECT pg_sleep(60)");
        });
      });
      await schema.untilSleeping(1);
      await cancelled(sleeping);
      await assertWell(pool, 2);
    }),
  );

  databaseTest("that refuses to end takes its connection with it", () =>
    withPool(schema.options({ maxSize: 1, cancelTimeout: 0.5 }), async (pool) => {
      const stubborn = `DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60);
        EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$`;
      const task = createTask(pool.execute(stubborn));
      await schema.untilSleeping(1);
      await cancelled(task);
      await schema.until(0);
      assert.equal(pool.statistics().destroyed, 1);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("that comes through all the same gives its result, and the cancel after it", () =>
    run(async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 5432 });
      // The second is the CancelRequest. If the server is slow, another would follow, and hit what handles the first.
      proxy.limit = 2;
      await using pool = createPool(schema.options({ port: proxy.port, maxSize: 1 }));
      const seen: unknown[] = [];
      const text = `CREATE FUNCTION swallow() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(60); RETURN 1; EXCEPTION WHEN query_canceled THEN RETURN 2; END $$`;
      await pool.execute(text);
      const task = createTask(async () => {
        // The cancel must not come before the function has begun.
        seen.push(await pool.fetchValue("SELECT swallow()"));
        await sleep(0.001);
        seen.push("not reached");
      });
      await schema.untilSleeping(1);
      await cancelled(task);
      assert.deepEqual(seen, [2]);
      assert.equal(proxy.sent.length, 2);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("over a Unix socket is cancelled there", () =>
    run(async () => {
      const folders = await schema.admin.fetchValue<string>("SHOW unix_socket_directories");
      const host = folders?.split(",")[0] ?? "";
      await using pool = createPool(schema.options({ host, maxSize: 1 }));
      const task = createTask(pool.execute("SELECT pg_sleep(60)"));
      await schema.untilSleeping(1);
      await cancelled(task);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("is no CancelledError when somebody else has cancelled it", () =>
    withPool(schema.options(), async (pool) => {
      const task = createTask(pool.execute("SELECT pg_sleep(60)"));
      await schema.untilSleeping(1);
      await schema.admin.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'",
        [schema.name],
      );
      const error = await assert.rejects<StatementError>(task, StatementError);
      assert.equal(error.sqlState, "57014");
    }),
  );
});

describe("a cancel", () => {
  databaseTest("while connecting leaves no connection", () =>
    run(async () => {
      const iterations = 20;
      for (let pause = 0; pause < iterations; pause++) {
        const task = createTask(connect(schema.options()));
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
      await schema.until(0, "true");
    }),
  );

  databaseTest("while waiting for the pool takes nothing", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
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
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE in_transaction(n int)");
      const task = createTask(
        pool.transaction(async (connection) => {
          await connection.execute("INSERT INTO in_transaction VALUES (1)");
          await connection.transaction(async () => {
            await connection.execute("SELECT pg_sleep(60)");
          });
        }),
      );
      await schema.until(1, "query LIKE '%pg_sleep%' AND state = 'active'");
      await cancelled(task);
      assert.equal(await schema.count("state LIKE 'idle in transaction%'"), 0);
      assert.equal(await pool.fetchValue("SELECT count(*)::int FROM in_transaction"), 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("between two statements of a transaction rolls back, too", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
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
      assert.equal(await pool.fetchValue("SELECT count(*)::int FROM between_statements"), 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("while rows stream closes the cursor", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      let rows = 0;
      const slow = "SELECT g, CASE WHEN g > 10 THEN pg_sleep(60) END FROM generate_series(1, 1000) g";
      const task = createTask(
        pool.with(async (connection) => {
          for await (const row of connection.cursor(slow, [], { batchSize: 10 }))
            rows += Object.keys(row).length > 0 ? 1 : 0;
        }),
      );
      await schema.untilSleeping(1);
      await cancelled(task);
      assert.equal(rows, 10);
      await assertWell(pool, 1);
      // And in the loop's body.
      const inBody = createTask(
        pool.with(async (connection) => {
          for await (const row of connection.cursor("SELECT g FROM generate_series(1, 1000) g")) {
            rows += Object.keys(row).length > 0 ? 1 : 0;
            await sleep(60);
          }
        }),
      );
      await schema.until(
        1,
        "wait_event = 'ClientRead' AND query LIKE '%generate_series%' AND state = 'active'",
      );
      await cancelled(inBody);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("while COPY IN waits for its source ends it with CopyFail", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE copy_in(n int)");
      const reached = new Event();
      async function* source() {
        yield "1\n2\n3\n";
        reached.set();
        await sleep(60);
        yield "4\n";
      }
      const processId = await pool.fetchValue("SELECT pg_backend_pid()");
      const task = createTask(
        pool.with((connection) => connection.copyIn("COPY copy_in FROM STDIN", source())),
      );
      await reached.wait();
      await cancelled(task);
      assert.equal(await pool.fetchValue("SELECT count(*)::int FROM copy_in"), 0);
      assert.equal(await pool.fetchValue("SELECT pg_backend_pid()"), processId);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("while COPY IN waits for a server that reads nothing interrupts that", () =>
    withPool(schema.options({ maxSize: 2 }), async (pool) => {
      await pool.execute("CREATE TABLE copy_locked(n int)");
      function* endless() {
        for (;;) yield "1\n".repeat(100_000);
      }
      const locked = new Event();
      const release = new Event();
      const holder = createTask(
        pool.transaction(async (connection) => {
          await connection.execute("LOCK TABLE copy_locked");
          locked.set();
          await release.wait();
        }),
      );
      await locked.wait();
      const task = createTask(
        pool.with((connection) => connection.copyIn("COPY copy_locked FROM STDIN", endless())),
      );
      await schema.until(1, "wait_event_type = 'Lock'");
      await cancelled(task);
      release.set();
      await holder;
      const running = createTask(
        pool.with((connection) => connection.copyIn("COPY copy_locked FROM STDIN", endless())),
      );
      await schema.until(1, "query LIKE 'COPY%' AND state = 'active'");
      await cancelled(running);
      assert.equal(await pool.fetchValue("SELECT count(*)::int FROM copy_locked"), 0);
      await assertWell(pool, 2);
    }),
  );

  databaseTest("while COPY IN waits for its answer is no failure of the COPY", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE copy_slow(id int, nap text DEFAULT pg_sleep(60)::text)");
      const target = { table: "copy_slow", columns: ["id"] };
      const copying = createTask(pool.copyRecords(target, [[1]]));
      await schema.untilSleeping(1);
      await cancelled(copying);
      await assert.rejects(pool.copyRecords(target, [[1]], { timeout: 0.1 }), TimeoutError);
      assert.equal(await pool.fetchValue("SELECT count(*)::int FROM copy_slow"), 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("while COPY OUT sends ends it", () =>
    withPool(schema.options({ maxSize: 1 }), async (pool) => {
      let bytes = 0;
      const slow =
        "COPY (SELECT g, CASE WHEN g > 1000 THEN pg_sleep(60) END FROM generate_series(1, 2000) g) TO STDOUT";
      const task = createTask(
        pool.with(async (connection) => {
          for await (const chunk of connection.copyOut(slow)) bytes += chunk.length;
        }),
      );
      await schema.untilSleeping(1);
      await cancelled(task);
      assert.ok(bytes >= 0);
      await assertWell(pool, 1);
    }),
  );

  databaseTest("of a loop over COPY OUT that was left reads nothing before the server was told", () =>
    run(async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 5432 });
      await using connection = await connect(schema.options({ port: proxy.port }));
      const isHeld = new Event();
      const loop = createTask(async () => {
        const endless = "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT";
        for await (const chunk of connection.copyOut(endless)) {
          assert.ok(chunk.length > 0);
          proxy.onHeld = () => isHeld.set();
          break;
        }
      });
      await isHeld.wait();
      // The CancelRequest hangs: the server fills what is between us, and then nothing comes any more.
      for (let passed = -1, same = 0; same < 10; same++) {
        await schema.until(1, "wait_event = 'ClientWrite'");
        if (passed !== proxy.passed) same = 0;
        ({ passed } = proxy);
      }
      proxy.closeHeld();
      await loop;
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
    }),
  );

  databaseTest("at shutdown cancels what runs, and gives everything back", async () => {
    const pool = createPool(schema.options({ maxSize: 4 }));
    await run(async () => {
      createTask(pool.execute("SELECT pg_sleep(60)"));
      createTask(pool.transaction((connection) => connection.execute("SELECT pg_sleep(60)")));
      createTask(
        pool.with(async (connection) => {
          await connection.execute("SET statement_timeout = 0");
          await connection.execute("SELECT pg_sleep(60)");
        }),
      );
      await schema.untilSleeping(3);
      createTask(pool.fetchValue("SELECT 1"));
      createTask(pool.fetchValue("SELECT 1"));
      // The end of run cancels all five.
    });
    await run(async () => {
      await assertWell(pool, 4);
      await pool.close();
      await schema.until(0, "true");
    });
  });

  databaseTest("during COMMIT waits for its answer, which is yes", () =>
    run(async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 5432 });
      await using pool = createPool(schema.options({ port: proxy.port, maxSize: 1 }));
      await pool.execute(`CREATE TABLE committed(n int);
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_advisory_xact_lock(${process.pid}); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON committed
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`);
      // What the COMMIT has to wait for.
      await using other = await connect(schema.options());
      await other.execute("SELECT pg_advisory_lock($1::int)", [process.pid]);
      const seen: unknown[] = [];
      const task = createTask(async () => {
        const result = await pool.transaction(async (connection) => {
          await connection.execute("INSERT INTO committed VALUES (1)");
          return "committed";
        });
        seen.push(result);
        await sleep(0.001);
        seen.push("not reached");
      });
      await schema.until(1, "query = 'COMMIT' AND wait_event_type = 'Lock'");
      task.cancel();
      await sleep(0);
      await other.execute("SELECT pg_advisory_unlock($1::int)", [process.pid]);
      await assert.rejects(task, CancelledError);
      assert.deepEqual(seen, ["committed"]);
      // The pool's, and none for a CancelRequest.
      assert.equal(proxy.sent.length, 1);
      assert.equal(await pool.fetchValue("SELECT count(*)::int FROM committed"), 1);
      await assertWell(pool, 1);
    }),
  );
});

describe("a cancelled close", () => {
  databaseTest("has closed, so that the answer to a statement before it is not lost", () =>
    run(async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 5432 });
      const connection = await connect(schema.options({ port: proxy.port }));
      // The server's goodbye does not come.
      proxy.mute();
      await assertClosesThoughCancelled(connection);
    }),
  );
});
