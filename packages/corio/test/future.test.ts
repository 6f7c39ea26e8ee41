import {
  ArgumentTypeError,
  CancelledError,
  coroutine,
  createTask,
  ensureFuture,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  InvalidStateError,
  isFuture,
  newEventLoop,
  run,
  RuntimeError,
  setEventLoop,
  sleep,
  Task,
  ValueError,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";
import { testScript, wait } from "./support/forms.ts";
import { simulate } from "./support/simulate.ts";

/** Runs `body` as a program under virtual time. */

describe("a future", () => {
  test("is pending, then done with its value [BaseFutureTests.test_initial_state] [BaseFutureTests.test_result]", () =>
    simulate(async () => {
      const future = new Future<number>();
      assert.equal(future.done(), false);
      assert.equal(future.cancelled(), false);
      assert.throws(() => future.result(), InvalidStateError);
      assert.throws(() => future.exception(), InvalidStateError);
      future.setResult(42);
      assert.equal(future.done(), true);
      assert.equal(future.cancelled(), false);
      assert.equal(future.result(), 42);
      assert.equal(future.exception(), null);
      assert.throws(() => {
        future.setResult(43);
      }, InvalidStateError);
      assert.throws(() => {
        future.setException(new Error());
      }, InvalidStateError);
      assert.equal(future.cancel(), false);
      assert.equal(await future, 42);
    }));

  test("is done with its exception [BaseFutureTests.test_exception] [FutureTests.test_future_traceback]", () =>
    simulate(async () => {
      const future = new Future();
      const error = new RangeError("too far");
      future.setException(error);
      assert.equal(future.exception(), error);
      assert.equal(
        assert.throws(() => future.result()),
        error,
      );
      assert.equal(await assert.rejects(future), error);
      assert.equal(await assert.rejects(future), error);
      assert.throws(() => {
        future.setResult(1);
      }, InvalidStateError);
    }));

  test("makes an instance of an error class [BaseFutureTests.test_exception_class]", () =>
    simulate(async () => {
      const future = new Future();
      future.setException(RangeError);
      assert.instanceOf(future.exception(), RangeError);
    }));

  test("refuses nothing at all as an exception", () =>
    simulate(async () => {
      const future = new Future();
      assert.throws(() => {
        future.setException(undefined);
      }, ArgumentTypeError);
      assert.throws(() => {
        future.setException(null);
      }, /setException expects an error or an error class, got null/);
      assert.equal(future.done(), false);
    }));

  test("can be cancelled once [BaseFutureTests.test_cancel]", () =>
    simulate(async () => {
      const future = new Future();
      assert.equal(future.cancel(), true);
      assert.equal(future.cancelled(), true);
      assert.equal(future.done(), true);
      assert.throws(() => future.result(), CancelledError);
      assert.throws(() => future.exception(), CancelledError);
      assert.throws(() => {
        future.setResult(1);
      }, /setResult on a future that was cancelled already/);
      assert.throws(() => {
        future.setException(new Error());
      }, InvalidStateError);
      assert.equal(future.cancel(), false);
    }));

  test("carries the reason of its cancellation, and who asked [BaseFutureTests.test_future_cancel_message_getter]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const future = new Future();
      await sleep(2);
      future.cancel("my reason");
      const error = await assert.rejects<CancelledError>(future, CancelledError);
      assert.equal(error.message, "my reason");
      assert.equal(error.reason, "my reason");
      assert.equal(error.requestedAt, loop.time());
      assert.match(error.requestedBy ?? "", /^Task-\d+$/);
      const other = new Future();
      const reason = { code: 7 };
      other.cancel(reason, { requestedBy: "the tests" });
      const otherError = await assert.rejects<CancelledError>(other, CancelledError);
      assert.equal(otherError.reason, reason);
      assert.equal(otherError.requestedBy, "the tests");
    }));

  test("is known by isFuture [BaseFutureTests.test_isfuture]", () =>
    simulate(async () => {
      assert.equal(isFuture(new Future()), true);
      const task = createTask(sleep(0));
      assert.equal(isFuture(task), true);
      for (const other of [Future, Promise.resolve(), sleep, { then() {} }, 1, null, undefined]) {
        assert.equal(isFuture(other), false);
      }
      await task;
    }));

  test("has no elements: it is waited for, not iterated [BaseFutureTests.test_iter]", () =>
    simulate(async () => {
      const future = new Future<never>();
      const iterate = [
        () => [...(future as unknown as Iterable<never>)],
        () => Array.from(future as unknown as Iterable<never>),
        () => {
          const [first] = future as unknown as Iterable<never>;
          return first;
        },
      ];
      for (const each of iterate) {
        const error = assert.throws<RuntimeError>(each, RuntimeError);
        assert.equal(error.code, "CORIO_BAD_YIELD");
        assert.match(error.message, /Future cannot be iterated: await it/);
      }
      future.cancel();
    }));

  test("a loop over one fails, even where its body waits", () =>
    simulate(async () => {
      const future = new Future<never>();
      const loopOver = coroutine(function* loopOver() {
        for (const _ of future as unknown as Iterable<never>) yield* sleep(0);
      });
      const error = await assert.rejects(loopOver(), RuntimeError);
      assert.equal(error.code, "CORIO_BAD_YIELD");
      future.cancel();
    }));

  test("belongs to the running loop [BaseFutureTests.test_constructor_use_running_loop]", () =>
    simulate(async () => {
      assert.equal(new Future().getLoop(), getRunningLoop());
      assert.equal(getRunningLoop().createFuture().getLoop(), getRunningLoop());
    }));

  test("needs a loop [BaseFutureTests.test_constructor_without_loop]", () => {
    const error = assert.throws<RuntimeError>(() => new Future(), RuntimeError);
    assert.equal(error.code, "CORIO_NO_RUNNING_LOOP");
  });

  test("uses the loop that was set where none is running [BaseFutureTests.test_constructor_use_global_loop]", () => {
    const loop = newEventLoop();
    setEventLoop(loop);
    try {
      assert.equal(new Future().getLoop(), loop);
    } finally {
      setEventLoop(null);
      loop.close();
    }
  });

  test("takes its loop from the options [BaseFutureTests.test_constructor_positional]", () => {
    const loop = new EventLoop();
    assert.equal(new Future({ loop }).getLoop(), loop);
    loop.close();
  });

  testScript(
    "does not suspend whoever awaits it once it is done [BaseFutureTests.test_yield_from_twice]",
    function* () {
      const future = new Future<number>();
      future.setResult(1);
      let ran = false;
      getRunningLoop().callSoon(() => {
        ran = true;
      });
      assert.equal(yield* wait(future), 1);
      assert.equal(yield* wait(future), 1);
      assert.equal(ran, false);
    },
  );

  testScript("resumes all who await it, in the order they began to", function* (form) {
    const future = new Future<string>();
    const log: string[] = [];
    const waiter = form.define(function* waiter(name: string) {
      log.push(`${name} ${yield* wait(future)}`);
    });
    const tasks = ["a", "b", "c"].map((name) => createTask(waiter(name)));
    yield* wait(sleep(0));
    future.setResult("done");
    yield* wait(gather(tasks));
    assert.deepEqual(log, ["a done", "b done", "c done"]);
  });

  testScript("throws the same exception into all who await it", function* (form) {
    const future = new Future<string>();
    const waiter = form.define(function* waiter() {
      try {
        return yield* wait<unknown>(future);
      } catch (error) {
        return error;
      }
    });
    const tasks = [createTask(waiter()), createTask(waiter())];
    yield* wait(sleep(0));
    const error = new Error("shared");
    future.setException(error);
    assert.deepEqual(yield* wait(gather(tasks)), [error, error]);
  });

  test("gives promise methods to those who call them by hand", () =>
    simulate(async () => {
      const future = new Future<number>();
      getRunningLoop().callSoon(() => {
        future.setResult(20);
      });
      const doubled = future.then((value) => value * 2);
      assert.equal(await doubled, 40);
      let finals = 0;
      assert.equal(
        await future.finally(() => {
          finals++;
        }),
        20,
      );
      assert.equal(finals, 1);
      const failed = new Future<number>();
      failed.setException(new Error("no"));
      assert.equal(await failed.catch(() => -1), -1);
    }));

  test("can be awaited by code that belongs to no task", async () => {
    const clock = new VirtualClock();
    const future = await run(
      async () => {
        const made = new Future<string>();
        made.setResult("kept");
        return { made };
      },
      { clock },
    );
    assert.equal(await future.made, "kept");
  });

  test("a function that returns a future gives the future's result [BaseTaskTests.test_step_result_future] [BaseTaskTests.test_coroutine_non_gen_function_return_future]", () =>
    simulate(async () => {
      const future = new Future<number>();
      getRunningLoop().callSoon(() => {
        future.setResult(3);
      });
      assert.equal(await createTask(async () => await future), 3);
      assert.equal(await createTask(() => future), 3);
    }));
});

