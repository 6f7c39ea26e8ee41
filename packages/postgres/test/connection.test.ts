import { createTask, gather, run, TimeoutError } from "corio";
import {
  connect,
  ConnectionBusyError,
  ConnectionReleasedError,
  isRetryable,
  PostgresError,
  StatementError,
  TransactionAbortedError,
} from "@corio/postgres";
import type { Connection, Notice } from "@corio/postgres";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { databaseTest, TestSchema } from "./support/database.ts";

const schema = new TestSchema();

function connectionTest(title: string, body: (connection: Connection) => Promise<void>): void {
  databaseTest(title, () =>
    run(async () => {
      await using connection = await connect(schema.options());
      await body(connection);
    }),
  );
}

describe("a connection", () => {
  connectionTest("runs statements, and gives what was asked for", async (connection) => {
    const { rows, rowCount, command, fields } = await connection.query("SELECT $1::int AS n, $2 AS t", [
      7,
      "x",
    ]);
    assert.deepEqual(rows, [{ n: 7, t: "x" }]);
    assert.deepEqual([rowCount, command], [1, "SELECT"]);
    assert.deepEqual(fields, [
      { name: "n", typeId: 23 },
      { name: "t", typeId: 25 },
    ]);
    assert.deepEqual(await connection.fetch<{ g: number }>("SELECT g FROM generate_series(1, 3) g"), [
      { g: 1 },
      { g: 2 },
      { g: 3 },
    ]);
    assert.deepEqual(await connection.fetchRow("SELECT 1 AS one"), { one: 1 });
    assert.equal(await connection.fetchRow("SELECT 1 WHERE false"), null);
    assert.equal(await connection.fetchValue<boolean>("SELECT true, 2"), true);
    assert.equal(await connection.fetchValue("SELECT 1 WHERE false"), null);
    assert.equal(await connection.execute("CREATE TABLE plain(n int)"), 0);
    assert.equal(await connection.execute("INSERT INTO plain VALUES (1), (2)"), 2);
    assert.equal(await connection.fetchValue("SELECT 1; SELECT 2"), 2);
    assert.equal((await connection.query("")).command, "");
  });

  connectionTest("says what the server says about a statement", async (connection) => {
    await connection.execute("CREATE TABLE uniquely(n int CONSTRAINT only_once UNIQUE)");
    const error = await assert.rejects<StatementError>(
      connection.execute("INSERT INTO uniquely VALUES (1), (1)"),
      StatementError,
    );
    assert.equal(error.sqlState, "23505");
    assert.deepEqual([error.constraint, error.table, error.schema], ["only_once", "uniquely", schema.name]);
    assert.match(error.detail ?? "", /already exists/);
    assert.instanceOf(error, PostgresError);
    assert.equal((error.cause as { code: string }).code, "23505");
    const syntax = await assert.rejects<StatementError>(connection.execute("SELECT )"), StatementError);
    assert.deepEqual(
      [syntax.sqlState, syntax.position, syntax.code],
      ["42601", 8, "CORIO_POSTGRES_STATEMENT"],
    );
    // It goes on.
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
    await assert.rejects(connection.fetchValue("SELECT $1::int", ["x"]), /invalid input syntax/);
    const circular: { self?: unknown } = {};
    circular.self = circular;
    await assert.rejects(connection.fetchValue("SELECT $1::json", [circular]), /circular|cyclic/);
    assert.equal(await connection.fetchValue("SELECT 2"), 2);
  });

  connectionTest("refuses what is no statement, and what are no values", async (connection) => {
    assert.throws(() => connection.fetch(1 as never), /expects a statement as a string/);
    assert.throws(() => connection.fetch("SELECT $1", 1 as never), /as an array/);
    assert.throws(() => connection.copyIn("SELECT 1", []), /COPY … FROM STDIN/);
    assert.throws(() => connection.copyOut("COPY t FROM STDIN"), /COPY … TO STDOUT/);
    assert.throws(() => connection.cursor("SELECT 1", [], { batchSize: 0 }), /batchSize/);
    await assert.rejects(
      connection.transaction(() => 1, { isolation: "chaos" as never }),
      /isolation/,
    );
  });

  connectionTest("does one thing at a time", async (connection) => {
    const sleeping = createTask(connection.execute("SELECT pg_sleep(60)"));
    await schema.untilSleeping(1);
    const error = await assert.rejects<ConnectionBusyError>(
      connection.fetch("SELECT 1"),
      ConnectionBusyError,
    );
    assert.equal(error.code, "CORIO_POSTGRES_BUSY");
    sleeping.cancel();
    await assert.rejects(sleeping);
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
  });

  databaseTest("is of no use when it was closed", () =>
    run(async () => {
      const connection = await connect(schema.options());
      assert.equal(connection.isClosed, false);
      await connection.close();
      await connection.close();
      assert.equal(connection.isClosed, true);
      await assert.rejects(connection.fetch("SELECT 1"), ConnectionReleasedError);
      assert.throws(() => connection.processId, ConnectionReleasedError);
    }),
  );

  databaseTest("has types, notices and settings of its own", () =>
    run(async () => {
      const notices: Notice[] = [];
      const options = schema.options({
        parsers: { 20: (text) => BigInt(text) },
        onNotice: (notice) => notices.push(notice),
        settings: { search_path: schema.name, "app.motto": "a b\\c" },
      });
      await using connection = await connect(options);
      assert.equal(await connection.fetchValue("SELECT 9007199254740993::bigint"), 9007199254740993n);
      connection.setTypeParser(20, Number);
      assert.equal(await connection.fetchValue("SELECT 5::bigint"), 5);
      await using other = await connect(schema.options());
      assert.equal(await other.fetchValue("SELECT 5::bigint"), "5");
      await connection.execute("DO $$ BEGIN RAISE WARNING 'careful' USING HINT = 'wait'; END $$");
      assert.deepEqual(
        notices.map(({ severity, message, hint, sqlState }) => [severity, message, hint, sqlState]),
        [["WARNING", "careful", "wait", "01000"]],
      );
      assert.equal(await connection.fetchValue("SHOW app.motto"), "a b\\c");
    }),
  );

  connectionTest("lets the server look after it while a statement runs", async (connection) => {
    const version = Number(await connection.fetchValue("SHOW server_version_num"));
    if (version < 140000) return;
    assert.equal(await connection.fetchValue("SHOW client_connection_check_interval"), "5s");
  });

  databaseTest("limits what its commandTimeout, or an operation's own, says", () =>
    run(async () => {
      await using connection = await connect(schema.options({ commandTimeout: 0.05 }));
      await assert.rejects(connection.execute("SELECT pg_sleep(60)"), TimeoutError);
      await connection.execute("SELECT pg_sleep(0.1)", [], { timeout: null });
      await assert.rejects(connection.execute("SELECT pg_sleep(60)", [], { timeout: 0.01 }), TimeoutError);
    }),
  );
});

