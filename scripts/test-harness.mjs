// Tests the test runner: a failing test is reported as failing, by name, on every host.
import { join } from "node:path";
import { command } from "./lib/command.mjs";
import { HOSTS } from "./lib/hosts.mjs";
import { CORIO, inRoot } from "./lib/paths.mjs";
import { pool } from "./lib/pool.mjs";

/** @param {string} name */
const fixture = (name) => join(CORIO, "test", "support", "fixtures", name);

const hosts = HOSTS.filter(({ unavailable }) => unavailable === undefined).map(({ name }) => name);
const cases = [
  ...hosts.map((host) => ({
    args: [host, "--timeout", "500", fixture("failures.ts")],
    expected: [
      /^FAILED fixture fails\n.*one is two: expected 1 to equal 2/m,
      /^FAILED fixture rejects\n.*RangeError: the reason/m,
      /^FAILED fixture hangs\n.*Timeout of 500ms exceeded/m,
      /^FAILED fixture leaves a rejection unhandled\n.*nobody handles it/m,
      // In the stack: the source's own position, whatever was compiled or bundled.
      /failures\.ts:10:/,
      /^2 passed, 4 failed, 1 skipped$/m,
    ],
  })),
  ...["node", "chromium"]
    .filter((host) => hosts.includes(host))
    .map((host) => ({
      args: [host, "--timeout=-8000", fixture("busy-hang.ts")],
      expected: [/^FAILED never turns the event loop\n.*hangs/m, /^0 passed, 1 failed$/m],
    })),
];

let failed = 0;
await pool(cases, 2, async ({ args, expected }) => {
  const { ok, output } = await command(process.execPath, [inRoot("scripts/test-host.mjs"), ...args]);
  const missing = expected.filter((pattern) => !pattern.test(output));
  if (!ok && missing.length === 0) return;
  failed++;
  console.log(
    `FAILED test-host.mjs ${args.join(" ")}: exit code ${ok ? "0" : "not 0"}, not found in its output:`,
  );
  console.log(`${missing.join("\n")}\n${output}`);
});
console.log(`${String(cases.length - failed)} passed, ${String(failed)} failed`);
process.exitCode = failed > 0 ? 1 : 0;