describe("done callbacks", () => {
  test("are called through the loop, in order, with the future [BaseFutureDoneCallbackTests.test_callbacks_invoked_on_set_result]", () =>
    simulate(async () => {
      const future = new Future<number>();
      const log: unknown[] = [];
      future.addDoneCallback((done) => log.push("first", done === future));
      future.addDoneCallback(() => log.push("second"));
      future.setResult(1);
      assert.deepEqual(log, []);
      await sleep(0);
      assert.deepEqual(log, ["first", true, "second"]);
    }));

  test("are called when it fails [BaseFutureDoneCallbackTests.test_callbacks_invoked_on_set_exception]", () =>
    simulate(async () => {
      const future = new Future<number>();
      const log: unknown[] = [];
      future.addDoneCallback((done) => log.push(String(done.exception())));
      future.setException(new Error("boom"));
      await sleep(0);
      assert.deepEqual(log, ["Error: boom"]);
    }));

  test("are scheduled at once when the future is done already", () =>
    simulate(async () => {
      const future = new Future<void>();
      future.setResult();
      const log: string[] = [];
      future.addDoneCallback(() => log.push("late"));
      assert.deepEqual(log, []);
      await sleep(0);
      assert.deepEqual(log, ["late"]);
    }));

  test("can be removed: all equal ones at once [BaseFutureDoneCallbackTests.test_remove_done_callback]", () =>
    simulate(async () => {
      const future = new Future<void>();
      const log: string[] = [];
      const first = (): number => log.push("first");
      const second = (): number => log.push("second");
      future.addDoneCallback(first);
      future.addDoneCallback(second);
      future.addDoneCallback(first);
      assert.equal(future.removeDoneCallback(first), 2);
      assert.equal(future.removeDoneCallback(first), 0);
      future.setResult();
      await sleep(0);
      assert.deepEqual(log, ["second"]);
    }));

  testRemoving(
    "removing the first leaves the others [BaseFutureDoneCallbackTests.test_callbacks_remove_first_callback]",
    ["a"],
    ["b", "c"],
  );
  testRemoving(
    "removing the first and second leaves the third [BaseFutureDoneCallbackTests.test_callbacks_remove_first_and_second_callback]",
    ["a", "b"],
    ["c"],
  );
  testRemoving(
    "removing the third leaves the others [BaseFutureDoneCallbackTests.test_callbacks_remove_third_callback]",
    ["c"],
    ["a", "b"],
  );
  testRemoving(
    "removing all leaves none [BaseFutureDoneCallbackTests.test_remove_done_callbacks_list_clear]",
    ["a", "b", "c"],
    [],
  );

  function testRemoving(title: string, removed: readonly string[], left: string[]): void {
    test(title, () =>
      simulate(async () => {
        const future = new Future<void>();
        const log: string[] = [];
        const callbacks = new Map(["a", "b", "c"].map((name) => [name, () => log.push(name)] as const));
        for (const callback of callbacks.values()) future.addDoneCallback(callback);
        for (const name of removed) future.removeDoneCallback(callbacks.get(name) as () => void);
        future.setResult();
        await sleep(0);
        assert.deepEqual(log, left);
      }),
    );
  }

  test("may remove and add others while they are called [BaseFutureDoneCallbackTests.test_remove_done_callbacks_list_mutation] [BaseFutureDoneCallbackTests.test_schedule_callbacks_list_mutation_1] [BaseFutureDoneCallbackTests.test_schedule_callbacks_list_mutation_2]", () =>
    simulate(async () => {
      const future = new Future<void>();
      const log: string[] = [];
      const last = (): number => log.push("last");
      future.addDoneCallback(() => {
        log.push("first");
        assert.equal(future.removeDoneCallback(last), 0);
        future.addDoneCallback(() => log.push("added"));
      });
      future.addDoneCallback(last);
      future.setResult();
      await sleep(0);
      assert.deepEqual(log, ["first", "last"]);
      await sleep(0);
      assert.deepEqual(log, ["first", "last", "added"]);
    }));

  test("must be functions", () =>
    simulate(async () => {
      const future = new Future<void>();
      assert.throws(() => {
        future.addDoneCallback("x" as never);
      }, /addDoneCallback expects a function, got "x"/);
      future.setResult();
    }));

  test("that throw are reported, and the next is called", async () => {
    const reports: string[] = [];
    await simulate(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => {
        reports.push(`${context.message}: ${String(context.exception)} ${String(context.future === future)}`);
      });
      const future = new Future<void>();
      future.addDoneCallback(function failing() {
        throw new Error("boom");
      });
      future.addDoneCallback(() => reports.push("next"));
      future.setResult();
      await sleep(0);
    });
    assert.equal(reports.length, 2);
    assert.match(reports[0] ?? "", /^Exception in callback failing\d*: Error: boom true$/);
    assert.equal(reports[1], "next");
  });
});

