// statistics.ts FROM COUNT: in how many of the programs of COUNT seeds each kind of statement is, and in how many it is
// seen to run.
import { CONSTRUCTS } from "./constructs/all.ts";
import { Maker } from "./maker.ts";
import { statementsOf } from "./program.ts";
import { runOnCorio } from "./subject.ts";

class Tally {
  readonly #programs = new Map<string, number>();
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  /** One more program that has these. */
  add(names: Iterable<string>): void {
    for (const name of new Set(names)) this.#programs.set(name, (this.#programs.get(name) ?? 0) + 1);
  }

  share(name: string): string {
    return `${(((this.#programs.get(name) ?? 0) / this.#count) * 100).toFixed(1)} %`.padStart(8);
  }
}

const [from = 1, count = 1] = process.argv.slice(2).map(Number);
const written = new Tally(count);
const run = new Tally(count);
let statements = 0;
for (let seed = from; seed < from + count; seed++) {
  const program = new Maker(seed).make();
  const kinds = statementsOf(program).map(({ kind }) => kind);
  statements += kinds.length;
  const several = [
    ...(program.mains > 1 ? ["(several runs)"] : []),
    ...((program.restarts ?? []).length > 0 ? ["(several loops)"] : []),
  ];
  written.add([...kinds, ...several]);
  const trace = await runOnCorio(program, "generator");
  // What a statement logs begins with its number.
  const labels = trace.map((event) => Number.parseInt(event.split(" ")[2] ?? "", 10));
  run.add(labels.map((label) => kinds[label - 1] ?? ""));
}

console.log(`${"feature".padEnd(18)}${"statement".padEnd(20)} written     run`);
const rows = CONSTRUCTS.map(({ feature, kind }): [string, string] => [feature, kind]);
for (const [feature, kind] of [
  ...rows,
  ["runners", "(several runs)"],
  ["runners", "(several loops)"],
] as const) {
  console.log(`${feature.padEnd(18)}${kind.padEnd(20)}${written.share(kind)}${run.share(kind)}`);
}
console.log(`${String(count)} programs, ${(statements / count).toFixed(1)} statements each`);
process.exit(0);
