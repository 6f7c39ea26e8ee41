/** What the tests of locks and queues share. */
import { sleep } from "corio";
import { assert } from "./harness.ts";
import { wait } from "./forms.ts";
import type { Script } from "./forms.ts";

type ErrorClass<E> = abstract new (...parameters: never[]) => E;

/** Lets everything that is ready run, `iterations` times. */
export function* iterate(iterations = 1): Script<void> {
  for (let iteration = 0; iteration < iterations; iteration++) yield* wait(sleep(0));
}

/** Waits for what must fail, and gives the error. */
export function* failure<E>(awaitable: Parameters<typeof wait>[0], expected: ErrorClass<E>): Script<E> {
  try {
    yield* wait(awaitable);
  } catch (error) {
    if (!(error instanceof expected)) throw error;
    return error;
  }
  return assert.fail(`expected a ${expected.name}`);
}

/** How the hosts' consoles show a value that decides on that itself. */
export function show(value: object): string {
  const inspect = Symbol.for("nodejs.util.inspect.custom");
  return (
    (value as Record<symbol, () => string>)[inspect]?.() ??
    assert.fail("the value does not say how it is shown")
  );
}