describe("a prepared statement", () => {
  connectionTest("is parsed once, and run many times", async (connection) => {
    const statement = await connection.prepare("SELECT $1::int + $2::int AS sum");
    assert.equal(await statement.fetchValue([1, 2]), 3);
    assert.deepEqual(await statement.fetch([3, 4]), [{ sum: 7 }]);
    assert.deepEqual(await statement.fetchRow([5, 6]), { sum: 11 });
    assert.equal((await statement.query([5, 6])).rowCount, 1);
    assert.equal(await statement.execute([5, 6]), 1);
    const count = "SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'corio%'";
    assert.equal(await connection.fetchValue(count), 1);
    await statement.close();
    assert.equal(await connection.fetchValue(count), 0);
    await assert.rejects(statement.fetch([1, 2]), /closed/);
    await statement.close();
  });

  connectionTest("says at once what is wrong with it", async (connection) => {
    await assert.rejects(connection.prepare("SELECT * FROM nowhere"), /nowhere/);
    await using constant = await connection.prepare("SELECT 42");
    assert.equal(await constant.fetchValue(), 42);
  });

  connectionTest("runs for many values as one transaction", async (connection) => {
    await connection.execute("CREATE TABLE many(n int CHECK (n < 5))");
    assert.equal(await connection.executeMany("INSERT INTO many VALUES ($1)", [[1], [2], [3]]), 3);
    await assert.rejects(connection.executeMany("INSERT INTO many VALUES ($1)", [[4], [5]]), StatementError);
    assert.equal(await connection.fetchValue("SELECT count(*)::int FROM many"), 3);
  });
});

