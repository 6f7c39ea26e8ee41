import type { Block, Statement } from "../program.ts";
import { statementsOf } from "../program.ts";
import type { ForeignProgram } from "./maker.ts";
import { kindOf } from "./statements.ts";
import type { Form, Source } from "./statements.ts";

/** Prints a program; what is printed is what is run. */
export class ForeignWriter {
  readonly #lines: string[] = [];
  #depth = 0;
  #labels = new Map<Statement, number>();
  /** Of the function that is being printed. */
  form: Form = "native";

  print(program: ForeignProgram): string {
    this.#labels = new Map(statementsOf(program).map((statement, index) => [statement, index + 1]));
    for (const definition of program.functions) {
      const { name, form, body } = definition;
      const head = form === "native" ? "async function" : "function*";
      this.inForm(form, () => {
        this.braces(
          `const ${name} = coroutine(${head} ${name}(self, store) {`,
          () => {
            this.line(`w.enter(self, store, "${name}");`);
            this.block(body);
          },
          "});",
        );
      });
    }
    return `${this.#lines.join("\n")}\n`;
  }

  label(statement: Statement): number {
    return this.#labels.get(statement) ?? 0;
  }

  /** The value of something of corio's. */
  wait(expression: string): string {
    return this.form === "native" ? `await ${expression}` : `yield* ${expression}`;
  }

  source({ type, argument }: Source): string {
    return `${type === "sleep" ? "" : "platform."}${type}(${JSON.stringify(argument)})`;
  }

  line(text: string): void {
    this.#lines.push(`${"  ".repeat(this.#depth)}${text}`);
  }

  braces(head: string, body: () => void, tail = "}"): void {
    this.line(head);
    this.#depth++;
    body();
    this.#depth--;
    this.line(tail);
  }

  block(block: Block): void {
    for (const statement of block) kindOf(statement).print(statement, this);
  }

  inForm(form: Form, body: () => void): void {
    const outer = this.form;
    this.form = form;
    body();
    this.form = outer;
  }

  /** What only a native function can do. */
  natively(body: () => void): void {
    if (this.form === "native") {
      body();
      return;
    }
    this.inForm("native", () => {
      this.braces("yield* coroutine(async () => {", body, "})();");
    });
  }

  /** A block that is given as a function: the call up to it, and what it is given. */
  scope(head: string, form: Form, parameter: string, body: () => void): void {
    const start = this.wait(head);
    const callee = form === "native" ? `async (${parameter}) => {` : `function* (${parameter}) {`;
    this.inForm(form, () => {
      this.braces(`${start}${callee}`, body, "});");
    });
  }

  /** Looks around. */
  at(statement: Statement): void {
    this.line(`w.at(self, store, ${String(this.label(statement))});`);
  }

  waited(statement: Statement, expression: string): void {
    this.line(`${expression};`);
    this.at(statement);
  }

  attempt(statement: Statement, rethrow: boolean, body: () => void, handler: Block = []): void {
    this.braces("try {", body);
    this.braces("catch (error) {", () => {
      this.line(`w.caught(self, store, error, ${String(this.label(statement))});`);
      this.block(handler);
      if (rethrow) this.line("throw error;");
    });
  }
}
