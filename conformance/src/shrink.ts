import type { Block, Program, Statement } from "./program.ts";
import { isBlock, isStatement, statementsOf } from "./program.ts";

/**
 * The smallest program found for which `fails` still holds: statements are left out, blocks are replaced by what is
 * in them, values by simpler ones, as long as anything of that succeeds.
 */
export async function shrink(
  program: Program,
  fails: (program: Program) => Promise<boolean>,
): Promise<Program> {
  let smallest = program;
  for (let progress = true; progress;) {
    progress = false;
    // After a success the search goes on from where it was: what failed before seldom succeeds now.
    for (let skip = 0; ;) {
      let tried = 0;
      let found: Program | undefined;
      for (const candidate of smaller(smallest)) {
        if (tried++ < skip) continue;
        if (await fails(candidate)) {
          found = candidate;
          break;
        }
      }
      if (found === undefined) break;
      smallest = found;
      skip = Math.max(0, tried - 1);
      progress = true;
    }
  }
  return smallest;
}

/** Programs that are a little smaller than this one, the boldest first. */
function* smaller(program: Program): Generator<Program> {
  yield* withoutUnused(program);
  for (const [index, definition] of program.functions.entries()) {
    for (const body of smallerBlocks(definition.body)) {
      const functions = program.functions.with(index, { ...definition, body });
      yield { ...program, functions };
    }
  }
  if (program.eager) yield { ...program, eager: false };
  if (program.mains > 1) yield { ...program, mains: 1, restarts: [], between: [] };
  for (const [index, block] of (program.between ?? []).entries()) {
    for (const smallerBlock of smallerBlocks(block)) {
      yield { ...program, between: (program.between ?? []).with(index, smallerBlock) };
    }
  }
  for (const restarts of shorterLists(program.restarts ?? [])) yield { ...program, restarts };
}

/** Functions that nobody calls and objects that nobody uses only make the program longer to read. */
function* withoutUnused(program: Program): Generator<Program> {
  for (const index of [...program.functions.keys()].reverse()) {
    if (index < program.mains) continue;
    const { name } = program.functions[index] ?? { name: "" };
    const rest = { ...program, functions: program.functions.toSpliced(index, 1) };
    if (!mentions([rest.functions, rest.between], name)) yield rest;
  }
  for (const [index, { name }] of program.objects.entries()) {
    const objects = program.objects.toSpliced(index, 1);
    if (!mentions([program.functions, program.between, objects.map(({ args }) => args)], name))
      yield { ...program, objects };
  }
}

function mentions(value: unknown, name: string): boolean {
  if (value === name) return true;
  return (
    typeof value === "object" && value !== null && Object.values(value).some((each) => mentions(each, name))
  );
}

function* smallerBlocks(block: Block): Generator<Block> {
  yield* shorterLists(block);
  for (const [index, statement] of block.entries()) {
    for (const inner of blocksIn(statement)) yield block.toSpliced(index, 1, ...inner);
    for (const simpler of simplerValues(statement)) yield block.with(index, simpler as Statement);
  }
}

/** The list without a part of it: all, halves, quarters, …, single items. */
function* shorterLists<T>(list: readonly T[]): Generator<T[]> {
  for (let size = list.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = list.length - size; start >= 0; start -= size) yield list.toSpliced(start, size);
  }
}

/** The blocks directly inside a statement. */
function blocksIn(statement: Statement): Block[] {
  const found: Block[] = [];
  const visit = (value: unknown): void => {
    if (isStatement(value)) return;
    if (isBlock(value) && value.length > 0) found.push(value);
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
  };
  Object.values(statement).forEach(visit);
  return found;
}

/** The value with one thing in it made simpler. */
function* simplerValues(value: unknown, key = ""): Generator {
  if (typeof value === "number") {
    if (value !== 0) yield 0;
    if (value !== 1 && value !== 0) yield 1;
  } else if (typeof value === "boolean") {
    if (value) yield false;
  } else if (isBlock(value) && value.length > 0) yield* smallerBlocks(value);
  else if (Array.isArray(value)) {
    // A call without its arguments is another call.
    if (key !== "args") yield* shorterLists(value);
    for (const [index, item] of value.entries()) {
      for (const simpler of simplerValues(item)) yield value.with(index, simpler);
    }
  } else if (typeof value === "object" && value !== null) {
    if (isStatement(value) && value.sure !== true) yield { ...value, sure: true };
    for (const [name, field] of Object.entries(value)) {
      if (name === "sure") continue;
      for (const simpler of simplerValues(field, name)) yield { ...value, [name]: simpler };
    }
  } else if (key === "message" && value !== null) yield null;
}

/** How long a program is, for reports. */
export function sizeOf(program: Program): number {
  return statementsOf(program).length;
}
