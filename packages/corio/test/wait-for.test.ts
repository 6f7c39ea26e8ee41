/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  ArgumentTypeError,
  CancelledError,
  ContextVar,
  coroutine,
  createTask,
  Future,
  gather,
  getRunningLoop,
  run,
  RuntimeError,
  shield,
  sleep,
  TimeoutError,
  ValueError,
  waitFor,
} from "corio";
import type { Steps } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import { now, self, simulate } from "./support/simulate.ts";

describe("waitFor", () => {
  testScript(
    "gives the result of what is in time [AsyncioWaitForTest.test_wait_for_blocking]",
    function* (form) {
      const work = form.define(function* work() {
        yield* wait(sleep(1));
        return "done";
      });
      assert.equal(yield* wait(waitFor(work(), null)), "done");
      assert.equal(yield* wait(waitFor(work(), undefined)), "done");
      assert.equal(yield* wait(waitFor(work(), 5)), "done");
      assert.equal(yield* wait(waitFor(work(), { minutes: 1 })), "done");
      assert.equal(now(), 4);
      // What ends cancelled by itself is no timeout.
      const cancelled = new Future();
      cancelled.cancel();
      yield* failureOf(waitFor(cancelled, 5), CancelledError);
    },
  );

  testScript(
    "throws TimeoutError when time is up, and cancels [AsyncioWaitForTest.test_wait_for]",
    function* (form) {
      let outcome: unknown;
      const work = form.define(function* work() {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          outcome = error;
          throw error;
        }
      });
      const error = yield* failureOf(waitFor(work(), 0.1), TimeoutError);
      assert.equal(now(), 0.1);
      assert.instanceOf(outcome, CancelledError);
      assert.equal(error.cause, outcome);
      const task = createTask(work());
      yield* failureOf(waitFor(task, 0.1), TimeoutError);
      assert.equal(task.cancelled(), true);
      assert.equal(self().cancelling(), 0);
    },
  );

  testScript("takes functions, futures and promises as well", function* (form) {
    const future = new Future<string>();
    getRunningLoop().callLater(1, () => {
      future.setResult("future");
    });
    assert.equal(yield* wait(waitFor(future, 5)), "future");
    assert.equal(yield* wait(waitFor(() => sleep(1, "function"), 5)), "function");
    assert.equal(yield* wait(waitFor(async () => await sleep(1, "async"), 5)), "async");
    assert.equal(yield* wait(waitFor(Promise.resolve("promise"), 5)), "promise");
    const work = function* (): Steps<string> {
      return yield* sleep(1, form.name);
    };
    assert.equal(yield* wait(waitFor(work, 5)), form.name);
  });

  test("stops waiting for a promise when time is up", () =>
    run(
      async () => {
        await assert.rejects(waitFor(new Promise<never>(() => undefined), 1), TimeoutError);
        assert.equal(now(), 1);
      },
      { clock: new VirtualClock({ foreignGrace: 0.001 }) },
    ));

  testScript(
    "without time: a done future gives its result [AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0_future_done]",
    function* () {
      for (const limit of [0, -1]) {
        const future = new Future<string>();
        future.setResult("done");
        assert.equal(yield* wait(waitFor(future, limit)), "done");
        const failed = new Future();
        failed.setException(new RangeError("failed"));
        yield* failureOf(waitFor(failed, limit), RangeError);
      }
      assert.equal(now(), 0);
    },
  );

  testScript(
    "without time: a coroutine is not started [AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started]",
    function* (form) {
      let started = false;
      const work = form.define(function* work() {
        started = true;
      });
      for (const limit of [0, -1]) {
        yield* failureOf(waitFor(work(), limit), TimeoutError);
        yield* failureOf(
          waitFor(() => work(), limit),
          TimeoutError,
        );
      }
      assert.equal(started, false);
      assert.equal(now(), 0);
    },
  );

  testScript(
    "without time: what runs is cancelled [AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0]",
    function* (form) {
      for (const limit of [0, -1]) {
        const started = new Future<void>();
        const work = form.define(function* work() {
          started.setResult();
          yield* wait(sleep(10));
          return "done";
        });
        const task = createTask(work());
        yield* wait(started);
        yield* failureOf(waitFor(task, limit), TimeoutError);
        assert.equal(task.cancelled(), true);
      }
      assert.equal(now(), 0);
    },
  );

  testScript(
    "a result that comes just in time is not lost [AsyncioWaitForTest.test_wait_for_race_condition]",
    function* () {
      const loop = getRunningLoop();
      for (const [first, second] of [
        ["result", "timer"],
        ["timer", "result"],
      ] as const) {
        const future = new Future<string>();
        const start = now();
        if (first === "result")
          loop.callAt(start + 1, () => {
            future.setResult("in time");
          });
        const call = createTask(waitFor(future, 1));
        yield* wait(sleep(0));
        if (second === "result")
          loop.callAt(start + 1, () => {
            if (!future.done()) future.setResult("late");
          });
        if (first === "result") {
          // The timer fires between the result and the task's next step: the cancellation wins, as in asyncio.
          yield* failureOf(call, TimeoutError);
          assert.equal(future.result(), "in time");
        } else {
          yield* failureOf(call, TimeoutError);
          assert.equal(future.cancelled(), true);
        }
      }
      const future = new Future<string>();
      loop.callLater(0.5, () => {
        future.setResult("early");
      });
      assert.equal(yield* wait(waitFor(future, 1)), "early");
    },
  );

  testScript(
    "a cancellation from outside wins over a result that is there already [AsyncioWaitForTest.test_wait_for_cancellation_race_condition]",
    function* () {
      const future = new Future<string>();
      const task = createTask(waitFor(future, 10));
      yield* wait(sleep(0));
      getRunningLoop().callSoon(() => {
        future.setResult("there");
        task.cancel();
      });
      yield* failureOf(task, CancelledError);
      assert.equal(task.cancelled(), true);
    },
  );

  testScript(
    "waits for what it has cancelled to end [AsyncioWaitForTest.test_wait_for_waits_for_task_cancellation] [AsyncioWaitForTest.test_wait_for_waits_for_task_cancellation_w_timeout_0] [AsyncioWaitForTest.test_asyncio_wait_for_timeout]",
    function* (form) {
      for (const limit of [0.5, 0]) {
        let ended = false;
        const work = form.define(function* work() {
          try {
            yield* wait(sleep(10));
          } finally {
            yield* wait(sleep(2));
            ended = true;
          }
        });
        const task = createTask(work());
        yield* wait(sleep(0));
        const start = now();
        yield* failureOf(waitFor(task, limit), TimeoutError);
        assert.equal(ended, true);
        assert.equal(now() - start, limit + 2);
      }
    },
  );

  testScript(
    "an exception of what was cancelled is raised as it is [AsyncioWaitForTest.test_wait_for_reraises_exception_during_cancellation]",
    function* (form) {
      for (const limit of [0.5, 0]) {
        const work = form.define(function* work() {
          try {
            yield* wait(sleep(10));
          } catch {
            throw new RangeError("while cleaning up");
          }
        });
        const task = createTask(work());
        yield* wait(sleep(0));
        yield* failureOf(waitFor(task, limit), RangeError);
      }
      assert.equal(self().cancelling(), 0);
    },
  );

  testScript(
    "cancelled from outside: cancels what it awaits, waits for it, and is no timeout [AsyncioWaitForTest.test_cancel_blocking_wait_for] [AsyncioWaitForTest.test_cancel_wait_for] [AsyncioWaitForTest.test_asyncio_wait_for_cancelled]",
    function* (form) {
      for (const limit of [null, 60]) {
        let ended = false;
        const work = form.define(function* work() {
          try {
            yield* wait(sleep(100));
          } finally {
            yield* wait(sleep(1));
            ended = true;
          }
        });
        const task = createTask(waitFor(work(), limit));
        yield* wait(sleep(1));
        task.cancel();
        yield* failureOf(task, CancelledError);
        assert.equal(ended, true);
        assert.equal(task.cancelled(), true);
      }
    },
  );

  testScript(
    "a value in spite of the cancellation is the result [AsyncioWaitForTest.test_wait_for_cancel_suppressed]",
    function* (form) {
      const stubborn = form.define(function* stubborn() {
        try {
          yield* wait(sleep(10));
        } catch {
          return "nevertheless";
        }
        return "slept";
      });
      assert.equal(yield* wait(waitFor(stubborn(), 0.5)), "nevertheless");
      const task = createTask(stubborn());
      yield* wait(sleep(0));
      assert.equal(yield* wait(waitFor(task, 0)), "nevertheless");
      const outer = createTask(waitFor(createTask(stubborn()), 5));
      yield* wait(sleep(1));
      outer.cancel();
      assert.equal(yield* wait(outer), "nevertheless");
    },
  );

  testScript(
    "cancelled in the moment of completion it does not go on for ever [AsyncioWaitForTest.test_wait_for_issue86296]",
    function* (form) {
      const inner = form.define(function* inner() {
        return "done";
      });
      let reached = false;
      const outer = form.define(function* outer() {
        yield* wait(waitFor(inner(), 5));
        reached = true;
        yield* wait(sleep(0));
      });
      const task = createTask(outer());
      yield* wait(sleep(0));
      assert.equal(reached, true);
      task.cancel();
      yield* failureOf(task, CancelledError);
    },
  );

  testScript("runs in the task that awaits it", function* (form) {
    const variable = new ContextVar<string>("variable");
    let task: unknown;
    const set = form.define(function* set() {
      variable.set("inside");
      task = self();
    });
    yield* wait(waitFor(set(), 5));
    assert.equal(task, self());
    assert.equal(variable.get(), "inside");
  });

  testScript("is lazy: the limit counts from the await", function* () {
    const call = waitFor(sleep(10), 1);
    yield* wait(sleep(5));
    yield* failureOf(call, TimeoutError);
    assert.equal(now(), 6);
    yield* failureOf(call, RuntimeError);
  });

  test("closing it closes the coroutine that it was given", () =>
    simulate(async () => {
      for (const limit of [1, 0]) {
        const inner = coroutine(async () => 1)();
        waitFor(inner, limit).close();
        await assert.rejects(inner, /already closed/);
      }
    }));

  test("refuses bad arguments, and closes the coroutine", () =>
    simulate(async () => {
      assert.throws(() => waitFor(5 as never, 1), ArgumentTypeError);
      const inner = coroutine(async () => 1)();
      assert.throws(() => waitFor(inner, Number.NaN), ValueError);
      await assert.rejects(inner, /already closed/);
      assert.throws(() => waitFor(sleep(1), "soon" as never), ArgumentTypeError);
    }));
});

describe("waitFor with shield", () => {
  testScript(
    "without time: the shielded task goes on [WaitForShieldTests.test_zero_timeout]",
    function* (form) {
      const work = form.define(function* work() {
        yield* wait(sleep(1));
        return "done";
      });
      const task = createTask(work());
      yield* failureOf(waitFor(shield(task), 0), TimeoutError);
      assert.equal(task.done(), false);
      assert.equal(yield* wait(task), "done");
      assert.equal(yield* wait(waitFor(shield(task), 0)), "done");
    },
  );

  testScript("without a limit [WaitForShieldTests.test_none_timeout]", function* (form) {
    const work = form.define(function* work() {
      yield* wait(sleep(1));
      return "done";
    });
    assert.equal(yield* wait(waitFor(shield(createTask(work())), null)), "done");
  });

  testScript(
    "the shielded task ends after the limit [WaitForShieldTests.test_shielded_timeout]",
    function* (form) {
      const work = form.define(function* work() {
        yield* wait(sleep(1));
        return "done";
      });
      const task = createTask(work());
      yield* failureOf(waitFor(shield(task), 0.1), TimeoutError);
      assert.equal(now(), 0.1);
      assert.deepEqual(yield* wait(gather([task])), ["done"]);
    },
  );
});
