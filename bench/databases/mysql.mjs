// node bench/databases/mysql.mjs [--quick]: @corio/mysql beside the pool of mysql2 itself, in one run, interleaved: the
// same mix of queries, throughput and this process's CPU time for each; many rows as a stream; and how fast a pool goes
// from hand to hand. Part of `npm run bench`. Needs a MySQL or MariaDB on 127.0.0.1:3306 (user root, database test).
import { run } from "corio";
import { connect, createPool } from "@corio/mysql";
import { createConnection } from "mysql2";
import mysql from "mysql2/promise";
import { compare, measure, quick } from "./compare.mjs";
import { CONNECTIONS, compareHandOver, compareQueries } from "./sql.mjs";

const STREAMED = quick ? 50_000 : 200_000;

const server = { host: "127.0.0.1", port: 3306, user: "root", database: "test" };

const VALUE = "SELECT ? + 1 AS n";
const ROWS = "SELECT seq, CONCAT('row ', seq) AS name FROM seq_1_to_20 WHERE seq > ?";
const STREAM = `SELECT seq, 'a row of some length' AS name FROM seq_1_to_${STREAMED}`;

/** A pool of mysql2's, with the same treatment of large numbers; its connections are made. */
async function openPool() {
  const pool = mysql.createPool({ ...server, supportBigNumbers: true, connectionLimit: CONNECTIONS });
  await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.query("SELECT 1")));
  return pool;
}

/** @returns {Promise<import("./sql.mjs").Client>} */
async function openBare() {
  const pool = await openPool();
  return {
    value: (n) => pool.query(VALUE, [n]),
    rows: (n) => pool.query(ROWS, [n]),
    transaction: async (n) => {
      const connection = await pool.getConnection();
      try {
        await connection.query("START TRANSACTION");
        await connection.query(VALUE, [n]);
        await connection.query("COMMIT");
      } finally {
        connection.release();
      }
    },
    close: () => pool.end(),
  };
}

/** @returns {Promise<import("./sql.mjs").Client>} */
async function openCorio() {
  const pool = createPool({ ...server, maxSize: CONNECTIONS, minSize: CONNECTIONS });
  await pool.open();
  return {
    value: (n) => pool.query(VALUE, [n]),
    rows: (n) => pool.query(ROWS, [n]),
    transaction: (n) => pool.transaction((connection) => connection.query(VALUE, [n])),
    close: () => pool.close(),
  };
}

async function bareStream() {
  const connection = createConnection({ ...server, supportBigNumbers: true });
  const sample = await measureRows(connection.query(STREAM).stream());
  connection.end();
  return sample;
}

function corioStream() {
  return run(async () => {
    const connection = await connect(server);
    const sample = await measureRows(connection.stream(STREAM));
    await connection.close();
    return sample;
  });
}

/** @param {AsyncIterable<{ seq: number }>} rows */
function measureRows(rows) {
  return measure(STREAMED, async () => {
    let count = 0;
    for await (const row of rows) count += row.seq > 0 ? 1 : 0;
    if (count !== STREAMED) throw new Error(`${count} rows`);
  });
}

async function openBarePool() {
  const pool = await openPool();
  return { take: () => pool.getConnection(), close: () => pool.end() };
}

await compareQueries("mysql2", openBare, openCorio);
await compare(`rows: ${STREAMED}, streamed, one after the other`, "mysql2", bareStream, corioStream);
await compareHandOver("mysql2", openBarePool);
