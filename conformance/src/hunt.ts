// hunt.ts FILE: compares the programs with the traces that `record.ts` wrote, up to the first difference.
import { readFileSync, writeSync } from "node:fs";
import { compare } from "./compare.ts";
import { Maker } from "./maker.ts";
import type { Trace } from "./trace.ts";

const traces = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Trace[];
for (const [index, expected] of traces.entries()) {
  const seed = index + 1;
  writeSync(1, `${String(seed)}\n`);
  if ((await compare(new Maker(seed).make(), expected)) === undefined) continue;
  writeSync(1, "found\n");
  process.exit(0);
}
writeSync(1, "missed\n");
process.exit(0);
