// replay.ts TOKEN | seed:N [--keep]: runs one program with the platform again, and shows what it does.
import { fromToken } from "../token.ts";
import { ForeignMaker } from "./maker.ts";
import type { ForeignProgram } from "./maker.ts";
import { describe, minimize } from "./report.ts";
import { runForeign } from "./subject.ts";
import { ForeignWriter } from "./writer.ts";

const [token = "", ...options] = process.argv.slice(2);
const seed = /^seed:(\d+)$/.exec(token)?.[1];
const program =
  seed === undefined ? (fromToken(token) as ForeignProgram) : new ForeignMaker(Number(seed)).make();
const outcome = await runForeign(program);
if (outcome.violations.length === 0) {
  console.log(new ForeignWriter().print(program));
  console.log(outcome.log.join("\n"));
  console.log("\nnothing is wrong");
} else {
  const failure = { program, outcome };
  console.log(describe(seed === undefined || options.includes("--keep") ? failure : await minimize(failure)));
}
process.exit(outcome.violations.length === 0 ? 0 : 1);