describe("an exception that nobody retrieves", () => {
  const reportsOf = async (body: () => Promise<unknown>): Promise<string[]> => {
    const reports: string[] = [];
    await simulate(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => {
        reports.push(`${context.message}: ${String(context.exception)}`);
      });
      await body();
    });
    return reports;
  };

  test("is reported when the run ends [BaseFutureTests.test_tb_logger_exception_unretrieved] [BaseFutureTests.test_future_exception_never_retrieved]", async () => {
    const reports = await reportsOf(async () => {
      new Future().setException(new Error("lost"));
    });
    assert.deepEqual(reports, ["Future exception was never retrieved: Error: lost"]);
  });

  test("is not reported when exception() was called [BaseFutureTests.test_tb_logger_exception_retrieved]", async () => {
    const reports = await reportsOf(async () => {
      const future = new Future();
      future.setException(new Error("seen"));
      future.exception();
    });
    assert.deepEqual(reports, []);
  });

  test("is not reported when result() was called [BaseFutureTests.test_tb_logger_exception_result_retrieved]", async () => {
    const reports = await reportsOf(async () => {
      const future = new Future();
      future.setException(new Error("seen"));
      assert.throws(() => future.result(), /seen/);
    });
    assert.deepEqual(reports, []);
  });

  test("does not exist when there is a result, or a cancellation [BaseFutureTests.test_tb_logger_not_called_after_cancel] [BaseFutureTests.test_tb_logger_result_unretrieved] [BaseFutureTests.test_tb_logger_result_retrieved] [BaseFutureTests.test_tb_logger_abandoned] [BaseTaskTests.test_tb_logger_not_called_after_cancel]", async () => {
    const reports = await reportsOf(async () => {
      new Future().setResult(1);
      new Future().cancel();
      const read = new Future();
      read.setResult(2);
      read.result();
      void new Future();
    });
    assert.deepEqual(reports, []);
  });

  test("is said to be a task's, with its name", async () => {
    const reports: unknown[] = [];
    await simulate(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => {
        reports.push(context.message, context["taskName"]);
      });
      const failing = coroutine(async function failing() {
        throw new Error("boom");
      });
      createTask(failing(), { name: "worker" }).addDoneCallback(() => undefined);
      await sleep(0);
    });
    assert.equal(reports[0], "Task exception was never retrieved");
    assert.match(String(reports[1]), /^'worker' \(failing\d*\)$/);
  });

  test("says where the future was made in debug mode [BaseFutureTests.test_future_exception_never_retrieved_debug] [BaseFutureTests.test_future_source_traceback]", async () => {
    const sites: unknown[] = [];
    await run(
      async () => {
        getRunningLoop().setExceptionHandler((_loop, context) => sites.push(context.sourceTraceback));
        new Future().setException(new Error("lost"));
      },
      { clock: new VirtualClock(), debug: true },
    );
    assert.equal(sites.length, 1);
    assert.match(String(sites[0]), /future\.test|tests\.js/);
  });
});

