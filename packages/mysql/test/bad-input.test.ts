/** Input that a driver or the protocol would take for something else, and callbacks of the program that throw. */
import { ArgumentTypeError, run, ValueError } from "corio";
import { connect, ConnectionLostError, createPool } from "@corio/mysql";
import type { Connection, ConnectOptions } from "@corio/mysql";
import { assert, describe, test } from "../../corio/test/support/harness.ts";
import { databaseTest, TestDatabase, withPool } from "./support/database.ts";

const database = new TestDatabase();

/** A test with a connection, which must work at the end. */
function inputTest(title: string, body: (connection: Connection) => Promise<void>): void {
  databaseTest(title, () =>
    run(async () => {
      await using connection = await connect(database.options());
      await body(connection);
      assert.equal(await connection.fetchValue("SELECT 'works'"), "works");
    }),
  );
}

describe("bad input", () => {
  inputTest("is refused when a prepared statement expects another count of values", async (connection) => {
    await using statement = await connection.prepare("SELECT ? AS n");
    await using same = await connection.prepare("SELECT ? AS n");
    for (const values of [undefined, [], [1, 2], [1, 2, 3]]) {
      await assert.rejects(async () => await statement.fetch(values), /expects 1 values/);
      await assert.rejects(async () => await same.fetch(values), /expects 1 values/);
    }
    assert.equal(await statement.fetchValue(["one"]), "one");
  });

  inputTest("is refused among the options, which could say more than they should", async () => {
    const refused: ConnectOptions[] = [
      { user: "root\0x" },
      { database: "test\0x" },
      { port: 65_536 },
      { port: Number.NaN },
      { url: "mysql://root:%zz@127.0.0.1/test" },
      { url: "mysql://root%00x@127.0.0.1/test" },
    ];
    for (const options of refused)
      await assert.rejects(async () => await connect(database.options(options)), ValueError);
    const settings = { sql_mode: { evil: 1 } as never };
    await assert.rejects(async () => await connect(database.options({ settings })), ArgumentTypeError);
  });

  inputTest("is refused as the name of a column", async (connection) => {
    const columns = [["a", "b"] as never];
    await assert.rejects(
      async () => await connection.insertRecords({ table: "people", columns }, [[1]]),
      ArgumentTypeError,
    );
  });

  inputTest("is no input: bytes of every kind are bytes", async (connection) => {
    const bytes = Uint8Array.of(0, 1, 2, 255);
    const forms = [
      bytes,
      bytes.buffer,
      new DataView(bytes.buffer),
      Uint8Array.of(9, ...bytes, 9).subarray(1, 5),
    ];
    await using statement = await connection.prepare("SELECT HEX(?)");
    for (const form of forms) {
      assert.equal(await connection.fetchValue("SELECT HEX(?)", [form]), "000102FF");
      assert.equal(await statement.fetchValue([form]), "000102FF");
    }
  });

  inputTest("is no input: a column may have the name of a class's property", async (connection) => {
    const seen: unknown[] = [];
    for await (const row of connection.stream("SELECT NULL AS `constructor`")) seen.push(row);
    assert.deepEqual(seen, [{ constructor: null }]);
  });

  inputTest("does not make the client send files", async (connection) => {
    await connection.execute("CREATE TEMPORARY TABLE loaded(line text)");
    const load = "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE loaded";
    await assert.rejects(connection.execute(load), /disabled/);
    await assert.rejects(async () => {
      for await (const row of connection.stream(load)) assert.ok(row);
    }, /disabled/);
  });
});

describe("typeCast that throws", () => {
  const typeCast: ConnectOptions["typeCast"] = (field, next) => {
    if (field.name === "bad") assert.fail("mine");
    return next();
  };

  databaseTest("fails its statement, and no other gets the rows that are left", () =>
    withPool(database.options({ maxSize: 1, typeCast }), async (pool) => {
      const rows = Array.from({ length: 200 }, (_, n) => `SELECT ${n} AS bad`).join(" UNION ALL ");
      const good = () => pool.fetch("SELECT 'good' AS name");
      await assert.rejects(pool.fetch(rows), /mine/);
      assert.deepEqual(await good(), [{ name: "good" }]);
      await pool.with(async (connection) => {
        await assert.rejects(async () => {
          for await (const row of connection.stream(rows)) assert.fail(JSON.stringify(row));
        }, /mine/);
        // mysql2 has given the rows up in the middle.
        await assert.rejects(connection.fetch("SELECT 1"), ConnectionLostError);
      });
      assert.deepEqual(await good(), [{ name: "good" }]);
      assert.equal(pool.statistics().size, 1);
    }),
  );
});

describe("a duration that is none", () => {
  test("is refused before anything is done with it", () => {
    for (const option of ["cancelTimeout", "commandTimeout", "connectTimeout"]) {
      assert.throws(() => createPool({ [option]: NaN }), ValueError);
      assert.throws(() => connect({ [option]: "5" as never }), ArgumentTypeError);
    }
  });
});
