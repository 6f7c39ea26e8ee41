import { ArgumentTypeError, createTask, Event, gather, run, timeout, ValueError } from "corio";
import {
  connect,
  ConnectionBusyError,
  ConnectionReleasedError,
  isRetryable,
  StatementError,
  TransactionAbortedError,
} from "@corio/mysql";
import type { Connection, ConnectOptions } from "@corio/mysql";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { databaseTest, TestDatabase, withPool } from "./support/database.ts";

const database = new TestDatabase();

async function withConnection(
  body: (connection: Connection) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  await run(async () => {
    await using connection = await connect(database.options(options));
    await body(connection);
  });
}

describe("a statement", () => {
  databaseTest("gives rows, a row, a value, a count, or all about it", () =>
    withConnection(async (connection) => {
      await connection.execute("CREATE TEMPORARY TABLE people(id int AUTO_INCREMENT PRIMARY KEY, name text)");
      const inserted = await connection.query("INSERT INTO people(name) VALUES (?), (?)", ["Ada", "Grace"]);
      assert.deepEqual([inserted.rowCount, inserted.insertId, inserted.rows], [2, 1, []]);
      assert.match(inserted.info, /Records: 2/);
      assert.deepEqual(await connection.fetch("SELECT * FROM people"), [
        { id: 1, name: "Ada" },
        { id: 2, name: "Grace" },
      ]);
      assert.deepEqual(await connection.fetchRow("SELECT name FROM people WHERE id = ?", [2]), {
        name: "Grace",
      });
      assert.equal(await connection.fetchRow("SELECT name FROM people WHERE id = ?", [3]), null);
      assert.equal(await connection.fetchValue("SELECT COUNT(*), 'x' FROM people"), 2);
      assert.equal(await connection.fetchValue("SELECT 'first' AS a, 'second' AS a"), "first");
      assert.equal(await connection.fetchValue("SELECT id FROM people WHERE id = 3"), null);
      assert.equal(await connection.execute("UPDATE people SET name = ? WHERE id < ?", ["Ida", 9]), 2);
      const { fields } = await connection.query("SELECT p.name FROM people p");
      assert.deepEqual(fields, [{ name: "name", typeId: 252, table: "p" }]);
    }),
  );

  databaseTest("sends values as what they are, whatever is in them", () =>
    withConnection(async (connection) => {
      const evil = `'; DROP TABLE x; -- \\ " \` \0 \n ? ??`;
      const bytes = Uint8Array.of(0, 39, 92, 255);
      const [row] = await connection.fetch(
        "SELECT ? AS text, ? AS bytes, ? AS large, ? AS nothing, ? AS yes, ? IN (?) AS listed",
        [evil, bytes, 2n ** 63n - 1n, null, true, 2, [1, 2, 3]],
      );
      assert.deepEqual(
        { ...row, bytes: [...(row?.["bytes"] as Uint8Array)] },
        { text: evil, bytes: [...bytes], large: "9223372036854775807", nothing: null, yes: 1, listed: 1 },
      );
      // An object is never SQL: mysql2 alone would make assignments of it.
      assert.equal(await connection.fetchValue("SELECT 'x' = ?", [{ a: 1 }]), 0);
      assert.equal(await connection.fetchValue("SELECT JSON_VALUE(?, '$.a')", [{ a: "it's" }]), "it's");
      assert.equal(await connection.fetchValue("SELECT ?? FROM (SELECT 7 AS `a b`) t", ["a b"]), 7);
    }),
  );

  databaseTest("refuses values that cannot be sent, and statements that are none", () =>
    withConnection(async (connection) => {
      for (const value of [undefined, NaN, Infinity, Symbol("x"), () => 1, new Date(NaN), []]) {
        const error = assert.throws<ValueError>(() => connection.fetch("SELECT ?", [value]), ValueError);
        assert.match(error.message, /^fetch cannot send .* as value 1; /);
      }
      assert.throws(() => connection.fetch(1 as unknown as string), ArgumentTypeError);
      assert.throws(() => connection.fetch("SELECT ?", 1 as unknown as unknown[]), ArgumentTypeError);
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
    }),
  );

  databaseTest("with values is refused where they could not be escaped", () =>
    withConnection(
      async (connection) => {
        await assert.rejects(connection.fetch("SELECT ?", ["\\' OR 1=1 -- "]), ValueError);
        await using statement = await connection.prepare("SELECT ?");
        assert.equal(await statement.fetchValue(["\\' OR 1=1 -- "]), "\\' OR 1=1 -- ");
      },
      { settings: { sql_mode: "NO_BACKSLASH_ESCAPES" } },
    ),
  );

  databaseTest("that the server refuses says why", () =>
    withConnection(async (connection) => {
      const error = await assert.rejects<StatementError>(
        connection.fetch("SELECT * FROM no_such_table"),
        StatementError,
      );
      assert.deepEqual([error.errno, error.sqlState], [1146, "42S02"]);
      assert.equal(error.code, "CORIO_MYSQL_STATEMENT");
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
      // One at a time: a second statement in the text is an error, not carried out.
      await assert.rejects(connection.execute("SELECT 1; SELECT 2"), StatementError);
    }),
  );

  databaseTest("gives large numbers, dates, decimals and JSON without loss", () =>
    withConnection(async (connection) => {
      const text =
        "SELECT 9007199254740993 AS large, 1.10 AS exact, CAST('2026-05-04 03:02:01' AS DATETIME) AS moment";
      const row = await connection.fetchRow<{ large: unknown; exact: unknown; moment: Date }>(text);
      assert.deepEqual([row?.large, row?.exact], ["9007199254740993", "1.10"]);
      assert.equal(row?.moment.getMinutes(), 2);
      await using plain = await connect(database.options({ dateStrings: true, timezone: "Z" }));
      assert.equal(await plain.fetchValue("SELECT CAST('2026-05-04' AS DATE)"), "2026-05-04");
    }),
  );

  databaseTest("that is a CALL gives the rows of each SELECT", () =>
    withConnection(async (connection) => {
      await connection.execute(
        "CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 2 AS b UNION SELECT 3; END",
      );
      const { rows, resultSets } = await connection.query("CALL two()");
      assert.deepEqual(rows, [{ b: 2 }, { b: 3 }]);
      assert.deepEqual(resultSets, [[{ a: 1 }], [{ b: 2 }, { b: 3 }]]);
      assert.equal(await connection.fetchValue("CALL two()"), 2);
    }),
  );

  databaseTest("is refused while another is under way", () =>
    withConnection(async (connection) => {
      const first = createTask(connection.fetchValue("SELECT SLEEP(0.05) + 1"));
      const second = createTask(connection.fetchValue("SELECT 2"));
      await assert.rejects(second, ConnectionBusyError);
      assert.equal(await first, 1);
    }),
  );

  databaseTest("on a connection that was closed is refused", () =>
    run(async () => {
      const connection = await connect(database.options());
      await connection.close();
      await connection.close();
      assert.equal(connection.isClosed, true);
      await assert.rejects(connection.fetch("SELECT 1"), ConnectionReleasedError);
    }),
  );

  databaseTest("has a timeout of its own, or that of the connection", () =>
    withConnection(
      async (connection) => {
        const error = await connection.execute("SELECT SLEEP(60)").catch((reason: unknown) => reason);
        assert.match(String(error), /TimeoutError/);
        assert.equal(await connection.fetchValue("SELECT SLEEP(0.2)", [], { timeout: null }), 0);
      },
      { commandTimeout: 0.1 },
    ),
  );
});

