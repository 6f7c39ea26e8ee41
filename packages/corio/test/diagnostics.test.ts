// What a developer is told: reports of lost errors, stacks.
import { coroutine, createTask, Future, getRunningLoop, run, sleep } from "corio";
import type { EventLoop } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, takeUnhandledRejections, test, testOn } from "./support/harness.ts";

type ExceptionContext = Parameters<EventLoop["callExceptionHandler"]>[0];

async function printedBy(body: () => Promise<unknown>): Promise<string[]> {
  const printed: string[] = [];
  const original = console.error;
  console.error = (...parameters: unknown[]) => {
    printed.push(parameters.join(" "));
  };
  try {
    await body();
  } finally {
    console.error = original;
  }
  return printed;
}

const failing = coroutine(async function failing() {
  await sleep(1);
  throw new RangeError("nobody looks");
});

describe("a task's exception that nobody retrieves", () => {
  test("is printed when the run ends, with the task's name", async () => {
    const printed = await printedBy(() =>
      run(
        async () => {
          createTask(failing(), { name: "worker" }).setName("worker");
          await sleep(5);
        },
        { clock: new VirtualClock() },
      ),
    );
    assert.equal(printed.length, 1);
    const [text = ""] = printed;
    assert.match(
      text,
      /^Task exception was never retrieved\ntask: 'worker' \(failing\d*\)\ncreated at: unknown \(CORIO_DEBUG=1 shows it\)\n/,
    );
  });

  test("is printed with where the task was made in debug mode [BaseTaskTests.test_task_source_traceback]", async () => {
    const printed = await printedBy(() =>
      run(
        async () => {
          createTask(failing(), { name: "worker" }).setName("worker");
          await sleep(5);
        },
        { clock: new VirtualClock(), debug: true },
      ),
    );
    assert.equal(printed.length, 1);
    assert.match(printed[0] ?? "", /created at:\n.*(diagnostics\.test|tests\.js)/);
    assert.equal((printed[0] ?? "").includes("/src/futures/"), false);
  });

  // Deno keeps the frames of an error, and with them the task, as long as the error.
  testOn(
    ["node", "bun"],
    "is reported when the task is collected, before the run ends [BaseTaskTests.test_log_traceback] [BaseFutureTests.test_log_traceback]",
    async () => {
      const gc = (globalThis as { gc?: () => void }).gc;
      if (gc === undefined) return;
      await run(async () => {
        const reports: string[] = [];
        getRunningLoop().setExceptionHandler((_loop, { message }) => reports.push(message));
        (() => {
          for (let index = 0; index < 20; index++) {
            createTask(async () => {
              throw new Error("lost");
            }).setName("lost");
          }
        })();
        for (let round = 0; round < 40 && reports.length === 0; round++) {
          await sleep(0.005);
          gc();
        }
        assert.ok(reports.includes("Task exception was never retrieved"));
      });
    },
  );

  test("is never an unhandled rejection of the host", async () => {
    await printedBy(() =>
      run(
        async () => {
          createTask(failing()).setName("lost");
          new Future().setException(new Error("lost"));
          new Future().cancel();
          createTask(sleep(10)).cancel();
          await sleep(5);
        },
        { clock: new VirtualClock() },
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(takeUnhandledRejections(), []);
  });

  test("is not reported when another task awaits it later", async () => {
    const reports: ExceptionContext[] = [];
    await run(
      async () => {
        getRunningLoop().setExceptionHandler((_loop, context) => reports.push(context));
        const task = createTask(failing());
        await sleep(5);
        await assert.rejects(task, RangeError);
      },
      { clock: new VirtualClock() },
    );
    assert.deepEqual(reports, []);
  });
});

describe("an error's stack", () => {
  testOn(["node", "deno"], "reaches through nested async functions", () =>
    run(
      async () => {
        const innermost = async (): Promise<void> => {
          await sleep(1);
          throw new Error("deep");
        };
        const middle = coroutine(async function middleCoroutine() {
          await innermost();
        });
        async function outermost(): Promise<void> {
          await middle();
        }
        const error = await assert.rejects<Error>(outermost());
        assert.match(error.stack ?? "", /innermost/);
        assert.match(error.stack ?? "", /middleCoroutine/);
        assert.match(error.stack ?? "", /outermost/);
      },
      { clock: new VirtualClock() },
    ),
  );

  test("goes on with where the task was made, in debug mode", () =>
    run(
      async () => {
        const task = createTask(failing(), { name: "spawned here" });
        const error = await assert.rejects<Error>(task, RangeError);
        assert.match(error.stack ?? "", /at task 'spawned here' \(failing\d*\), created\n/);
        assert.equal(await assert.rejects<Error>(task), error);
        assert.equal((error.stack ?? "").split("at task 'spawned here'").length, 2);
      },
      { clock: new VirtualClock(), debug: true },
    ));

  test("of a cancellation is short, and in debug mode says who asked", async () => {
    const stackOf = async (debug: boolean): Promise<string> =>
      await run(
        async () => {
          const task = createTask(sleep(10));
          await sleep(1);
          task.cancel("stop");
          const error = await assert.rejects<Error>(task);
          return error.stack ?? "";
        },
        { clock: new VirtualClock(), debug },
      );
    assert.match(await stackOf(true), /diagnostics\.test|tests\.js/);
    assert.equal((await stackOf(false)).includes("diagnostics.test"), false);
  });
});

describe("what an object is shown as", () => {
  testOn(
    ["node", "bun", "deno"],
    "says what it is, and in which state [BaseFutureTests.test_future_repr] [BaseTaskTests.test_task_repr] [FutureReprTests.test_recursive_repr_for_pending_tasks]",
    () =>
      run(
        async () => {
          const { inspect } = process.getBuiltinModule("node:util");
          const loop = getRunningLoop();
          const nap = sleep(1);
          assert.equal(inspect(nap), "<Coroutine sleep (not started)>");
          const task = createTask(nap, { name: "napper" });
          assert.equal(inspect(loop), "<EventLoop running, 2 task(s)>");
          await task;
          assert.equal(inspect(nap), "<Coroutine sleep (started)>");
          const closed = sleep(1);
          closed.close();
          assert.equal(inspect(closed), "<Coroutine sleep (closed)>");
          assert.ok(inspect(task).length < 2000);
        },
        { clock: new VirtualClock() },
      ),
  );
});
