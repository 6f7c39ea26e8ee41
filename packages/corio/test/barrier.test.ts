import {
  ArgumentTypeError,
  Barrier,
  BrokenBarrierError,
  CancelledError,
  coroutine,
  createTask,
  DeadlockError,
  gather,
  run,
  RuntimeError,
  sleep,
  ValueError,
} from "corio";
import type { Coroutine, Task } from "corio";
import { VirtualClock } from "corio/testing";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Script } from "./support/forms.ts";
import { assert, describe, test } from "./support/harness.ts";
import { iterate, show, testShownScript } from "./support/primitives.ts";

const PARTIES = 5;

function tasksOf<T>(count: number, work: () => Coroutine<T>): Task<T>[] {
  return Array.from({ length: count }, () => createTask(work()));
}

function* runAll<T>(count: number, work: () => Coroutine<T>): Script<T[]> {
  return yield* wait(gather(tasksOf(count, work)));
}

function assertAtRest(barrier: Barrier): void {
  assert.deepEqual(barrier.statistics(), {
    parties: barrier.parties,
    state: "filling",
    nWaiting: 0,
    tasksWaiting: 0,
  });
  assert.equal(barrier.nWaiting, 0);
  assert.equal(barrier.broken, false);
}

describe("a barrier", () => {
  test("is filling at first, and cannot be awaited itself [BarrierTests.test_barrier]", () => {
    const barrier = new Barrier(PARTIES);
    assert.equal("then" in barrier, false);
    assertAtRest(barrier);
    assert.ok(Object.isFrozen(barrier.statistics()));
  });

  testShownScript("shows its state, and how many have come [BarrierTests.test_repr]", function* () {
    const barrier = new Barrier(PARTIES);
    assert.equal(show(barrier), "<Barrier filling, 0/5 waiting>");
    const tasks = tasksOf(2, () => barrier.wait());
    yield* iterate();
    assert.equal(show(barrier), "<Barrier filling, 2/5 waiting>");
    tasks.push(...tasksOf(barrier.parties - barrier.nWaiting, () => barrier.wait()));
    yield* iterate();
    assert.match(show(barrier), /draining/);
    tasks.push(...tasksOf(2, () => barrier.wait()));
    yield* iterate();
    yield* wait(barrier.reset());
    assert.match(show(barrier), /resetting/);
    tasks.push(...tasksOf(2, () => barrier.wait()));
    yield* iterate();
    yield* wait(barrier.abort());
    assert.equal(show(barrier), "<Barrier broken>");
    assert.equal(barrier.broken, true);
    yield* wait(gather(tasks, { returnExceptions: true }));
  });

  test("needs at least one party [BarrierTests.test_barrier_parties]", () => {
    assert.throws(() => new Barrier(0), ValueError);
    assert.throws(() => new Barrier(-4), /at least 1 party, got -4/);
    for (const parties of [1.5, NaN, "5" as never, undefined as never]) {
      assert.throws(() => new Barrier(parties), ArgumentTypeError);
    }
    assert.equal(new Barrier(PARTIES).parties, PARTIES);
  });

  testScript("gives each task of a round its number [BarrierTests.test_context_manager]", function* (form) {
    const barrier = new Barrier(3);
    const results: number[] = [];
    const work = form.define(function* work() {
      yield* wait(
        barrier.with((index) => {
          results.push(index);
        }),
      );
    });
    yield* runAll(3, work);
    // The last to come goes on at once.
    assert.deepEqual(results, [2, 0, 1]);
    assertAtRest(barrier);
  });

  testScript("takes every kind of body", function* (form) {
    const barrier = new Barrier(1);
    assert.equal(yield* wait(barrier.with((index) => index)), 0);
    assert.equal(yield* wait(barrier.with(async (index) => (await sleep(0, "async"), index))), 0);
    assert.equal(
      yield* wait(
        barrier.with(
          form.define(function* (index: number) {
            yield* iterate();
            return index;
          }),
        ),
      ),
      0,
    );
    assert.equal(
      yield* wait(
        barrier.with(function* (index) {
          yield* sleep(0);
          return index;
        }),
      ),
      0,
    );
    assert.throws(() => barrier.with(null as never), /Barrier\.with expects a function, got null/);
  });

  testScript("does not hold up a single party [BarrierTests.test_filling_one_task]", function* () {
    const barrier = new Barrier(1);
    assert.equal(yield* wait(barrier.with(() => true)), true);
    assertAtRest(barrier);
  });

  testScript("can be used again by a single party [BarrierTests.test_filling_one_task_twice]", function* () {
    const barrier = new Barrier(1);
    for (let round = 0; round < 2; round++) {
      const task = createTask(barrier.wait());
      yield* iterate();
      assert.equal(task.result(), 0);
      assertAtRest(barrier);
    }
  });

  testScript("fills task by task [BarrierTests.test_filling_task_by_task]", function* () {
    const barrier = new Barrier(3);
    const tasks: Task<number>[] = [];
    for (const count of [1, 2]) {
      tasks.push(createTask(barrier.wait()));
      yield* iterate();
      assert.equal(barrier.nWaiting, count);
      assert.equal(barrier.statistics().state, "filling");
    }
    tasks.push(createTask(barrier.wait()));
    yield* iterate();
    assert.deepEqual(yield* wait(gather(tasks)), [0, 1, 2]);
    assertAtRest(barrier);
  });

  testScript(
    "can be used again by the same tasks [BarrierTests.test_filling_tasks_wait_twice]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const results: boolean[] = [];
      const work = form.define(function* work() {
        yield* wait(barrier.wait());
        results.push(true);
        yield* wait(barrier.wait());
        results.push(false);
      });
      yield* runAll(PARTIES, work);
      assert.equal(results.filter((result) => result).length, PARTIES);
      assert.equal(results.filter((result) => !result).length, PARTIES);
      assertAtRest(barrier);
    },
  );

  testScript(
    "gives what the body of with gives [BarrierTests.test_filling_tasks_check_return_value]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const work = form.define(function* work() {
        yield* wait(barrier.with(() => undefined));
        return yield* wait(barrier.with((index) => index));
      });
      const results = yield* runAll(PARTIES, work);
      assert.deepEqual(results.sort(), [0, 1, 2, 3, 4]);
      assertAtRest(barrier);
    },
  );

  testScript(
    "is draining until the last task of the round has left [BarrierTests.test_draining_state]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const states: string[] = [];
      const work = form.define(function* work() {
        yield* wait(barrier.wait());
        states.push(barrier.statistics().state);
      });
      yield* runAll(PARTIES, work);
      assert.deepEqual(states, ["draining", "draining", "draining", "draining", "filling"]);
      assertAtRest(barrier);
    },
  );

  testScript(
    "holds up who comes while it is draining [BarrierTests.test_blocking_tasks_while_draining]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const others = new Barrier(PARTIES - 2);
      let again = 2;
      const work = form.define(function* work() {
        yield* wait(barrier.wait());
        if (again > 0) again--;
        else yield* wait(others.wait());
        yield* wait(barrier.wait());
      });
      yield* runAll(PARTIES, work);
      assertAtRest(barrier);
      assertAtRest(others);
    },
  );

  testScript("forgets a task that is cancelled [BarrierTests.test_filling_tasks_cancel_one]", function* () {
    const barrier = new Barrier(3);
    const first = createTask(barrier.wait());
    yield* iterate();
    assert.equal(barrier.nWaiting, 1);
    const second = createTask(barrier.wait());
    yield* iterate();
    assert.equal(barrier.nWaiting, 2);
    first.cancel();
    yield* iterate();
    assert.equal(barrier.nWaiting, 1);
    yield* failureOf(first, CancelledError);
    const third = createTask(barrier.wait());
    yield* iterate();
    assert.equal(barrier.nWaiting, 2);
    yield* wait(gather(second, third, barrier.wait()));
    assertAtRest(barrier);
  });

  testScript("goes on when a task of a complete round is cancelled", function* () {
    const barrier = new Barrier(3);
    const tasks = tasksOf(2, () => barrier.wait());
    yield* iterate();
    assert.equal(yield* wait(barrier.wait()), 2);
    tasks[0]?.cancel();
    yield* iterate();
    assert.equal(tasks[0]?.cancelled(), true);
    assert.equal(tasks[1]?.result(), 1);
    assertAtRest(barrier);
  });

  testScript("may be reset when nobody waits [BarrierTests.test_reset_barrier]", function* () {
    const barrier = new Barrier(1);
    yield* wait(createTask(barrier.reset()));
    assertAtRest(barrier);
  });

  testScript(
    "fails for those that wait when it is reset [BarrierTests.test_reset_barrier_while_tasks_waiting]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      let broken = 0;
      const work = form.define(function* work() {
        const error = yield* failureOf(barrier.wait(), BrokenBarrierError);
        assert.match(error.message, /reset while the task waited/);
        broken++;
      });
      const tasks = tasksOf(PARTIES - 1, work);
      yield* iterate();
      void createTask(barrier.reset());
      yield* wait(gather(tasks));
      assert.equal(broken, PARTIES - 1);
      assertAtRest(barrier);
    },
  );

  testScript(
    "fails for the rest of a round when one that left resets it [BarrierTests.test_reset_barrier_when_tasks_half_draining]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      let broken = 0;
      let left = 0;
      const work = form.define(function* work() {
        try {
          yield* wait(barrier.wait());
          if (++left === PARTIES - 2) yield* wait(barrier.reset());
        } catch (error) {
          if (!(error instanceof BrokenBarrierError)) throw error;
          broken++;
        }
      });
      yield* runAll(PARTIES, work);
      assert.equal(broken, 2);
      assertAtRest(barrier);
    },
  );

  testScript(
    "keeps those that came for the next round when it is reset [BarrierTests.test_reset_barrier_when_tasks_half_draining_half_blocking]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const half = 2;
      let broken = 0;
      let brokenLater = 0;
      let count = 0;
      const work = form.define(function* work() {
        try {
          yield* wait(barrier.wait());
        } catch (error) {
          if (!(error instanceof BrokenBarrierError)) throw error;
          broken++;
          yield* wait(barrier.wait());
          return;
        }
        if (++count > half) {
          yield* wait(barrier.reset());
          yield* wait(barrier.wait());
          return;
        }
        try {
          yield* wait(barrier.wait());
        } catch {
          brokenLater++;
        }
      });
      yield* runAll(PARTIES, work);
      assert.equal(broken, half);
      assert.equal(brokenLater, 0);
      assertAtRest(barrier);
    },
  );

  testScript(
    "can be used again by those that a reset has thrown out [BarrierTests.test_reset_barrier_while_tasks_waiting_and_waiting_again]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      let broken = 0;
      let passed = 0;
      const work = form.define(function* work() {
        yield* failureOf(barrier.wait(), BrokenBarrierError);
        broken++;
        yield* wait(barrier.wait());
        passed++;
      });
      const tasks = tasksOf(PARTIES - 1, work);
      void createTask(barrier.reset());
      yield* iterate();
      const last = createTask(barrier.with(() => passed++));
      yield* wait(gather(tasks));
      yield* wait(last);
      assert.equal(broken, PARTIES - 1);
      assert.equal(passed, PARTIES);
      assertAtRest(barrier);
    },
  );

  testScript(
    "goes on after a reset by the last that left [BarrierTests.test_reset_barrier_while_tasks_draining]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const passed = [0, 0];
      let count = 0;
      const work = form.define(function* work() {
        yield* wait(barrier.wait());
        if (++count === PARTIES) yield* wait(barrier.reset());
        for (const round of [0, 1]) {
          yield* wait(barrier.wait());
          passed[round] = (passed[round] ?? 0) + 1;
        }
      });
      yield* runAll(PARTIES, work);
      assert.deepEqual(passed, [PARTIES, PARTIES]);
      assertAtRest(barrier);
    },
  );

  testScript("is broken after abort, until it is reset [BarrierTests.test_abort_barrier]", function* () {
    const barrier = new Barrier(1);
    yield* wait(createTask(barrier.abort()));
    assert.equal(barrier.nWaiting, 0);
    assert.equal(barrier.broken, true);
    assert.match((yield* failureOf(barrier.wait(), BrokenBarrierError)).message, /the barrier is broken/);
    yield* wait(barrier.reset());
    assert.equal(yield* wait(barrier.wait()), 0);
    assertAtRest(barrier);
  });

  testScript(
    "fails for the rest of a round and for the next when it is aborted [BarrierTests.test_abort_barrier_when_tasks_half_draining_half_blocking]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const half = 2;
      let broken = 0;
      let brokenLater = 0;
      let count = 0;
      const work = form.define(function* work() {
        try {
          yield* wait(barrier.wait());
        } catch (error) {
          if (!(error instanceof BrokenBarrierError)) throw error;
          broken++;
          return;
        }
        if (++count > half) yield* wait(barrier.abort());
        else {
          yield* failureOf(barrier.wait(), BrokenBarrierError);
          brokenLater++;
        }
      });
      yield* runAll(PARTIES, work);
      assert.equal(barrier.broken, true);
      assert.equal(broken, half);
      assert.equal(brokenLater, PARTIES - half - 1);
      assert.equal(barrier.nWaiting, 0);
    },
  );

  testScript(
    "can be aborted by one that fails in between [BarrierTests.test_abort_barrier_when_exception]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      let broken = 0;
      const work = form.define(function* work() {
        try {
          yield* wait(
            barrier.with((index) => {
              if (index === 2) throw new RangeError();
            }),
          );
          yield* wait(barrier.with(() => assert.fail("nobody gets here")));
        } catch (error) {
          if (error instanceof BrokenBarrierError) broken++;
          else if (error instanceof RangeError) yield* wait(barrier.abort());
          else throw error;
        }
      });
      yield* runAll(PARTIES, work);
      assert.equal(barrier.broken, true);
      assert.equal(broken, PARTIES - 1);
      assert.equal(barrier.nWaiting, 0);
    },
  );

  testScript(
    "can be used again when all have left it and one has reset it [BarrierTests.test_abort_barrier_when_exception_then_resetting]",
    function* (form) {
      const barrier = new Barrier(PARTIES);
      const meeting = new Barrier(PARTIES);
      let broken = 0;
      let passed = 0;
      const work = form.define(function* work() {
        try {
          if ((yield* wait(barrier.wait())) === 2) throw new RangeError();
          yield* wait(barrier.wait());
          assert.fail("nobody gets here");
        } catch (error) {
          if (error instanceof BrokenBarrierError) broken++;
          else if (error instanceof RangeError) yield* wait(barrier.abort());
          else throw error;
        }
        if ((yield* wait(meeting.wait())) === 2) yield* wait(barrier.reset());
        yield* wait(meeting.wait());
        yield* wait(barrier.wait());
        passed++;
      });
      yield* runAll(PARTIES, work);
      assert.equal(broken, PARTIES - 1);
      assert.equal(passed, PARTIES);
      assertAtRest(barrier);
      assertAtRest(meeting);
    },
  );

  test("says what its waiters wait for, and is bound to a loop", async () => {
    const barrier = new Barrier(3);
    const main = coroutine(async function main() {
      await barrier.wait();
    });
    const deadlock = await assert.rejects<Error>(run(main(), { clock: new VirtualClock() }), DeadlockError);
    assert.match(deadlock.message, /waits for Barrier \(1 of 3 have come\)/);
    const error = await assert.rejects<RuntimeError>(
      run(main(), { clock: new VirtualClock() }),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_FOREIGN_LOOP");
    assertAtRest(barrier);
  });
});
