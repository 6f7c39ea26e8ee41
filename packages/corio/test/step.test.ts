/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
// The order of things is asyncio's: what counts as one step, and how many iterations an operation takes.
import { coroutine, createTask, currentTask, Future, gather, getRunningLoop, run, sleep, until } from "corio";
import type { Coroutine, EventLoop } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { forms, testForms, testScript, wait } from "./support/forms.ts";
import type { Form, Script } from "./support/forms.ts";
import { simulate } from "./support/simulate.ts";

/** Counts iterations: a callback that schedules itself again in each. */
class Ticker {
  ticks = 0;
  #isStopped = false;
  readonly #loop: EventLoop;

  constructor(loop: EventLoop) {
    this.#loop = loop;
    this.#tick();
  }

  #tick(): void {
    this.#loop.callSoon(() => {
      if (this.#isStopped) return;
      this.ticks++;
      this.#tick();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }
}

describe("golden ticks", () => {
  const operations: Record<string, [ticks: number, operation: (form: Form) => Script<unknown>]> = {
    "await of a coroutine that does not suspend": [
      0,
      function* (form) {
        yield* wait(
          form.define(function* trivial() {
            return 1;
          })(),
        );
      },
    ],
    "await of a done future": [
      0,
      function* () {
        const future = new Future<number>();
        future.setResult(1);
        yield* wait(future);
      },
    ],
    "sleep(0)": [
      1,
      function* () {
        yield* wait(sleep(0));
      },
    ],
    "sleep(-1)": [
      1,
      function* () {
        yield* wait(sleep(-1));
      },
    ],
    "sleep(0) with a result": [
      1,
      function* () {
        yield* wait(sleep(0, "result"));
      },
    ],
    "await of a task that does not suspend": [
      2,
      function* (form) {
        yield* wait(
          createTask(
            form.define(function* trivial() {
              return 1;
            })(),
          ),
        );
      },
    ],
    "await of a future that a callback completes": [
      2,
      function* () {
        const future = new Future<number>();
        getRunningLoop().callSoon(() => {
          future.setResult(1);
        });
        yield* wait(future);
      },
    ],
    "gather of three trivial coroutines": [
      3,
      function* (form) {
        const trivial = form.define(function* trivial() {
          return 1;
        });
        yield* wait(gather(trivial(), trivial(), trivial()));
      },
    ],
    "gather of nothing": [
      0,
      function* () {
        yield* wait(gather());
      },
    ],
    "a coroutine within a coroutine that sleeps once": [
      1,
      function* (form) {
        const inner = form.define(function* inner() {
          yield* wait(sleep(0));
        });
        const outer = form.define(function* outer() {
          yield* wait(inner());
        });
        yield* wait(outer());
      },
    ],
  };
  for (const [name, [expected, operation]] of Object.entries(operations)) {
    testScript(`${name}: ${expected.toString()}`, function* (form) {
      yield* wait(sleep(0));
      const ticker = new Ticker(getRunningLoop());
      yield* operation(form);
      const { ticks } = ticker;
      ticker.stop();
      assert.equal(ticks, expected);
    });
  }
});

describe("a step", () => {
  test("goes on through awaits of what does not suspend: a0 a1 a2 b0 b1 b2 (native)", async () => {
    const log: string[] = [];
    const trivial = coroutine(async function trivial() {});
    const three = coroutine(async function three(name: string) {
      for (let index = 0; index < 3; index++) {
        log.push(`${name}${index.toString()}`);
        await trivial();
      }
    });
    await simulate(async () => {
      await gather(three("a"), three("b"));
    });
    assert.deepEqual(log, ["a0", "a1", "a2", "b0", "b1", "b2"]);
  });

  test("goes on through awaits of what does not suspend: a0 a1 a2 b0 b1 b2 (generator)", async () => {
    const log: string[] = [];
    const done = coroutine(function* done(future: Future<void>) {
      yield* future;
    });
    const three = coroutine(function* three(name: string) {
      const future = new Future<void>();
      future.setResult();
      for (let index = 0; index < 3; index++) {
        log.push(`${name}${index.toString()}`);
        yield* done(future);
      }
    });
    await simulate(async () => {
      await gather(three("a"), three("b"));
    });
    assert.deepEqual(log, ["a0", "a1", "a2", "b0", "b1", "b2"]);
  });

  test("of plain async helpers many levels deep is one step", async () => {
    const log: string[] = [];
    const helper = async (depth: number): Promise<void> => {
      if (depth === 0) return;
      await helper(depth - 1);
    };
    const deep = coroutine(async function deep(name: string) {
      for (let index = 0; index < 3; index++) {
        log.push(`${name}${index.toString()}`);
        await helper(20);
      }
    });
    await simulate(async () => {
      await gather(deep("a"), deep("b"));
    });
    assert.deepEqual(log, ["a0", "a1", "a2", "b0", "b1", "b2"]);
  });

  testForms("of tasks that yield alternates", async (form) => {
    const log: string[] = [];
    const three = form.define(function* three(name: string) {
      for (let index = 0; index < 3; index++) {
        log.push(`${name}${index.toString()}`);
        yield* wait(sleep(0));
      }
    });
    await simulate(async () => {
      await gather(three("a"), three("b"));
    });
    assert.deepEqual(log, ["a0", "b0", "a1", "b1", "a2", "b2"]);
  });

  test("ends before any other handle runs, however many microtasks it takes", async () => {
    const log: string[] = [];
    const long = coroutine(async function long() {
      log.push("begin");
      for (let turn = 0; turn < 100; turn++) await Promise.resolve();
      log.push("end");
      await sleep(0);
      for (let turn = 0; turn < 100; turn++) await Promise.resolve();
      log.push("really");
    });
    await simulate(async () => {
      const task = createTask(long());
      getRunningLoop().callSoon(() => log.push("callback 1"));
      await sleep(0);
      getRunningLoop().callSoon(() => log.push("callback 2"));
      await task;
    });
    assert.deepEqual(log, ["begin", "end", "callback 1", "really", "callback 2"]);
  });

  test("of two loops on two clocks is never interleaved", async () => {
    const log: string[] = [];
    const work = coroutine(async function work(name: string) {
      for (let round = 0; round < 3; round++) {
        log.push(`${name} begins`);
        for (let turn = 0; turn < 50; turn++) await Promise.resolve();
        log.push(`${name} ends`);
        await sleep(0);
      }
    });
    await Promise.all([
      run(work("a"), { clock: new VirtualClock() }),
      run(work("b"), { clock: new VirtualClock() }),
      run(work("c")),
    ]);
    assert.equal(log.length, 18);
    for (let index = 0; index < log.length; index += 2) {
      assert.equal(log[index + 1], log[index]?.replace("begins", "ends"));
    }
  });

  test("of a mix of native and generator coroutines costs no extra iteration", async () => {
    const native = coroutine(async function native(depth: number): Promise<number> {
      if (depth === 0) {
        await sleep(0);
        return 1;
      }
      return 1 + (await generator(depth - 1));
    });
    const generator: (depth: number) => Coroutine<number> = coroutine(function* generator(depth: number) {
      if (depth === 0) {
        yield* sleep(0);
        return 1;
      }
      return 1 + (yield* native(depth - 1));
    });
    for (const start of [native, generator]) {
      for (const depth of [0, 1, 2, 5, 10]) {
        await simulate(async () => {
          const ticker = new Ticker(getRunningLoop());
          assert.equal(await start(depth), depth + 1);
          assert.equal(ticker.ticks, 1, `${start.name} of depth ${depth.toString()}`);
          ticker.stop();
        });
      }
    }
  });

  test("passes exceptions through a mix of native and generator coroutines", () =>
    simulate(async () => {
      const native = coroutine(async function native(depth: number): Promise<void> {
        if (depth === 0) throw new RangeError("bottom");
        await generator(depth - 1);
      });
      const generator: (depth: number) => Coroutine<void> = coroutine(function* generator(depth: number) {
        if (depth % 4 === 0) yield* sleep(0);
        yield* native(depth - 1);
      });
      await assert.rejects(generator(9), RangeError);
      await assert.rejects(native(8), RangeError);
      await assert.rejects(createTask(generator(9)), RangeError);
    }));

  testOn(
    ["node", "bun", "deno"],
    "ends when a foreign promise is awaited; the task then goes on as itself",
    async () => {
      const log: string[] = [];
      await simulate(async () => {
        const task = createTask(
          async () => {
            log.push("before");
            await new Promise((resolve) => setTimeout(resolve, 2));
            log.push(`after, in ${currentTask()?.getName() ?? "no task"}`);
            await sleep(1);
            log.push(`later, in ${currentTask()?.getName() ?? "no task"}`);
          },
          { name: "foreigner" },
        );
        await sleep(0);
        await sleep(0);
        log.push("others run");
        await task;
      });
      assert.deepEqual(log, ["before", "others run", "after, in foreigner", "later, in foreigner"]);
    },
  );

  test("that waits for a promise with until() goes on as itself on every host", async () => {
    const log: string[] = [];
    await simulate(async () => {
      const task = createTask(
        async () => {
          await until(new Promise((resolve) => setTimeout(resolve, 2)));
          log.push(`after, in ${currentTask()?.getName() ?? "no task"}`);
          await sleep(1);
        },
        { name: "waiter" },
      );
      await sleep(0);
      log.push("others run");
      await task;
    });
    assert.deepEqual(log, ["others run", "after, in waiter"]);
  });

  test("sees what callbacks and promises did before it, in order", async () => {
    const log: string[] = [];
    await simulate(async () => {
      const loop = getRunningLoop();
      const future = new Future<void>();
      loop.callSoon(() => {
        log.push("1");
        loop.callSoon(() => {
          log.push("3");
          future.setResult();
          loop.callSoon(() => log.push("5"));
        });
      });
      loop.callSoon(() => log.push("2"));
      future.addDoneCallback(() => log.push("4"));
      await future;
      log.push("resumed");
      await sleep(0);
    });
    assert.deepEqual(log, ["1", "2", "3", "4", "resumed", "5"]);
  });
});

describe("concurrent awaits of one task", () => {
  testOn(["node", "bun", "deno"], "with plain helpers belong to the task", () =>
    simulate(async () => {
      const me = currentTask();
      const helper = async (seconds: number): Promise<boolean> => {
        await sleep(seconds);
        return currentTask() === me;
      };
      assert.deepEqual(await Promise.all([helper(3), helper(1), helper(2)]), [true, true, true]);
      assert.equal(getRunningLoop().time(), 3);
    }),
  );

  for (const form of forms) {
    test(`of three sleeps take as long as the longest (${form.name})`, () =>
      simulate(async () => {
        const nap = form.define(function* nap(seconds: number) {
          yield* wait(sleep(seconds));
          return seconds;
        });
        assert.deepEqual(await Promise.all([nap(1), nap(2), nap(1)]), [1, 2, 1]);
        assert.equal(getRunningLoop().time(), 2);
      }));
  }
});
