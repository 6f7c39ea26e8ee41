// npm run size: what a page pays for parts of corio: bundled and minified for browsers, then gzip -9.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { buildCorioIfStale } from "./lib/build.mjs";
import { ROOT } from "./lib/paths.mjs";

const core = ["run", "sleep", "createTask", "taskGroup", "timeout"];

/** Budgets in bytes. */
const budgets = [
  { name: "tasks", imports: core, budget: 8_000 },
  {
    name: "tasks, locks, queues",
    imports: [
      ...core,
      "Lock",
      "Event",
      "Condition",
      "Semaphore",
      "BoundedSemaphore",
      "Barrier",
      "Queue",
      "PriorityQueue",
      "LifoQueue",
    ],
    budget: 14_000,
  },
];

await buildCorioIfStale();
let failed = 0;
for (const { name, imports, budget } of budgets) {
  const result = await build({
    stdin: { contents: `export { ${imports.join(", ")} } from "corio";`, resolveDir: ROOT },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "error",
  });
  const minified = result.outputFiles[0]?.contents ?? new Uint8Array();
  const gzipped = gzipSync(minified, { level: 9 }).length;
  const ok = gzipped <= budget;
  if (!ok) failed++;
  console.log(
    `${ok ? "ok" : "FAILED"} ${name.padEnd(22)} ${kilobytes(gzipped)} gzipped of ${kilobytes(budget)}, ${kilobytes(minified.length)} minified`,
  );
}
console.log(`${budgets.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(2).padStart(6)} kB`;
}
