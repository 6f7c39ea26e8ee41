import type { Oracle } from "./oracle.ts";
import type { Program } from "./program.ts";
import { usesEagerTasks } from "./program.ts";
import { shrink } from "./shrink.ts";
import { runOnCorio } from "./subject.ts";
import type { Trace } from "./trace.ts";
import { firstDifference } from "./trace.ts";
import type { Form } from "./typescript.ts";

/** A program that does not do the same on corio as on CPython. */
export interface Difference {
  readonly program: Program;
  readonly form: Form;
  readonly expected: Trace;
  readonly actual: Trace;
}

/** In which forms the program can be compared: native functions begin eagerly only up to their first `await`. */
function formsOf(program: Program): readonly Form[] {
  return usesEagerTasks(program) ? ["generator"] : ["native", "generator"];
}

/** Runs the program on corio, in both forms; the first difference from what CPython did. */
export async function compare(program: Program, expected: Trace): Promise<Difference | undefined> {
  for (const form of formsOf(program)) {
    const actual = await runOnCorio(program, form);
    if (firstDifference(expected, actual) !== undefined) return { program, form, expected, actual };
  }
  return undefined;
}

/** The smallest program that still differs, in the same form. */
export async function minimize(difference: Difference, oracle: Oracle): Promise<Difference> {
  const { form } = difference;
  let smallest = difference;
  await shrink(difference.program, async (program) => {
    if (!formsOf(program).includes(form)) return false;
    const expected = runAlone(oracle, program);
    if (expected === undefined || expected.some(isMistake)) return false;
    const actual = await runOnCorio(program, form);
    if (firstDifference(expected, actual) === undefined) return false;
    smallest = { program, form, expected, actual };
    return true;
  });
  return smallest;
}

/** Undefined when CPython cannot run it: the shrinker may have made a program that is none. */
function runAlone(oracle: Oracle, program: Program): Trace | undefined {
  try {
    return oracle.run([program])[0];
  } catch {
    return undefined;
  }
}

/** The program itself is wrong: it uses what is not there. */
function isMistake(event: string): boolean {
  return /AttributeError|NameError|UnboundLocalError/.test(event);
}
