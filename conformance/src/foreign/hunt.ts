// hunt.ts COUNT: runs the programs of the first COUNT seeds, up to the first after which something does not hold.
import { writeSync } from "node:fs";
import { ForeignMaker } from "./maker.ts";
import { runForeign } from "./subject.ts";

for (let seed = 1; seed <= Number(process.argv[2]); seed++) {
  writeSync(1, `${String(seed)}\n`);
  const { violations } = await runForeign(new ForeignMaker(seed).make());
  if (violations.length === 0) continue;
  writeSync(1, `found\n`);
  process.exit(0);
}
writeSync(1, "missed\n");
process.exit(0);
