import { peerOf } from "../peers.mjs";
import { checkTargets } from "../targets.mjs";
import { comparisonsOf } from "./comparisons.mjs";
import { formatRatio } from "./format.mjs";

/** @typedef {import("./comparisons.mjs").Comparison} Comparison */

/** Prints what a run has shown: ratios, losses, failures, targets. @param {import("./results.mjs").Results} results */
export function printSummary(results) {
  const comparisons = comparisonsOf(results);
  printRatios(results, comparisons);

  const losses = comparisons.filter(({ speedup }) => speedup < 1);
  printList(`Losses: ${losses.length} of ${comparisons.length} comparisons`, describeLosses(losses));

  const { failures } = results.data;
  if (failures.length > 0) {
    const told = failures.map(
      ({ runtime, workload, peer, round, reason }) =>
        `${runtime}: ${workload}, ${peerOf(peer).label}, round ${round + 1}: ${reason}`,
    );
    printList(`Failed: ${failures.length} measurements`, told);
  }

  for (const runtime of results.data.runtimes) {
    const checks = checkTargets(results, runtime).filter(({ state }) => state !== "not measured");
    const told = checks.map(({ state, target, evidence }) => `${state.padEnd(6)} ${target}: ${evidence}`);
    const met = checks.filter(({ state }) => state === "met").length;
    printList(
      `Targets on ${runtime} ${results.data.versions[runtime] ?? ""}: ${met} of ${checks.length} measured ones met`,
      told,
    );
  }
}

/** @param {import("./results.mjs").Results} results @param {readonly Comparison[]} comparisons */
function printRatios({ data }, comparisons) {
  for (const runtime of data.runtimes) {
    const title = `On ${runtime} ${data.versions[runtime] ?? ""}, corio is … times as fast (h1, ho, h2: as small) as`;
    const own = comparisons.filter((comparison) => comparison.runtime === runtime);
    const rows = groupBy(
      own,
      ({ workload, corio }) => `${workload.id.padEnd(6)} ${peerOf(corio).label.padEnd(18)}`,
    );
    printList(
      title,
      rows.map(([row, group]) => `${row} ${tellPeers(group)}`),
    );
  }
}

/** One line for each workload and form of corio. @param {readonly Comparison[]} losses */
const describeLosses = (losses) =>
  groupBy(
    losses,
    ({ runtime, workload, corio }) =>
      `${runtime} ${workload.id}, ${workload.title}: ${peerOf(corio).label} against`,
  ).map(([row, group]) => `${row} ${tellPeers(group)}`);

/** @param {readonly Comparison[]} comparisons */
const tellPeers = (comparisons) =>
  comparisons
    .map(({ peer, against, workload, speedup }) => {
      const where = against === workload ? "" : ` (${against.id})`;
      return `${peerOf(peer).label}${where} ${formatRatio(speedup)}`;
    })
    .join(", ");

/** @param {readonly Comparison[]} comparisons @param {(comparison: Comparison) => string} keyOf */
function groupBy(comparisons, keyOf) {
  /** @type {Map<string, Comparison[]>} */
  const groups = new Map();
  for (const comparison of comparisons) {
    const group = groups.get(keyOf(comparison));
    if (group === undefined) groups.set(keyOf(comparison), [comparison]);
    else group.push(comparison);
  }
  return [...groups];
}

/** @param {string} title @param {readonly string[]} lines */
function printList(title, lines) {
  console.log(`\n${title}`);
  for (const line of lines) console.log(`  ${line}`);
}
