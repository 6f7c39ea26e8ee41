// One scheduler serves every run on a clock: what they share, and what they do not.
import {
  allTasks,
  ContextVar,
  coroutine,
  createTask,
  currentTask,
  Future,
  gather,
  getRunningLoop,
  run,
  sleep,
  until,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { testForms, wait } from "./support/forms.ts";

describe("many runs at once", () => {
  testForms("share module-level state, one step at a time", async (form) => {
    let count = 0;
    let inside = 0;
    const work = form.define(function* work() {
      inside++;
      assert.equal(inside, 1);
      const before = count;
      inside--;
      yield* wait(sleep(0));
      inside++;
      assert.equal(inside, 1);
      count = Math.max(count, before) + 1;
      inside--;
    });
    await Promise.all(Array.from({ length: 1000 }, () => run(work())));
    assert.equal(count, 1000);
  });

  test("may wait for futures of each other", async () => {
    const clock = new VirtualClock();
    let future: Future<string> | undefined;
    const consumer = run(
      async () => {
        future = new Future<string>();
        return await future;
      },
      { clock },
    );
    const producer = run(
      async () => {
        await sleep(1);
        future?.setResult("from another run");
      },
      { clock },
    );
    assert.equal(await consumer, "from another run");
    await producer;
  });

  test("keep their tasks, handlers and ends apart", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const program = (name: string, seconds: number): Promise<void> =>
      run(
        async () => {
          getRunningLoop().setExceptionHandler((_loop, { message }) => log.push(`${name}: ${message}`));
          void createTask(
            async () => {
              try {
                await sleep(1000);
              } finally {
                log.push(`${name} is over at ${clock.time().toString()}`);
              }
            },
            { name },
          );
          await sleep(seconds);
          assert.equal(allTasks().size, 2);
        },
        { clock },
      );
    await Promise.all([program("a", 1), program("b", 2)]);
    assert.deepEqual(log, ["a is over at 1", "b is over at 2"]);
  });

  test("fail alone", async () => {
    const results = await Promise.allSettled([
      run(async () => {
        await sleep(0);
        throw new Error("boom");
      }),
      run(sleep(0.005, "fine")),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "fulfilled"],
    );
  });

  test("leave nothing behind", async () => {
    const clock = new VirtualClock();
    const work = coroutine(async function work() {
      await gather(sleep(1), sleep(2));
    });
    for (let round = 0; round < 50; round++) await run(work(), { clock });
    await run(
      async () => {
        const { scheduler } = getRunningLoop();
        assert.equal(scheduler.timerCount, 0);
        assert.equal(scheduler.readyCount, 0);
        assert.equal(scheduler.clients.size, 1);
      },
      { clock },
    );
  });

  test("leave none of their timers behind while another run goes on", async () => {
    const clock = new VirtualClock({ foreignGrace: 3600 });
    let end = (): void => undefined;
    const promise = new Promise<void>((resolve) => (end = resolve));
    const other = run(
      async () => {
        // Due before the others' timers, which therefore do not come to the top.
        getRunningLoop().callLater(1, () => undefined);
        await until(promise);
        return getRunningLoop().scheduler.timerCount;
      },
      { clock },
    );
    for (let round = 0; round < 1000; round++) {
      await run(
        async () => {
          getRunningLoop().callLater(2, () => undefined);
        },
        { clock },
      );
    }
    end();
    assert.ok((await other) < 50);
  });

  test("do not see each other's context variables", async () => {
    const variable = new ContextVar<number>("variable", { defaultValue: -1 });
    const work = async (index: number): Promise<number> => {
      variable.set(index);
      await sleep(0.001);
      return variable.get();
    };
    const seen = await Promise.all(Array.from({ length: 50 }, (_, index) => run(() => work(index))));
    assert.deepEqual(
      seen,
      Array.from({ length: 50 }, (_, index) => index),
    );
    assert.equal(variable.get(), -1);
  });

  testOn(
    ["node", "bun", "deno"],
    "may be started by what a task has started: it is not inside a step",
    async () => {
      const result = await run(async () => {
        const future = new Future<string>();
        // A server's request handler has the task that started the server as its ancestor.
        setTimeout(() => {
          void run(sleep(0.001, "handled")).then((value) => {
            future.setResult(value);
          });
        }, 1);
        return await until(future);
      });
      assert.equal(result, "handled");
    },
  );

  testOn(
    ["node", "bun", "deno"],
    "may be started by a task that comes back from a foreign promise, not in a step",
    async () => {
      const error: unknown = await run(async () => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        try {
          return await run(sleep(0, "inner"));
        } catch (caught) {
          return caught;
        }
      });
      assert.equal(error, "inner");
    },
  );

  testOn(["node", "bun", "deno"], "know their tasks across foreign promises", async () => {
    const names = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        run(
          async () => {
            await new Promise((resolve) => setTimeout(resolve, index % 3));
            const before = currentTask()?.getName();
            await sleep(0.001);
            return [before, currentTask()?.getName()];
          },
          { name: `main ${index.toString()}` },
        ),
      ),
    );
    names.forEach(([before, after], index) => {
      assert.equal(before, `main ${index.toString()}`);
      assert.equal(after, `main ${index.toString()}`);
    });
  });
});
