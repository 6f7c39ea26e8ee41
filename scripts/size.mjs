// npm run size: what a page pays for parts of corio: bundled and minified for browsers, then gzip -9.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { buildCorioIfStale } from "./lib/build.mjs";
import { ROOT } from "./lib/paths.mjs";

const core = ["run", "sleep", "createTask", "taskGroup", "timeout"];

/** In bytes: the limit keeps what has been reached, the goal is what the design asks for and is not reached yet. */
const budgets = [
  { name: "tasks", imports: core, limit: 18_100, goal: 8_000 },
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
    limit: 22_200,
    goal: 14_000,
  },
];

await buildCorioIfStale();
let failed = 0;
for (const { name, imports, limit, goal } of budgets) {
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
  const ok = gzipped <= limit;
  if (!ok) failed++;
  console.log(
    `${ok ? "ok" : "FAILED"} ${name.padEnd(22)} ${kilobytes(gzipped)} gzipped (limit ${kilobytes(limit)}, goal ${kilobytes(goal)}), ${kilobytes(minified.length)} minified`,
  );
}
console.log(`${budgets.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(2).padStart(6)} kB`;
}
