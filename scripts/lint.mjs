// npm run lint: ESLint with the types, and the format.
import { command } from "./lib/command.mjs";
import { inRoot } from "./lib/paths.mjs";

const checks = [
  // The types of all packages and scripts take more than Node's default heap on a small machine.
  [
    "--max-old-space-size=4096",
    inRoot("node_modules/eslint/bin/eslint.js"),
    "--cache",
    "--cache-location",
    ".cache/eslint/",
    "--max-warnings",
    "0",
    ".",
  ],
  [inRoot("node_modules/prettier/bin/prettier.cjs"), "--check", "--log-level", "warn", "."],
];

for (const args of checks) {
  const { ok, output } = await command(process.execPath, args);
  if (ok) continue;
  console.log(output);
  process.exitCode = 1;
}
if (process.exitCode === 1) console.log("`npm run format` repairs the format.");
