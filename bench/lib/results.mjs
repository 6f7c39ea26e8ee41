// The numbers of a run, and what follows from them.
import { median } from "./median.mjs";

/**
 * One number of one round. Speed and scaling: nanoseconds an operation; memory: bytes a task.
 *
 * @typedef {object} Sample
 * @property {string} workload
 * @property {string} peer
 * @property {string} runtime
 * @property {number} round
 * @property {number} point the value of the parameter by which the points are told apart, 0 when there is one
 * @property {number} wall
 * @property {number} cpu
 * @property {number | null} heap
 * @property {number} rss
 *
 * @typedef {object} Failure
 * @property {string} workload
 * @property {string} peer
 * @property {string} runtime
 * @property {number} round
 * @property {string} reason
 *
 * @typedef {object} RunData what .cache/bench/results.json holds
 * @property {string} date
 * @property {string} machine
 * @property {number} rounds
 * @property {boolean} quick
 * @property {readonly string[]} runtimes
 * @property {readonly string[]} peers
 * @property {Record<string, string>} versions
 * @property {Sample[]} samples
 * @property {Failure[]} failures
 *
 * @typedef {"wall" | "cpu" | "heap" | "rss"} Quantity
 */

export class Results {
  /** @readonly */
  data;

  /** @param {RunData} data */
  constructor(data) {
    this.data = data;
  }

  /**
   * @param {import("./schedule.mjs").Planned} planned
   * @param {import("../child.mjs").Output} output
   */
  add({ workload, peer, runtime, round, job }, output) {
    const origin = { workload: workload.id, peer, runtime, round };
    if ("memory" in output) {
      const { heapBytes, rssBytes } = output.memory;
      this.data.samples.push({ ...origin, point: 0, wall: 0, cpu: 0, heap: heapBytes, rss: rssBytes });
      return;
    }
    for (const [index, { operations, seconds, cpuSeconds }] of output.points.entries()) {
      const point =
        workload.pointName === undefined ? 0 : (job.points[index]?.parameters[workload.pointName] ?? 0);
      const wall = (seconds / operations) * 1e9;
      const cpu = (cpuSeconds / operations) * 1e9;
      this.data.samples.push({ ...origin, point, wall, cpu, heap: null, rss: 0 });
    }
  }

  /** @param {import("./schedule.mjs").Planned} planned @param {string} reason */
  addFailure({ workload, peer, runtime, round }, reason) {
    this.data.failures.push({ workload: workload.id, peer, runtime, round, reason });
  }

  /** @param {string} workload @param {string} peer @param {string} runtime one of a peer without its own */
  #samples(workload, peer, runtime) {
    const ownRuntime = peer === "asyncio" ? "python" : runtime;
    return this.data.samples.filter(
      (sample) => sample.workload === workload && sample.peer === peer && sample.runtime === ownRuntime,
    );
  }

  /**
   * The median over the rounds; undefined when it was not measured.
   *
   * @param {string} workload
   * @param {string} peer
   * @param {string} runtime
   * @param {{ quantity?: Quantity, point?: number }} [options]
   */
  value(workload, peer, runtime, { quantity = "wall", point = 0 } = {}) {
    const values = this.#samples(workload, peer, runtime)
      .filter((sample) => sample.point === point)
      .map((sample) => sample[quantity])
      .filter((value) => value !== null);
    return values.length === 0 ? undefined : median(values);
  }

  /** The points of a scaling workload that were measured. @param {string} workload @param {string} peer @param {string} runtime */
  points(workload, peer, runtime) {
    return [...new Set(this.#samples(workload, peer, runtime).map(({ point }) => point))];
  }

  /**
   * How many times as fast `subject` is as `peer`: the median of what the rounds say, since in a round both were
   * measured within seconds.
   *
   * @param {{ workload: string, peer: string }} subject
   * @param {{ workload: string, peer: string }} peer
   * @param {string} runtime
   * @param {Quantity} [quantity]
   */
  speedup(subject, peer, runtime, quantity = "wall") {
    const subjects = this.#samples(subject.workload, subject.peer, runtime);
    const peers = this.#samples(peer.workload, peer.peer, runtime);
    const ratios = subjects.flatMap((sample) => {
      const other = peers.find(({ round, point }) => round === sample.round && point === sample.point);
      const [mine, theirs] = [sample[quantity], other?.[quantity]];
      return mine === null || theirs === null || theirs === undefined ? [] : [theirs / mine];
    });
    return ratios.length === 0 ? undefined : median(ratios);
  }
}
