/**
 * A concurrent program in a form that is neither Python nor TypeScript: plain JSON, so that it can be printed in
 * both languages, taken apart by the shrinker and packed into a token.
 */

export type Field = string | number | boolean | null | readonly Field[] | { readonly [key: string]: Field };

/** One statement; the construct of this kind knows its other fields. Every list of statements in it is a block. */
export interface Statement {
  readonly kind: string;
  /** The guard in front of the statement is known to hold, or wanted to fail: the shrinker leaves it out. */
  readonly sure?: boolean;
}

export type Block = readonly Statement[];

/** A coroutine function. It may call and spawn only later ones, so that every program ends. */
export interface FunctionDefinition {
  readonly name: string;
  readonly body: Block;
}

/** A lock, queue, event, …: made before the program starts. */
export interface SharedObject {
  readonly name: string;
  readonly type: string;
  readonly args: readonly (number | string)[];
  readonly options?: Readonly<Record<string, number>>;
}

export interface Program {
  readonly objects: readonly SharedObject[];
  readonly functions: readonly FunctionDefinition[];
  /** How many of the first functions are run, one after the other, by one Runner. */
  readonly mains: number;
  /** Which of them have a new Runner, and so another loop; the one before is closed. */
  readonly restarts?: readonly number[];
  /** What is done after each of them but the last, outside of the loop. */
  readonly between?: readonly Block[];
  /** The loop has the eager task factory. */
  readonly eager: boolean;
}

export function isStatement(value: unknown): value is Statement {
  return (
    typeof value === "object" && value !== null && typeof (value as { kind?: unknown }).kind === "string"
  );
}

export function isBlock(value: unknown): value is Block {
  return Array.isArray(value) && value.every(isStatement);
}

/** Every statement of the program, the outer ones before those inside them. */
export function statementsOf(program: Program): Statement[] {
  const found: Statement[] = [];
  const visit = (value: unknown): void => {
    if (isStatement(value)) found.push(value);
    if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
  };
  for (const { body } of program.functions) visit(body);
  visit(program.between);
  return found;
}

/** Native async functions cannot begin eagerly as asyncio's do: only generator coroutines are compared then. */
export function usesEagerTasks(program: Program): boolean {
  return (
    program.eager ||
    statementsOf(program).some((statement) => "eager" in statement && statement.eager === true)
  );
}
