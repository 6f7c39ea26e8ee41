// npm run mutate [-- --only PATTERN] [-- --programs N] [-- --foreign]: plants known bugs in corio, one at a time; random
// programs must find every one. With --foreign, only those that the programs with the platform's promises must find;
// with --check they only must fit the sources.
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { command, mustRun } from "../../scripts/lib/command.mjs";
import { CACHE, CORIO, inRoot } from "../../scripts/lib/paths.mjs";
import { pool } from "../../scripts/lib/pool.mjs";
import { installRuntimes, runtimePath } from "../../scripts/lib/runtimes.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    programs: { type: "string", default: "6000" },
    foreign: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});

const ROOM = join(CACHE, "mutants");
const TRACES = join(ROOM, "traces.json");
/** Milliseconds for one mutant: a program that never ends counts as a difference. */
const TIME_LIMIT = 120_000;

await installRuntimes();
const node = runtimePath("node24/bin/node");
const flags = ["--no-warnings", "--conditions=corio-source"];
rmSync(ROOM, { recursive: true, force: true });
mkdirSync(ROOM, { recursive: true });
// Whoever edits the sources meanwhile does not get in the way.
const SNAPSHOT = join(ROOM, "snapshot");
cpSync(join(CORIO, "src"), join(SNAPSHOT, "corio", "src"), { recursive: true });
cpSync(join(CORIO, "package.json"), join(SNAPSHOT, "corio", "package.json"));
cpSync(inRoot("conformance/src"), join(SNAPSHOT, "src"), { recursive: true });
const mutants = [
  ...(options.foreign ? [] : await mutantsOf("mutants.ts", "MUTANTS")).map((mutant) => ({
    mutant,
    isForeign: false,
  })),
  ...(await mutantsOf("foreign-mutants.ts", "FOREIGN_MUTANTS")).map((mutant) => ({
    mutant,
    isForeign: true,
  })),
].filter(({ mutant: { bug, file } }) => new RegExp(options.only).test(`${file} ${bug}`));
if (options.check) {
  const misfits = mutants.filter(({ mutant }) => occurrences(mutant, SNAPSHOT) !== 1);
  for (const { mutant } of misfits) {
    const times = occurrences(mutant, SNAPSHOT);
    console.log(`FAILED ${mutant.file}: ${mutant.bug}: its text occurs ${times} times`);
  }
  rmSync(ROOM, { recursive: true, force: true });
  console.log(`${mutants.length - misfits.length} passed, ${misfits.length} failed`);
  process.exit(misfits.length > 0 ? 1 : 0);
}
if (mutants.some(({ isForeign }) => !isForeign))
  await mustRun(node, [...flags, join(SNAPSHOT, "src", "record.ts"), TRACES, options.programs]);

let found = 0;
await pool([...mutants.entries()], 2, async ([index, { mutant, isForeign }]) => {
  const started = Date.now();
  const result = await hunt(
    index,
    mutant,
    isForeign ? ["foreign/hunt.ts", options.programs] : ["hunt.ts", TRACES],
  );
  const isFound = result.startsWith("found");
  if (isFound) found++;
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${isFound ? "ok    " : "FAILED"} ${mutant.file}: ${mutant.bug}: ${result} (${seconds} s)`);
});
rmSync(ROOM, { recursive: true, force: true });
console.log(`${found} passed, ${mutants.length - found} failed`);
process.exitCode = found === mutants.length ? 0 : 1;

/**
 * @param {string} file
 * @param {string} name what it exports
 * @returns {Promise<import("./mutants.ts").Mutant[]>}
 */
async function mutantsOf(file, name) {
  const { stdout } = await mustRun(node, [
    "--no-warnings",
    "--input-type=module",
    "--eval",
    `import { ${name} } from ${JSON.stringify(new URL(file, import.meta.url).href)}; console.log(JSON.stringify(${name}));`,
  ]);
  /** @type {import("./mutants.ts").Mutant[]} */
  const mutants = JSON.parse(stdout);
  return mutants;
}

/** How often a mutant's text is in its file. @param {import("./mutants.ts").Mutant} mutant @param {string} room */
function occurrences({ file, find }, room) {
  return readFileSync(join(room, "corio", "src", file), "utf8").split(find).length - 1;
}

/**
 * @param {number} index
 * @param {import("./mutants.ts").Mutant} mutant
 * @param {readonly string[]} script what looks for it, in `src`, and its argument
 */
async function hunt(index, mutant, [script = "", argument = ""]) {
  const room = join(ROOM, String(index));
  // A copy beside a link: Node strips no types in node_modules.
  cpSync(SNAPSHOT, room, { recursive: true });
  mkdirSync(join(room, "node_modules"));
  symlinkSync(join("..", "corio"), join(room, "node_modules", "corio"));
  writeFileSync(join(room, "package.json"), JSON.stringify({ type: "module" }));
  const file = join(room, "corio", "src", mutant.file);
  const times = occurrences(mutant, room);
  if (times !== 1) return `its text occurs ${times} times`;
  writeFileSync(file, readFileSync(file, "utf8").split(mutant.find).join(mutant.replace));
  const { ok, output } = await command(node, [...flags, join(room, "src", script), argument], {
    timeout: TIME_LIMIT,
  });
  rmSync(room, { recursive: true });
  const lines = output.trimEnd().split("\n");
  const seed = lines.findLast((line) => /^\d+$/.test(line)) ?? "0";
  if (output.includes("missed")) return `missed by ${seed} programs`;
  if (ok && output.includes("found")) return `found by program ${seed}`;
  // It does not end, or takes the process down: but only once programs run.
  return Number(seed) > 0
    ? `found by program ${seed}, which does not end properly`
    : `cannot run:\n${output.slice(-1000)}`;
}
