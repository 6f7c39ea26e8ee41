// What a server tells the benchmark: its port, and for each line of its standard input what it has used so far.
import process from "node:process";
import { collectGarbage } from "../../lib/collect-garbage.mjs";

/** The size of a framed message, in bytes. */
export const FRAME = 1024;

/** @param {number} port */
export function report(port) {
  console.log(JSON.stringify({ port }));
  process.stdin.on("data", () => {
    const { user, system } = process.cpuUsage();
    // What the first one finalizes goes with the next.
    for (let i = 0; i < 3; i++) collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    console.log(JSON.stringify({ cpuSeconds: (user + system) / 1e6, heapBytes: heapUsed, rssBytes: rss }));
  });
  process.stdin.on("end", () => process.exit(0));
}
