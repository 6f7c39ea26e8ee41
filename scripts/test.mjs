// npm test [-- --host HOST]... [-- --leg LEG]... [-- --grep TEXT]: everything that is tested, two legs at a time.
import { parseArgs } from "node:util";
import { buildCorio, buildCorioIfStale } from "./lib/build.mjs";
import { command } from "./lib/command.mjs";
import { HOSTS } from "./lib/hosts.mjs";
import { inRoot } from "./lib/paths.mjs";
import { pool } from "./lib/pool.mjs";
import { installRuntimes, runtimesAvailable, WHY_UNAVAILABLE } from "./lib/runtimes.mjs";

const { values: options } = parseArgs({
  options: {
    host: { type: "string", multiple: true },
    leg: { type: "string", multiple: true },
    grep: { type: "string" },
  },
});

/**
 * @typedef {object} Leg
 * @property {string} name
 * @property {string} label
 * @property {readonly string[]} command what `node` runs; it ends with a line "N passed, N failed", or counts as one
 * @property {string} [unavailable] why it cannot run here
 */

/** @param {string} name @param {...string} args @returns {Leg} */
const script = (name, ...args) => ({ name, label: name, command: [inRoot(`scripts/${name}.mjs`), ...args] });

const grep = options.grep === undefined ? [] : ["--grep", options.grep];
/** @type {Leg[]} */
const hostLegs = HOSTS.map(({ name, label, unavailable }) => ({
  name,
  label: `tests on ${label}`,
  command: [inRoot("scripts/test-host.mjs"), name, ...grep],
  ...(unavailable !== undefined && { unavailable }),
}));
// The longest first.
/** @type {Leg[]} */
const otherLegs = [
  { name: "conformance", label: "conformance", command: [inRoot("conformance/run.mjs"), "--jobs", "1"] },
  {
    name: "foreign",
    label: "conformance: programs with promises of the platform",
    command: [inRoot("conformance/run.mjs"), "--foreign", "--jobs", "1"],
  },
  { name: "lint", label: "lint", command: [inRoot("scripts/lint.mjs")] },
  script("snippets"),
  script("packaging"),
  { name: "demo", label: "demo", command: [inRoot("examples/demo.test.mjs")] },
  { name: "service", label: "service", command: [inRoot("examples/service.test.mjs")] },
  script("typecheck"),
  { name: "docs", label: "docs", command: [inRoot("scripts/docs.mjs"), "--emit", "none"] },
  script("test-harness"),
  script("size"),
  {
    name: "mutants",
    label: "planted bugs fit the sources",
    command: [inRoot("conformance/mutation/run.mjs"), "--check"],
    ...(!runtimesAvailable && { unavailable: WHY_UNAVAILABLE }),
  },
  { name: "names", label: "CPython's tests, by name", command: [inRoot("conformance/names/check.mjs")] },
];

const legs = select();
const totals = { passed: 0, failed: 0 };
const started = Date.now();

// A developer who asks for a few tests does not wait for what is there already.
await prepare("build", legs.length > HOSTS.length ? buildCorio : buildCorioIfStale);
if (runtimesAvailable) await prepare("install runtimes", installRuntimes);
await pool(legs, 2, runLeg);

const seconds = Math.round((Date.now() - started) / 1000);
console.log(`\n${legs.length} legs in ${seconds} s`);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed > 0 ? 1 : 0;

function select() {
  const all = [...otherLegs, ...hostLegs];
  const names = [...(options.host ?? []), ...(options.leg ?? [])];
  const unknown = names.filter((name) => !all.some((leg) => leg.name === name));
  if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(", ")}; there are ${all.map(({ name }) => name).join(", ")}`);
    process.exit(2);
  }
  if (names.length > 0) return all.filter(({ name }) => names.includes(name));
  return options.grep === undefined ? all : hostLegs;
}

/** What other legs need: nothing else runs meanwhile, and nothing runs when it fails. @param {string} name @param {() => Promise<unknown>} work */
async function prepare(name, work) {
  const begin = Date.now();
  try {
    await work();
    printLeg("ok", name, begin);
  } catch (error) {
    printLeg("FAILED", name, begin);
    console.log(error instanceof Error ? error.message : error);
    console.log("0 passed, 1 failed");
    process.exit(1);
  }
}

/** @param {Leg} leg */
async function runLeg(leg) {
  const begin = Date.now();
  if (leg.unavailable !== undefined) {
    const inCi = process.env["CI"] !== undefined;
    if (inCi) totals.failed++;
    printLeg(inCi ? "FAILED" : "skipped", `${leg.label}: ${leg.unavailable}`, begin);
    return;
  }
  const { ok, output } = await command(process.execPath, leg.command, { timeout: 15 * 60_000 });
  const [, passed, failed, skipped] =
    /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/m.exec(lastLine(output)) ?? [];
  if (passed === undefined) totals[ok ? "passed" : "failed"]++;
  totals.passed += Number(passed ?? 0);
  // A leg that fails without a failed test counts too.
  totals.failed += Math.max(Number(failed ?? 0), passed !== undefined && !ok ? 1 : 0);
  const counts =
    passed === undefined ? "" : `: ${passed} passed${skipped === undefined ? "" : `, ${skipped} skipped`}`;
  printLeg(ok ? "ok" : "FAILED", leg.label + counts, begin);
  if (!ok || process.env["VERBOSE"] !== undefined) {
    console.log(failuresFirst(output).replace(/^(?=.)/gm, "  | "));
  }
}

/**
 * What failed comes before everything else that was printed: whoever keeps only the first lines of a log sees it.
 *
 * @param {string} output
 */
function failuresFirst(output) {
  const failure = /^FAILED .*\n(?:(?:[ \t].*)?\n)*/gm;
  return (output.match(failure) ?? []).join("") + output.replace(failure, "");
}

/** @param {string} text */
function lastLine(text) {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/** @param {string} state @param {string} text @param {number} begin */
function printLeg(state, text, begin) {
  console.log(`${state.padEnd(7)} ${text} (${((Date.now() - begin) / 1000).toFixed(1)} s)`);
}
