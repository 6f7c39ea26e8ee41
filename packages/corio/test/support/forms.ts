/** Tests that hold for both forms of a coroutine: the scenario is written once, as a script, and run as each. */
import { coroutine, run } from "corio";
import type { Coroutine } from "corio";
import { VirtualClock } from "corio/testing";
import { test } from "./harness.ts";

/** A body that waits with `yield* wait(…)`: an `await` in the one form, a `yield*` in the other. */
export type Script<T> = Generator<Corio<unknown>, T, unknown>;

type Corio<T> = PromiseLike<T> & { [Symbol.iterator](): Iterator<unknown, T, unknown> };

export interface Form {
  readonly name: "native" | "generator";
  /** Makes a coroutine function of a script. */
  define<Parameters extends unknown[], T>(
    script: (...parameters: Parameters) => Script<T>,
  ): (...parameters: Parameters) => Coroutine<T>;
}

export function* wait<T>(awaitable: Corio<T>): Script<T> {
  return (yield awaitable) as T;
}

function named<Callee extends object>(name: string, callee: Callee): Callee {
  return Object.defineProperty(callee, "name", { value: name });
}

const native: Form = {
  name: "native",
  define: <Parameters extends unknown[], T>(script: (...parameters: Parameters) => Script<T>) =>
    coroutine(
      named(script.name, async (...parameters: Parameters): Promise<T> => {
        const steps = script(...parameters);
        let step = steps.next();
        while (step.done !== true) {
          let value: unknown;
          try {
            value = await step.value;
          } catch (error) {
            step = steps.throw(error);
            continue;
          }
          step = steps.next(value);
        }
        return step.value;
      }),
    ),
};

const generator: Form = {
  name: "generator",
  define: <Parameters extends unknown[], T>(script: (...parameters: Parameters) => Script<T>) =>
    coroutine(
      named(script.name, function* (...parameters: Parameters): Generator<never, T, unknown> {
        const steps = script(...parameters);
        let step = steps.next();
        while (step.done !== true) {
          let value: unknown;
          try {
            value = yield* step.value as unknown as Generator<never, unknown, unknown>;
          } catch (error) {
            step = steps.throw(error);
            continue;
          }
          step = steps.next(value);
        }
        return step.value;
      }),
    ),
};

export const forms: readonly Form[] = [native, generator];

/** Declares a test for each form; its name goes before the CPython tests that the title may end with. */
export function testForms(title: string, body: (form: Form) => void | PromiseLike<void>): void {
  const [, text = title, restated = ""] = /^(.*?)( \[.*\])?$/.exec(title) ?? [];
  for (const form of forms) test(`${text} (${form.name})${restated}`, () => body(form));
}

/** Declares a test for each form whose script runs as a program of its own, under virtual time. */
export function testScript(title: string, script: (form: Form) => Script<void>): void {
  testForms(title, (form) => run(form.define(script)(form), { clock: new VirtualClock() }));
}
