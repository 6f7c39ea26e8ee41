/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  ArgumentTypeError,
  asCompleted,
  CancelledError,
  coroutine,
  createTask,
  Future,
  gather,
  getRunningLoop,
  RuntimeError,
  sleep,
  TimeoutError,
} from "corio";
import type { Coroutine, Task, Waitable } from "corio";
import { assert, describe, test } from "./support/harness.ts";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Script } from "./support/forms.ts";
import { now, simulate } from "./support/simulate.ts";

function* results<T>(waitables: Iterable<Waitable<T>>): Script<unknown[]> {
  const all: unknown[] = [];
  for (const next of asCompleted(waitables)) all.push(yield* wait(next as Coroutine));
  return all;
}

describe("asCompleted", () => {
  testScript(
    "gives coroutines for the results, as they come [BaseTaskTests.test_as_completed]",
    function* (form) {
      const work = form.define(function* work(seconds: number, name: string) {
        yield* wait(sleep(seconds));
        return name;
      });
      assert.deepEqual(yield* results([work(0.01, "b"), work(0.15, "c"), work(0.001, "a")]), ["a", "b", "c"]);
      assert.equal(now(), 0.15);
    },
  );

  test("in for await gives the tasks themselves [BaseTaskTests.test_as_completed_same_tasks_in_as_out]", () =>
    simulate(async () => {
      const future = new Future<string>();
      const tasks = [createTask(sleep(2, "slow")), createTask(sleep(1, "fast")), future];
      getRunningLoop().callLater(1.5, () => {
        future.setResult("future");
      });
      const order: unknown[] = [];
      for await (const task of asCompleted(tasks)) {
        assert.equal(task.done(), true);
        order.push(task);
      }
      assert.deepEqual(
        order.map((task) => tasks.indexOf(task as Task<string>)),
        [1, 2, 0],
      );
    }));

  test("in for await gives tasks for coroutines and futures for promises", () =>
    simulate(async () => {
      const given: unknown[] = [];
      for await (const future of asCompleted([
        sleep(1, "coroutine"),
        () => sleep(2, "function"),
        Promise.resolve("promise"),
      ])) {
        assert.instanceOf(future, Future);
        given.push(future.result());
      }
      assert.deepEqual(given, ["promise", "coroutine", "function"]);
    }));

  testScript(
    "throws TimeoutError for those that are not done in time [BaseTaskTests.test_as_completed_with_timeout]",
    function* () {
      const tasks = [createTask(sleep(0.1, "a")), createTask(sleep(0.15, "b"))];
      const outcomes: unknown[] = [];
      for (const next of asCompleted(tasks, { timeout: 0.12 })) {
        try {
          outcomes.push(yield* wait(next));
        } catch (error) {
          outcomes.push((error as Error).name);
        }
      }
      assert.deepEqual(outcomes, ["a", "TimeoutError"]);
      assert.equal(now(), 0.12);
      assert.equal(yield* wait(tasks[1] as Task<string>), "b");
    },
  );

  test("so does for await", () =>
    simulate(async () => {
      const tasks = [createTask(sleep(0.1, "a")), createTask(sleep(0.15, "b"))];
      const seen: string[] = [];
      await assert.rejects(async () => {
        for await (const task of asCompleted(tasks, { timeout: 0.12 })) seen.push(task.result());
      }, TimeoutError);
      assert.deepEqual(seen, ["a"]);
      assert.equal(tasks[1]?.cancelled(), false);
    }));

  testScript(
    "a limit that is not reached does nothing [BaseTaskTests.test_as_completed_with_unused_timeout]",
    function* () {
      const all: unknown[] = [];
      for (const next of asCompleted([sleep(0.01, "a")], { timeout: { seconds: 1 } }))
        all.push(yield* wait(next));
      assert.deepEqual(all, ["a"]);
      yield* wait(sleep(5));
      for (const next of asCompleted([], { timeout: 1 })) assert.fail(next.name);
    },
  );

  test("a loop that was left can be continued [BaseTaskTests.test_as_completed_resume_iterator]", () =>
    simulate(async () => {
      const make = (): Task<number>[] => [3, 1, 2].map((seconds) => createTask(sleep(seconds, seconds)));
      const plain = asCompleted(make());
      const seen: number[] = [];
      for (const next of plain) {
        seen.push(await next);
        break;
      }
      for (const next of plain) seen.push(await next);
      const whole = asCompleted(make());
      for await (const task of whole) {
        seen.push(task.result());
        break;
      }
      for await (const task of whole) seen.push(task.result());
      for (const next of whole) seen.push(await next);
      assert.deepEqual(seen, [1, 2, 3, 1, 2, 3]);
    }));

  testScript(
    "the coroutines may be awaited in any order [BaseTaskTests.test_as_completed_reverse_wait]",
    function* () {
      const [first, second] = [...asCompleted([sleep(0.1, "a"), sleep(0.05, "b")])];
      assert.equal(yield* wait(second as Coroutine), "b");
      assert.equal(now(), 0.05);
      assert.equal(yield* wait(first as Coroutine), "a");
    },
  );

  testScript("or at the same time [BaseTaskTests.test_as_completed_concurrent]", function* () {
    const coroutines = [...asCompleted([sleep(0.05, "a"), sleep(0.05, "b"), sleep(0.01, "c")])];
    assert.deepEqual(yield* wait(gather(coroutines)), ["c", "a", "b"]);
  });

  testScript(
    "something given twice counts once [BaseTaskTests.test_as_completed_duplicate_coroutines]",
    function* (form) {
      const work = form.define(function* work(name: string) {
        return name;
      });
      const twice = work("ham");
      assert.deepEqual(yield* results([twice, twice, work("spam")]), ["ham", "spam"]);
    },
  );

  testScript("a function runs for each time that it is given", function* (form) {
    let runs = 0;
    const work = form.define(function* work() {
      return ++runs;
    });
    assert.deepEqual(yield* results([work, work]), [1, 2]);
  });

  test("needs a loop, and closes the coroutines without one [BaseTaskTests.test_as_completed_coroutine_without_loop]", async () => {
    const inner = coroutine(async () => 1)();
    assert.throws(() => asCompleted([inner]), RuntimeError);
    await assert.rejects(inner, RuntimeError);
  });

  testScript(
    "uses the running loop [BaseTaskTests.test_as_completed_coroutine_use_running_loop]",
    function* (form) {
      const work = form.define(function* work() {
        return 42;
      });
      assert.deepEqual(yield* results([work()]), [42]);
    },
  );

  testScript(
    "refuses what it cannot wait for, and starts nothing [BaseTaskTests.test_as_completed_invalid_args]",
    function* () {
      assert.throws(() => asCompleted(new Future() as never), ArgumentTypeError);
      assert.throws(() => asCompleted(sleep(1) as never), ArgumentTypeError);
      assert.throws(() => asCompleted(5 as never), ArgumentTypeError);
      const inner = sleep(1);
      assert.throws(() => asCompleted([inner, 5 as never]), ArgumentTypeError);
      assert.match(String(yield* failureOf(inner)), /already closed/);
      const other = sleep(1);
      assert.throws(() => asCompleted([other], null as never), ArgumentTypeError);
      assert.match(String(yield* failureOf(other)), /already closed/);
    },
  );

  testScript("a failed one throws its exception in its turn", function* (form) {
    const fail = form.define(function* fail() {
      yield* wait(sleep(1));
      throw new RangeError("failed");
    });
    const outcomes: unknown[] = [];
    for (const next of asCompleted([sleep(2, "after"), fail(), sleep(0.5, "before")])) {
      try {
        outcomes.push(yield* wait(next));
      } catch (error) {
        outcomes.push(String(error));
      }
    }
    assert.deepEqual(outcomes, ["before", "RangeError: failed", "after"]);
  });

  testScript("a waiter that is cancelled when it was woken passes that on", function* () {
    const tasks = [createTask(sleep(1, "a")), createTask(sleep(2, "b"))];
    const [first, second] = [...asCompleted(tasks)].map((next) => createTask(next));
    yield* wait(sleep(0));
    getRunningLoop().callAt(1, () => {
      // The first task is done in this iteration; the waiter is woken up in the next.
      getRunningLoop().callSoon(() => {
        getRunningLoop().callSoon(() => {
          first?.cancel();
        });
      });
    });
    yield* failureOf(first as Task<string>, CancelledError);
    assert.equal(yield* wait(second as Task<string>), "a");
    assert.equal(now(), 1);
  });

  testScript("has any number of waiters, each of which leaves without a search", function* () {
    const futures = Array.from({ length: 100_000 }, () => new Future<number>());
    const waiters = Array.from(asCompleted(futures), (next) => createTask(next));
    yield* wait(sleep(0));
    // From the back: quadratic time would be minutes.
    for (const waiter of waiters.slice(1).reverse()) waiter.cancel();
    for (const [index, future] of futures.entries()) future.setResult(index);
    assert.equal(yield* wait(waiters[0] as Task<number>), 0);
  });

  testScript("gives a large number of those that are done without moving the others", function* () {
    const futures = Array.from({ length: 200_000 }, (_, index) => {
      const future = new Future<number>();
      future.setResult(index);
      return future;
    });
    let sum = 0;
    for (const next of asCompleted(futures)) sum += yield* wait(next);
    assert.equal(sum, (200_000 * 199_999) / 2);
  });
});
