import {
  ArgumentTypeError,
  CancelledError,
  Future,
  getRunningLoop,
  run,
  RuntimeError,
  sleep,
  Task,
} from "corio";
import {
  callSoonThreadsafe,
  checkCancelled,
  loopFunctions,
  runCoroutineThreadsafe,
  ThreadExecutor,
  wrapFuture,
} from "corio/threads";
import { shared, unshared } from "./fixtures/work.ts";
import type { LoopFunctionsOfTests } from "./fixtures/loop-functions.ts";
import { assert, describe, test } from "../support/harness.ts";
import { failsWith, Listener, testKinds, testRun, work } from "./support.ts";

describe("runCoroutineThreadsafe", () => {
  testRun(
    "blocks until the loop has run the coroutine [RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe]",
    async () => {
      await using executor = new ThreadExecutor({ loopFunctions: { ...new Listener().functions } });
      assert.equal(await executor.submit(work.askAndBlock, 1, 2), 3);
      assert.equal(await executor.submit(work.askAndBlock, 3, 4), 7);
    },
  );

  testKinds("can be awaited, in a task and outside", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...new Listener().functions } });
    assert.equal(await executor.submit(work.askAndAwait, 1, 2), 3);
    assert.equal(await executor.submit(work.askAndPromise, 3, 4), 7);
    if (kind.name === "process") {
      const error = await failsWith(executor.submit(work.askAndBlock, 1, 2), RuntimeError);
      assert.match(error.message, /a process cannot block/);
    }
  });

  testRun(
    "throws what the coroutine throws [RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_with_exception]",
    async () => {
      await using executor = new ThreadExecutor({ loopFunctions: { ...new Listener().functions } });
      assert.deepEqual(await executor.submit(work.askToFail), [true, "on the loop", true, false]);
    },
  );

  testRun(
    "may wait for a time only [RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_with_timeout]",
    async () => {
      const listener = new Listener();
      await using executor = new ThreadExecutor({ loopFunctions: { ...listener.functions } });
      assert.match(
        await executor.submit(work.askWithTimeout),
        /^TimeoutError: the loop has not answered in time/,
      );
      // The thread has cancelled the task that it no longer waits for.
      while (getRunningLoop().taskCount > 1) await sleep(0);
    },
  );

  testRun(
    "is told of a cancelled task [RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_task_cancelled]",
    async () => {
      await using executor = new ThreadExecutor({ loopFunctions: { ...new Listener().functions } });
      assert.deepEqual(await executor.submit(work.askAndCancel), [true, "CancelledError", true, false]);
    },
  );

  testRun(
    "cancels the task on the loop [RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_and_cancel]",
    async () => {
      const tasks: Task[] = [];
      await using executor = new ThreadExecutor({ loopFunctions: { ...new Listener().functions } });
      const call = executor.submit(work.askAndCancel);
      getRunningLoop().setTaskFactory((loop, work, options) => {
        const task = new Task(work, { ...options, loop });
        tasks.push(task);
        return task;
      });
      try {
        assert.deepEqual(await call, [true, "CancelledError", true, false]);
      } finally {
        getRunningLoop().setTaskFactory(null);
      }
      assert.equal(tasks.length, 1);
      assert.equal(tasks[0]?.cancelled(), true);
    },
  );

  testRun(
    "gets the error of a task factory [RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_task_factory_exception]",
    async () => {
      await using executor = new ThreadExecutor({ loopFunctions: { ...new Listener().functions } });
      const call = executor.submit(work.askAndBlock, 1, 2);
      getRunningLoop().setTaskFactory(() => {
        throw new RangeError("no tasks today");
      });
      try {
        assert.equal((await failsWith(call, RangeError)).message, "no tasks today");
      } finally {
        getRunningLoop().setTaskFactory(null);
      }
    },
  );

  testKinds("cancels the task when the call is cancelled", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const call = executor.submit(work.askToHang);
    await listener.begun();
    call.cancel("enough");
    await failsWith(call, CancelledError);
    assert.equal(await listener.notes.get(), "hang has ended");
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testRun("frees a thread that blocks when the call is cancelled", async () => {
    const listener = new Listener();
    await using executor = new ThreadExecutor({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const call = executor.submit(work.askToHangBlocking);
    await listener.begun();
    call.cancel("enough");
    assert.equal(await listener.notes.get(), "hang has ended");
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testKinds("cancels the task when the worker is killed", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({
      maxWorkers: 1,
      onCancel: "terminate",
      loopFunctions: { ...listener.functions },
    });
    const call = executor.submit(work.askToHang);
    await listener.begun();
    call.cancel();
    assert.equal(await listener.notes.get(), "hang has ended");
    await failsWith(call, CancelledError);
  });

  testRun("runs in the caller's context", async () => {
    unshared.set("the caller's");
    shared.set("the caller's, too");
    await using executor = new ThreadExecutor({ loopFunctions: { ...new Listener().functions } });
    assert.equal(await executor.submit(work.askForVariable), "the caller's");
  });

  testKinds("says what the executor has when it has not that", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { one: () => 1, other: () => 2 } });
    const error = await failsWith(executor.submit(work.askForMissing), RuntimeError);
    assert.equal(error.code, "CORIO_WORKER_FUNCTION");
    assert.match(error.message, /has no loop function 'missing', only one, other/);
  });

  testKinds("refuses what cannot be sent", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...new Listener().functions } });
    const argument = await failsWith(executor.submit(work.askWithFunction), RuntimeError);
    assert.equal(argument.code, "CORIO_NOT_CLONEABLE");
    assert.match(argument.message, /^an argument of 'echo' cannot be sent/);
    const result = await failsWith(executor.submit(work.askForFunction), RuntimeError);
    assert.equal(result.code, "CORIO_NOT_CLONEABLE");
    assert.match(result.message, /^what the loop function 'giveFunction' gave cannot be sent/);
  });

  test("works only in a worker", () => {
    const loop = loopFunctions<LoopFunctionsOfTests>();
    assert.throws<Error>(
      () => runCoroutineThreadsafe(loop.fail),
      /runCoroutineThreadsafe can be called only in a worker/,
    );
    assert.throws(() => callSoonThreadsafe(loop.begun), RuntimeError);
    assert.throws(() => checkCancelled(), RuntimeError);
  });
});