describe("a transaction", () => {
  connectionTest("commits when its block returns, and rolls back when it throws", async (connection) => {
    await connection.execute("CREATE TABLE ledger(n int)");
    const result = await connection.transaction(async (inside) => {
      assert.equal(inside, connection);
      assert.equal(connection.isInTransaction, true);
      await inside.execute("INSERT INTO ledger VALUES (1)");
      return "done";
    });
    assert.equal(result, "done");
    assert.equal(connection.isInTransaction, false);
    await assert.rejects(
      connection.transaction(async () => {
        await connection.execute("INSERT INTO ledger VALUES (2)");
        throw new RangeError("no");
      }),
      RangeError,
    );
    assert.deepEqual(await connection.fetch("SELECT * FROM ledger"), [{ n: 1 }]);
  });

  connectionTest("has savepoints inside", async (connection) => {
    await connection.execute("CREATE TABLE nested(n int)");
    await connection.transaction(async () => {
      await connection.execute("INSERT INTO nested VALUES (1)");
      await assert.rejects(
        connection.transaction(async () => {
          await connection.execute("INSERT INTO nested VALUES (2)");
          await connection.transaction(() => connection.execute("INSERT INTO nested VALUES (3)"));
          await connection.execute("INSERT INTO nowhere VALUES (2)");
        }),
        /nowhere/,
      );
      await connection.transaction(() => connection.execute("INSERT INTO nested VALUES (4)"));
    });
    assert.deepEqual(
      (await connection.fetch<{ n: number }>("SELECT n FROM nested")).map(({ n }) => n),
      [1, 4],
    );
  });

  connectionTest("has the isolation, and the modes, that were asked for", async (connection) => {
    const shown = await connection.transaction(
      async () => [
        await connection.fetchValue("SHOW transaction_isolation"),
        await connection.fetchValue("SHOW transaction_read_only"),
        await connection.fetchValue("SHOW transaction_deferrable"),
      ],
      { isolation: "serializable", readOnly: true, deferrable: true },
    );
    assert.deepEqual(shown, ["serializable", "on", "on"]);
    const other = await connection.transaction(
      async () => [
        await connection.fetchValue("SHOW transaction_isolation"),
        await connection.fetchValue("SHOW transaction_read_only"),
      ],
      { isolation: "repeatable read", readOnly: false, deferrable: false },
    );
    assert.deepEqual(other, ["repeatable read", "off"]);
  });

  connectionTest("does not pretend to have committed what the server has rolled back", async (connection) => {
    await connection.execute("CREATE TABLE pretended(n int)");
    const error = await assert.rejects<TransactionAbortedError>(
      connection.transaction(async () => {
        await connection.execute("INSERT INTO pretended VALUES (1)");
        await connection.execute("SELECT 1/0").catch(() => undefined);
      }),
      TransactionAbortedError,
    );
    assert.match(error.message, /one of its statements had failed/);
    await assert.rejects(
      connection.transaction(() => connection.execute("ROLLBACK")),
      /ended by a statement inside its block/,
    );
    assert.equal(await connection.fetchValue("SELECT count(*)::int FROM pretended"), 0);
  });

  databaseTest("is tried again after a serialization failure", () =>
    run(async () => {
      await using first = await connect(schema.options());
      await using second = await connect(schema.options());
      await first.execute("CREATE TABLE counter(n int); INSERT INTO counter VALUES (0)");
      let attempts = 0;
      const increment = async () => {
        attempts++;
        const n = (await first.fetchValue<number>("SELECT n FROM counter")) ?? 0;
        // The other one comes in between, the first time.
        if (attempts === 1) await second.execute("UPDATE counter SET n = n + 1");
        await first.execute("UPDATE counter SET n = $1", [n + 1]);
      };
      const options = { isolation: "repeatable read" } as const;
      const error = await assert.rejects(first.transaction(increment, options), StatementError);
      assert.ok(isRetryable(error));
      attempts = 0;
      await first.transaction(increment, { ...options, retry: { firstDelay: 0.001 } });
      assert.equal(attempts, 2);
      assert.equal(await first.fetchValue("SELECT n FROM counter"), 3);
      attempts = 0;
      await assert.rejects(
        first.transaction(increment, { ...options, retry: { attempts: 1 } }),
        StatementError,
      );
      await assert.rejects(
        first.transaction(() => first.execute("SELECT 1/0"), { retry: true }),
        /division by zero/,
      );
    }),
  );
});

