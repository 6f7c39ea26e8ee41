// node bench/databases/postgres.mjs [--quick]: @corio/postgres beside the pool of pg itself, in one run, interleaved:
// the same mix of queries, throughput and this process's CPU time for each; and how fast a pool goes from hand to hand.
// Part of `npm run bench`. Needs a PostgreSQL on 127.0.0.1:5432 (user postgres, database test).
import process from "node:process";
import { createPool } from "@corio/postgres";
import pg from "pg";
import { CONNECTIONS, compareHandOver, compareQueries } from "./sql.mjs";

const server = { host: "127.0.0.1", port: 5432, user: "postgres", database: "test" };

const VALUE = "SELECT $1::int + 1 AS n";
const ROWS = "SELECT g, 'row ' || g AS name FROM generate_series(1, 20) g WHERE g > $1";

/** @returns {Promise<import("./sql.mjs").Client>} */
async function openBare() {
  const pool = new pg.Pool({ ...server, max: CONNECTIONS });
  await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.query("SELECT 1")));
  return {
    value: (n) => pool.query(VALUE, [n]),
    rows: (n) => pool.query(ROWS, [n]),
    transaction: async (n) => {
      const connection = await pool.connect();
      try {
        await connection.query("BEGIN");
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

/** A client for pg's pool that connects to nothing: what is measured is the pool. */
class NoClient {
  /** @param {(error?: Error) => void} callback */
  connect(callback) {
    process.nextTick(callback);
  }
  /** @param {() => void} [callback] */
  end(callback) {
    callback?.();
  }
  on() {
    return this;
  }
  once() {
    return this;
  }
  removeListener() {
    return this;
  }
  ref() {
    return this;
  }
  unref() {
    return this;
  }
}

function openWithoutServer() {
  const pool = new pg.Pool(
    /** @type {object} */ ({ max: CONNECTIONS, Client: NoClient, idleTimeoutMillis: 0 }),
  );
  return Promise.resolve({ take: () => pool.connect(), close: () => pool.end() });
}

await compareQueries("pg", openBare, openCorio);
await compareHandOver("pg", openWithoutServer);
