/** What the tests of locks and queues share. */
import { sleep } from "corio";
import { assert, hostName, test } from "./harness.ts";
import { testScript, wait } from "./forms.ts";
import type { Form, Script } from "./forms.ts";

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

/** Declares a test of how an object is shown. Browsers' consoles do not ask it. */
export function testShown(title: string, body: () => void | PromiseLike<void>): void {
  if (hostName === "browser") test.skip(title, body);
  else test(title, body);
}

/** `testShown` for a script, as `testScript` runs it. */
export function testShownScript(title: string, script: (form: Form) => Script<void>): void {
  if (hostName === "browser") test.skip(title, () => {});
  else testScript(title, script);
}

/** How the hosts' consoles show a value that decides on that itself. */
export function show(value: object): string {
  const inspect = Symbol.for("nodejs.util.inspect.custom");
  return (
    (value as Record<symbol, () => string>)[inspect]?.() ??
    assert.fail("the value does not say how it is shown")
  );
}
