// A client of corio's beside the driver that it is built on: measured in turns, in one process.
import process from "node:process";
import { createTask, gather } from "corio";
import { interleave, medianOf, printTable, ratioOf } from "../lib/rounds.mjs";
import { timed } from "../lib/timed.mjs";

/** Few rounds, and fewer operations: shows that everything works. */
export const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 3 : 9;

/** @typedef {{ perSecond: number, cpuMicroseconds: number }} Sample the second for each operation */

/** @param {number} operations @param {() => PromiseLike<unknown>} work @returns {Promise<Sample>} */
export async function measure(operations, work) {
  const { seconds, cpuSeconds } = await timed(work);
  return { perSecond: operations / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / operations };
}

/** @typedef {(bodies: readonly (() => Promise<void>)[]) => PromiseLike<unknown>} Together runs functions at a time */

/** As promises. @type {Together} */
export const asPromises = (bodies) => Promise.all(bodies.map((body) => body()));

/** As tasks of corio; `gather` alone would run a function once that it is given twice. @type {Together} */
export const asTasks = (bodies) => gather(bodies.map((body) => createTask(body)));

/**
 * Measures operations that several share: each does the next one until there is none left.
 *
 * @param {Together} together
 * @param {number} tasks
 * @param {number} operations
 * @param {(n: number) => PromiseLike<unknown>} operate
 */
export function measureShared(together, tasks, operations, operate) {
  let next = 0;
  const worker = async () => {
    while (next < operations) await operate(next++);
  };
  return measure(operations, () => together(Array.from({ length: tasks }, () => worker)));
}

/**
 * Measures both in turns, and prints what they have shown.
 *
 * @param {string} title
 * @param {string} driver its name
 * @param {() => PromiseLike<Sample>} bare the driver by itself
 * @param {() => PromiseLike<Sample>} corio
 */
export async function compare(title, driver, bare, corio) {
  const samples = await interleave(ROUNDS, { bare, corio });
  const speed = (/** @type {Sample} */ { perSecond }) => perSecond;
  const cost = (/** @type {Sample} */ { cpuMicroseconds }) => cpuMicroseconds;
  const row = (/** @type {string} */ label, /** @type {Sample[]} */ of) => [
    label,
    `${Math.round(medianOf(of, speed))}/s`,
    `${medianOf(of, cost).toFixed(2)} µs CPU each`,
  ];
  printTable(title, [row(driver, samples.bare), row("corio", samples.corio)]);
  const throughput = ratioOf(samples.corio, samples.bare, speed).toFixed(2);
  const cpu = ratioOf(samples.corio, samples.bare, cost).toFixed(2);
  console.log(`  corio/${driver}: ${throughput} of the throughput, ${cpu} of the CPU time`);
}