describe("a prepared statement", () => {
  databaseTest("runs again and again, and is forgotten when it is closed", () =>
    withConnection(async (connection) => {
      const count = () =>
        database.admin.fetchValue<string>(
          "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'",
        );
      assert.ok(Number(await count()) >= 0);
      const first = await connection.prepare("SELECT ? AS a, ? AS a");
      const second = await connection.prepare("SELECT ? AS a, ? AS a");
      assert.deepEqual(await gather(first.fetchValue(["x", "y"])), ["x"]);
      first.close();
      first.close();
      assert.throws(() => first.fetch([]), ConnectionReleasedError);
      assert.deepEqual(await second.fetch(["x", "y"]), [{ a: "y" }]);
      assert.deepEqual((await second.query(["x", "y"])).rowCount, 1);
      assert.deepEqual(await second.fetchRow([null, "z"]), { a: "z" });
      second.close();
      await assert.rejects(connection.prepare("SELEKT"), StatementError);
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
    }),
  );

  databaseTest("runs for each list of values, as a transaction", () =>
    withConnection(async (connection) => {
      await connection.execute("CREATE TABLE many(n int PRIMARY KEY, j json)");
      const insert = "INSERT INTO many VALUES (?, ?)";
      assert.equal(
        await connection.executeMany(insert, [
          [1, { a: 1 }],
          [2, [1, 2]],
        ]),
        2,
      );
      assert.deepEqual(
        await connection.fetchValue("SELECT JSON_VALUE(j, '$[1]') FROM many WHERE n = 2"),
        "2",
      );
      await assert.rejects(
        connection.executeMany(insert, [
          [3, null],
          [1, null],
        ]),
        StatementError,
      );
      assert.equal(await connection.fetchValue("SELECT COUNT(*) FROM many"), 2);
    }),
  );
});

