// replay.ts TOKEN | seed:N [--keep]: runs one program again and shows what it does.
import { compare, minimize } from "./compare.ts";
import { Maker } from "./maker.ts";
import { loadOracle } from "./oracle.ts";
import { toPython } from "./python.ts";
import { describe } from "./report.ts";
import { fromToken } from "./token.ts";

const [token = "", ...options] = process.argv.slice(2);
const seed = /^seed:(\d+)$/.exec(token)?.[1];
const program = seed === undefined ? fromToken(token) : new Maker(Number(seed)).make();
const oracle = await loadOracle();
const expected = oracle.run([program])[0] ?? [];
const difference = await compare(program, expected);
if (difference === undefined) {
  console.log(toPython(program));
  console.log(expected.join("\n"));
  console.log(`\nno difference in ${String(expected.length)} events`);
} else {
  const shown =
    seed === undefined || options.includes("--keep") ? difference : await minimize(difference, oracle);
  console.log(describe(shown));
}
process.exit(difference === undefined ? 0 : 1);
