/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  CancelledError,
  coroutine,
  createTask,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  RuntimeError,
  setEventLoop,
  shield,
  sleep,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import { iterate } from "./support/primitives.ts";
import { simulate } from "./support/simulate.ts";

type ExceptionContext = Parameters<EventLoop["callExceptionHandler"]>[0];

/** The loop's reports from here on. */
function collectReports(): ExceptionContext[] {
  const reports: ExceptionContext[] = [];
  getRunningLoop().setExceptionHandler((_loop, context) => {
    reports.push(context);
  });
  return reports;
}

describe("shield", () => {
  testScript("gives the result [BaseTaskTests.test_shield_result]", function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    inner.setResult(42);
    assert.equal(yield* wait(outer), 42);
  });

  testScript("gives the exception [BaseTaskTests.test_shield_exception]", function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    const error = new RangeError("expected");
    inner.setException(error);
    assert.equal(yield* failureOf(outer), error);
  });

  testScript("is cancelled when the inner future is [BaseTaskTests.test_shield_cancel_inner]", function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    inner.cancel();
    yield* failureOf(outer, CancelledError);
    assert.equal(outer.cancelled(), true);
  });

  testScript(
    "cancelling it leaves the inner future alone [BaseTaskTests.test_shield_cancel_outer] [BaseTaskTests.test_shield_cancel_outer_result]",
    function* () {
      const reports = collectReports();
      const inner = new Future<number>();
      const outer = shield(inner);
      yield* wait(sleep(0));
      assert.equal(outer.cancel(), true);
      yield* wait(sleep(0));
      assert.equal(outer.cancelled(), true);
      assert.equal(inner.done(), false);
      assert.equal(inner.callbacks().length, 1);
      inner.setResult(1);
      yield* wait(sleep(1));
      assert.deepEqual(reports, []);
    },
  );

  testScript(
    "an exception that comes after the cancel is reported [BaseTaskTests.test_shield_cancel_outer_exception]",
    function* () {
      const reports = collectReports();
      const inner = new Future<number>();
      const outer = shield(inner);
      yield* wait(sleep(0));
      outer.cancel();
      yield* wait(sleep(0));
      const error = new RangeError("foo");
      inner.setException(error);
      yield* iterate(2);
      assert.equal(reports.length, 1);
      assert.equal(reports[0]?.message, "RangeError exception in shielded future");
      assert.equal(reports[0].exception, error);
      assert.equal(reports[0].future, inner);
    },
  );

  testScript(
    "however many shields there are, once [BaseTaskTests.test_shield_duplicate_log_once]",
    function* () {
      const reports = collectReports();
      const inner = new Future<number>();
      for (let count = 0; count < 2; count++) {
        const outer = shield(inner);
        yield* wait(sleep(0));
        outer.cancel();
        yield* wait(sleep(0));
      }
      inner.setException(new RangeError("foo"));
      yield* iterate(2);
      assert.equal(reports.length, 1);
    },
  );

  testScript("names the task in the report", function* (form) {
    const reports = collectReports();
    const fail = form.define(function* fail() {
      yield* wait(sleep(1));
      throw new RangeError("late");
    });
    const task = createTask(fail());
    const waiting = createTask(shield(task));
    yield* wait(sleep(0.5));
    waiting.cancel();
    yield* failureOf(waiting, CancelledError);
    yield* wait(sleep(1));
    assert.equal(reports[0]?.task, task);
  });

  testScript("of what is done is that itself [BaseTaskTests.test_shield_shortcut]", function* () {
    const inner = new Future<number>();
    inner.setResult(42);
    assert.equal(shield(inner), inner);
    assert.equal(yield* wait(shield(inner)), 42);
  });

  testScript(
    "keeps a task going whose waiter is cancelled [BaseTaskTests.test_shield_effect]",
    function* (form) {
      let proof = 0;
      const inner = form.define(function* inner() {
        yield* wait(sleep(1));
        proof += 1;
      });
      const outer = form.define(function* outer() {
        yield* wait(shield(inner()));
        proof += 100;
      });
      const task = createTask(outer());
      yield* wait(sleep(0.5));
      task.cancel();
      yield* failureOf(task, CancelledError);
      yield* wait(sleep(1));
      assert.equal(proof, 1);
    },
  );

  testScript("of a gather [BaseTaskTests.test_shield_gather]", function* () {
    const children = [new Future<number>(), new Future<number>()];
    const parent = gather(children);
    const outer = shield(parent);
    yield* wait(sleep(0));
    outer.cancel();
    yield* failureOf(outer, CancelledError);
    assert.equal(parent.done(), false);
    children.forEach((child, index) => {
      child.setResult(index);
    });
    assert.deepEqual(yield* wait(parent), [0, 1]);
  });

  testScript("inside a gather [BaseTaskTests.test_gather_shield]", function* () {
    const children = [new Future<number>(), new Future<number>()];
    const shields = children.map((child) => shield(child));
    const parent = gather(shields);
    yield* wait(sleep(0));
    parent.cancel();
    yield* failureOf(parent, CancelledError);
    assert.deepEqual(
      shields.map((each) => each.cancelled()),
      [true, true],
    );
    assert.deepEqual(
      children.map((child) => child.done()),
      [false, false],
    );
  });

  test("needs a loop, and closes the coroutine without one [BaseTaskTests.test_shield_coroutine_without_loop]", async () => {
    const inner = coroutine(async () => 42)();
    assert.throws(() => shield(inner), RuntimeError);
    await assert.rejects(inner, RuntimeError);
  });

  testScript(
    "of a coroutine runs it on the running loop [BaseTaskTests.test_shield_coroutine_use_running_loop]",
    function* (form) {
      const work = form.define(function* work() {
        return 42;
      });
      const outer = shield(work());
      assert.equal(outer.getLoop(), getRunningLoop());
      assert.equal(yield* wait(outer), 42);
      assert.equal(yield* wait(shield(() => sleep(1, "function"))), "function");
      assert.equal(yield* wait(shield(Promise.resolve("promise"))), "promise");
    },
  );

  test("or on the one that was set [BaseTaskTests.test_shield_coroutine_use_global_loop]", async () => {
    const loop = new EventLoop({ clock: new VirtualClock() });
    setEventLoop(loop);
    try {
      const outer = shield(coroutine(async () => 42)());
      assert.equal(outer.getLoop(), loop);
      assert.equal(await loop.runUntilComplete(outer), 42);
    } finally {
      setEventLoop(null);
      loop.close();
    }
  });

  test("does not protect from the end of run", async () => {
    const log: string[] = [];
    await simulate(async () => {
      void shield(
        createTask(async () => {
          try {
            await sleep(10);
          } finally {
            log.push("cancelled");
          }
        }),
      );
      await sleep(1);
    });
    assert.deepEqual(log, ["cancelled"]);
  });

  test("a hundred thousand shields of one future give it up without a search", () =>
    simulate(async () => {
      const inner = new Future<void>();
      const outers = Array.from({ length: 100_000 }, () => shield(inner));
      // Quadratic time would be minutes.
      for (const outer of outers) outer.cancel();
      await sleep(0);
      assert.equal(
        outers.every((outer) => outer.cancelled()),
        true,
      );
      inner.setResult();
    }));
});
