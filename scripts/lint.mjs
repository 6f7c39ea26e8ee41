// npm run lint: ESLint with the types, and the format.
import { readdirSync } from "node:fs";
import { command } from "./lib/command.mjs";
import { inRoot } from "./lib/paths.mjs";

const packages = readdirSync(inRoot("packages")).map((name) => `packages/${name}`);
// One process for each part: the types of all together do not fit into one heap.
const others = ["bench", "conformance", "examples", "scripts"];
const rest = [".", ...["packages", ...others].flatMap((folder) => ["--ignore-pattern", `${folder}/`])];
const parts = [...[...packages, ...others].map((folder) => [folder]), rest];
const checks = [
  ...parts.map((part) => [
    "eslint/bin/eslint.js",
    "--cache",
    "--cache-location",
    ".cache/eslint/",
    "--max-warnings",
    "0",
    ...part,
  ]),
  ["prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."],
];

for (const [bin = "", ...args] of checks) {
  const { ok, output } = await command(process.execPath, [inRoot(`node_modules/${bin}`), ...args]);
  if (ok) continue;
  console.log(output);
  process.exitCode = 1;
}
if (process.exitCode === 1) console.log("`npm run format` repairs the format.");
