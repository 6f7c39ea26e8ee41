/** What the tests of threads share. */
import { Event, Queue, run, sleep } from "corio";
import { ProcessExecutor, ThreadExecutor, workerModule } from "corio/threads";
import type { ExecutorOptions, ThreadExecutorOptions, WorkerModule } from "corio/threads";
import { assert, hostName, test } from "../support/harness.ts";
import type { LoopFunctionsOfTests } from "./fixtures/loop-functions.ts";
import { unshared } from "./fixtures/work.ts";

export const work: WorkerModule<typeof import("./fixtures/work.ts")> = workerModule<
  typeof import("./fixtures/work.ts")
>(new URL("./fixtures/work.ts", import.meta.url));

/** What workers say to the test: it waits for that, never for time to pass. */
export class Listener {
  readonly #begun = new Queue<true>();
  readonly notes: Queue<string> = new Queue<string>();

  readonly functions: LoopFunctionsOfTests = {
    begun: () => {
      this.#begun.putNowait(true);
    },
    note: (text) => {
      this.notes.putNowait(text);
    },
    addLater: async (one, other) => {
      await sleep(0);
      return one + other;
    },
    fail: async () => {
      await sleep(0);
      throw new TypeError("on the loop");
    },
    hang: async () => {
      this.#begun.putNowait(true);
      try {
        await new Event().wait();
      } finally {
        this.notes.putNowait("hang has ended");
      }
      throw new Error("not reached");
    },
    echo: (value) => Promise.resolve(value),
    giveFunction: () => Promise.resolve(() => undefined),
    readUnshared: () => Promise.resolve(unshared.get()),
    throwNow: () => {
      throw new TypeError("thrown on the loop");
    },
  };

  /** Waits until a function of the worker has said that it has begun. */
  async begun(): Promise<void> {
    await this.#begun.get();
  }
}

/** Memory with which a worker that calls `block` is let go. */
export class Gate {
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(12);
  readonly #cells = new Int32Array(this.memory);

  open(): void {
    Atomics.store(this.#cells, 1, 1);
    Atomics.notify(this.#cells, 1);
  }

  /** How many calls have begun. */
  get begun(): number {
    return Atomics.load(this.#cells, 0);
  }

  /** How many calls have come to their end. */
  get ended(): number {
    return Atomics.load(this.#cells, 2);
  }
}

export interface Kind {
  readonly name: "thread" | "process";
  make(
    options?: ExecutorOptions & Pick<ThreadExecutorOptions, "resourceLimits">,
  ): ThreadExecutor | ProcessExecutor;
}

const threads: Kind = { name: "thread", make: (options) => new ThreadExecutor(options) };
const processes: Kind = {
  name: "process",
  // Deno does not say what options it was started with: its children have to be told where corio's sources are.
  make: (options) =>
    new ProcessExecutor({
      ...(hostName === "deno" && { execArgv: ["--conditions=corio-source"] }),
      ...options,
    }),
};

/** Declares a test for each kind of executor, as a program of its own; the CPython tests in the title stay at its end. */
export function testKinds(title: string, main: (kind: Kind) => Promise<void>): void {
  const [, text = title, restated = ""] = /^(.*?)( \[.*\])?$/.exec(title) ?? [];
  for (const kind of [threads, processes])
    test(`${text} (${kind.name})${restated}`, () => run(() => main(kind)));
}

/** Declares a test that is a program of its own. */
export function testRun(title: string, main: () => Promise<void>): void {
  test(title, () => run(main));
}

/** Waits, in a task, for what must fail, and gives the error. */
export async function failsWith<E>(
  work: PromiseLike<unknown>,
  expected: abstract new (...parameters: never[]) => E,
): Promise<E> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof expected)) throw error;
    return error;
  }
  return assert.fail(`expected a ${expected.name}`);
}