describe("ensureFuture", () => {
  test("returns a future or a task as it is [BaseTaskTests.test_ensure_future_future] [BaseTaskTests.test_ensure_future_task] [DuckTests.test_ensure_future]", () =>
    simulate(async () => {
      const future = new Future<void>();
      assert.equal(ensureFuture(future), future);
      const task = createTask(sleep(0));
      assert.equal(ensureFuture(task), task);
      future.setResult();
    }));

  test("makes a task of a coroutine or a function [BaseTaskTests.test_ensure_future_coroutine]", () =>
    simulate(async () => {
      const task = ensureFuture(sleep(0, "slept"));
      assert.instanceOf(task, Task);
      assert.equal(await task, "slept");
      assert.equal(await ensureFuture(async () => "called"), "called");
    }));

  test("watches a promise [BaseTaskTests.test_ensure_future_awaitable] [BaseTaskTests.test_ensure_future_task_awaitable]", () =>
    simulate(async () => {
      const future = ensureFuture(Promise.resolve(5));
      assert.equal(future instanceof Task, false);
      assert.equal(await future, 5);
      await assert.rejects(ensureFuture(Promise.reject(new Error("no"))), /no/);
    }));

  test("refuses anything else [BaseTaskTests.test_ensure_future_neither] [BaseTaskTests.test_ensure_future_error_msg]", () =>
    simulate(async () => {
      assert.throws(
        () => ensureFuture("x" as never),
        /ensureFuture expects a future, a coroutine, a function or a promise, got "x"/,
      );
      assert.throws(() => ensureFuture(null as never), ArgumentTypeError);
    }));

  test("refuses a future of another loop's clock", () =>
    simulate(async () => {
      const other = new EventLoop({ clock: new VirtualClock() });
      const future = new Future({ loop: other });
      assert.throws(() => ensureFuture(future, { loop: getRunningLoop() }), ValueError);
      other.close();
    }));

  test("closes the coroutine it was given when no loop is running", () => {
    const work = coroutine(async function work() {});
    const refused = work();
    assert.throws(() => ensureFuture(refused), /no running event loop/);
    return assert
      .rejects(
        simulate(async () => await refused),
        /already closed/,
      )
      .then(() => undefined);
  });
});

