// worker.ts FROM COUNT MOST: runs the programs of COUNT seeds, and stops after MOST after which something did not hold.
import { tell } from "../messages.ts";
import { ForeignMaker } from "./maker.ts";
import { describe, examine, minimize } from "./report.ts";

const [from = 1, count = 1, most = 1] = process.argv.slice(2).map(Number);
let programs = 0;
let events = 0;
let failures = 0;

for (let seed = from; seed < from + count && failures < most; seed++) {
  tell({ type: "at", seed });
  const { failure, checks } = await examine(new ForeignMaker(seed).make());
  programs++;
  events += checks;
  if (failure === undefined) continue;
  failures++;
  tell({ type: "difference", seed, report: describe(await minimize(failure)) });
}
tell({ type: "done", programs, events });
process.exit(0);
