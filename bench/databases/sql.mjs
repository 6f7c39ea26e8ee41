// What is measured of both SQL databases.
import { run } from "corio";
import { Pool } from "corio/pool";
import { asPromises, asTasks, compare, measure, measureShared, quick } from "./compare.mjs";

export const CONNECTIONS = 10;
const QUERIES = quick ? 5_000 : 20_000;
const TASKS = 50;
const WAITERS = 1_000;
const HAND_OVERS = quick ? 100_000 : 500_000;

/**
 * What one side has: the mix is mostly a value by a parameter, now and then some rows, or a transaction of two
 * statements.
 *
 * @typedef {object} Client
 * @property {(n: number) => PromiseLike<unknown>} value
 * @property {(n: number) => PromiseLike<unknown>} rows
 * @property {(n: number) => PromiseLike<unknown>} transaction
 * @property {() => PromiseLike<unknown>} close
 */

/**
 * @param {string} driver
 * @param {() => Promise<Client>} openBare
 * @param {() => Promise<Client>} openCorio
 */
export async function compareQueries(driver, openBare, openCorio) {
  await compare(
    `queries: ${QUERIES}, ${TASKS} tasks, ${CONNECTIONS} connections; 70% one value, 20% twenty rows, 10% a transaction`,
    driver,
    () => measureQueries(openBare, asPromises),
    () => run(() => measureQueries(openCorio, asTasks)),
  );
}

/** @param {() => Promise<Client>} open @param {import("./compare.mjs").Together} together */
async function measureQueries(open, together) {
  const client = await open();
  const sample = await measureShared(together, TASKS, QUERIES, (n) => {
    if (n % 10 < 7) return client.value(n);
    return n % 10 < 9 ? client.rows(n % 5) : client.transaction(n);
  });
  await client.close();
  return sample;
}

/**
 * How fast a pool goes from hand to hand: the connections are never used.
 *
 * @typedef {object} BarePool
 * @property {() => PromiseLike<{ release(): void }>} take
 * @property {() => PromiseLike<unknown>} close
 *
 * @param {string} driver
 * @param {() => Promise<BarePool>} openBare a pool of the driver's, of `CONNECTIONS`
 */
export async function compareHandOver(driver, openBare) {
  /** @param {() => Promise<void>} taker @param {import("./compare.mjs").Together} together */
  const measureTakers = (taker, together) =>
    measure(HAND_OVERS, () => together(Array.from({ length: WAITERS }, () => taker)));
  await compare(
    `hand-over: ${HAND_OVERS} times, ${WAITERS} tasks wait for ${CONNECTIONS} resources`,
    driver,
    async () => {
      const pool = await openBare();
      let left = HAND_OVERS;
      const taker = async () => {
        while (left-- > 0) (await pool.take()).release();
      };
      const sample = await measureTakers(taker, asPromises);
      await pool.close();
      return sample;
    },
    () =>
      run(async () => {
        const pool = new Pool({ create: () => ({}), destroy: () => undefined, maxSize: CONNECTIONS });
        let left = HAND_OVERS;
        const taker = async () => {
          while (left-- > 0) await (await pool.acquire()).release();
        };
        return await measureTakers(taker, asTasks);
      }),
  );
}
