/** What `forms.ts` has for coroutines, for the blocks of scopes; and for errors. */
import type { Form, Script } from "./forms.ts";
import { wait } from "./forms.ts";
import { assert } from "./harness.ts";

/** The block of a `timeout` or `taskGroup`: an async function in the one form, a generator function in the other. */
export function block<Parameters extends unknown[], T>(
  form: Form,
  script: (...parameters: Parameters) => Script<T>,
): (...parameters: Parameters) => Promise<T> {
  const call = form.define(script);
  if (form.name === "native") return async (...parameters) => await call(...parameters);
  const steps = function* (...parameters: Parameters): Generator<never, T, unknown> {
    return yield* call(...parameters) as unknown as Generator<never, T, unknown>;
  };
  return steps as unknown as (...parameters: Parameters) => Promise<T>;
}

type Waited = Parameters<typeof wait>[0];
type ErrorClass<E> = abstract new (...parameters: never[]) => E;

/** Waits for something that must fail, and gives the error. */
export function failureOf(awaitable: Waited): Script<unknown>;
export function failureOf<E>(awaitable: Waited, errorClass: ErrorClass<E>): Script<E>;
export function* failureOf(awaitable: Waited, errorClass?: ErrorClass<unknown>): Script<unknown> {
  let result: unknown;
  try {
    result = yield* wait(awaitable);
  } catch (error) {
    if (errorClass !== undefined && !(error instanceof errorClass)) throw error;
    return error;
  }
  return assert.fail(`expected a failure, got ${String(result)}`);
}

/** The names and messages of a group's errors, nested as they are. */
export function shapeOf(error: unknown): unknown {
  if (error instanceof AggregateError) return (error.errors as unknown[]).map(shapeOf);
  return String(error);
}
