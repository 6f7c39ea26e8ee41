// What a developer is told: reports of lost errors, stacks.
import { CancelledError, coroutine, createTask, Future, gather, getRunningLoop, run, sleep } from "corio";
import type { EventLoop, Handle, Task } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, takeUnhandledRejections, test, testOn } from "./support/harness.ts";
import { wait } from "./support/forms.ts";
import { show, testShown, testShownScript } from "./support/primitives.ts";
import { printedBy } from "./support/printed-by.ts";
import { simulate } from "./support/simulate.ts";

type ExceptionContext = Parameters<EventLoop["callExceptionHandler"]>[0];

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

  test("goes on through the tasks that await the one that failed, in debug mode", () =>
    run(
      async () => {
        const inner = createTask(failing(), { name: "inner" });
        const outer = createTask(
          async () => {
            await gather(inner);
          },
          { name: "outer" },
        );
        const { stack = "" } = await assert.rejects<Error>(outer, RangeError);
        const tasks = [...stack.matchAll(/at task '(.*?)' .*, created\n.*at /g)];
        assert.deepEqual(
          tasks.map(([, name]) => name),
          ["inner", "outer", "main"],
        );
      },
      { clock: new VirtualClock(), debug: true, name: "main" },
    ));

  test("names ten tasks at most, in debug mode", () =>
    run(
      async () => {
        const first = createTask(failing(), { name: "0" });
        let last = first;
        for (let place = 1; place < 20; place++) {
          const awaited = last;
          last = createTask(() => awaited, { name: place.toString() });
        }
        const { stack = "" } = await assert.rejects<Error>(last, RangeError);
        assert.equal(stack.match(/at task '9' /g)?.length, 1);
        assert.equal(stack.includes("at task '10'"), false);
      },
      { clock: new VirtualClock(), debug: true, name: "main" },
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
  testOn(["node", "bun", "deno"], "says what it is, and in which state", () =>
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
      },
      { clock: new VirtualClock() },
    ),
  );

  testShown("is, of a future, its state and what came out [BaseFutureTests.test_future_repr]", () =>
    simulate(async () => {
      const future = new Future<unknown>();
      assert.equal(show(future), "<Future pending>");
      future.addDoneCallback(() => {});
      future.addDoneCallback(() => {});
      assert.equal(show(future), "<Future pending, 2 callback(s)>");
      future.setResult(4);
      assert.equal(show(future), "<Future finished: 4>");
      const failed = new Future();
      failed.setException(new RangeError("boom"));
      assert.equal(show(failed), "<Future failed: RangeError: boom>");
      failed.exception();
      const cancelled = new Future();
      cancelled.cancel();
      assert.match(show(cancelled), /^<Future cancelled: CancelledError/);
    }),
  );

  testShown(
    "ends, also of a future that contains itself [FutureReprTests.test_recursive_repr_for_pending_tasks]",
    () =>
      simulate(async () => {
        const future = new Future<unknown>();
        const task: Task<unknown> = createTask(async () => {
          await future;
          return { task };
        });
        await sleep(0);
        assert.match(show(task), /^<Task 'Task-\d+' \(.*\) pending, waits for a Future>$/);
        future.setResult({ future, task });
        await sleep(0);
        assert.equal(show(future), "<Future finished>");
        await task;
        assert.match(show(task), /^<Task 'Task-\d+' \(.*\) finished>$/);
      }),
  );

  testShownScript(
    "is, of a task, its name, its function and what it waits for [BaseTaskTests.test_task_repr] [BaseTaskTests.test_task_repr_wait_for]",
    function* (form) {
      const future = new Future<number>();
      const work = form.define(function* work() {
        return yield* wait(future);
      });
      // A bundle may number the functions.
      const shown = (task: Task<number>): string => show(task).replace(/\(work\d*\)/, "(work)");
      const task: Task<number> = createTask(work(), { name: "worker" });
      assert.equal(shown(task), "<Task 'worker' (work) pending, waits for its first step>");
      yield* wait(sleep(0));
      assert.equal(shown(task), "<Task 'worker' (work) pending, waits for a Future>");
      task.addDoneCallback(() => {});
      assert.equal(shown(task), "<Task 'worker' (work) pending, waits for a Future, 1 callback(s)>");
      future.setResult(7);
      yield* wait(task);
      assert.equal(shown(task), "<Task 'worker' (work) finished: 7>");
      const cancelled = createTask(work(), { name: "cancelled" });
      cancelled.cancel("no use");
      yield* wait(sleep(0));
      assert.match(show(cancelled), /^<Task 'cancelled' \(work\d*\) cancelled: CancelledError: no use>$/);
    },
  );

  testShown(
    "is, of a handle, what it calls, and when [HandleTests.test_handle_repr] [TimerTests.test_timer_repr]",
    () =>
      simulate(async () => {
        const loop = getRunningLoop();
        const handle = loop.callSoon(function callback() {});
        assert.match(show(handle), /^<Handle callback\d*>$/);
        assert.equal(show(loop.callSoon(() => {})), "<Handle (anonymous)>");
        handle.cancel();
        assert.equal(show(handle), "<Handle cancelled>");
        const timer = loop.callAt(123, function callback() {});
        assert.match(show(timer), /^<TimerHandle when=123 callback\d*>$/);
        timer.cancel();
        assert.equal(show(timer), "<TimerHandle when=123 cancelled>");
      }),
  );

  testShown(
    "has in debug mode the place where it was made [HandleTests.test_handle_repr_debug] [TimerTests.test_timer_repr_debug] [HandleTests.test_handle_source_traceback]",
    () =>
      run(
        async () => {
          const loop = getRunningLoop();
          const place = /, created .*(?:diagnostics\.test|tests\.js).*>$/;
          const made = [
            loop.callSoon(() => {}),
            loop.callLater(1, () => {}),
            loop.callAt(1, () => {}),
            loop.createFuture(),
            createTask(sleep(0)),
          ];
          for (const each of made) assert.match(show(each), place);
          for (const handle of made.slice(0, 3)) (handle as Handle).cancel();
          assert.match(show(made[0] as Handle), /^<Handle cancelled, created .*>$/);
          assert.match(show(made[1] as Handle), /^<TimerHandle when=1 cancelled, created .*>$/);
        },
        { clock: new VirtualClock(), debug: true },
      ),
  );
});