describe("inserting records", () => {
  databaseTest("takes any number, and what is done with duplicates", () =>
    withConnection(async (connection) => {
      await connection.execute("CREATE TABLE `a.b`(id int PRIMARY KEY, name varchar(2000))");
      function* records(from: number, to: number, name = "x") {
        for (let id = from; id < to; id++) yield [id, name.repeat(1000)];
      }
      assert.equal(await connection.insertRecords("a.b", records(0, 5000)), 5000);
      const count = () => connection.fetchValue("SELECT COUNT(*) FROM `a.b`");
      assert.equal(await count(), 5000);
      await assert.rejects(connection.insertRecords("a.b", records(4999, 9000)), StatementError);
      assert.equal(await count(), 5000);
      const target = { database: database.name, table: "a.b", columns: ["id", "name"] };
      await connection.insertRecords({ ...target, onDuplicate: "ignore" }, records(4999, 5002));
      await connection.insertRecords({ ...target, onDuplicate: "update" }, [[1, "it's"]]);
      await connection.insertRecords({ ...target, onDuplicate: "replace" }, [[2, null]]);
      assert.equal(await count(), 5002);
      assert.deepEqual(await connection.fetch("SELECT name FROM `a.b` WHERE id IN (1, 2)"), [
        { name: "it's" },
        { name: null },
      ]);
      assert.equal(await connection.insertRecords("a.b", []), 0);
      assert.throws(() => connection.insertRecords({ table: "a.b", onDuplicate: "update" }, []), ValueError);
    }),
  );
});