describe("a cursor", () => {
  connectionTest("gives all rows, whatever the size of a batch", async (connection) => {
    for (const batchSize of [1, 7, 100, 1000, 5000]) {
      let sum = 0;
      const text = "SELECT g FROM generate_series(1, $1::int) g";
      for await (const { g } of connection.cursor<{ g: number }>(text, [1000], { batchSize })) sum += g;
      assert.equal(sum, 500500);
    }
    for await (const row of connection.cursor("SELECT 1 WHERE false")) assert.fail(JSON.stringify(row));
    for await (const row of connection.cursor("CREATE TABLE by_cursor(n int)"))
      assert.fail(JSON.stringify(row));
    assert.equal(await connection.fetchValue("SELECT count(*)::int FROM by_cursor"), 0);
  });

  connectionTest("closes its portal when the loop is left", async (connection) => {
    await connection.transaction(async () => {
      for await (const { g } of connection.cursor<{ g: number }>(
        "SELECT g FROM generate_series(1, 1000) g",
      )) {
        if (g === 5) break;
      }
      assert.deepEqual(await connection.fetch("SELECT name FROM pg_cursors"), []);
    });
    const iterator = connection.cursor("SELECT g FROM generate_series(1, 1000) g", [], { batchSize: 3 });
    await iterator.next();
    await assert.rejects(connection.fetch("SELECT 1"), ConnectionBusyError);
    await iterator.return?.();
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
  });

  connectionTest("throws the server's errors, early and late", async (connection) => {
    const early = connection.cursor("SELECT * FROM nowhere");
    await assert.rejects(early.next(), /nowhere/);
    const late = connection.cursor("SELECT 1 / (5 - g) FROM generate_series(1, 1000) g", [], {
      batchSize: 2,
    });
    let rows = 0;
    await assert.rejects(async () => {
      for await (const row of late) rows += Object.keys(row).length;
    }, /division by zero/);
    assert.equal(rows, 4);
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
  });
});

