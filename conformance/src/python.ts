import type { Field, FunctionDefinition, Program, SharedObject } from "./program.ts";
import type { CallOptions, Resource, Scope } from "./writer.ts";
import { Writer } from "./writer.ts";

/** The program as a Python module; `oracle.py` has the names it uses. */
export function toPython(program: Program): string {
  return new PythonWriter().print(program);
}

class PythonWriter extends Writer {
  readonly language = "python";

  override name(snakeCase: string): string {
    return snakeCase;
  }

  override literal(value: Field): string {
    if (value === null) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    return JSON.stringify(value);
  }

  override call(callee: string, args: readonly string[] = [], options: CallOptions = {}): string {
    const keywords = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    return `${callee}(${[...args, ...keywords].join(", ")})`;
  }

  override wait(expression: string): string {
    return `await ${expression}`;
  }

  override thunk(expression: string): string {
    return `lambda: ${expression}`;
  }

  override gather(items: readonly string[], returnExceptions: boolean): string {
    return this.call("gather", items, returnExceptions ? { return_exceptions: "True" } : {});
  }

  override object({ name, type, args, options }: SharedObject): void {
    const keywords = Object.fromEntries(
      Object.entries(options ?? {}).map(([key, value]) => [key, String(value)]),
    );
    const values = args.map((arg) => (typeof arg === "string" && !arg.startsWith('"') ? arg : String(arg)));
    this.line(`${name} = ${this.call(type, values, keywords)}`);
  }

  override function({ name, body }: FunctionDefinition): void {
    this.line(`async def ${name}():`);
    this.indented(() => {
      this.line(`enter("${name}")`);
      this.block(body);
    });
  }

  override statement(text: string): void {
    this.line(text);
  }

  override throw(expression: string): void {
    this.line(`raise ${expression}`);
  }

  override pass(): void {
    this.line("pass");
  }

  override if(condition: string, body: () => void): void {
    this.#compound(`if ${condition}`, body);
  }

  override repeat(times: number, body: () => void): void {
    this.#compound(`for _ in range(${String(times)})`, body);
  }

  override for(iterable: string, body: (each: string) => void): void {
    this.#compound(`for each in ${iterable}`, () => body("each"));
  }

  override forAwait(iterable: string, body: (each: string) => void): void {
    this.#compound(`async for each in ${iterable}`, () => body("each"));
  }

  override tryCatch({ body, handlers, finally: last, error = "e" }: Parameters<Writer["tryCatch"]>[0]): void {
    this.#compound("try", body);
    for (const handler of handlers) {
      this.#compound(`except ${handler.type} as ${error}`, () => {
        handler.body();
        if (handler.reraise) this.line("raise");
      });
    }
    if (last !== undefined) this.#compound("finally", last);
  }

  override callback(name: string, body: () => void): string {
    this.#compound(`def ${name}(*_)`, body);
    return name;
  }

  override scope({ python, slot }: Scope, body: () => void): void {
    this.#compound(`async with ${python}${slot === null ? "" : ` as ${this.slot(slot)}`}`, body);
  }

  override using({ python, slot }: Resource, body: () => void): void {
    this.scope({ python, callee: "", args: [], slot }, body);
  }

  override isSome(expression: string): string {
    return `${expression} is not None`;
  }

  override either(classes: readonly string[]): string {
    return `(${classes.join(", ")},)`;
  }

  override items(queue: string): string {
    return `items(${queue})`;
  }

  #compound(header: string, body: () => void): void {
    this.line(`${header}:`);
    this.indented(body);
  }
}
