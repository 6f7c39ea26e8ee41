import {
  allTasks,
  ArgumentTypeError,
  ContextVar,
  coroutine,
  createEagerTaskFactory,
  createTask,
  currentTask,
  eagerTaskFactory,
  Future,
  gather,
  getRunningLoop,
  sleep,
  Task,
  taskGroup,
} from "corio";
import type { Coroutine } from "corio";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { simulate } from "./support/simulate.ts";

const eagerly = <T>(body: () => Promise<T>): Promise<T> =>
  simulate(async () => {
    getRunningLoop().setTaskFactory(eagerTaskFactory);
    return await body();
  });

describe("an eager generator task", () => {
  test("runs up to its first suspension inside createTask [EagerTaskFactoryLoopTests.test_block_after_eager_step] [EagerTaskFactoryLoopTests.test_eager_task_factory_set]", () =>
    eagerly(async () => {
      const log: string[] = [];
      const work = coroutine(function* work() {
        log.push("first step");
        yield* sleep(1);
        log.push("second step");
        return "done";
      });
      const task = createTask(work());
      log.push("created");
      assert.equal(task.done(), false);
      assert.equal(await task, "done");
      assert.deepEqual(log, ["first step", "created", "second step"]);
    }));

  test("is done at once when it does not suspend [EagerTaskFactoryLoopTests.test_eager_completion] [EagerTaskFactoryLoopTests.test_all_tasks_with_eager_completion] [EagerTaskFactoryLoopTests.test_cancellation_after_eager_completion] [CEagerTaskFactoryLoopTests.test_issue122332] [CEagerTaskFactoryLoopTests.test_name]", () =>
    eagerly(async () => {
      const during: boolean[] = [];
      // eslint-disable-next-line require-yield -- it does not suspend
      const work = coroutine(function* work() {
        during.push(allTasks().size === 2, currentTask()?.getName() === "eager");
        return "at once";
      });
      const task = createTask(work(), { name: "eager" });
      assert.equal(task.done(), true);
      assert.equal(task.result(), "at once");
      assert.equal(task.getCoro(), null);
      assert.equal(task.cancel(), false);
      assert.equal(allTasks().size, 1);
      assert.deepEqual(during, [true, true]);
      assert.equal(await task, "at once");
    }));

  test("keeps its exception, instead of throwing it at its creator", () =>
    eagerly(async () => {
      // eslint-disable-next-line require-yield -- it does not suspend
      const work = coroutine(function* work() {
        throw new RangeError("boom");
      });
      const task = createTask(work());
      assert.equal(task.done(), true);
      assert.instanceOf(task.exception(), RangeError);
    }));

  test("does not suspend on a done future, and does on a pending one [EagerTaskFactoryLoopTests.test_await_future_during_eager_step]", () =>
    eagerly(async () => {
      const done = new Future<number>();
      done.setResult(1);
      const pending = new Future<number>();
      const work = coroutine(function* work(future: Future<number>) {
        return yield* future;
      });
      assert.equal(createTask(work(done)).done(), true);
      const task = createTask(work(pending));
      assert.equal(task.done(), false);
      pending.setResult(2);
      assert.equal(await task, 2);
    }));

  test("is the current task during its first step; its creator is afterwards [EagerTaskFactoryLoopTests.test_current_task]", () =>
    eagerly(async () => {
      const me = currentTask();
      const seen: unknown[] = [];
      const work = coroutine(function* work() {
        seen.push(currentTask()?.getName());
        yield* sleep(0);
        seen.push(currentTask()?.getName());
      });
      const task = createTask(work(), { name: "eager" });
      assert.equal(currentTask(), me);
      await task;
      assert.deepEqual(seen, ["eager", "eager"]);
      assert.equal(currentTask(), me);
    }));

  test("can be cancelled once it waits [EagerTaskFactoryLoopTests.test_cancellation_after_eager_step_blocks] [EagerTaskFactoryLoopTests.test_all_tasks_with_blocking]", () =>
    eagerly(async () => {
      const log: string[] = [];
      const work = coroutine(function* work() {
        try {
          yield* sleep(100);
        } finally {
          log.push("cleaned up");
        }
      });
      const task = createTask(work());
      assert.equal(allTasks().has(task), true);
      task.cancel();
      await assert.rejects(task);
      assert.deepEqual(log, ["cleaned up"]);
    }));

  test("has a context of its own from the first step on [EagerTaskFactoryLoopTests.test_context_vars]", () =>
    eagerly(async () => {
      const variable = new ContextVar("variable", { defaultValue: 0 });
      variable.set(1);
      const work = coroutine(function* work() {
        const seen = [variable.get()];
        variable.set(2);
        yield* sleep(0);
        seen.push(variable.get());
        return seen;
      });
      const task = createTask(work());
      assert.equal(variable.get(), 1);
      variable.set(3);
      assert.deepEqual(await task, [1, 2]);
      assert.equal(variable.get(), 3);
    }));

  test("may be asked for, and refused, one by one [EagerTaskFactoryLoopTests.test_eager_start_false] [BaseTaskTests.test_eager_start_true] [BaseTaskTests.test_eager_start_false] [DefaultTaskFactoryEagerStart.test_eager_start_true_with_default_factory]", async () => {
    // eslint-disable-next-line require-yield -- it does not suspend
    const work = coroutine(function* work() {
      return 1;
    });
    await eagerly(async () => {
      assert.equal(createTask(work(), { eagerStart: false }).done(), false);
      assert.equal(createTask(work()).done(), true);
    });
    await simulate(async () => {
      assert.equal(createTask(work(), { eagerStart: true }).done(), true);
      assert.equal(createTask(work()).done(), false);
    });
  });

  test("nested in others counts as any task [BaseTaskCountingTests.test_recursive_gather] [BaseTaskCountingTests.test_awaitables_chain]", () =>
    eagerly(async () => {
      let runs = 0;
      const tree: (depth: number) => Coroutine<number> = coroutine(function* node(depth: number) {
        runs++;
        if (depth === 0) return 1;
        const counts: readonly number[] = yield* gather(Array.from({ length: 3 }, () => tree(depth - 1)));
        return counts.reduce((sum, count) => sum + count, 0);
      });
      const task = createTask(tree(4));
      assert.equal(task.done(), true);
      assert.equal(task.result(), 81);
      assert.equal(runs, 121);
      assert.equal(allTasks().size, 1);
    }));

  test("in nested task groups counts as any task [BaseTaskCountingTests.test_recursive_taskgroups]", async () => {
    for (const [factory, eagerOnes] of [
      [null, 0],
      [eagerTaskFactory, 121],
    ] as const) {
      await simulate(async () => {
        getRunningLoop().setTaskFactory(factory);
        let runs = 0;
        let eager = 0;
        const tree: (depth: number) => Coroutine<void> = coroutine(function* node(depth: number) {
          runs++;
          if (depth === 0) return;
          // eslint-disable-next-line require-yield -- the group waits
          yield* taskGroup(function* (group) {
            for (let child = 0; child < 3; child++) {
              const before = runs;
              group.createTask(tree(depth - 1));
              if (runs > before) eager++;
            }
          });
        });
        const before = runs;
        const task = createTask(tree(4));
        if (runs > before) eager++;
        await task;
        assert.equal(runs, 121);
        assert.equal(eager, eagerOnes);
        assert.equal(allTasks().size, 1);
      });
    }
  });

  test("gathered when done already makes a gather that is done", () =>
    eagerly(async () => {
      // eslint-disable-next-line require-yield -- it does not suspend
      const work = coroutine(function* work(value: number) {
        return value;
      });
      const all = gather(work(1), work(2));
      assert.equal(all.done(), true);
      assert.deepEqual(all.result(), [1, 2]);
    }));

  test("that settles what the gather took before it tells of that later, as any future does", () =>
    eagerly(async () => {
      const boom = new RangeError("boom");
      for (const mentions of [1, 2]) {
        const future = getRunningLoop().createFuture();
        // eslint-disable-next-line require-yield -- it does not suspend
        const settle = coroutine(function* settle() {
          future.setException(boom);
        });
        const all = mentions === 1 ? gather(future, settle()) : gather(future, settle(), future);
        assert.equal(all.done(), false);
        assert.equal(await all.catch((error: unknown) => error), boom);
      }
    }));
});

