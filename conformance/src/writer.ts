import type { Block, Field, FunctionDefinition, Program, SharedObject, Statement } from "./program.ts";
import { statementsOf } from "./program.ts";
import { constructOf } from "./constructs/all.ts";

/** One `except` clause: the class as Python calls it, and what it does. */
export interface Handler {
  readonly type: string;
  readonly body: Block;
  readonly reraise: boolean;
}

/** A block with something around it. */
export interface Scope {
  /** The context manager in Python. */
  readonly python: string;
  /** In TypeScript: the function that takes the block as its last argument, and what comes before. */
  readonly callee: string;
  readonly args: readonly string[];
  /** Where what the block is given is kept. */
  readonly slot: string | null;
}

/** A block with something around it that is told nothing of how the block ends: `using` in TypeScript. */
export interface Resource {
  /** The context manager in Python. */
  readonly python: string;
  /** Makes what is disposed of in TypeScript. */
  readonly typescript: string;
  readonly slot: string;
  /** Its end has to be waited for. */
  readonly isAsynchronous: boolean;
}

/** Options of a call: `name=value` in Python, a property in TypeScript. In Python's spelling. */
export type CallOptions = Readonly<Record<string, string>>;

/**
 * Prints a program in one language. A construct describes itself once, in terms of this class; what differs between
 * the languages is behind the abstract methods. What is printed is exactly what is run.
 */
export abstract class Writer {
  readonly #lines: string[] = [];
  #depth = 0;
  /** Every statement has a number, the same in both languages: `log` calls carry it. */
  #labels = new Map<Statement, number>();

  abstract readonly language: "python" | "typescript";

  print(program: Program): string {
    this.#labels = new Map(statementsOf(program).map((statement, index) => [statement, index + 1]));
    for (const object of program.objects) this.object(object);
    for (const definition of program.functions) this.function(definition);
    for (const [index, block] of (program.between ?? []).entries()) {
      this.callback(`between${String(index)}`, () => this.block(block));
    }
    return this.#lines.join("\n") + "\n";
  }

  // ── Expressions ───────────────────────────────────────────────────────────────────────────────────────────────

  /** An identifier, or several joined by dots, in the language's own spelling. */
  abstract name(snakeCase: string): string;
  abstract literal(value: Field): string;
  abstract call(callee: string, args?: readonly string[], options?: CallOptions): string;
  /** The value of something awaitable. */
  abstract wait(expression: string): string;
  abstract thunk(expression: string): string;
  abstract gather(items: readonly string[], returnExceptions: boolean): string;

  /** What the program keeps under this name. */
  slot(name: string): string {
    return `v.${name}`;
  }

  label(statement: Statement, suffix = ""): string {
    return `"${String(this.#labels.get(statement) ?? 0)}${suffix}"`;
  }

  // ── Statements ────────────────────────────────────────────────────────────────────────────────────────────────

  abstract object(object: SharedObject): void;
  abstract function(definition: FunctionDefinition): void;
  abstract statement(text: string): void;
  abstract throw(expression: string): void;
  abstract if(condition: string, body: () => void): void;
  abstract repeat(times: number, body: () => void): void;
  /** For everything in an iterable; `body` is given the name of it. */
  abstract for(iterable: string, body: (each: string) => void): void;
  /** For everything in an asynchronous iterable. */
  abstract forAwait(iterable: string, body: (each: string) => void): void;
  abstract tryCatch(parts: {
    body: () => void;
    /** Which exceptions, in order; every handler logs what it caught. */
    handlers: readonly { type: string; body: () => void; reraise: boolean }[];
    finally?: (() => void) | undefined;
    /** The name of what was caught; Python forgets it at the end of the handler, and so of one inside it. */
    error?: string;
  }): void;
  /** Defines a synchronous function and gives its name. */
  abstract callback(name: string, body: () => void): string;
  /** `async with <call> as v.<slot>:`, or the function that takes the block as its last argument. */
  abstract scope(scope: Scope, body: () => void): void;
  /**
   * `async with <resource> as v.<slot>:`, or what `using` means. It is spelled out, since generator functions cannot
   * wait in an `await using`, and the hosts that have no `using` yet run programs too.
   */
  abstract using(resource: Resource, body: () => void): void;
  abstract pass(): void;
  /** A condition: the expression gives something. */
  abstract isSome(expression: string): string;
  /** Either of several classes, for matching errors. */
  abstract either(classes: readonly string[]): string;
  /** The `async for` of a queue: it ends when the queue is shut down. */
  abstract items(queue: string): string;

  log(statement: Statement, ...values: readonly string[]): void {
    this.statement(`log(${[this.label(statement), ...values].join(", ")})`);
  }

  /** Logs what a synchronous call gives, or what it throws. */
  logAttempt(statement: Statement, expression: string): void {
    this.statement(`attempt(${this.label(statement)}, ${this.thunk(expression)})`);
  }

  logWith(statement: Statement, suffix: string, ...values: readonly string[]): void {
    this.statement(`log(${[this.label(statement, suffix), ...values].join(", ")})`);
  }

  assign(slot: string, expression: string): void {
    this.statement(`${this.slot(slot)} = ${expression}`);
  }

  /** Keeps what tasks may wait for, with the slots it waits for itself. */
  keep(slot: string, expression: string, parts: readonly string[] = []): void {
    this.statement(this.kept(slot, expression, parts));
  }

  /** `keep` as an expression. The rank is taken first: eager tasks begin while the expression is evaluated. */
  kept(slot: string, expression: string, parts: readonly string[] = []): string {
    return `keep("${slot}", rank(${parts.map((part) => this.slot(part)).join(", ")}), ${expression})`;
  }

  block(block: Block): void {
    if (block.length === 0) this.pass();
    for (const statement of block) constructOf(statement).print(statement, this);
  }

  /** Runs `body` only where all the slots are set. */
  ifSet(statement: Statement, slots: readonly string[], body: () => void): void {
    this.#guard(statement, "has", slots, body);
  }

  /**
   * Runs `body` only where the running task may wait for all the slots: a task waits for younger ones only, or a ring
   * of tasks would cancel itself for ever.
   */
  ifWaitable(statement: Statement, slots: readonly string[], body: () => void): void {
    this.#guard(statement, "waitable", slots, body);
  }

  /** Runs `body` only where the future is one of a loop that is closed. */
  ifStale(statement: Statement, slot: string, body: () => void): void {
    this.#guard(statement, "stale", [slot], body);
  }

  #guard(statement: Statement, test: string, slots: readonly string[], body: () => void): void {
    if (slots.length === 0 || statement.sure === true) body();
    else this.if(`${test}(${slots.map((slot) => JSON.stringify(slot)).join(", ")})`, body);
  }

  // ── Lines ─────────────────────────────────────────────────────────────────────────────────────────────────────

  protected line(text: string): void {
    this.#lines.push("  ".repeat(this.#depth) + text);
  }

  protected indented(body: () => void): void {
    this.#depth++;
    body();
    this.#depth--;
  }
}
