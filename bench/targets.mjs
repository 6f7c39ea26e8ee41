// What corio promises, and whether this run bears it out.
import { comparisonsOf } from "./lib/comparisons.mjs";
import { formatBytes, formatCost, formatCount, formatRate, formatRatio } from "./lib/format.mjs";
import { peerOf } from "./peers.mjs";
import { WORKLOADS } from "./workloads.mjs";

/**
 * @typedef {object} Check
 * @property {"met" | "missed" | "not measured"} state
 * @property {string} target
 * @property {string} evidence
 *
 * @typedef {import("./lib/results.mjs").Results} Results
 */

/**
 * A cost that grows no more than this over three orders of magnitude is flat, and so is one that grows no more than
 * that of native promises: what lives longer than a scavenge is moved, for every library alike.
 */
const FLAT = 2;

/** @param {Results} results @param {string} runtime @returns {Check[]} */
export function checkTargets(results, runtime) {
  return [
    ...["effect", "effection", "p-limit", "p-queue", "asyncio"].map((peer) =>
      beatsPeer(results, runtime, peer),
    ),
    atLeast(results, runtime, "yields at least as fast as one setImmediate each", 1, "corio-async", "b", {
      native: "bi",
      floor: "bf",
    }),
    atLeast(
      results,
      runtime,
      "queue of 100 within 1.3× of hand-written promises",
      1 / 1.3,
      "corio-async",
      "c100",
      { floor: "cl" },
    ),
    atLeast(results, runtime, "nested helpers within 1.3× of native calls", 1 / 1.3, "corio-async", "g"),
    atLeast(
      results,
      runtime,
      "sleeping tasks within 1.7× of setTimeout promises",
      1 / 1.7,
      "corio-async",
      "s",
      { floor: "sf" },
    ),
    spawnRate(results, runtime),
    atLeast(results, runtime, "generators: yields faster than `await null`", 1, "corio-generator", "b", {
      floor: "bg",
    }),
    flat(results, runtime, "resume", "corio-generator"),
    flat(results, runtime, "resume", "corio-async"),
    ...["h1", "h2"].flatMap((workload) => [
      smallerThan(results, runtime, workload, "corio-async", 1300),
      smallerThan(results, runtime, workload, "corio-generator", 500),
    ]),
    ...["scale-spawn", "scale-timers", "scale-cancel"].flatMap((workload) => [
      flat(results, runtime, workload, "corio-async"),
      flat(results, runtime, workload, "corio-generator"),
    ]),
  ];
}

/** @param {string} target @param {boolean | undefined} met @param {string} evidence @returns {Check} */
function check(target, met, evidence) {
  if (met === undefined) return { state: "not measured", target, evidence: "" };
  return { state: met ? "met" : "missed", target, evidence };
}

/** @param {Results} results @param {string} runtime @param {string} peer */
function beatsPeer(results, runtime, peer) {
  const target = `plain async faster than ${peerOf(peer).label} on every workload`;
  const comparisons = comparisonsOf(results).filter(
    (each) =>
      each.runtime === runtime &&
      each.corio === "corio-async" &&
      each.peer === peer &&
      each.workload.kind === "speed" &&
      each.workload.variantOf === undefined,
  );
  if (comparisons.length === 0) return check(target, undefined, "");
  const told = comparisons.map(({ workload, speedup }) => `${workload.id} ${formatRatio(speedup)}`);
  return check(
    target,
    comparisons.every(({ speedup }) => speedup > 1),
    told.join(", "),
  );
}

/**
 * @param {Results} results
 * @param {string} runtime
 * @param {string} target
 * @param {number} least
 * @param {string} corio
 * @param {string} workload
 * @param {{ native?: string, floor?: string }} [others] the workload of native promises, by default the same; the one that shows what it takes at least
 */
function atLeast(results, runtime, target, least, corio, workload, { native = workload, floor = "" } = {}) {
  const mine = { workload, peer: corio };
  const theirs = { workload: native, peer: "native" };
  const speedup = results.speedup(mine, theirs, runtime);
  const byCpu = results.speedup(mine, theirs, runtime, "cpu");
  if (speedup === undefined || byCpu === undefined) return check(target, undefined, "");
  const [rate, nativeRate] = [mine, theirs].map(({ workload: id, peer }) =>
    formatRate(results.value(id, peer, runtime) ?? NaN),
  );
  const evidence = `${rate} against ${nativeRate}, ${formatRatio(1 / speedup)} the time, ${formatRatio(1 / byCpu)} the CPU time`;
  const floorSpeedup = results.speedup({ workload: floor, peer: "native" }, theirs, runtime);
  const atLeastText =
    floorSpeedup === undefined
      ? ""
      : `; what it takes at least (${floor}): ${formatRatio(1 / floorSpeedup)} the time`;
  return check(target, speedup >= least, evidence + atLeastText);
}

/** @param {Results} results @param {string} runtime */
function spawnRate(results, runtime) {
  const cost = results.value("a", "corio-generator", runtime);
  const target = "generators: spawn and join more than 1M tasks a second";
  return check(target, cost === undefined ? undefined : cost < 1000, formatRate(cost ?? NaN));
}

/** @param {Results} results @param {string} runtime @param {string} workload @param {string} peer @param {number} most bytes */
function smallerThan(results, runtime, workload, peer, most) {
  const where = workload === "h1" ? "on a timer" : "on a future";
  const target = `${peerOf(peer).label}: at most ${formatBytes(most)} of heap for a task parked ${where}`;
  const bytes = results.value(workload, peer, runtime, { quantity: "heap" });
  return check(target, bytes === undefined ? undefined : bytes <= most, formatBytes(bytes ?? NaN));
}

/** @param {Results} results @param {string} runtime @param {string} workload @param {string} peer */
function flat(results, runtime, workload, peer) {
  const { title = "", byCpu } = WORKLOADS.find(({ id }) => id === workload) ?? {};
  const target = `${peerOf(peer).label}, ${title}: flat`;
  const costs = costsByPoint(results, runtime, workload, peer, byCpu);
  const [first] = costs;
  if (first === undefined) return check(target, undefined, "");
  const growth = growthOf(costs);
  const nativeGrowth = growthOf(costsByPoint(results, runtime, workload, "native", byCpu));
  const told = costs.map(({ point, cost }) => `${formatCount(point)}: ${formatCost(cost)}`).join(", ");
  const compared = Number.isFinite(nativeGrowth) ? `, native promises ${formatRatio(nativeGrowth)}` : "";
  return check(
    target,
    growth <= FLAT || growth <= nativeGrowth,
    `${told}; grows ${formatRatio(growth)}${compared}`,
  );
}

/** @param {Results} results @param {string} runtime @param {string} workload @param {string} peer @param {boolean | undefined} byCpu */
function costsByPoint(results, runtime, workload, peer, byCpu) {
  const quantity = byCpu === true ? "cpu" : "wall";
  return results.points(workload, peer, runtime).map((point) => ({
    point,
    cost: results.value(workload, peer, runtime, { quantity, point }) ?? NaN,
  }));
}

/** The dearest point against the first; NaN when there is none. @param {readonly { cost: number }[]} costs */
function growthOf(costs) {
  return Math.max(...costs.map(({ cost }) => cost)) / (costs[0]?.cost ?? NaN);
}