describe("an eager native task", () => {
  const hosts = ["node", "bun", "deno"] as const;

  testOn(hosts, "runs up to its first await inside createTask, and is never done then", () =>
    eagerly(async () => {
      const log: string[] = [];
      const task = createTask(
        async () => {
          log.push(`first step in ${currentTask()?.getName() ?? ""}`);
          await sleep(0);
          log.push(`second step in ${currentTask()?.getName() ?? ""}`);
          return 1;
        },
        { name: "eager" },
      );
      log.push("created");
      assert.equal(task.done(), false);
      const trivial = createTask(async () => 2);
      assert.equal(trivial.done(), false);
      assert.equal(await task, 1);
      assert.equal(await trivial, 2);
      assert.deepEqual(log, ["first step in eager", "created", "second step in eager"]);
      assert.equal(allTasks().size, 1);
    }),
  );

  testOn(hosts, "can be made in a callback of the loop", () =>
    eagerly(async () => {
      const made = new Future<{ task: Task<string> }>();
      const loop = getRunningLoop();
      loop.callSoon(() => {
        made.setResult({ task: createTask(sleep(1, "slept")) });
      });
      const { task } = await made;
      assert.equal(await task, "slept");
    }),
  );
});

describe("createEagerTaskFactory", () => {
  test("makes tasks of the class it is given", () =>
    simulate(async () => {
      class Special<T> extends Task<T> {}
      getRunningLoop().setTaskFactory(createEagerTaskFactory(Special));
      const task = createTask(sleep(1, "slept"), { name: "special" });
      assert.instanceOf(task, Special);
      assert.equal(task.getName(), "special");
      assert.equal(await task, "slept");
    }));

  test("needs a class", () => {
    assert.throws(() => createEagerTaskFactory(5 as never), ArgumentTypeError);
  });
});
