/**
 * What every test file imports. The same files run on Node, Bun, Deno and in a browser: mocha runs the tests
 * on all of them, `run.ts` starts it.
 */
export { assert } from "./assert.ts";
export { takeUnhandledRejections } from "./unhandled.ts";

type Body = () => void | PromiseLike<void>;

interface Declare {
  (title: string, body: Body): void;
  /** Runs only this; fails the whole run in CI. */
  only(title: string, body: Body): void;
  skip(title: string, body: Body): void;
}

export type HostName = "node" | "bun" | "deno" | "browser";

/** The host that runs the tests, for the few tests which cannot be the same everywhere. */
export const hostName: HostName =
  "Bun" in globalThis
    ? "bun"
    : "Deno" in globalThis
      ? "deno"
      : "process" in globalThis && !("document" in globalThis)
        ? "node"
        : "browser";

// mocha's interface: globals that `run.ts` has set up before it loads a test file.
const mocha = globalThis as unknown as {
  it: Declare;
  describe: Declare;
  before: (body: Body) => void;
  after: (body: Body) => void;
  beforeEach: (body: Body) => void;
  afterEach: (body: Body) => void;
};

if (typeof (mocha as Partial<typeof mocha>).it !== "function") {
  throw new Error("Test files do not run by themselves: use `npm test -- --host node24 --grep TITLE`.");
}

export const test: Declare = mocha.it;
export const describe: Declare = mocha.describe;
export const before: (body: Body) => void = mocha.before;
export const after: (body: Body) => void = mocha.after;
export const beforeEach: (body: Body) => void = mocha.beforeEach;
export const afterEach: (body: Body) => void = mocha.afterEach;

/** Declares a test that runs only on the given hosts and counts as skipped elsewhere. */
export function testOn(hosts: readonly HostName[], title: string, body: Body): void {
  if (hosts.includes(hostName)) test(title, body);
  else test.skip(title, body);
}
