// node bench/databases/redis.mjs [--quick]: @corio/redis beside the client of redis itself, in one run, interleaved: the
// same mix of commands, throughput and this process's CPU time for each; and elements that go from hand to hand through
// BLPOP. Part of `npm run bench`. Needs a Redis on 127.0.0.1:6379 without a password.
import { run } from "corio";
import { createClient } from "@corio/redis";
import { createClient as createBareClient, createClientPool } from "redis";
import { asPromises, asTasks, compare, measure, measureShared, quick } from "./compare.mjs";

const COMMANDS = quick ? 20_000 : 100_000;
const TASKS = 50;
const TAKEN = quick ? 2_000 : 10_000;
const TAKERS = 10;

const url = "redis://127.0.0.1";
const KEY = "corio:bench:text";
const HASH = "corio:bench:hash";
const LIST = "corio:bench:list";

/**
 * The mix: mostly a GET or SET, now and then a hash, or three commands as a transaction.
 *
 * @typedef {object} Client
 * @property {() => PromiseLike<unknown>} get
 * @property {(n: number) => PromiseLike<unknown>} set
 * @property {() => PromiseLike<unknown>} hash
 * @property {(n: number) => PromiseLike<unknown>} transaction
 */

/** @param {Client} client @param {import("./compare.mjs").Together} together */
function measureCommands(client, together) {
  return measureShared(together, TASKS, COMMANDS, (n) => {
    const kind = n % 10;
    if (kind < 5) return client.get();
    if (kind < 8) return client.set(n);
    return kind < 9 ? client.hash() : client.transaction(n);
  });
}

async function bareCommands() {
  const redis = createBareClient({ url });
  await redis.connect();
  await redis.hSet(HASH, { a: "1", b: "2", c: "3" });
  /** @type {Client} */
  const client = {
    get: () => redis.get(KEY),
    set: (n) => redis.set(KEY, String(n)),
    hash: () => redis.hGetAll(HASH),
    transaction: (n) => redis.multi().set(KEY, String(n)).get(KEY).hGetAll(HASH).exec(),
  };
  const sample = await measureCommands(client, asPromises);
  await redis.close();
  return sample;
}

function corioCommands() {
  return run(async () => {
    const redis = createClient(url);
    await redis.hSet(HASH, { a: "1", b: "2", c: "3" });
    /** @type {Client} */
    const client = {
      get: () => redis.get(KEY),
      set: (n) => redis.set(KEY, String(n)),
      hash: () => redis.hGetAll(HASH),
      transaction: (n) => redis.multi((batch) => batch.set(KEY, String(n)).get(KEY).hGetAll(HASH)),
    };
    const sample = await measureCommands(client, asTasks);
    await redis.close();
    return sample;
  });
}

async function bareTakes() {
  const pool = createClientPool({ url }, { minimum: TAKERS, maximum: TAKERS });
  await pool.connect();
  const pusher = createBareClient({ url });
  await pusher.connect();
  let left = TAKEN;
  const taker = async () => {
    while (left-- > 0) await pool.execute((client) => client.blPop(LIST, 0));
  };
  const sample = await measure(TAKEN, async () => {
    const takers = Promise.all(Array.from({ length: TAKERS }, taker));
    for (let n = 0; n < TAKEN; n++) await pusher.rPush(LIST, String(n));
    await takers;
  });
  pusher.destroy();
  pool.destroy();
  return sample;
}

function corioTakes() {
  return run(async () => {
    const redis = createClient({ url, minSize: TAKERS, maxSize: TAKERS });
    await redis.open();
    let left = TAKEN;
    const taker = async () => {
      while (left-- > 0) await redis.blPop(LIST, 0);
    };
    const pusher = async () => {
      for (let n = 0; n < TAKEN; n++) await redis.rPush(LIST, String(n));
    };
    const sample = await measure(TAKEN, () =>
      asTasks([...Array.from({ length: TAKERS }, () => taker), pusher]),
    );
    await redis.close();
    return sample;
  });
}

await compare(
  `commands: ${COMMANDS}, ${TASKS} tasks, one connection; 50% GET, 30% SET, 10% HGETALL, 10% MULTI of three`,
  "redis",
  bareCommands,
  corioCommands,
);
await compare(`BLPOP: ${TAKEN} elements, ${TAKERS} tasks that take them`, "redis", bareTakes, corioTakes);

const cleaner = createBareClient({ url });
await cleaner.connect();
await cleaner.del([KEY, HASH, LIST]);
cleaner.destroy();
