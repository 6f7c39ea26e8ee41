import { PEERS, isCorio } from "../peers.mjs";
import { WORKLOADS } from "../workloads.mjs";

/**
 * @typedef {object} Comparison
 * @property {import("../workloads.mjs").Workload} workload
 * @property {string} runtime
 * @property {string} corio which of its two forms
 * @property {string} peer
 * @property {import("../workloads.mjs").Workload} against the workload of the peer: its own, or that of which it is a variant
 * @property {number} speedup how many times as fast corio is; for memory, how many times as small
 */

/** Every comparison of corio with a peer in the run. @param {import("./results.mjs").Results} results @returns {Comparison[]} */
export function comparisonsOf(results) {
  /** @type {Comparison[]} */
  const comparisons = [];
  for (const runtime of results.data.runtimes) {
    for (const workload of WORKLOADS) {
      if (workload.kind === "scaling") continue;
      for (const corio of PEERS.filter(({ id }) => isCorio(id))) {
        for (const peer of PEERS.filter(({ id }) => !isCorio(id))) {
          // A variant of corio's meets the peers in the workload itself, and a variant of theirs the other way round.
          for (const [mine, theirs] of pairsFor(workload, corio.id, peer.id)) {
            const speedup = results.speedup(
              { workload: mine.id, peer: corio.id },
              { workload: theirs.id, peer: peer.id },
              runtime,
              workload.kind === "memory" ? quantityFor(peer.id) : "wall",
            );
            if (speedup === undefined) continue;
            comparisons.push({
              workload: mine,
              runtime,
              corio: corio.id,
              peer: peer.id,
              against: theirs,
              speedup,
            });
          }
        }
      }
    }
  }
  return comparisons;
}

/** CPython's heap is not known: what the process holds is compared. @param {string} peer */
export const quantityFor = (peer) => (peer === "asyncio" ? "rss" : "heap");

/**
 * @param {import("../workloads.mjs").Workload} workload
 * @param {string} corio
 * @param {string} peer
 * @returns {[mine: import("../workloads.mjs").Workload, theirs: import("../workloads.mjs").Workload][]}
 */
function pairsFor(workload, corio, peer) {
  const base = WORKLOADS.find(({ id }) => id === workload.variantOf);
  if (base === undefined) return [[workload, workload]];
  if (workload.peers[corio] !== undefined) return [[workload, base]];
  return workload.peers[peer] !== undefined ? [[base, workload]] : [];
}
