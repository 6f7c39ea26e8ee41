// node bench/http/run.mjs [--quick] [--only TEXT]: servers and clients of HTTP beside those that they are built on, in
// one run, interleaved: requests per second, and the CPU time that the measured process uses for one. Part of
// `npm run bench`. aiohttp is measured where python3 can import it.
import { spawn } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { inRoot } from "../../scripts/lib/paths.mjs";

const quick = process.argv.includes("--quick");
const only = process.argv.includes("--only") ? (process.argv[process.argv.indexOf("--only") + 1] ?? "") : "";
const ROUNDS = quick ? 3 : 9;
const REQUESTS = quick ? 5000 : 20_000;
const CONNECTIONS = 50;

/** Who is measured, and beside whom. @type {readonly (readonly [name: string, base: string | null])[]} */
const SERVERS = [
  ["node:http", null],
  ["@corio/http", "node:http"],
  ["hono", null],
  ["@corio/hono", "hono"],
  ["fastify", null],
  ["@corio/fastify", "fastify"],
  ["aiohttp", null],
];
/** @type {readonly (readonly [name: string, base: string | null])[]} */
const CLIENTS = [
  ["undici", null],
  ["@corio/http", "undici"],
  ["fetch", null],
];

/** @typedef {{ readonly perSecond: number, readonly cpuMicroseconds: number }} Sample */

/** A process that prints lines, of which each is asked for. @param {string} command @param {string[]} args */
function startProcess(command, args) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = new Promise((resolve) => child.once("close", resolve));
  child.once("error", () => undefined);
  return {
    line: async () => {
      const { value } = await lines.next();
      if (typeof value !== "string") throw new Error(`${command} ${args.join(" ")} ended too early`);
      return value;
    },
    /** @param {string} text */
    write: (text) => child.stdin.write(text),
    stop: async () => {
      child.stdin.end();
      await exited;
    },
  };
}

/** @param {string} name */
function startServer(name) {
  return name === "aiohttp"
    ? startProcess("python3", [inRoot("bench/http/server.py")])
    : startProcess(process.execPath, [...process.execArgv, inRoot("bench/http/server.mjs"), name]);
}

/** Whether python3 has aiohttp. @returns {Promise<boolean>} */
function hasAiohttp() {
  return new Promise((resolve) => {
    const child = spawn("python3", ["-c", "import aiohttp"], { stdio: "ignore" });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}

/** Sends requests by hand, one after another on each connection: a client that costs little. @param {number} port @param {number} count */
async function load(port, count) {
  let left = count;
  const visit = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      const ask = () => {
        if (left-- > 0) socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        else socket.end();
      };
      let text = "";
      socket.setEncoding("latin1");
      socket.on("connect", ask);
      socket.on("data", (data) => {
        text += String(data);
        if (!text.endsWith("[1,2,3]}") && !text.endsWith("[1, 2, 3]}")) return;
        text = "";
        ask();
      });
      socket.on("error", reject);
      socket.on("close", () => (text === "" ? resolve(undefined) : reject(new Error(`got ${text}`))));
    });
  await Promise.all(Array.from({ length: CONNECTIONS }, visit));
}

/** @param {number} port */
async function cpuOf(port) {
  return Number(await (await fetch(`http://127.0.0.1:${port}/cpu`)).text());
}

/** @param {number} port @returns {Promise<Sample>} */
async function measureServer(port) {
  const before = await cpuOf(port);
  const begin = performance.now();
  await load(port, REQUESTS);
  const seconds = (performance.now() - begin) / 1000;
  return { perSecond: REQUESTS / seconds, cpuMicroseconds: ((await cpuOf(port)) - before) / REQUESTS };
}

/** @param {readonly number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
  return (low + high) / 2;
}

/**
 * Measures each once a round, after a round that does not count. Prints the medians, and those of the rounds' ratios.
 *
 * @param {string} title @param {readonly (readonly [string, string | null])[]} rows
 * @param {(name: string) => Promise<Sample>} measure
 */
async function compare(title, rows, measure) {
  /** @type {Map<string, Sample[]>} */
  const samples = new Map(rows.map(([name]) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name] of rows) {
      const sample = await measure(name);
      if (round > 0) samples.get(name)?.push(sample);
    }
  }
  console.log(
    `\n${title}: ${REQUESTS} requests over ${CONNECTIONS} connections, medians of ${ROUNDS} rounds`,
  );
  for (const [name, base] of rows) {
    const own = samples.get(name) ?? [];
    const others = base === null ? [] : (samples.get(base) ?? []);
    const perSecond = Math.round(median(own.map((sample) => sample.perSecond)));
    const cpu = median(own.map((sample) => sample.cpuMicroseconds));
    /** @param {keyof Sample} key */
    const ratio = (key) =>
      median(own.map((sample, index) => sample[key] / (others[index]?.[key] ?? 1))).toFixed(2);
    const beside =
      others.length === 0
        ? ""
        : `   beside ${String(base)}: ${ratio("perSecond")} × requests, ${ratio("cpuMicroseconds")} × CPU`;
    console.log(
      `  ${name.padEnd(15)} ${String(perSecond).padStart(7)} requests/s ${cpu.toFixed(1).padStart(7)} µs CPU each${beside}`,
    );
  }
}

/** @param {readonly (readonly [string, string | null])[]} rows */
function wanted(rows) {
  return rows.filter(([name]) => name.includes(only));
}

const python = await hasAiohttp();
if (!python) console.log("not measured, python3 has no aiohttp");
const servers = wanted(SERVERS).filter(([name]) => name !== "aiohttp" || python);
/** @type {Map<string, { readonly port: number, readonly stop: () => Promise<void> }>} */
const started = new Map();
for (const [name] of servers) {
  const { line, stop } = startServer(name);
  started.set(name, { port: Number(await line()), stop });
}
await compare("servers", servers, (name) => measureServer(started.get(name)?.port ?? 0));
for (const { stop } of started.values()) await stop();

const target = startServer("node:http");
const port = await target.line();
/** @type {Map<string, ReturnType<typeof startProcess>>} */
const clients = new Map();
for (const [name] of wanted(CLIENTS)) {
  const args = [...process.execArgv, inRoot("bench/http/client.mjs"), name, port];
  clients.set(name, startProcess(process.execPath, args));
}
await compare("clients", wanted(CLIENTS), async (name) => {
  const client = clients.get(name);
  client?.write(`${REQUESTS}\n`);
  const [seconds = 0, cpu = 0] = ((await client?.line()) ?? "").split(" ").map(Number);
  return { perSecond: REQUESTS / seconds, cpuMicroseconds: cpu / REQUESTS };
});
for (const client of clients.values()) await client.stop();
await target.stop();
