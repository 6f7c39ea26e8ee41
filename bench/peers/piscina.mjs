// piscina is a pool of threads; other workloads are not its business.
import { Piscina } from "piscina";

/**
 * @typedef {{ run(argument: number, options: object): Promise<number> }} Pool
 * @typedef {import("../workloads.mjs").Parameters} Parameters
 */

/** Started by the warm-up, as corio's are. @type {Map<number, Pool>} */
const pools = new Map();

/** @param {number} threads @returns {Pool} */
function poolOf(threads) {
  const started = pools.get(threads);
  if (started !== undefined) return started;
  const filename = new URL("thread-function.mjs", import.meta.url).href;
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads });
  pools.set(threads, pool);
  return pool;
}

const callInThreads = async (/** @type {Parameters} */ { threads, atOnce, calls }) => {
  const pool = poolOf(threads);
  for (let done = 0; done < calls; done += atOnce) {
    if (atOnce === 1) await pool.run(done, { name: "next" });
    else await Promise.all(Array.from({ length: atOnce }, (_, index) => pool.run(index, { name: "next" })));
  }
};

/** @type {import("../child.mjs").PeerModule} */
export const workloads = { t1: callInThreads, t100: callInThreads };
