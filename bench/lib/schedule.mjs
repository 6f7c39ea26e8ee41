import { peerOf } from "../peers.mjs";
import { WORKLOADS } from "../workloads.mjs";
import { PYTHON } from "./runtimes.mjs";

/**
 * @typedef {object} Planned
 * @property {number} round
 * @property {import("../workloads.mjs").Workload} workload
 * @property {string} peer
 * @property {string} runtime
 * @property {import("../child.mjs").Job} job
 */

/**
 * The order of the measurements: what is compared is measured one after the other, so that the machine's moods meet
 * all alike, and everything once before anything twice.
 *
 * @param {import("./options.mjs").Options} options
 * @param {readonly string[]} runtimes
 * @param {readonly string[]} peers
 * @returns {Planned[]}
 */
export function planRun(options, runtimes, peers) {
  const workloads = WORKLOADS.filter(({ id }) => options.workloads.includes(id));
  return Array.from({ length: options.rounds }, (_, round) =>
    workloads
      // The size of an object does not depend on how busy the machine is: once is enough.
      .filter(({ kind }) => kind !== "memory" || round === 0)
      .flatMap((workload) => {
        const measured = peers.filter((peer) => workload.peers[peer] !== undefined);
        const hosted = measured.filter((peer) => peerOf(peer).runtime === undefined);
        const others = measured.filter((peer) => peerOf(peer).runtime !== undefined);
        return [
          ...runtimes.flatMap((runtime) => rotate(hosted, round).map((peer) => ({ peer, runtime }))),
          ...others.map((peer) => ({ peer, runtime: PYTHON.id })),
        ].map(({ peer, runtime }) => ({
          round,
          workload,
          peer,
          runtime,
          job: jobFor(workload, peer, options.quick),
        }));
      }),
  ).flat();
}

/**
 * @param {import("../workloads.mjs").Workload} workload
 * @param {string} peer
 * @param {boolean} quick
 * @returns {import("../child.mjs").Job}
 */
function jobFor(workload, peer, quick) {
  const points = (quick ? workload.quickPoints : undefined) ?? workload.points;
  return {
    peer,
    workload: workload.id,
    kind: workload.kind,
    points: points.map((point) => {
      const parameters = /** @type {import("../workloads.mjs").Parameters} */ ({
        ...point,
        ...workload.peers[peer],
      });
      return { parameters, operations: workload.operations(parameters) };
    }),
    seconds: quick ? 0.1 : 0.3,
  };
}

/** Nobody always follows the same neighbour. @param {readonly string[]} peers @param {number} by */
function rotate(peers, by) {
  const start = by % Math.max(peers.length, 1);
  return [...peers.slice(start), ...peers.slice(0, start)];
}