describe("callSoonThreadsafe", () => {
  testKinds("calls on the loop, in order [EventLoopTestsMixin.test_call_soon_threadsafe]", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    await executor.submit(work.soonInOrder);
    const notes = [await listener.notes.get(), await listener.notes.get(), await listener.notes.get()];
    assert.deepEqual(notes, ["one", "two", "three"]);
  });

  testKinds("reports what goes wrong to the loop's exception handler", async (kind) => {
    const listener = new Listener();
    getRunningLoop().setExceptionHandler((_loop, { exception }) => {
      listener.functions.note(String(exception));
    });
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    await executor.submit(work.soonThatFails);
    assert.match(await listener.notes.get(), /thrown on the loop/);
    await executor.submit(work.soonWithMissing);
    assert.match(await listener.notes.get(), /has no loop function 'missing'/);
  });
});

describe("wrapFuture", () => {
  testRun("gives a future of corio back as it is [BaseFutureTests.test_wrap_future_future]", async () => {
    const future = new Future();
    assert.equal(wrapFuture(future), future);
    assert.throws(() => wrapFuture({} as never), ArgumentTypeError);
    await Promise.resolve();
  });

  testKinds(
    "is done when the other future is [BaseFutureTests.test_wrap_future] [BaseFutureTests.test_wrap_future_use_running_loop]",
    async (kind) => {
      await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...new Listener().functions } });
      assert.deepEqual(await executor.submit(work.wrapInTask, 1, 2), [3, true]);
    },
  );

  testKinds("cancels the other future [BaseFutureTests.test_wrap_future_cancel]", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    assert.deepEqual(await executor.submit(work.wrapAndCancel), [true, true]);
  });

  testRun(
    "belongs to the loop that was set where none runs [BaseFutureTests.test_wrap_future_use_global_loop]",
    async () => {
      await using executor = new ThreadExecutor({
        maxWorkers: 1,
        loopFunctions: { ...new Listener().functions },
      });
      assert.deepEqual(await executor.submit(work.wrapForLoop, 1, 2), [3, true]);
    },
  );

  testRun("needs a running loop [BaseFutureTests.test_wrap_future_without_loop]", async () => {
    await using executor = new ThreadExecutor({
      maxWorkers: 1,
      loopFunctions: { ...new Listener().functions },
    });
    assert.match(await executor.submit(work.wrapWithoutLoop), /no running event loop/);
  });
});

describe("idle workers", () => {
  test("end after their time, in an orderly way", async () => {
    const memory = new SharedArrayBuffer(4);
    await run(async () => {
      const executor = new ThreadExecutor({ idleTimeout: { milliseconds: 1 } });
      await executor.submit(work.noteExit, memory);
      // Its end is what is waited for, however long that takes.
      while (executor.statistics().workers > 0) await sleep(0.001);
      await executor.shutdown();
    });
    assert.equal(new Int32Array(memory)[0], 1);
  });
});
