import type { Field, FunctionDefinition, Program, SharedObject } from "./program.ts";
import type { CallOptions, Resource, Scope } from "./writer.ts";
import { Writer } from "./writer.ts";

/** The two ways to write a coroutine. */
export type Form = "native" | "generator";

/** The program as a TypeScript module; `subject.ts` has the names it uses. */
export function toTypeScript(program: Program, form: Form): string {
  return new TypeScriptWriter(form).print(program);
}

class TypeScriptWriter extends Writer {
  readonly language = "typescript";
  readonly #form: Form;

  constructor(form: Form) {
    super();
    this.#form = form;
  }

  override name(snakeCase: string): string {
    return snakeCase.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  }

  override literal(value: Field): string {
    return JSON.stringify(value);
  }

  override call(callee: string, args: readonly string[] = [], options: CallOptions = {}): string {
    const properties = Object.entries(options).map(([key, value]) => `${this.name(key)}: ${value}`);
    const last = properties.length > 0 ? [`{ ${properties.join(", ")} }`] : [];
    return `${this.name(callee)}(${[...args, ...last].join(", ")})`;
  }

  override wait(expression: string): string {
    return this.#form === "native" ? `await ${expression}` : `yield* ${expression}`;
  }

  override thunk(expression: string): string {
    return `() => ${expression}`;
  }

  override gather(items: readonly string[], returnExceptions: boolean): string {
    return `gather([${items.join(", ")}]${returnExceptions ? ", { returnExceptions: true }" : ""})`;
  }

  override object({ name, type, args, options }: SharedObject): void {
    const keywords = Object.fromEntries(
      Object.entries(options ?? {}).map(([key, value]) => [key, String(value)]),
    );
    this.line(
      `const ${name} = new ${this.call(type, args.map(String), keywords).replace(/^./, (c) => c.toUpperCase())};`,
    );
  }

  override function({ name, body }: FunctionDefinition): void {
    this.line(
      `const ${name} = coroutine(${this.#form === "native" ? "async function" : "function*"} ${name}() {`,
    );
    this.indented(() => {
      this.line(`enter("${name}");`);
      this.block(body);
    });
    this.line("});");
  }

  override statement(text: string): void {
    this.line(`${text};`);
  }

  override throw(expression: string): void {
    this.line(`throw ${expression};`);
  }

  override pass(): void {
    // An empty block needs nothing in it.
  }

  override if(condition: string, body: () => void): void {
    this.#compound(`if (${condition})`, body);
  }

  override repeat(times: number, body: () => void): void {
    this.#compound(`for (let i = 0; i < ${String(times)}; i++)`, body);
  }

  override for(iterable: string, body: (each: string) => void): void {
    this.#compound(`for (const each of ${iterable})`, () => body("each"));
  }

  override forAwait(iterable: string, body: (each: string) => void): void {
    if (this.#form === "native") {
      this.#compound(`for await (const each of ${iterable})`, () => body("each"));
      return;
    }
    // Generator functions have no `for await`.
    this.#compound(`for (const iterator = ${iterable}[Symbol.asyncIterator](); ; )`, () => {
      this.line("const next = yield* iterator.next();");
      this.line("if (next.done) break;");
      body("next.value");
    });
  }

  override tryCatch({ body, handlers, finally: last, error = "e" }: Parameters<Writer["tryCatch"]>[0]): void {
    this.line("try {");
    this.indented(body);
    if (handlers.length > 0) {
      this.line(`} catch (${error}) {`);
      this.indented(() => {
        handlers.forEach((handler, index) => {
          this.line(`${index === 0 ? "" : "} else "}if (isA(${error}, "${handler.type}")) {`);
          this.indented(() => {
            handler.body();
            if (handler.reraise) this.line(`throw ${error};`);
          });
        });
        this.line(`} else throw ${error};`);
      });
    }
    if (last !== undefined) {
      this.line("} finally {");
      this.indented(last);
    }
    this.line("}");
  }

  override callback(name: string, body: () => void): string {
    this.line(`const ${name} = () => {`);
    this.indented(body);
    this.line("};");
    return name;
  }

  override scope({ callee, args, slot }: Scope, body: () => void): void {
    const parameter = slot === null ? "" : "scope";
    const lambda = this.#form === "native" ? `async (${parameter}) => {` : `function* (${parameter}) {`;
    this.line(this.wait(`${this.name(callee)}(${[...args, lambda].join(", ")}`));
    this.indented(() => {
      if (slot !== null) this.line(`${this.slot(slot)} = scope;`);
      body();
    });
    this.line("});");
  }

  override using({ typescript, slot, isAsynchronous }: Resource, body: () => void): void {
    this.line("{");
    this.indented(() => {
      this.line(`const resource = ${typescript};`);
      this.line(`${this.slot(slot)} = resource;`);
      this.line("try {");
      this.indented(body);
      this.line("} finally {");
      this.indented(() => {
        if (!isAsynchronous) this.line("resource[Symbol.dispose]();");
        else if (this.#form === "native") this.line("await resource[Symbol.asyncDispose]();");
        else this.line("yield* disposed(resource);");
      });
      this.line("}");
    });
    this.line("}");
  }

  override isSome(expression: string): string {
    return `${expression} !== null`;
  }

  override either(classes: readonly string[]): string {
    return `[${classes.join(", ")}]`;
  }

  override items(queue: string): string {
    return queue;
  }

  #compound(header: string, body: () => void): void {
    this.line(`${header} {`);
    this.indented(body);
    this.line("}");
  }
}
