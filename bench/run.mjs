// npm run bench [-- --help]: corio and its peers in one interleaved run, each measurement in a process of its own.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { inRoot } from "../scripts/lib/paths.mjs";
import { toMarkdown, writePage } from "./lib/markdown.mjs";
import { measureDatabases } from "./databases/run.mjs";
import { measureHttp } from "./http/measure.mjs";
import { measure } from "./lib/measure.mjs";
import { readOptions } from "./lib/options.mjs";
import { prepare } from "./lib/prepare.mjs";
import { Results } from "./lib/results.mjs";
import { planRun } from "./lib/schedule.mjs";
import { measureStreams } from "./streams/run.mjs";
import { printSummary } from "./lib/summary.mjs";

const LAST_RUN = inRoot(".cache/bench/results.json");

const options = readOptions();
const results = options.reportOnly ? readLastRun() : await measureAll();
const tables = toMarkdown(results);
console.log(`\n${tables}`);
printSummary(results);
if (options.write && !options.reportOnly) {
  writePage(tables);
  console.log("\nWritten: docs/performance.md");
} else {
  console.log("\nNot written to docs/performance.md: it takes a complete run, or --write.");
}
if (options.all) {
  await measureStreams(options);
  await measureDatabases(options);
  await measureHttp(options);
}

async function measureAll() {
  const { runtimes, peers, versions } = await prepare(options);
  const plan = planRun(options, runtimes, peers);
  const run = new Results({
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}`,
    rounds: options.rounds,
    quick: options.quick,
    runtimes,
    peers,
    versions,
    samples: [],
    failures: [],
  });
  const begin = Date.now();
  for (const [index, planned] of plan.entries()) {
    const { round, workload, peer, runtime } = planned;
    const started = Date.now();
    const measured = await measure(planned);
    if ("failure" in measured) run.addFailure(planned, measured.failure);
    else run.add(planned, measured.output);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const outcome = "failure" in measured ? `FAILED: ${measured.failure}` : `${seconds} s`;
    const position = `${String(index + 1).padStart(4)}/${plan.length} round ${round + 1}`;
    console.log(`${position} ${workload.id.padEnd(12)} ${runtime.padEnd(6)} ${peer}: ${outcome}`);
  }
  console.log(`\n${plan.length} measurements in ${Math.round((Date.now() - begin) / 1000)} s`);
  mkdirSync(dirname(LAST_RUN), { recursive: true });
  writeFileSync(LAST_RUN, JSON.stringify(run.data));
  return run;
}

function readLastRun() {
  return new Results(JSON.parse(readFileSync(LAST_RUN, "utf8")));
}
