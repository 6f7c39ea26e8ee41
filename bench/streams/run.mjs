// node bench/streams/run.mjs [--quick] [--only frames,idle] [--runtime node24]: corio/streams beside plain node:net and,
// where there is a python3, asyncio (and uvloop, if it can be imported): echo servers, each in a process of its own, and
// the same client for all of them, in another. Part of `npm run bench`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { buildCorioIfStale } from "../../scripts/lib/build.mjs";
import { command } from "../../scripts/lib/command.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { formatBytes, formatRatio } from "../lib/format.mjs";
import { PYTHON, runtimeOf } from "../lib/runtimes.mjs";
import { FRAME } from "./servers/report.mjs";

/**
 * @typedef {object} Server
 * @property {string} label
 * @property {"node" | "python"} runtime
 * @property {string} program
 * @property {string[]} args
 *
 * @typedef {object} Workload
 * @property {string} id
 * @property {string} title
 * @property {"echo" | "frames" | "drained"} mode of the servers
 * @property {{ connections: number, size: number, window: number }} load what `load.mjs` does
 * @property {boolean} [inBytes] told as bytes a second
 *
 * @typedef {{ cpuSeconds: number, heapBytes: number | null, rssBytes: number }} Usage
 * @typedef {{ perSecond: number, cpuMicroseconds: number }} Sample
 */

/** @type {readonly Workload[]} */
const WORKLOADS = [
  {
    id: "echo1",
    title: "chunks of 1 KiB, there and back, one connection",
    mode: "echo",
    load: { connections: 1, size: 1024, window: 1 },
  },
  {
    id: "echo50",
    title: "chunks of 1 KiB, there and back, 50 connections",
    mode: "echo",
    load: { connections: 50, size: 1024, window: 1 },
  },
  {
    id: "frames",
    title: `messages of ${FRAME} bytes (readexactly, write), 10 connections, 64 under way on each`,
    mode: "frames",
    load: { connections: 10, size: FRAME, window: 64 },
  },
  {
    id: "drained",
    title: "the same, with a drain after each write (node:net as before)",
    mode: "drained",
    load: { connections: 10, size: FRAME, window: 64 },
  },
  {
    id: "bulk",
    title: "chunks of 64 KiB, one connection, 16 under way",
    mode: "echo",
    load: { connections: 1, size: 65_536, window: 16 },
    inBytes: true,
  },
];

/** Connections that are open and say nothing. */
const IDLE = "idle";

/** @param {string} mode @param {boolean} uvloop @returns {readonly Server[]} the first is what the others are compared with */
function serversFor(mode, uvloop) {
  const servers = /** @type {Server[]} */ ([
    { label: "corio", runtime: "node", program: "corio.mjs", args: [mode] },
    { label: "node:net", runtime: "node", program: "net.mjs", args: [mode] },
  ]);
  if (mode !== "echo")
    servers.push({ label: "node:net, corked", runtime: "node", program: "net.mjs", args: [mode, "corked"] });
  servers.push({ label: "asyncio", runtime: "python", program: "asyncio_server.py", args: [mode] });
  if (uvloop)
    servers.push({
      label: "uvloop",
      runtime: "python",
      program: "asyncio_server.py",
      args: [mode, "uvloop"],
    });
  return servers;
}

/** A process that prints a line of JSON for each thing it has to say. */
class Child {
  #process;
  #lines;

