// One measurement in a process of its own: node child.mjs JOB, where JOB is JSON. Prints the result as JSON.

/**
 * A workload of one peer, once. What it returns is the seconds that count when it is a number; otherwise all of it counts.
 *
 * @callback RunWorkload
 * @param {import("./workloads.mjs").Parameters} parameters
 * @param {() => void} parked to be called when the tasks of a memory workload are parked
 * @returns {unknown}
 *
 * @typedef {Record<string, RunWorkload>} PeerModule
 *
 * @typedef {object} Job
 * @property {string} peer
 * @property {string} workload
 * @property {"speed" | "memory" | "scaling"} kind
 * @property {readonly { parameters: import("./workloads.mjs").Parameters, operations: number }[]} points
 * @property {number} seconds how long to repeat each point
 *
 * @typedef {object} Measurement
 * @property {number} operations of one repetition
 * @property {number} seconds of the median repetition
 * @property {number} cpuSeconds of that repetition
 *
 * @typedef {{ heapBytes: number | null, rssBytes: number }} MemoryMeasurement for each operation; Python has no heap to look at
 * @typedef {{ points: Measurement[] } | { memory: MemoryMeasurement }} Output
 */
import process from "node:process";
import { collectGarbage } from "./lib/collect-garbage.mjs";
import { timed } from "./lib/timed.mjs";

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? "{}");
/** @type {{ workloads: PeerModule }} */
const { workloads } = await import(`./peers/${job.peer}.mjs`);
const runWorkload = workloads[job.workload];
if (runWorkload === undefined) throw new Error(`${job.peer} has no workload ${job.workload}`);

if (job.kind === "memory") await measureMemory(runWorkload);
else report({ points: await measurePoints(runWorkload) });

/** @param {Output} output @returns {never} */
function report(output) {
  console.log(JSON.stringify(output));
  // Whatever is still parked is left behind.
  process.exit(0);
}

/** @param {RunWorkload} run */
async function measurePoints(run) {
  const [first] = job.points;
  if (first !== undefined) await warmUp(() => time(run, first));
  const results = [];
  for (const point of job.points) results.push(await repeat(() => time(run, point)));
  return results;
}

/** The first point only: after it the code of the others is compiled as well. @param {() => Promise<Measurement>} timeOnce */
async function warmUp(timeOnce) {
  let seconds = 0;
  do seconds += (await timeOnce()).seconds;
  while (seconds < job.seconds / 2);
}

/** @param {() => Promise<Measurement>} timeOnce @returns {Promise<Measurement>} */
async function repeat(timeOnce) {
  const repetitions = [];
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000;
  do repetitions.push(await timeOnce());
  while (
    // Two at least, except where one takes long.
    elapsed() < job.seconds ||
    (repetitions.length < 2 && elapsed() < 2 * job.seconds)
  );
  repetitions.sort((one, other) => one.seconds - other.seconds);
  return /** @type {Measurement} */ (repetitions[Math.floor((repetitions.length - 1) / 2)]);
}

/**
 * @param {RunWorkload} run
 * @param {Job["points"][number]} point
 * @returns {Promise<Measurement>}
 */
async function time(run, { parameters, operations }) {
  const { value, seconds, cpuSeconds } = await timed(() =>
    run(parameters, () => {
      // Only memory workloads park.
    }),
  );
  return { operations, seconds: typeof value === "number" ? value : seconds, cpuSeconds };
}

/** @param {RunWorkload} run */
async function measureMemory(run) {
  const [point] = job.points;
  if (point === undefined) throw new Error("a memory job has one point");
  // A few tasks first, so that neither the code nor the loop's own objects count.
  await run({ ...point.parameters, tasks: 1000 }, () => {
    // They end with the program.
  });
  const before = memoryNow();
  await run(point.parameters, () => {
    const after = memoryNow();
    report({
      memory: {
        heapBytes: (after.heap - before.heap) / point.operations,
        rssBytes: (after.rss - before.rss) / point.operations,
      },
    });
  });
}

function memoryNow() {
  // What the first one finalizes goes with the next.
  for (let i = 0; i < 3; i++) collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss };
}
