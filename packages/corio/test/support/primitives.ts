/** What the tests of locks and queues share. */
import { sleep } from "corio";
import { assert, hostName, test } from "./harness.ts";
import { testScript, wait } from "./forms.ts";
import type { Form, Script } from "./forms.ts";

/** Lets everything that is ready run, `iterations` times. */
export function* iterate(iterations = 1): Script<void> {
  for (let iteration = 0; iteration < iterations; iteration++) yield* wait(sleep(0));
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
