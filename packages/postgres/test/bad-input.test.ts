/** Input that a driver or the protocol would take for something else, and callbacks of the program that throw. */
import { ArgumentTypeError, getRunningLoop, run, ValueError } from "corio";
import { connect, createPool, listen, StatementError } from "@corio/postgres";
import type { Connection, ConnectOptions } from "@corio/postgres";
import { assert, describe, test } from "../../corio/test/support/harness.ts";
import { databaseTest, TestSchema } from "./support/database.ts";

const schema = new TestSchema();

/** A test with a connection, which must work at the end. */
function inputTest(
  title: string,
  body: (connection: Connection) => Promise<void>,
  options: ConnectOptions = {},
): void {
  databaseTest(title, () =>
    run(async () => {
      await using connection = await connect(schema.options(options));
      await body(connection);
      assert.equal(await connection.fetchValue("SELECT 'works'"), "works");
    }),
  );
}

async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const row of rows) assert.ok(row);
}

describe("bad input", () => {
  inputTest("is refused where the protocol would cut it", async (connection) => {
    assert.throws(() => connection.query("SELECT 1\0; SELECT 2"), ValueError);
    assert.throws(() => connection.fetch("SELECT 1\0", [1]), ValueError);
    assert.throws(() => connection.cursor("SELECT 1\0"), ValueError);
    assert.throws(() => connection.copyRecords("people\0", []), ValueError);
    assert.throws(() => connection.copyRecords({ table: "people", columns: ["a\0"] }, []), ValueError);
    assert.throws(() => connection.copyRecords({ table: "people", columns: [7 as never] }, []), /columns/);
    assert.throws(() => listen(schema.options(), "a\0b"), ValueError);
    assert.throws(() => listen(schema.options(), ""), ValueError);
    assert.throws(() => listen(schema.options(), "é".repeat(32)), /63 bytes at most, got 64/);
    await assert.rejects(connection.fetchValue("SELECT $1::text", ["a\0b"]), StatementError);
  });

  inputTest("is refused where the count of values would overflow", async (connection) => {
    const values = Array.from({ length: 65_536 }, () => "x");
    assert.throws(() => connection.fetch("SELECT $1::text", values), /room for 65535/);
    assert.throws(() => connection.cursor("SELECT $1::text", values), /room for 65535/);
    assert.equal(await connection.fetchValue("SELECT cardinality($1::text[])", [values]), 65_536);
    assert.throws(() => connection.cursor("SELECT 1", [], { batchSize: 2 ** 31 }), ArgumentTypeError);
  });

  inputTest("is refused among the options, which could say more than they should", async () => {
    const refused: ConnectOptions[] = [
      { applicationName: "x\0options\0-c search_path=evil" },
      { user: "postgres\0options\0-c search_path=evil" },
      { database: "test\0x" },
      { settings: { "search_path=x -c application_name": "evil" } },
      { port: 65_536 },
      { port: Number.NaN },
      { url: "nonsense" },
    ];
    for (const options of refused)
      await assert.rejects(async () => await connect(schema.options(options)), ValueError);
    const number = { settings: { statement_timeout: 5 as never } };
    await assert.rejects(async () => await connect(number), ArgumentTypeError);
  });

  inputTest("in a value leaves the connection as it was", async (connection) => {
    const circular: Record<string, unknown> = {};
    circular["itself"] = circular;
    await assert.rejects(connection.fetchValue("SELECT $1::text", [circular]), TypeError);
    await assert.rejects(drain(connection.cursor("SELECT $1::text", [circular])), TypeError);
    const evil = { toPostgres: () => assert.fail("mine") };
    await assert.rejects(connection.fetchValue("SELECT $1::text", [evil]), /mine/);
  });
});

describe("COPY where it does not belong", () => {
  inputTest("ends with an error, in whatever way it is run", async (connection) => {
    await connection.execute("CREATE TEMP TABLE copied(n int)");
    const from = "COPY copied FROM STDIN";
    await assert.rejects(connection.query(from), StatementError);
    await using statement = await connection.prepare(from);
    await assert.rejects(statement.execute(), StatementError);
    await assert.rejects(drain(connection.cursor(from)), /nothing to copy/);
    await assert.rejects(drain(connection.copyOut(`COPY copied TO STDOUT; ${from}`)), /nothing to copy/);
    await assert.rejects(connection.copyIn(`${from}; ${from}`, ["1\n"]), /one statement/);
    await drain(connection.cursor("COPY copied TO STDOUT"));
    assert.equal(await connection.fetchValue("SELECT count(*)::int FROM copied"), 0);
  });

  inputTest("is ended when the source gives what is no text", async (connection) => {
    await connection.execute("CREATE TEMP TABLE copied(n int)");
    for (const chunk of [5, null, ["1\n"]])
      await assert.rejects(
        connection.copyIn("COPY copied FROM STDIN", ["1\n", chunk as never]),
        /strings or bytes/,
      );
    assert.equal(await connection.copyIn("COPY copied FROM STDIN", []), 0);
    assert.equal(await connection.copyRecords("copied", []), 0);
    assert.equal(await connection.fetchValue("SELECT count(*)::int FROM copied"), 0);
  });
});

describe("a callback that throws", () => {
  const parsers = { 23: () => assert.fail("mine") };

  inputTest(
    "fails the statement, if it parses values",
    async (connection) => {
      await assert.rejects(connection.fetch("SELECT g FROM generate_series(1, 500) g"), /mine/);
      await assert.rejects(drain(connection.cursor("SELECT g FROM generate_series(1, 500) g")), /mine/);
    },
    { parsers },
  );

  databaseTest("is reported, if it is told of notices", async () => {
    const reports: unknown[] = [];
    const throwing = async (): Promise<void> => {
      const onNotice = (): void => assert.fail("mine");
      await using connection = await connect(schema.options({ onNotice }));
      await connection.execute("DO $$ BEGIN RAISE NOTICE 'listen'; END $$");
      assert.equal(await connection.fetchValue("SELECT 'works'"), "works");
    };
    await run(async () => {
      getRunningLoop().setExceptionHandler((_loop, { exception }) => reports.push(exception));
      await throwing();
    });
    assert.match(String(reports), /mine/);
  });
});

describe("a duration that is none", () => {
  test("is refused before anything is done with it", () => {
    for (const option of ["cancelTimeout", "commandTimeout", "connectTimeout"]) {
      assert.throws(() => createPool({ [option]: NaN }), ValueError);
      assert.throws(() => connect({ [option]: "5" as never }), ArgumentTypeError);
    }
  });
});
