// node bench/databases/mysql.mjs [--quick]: @corio/mysql beside the pool of mysql2 itself, in one run, interleaved: the
// same mix of queries, throughput and this process's CPU time for each; many rows as a stream; and how fast a pool goes
// from hand to hand. Part of `npm run bench`. Needs a MySQL or MariaDB on 127.0.0.1:3306 (user root, database test).
import process from "node:process";
import { gather, run } from "corio";
import { Pool } from "corio/pool";
import { connect, createPool } from "@corio/mysql";
import { createConnection } from "mysql2";
import mysql from "mysql2/promise";

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 3 : 9;
const QUERIES = quick ? 5_000 : 20_000;
const CONNECTIONS = 10;
const TASKS = 50;
const WAITERS = 1_000;
const STREAMED = quick ? 50_000 : 200_000;
const HAND_OVERS = quick ? 100_000 : 500_000;

const server = { host: "127.0.0.1", port: 3306, user: "root", database: "test" };

/**
 * The mix: mostly a value by a parameter, now and then some rows, or a transaction of two statements.
 *
 * @typedef {object} Client
 * @property {(n: number) => PromiseLike<unknown>} value
 * @property {(n: number) => PromiseLike<unknown>} rows
 * @property {(n: number) => PromiseLike<unknown>} transaction
 */
const VALUE = "SELECT ? + 1 AS n";
const ROWS = "SELECT seq, CONCAT('row ', seq) AS name FROM seq_1_to_20 WHERE seq > ?";

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

/** How mysql2 is used by itself: with the same treatment of large numbers. */
const bareOptions = { ...server, supportBigNumbers: true, connectionLimit: CONNECTIONS };

async function bareQueries() {
  const pool = mysql.createPool(bareOptions);
  /** @type {Client} */
  const client = {
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

const STREAM = `SELECT seq, 'a row of some length' AS name FROM seq_1_to_${STREAMED}`;

async function bareStream() {
  const connection = createConnection({ ...server, supportBigNumbers: true });
  const sample = await measure(STREAMED, async () => {
    let count = 0;
    for await (const row of connection.query(STREAM).stream()) count += row.seq > 0 ? 1 : 0;
    if (count !== STREAMED) throw new Error(`${count} rows`);
  });
  connection.end();
  return sample;
}

function corioStream() {
  return run(async () => {
    const connection = await connect(server);
    const sample = await measure(STREAMED, async () => {
      let count = 0;
      for await (const row of connection.stream(STREAM)) count += Number(row["seq"]) > 0 ? 1 : 0;
      if (count !== STREAMED) throw new Error(`${count} rows`);
    });
    await connection.close();
    return sample;
  });
}

async function bareHandOver() {
  // Connections that are never used: what is measured is the pool.
  const pool = mysql.createPool(bareOptions);
  await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.query("SELECT 1")));
  let left = HAND_OVERS;
  const taker = async () => {
    while (left-- > 0) (await pool.getConnection()).release();
  };
  const sample = await measure(HAND_OVERS, () => Promise.all(Array.from({ length: WAITERS }, taker)));
  await pool.end();
  return sample;
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
    const label = name === "bare" ? "mysql2" : "corio";
    console.log(
      `  ${label.padEnd(6)} ${Math.round(perSecond).toString().padStart(9)}/s  ${cpu.toFixed(2).padStart(7)} µs CPU each`,
    );
  }
  const speed = median(rounds.map((round) => round.corio.perSecond / round.bare.perSecond));
  const cost = median(rounds.map((round) => round.corio.cpuMicroseconds / round.bare.cpuMicroseconds));
  console.log(`  corio/mysql2: ${speed.toFixed(2)} of the throughput, ${cost.toFixed(2)} of the CPU time`);
}

await compare(
  `queries: ${QUERIES}, ${TASKS} tasks, ${CONNECTIONS} connections; 70% one value, 20% twenty rows, 10% a transaction`,
  bareQueries,
  corioQueries,
);
await compare(`rows: ${STREAMED}, streamed, one after the other`, bareStream, corioStream);
await compare(
  `hand-over: ${HAND_OVERS} times, ${WAITERS} tasks wait for ${CONNECTIONS} resources`,
  bareHandOver,
  corioHandOver,
);
