// npm run conformance [-- --programs N] [-- --jobs N] [-- --from SEED] [-- --most N]: random programs on corio and on
// CPython's asyncio; with --foreign, those that mix corio with the platform's promises. `--replay TOKEN` (or
// `--replay seed:N`) runs one again; `--statistics` says what is in them.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildCorioIfStale } from "../scripts/lib/build.mjs";
import { inRoot } from "../scripts/lib/paths.mjs";
import { pool } from "../scripts/lib/pool.mjs";
import { installRuntimes, runtimePath, runtimesAvailable } from "../scripts/lib/runtimes.mjs";

/** Programs a worker runs before a fresh one takes over: Python's memory only grows. */
const CHUNK = 3000;
/** Milliseconds without a sign of life after which a worker is taken to hang; on a busy machine Python starts slowly. */
const PATIENCE = 180_000;

const { values: options } = parseArgs({
  options: {
    foreign: { type: "boolean", default: false },
    programs: { type: "string" },
    jobs: { type: "string", default: "2" },
    from: { type: "string", default: "1" },
    most: { type: "string", default: "3" },
    replay: { type: "string" },
    statistics: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});

const node = await prepareNode();
if (options.replay !== undefined) {
  process.exitCode = await watch("replay.ts", [options.replay, ...(options.keep ? ["--keep"] : [])]);
} else if (options.statistics) {
  process.exitCode = await watch("statistics.ts", [options.from, options.programs ?? "2000"]);
} else await runPrograms();

/** The command that runs a TypeScript file on the sources, where that is possible. */
async function prepareNode() {
  if (!runtimesAvailable) {
    await buildCorioIfStale();
    return [process.execPath, "--no-warnings", inRoot("scripts/run-ts.mjs")];
  }
  await installRuntimes();
  return [runtimePath("node24/bin/node"), "--no-warnings", "--conditions=corio-source"];
}

async function runPrograms() {
  const first = Number(options.from);
  const total = Number(options.programs ?? 6000);
  const most = Number(options.most);
  const started = Date.now();
  const jobs = Number(options.jobs);
  const size = Math.min(CHUNK, Math.ceil(total / jobs));
  const chunks = Array.from({ length: Math.ceil(total / size) }, (_, index) => {
    const from = first + index * size;
    return { from, count: Math.min(size, first + total - from) };
  });
  let programs = 0;
  let events = 0;
  let failed = 0;
  await pool(chunks, jobs, async ({ from, count }) => {
    if (failed >= most) return;
    const result = await runChunk(from, count, most - failed);
    programs += result.programs;
    events += result.events;
    failed += result.failures.length;
    for (const failure of result.failures) console.log(`FAILED ${failure}\n`);
    if (total > 20 * CHUNK) console.log(`${programs} programs, ${events} events, ${failed} failed`);
  });
  console.log(`${programs} programs, ${events} events in ${Math.round((Date.now() - started) / 1000)} s`);
  console.log(`${programs - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/**
 * One worker's programs.
 *
 * @param {number} from
 * @param {number} count
 * @param {number} most
 * @returns {Promise<{ programs: number, events: number, failures: string[] }>}
 */
async function runChunk(from, count, most) {
  const worker = start("worker.ts", [String(from), String(count), String(most)], ["ignore", "pipe", "pipe"]);
  /** @type {string[]} */
  const failures = [];
  let seed = from;
  let programs = 0;
  let events = 0;
  let errors = "";
  /** @type {"works" | "done" | "hangs"} */
  let state = "works";
  const readState = () => state;
  const watch = () =>
    setTimeout(() => {
      state = "hangs";
      worker.kill("SIGKILL");
    }, PATIENCE);
  let patience = watch();
  worker.stderr?.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
    errors = (errors + text).slice(-4000);
  });
  const lines = createInterface({ input: /** @type {import("node:stream").Readable} */ (worker.stdout) });
  lines.on("line", (line) => {
    clearTimeout(patience);
    patience = watch();
    /** @type {import("./src/messages.ts").Message} */
    const message = JSON.parse(line);
    if (message.type === "at") {
      programs += message.seed - seed;
      seed = message.seed;
    } else if (message.type === "difference") failures.push(`seed ${message.seed}\n${message.report}`);
    else {
      state = "done";
      programs = message.programs;
      events = message.events;
    }
  });
  await new Promise((resolve) => worker.on("close", resolve));
  clearTimeout(patience);
  if (readState() !== "done") {
    const how = readState() === "hangs" ? "does not end" : `ends the process\n${errors}`;
    const command = `npm run conformance -- ${options.foreign ? "--foreign " : ""}--replay seed:${seed}`;
    failures.push(`seed ${seed}: the program ${how}\n${command}`);
    programs++;
  }
  return { programs, events, failures };
}

/** Runs a file that says itself what it found. @param {string} file @param {readonly string[]} args */
async function watch(file, args) {
  const child = start(file, args, "inherit");
  return await new Promise((/** @type {(code: number) => void} */ resolve) => {
    child.on("close", (code) => resolve(code ?? 1));
  });
}

/**
 * @param {string} file in `src`
 * @param {readonly string[]} args
 * @param {import("node:child_process").StdioOptions} stdio
 */
function start(file, args, stdio) {
  const [command = "", ...before] = node;
  const path = fileURLToPath(new URL(`src/${options.foreign ? "foreign/" : ""}${file}`, import.meta.url));
  return spawn(command, [...before, path, ...args], { stdio });
}