describe("gather", () => {
  test("of nothing is done at once [FutureGatherTests.test_constructor_empty_sequence_use_running_loop]", () =>
    simulate(async () => {
      const empty = gather();
      assert.equal(empty.done(), true);
      assert.deepEqual(await empty, []);
      assert.deepEqual(await gather([]), []);
    }));

  test("needs a running loop [FutureGatherTests.test_constructor_empty_sequence_without_loop] [CoroutineGatherTests.test_constructor_without_loop]", () => {
    assert.throws(() => gather(), RuntimeError);
    const one = sleep(1);
    assert.throws(() => gather(one), RuntimeError);
    one.close();
  });

  testScript("keeps the order of its arguments [GatherTestsBase.test_success]", function* () {
    const results = yield* wait(gather(sleep(3, "c"), sleep(1, "a"), sleep(2, "b")));
    assert.deepEqual(results, ["c", "a", "b"]);
    assert.equal(getRunningLoop().time(), 3);
  });

  testScript(
    "passes on the first exception at once; the others go on [GatherTestsBase.test_one_exception]",
    function* (form) {
      const log: string[] = [];
      const failing = form.define(function* failing() {
        yield* wait(sleep(1));
        throw new Error("boom");
      });
      const slow = form.define(function* slow() {
        yield* wait(sleep(5));
        log.push("slow done");
      });
      const slowTask = createTask(slow());
      try {
        yield* wait(gather(failing(), slowTask));
        assert.fail("expected an error");
      } catch (error) {
        assert.equal(String(error), "Error: boom");
      }
      assert.equal(getRunningLoop().time(), 1);
      assert.equal(slowTask.done(), false);
      yield* wait(slowTask);
      assert.deepEqual(log, ["slow done"]);
    },
  );

  test("marks later exceptions as retrieved [CoroutineGatherTests.test_exception_marking]", async () => {
    const reports: string[] = [];
    await simulate(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => reports.push(context.message));
      const failAfter = coroutine(async function failAfter(seconds: number) {
        await sleep(seconds);
        throw new Error(`boom ${String(seconds)}`);
      });
      await assert.rejects(gather(failAfter(1), failAfter(2)), /boom 1/);
      await sleep(5);
    });
    assert.deepEqual(reports, []);
  });

  test("puts exceptions and cancellations into the list on request [GatherTestsBase.test_return_exceptions] [FutureGatherTests.test_result_exception_one_cancellation] [GatherTestsBase.test_result_exception_success]", () =>
    simulate(async () => {
      const [a, b, c] = [new Future<number>(), new Future<number>(), new Future<number>()];
      const all = gather([a, b, c], { returnExceptions: true });
      const error = new Error("b");
      a.setResult(1);
      b.setException(error);
      assert.equal(all.done(), false);
      c.cancel("c");
      const results = await all;
      assert.equal(results[0], 1);
      assert.equal(results[1], error);
      assert.instanceOf(results[2], CancelledError);
      assert.equal(all.cancelled(), false);
    }));

  test("raises CancelledError when a child is cancelled, without being cancelled [FutureGatherTests.test_one_cancellation]", () =>
    simulate(async () => {
      const [a, b] = [new Future<number>(), new Future<number>()];
      const all = gather(a, b);
      a.cancel();
      await sleep(0);
      assert.equal(all.done(), true);
      assert.equal(all.cancelled(), false);
      assert.instanceOf(all.exception(), CancelledError);
      assert.equal(b.done(), false);
      b.setResult(1);
    }));

  testScript(
    "cancels all its children when cancelled, and waits for them [CoroutineGatherTests.test_cancellation_broadcast]",
    function* (form) {
      const log: string[] = [];
      const child = form.define(function* child(name: string) {
        try {
          yield* wait(sleep(10));
        } finally {
          yield* wait(sleep(1));
          log.push(`${name} cleaned up`);
        }
      });
      const outer = form.define(function* outer() {
        yield* wait(gather([child("a"), child("b")], { returnExceptions: true }));
      });
      const task = createTask(outer());
      yield* wait(sleep(1));
      task.cancel("enough");
      try {
        yield* wait(task);
        assert.fail("expected a cancellation");
      } catch (error) {
        assert.instanceOf(error, CancelledError);
      }
      assert.deepEqual(log, ["a cleaned up", "b cleaned up"]);
      assert.equal(task.cancelled(), true);
    },
  );

  test("cannot be cancelled once it is done [BaseTaskTests.test_cancel_gather_1]", () =>
    simulate(async () => {
      const child = new Future<number>();
      const all = gather(child);
      child.setResult(1);
      await sleep(0);
      assert.equal(all.cancel(), false);
      assert.deepEqual(await all, [1]);
    }));

  test("is cancelled with a message [BaseTaskTests.test_cancel_gather_2]", () =>
    simulate(async () => {
      const all = gather(sleep(10));
      await sleep(0);
      all.cancel("enough");
      const error = await assert.rejects<CancelledError>(all, CancelledError);
      assert.equal(error.message, "enough");
    }));

  test("runs what it is given twice only once [CoroutineGatherTests.test_duplicate_coroutines]", () =>
    simulate(async () => {
      let runs = 0;
      const work = coroutine(async function work() {
        return ++runs;
      });
      const one = work();
      assert.deepEqual(await gather(one, one, work(), one), [1, 1, 2, 1]);
    }));

  test("takes futures, tasks, functions and promises [FutureGatherTests.test_constructor_homogenous_futures]", () =>
    simulate(async () => {
      const future = new Future<string>();
      future.setResult("future");
      const results = await gather(
        future,
        createTask(sleep(0, "task")),
        async () => "function",
        Promise.resolve("promise"),
        sleep(0, "coroutine"),
      );
      assert.deepEqual(results, ["future", "task", "function", "promise", "coroutine"]);
    }));

  test("is done at once when all its children are", () =>
    simulate(async () => {
      const [a, b] = [new Future<number>(), new Future<number>()];
      a.setResult(1);
      b.setResult(2);
      const all = gather(a, b);
      assert.equal(all.done(), true);
      assert.deepEqual(all.result(), [1, 2]);
    }));

  test("refuses futures of different clocks [FutureGatherTests.test_constructor_heterogenous_futures]", () =>
    simulate(async () => {
      const other = new EventLoop({ clock: new VirtualClock() });
      assert.throws(() => gather(new Future(), new Future({ loop: other })), ValueError);
      other.close();
    }));

  test("starts nothing when one of its arguments is bad", async () => {
    const log: string[] = [];
    await simulate(async () => {
      const work = coroutine(async function work() {
        log.push("started");
      });
      const before = getRunningLoop().taskCount;
      assert.throws(() => gather(work(), 5 as never), ArgumentTypeError);
      assert.equal(getRunningLoop().taskCount, before);
      await sleep(1);
    });
    assert.deepEqual(log, []);
  });

  test("refuses options that are none", () =>
    simulate(async () => {
      const given = sleep(1);
      assert.throws(
        () => gather([given], 5 as never),
        /gather expects options after a list of awaitables, got 5/,
      );
      await assert.rejects(createTask(given), /already closed/);
      for (const second of [null, [sleep(1)], sleep(1)])
        assert.throws(() => gather([], second as never), ArgumentTypeError);
      for (const options of [null, 5, { loop: 5 }]) {
        const refused = sleep(1);
        assert.throws(() => new Future(options as never), ArgumentTypeError);
        assert.throws(() => ensureFuture(refused, options as never), ArgumentTypeError);
        await assert.rejects(createTask(refused), /already closed/);
      }
      const future = new Future();
      for (const options of [null, { context: {} }])
        assert.throws(() => future.addDoneCallback(() => {}, options as never), ArgumentTypeError);
    }));
});
