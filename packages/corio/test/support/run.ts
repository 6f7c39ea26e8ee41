/**
 * Runs test files with mocha on any host, and reports to `scripts/test-host.mjs` by lines on the console: the
 * mark, then a JSON event. Whatever else the tests print is passed through.
 */
import Mocha, { type Runner } from "mocha";
import { takeUnhandledRejections, watchUnhandledRejections } from "./unhandled.ts";

export const EVENT_MARK = "\u001ecorio-test ";

export type TestEvent =
  | { type: "start" | "pass" | "skip"; title: string }
  | { type: "fail"; title: string; error: string }
  | { type: "end" };

export interface RunOptions {
  /** Loads the test files, one after the other. */
  files: readonly (() => Promise<unknown>)[];
  grep?: string | undefined;
  /** Milliseconds until a test that does not end is reported as failed. */
  timeout: number;
  /** Whether a forgotten `.only` fails the run. */
  forbidOnly: boolean;
}

export async function runTests(options: RunOptions): Promise<void> {
  const mocha = new Mocha({
    ui: "bdd",
    timeout: options.timeout,
    forbidOnly: options.forbidOnly,
    reporter: Reporter,
    ...(options.grep !== undefined && { grep: options.grep }),
  });
  mocha.suite.emit("pre-require", globalThis, "", mocha);
  for (const load of options.files) await load();
  watchUnhandledRejections();
  await new Promise<void>((resolve) => {
    mocha.run(() => {
      resolve();
    });
  });
  // Some hosts notice them a moment late.
  await new Promise((resolve) => setTimeout(resolve, 50));
  reportUnhandled("(after the last test)");
  report({ type: "end" });
}

// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- mocha takes a class.
class Reporter {
  constructor(runner: Runner) {
    // Of all files together, before the first test: servers are started there, one after the other, and none hangs.
    runner.on("hook", (hook) => {
      report({ type: "start", title: hook.fullTitle() });
    });
    runner.on("test", (test) => {
      report({ type: "start", title: test.fullTitle() });
    });
    runner.on("pass", (test) => {
      if (!reportUnhandled(test.fullTitle())) report({ type: "pass", title: test.fullTitle() });
    });
    runner.on("pending", (test) => {
      report({ type: "skip", title: test.fullTitle() });
    });
    runner.on("fail", (test, error) => {
      const errors = [error, ...takeUnhandledRejections()].map(describeError);
      report({ type: "fail", title: test.fullTitle(), error: errors.join("\nunhandled rejection: ") });
    });
  }
}

/** Reports them as the failure of a test. Returns whether there were any. */
function reportUnhandled(title: string): boolean {
  const reasons = takeUnhandledRejections();
  if (reasons.length === 0) return false;
  const error = reasons.map((reason) => `unhandled rejection: ${describeError(reason)}`).join("\n");
  report({ type: "fail", title, error });
  return true;
}

function report(event: TestEvent): void {
  console.log(EVENT_MARK + JSON.stringify(event));
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const heading = `${error.name}: ${error.message}`;
  // V8 puts the heading into the stack, JavaScriptCore does not.
  const stack = error.stack ?? "";
  const text = stack.includes(error.message) ? stack : `${heading}\n${stack}`;
  const causes =
    error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause];
  return [text, ...causes.map((cause) => `  caused by: ${describeError(cause)}`)].join("\n");
}
