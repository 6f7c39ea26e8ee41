// record.ts FILE COUNT: writes down what the programs of the first COUNT seeds do on CPython.
import { writeFileSync } from "node:fs";
import { Maker } from "./maker.ts";
import { loadOracle } from "./oracle.ts";
import type { Trace } from "./trace.ts";

const BATCH = 50;

const [file = "", count = "0"] = process.argv.slice(2);
const oracle = await loadOracle();
const traces: Trace[] = [];
while (traces.length < Number(count)) {
  const first = traces.length + 1;
  traces.push(...oracle.run(Array.from({ length: BATCH }, (_, index) => new Maker(first + index).make())));
}
writeFileSync(file, JSON.stringify(traces));
process.exit(0);
