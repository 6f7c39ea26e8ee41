import { shrink } from "../shrink.ts";
import { toToken } from "../token.ts";
import type { ForeignProgram } from "./maker.ts";
import type { Outcome } from "./subject.ts";
import { runForeign } from "./subject.ts";
import { ForeignWriter } from "./writer.ts";

/** Events before the first violation that are shown. */
const CONTEXT = 20;

/** A program after which something did not hold. */
export interface Failure {
  readonly program: ForeignProgram;
  readonly outcome: Outcome;
}

/** Runs the program; undefined when all is well. */
export async function examine(
  program: ForeignProgram,
): Promise<{ failure: Failure | undefined; checks: number }> {
  const outcome = await runForeign(program);
  const failure = outcome.violations.length === 0 ? undefined : { program, outcome };
  return { failure, checks: outcome.checks };
}

/** The smallest program found after which the same does not hold. */
export async function minimize(failure: Failure): Promise<Failure> {
  let smallest = failure;
  const wanted = symptom(failure.outcome);
  await shrink(failure.program, async (candidate) => {
    const program = candidate as ForeignProgram;
    const outcome = await tryToRun(program);
    if (outcome === undefined || symptom(outcome) !== wanted) return false;
    smallest = { program, outcome };
    return true;
  });
  return smallest;
}

/** Undefined when it cannot be run: the shrinker may have made a program that is none. */
async function tryToRun(program: ForeignProgram): Promise<Outcome | undefined> {
  try {
    return await runForeign(program);
  } catch {
    return undefined;
  }
}

/** The first violation, without what differs from program to program. */
function symptom({ violations }: Outcome): string {
  return (violations[0] ?? "").split("\n")[0]?.replace(/Task-\d+|\d+/g, "#") ?? "";
}

export function describe({ program, outcome }: Failure): string {
  const first = outcome.log.findIndex((line) => line.startsWith("VIOLATION"));
  const end = first === -1 ? outcome.log.length : first + 1;
  return [
    new ForeignWriter().print(program),
    `  time goes by ${program.clock === "jumps" ? "jumps" : "steps"}`,
    ...outcome.log.slice(Math.max(0, end - CONTEXT), end).map((line) => `  ${line}`),
    "",
    ...outcome.violations,
    "",
    `npm run conformance -- --foreign --replay ${toToken(program)}`,
  ].join("\n");
}