describe("COPY", () => {
  connectionTest("in takes text and bytes, from any iterable", async (connection) => {
    await connection.execute("CREATE TABLE copied(n int, t text)");
    async function* pieces() {
      yield "1\to";
      await Promise.resolve();
      yield new TextEncoder().encode("ne\n2\ttwo\n");
    }
    assert.equal(await connection.copyIn("COPY copied FROM STDIN", pieces()), 2);
    assert.equal(await connection.copyIn("COPY copied FROM STDIN (FORMAT csv)", ["3,three\n"]), 1);
    assert.equal(await connection.copyIn("COPY copied FROM STDIN", []), 0);
    assert.deepEqual(await connection.fetch("SELECT t FROM copied ORDER BY n"), [
      { t: "one" },
      { t: "two" },
      { t: "three" },
    ]);
  });

  connectionTest("in that fails says why, and inserts nothing", async (connection) => {
    await connection.execute("CREATE TABLE copied_not(n int)");
    await assert.rejects(connection.copyIn("COPY nowhere FROM STDIN", ["1\n"]), /nowhere/);
    await assert.rejects(connection.copyIn("COPY copied_not FROM STDIN", ["x\n"]), /invalid input syntax/);
    // Much more than the sockets hold: the server has said no long before the end.
    const lines = Array.from({ length: 100 }, () => "x\n".repeat(30_000));
    await assert.rejects(connection.copyIn("COPY copied_not FROM STDIN", lines), /invalid input syntax/);
    function* source() {
      yield "1\n";
      throw new RangeError("no more");
    }
    await assert.rejects(connection.copyIn("COPY copied_not FROM STDIN", source()), RangeError);
    assert.equal(await connection.fetchValue("SELECT count(*)::int FROM copied_not"), 0);
  });

  connectionTest("of records writes every kind of value", async (connection) => {
    await connection.execute(
      "CREATE TABLE records(n int, t text, b bytea, a int[], j jsonb, d timestamptz, f bool)",
    );
    const date = new Date("2026-05-04T03:02:01.123Z");
    const records = [
      [
        1,
        'tab\t, line\n, return\r, backslash \\ and "\\N"',
        new Uint8Array([0, 255, 92]),
        [1, 2],
        { k: "\\" },
        date,
        true,
      ],
      [2, null, undefined, null, null, null, false],
      [3, "", Buffer.alloc(0), [], [1].length, null, null],
    ];
    assert.equal(await connection.copyRecords("records", records), 3);
    const rows = await connection.fetch<Record<string, unknown>>("SELECT * FROM records ORDER BY n");
    const plain = rows.map((row) => ({
      ...row,
      b: row["b"] === null ? null : [...(row["b"] as Uint8Array)],
    }));
    assert.deepEqual(plain[0], {
      n: 1,
      t: 'tab\t, line\n, return\r, backslash \\ and "\\N"',
      b: [0, 255, 92],
      a: [1, 2],
      j: { k: "\\" },
      d: date,
      f: true,
    });
    assert.deepEqual(plain[1], { n: 2, t: null, b: null, a: null, j: null, d: null, f: false });
    assert.deepEqual(plain[2], { n: 3, t: "", b: [], a: [], j: 1, d: null, f: null });
    await connection.execute('CREATE TABLE "Odd ""name"(a int, b int)');
    const target = { schema: schema.name, table: 'Odd "name', columns: ["b"] };
    const numbers = Array.from({ length: 20_000 }, (_, index) => [index]);
    assert.equal(await connection.copyRecords(target, numbers), 20_000);
    await assert.rejects(connection.copyRecords("records", [1] as never), /records that are arrays/);
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
  });

  connectionTest("out gives what the server sends, and can be left", async (connection) => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of connection.copyOut("COPY (SELECT generate_series(1, 3)) TO STDOUT"))
      text += decoder.decode(chunk, { stream: true });
    assert.equal(text, "1\n2\n3\n");
    let bytes = 0;
    for await (const chunk of connection.copyOut("COPY (SELECT generate_series(1, 100000)) TO STDOUT"))
      bytes += chunk.length;
    assert.equal(bytes, 588895);
    for await (const chunk of connection.copyOut("COPY (SELECT generate_series(1, 100000000)) TO STDOUT")) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
    await assert.rejects(connection.copyOut("COPY nowhere TO STDOUT").next(), /nowhere/);
    await assert.rejects(async () => {
      const failing = "COPY (SELECT 1 / (100000 - g) FROM generate_series(1, 200000) g) TO STDOUT";
      for await (const chunk of connection.copyOut(failing)) assert.ok(chunk.length > 0);
    }, /division by zero/);
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
  });
});

describe("many connections", () => {
  databaseTest("answer side by side", () =>
    run(async () => {
      const ask = async (n: number) => {
        await using connection = await connect(schema.options());
        return await connection.fetchValue<number>("SELECT $1::int FROM pg_sleep(0.01)", [n]);
      };
      assert.deepEqual(await gather([1, 2, 3, 4].map((n) => createTask(() => ask(n)))), [1, 2, 3, 4]);
    }),
  );
});
