// npm run mutate [-- --only PATTERN] [-- --programs N]: plants known bugs in corio, one at a time; random programs must
// find every one.
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { command, mustRun } from "../../scripts/lib/command.mjs";
import { CACHE, CORIO, inRoot } from "../../scripts/lib/paths.mjs";
import { pool } from "../../scripts/lib/pool.mjs";
import { installRuntimes, runtimePath } from "../../scripts/lib/runtimes.mjs";

const { values: options } = parseArgs({
  options: { only: { type: "string", default: "" }, programs: { type: "string", default: "6000" } },
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
/** @type {import("./mutants.ts").Mutant[]} */
const all = JSON.parse(
  (
    await mustRun(node, [
      "--no-warnings",
      "--input-type=module",
      "--eval",
      `import { MUTANTS } from ${JSON.stringify(new URL("mutants.ts", import.meta.url).href)}; console.log(JSON.stringify(MUTANTS));`,
    ])
  ).stdout,
);
const mutants = all.filter(({ bug, file }) => new RegExp(options.only).test(`${file} ${bug}`));
await mustRun(node, [...flags, join(SNAPSHOT, "src", "record.ts"), TRACES, options.programs]);

let found = 0;
await pool([...mutants.entries()], 2, async ([index, mutant]) => {
  const started = Date.now();
  const result = await hunt(index, mutant);
  const isFound = result.startsWith("found");
  if (isFound) found++;
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${isFound ? "ok    " : "FAILED"} ${mutant.file}: ${mutant.bug}: ${result} (${seconds} s)`);
});
rmSync(ROOM, { recursive: true, force: true });
console.log(`${found} passed, ${mutants.length - found} failed`);
process.exitCode = found === mutants.length ? 0 : 1;

/** @param {number} index @param {import("./mutants.ts").Mutant} mutant */
async function hunt(index, mutant) {
  const room = join(ROOM, String(index));
  // A copy beside a link: Node strips no types in node_modules.
  cpSync(SNAPSHOT, room, { recursive: true });
  mkdirSync(join(room, "node_modules"));
  symlinkSync(join("..", "corio"), join(room, "node_modules", "corio"));
  writeFileSync(join(room, "package.json"), JSON.stringify({ type: "module" }));
  const file = join(room, "corio", "src", mutant.file);
  const source = readFileSync(file, "utf8");
  const parts = source.split(mutant.find);
  if (parts.length !== 2) return `its text occurs ${parts.length - 1} times`;
  writeFileSync(file, parts.join(mutant.replace));
  const { ok, output } = await command(node, [...flags, join(room, "src", "hunt.ts"), TRACES], {
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
