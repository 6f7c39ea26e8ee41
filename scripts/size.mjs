// npm run size: what a page pays for parts of corio. With --why: what would be left without this and that.
import process from "node:process";
import { buildCorioIfStale } from "./lib/build.mjs";
import { bundle, kilobytes, sizeOf } from "./lib/bundle-size.mjs";
import { printSizeReasons } from "./lib/size-reasons.mjs";

const core = ["run", "sleep", "createTask", "taskGroup", "timeout"];
const primitives = ["Lock", "Event", "Condition", "Semaphore", "BoundedSemaphore", "Barrier"];
const queues = ["Queue", "PriorityQueue", "LifoQueue"];

/** @param {readonly string[]} imports */
const importing = (imports) => `export { ${imports.join(", ")} } from "corio";`;

/** In bytes: the limit keeps what has been reached, the goal is what the design asks for and is not reached yet. */
const budgets = [
  { name: "tasks", contents: importing(core), limit: 18_200, goal: 8_000 },
  {
    name: "tasks, locks, queues",
    contents: importing([...core, ...primitives, ...queues]),
    limit: 22_300,
    goal: 14_000,
  },
];

await buildCorioIfStale();
let failed = 0;
for (const { name, contents, limit, goal } of budgets) {
  const { minified, gzipped } = sizeOf((await bundle(contents)).code);
  const ok = gzipped <= limit;
  if (!ok) failed++;
  console.log(
    `${ok ? "ok" : "FAILED"} ${name.padEnd(22)} ${kilobytes(gzipped)} gzipped (limit ${kilobytes(limit)}, goal ${kilobytes(goal)}), ${kilobytes(minified)} minified`,
  );
}
console.log(`${budgets.length - failed} passed, ${failed} failed`);
if (process.argv.includes("--why")) await printSizeReasons(budgets);
process.exitCode = failed > 0 ? 1 : 0;
