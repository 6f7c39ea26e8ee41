import {
  ArgumentTypeError,
  BoundedSemaphore,
  CancelledError,
  coroutine,
  createTask,
  DeadlockError,
  gather,
  getRunningLoop,
  run,
  RuntimeError,
  Semaphore,
  sleep,
  ValueError,
} from "corio";
import type { Task } from "corio";
import { VirtualClock } from "corio/testing";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Form } from "./support/forms.ts";
import { assert, describe, test } from "./support/harness.ts";
import { iterate, show, testShownScript } from "./support/primitives.ts";

/** A task that acquires and then says its number. */
function taker(form: Form, semaphore: Semaphore, result: number[], number: number): Task<true> {
  const take = form.define(function* take() {
    yield* wait(semaphore.acquire());
    result.push(number);
    return true as const;
  });
  return createTask(take());
}

const valueOf = (semaphore: Semaphore): number => semaphore.statistics().value;
const waitingAt = (semaphore: Semaphore): number => semaphore.statistics().tasksWaiting;

describe("a semaphore", () => {
  test("may begin with no free place [SemaphoreTests.test_initial_value_zero]", () => {
    assert.equal(new Semaphore(0).locked(), true);
    assert.equal(new Semaphore().locked(), false);
  });

  testShownScript("shows its value, and how many wait [SemaphoreTests.test_repr]", function* () {
    const semaphore = new Semaphore();
    assert.equal(show(semaphore), "<Semaphore unlocked, value 1>");
    yield* wait(semaphore.acquire());
    assert.equal(show(semaphore), "<Semaphore locked, value 0>");
    const task = createTask(semaphore.acquire());
    yield* iterate();
    assert.equal(show(semaphore), "<Semaphore locked, value 0, 1 waiting>");
    semaphore.release();
    yield* wait(task);
    assert.equal(show(new BoundedSemaphore(2)), "<BoundedSemaphore unlocked, value 2>");
  });

  test("has a value of 1 by default, and cannot be awaited itself [SemaphoreTests.test_semaphore]", () => {
    const semaphore = new Semaphore();
    assert.deepEqual(semaphore.statistics(), { value: 1, locked: false, tasksWaiting: 0 });
    assert.ok(Object.isFrozen(semaphore.statistics()));
    assert.equal("then" in semaphore, false);
  });

  test("refuses a value below 0, and what is no integer [SemaphoreTests.test_semaphore_value]", () => {
    assert.throws(() => new Semaphore(-1), ValueError);
    assert.throws(() => new BoundedSemaphore(-1), /initial value of 0 or more, got -1/);
    for (const value of [1.5, NaN, Infinity, "1" as never, null as never, {} as never]) {
      assert.throws(() => new Semaphore(value), ArgumentTypeError);
    }
  });

  testScript("lets as many in as there are places [SemaphoreTests.test_acquire]", function* (form) {
    const semaphore = new Semaphore(3);
    const result: number[] = [];
    assert.equal(yield* wait(semaphore.acquire()), true);
    assert.equal(yield* wait(semaphore.acquire()), true);
    assert.equal(semaphore.locked(), false);
    const tasks = [1, 2, 3].map((number) => taker(form, semaphore, result, number));
    yield* iterate();
    assert.deepEqual(result, [1]);
    assert.equal(semaphore.locked(), true);
    assert.equal(waitingAt(semaphore), 2);
    assert.equal(valueOf(semaphore), 0);

    tasks.push(taker(form, semaphore, result, 4));
    semaphore.release();
    semaphore.release();
    assert.equal(valueOf(semaphore), 0);
    yield* iterate();
    assert.deepEqual(result, [1, 2, 3]);
    assert.equal(semaphore.locked(), true);
    assert.equal(waitingAt(semaphore), 1);
    assert.equal(valueOf(semaphore), 0);

    semaphore.release();
    assert.deepEqual(yield* wait(gather(tasks)), [true, true, true, true]);
  });

  testScript("forgets a waiter that is cancelled [SemaphoreTests.test_acquire_cancel]", function* () {
    const semaphore = new Semaphore();
    yield* wait(semaphore.acquire());
    const task = createTask(semaphore.acquire());
    getRunningLoop().callSoon(() => task.cancel());
    yield* failureOf(task, CancelledError);
    assert.equal(waitingAt(semaphore), 0);
  });

  testScript(
    "passes by waiters that are cancelled [SemaphoreTests.test_acquire_cancel_before_awoken]",
    function* (form) {
      const semaphore = new Semaphore(0);
      const tasks = [1, 2, 3, 4].map((number) => taker(form, semaphore, [], number));
      yield* iterate();
      tasks[0]?.cancel();
      tasks[1]?.cancel();
      semaphore.release();
      yield* iterate(2);
      assert.deepEqual(
        tasks.map((task) => task.done()),
        [true, true, true, false],
      );
      assert.equal(tasks[2]?.result(), true);
      tasks[3]?.cancel();
      yield* iterate();
    },
  );

  testScript(
    "gives the place to the next when the first is cancelled [SemaphoreTests.test_acquire_hang]",
    function* () {
      const semaphore = new Semaphore(0);
      const first = createTask(semaphore.acquire());
      const second = createTask(semaphore.acquire());
      yield* iterate();
      first.cancel();
      semaphore.release();
      yield* iterate(2);
      assert.equal(semaphore.locked(), true);
      assert.equal(second.done(), true);
    },
  );

  testScript("takes the place back from a woken waiter that is cancelled before it runs", function* () {
    const semaphore = new Semaphore(0);
    const first = createTask(semaphore.acquire());
    const second = createTask(semaphore.acquire());
    yield* iterate();
    semaphore.release();
    first.cancel();
    assert.equal(second.done(), false);
    yield* iterate();
    assert.equal(first.cancelled(), true);
    assert.equal(second.done(), false);
    yield* iterate();
    assert.equal(second.result(), true);
    assert.equal(valueOf(semaphore), 0);
  });

  testScript(
    "is free again after a cancel as the place was given away [SemaphoreTests.test_acquire_no_hang]",
    function* (form) {
      const semaphore = new Semaphore(1);
      const first = createTask(
        form.define(function* () {
          yield* wait(semaphore.with(() => sleep(0)));
          second.cancel();
        })(),
      );
      const second: Task<void> = createTask(semaphore.with(() => assert.fail("the body must not run")));
      const [one, other] = yield* wait(gather([first, second], { returnExceptions: true }));
      assert.equal(one, undefined);
      assert.instanceOf(other, CancelledError);
      yield* wait(semaphore.acquire());
    },
  );

  test("counts only when it is bounded [SemaphoreTests.test_release_not_acquired]", () => {
    const bounded = new BoundedSemaphore();
    const error = assert.throws<ValueError>(() => {
      bounded.release();
    }, ValueError);
    assert.match(error.message, /BoundedSemaphore released too many times: its value would be more than 1/);
    const unbounded = new Semaphore();
    unbounded.release();
    assert.equal(valueOf(unbounded), 2);
  });

  testScript("accepts as many releases as acquisitions when it is bounded", function* () {
    const semaphore = new BoundedSemaphore(2);
    yield* wait(semaphore.acquire());
    yield* wait(semaphore.acquire());
    semaphore.release();
    semaphore.release();
    assert.throws(() => {
      semaphore.release();
    }, ValueError);
    assert.equal(valueOf(semaphore), 2);
  });

  testScript("is free after release [SemaphoreTests.test_release_no_waiters]", function* () {
    const semaphore = new Semaphore();
    yield* wait(semaphore.acquire());
    assert.equal(semaphore.locked(), true);
    semaphore.release();
    assert.equal(semaphore.locked(), false);
  });

  testScript("lets tasks take turns [SemaphoreTests.test_acquire_fifo_order]", function* (form) {
    const semaphore = new Semaphore(1);
    const result: string[] = [];
    const work = form.define(function* work(name: string) {
      for (const round of ["1", "2"]) {
        yield* wait(semaphore.acquire());
        result.push(name + round);
        yield* wait(sleep(0.01));
        semaphore.release();
      }
    });
    yield* wait(gather(work("a"), work("b"), work("c")));
    assert.deepEqual(result, ["a1", "b1", "c1", "a2", "b2", "c2"]);
  });

  testScript(
    "lets no task that acquires again pass others [SemaphoreTests.test_acquire_fifo_order_2]",
    function* (form) {
      const semaphore = new Semaphore(1);
      const result: number[] = [];
      const first = taker(form, semaphore, result, 1);
      const second = createTask(
        form.define(function* () {
          yield* wait(semaphore.acquire());
          result.push(2);
          semaphore.release();
          yield* wait(semaphore.acquire());
          result.push(4);
        })(),
      );
      const third = taker(form, semaphore, result, 3);
      yield* iterate();
      semaphore.release();
      semaphore.release();
      yield* wait(gather(first, second, third));
      assert.deepEqual(result, [1, 2, 3, 4]);
    },
  );

  testScript(
    "keeps the order of the others when the first is cancelled [SemaphoreTests.test_acquire_fifo_order_3]",
    function* (form) {
      const semaphore = new Semaphore(0);
      const result: number[] = [];
      const tasks = [1, 2, 3].map((number) => taker(form, semaphore, result, number));
      yield* iterate();
      tasks[0]?.cancel();
      yield* iterate();
      semaphore.release();
      semaphore.release();
      yield* wait(gather(tasks, { returnExceptions: true }));
      assert.deepEqual(result, [2, 3]);
    },
  );

  testScript(
    "wakes up all that had to wait for others only [SemaphoreTests.test_acquire_fifo_order_4]",
    function* (form) {
      const semaphore = new Semaphore(0);
      const result: number[] = [];
      let fourth: Task<void> | undefined;
      const first = createTask(
        form.define(function* () {
          assert.equal(valueOf(semaphore), 0);
          yield* wait(semaphore.acquire());
          assert.equal(valueOf(semaphore), 0);
          fourth = createTask(
            form.define(function* () {
              yield* iterate(0);
              result.push(4);
            })(),
          );
          result.push(1);
        })(),
      );
      const second = createTask(
        form.define(function* () {
          for (let count = 0; count < 3; count++) semaphore.release();
          assert.equal(valueOf(semaphore), 2);
          assert.equal(semaphore.locked(), true);
          yield* wait(semaphore.acquire());
          result.push(2);
        })(),
      );
      const third = createTask(
        form.define(function* () {
          yield* wait(semaphore.acquire());
          assert.equal(semaphore.locked(), true);
          result.push(3);
        })(),
      );
      yield* iterate();
      assert.equal(valueOf(semaphore), 2);
      // The first has a place already, and has not run since.
      assert.equal(waitingAt(semaphore), 2);
      yield* iterate();
      yield* wait(gather(first, second, third));
      if (fourth !== undefined) yield* wait(fourth);
      assert.deepEqual(result, [1, 2, 3, 4]);
    },
  );

  testScript("does not suspend when there is a place", function* () {
    const semaphore = new Semaphore(2);
    let ticks = 0;
    getRunningLoop().callSoon(() => ticks++);
    yield* wait(semaphore.acquire());
    yield* wait(semaphore.with(() => 1));
    (yield* wait(semaphore.hold())).release();
    assert.equal(ticks, 0);
    assert.equal(valueOf(semaphore), 1);
  });

  testScript("gives places back at the end of with and hold", function* (form) {
    const semaphore = new BoundedSemaphore(1);
    const body = form.define(function* body() {
      yield* iterate();
      return semaphore.locked();
    });
    assert.equal(yield* wait(semaphore.with(body)), true);
    assert.equal(semaphore.locked(), false);
    const guard = yield* wait(semaphore.hold());
    assert.equal(semaphore.locked(), true);
    guard.release();
    guard[Symbol.dispose]();
    assert.equal(semaphore.locked(), false);
  });

  testScript("can be waited for by any number of tasks, each of which leaves without a search", function* () {
    const semaphore = new Semaphore(0);
    const tasks = Array.from({ length: 100_000 }, () => createTask(semaphore.acquire()));
    yield* iterate();
    for (let index = 0; index < tasks.length; index++) if (index % 100 !== 99) tasks[index]?.cancel();
    assert.equal(waitingAt(semaphore), 1000);
    for (let count = 0; count < 1000; count++) semaphore.release();
    assert.equal(waitingAt(semaphore), 0);
    yield* iterate();
    assert.equal(tasks.filter((task) => task.done() && !task.cancelled()).length, 1000);
    assert.equal(semaphore.locked(), true);
    semaphore.release();
    assert.equal(semaphore.locked(), false);
  });

  test("says what its waiters wait for, and is bound to a loop", async () => {
    const semaphore = new Semaphore(0);
    const main = coroutine(async function main() {
      await semaphore.acquire();
    });
    const deadlock = await assert.rejects<Error>(run(main(), { clock: new VirtualClock() }), DeadlockError);
    assert.match(deadlock.message, /waits for Semaphore \(value 0\)/);
    const error = await assert.rejects<RuntimeError>(
      run(main(), { clock: new VirtualClock() }),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_FOREIGN_LOOP");
  });
});
