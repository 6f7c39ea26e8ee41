/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  ALL_COMPLETED,
  ArgumentTypeError,
  CancelledError,
  coroutine,
  createTask,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  Future,
  getRunningLoop,
  sleep,
  ValueError,
  wait as waitForAll,
} from "corio";
import type { Task } from "corio";
import { assert, describe, test } from "./support/harness.ts";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import { now, simulate } from "./support/simulate.ts";

describe("wait", () => {
  testScript("waits for all of them [BaseTaskTests.test_wait]", function* () {
    const slow = createTask(sleep(0.15, 15));
    const fast = createTask(sleep(0.1, 10));
    const { done, pending } = yield* wait(waitForAll([slow, fast]));
    assert.deepEqual([...done], [slow, fast]);
    assert.equal(pending.size, 0);
    assert.equal(now(), 0.15);
    // Once more, with what is done.
    const again = yield* wait(waitForAll([slow, fast], { returnWhen: ALL_COMPLETED }));
    assert.equal(again.done.size, 2);
  });

  testScript(
    "something given twice counts once [BaseTaskTests.test_wait_duplicate_coroutines]",
    function* () {
      const task = createTask(sleep(1, "s"));
      const { done } = yield* wait(waitForAll([task, task]));
      assert.deepEqual([...done], [task]);
    },
  );

  testScript(
    "refuses what it cannot wait for [BaseTaskTests.test_wait_errors] [BaseTaskTests.test_wait_invalid_args]",
    function* () {
      assert.throws(() => waitForAll([]), ValueError);
      assert.throws(() => waitForAll(new Set<Task>()), ValueError);
      const task = createTask(sleep(1));
      assert.throws(() => waitForAll([task], { returnWhen: -1 as never }), ValueError);
      assert.throws(() => waitForAll(task as never), ArgumentTypeError);
      assert.throws(() => waitForAll(null as never), ArgumentTypeError);
      for (const wrong of [1, null, undefined])
        assert.throws(() => waitForAll([wrong, task] as never), ArgumentTypeError);
      for (const options of [null, 5])
        assert.throws(() => waitForAll([task], options as never), ArgumentTypeError);
      assert.throws(() => waitForAll([task], { timeout: Number.NaN }), ValueError);
      const inner = sleep(1);
      const error = assert.throws<Error>(() => waitForAll([task, inner]), ArgumentTypeError);
      assert.match(error.message, /got Coroutine; make a task of the coroutine with createTask/);
      // Nothing is left to be reported.
      const reuse = yield* failureOf(inner);
      assert.match(String(reuse), /already closed/);
    },
  );

  testScript("returns when the first is done [BaseTaskTests.test_wait_first_completed]", function* () {
    const slow = createTask(sleep(10));
    const fast = createTask(sleep(0.1));
    const { done, pending } = yield* wait(waitForAll([slow, fast], { returnWhen: FIRST_COMPLETED }));
    assert.deepEqual([...done], [fast]);
    assert.deepEqual([...pending], [slow]);
    assert.equal(slow.done(), false);
    assert.equal(now(), 0.1);
  });

  testScript(
    "looks at who is done only when it goes on [BaseTaskTests.test_wait_really_done]",
    function* (form) {
      const first = form.define(function* first() {
        yield* wait(sleep(0));
      });
      const second = form.define(function* second() {
        yield* wait(sleep(0));
        yield* wait(sleep(0));
      });
      const tasks = [createTask(first()), createTask(second())];
      const { done, pending } = yield* wait(waitForAll(tasks, { returnWhen: FIRST_COMPLETED }));
      assert.deepEqual([...done], tasks);
      assert.equal(pending.size, 0);
    },
  );

  testScript("returns when the first has failed [BaseTaskTests.test_wait_first_exception]", function* (form) {
    const fail = form.define(function* fail() {
      throw new RangeError("err");
    });
    const slow = createTask(sleep(10));
    const failing = createTask(fail());
    const { done, pending } = yield* wait(waitForAll([slow, failing], { returnWhen: FIRST_EXCEPTION }));
    assert.deepEqual([...done], [failing]);
    assert.deepEqual([...pending], [slow]);
    assert.equal(now(), 0);
  });

  testScript(
    "also when that happens during the wait [BaseTaskTests.test_wait_first_exception_in_wait]",
    function* (form) {
      const fail = form.define(function* fail() {
        yield* wait(sleep(0.01));
        throw new RangeError("err");
      });
      const slow = createTask(sleep(10));
      const cancelled = createTask(sleep(10));
      getRunningLoop().callLater(0.005, () => {
        cancelled.cancel();
      });
      const failing = createTask(fail());
      const result = yield* wait(waitForAll([slow, cancelled, failing], { returnWhen: FIRST_EXCEPTION }));
      assert.deepEqual([...result.done], [cancelled, failing]);
      assert.deepEqual([...result.pending], [slow]);
      assert.equal(now(), 0.01);
    },
  );

  testScript("throws nothing of what they throw [BaseTaskTests.test_wait_with_exception]", function* (form) {
    const fail = form.define(function* fail() {
      yield* wait(sleep(0.15));
      throw new RangeError("err");
    });
    const tasks = [createTask(sleep(0.1)), createTask(fail())];
    const { done, pending } = yield* wait(waitForAll(tasks));
    assert.equal(done.size, 2);
    assert.equal(pending.size, 0);
    assert.deepEqual(
      [...done].filter((task) => task.exception() !== null),
      [tasks[1]],
    );
  });

  testScript(
    "returns when time is up, and throws nothing [BaseTaskTests.test_wait_with_timeout]",
    function* () {
      const fast = createTask(sleep(0.1));
      const slow = createTask(sleep(0.15));
      const { done, pending } = yield* wait(waitForAll([fast, slow], { timeout: 0.11 }));
      assert.deepEqual([...done], [fast]);
      assert.deepEqual([...pending], [slow]);
      assert.equal(now(), 0.11);
      const atOnce = yield* wait(waitForAll([slow], { timeout: 0 }));
      assert.equal(atOnce.pending.size, 1);
      yield* wait(slow);
    },
  );

  testScript(
    "an unused limit leaves nothing behind [BaseTaskTests.test_wait_concurrent_complete]",
    function* () {
      const first = createTask(sleep(0.1));
      const second = createTask(sleep(0.1));
      yield* wait(sleep(0));
      const { done } = yield* wait(waitForAll([first, second], { timeout: 0.1 }));
      // The limit was set later than their timers: at equal times it comes after them.
      assert.equal(done.size, 2);
      const { pending } = yield* wait(waitForAll([createTask(sleep(1))], { timeout: { minutes: 1 } }));
      assert.equal(pending.size, 0);
    },
  );

  testScript(
    "takes any iterable [BaseTaskTests.test_wait_with_iterator_of_tasks] [BaseTaskTests.test_wait_generator]",
    function* () {
      const make = function* (): Generator<Task<number>> {
        for (let count = 0; count < 10; count++) yield createTask(sleep(1, count));
      };
      const { done } = yield* wait(waitForAll(make()));
      assert.deepEqual(
        [...done].map((task) => task.result()),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      );
      const { done: fromIterator } = yield* wait(waitForAll([createTask(sleep(1))].values()));
      assert.equal(fromIterator.size, 1);
    },
  );

  testScript(
    "cancelling it cancels nothing else [BaseTaskTests.test_yield_wait_does_not_shield_cancel]",
    function* () {
      const member = createTask(sleep(10, "went on"));
      const waiting = createTask(waitForAll([member], { timeout: 100 }));
      yield* wait(sleep(1));
      waiting.cancel();
      yield* failureOf(waiting, CancelledError);
      assert.equal(yield* wait(member), "went on");
    },
  );

  test("takes promises: a future stands for each", () =>
    simulate(async () => {
      const failing = Promise.reject(new RangeError("promise"));
      const future = new Future<string>();
      future.setResult("future");
      const { done } = await waitForAll([Promise.resolve("promise"), failing, future]);
      const [first, second, third] = [...done];
      assert.equal(first?.result(), "promise");
      assert.instanceOf(second?.exception(), RangeError);
      assert.equal(third, future);
    }));

  test("FIRST_EXCEPTION counts as having seen the exception", async () => {
    const reports: string[] = [];
    await simulate(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => reports.push(context.message));
      const fail = coroutine(async () => {
        throw new RangeError("seen");
      });
      await waitForAll([createTask(fail()), createTask(sleep(1))], { returnWhen: FIRST_EXCEPTION });
    });
    assert.deepEqual(reports, []);
  });
});