describe("what a task hangs on, out of the loop's sight", () => {
  // The reports come after five real seconds, whatever the loop's clock: this test has to wait for them.
  test("is reported: a cancel that a foreign promise holds up, and an await that was left behind", () =>
    run(async () => {
      const reports: string[] = [];
      const bothAreThere = new Future<void>();
      getRunningLoop().setExceptionHandler((_loop, { message, task }) => {
        reports.push(`${task?.getName() ?? "?"}: ${message}`);
        if (reports.length === 2) bothAreThere.setResult(undefined);
      });
      let endForeign!: () => void;
      const foreign = new Promise<void>((resolve) => {
        endForeign = resolve;
      });
      const never = new Future<void>();

      const stuck = createTask(
        async () => {
          await foreign;
        },
        { name: "stuck" },
      );
      const left = createTask(
        async () => {
          await Promise.race([never, sleep(0)]);
        },
        { name: "left" },
      );
      await sleep(0.01);
      stuck.cancel();
      await bothAreThere;

      assert.match(
        reports.find((text) => text.startsWith("stuck")) ?? "",
        /^stuck: Task 'stuck'.* was cancelled 5 s ago but sits on a foreign promise; wrap what it awaits in until\(\)/,
      );
      assert.match(
        reports.find((text) => text.startsWith("left")) ?? "",
        /^left: Task 'left'.* returned 5 s ago but is not done: it left behind 1 await\(s\), of a Future; /,
      );
      endForeign();
      never.setResult(undefined);
      await left;
      await assert.rejects(stuck, CancelledError);
    }));
});
