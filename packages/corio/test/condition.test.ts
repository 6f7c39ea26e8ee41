import {
  CancelledError,
  Condition,
  coroutine,
  createTask,
  DeadlockError,
  getRunningLoop,
  Lock,
  run,
  RuntimeError,
  Semaphore,
  sleep,
} from "corio";
import { VirtualClock } from "corio/testing";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Form } from "./support/forms.ts";
import { assert, describe, test } from "./support/harness.ts";
import { iterate, show, testShownScript } from "./support/primitives.ts";

/** Tasks that wait for the condition and then say their number; they keep the lock, or give it back. */
function waiters(form: Form, condition: Condition, result: number[], count: number, giveBack: boolean) {
  const worker = form.define(function* worker(number: number) {
    yield* wait(condition.acquire());
    assert.equal(yield* wait(condition.wait()), true);
    result.push(number);
    if (giveBack) condition.release();
    return true;
  });
  return Array.from({ length: count }, (_, index) => createTask(worker(index + 1)));
}

describe("a condition", () => {
  testScript(
    "wakes up one task for each notification, when the lock is free [ConditionTests.test_wait]",
    function* (form) {
      const condition = new Condition();
      const result: number[] = [];
      const tasks = waiters(form, condition, result, 3, false);
      yield* iterate();
      assert.deepEqual(result, []);
      assert.equal(condition.locked(), false);

      assert.equal(yield* wait(condition.acquire()), true);
      condition.notify();
      yield* iterate();
      assert.deepEqual(result, []);
      assert.equal(condition.locked(), true);

      condition.release();
      yield* iterate();
      assert.deepEqual(result, [1]);
      assert.equal(condition.locked(), true);

      condition.notify(2);
      yield* iterate();
      assert.deepEqual(result, [1]);
      assert.equal(condition.locked(), true);

      condition.release();
      yield* iterate();
      assert.deepEqual(result, [1, 2]);
      assert.equal(condition.locked(), true);

      condition.release();
      yield* iterate();
      assert.deepEqual(result, [1, 2, 3]);
      assert.equal(condition.locked(), true);
      for (const task of tasks) assert.equal(task.result(), true);
    },
  );

  testScript(
    "gives a cancelled task the lock before it throws [ConditionTests.test_wait_cancel]",
    function* () {
      const condition = new Condition();
      yield* wait(condition.acquire());
      const task = createTask(condition.wait());
      getRunningLoop().callSoon(() => task.cancel());
      yield* failureOf(task, CancelledError);
      assert.equal(condition.statistics().tasksWaiting, 0);
      assert.equal(condition.locked(), true);
    },
  );

  testScript(
    "gives a task that is cancelled as it wants the lock back the lock [ConditionTests.test_wait_cancel_contested]",
    function* () {
      const condition = new Condition();
      yield* wait(condition.acquire());
      const task = createTask(condition.wait());
      yield* iterate();
      assert.equal(condition.locked(), false);
      yield* wait(condition.acquire());
      assert.equal(condition.locked(), true);
      condition.notify();
      getRunningLoop().callSoon(() => task.cancel());
      getRunningLoop().callSoon(() => {
        condition.release();
      });
      yield* failureOf(task, CancelledError);
      assert.equal(condition.locked(), true);
    },
  );

  testScript(
    "throws the cancellation of a notified task when it has the lock [ConditionTests.test_wait_cancel_after_notify]",
    function* (form) {
      const condition = new Condition();
      let waited = false;
      const task = createTask(
        condition.with(
          form.define(function* () {
            waited = true;
            yield* wait(condition.wait());
          }),
        ),
      );
      yield* iterate();
      yield* wait(condition.acquire());
      condition.notify();
      yield* iterate();
      task.cancel();
      yield* iterate();
      condition.release();
      yield* iterate();
      assert.equal(task.cancelled(), true);
      assert.equal(waited, true);
      assert.equal(condition.locked(), false);
    },
  );

  testScript("cannot be interrupted as it takes the lock back, however often", function* (form) {
    const condition = new Condition();
    const task = createTask(
      condition.with(
        form.define(function* () {
          yield* wait(condition.wait());
        }),
      ),
    );
    yield* iterate();
    yield* wait(condition.acquire());
    condition.notify();
    yield* iterate();
    for (const reason of ["first", "second", "third"]) {
      task.cancel(reason);
      yield* iterate();
      assert.equal(task.done(), false);
    }
    condition.release();
    assert.equal((yield* failureOf(task, CancelledError)).message, "third");
    assert.equal(condition.locked(), false);
    assert.equal(task.cancelling(), 3);
  });

  testScript("is waited for with the lock only [ConditionTests.test_wait_unacquired]", function* () {
    const condition = new Condition();
    assert.match(
      (yield* failureOf(condition.wait(), RuntimeError)).message,
      /Condition\.wait needs the lock/,
    );
  });

  testScript(
    "looks at the predicate after each notification [ConditionTests.test_wait_for]",
    function* (form) {
      const condition = new Condition();
      let isReady = false;
      const result: number[] = [];
      const task = createTask(
        form.define(function* () {
          yield* wait(condition.acquire());
          if (yield* wait(condition.waitFor(() => isReady))) {
            result.push(1);
            condition.release();
          }
          return true;
        })(),
      );
      yield* iterate();
      assert.deepEqual(result, []);
      yield* wait(
        condition.with(() => {
          condition.notify();
        }),
      );
      yield* iterate();
      assert.deepEqual(result, []);
      isReady = true;
      yield* wait(condition.acquire());
      condition.notify();
      condition.release();
      yield* iterate();
      assert.deepEqual(result, [1]);
      assert.equal(task.result(), true);
    },
  );

  testScript(
    "needs no lock for a predicate that is true already [ConditionTests.test_wait_for_unacquired]",
    function* () {
      const condition = new Condition();
      const value = [1, 2, 3];
      assert.equal(yield* wait(condition.waitFor(() => value)), value);
      yield* failureOf(
        condition.waitFor(() => false),
        RuntimeError,
      );
    },
  );

  testScript("throws what the predicate throws", function* () {
    const condition = new Condition();
    const error = new RangeError("no");
    const fail = (): never => {
      throw error;
    };
    assert.equal(yield* failureOf(condition.waitFor(fail), RangeError), error);
  });

  testScript("refuses an async predicate and what is not a function", function* () {
    const condition = new Condition();
    assert.throws(() => condition.waitFor(true as never), /Condition\.waitFor expects a function, got true/);
    const error = yield* failureOf(
      condition.waitFor(() => Promise.resolve(false)),
      Error,
    );
    assert.match(error.message, /predicate that is not async.*a promise is always true/);
  });

  testScript("wakes up as many as it is told [ConditionTests.test_notify]", function* (form) {
    const condition = new Condition();
    const result: number[] = [];
    const tasks = waiters(form, condition, result, 3, true);
    yield* iterate();
    assert.deepEqual(result, []);
    yield* wait(condition.acquire());
    condition.notify(1);
    condition.release();
    yield* iterate();
    assert.deepEqual(result, [1]);
    yield* wait(condition.acquire());
    condition.notify(1);
    condition.notify(2048);
    condition.release();
    yield* iterate();
    assert.deepEqual(result, [1, 2, 3]);
    for (const task of tasks) assert.equal(task.result(), true);
  });

  testScript("wakes up all [ConditionTests.test_notify_all]", function* (form) {
    const condition = new Condition();
    const result: number[] = [];
    const tasks = waiters(form, condition, result, 2, true);
    yield* iterate();
    assert.deepEqual(result, []);
    yield* wait(condition.acquire());
    condition.notifyAll();
    condition.release();
    yield* iterate();
    assert.deepEqual(result, [1, 2]);
    for (const task of tasks) assert.equal(task.result(), true);
  });

  test("notifies with the lock only [ConditionTests.test_notify_unacquired] [ConditionTests.test_notify_all_unacquired]", () => {
    const condition = new Condition();
    assert.throws(() => {
      condition.notify();
    }, /Condition\.notify needs the lock/);
    assert.throws(() => {
      condition.notifyAll();
    }, /Condition\.notifyAll needs the lock/);
    assert.throws(() => {
      condition.release();
    }, RuntimeError);
    assert.throws(() => {
      condition.notify("all" as never);
    }, /expects a number, got "all"/);
  });

  testShownScript(
    "shows whether it is locked, and how many wait [ConditionTests.test_repr]",
    function* (form) {
      const condition = new Condition();
      assert.equal(show(condition), "<Condition unlocked>");
      const [task] = waiters(form, condition, [], 1, true);
      yield* iterate();
      yield* wait(condition.acquire());
      assert.equal(show(condition), "<Condition locked, 1 waiting>");
      condition.notify();
      condition.release();
      if (task !== undefined) yield* wait(task);
    },
  );

  testScript("has the lock's with and hold [ConditionTests.test_context_manager]", function* () {
    const condition = new Condition();
    assert.equal(condition.locked(), false);
    assert.equal(yield* wait(condition.with(() => condition.locked())), true);
    assert.equal(condition.locked(), false);
    const guard = yield* wait(condition.hold());
    assert.equal(condition.locked(), true);
    guard.release();
    assert.equal(condition.locked(), false);
  });

  testScript("shares a lock that it is given [ConditionTests.test_explicit_lock]", function* () {
    const lock = new Lock();
    const condition = new Condition(lock);
    const both = (): boolean[] => [lock.locked(), condition.locked()];
    assert.deepEqual(yield* wait(condition.with(both)), [true, true]);
    assert.deepEqual(both(), [false, false]);
    assert.deepEqual(yield* wait(lock.with(both)), [true, true]);
    assert.deepEqual(both(), [false, false]);
  });

  test("refuses a lock that is none", () => {
    assert.throws(() => new Condition(new Semaphore() as never), /Condition expects a Lock, got Semaphore/);
    assert.throws(() => new Condition(null as never), /Condition expects a Lock, got null/);
  });

  test("refuses to wait in another loop, for the lock or for itself [ConditionTests.test_ambiguous_loops]", async () => {
    const lock = new Lock();
    const condition = new Condition(lock);
    const meet = async (): Promise<void> => {
      const task = createTask(condition.with(() => condition.wait()));
      await sleep(0);
      await condition.with(async () => {
        condition.notify();
        await sleep(0);
      });
      await task;
    };
    await run(meet, { clock: new VirtualClock() });
    const elsewhere = async (): Promise<void> => {
      using guard = await lock.hold();
      assert.ok(guard);
      for (const coroutine of [condition.acquire(), condition.wait()]) {
        const error = await assert.rejects<RuntimeError>(coroutine, RuntimeError);
        assert.equal(error.code, "CORIO_FOREIGN_LOOP");
        assert.match(error.message, /is bound to a different event loop/);
      }
    };
    await run(elsewhere, { clock: new VirtualClock() });
  });

  testScript("can be given up after some time [ConditionTests.test_timeout_in_block]", function* (form) {
    const condition = new Condition();
    const task = createTask(
      condition.with(
        form.define(function* () {
          yield* wait(condition.wait());
        }),
      ),
    );
    getRunningLoop().callLater(0.5, () => task.cancel());
    yield* failureOf(task, CancelledError);
    assert.equal(getRunningLoop().time(), 0.5);
    assert.equal(condition.locked(), false);
  });

  testScript(
    "throws the very cancellation that came as it waited [ConditionTests.test_cancelled_error_wakeup]",
    function* (form) {
      const condition = new Condition();
      let raised: unknown = null;
      const task = createTask(
        condition.with(
          form.define(function* () {
            raised = yield* failureOf(
              condition.waitFor(() => false),
              CancelledError,
            );
            throw raised;
          }),
        ),
      );
      yield* iterate();
      task.cancel("foo");
      const error = yield* failureOf(task, CancelledError);
      assert.equal(error.message, "foo");
      assert.equal(error, raised);
    },
  );

  testScript(
    "throws the very cancellation that came as it took the lock back [ConditionTests.test_cancelled_error_re_aquire]",
    function* (form) {
      const condition = new Condition();
      let raised: unknown = null;
      let wake = false;
      const task = createTask(
        condition.with(
          form.define(function* () {
            raised = yield* failureOf(
              condition.waitFor(() => wake),
              CancelledError,
            );
            throw raised;
          }),
        ),
      );
      yield* iterate();
      yield* wait(condition.acquire());
      wake = true;
      condition.notify();
      yield* iterate();
      task.cancel("foo");
      condition.release();
      const error = yield* failureOf(task, CancelledError);
      assert.equal(error.message, "foo");
      assert.equal(error, raised);
    },
  );

  testPassesOn(
    "passes a notification on when its task is cancelled at the same time [ConditionTests.test_cancelled_wakeup]",
    0,
  );
  testPassesOn(
    "passes a notification on when its task is cancelled as it takes the lock back [ConditionTests.test_cancelled_wakeup_relock]",
    1,
  );

  /** The task is cancelled some iterations after it was notified. */
  function testPassesOn(title: string, iterations: number): void {
    testScript(title, function* (form) {
      const condition = new Condition();
      let state = 0;
      const consumer = form.define(function* consumer() {
        yield* wait(condition.acquire());
        try {
          for (;;) {
            yield* wait(condition.waitFor(() => state !== 0));
            if (state < 0) return;
            state--;
          }
        } finally {
          condition.release();
        }
      });
      const first = createTask(consumer());
      const second = createTask(consumer());
      yield* iterate();
      yield* wait(condition.acquire());
      state++;
      condition.notify(1);
      yield* iterate(iterations);
      first.cancel();
      condition.release();
      yield* wait(sleep(0.01));
      assert.equal(state, 0);
      yield* wait(condition.acquire());
      state = -1;
      condition.notifyAll();
      condition.release();
      yield* wait(second);
      assert.equal(first.cancelled(), true);
    });
  }

  testScript("reports who waits in a frozen object", function* (form) {
    const condition = new Condition();
    const tasks = waiters(form, condition, [], 3, true);
    yield* iterate();
    yield* wait(condition.acquire());
    condition.notify();
    yield* iterate();
    const statistics = condition.statistics();
    assert.ok(Object.isFrozen(statistics));
    assert.deepEqual(statistics, { locked: true, tasksWaiting: 2, tasksWaitingForLock: 1 });
    condition.notifyAll();
    condition.release();
    for (const task of tasks) yield* wait(task);
  });

  test("says that it is what a task waits for", async () => {
    const main = coroutine(async function main() {
      const condition = new Condition();
      await condition.with(() => condition.wait());
    });
    const error = await assert.rejects<Error>(run(main(), { clock: new VirtualClock() }), DeadlockError);
    assert.match(error.message, /waits for Condition/);
  });
});