describe("a stream of rows", () => {
  databaseTest("gives them all, in order, however fast they are taken", () =>
    withConnection(async (connection) => {
      let expected = 0;
      const options = { bufferSize: 10 };
      for await (const { seq } of connection.stream<{ seq: number }>(
        "SELECT seq FROM seq_1_to_20000",
        [],
        options,
      )) {
        expected++;
        if (seq !== expected) assert.equal(seq, expected);
        if (expected % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(expected, 20_000);
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
    }),
  );

  databaseTest("makes the server wait while nobody takes rows", () =>
    withPool(database.options({ maxSize: 1 }), (pool) =>
      pool.with(async (connection) => {
        const rows = connection.stream("SELECT REPEAT('x', 10000) AS x FROM seq_1_to_100000");
        await rows.next();
        // A gigabyte does not fit into the network's buffers. It has stopped when it says so.
        await database.until(1, "STATE = 'Writing to net'");
        await rows.return?.();
        assert.equal(await connection.fetchValue("SELECT 1"), 1);
      }),
    ),
  );

  databaseTest("tells of an error before, and after some rows", () =>
    withConnection(async (connection) => {
      const read = async (text: string): Promise<number> => {
        let count = 0;
        try {
          for await (const row of connection.stream(text)) count += Number(Object.keys(row).length > 0);
        } catch (error) {
          assert.instanceOf(error, StatementError);
          return count;
        }
        throw new Error("no error");
      };
      assert.equal(await read("SELECT * FROM no_such_table"), 0);
      const late = `SELECT REPEAT('x', 1000), IF(seq > 900, (SELECT 1 UNION SELECT seq), 0) FROM seq_1_to_1000`;
      assert.ok((await read(late)) > 0);
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
    }),
  );

  databaseTest("keeps the connection to itself until the loop ends", () =>
    withConnection(async (connection) => {
      let seen = 0;
      for await (const row of connection.stream("SELECT seq FROM seq_1_to_100000")) {
        seen += Object.keys(row).length;
        await assert.rejects(connection.fetch("SELECT 1"), ConnectionBusyError);
        break;
      }
      assert.equal(seen, 1);
    }),
  );

  databaseTest("has a timeout for each time that rows are waited for", () =>
    withConnection(async (connection) => {
      const loop = async () => {
        for await (const row of connection.stream("SELECT SLEEP(60)", [], { timeout: 0.1 })) assert.ok(row);
      };
      await assert.rejects(loop());
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
    }),
  );

  databaseTest("of a statement without rows is empty", () =>
    withConnection(async (connection) => {
      for await (const row of connection.stream("DO 1")) assert.equal(row, null);
      assert.equal(await connection.fetchValue("SELECT 1"), 1);
    }),
  );
});

describe("a transaction", () => {
  databaseTest("commits when its block returns, and rolls back when it throws", () =>
    withConnection(async (connection) => {
      await connection.execute("CREATE TABLE t(n int)");
      const result = await connection.transaction(async () => {
        assert.equal(connection.isInTransaction, true);
        await connection.execute("INSERT INTO t VALUES (1)");
        return "done";
      });
      assert.deepEqual([result, connection.isInTransaction], ["done", false]);
      await assert.rejects(
        connection.transaction(async () => {
          await connection.execute("INSERT INTO t VALUES (2)");
          throw new RangeError("no");
        }),
        RangeError,
      );
      assert.equal(await connection.fetchValue("SELECT COUNT(*) FROM t"), 1);
    }),
  );

  databaseTest("inside of another is a savepoint", () =>
    withConnection(async (connection) => {
      await connection.execute("CREATE TABLE nested(n int PRIMARY KEY)");
      await connection.transaction(async () => {
        await connection.execute("INSERT INTO nested VALUES (1)");
        await assert.rejects(
          connection.transaction(async () => {
            await connection.execute("INSERT INTO nested VALUES (2)");
            await connection.execute("INSERT INTO nested VALUES (1)");
          }),
          StatementError,
        );
        await connection.transaction(() => connection.execute("INSERT INTO nested VALUES (3)"));
      });
      assert.deepEqual(await connection.fetch("SELECT n FROM nested ORDER BY n"), [{ n: 1 }, { n: 3 }]);
    }),
  );

  databaseTest("has a level of isolation, and may be read only", () =>
    withPool(database.options({ maxSize: 1 }), async (pool) => {
      await pool.execute("CREATE TABLE levels(n int)");
      await using other = await connect(database.options());
      const reads = (isolation: "read committed" | "repeatable read") =>
        pool.transaction(
          async (connection) => {
            const before = await connection.fetchValue<number>("SELECT COUNT(*) FROM levels");
            await other.execute("INSERT INTO levels VALUES (1)");
            return Number(await connection.fetchValue("SELECT COUNT(*) FROM levels")) - Number(before);
          },
          { isolation },
        );
      assert.equal(await reads("repeatable read"), 0);
      assert.equal(await reads("read committed"), 1);
      const write = pool.transaction((connection) => connection.execute("INSERT INTO levels VALUES (2)"), {
        readOnly: true,
        consistentSnapshot: true,
      });
      const error = await assert.rejects<StatementError>(write, StatementError);
      assert.equal(error.errno, 1792);
      assert.equal(await pool.fetchValue("SELECT @@tx_isolation"), "REPEATABLE-READ");
      await assert.rejects(
        pool.transaction(() => null, { isolation: "chaos" as "serializable" }),
        ArgumentTypeError,
      );
    }),
  );

  /** Two transactions of which one is rolled back because of a deadlock. */
  async function deadlock(
    second: (connection: Connection, work: () => Promise<void>) => Promise<unknown>,
  ): Promise<PromiseSettledResult<unknown>[]> {
    let outcomes: PromiseSettledResult<unknown>[] = [];
    await withPool(database.options({ maxSize: 2 }), async (pool) => {
      await pool.execute("CREATE OR REPLACE TABLE dead(id int PRIMARY KEY, n int) ENGINE = InnoDB");
      await pool.execute("INSERT INTO dead VALUES (1, 0), (2, 0)");
      let arrived = 0;
      const bothHere = new Event();
      const half = (from: number, to: number) =>
        pool.with((connection) =>
          second(connection, async () => {
            await connection.execute("UPDATE dead SET n = n + 1 WHERE id = ?", [from]);
            if (++arrived === 2) bothHere.set();
            await bothHere.wait();
            await connection.execute("UPDATE dead SET n = n + 1 WHERE id = ?", [to]);
          }),
        );
      outcomes = await Promise.allSettled([createTask(half(1, 2)), createTask(half(2, 1))]);
      const sum = await pool.fetchValue("SELECT SUM(n) FROM dead");
      const committed = outcomes.filter(({ status }) => status === "fulfilled").length;
      assert.equal(Number(sum), 2 * committed);
    });
    return outcomes;
  }

  databaseTest("that was rolled back because of a deadlock can be tried again", async () => {
    const once = await deadlock((connection, work) => connection.transaction(work));
    const failed = once.find((outcome) => outcome.status === "rejected");
    assert.ok(isRetryable(failed?.reason));
    const again = await deadlock((connection, work) => connection.transaction(work, { retry: true }));
    assert.deepEqual(
      again.map(({ status }) => status),
      ["fulfilled", "fulfilled"],
    );
  });

  databaseTest("that was rolled back by the server is not carried on without saying so", async () => {
    const outcomes = await deadlock((connection, work) =>
      connection.transaction(async () => {
        try {
          // A savepoint: but a deadlock takes the whole transaction.
          await connection.transaction(work);
        } catch {
          await assert.rejects(connection.execute("UPDATE dead SET n = n + 100"), TransactionAbortedError);
        }
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    assert.instanceOf(failed?.reason, TransactionAbortedError);
    assert.match(String(failed.reason), /rolled the transaction back: Deadlock/);
    assert.ok(isRetryable(failed.reason));
  });

  databaseTest("that a statement has committed is not carried on either", () =>
    withConnection(async (connection) => {
      await connection.execute("CREATE TABLE implicit(n int)");
      const task = connection.transaction(async () => {
        await connection.execute("INSERT INTO implicit VALUES (1)");
        await connection.execute("CREATE TABLE implicit_2(n int)");
        await connection.execute("INSERT INTO implicit VALUES (2)");
      });
      const error = await assert.rejects<TransactionAbortedError>(task, TransactionAbortedError);
      assert.match(error.message, /ended by a statement inside its block/);
      // What was committed is: MySQL does not undo that.
      assert.equal(await connection.fetchValue("SELECT COUNT(*) FROM implicit"), 1);
      assert.equal(connection.isInTransaction, false);
    }),
  );

  databaseTest("goes on after an error that did not end it", () =>
    withConnection(async (connection) => {
      await connection.execute("CREATE TABLE goes_on(n int PRIMARY KEY)");
      await connection.transaction(async () => {
        await connection.execute("INSERT INTO goes_on VALUES (1)");
        await assert.rejects(connection.execute("INSERT INTO goes_on VALUES (1)"), StatementError);
        await assert.rejects(timeout(0.1, () => connection.execute("SELECT SLEEP(60)")));
        await connection.execute("INSERT INTO goes_on VALUES (2)");
      });
      assert.equal(await connection.fetchValue("SELECT COUNT(*) FROM goes_on"), 2);
    }),
  );
});

describe("connecting", () => {
  databaseTest("takes a URL, and refuses what is none", () =>
    run(async () => {
      const { host = "", port = 0 } = database.options();
      await using connection = await connect(`mysql://root@${host}:${port}/${database.name}`);
      assert.equal(await connection.fetchValue("SELECT DATABASE()"), database.name);
      for (const bad of ["postgres://root@localhost/test", "no URL", "mysql://root@localhost/test?ssl=1"])
        assert.throws(() => connect(bad), ValueError);
      assert.throws(() => connect(1 as unknown as string), ArgumentTypeError);
    }),
  );
});
