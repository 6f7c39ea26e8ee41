/** Tests that need what not every machine has. */
import { run } from "corio";
import { test } from "../harness.ts";

type Body = () => void | PromiseLike<void>;

/**
 * Gives a function that declares tests as `test` does. Where something is `missing` (in words; null: nothing is) they
 * are skipped, and say so; in CI they fail. `what` names them: "tests that need a PostgreSQL server".
 */
export function testsThatRequire(what: string, missing: string | null): (title: string, body: Body) => void {
  if (missing === null || process.env["CI"] !== undefined) return test;
  let hasSaidWhy = false;
  return (title, body) => {
    if (!hasSaidWhy) console.log(`skipped: ${what}: ${missing}`);
    hasSaidWhy = true;
    console.log(`skipped: ${title}`);
    test.skip(title, body);
  };
}

/** Runs `attempt` as a program. Gives what it throws, in words; null when it throws nothing. */
export async function whyItFails(attempt: () => Promise<unknown>): Promise<string | null> {
  try {
    await run(attempt);
    return null;
  } catch (error) {
    return String(error);
  }
}
