// worker.ts FROM COUNT MOST: compares the programs of COUNT seeds, and stops after MOST differences.
import { compare, minimize } from "./compare.ts";
import { Maker } from "./maker.ts";
import { tell } from "./messages.ts";
import { loadOracle } from "./oracle.ts";
import type { Program } from "./program.ts";
import { describe } from "./report.ts";
import type { Trace } from "./trace.ts";

const BATCH = 25;

const [from = 1, count = 1, most = 1] = process.argv.slice(2).map(Number);
const oracle = await loadOracle();
let programs = 0;
let events = 0;
let differences = 0;

for (let start = from; start < from + count && differences < most; start += BATCH) {
  const seeds = Array.from({ length: Math.min(BATCH, from + count - start) }, (_, index) => start + index);
  const batch = seeds.map((seed) => new Maker(seed).make());
  tell({ type: "at", seed: start });
  const traces = runBatch(start, batch);
  for (const [index, program] of batch.entries()) {
    const seed = start + index;
    const expected = traces[index] ?? [];
    tell({ type: "at", seed });
    const difference = await compare(program, expected);
    programs++;
    events += expected.length;
    if (difference === undefined) continue;
    differences++;
    tell({ type: "difference", seed, report: describe(await minimize(difference, oracle)) });
    if (differences === most) break;
  }
}
tell({ type: "done", programs, events });
process.exit(0);

/** All at once, since that is cheaper; one by one where that fails, to know which program it is. */
function runBatch(start: number, batch: readonly Program[]): Trace[] {
  try {
    return oracle.run(batch);
  } catch {
    return batch.flatMap((program, index) => {
      tell({ type: "at", seed: start + index });
      return oracle.run([program]);
    });
  }
}
