// node bench/http/soak.mjs [--minutes 5 | --requests N] [--connections 200] [--url postgres://…]: clients of a service
// that has a pool of PostgreSQL connections; a third of their connections are closed at random moments. At the end the
// heap must be as it was, no task must be left, and the pool full. Prints figures; exits with 1 when it is not so.
import { spawn } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { inRoot } from "../../scripts/lib/paths.mjs";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    requests: { type: "string" },
    connections: { type: "string", default: "200" },
    url: { type: "string", default: "postgres://postgres@127.0.0.1/test" },
  },
});
const CONNECTIONS = Number(values.connections);
const SAMPLES = values.requests === undefined ? 20 : 4;
/** How much the heap may have grown between the second quarter of the time and the last, in bytes. */
const GROWTH = 2_000_000;

const requests = values.requests === undefined ? Infinity : Number(values.requests);
const seconds = values.requests === undefined ? Number(values.minutes) * 60 : Infinity;
if (!(requests > 0) || !(seconds > 0)) throw new Error("--minutes and --requests take a positive number");

/**
 * @typedef {object} Figures
 * @property {number} heap
 * @property {number} tasks those that were not there at the beginning
 * @property {{ size: number, idle: number, leased: number, tasksWaiting: number }} pool
 * @property {number} begun
 * @property {number} ended
 * @property {number} connections
 * @property {number} disconnected
 * @property {number} requests
 */

const args = [...process.execArgv, "--expose-gc", inRoot("bench/http/soak-server.mjs"), values.url];
const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
const exited = new Promise((resolve) => child.once("close", resolve));
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

async function line() {
  const { value } = await lines.next();
  if (typeof value !== "string") throw new Error("the server has ended");
  return value;
}

/** @returns {Promise<Figures>} */
async function figures() {
  child.stdin.write("figures\n");
  /** @type {Figures} */
  const found = JSON.parse(await line());
  return found;
}

const port = Number(await line());
const begin = performance.now();
let sent = 0;
let answered = 0;
let left = 0;
let failed = 0;

/** How much is done, from 0 to 1. */
function progress() {
  return Math.max(sent / requests, (performance.now() - begin) / 1000 / seconds);
}

const REQUESTS = [
  "GET /query HTTP/1.1\r\nHost: test\r\n\r\n",
  "POST /query HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\na body",
  "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n",
  "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n",
];

/** One connection: some requests, one after another; a third of them ends with a client that leaves. @returns {Promise<void>} */
function visit() {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const leaves = Math.random() < 1 / 3;
    let count = 1 + Math.floor(Math.random() * 5);
    let text = "";
    const ask = () => {
      text = "";
      sent++;
      socket.write(REQUESTS[Math.floor(Math.random() * REQUESTS.length)] ?? "");
      if (leaves && count === 1) {
        setTimeout(() => {
          if (!socket.destroyed) {
            left++;
            socket.destroy();
          }
        }, Math.random() * 60);
      }
    };
    socket.setEncoding("latin1");
    // The last request may have been sent while it connected.
    socket.on("connect", () => {
      if (progress() < 1) ask();
      else socket.end();
    });
    socket.on("data", (data) => {
      text += String(data);
      if (!/done(\r\n0\r\n\r\n)?$/.test(text)) return;
      answered++;
      if (--count > 0 && progress() < 1) ask();
      else socket.end();
    });
    socket.on("error", () => failed++);
    socket.on("close", () => resolve());
  });
}

async function visitor() {
  while (progress() < 1) await visit();
}

/** @type {Figures[]} */
const samples = [];
const loading = Promise.all(Array.from({ length: CONNECTIONS }, visitor)).then(() => true);
for (let number = 1; number <= SAMPLES; number++) {
  while (progress() < number / SAMPLES) {
    const isOver = await Promise.race([loading, new Promise((resolve) => setTimeout(resolve, 20, false))]);
    if (isOver === true) break;
  }
  const sample = await figures();
  samples.push(sample);
  const elapsed = ((performance.now() - begin) / 1000).toFixed(0).padStart(4);
  console.log(
    `${elapsed} s  ${String(sent).padStart(7)} sent  ${String(answered).padStart(7)} answered  ${String(left).padStart(6)} left` +
      `  heap ${(sample.heap / 1e6).toFixed(2)} MB  ${sample.tasks} tasks  pool ${sample.pool.leased} in use, ${sample.pool.tasksWaiting} waiting`,
  );
}
await loading;
let last = await figures();
// Whoever has left last is still being cleaned up after, and gives its connection back to the pool.
for (let turn = 0; turn < 100 && !isAtRest(last); turn++) last = await figures();
child.stdin.end();
await exited;

/** @param {Figures} figures */
function isAtRest({ tasks, connections, pool: { size, idle } }) {
  return tasks === 0 && connections === 0 && idle === size;
}

/** @param {number} from @param {number} to */
function heapBetween(from, to) {
  const heaps = samples.slice(SAMPLES * from, SAMPLES * to).map(({ heap }) => heap);
  return Math.min(...heaps);
}
const growth = heapBetween(0.75, 1) - heapBetween(0.25, 0.5);
const { size, idle, tasksWaiting: waiting } = last.pool;
const faults = [
  growth > GROWTH && `the heap has grown by ${(growth / 1e6).toFixed(2)} MB`,
  last.tasks !== 0 && `${last.tasks} tasks are left`,
  last.begun !== last.ended && `${last.begun - last.ended} handlers have not ended`,
  last.connections !== 0 && `${last.connections} connections are left`,
  (idle !== size || size === 0 || waiting !== 0) && `the pool has ${idle} of ${size}, and ${waiting} wait`,
  last.disconnected === 0 && "nobody has left",
  failed !== 0 && `${failed} connections failed`,
  child.exitCode !== 0 && `the server has ended with ${String(child.exitCode)}`,
].filter((fault) => fault !== false);
console.log(
  `${sent} requests in ${((performance.now() - begin) / 1000).toFixed(0)} s, ${last.disconnected} handlers cancelled;` +
    ` heap ${growth < 0 ? "" : "+"}${(growth / 1e6).toFixed(2)} MB, tasks ${last.tasks}, pool ${idle} of ${size}`,
);
for (const fault of faults) console.log(`FAILED: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