  /** @param {string} file @param {readonly string[]} args */
  constructor(file, args) {
    this.#process = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** What it says next. @returns {Promise<unknown>} */
  async next() {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("a process has ended before it said what it was to say");
    /** @type {unknown} */
    const said = JSON.parse(value);
    return said;
  }

  /** @returns {Promise<Usage>} */
  async usage() {
    this.#process.stdin.write("\n");
    return /** @type {Usage} */ (await this.next());
  }

  /** @returns {Promise<void>} */
  end() {
    return new Promise((resolve) => {
      this.#process.once("exit", () => resolve());
      this.#process.stdin.end();
    });
  }
}

/**
 * @param {Server} server
 * @param {string} node
 * @param {readonly string[]} nodeArgs
 */
async function start({ runtime, program, args }, node, nodeArgs) {
  const [file, before] = runtime === "node" ? [node, nodeArgs] : [PYTHON.command, PYTHON.args];
  const child = new Child(file, [...before, inRoot(`bench/streams/servers/${program}`), ...args]);
  const { port } = /** @type {{ port: number }} */ (await child.next());
  return { child, port };
}

/** @param {object} job */
const startClient = (job) => new Child(CLIENT, [inRoot("bench/streams/load.mjs"), JSON.stringify(job)]);

/** @param {Workload} workload @param {Server} server @param {string} node @param {number} seconds @returns {Promise<Sample>} */
async function measureLoad({ load }, server, node, seconds) {
  const { child, port } = await start(server, node, []);
  const run = async () => {
    const client = startClient({ kind: "load", port, seconds, ...load });
    const result = /** @type {import("./load.mjs").LoadResult} */ (await client.next());
    await client.end();
    return result;
  };
  // The compiler is busy for about so long.
  await run();
  const before = await child.usage();
  const result = await run();
  const after = await child.usage();
  await child.end();
  return {
    perSecond: result.messages / result.seconds,
    cpuMicroseconds: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / result.messages,
  };
}

/** @param {Server} server @param {string} node @param {number} connections */
async function measureIdle(server, node, connections) {
  const { child, port } = await start(server, node, ["--expose-gc"]);
  const hold = async (/** @type {number} */ count) => {
    const client = startClient({ kind: "idle", port, connections: count });
    await client.next();
    return client;
  };
  // A few first, so that what the server needs once does not count.
  await (await hold(100)).end();
  const before = await child.usage();
  const client = await hold(connections);
  const after = await child.usage();
  await client.end();
  await child.end();
  return {
    heap: ((after.heapBytes ?? NaN) - (before.heapBytes ?? NaN)) / connections,
    rss: (after.rssBytes - before.rssBytes) / connections,
  };
}

/** @param {readonly number[]} numbers */
function median(numbers) {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? NaN;
}

/** @param {Workload} workload @param {readonly Server[]} servers @param {string} node @param {number} rounds @param {number} seconds */
async function compare(workload, servers, node, rounds, seconds) {
  console.log(`\n${workload.title}`);
  /** @type {Map<Server, Sample[]>} */
  const samples = new Map(servers.map((server) => [server, []]));
  for (let round = 0; round < rounds; round++) {
    for (const server of servers)
      samples.get(server)?.push(await measureLoad(workload, server, node, seconds));
  }
  const [corio] = [...samples.values()];
  for (const [{ label }, own] of samples) {
    const perSecond = median(own.map((sample) => sample.perSecond));
    const cpu = median(own.map((sample) => sample.cpuMicroseconds));
    const ratio = median(own.map((sample, round) => (corio?.[round]?.perSecond ?? NaN) / sample.perSecond));
    const cost = median(
      own.map((sample, round) => (corio?.[round]?.cpuMicroseconds ?? NaN) / sample.cpuMicroseconds),
    );
    const rate = workload.inBytes
      ? `${((perSecond * workload.load.size) / 1e9).toFixed(3)} GB/s`
      : `${Math.round(perSecond)}/s`;
    const compared =
      own === corio ? "" : `   corio: ${formatRatio(ratio)} the rate, ${formatRatio(cost)} the CPU time`;
    console.log(
      `  ${label.padEnd(17)} ${rate.padStart(12)} ${cpu.toFixed(2).padStart(8)} µs CPU each${compared}`,
    );
  }
}

/** @param {readonly Server[]} servers @param {string} node @param {number} connections */
async function compareIdle(servers, node, connections) {
  console.log(`\n${connections} connections that say nothing, for each of them`);
  for (const server of servers) {
    const { heap, rss } = await measureIdle(server, node, connections);
    const heapText = Number.isNaN(heap) ? "" : `${formatBytes(heap)} of heap, `;
    console.log(`  ${server.label.padEnd(17)} ${heapText}${formatBytes(rss)} of resident memory`);
  }
}

/** @type {string} the client's Node, whatever the server's host is */
let CLIENT = process.execPath;

/** @param {{ readonly quick: boolean, readonly only?: readonly string[], readonly runtime?: string }} options */
export async function measureStreams({ quick, only, runtime = "node24" }) {
  await buildCorioIfStale();
  const newest = runtimeOf("node24").command;
  if (existsSync(newest)) CLIENT = newest;
  const wanted = runtimeOf(runtime).command;
  const node = existsSync(wanted) ? wanted : process.execPath;
  const python = (await command(PYTHON.command, ["--version"])).ok;
  const uvloop = python && (await command(PYTHON.command, ["-c", "import uvloop"])).ok;
  if (!python) console.log("found no python3: asyncio is left out");
  else if (!uvloop) console.log("uvloop cannot be imported: left out");
  const servers = (/** @type {string} */ mode) =>
    serversFor(mode, uvloop).filter((server) => python || server.runtime === "node");
  const isWanted = (/** @type {string} */ id) => only === undefined || only.includes(id);
  for (const workload of WORKLOADS) {
    if (isWanted(workload.id))
      await compare(workload, servers(workload.mode), node, quick ? 1 : 5, quick ? 0.5 : 1);
  }
  // Half of what a process may open: Node and Python raise their own limit as far as they may.
  if (isWanted(IDLE)) await compareIdle(servers("echo"), node, quick ? 1000 : 10_000);
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      runtime: { type: "string" },
    },
  });
  await measureStreams({
    quick: values.quick,
    ...(values.only !== undefined && { only: values.only.split(",") }),
    ...(values.runtime !== undefined && { runtime: values.runtime }),
  });
}
