// node bench/databases/postgres.mjs [--quick]: @corio/postgres beside the pool of pg itself, in one run, interleaved:
// the same mix of queries, throughput and this process's CPU time for each; and how fast a pool goes from hand to hand.
// Part of `npm run bench`. Needs a PostgreSQL on 127.0.0.1:5432 (user postgres, database test).
import process from "node:process";
import { gather, run } from "corio";
import { Pool } from "corio/pool";
import { createPool } from "@corio/postgres";
import pg from "pg";

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 3 : 9;
const QUERIES = quick ? 5_000 : 20_000;
const CONNECTIONS = 10;
const TASKS = 50;
const WAITERS = 1_000;
const HAND_OVERS = quick ? 100_000 : 500_000;

const server = { host: "127.0.0.1", port: 5432, user: "postgres", database: "test" };

/**
 * The mix: mostly a value by a parameter, now and then some rows, or a transaction of two statements.
 *
 * @typedef {object} Client
 * @property {(n: number) => PromiseLike<unknown>} value
 * @property {(n: number) => PromiseLike<unknown>} rows
 * @property {(n: number) => PromiseLike<unknown>} transaction
 */
const VALUE = "SELECT $1::int + 1 AS n";
const ROWS = "SELECT g, 'row ' || g AS name FROM generate_series(1, 20) g WHERE g > $1";

/** @param {Client} client @param {number} n */
function query(client, n) {
  if (n % 10 < 7) return client.value(n);
  return n % 10 < 9 ? client.rows(n % 5) : client.transaction(n);
}

/** @param {Client} client */
async function worker(client) {
  while (next < QUERIES) await query(client, next++);
}
let next = 0;

/** @typedef {{ perSecond: number, cpuMicroseconds: number }} Sample */

/** @param {number} operations @param {() => PromiseLike<unknown>} work @returns {Promise<Sample>} */
async function measure(operations, work) {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await work();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: operations / seconds, cpuMicroseconds: (user + system) / operations };
}

async function bareQueries() {
  const pool = new pg.Pool({ ...server, max: CONNECTIONS });
  /** @type {Client} */
  const client = {
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
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.query("SELECT 1")));
  next = 0;
  const sample = await measure(QUERIES, () =>
    Promise.all(Array.from({ length: TASKS }, () => worker(client))),
  );
  await pool.end();
  return sample;
}

function corioQueries() {
  return run(async () => {
    const pool = createPool({ ...server, maxSize: CONNECTIONS, minSize: CONNECTIONS });
    await pool.open();
    /** @type {Client} */
    const client = {
      value: (n) => pool.query(VALUE, [n]),
      rows: (n) => pool.query(ROWS, [n]),
      transaction: (n) => pool.transaction((connection) => connection.query(VALUE, [n])),
    };
    next = 0;
    const sample = await measure(QUERIES, () => {
      return gather(Array.from({ length: TASKS }, () => () => worker(client)));
    });
    await pool.close();
    return sample;
  });
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

async function bareHandOver() {
  const pool = new pg.Pool(
    /** @type {object} */ ({ max: CONNECTIONS, Client: NoClient, idleTimeoutMillis: 0 }),
  );
  let left = HAND_OVERS;
  const taker = async () => {
    while (left-- > 0) (await pool.connect()).release();
  };
  return await measure(HAND_OVERS, () => Promise.all(Array.from({ length: WAITERS }, taker)));
}

function corioHandOver() {
  return run(async () => {
    const pool = new Pool({ create: () => ({}), destroy: () => undefined, maxSize: CONNECTIONS });
    let left = HAND_OVERS;
    const taker = async () => {
      while (left-- > 0) await (await pool.acquire()).release();
    };
    return await measure(HAND_OVERS, () => gather(Array.from({ length: WAITERS }, () => taker)));
  });
}

/** @param {readonly number[]} numbers */
function median(numbers) {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? NaN;
}

/** @param {string} title @param {() => Promise<Sample>} bare @param {() => Promise<Sample>} corio */
async function compare(title, bare, corio) {
  /** @type {{ bare: Sample, corio: Sample }[]} */
  const rounds = [];
  await bare();
  await corio();
  for (let round = 0; round < ROUNDS; round++) rounds.push({ bare: await bare(), corio: await corio() });
  console.log(`\n${title}`);
  for (const name of /** @type {const} */ (["bare", "corio"])) {
    const perSecond = median(rounds.map((round) => round[name].perSecond));
    const cpu = median(rounds.map((round) => round[name].cpuMicroseconds));
    const label = name === "bare" ? "pg" : "corio";
    console.log(
      `  ${label.padEnd(6)} ${Math.round(perSecond).toString().padStart(9)}/s  ${cpu.toFixed(2).padStart(7)} µs CPU each`,
    );
  }
  const speed = median(rounds.map((round) => round.corio.perSecond / round.bare.perSecond));
  const cost = median(rounds.map((round) => round.corio.cpuMicroseconds / round.bare.cpuMicroseconds));
  console.log(`  corio/pg: ${speed.toFixed(2)} of the throughput, ${cost.toFixed(2)} of the CPU time`);
}

await compare(
  `queries: ${QUERIES}, ${TASKS} tasks, ${CONNECTIONS} connections; 70% one value, 20% twenty rows, 10% a transaction`,
  bareQueries,
  corioQueries,
);
await compare(
  `hand-over: ${HAND_OVERS} times, ${WAITERS} tasks wait for ${CONNECTIONS} resources`,
  bareHandOver,
  corioHandOver,
);
