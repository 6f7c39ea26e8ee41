// npm run lint: ESLint with the types, and the format.
import { command } from "./lib/command.mjs";
import { inRoot } from "./lib/paths.mjs";

const checks = [
  ["eslint/bin/eslint.js", "--cache", "--cache-location", ".cache/eslint/", "--max-warnings", "0", "."],
  ["prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."],
];

for (const [bin = "", ...args] of checks) {
  const { ok, output } = await command(process.execPath, [inRoot(`node_modules/${bin}`), ...args]);
  if (ok) continue;
  console.log(output);
  process.exitCode = 1;
}
if (process.exitCode === 1) console.log("`npm run format` repairs the format.");
