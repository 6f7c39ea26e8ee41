import {
  BoundedSemaphore,
  CancelledError,
  Condition,
  coroutine,
  createTask,
  DeadlockError,
  Event,
  Future,
  gather,
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
import { assert, describe, test } from "./support/harness.ts";
import { iterate, show, testShownScript } from "./support/primitives.ts";

describe("a lock", () => {
  testShownScript("shows whether it is locked, and how many wait [LockTests.test_repr]", function* () {
    const lock = new Lock();
    assert.equal(show(lock), "<Lock unlocked>");
    yield* wait(lock.acquire());
    assert.equal(show(lock), "<Lock locked>");
    const task = createTask(lock.acquire());
    yield* iterate();
    assert.equal(show(lock), "<Lock locked, 1 waiting>");
    lock.release();
    yield* wait(task);
  });

  test("cannot be awaited itself [LockTests.test_lock] [LockTests.test_lock_by_with_statement]", () => {
    for (const primitive of [
      new Lock(),
      new Condition(),
      new Semaphore(),
      new BoundedSemaphore(),
      new Event(),
    ]) {
      assert.equal("then" in primitive, false);
    }
  });

  testScript("is given away in the order of arrival [LockTests.test_acquire]", function* (form) {
    const lock = new Lock();
    const result: number[] = [];
    assert.equal(yield* wait(lock.acquire()), true);
    const worker = form.define(function* worker(number: number) {
      assert.equal(yield* wait(lock.acquire()), true);
      result.push(number);
      return true;
    });
    const first = createTask(worker(1));
    const second = createTask(worker(2));
    yield* iterate();
    assert.deepEqual(result, []);
    lock.release();
    yield* iterate();
    assert.deepEqual(result, [1]);
    yield* iterate();
    assert.deepEqual(result, [1]);
    const third = createTask(worker(3));
    lock.release();
    yield* iterate();
    assert.deepEqual(result, [1, 2]);
    lock.release();
    yield* iterate();
    assert.deepEqual(result, [1, 2, 3]);
    for (const task of [first, second, third]) assert.equal(task.result(), true);
  });

  testScript("forgets a waiter that is cancelled [LockTests.test_acquire_cancel]", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    const task = createTask(lock.acquire());
    getRunningLoop().callSoon(() => task.cancel());
    yield* failureOf(task, CancelledError);
    assert.deepEqual(lock.statistics(), { locked: true, tasksWaiting: 0 });
  });

  testScript(
    "passes by a waiter that is cancelled as it is released [LockTests.test_cancel_race]",
    function* (form) {
      const lock = new Lock();
      const hold = form.define(function* hold(blocker: Future | null) {
        yield* wait(lock.acquire());
        try {
          if (blocker !== null) yield* wait(blocker);
        } finally {
          lock.release();
        }
      });
      const blocker = new Future();
      const first = createTask(hold(blocker));
      yield* iterate();
      assert.equal(lock.locked(), true);
      const second = createTask(hold(null));
      yield* iterate();
      assert.equal(lock.statistics().tasksWaiting, 1);
      const third = createTask(hold(null));
      yield* iterate();
      assert.equal(lock.statistics().tasksWaiting, 2);

      blocker.setResult(null);
      second.cancel();
      yield* iterate();
      assert.equal(lock.locked(), false);
      assert.equal(first.done(), true);
      assert.equal(second.cancelled(), true);
      yield* wait(third);
    },
  );

  testScript(
    "is taken once when cancel and release meet [LockTests.test_cancel_release_race]",
    function* (form) {
      const lock = new Lock();
      let calls = 0;
      let locks = 0;
      const take = form.define(function* take() {
        calls++;
        yield* wait(lock.acquire());
        locks++;
      });
      yield* wait(lock.acquire());
      const first = createTask(take());
      const second = createTask(take());
      const third = createTask(take());
      yield* iterate();
      getRunningLoop().callSoon(() => {
        first.cancel();
        lock.release();
      });
      yield* failureOf(first, CancelledError);
      assert.equal(locks, 1);
      assert.equal(calls, 3);
      assert.equal(first.cancelled(), true);
      assert.equal(second.done(), true);
      third.cancel();
      yield* iterate();
      assert.equal(third.cancelled(), true);
    },
  );

  testScript(
    "goes to the next when who had it coming is cancelled [LockTests.test_finished_waiter_cancelled]",
    function* () {
      const lock = new Lock();
      yield* wait(lock.acquire());
      const first = createTask(lock.acquire());
      yield* iterate();
      assert.equal(lock.statistics().tasksWaiting, 1);
      const second = createTask(lock.acquire());
      first.cancel();
      lock.release();
      yield* iterate();
      assert.equal(lock.locked(), true);
      assert.equal(first.cancelled(), true);
      yield* wait(second);
    },
  );

  testScript("goes to the next when the woken waiter is cancelled before it runs", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    const first = createTask(lock.acquire());
    const second = createTask(lock.acquire());
    yield* iterate();
    lock.release();
    first.cancel();
    yield* iterate();
    assert.equal(first.cancelled(), true);
    assert.equal(lock.locked(), false);
    assert.equal(second.done(), false);
    yield* iterate();
    assert.equal(lock.locked(), true);
    assert.equal(second.result(), true);
  });

  testScript("wakes nobody behind a cancelled waiter, who does so itself", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    const first = createTask(lock.acquire());
    const second = createTask(lock.acquire());
    yield* iterate();
    first.cancel();
    lock.release();
    yield* iterate();
    assert.equal(first.done(), true);
    assert.equal(second.done(), false);
    yield* iterate();
    assert.equal(second.done(), true);
  });

  testScript("is free at once for a newcomer when all waiters are cancelled", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    const waiting = createTask(lock.acquire());
    yield* iterate();
    waiting.cancel();
    lock.release();
    yield* wait(lock.acquire());
    assert.equal(waiting.done(), false);
    yield* iterate();
    assert.equal(waiting.cancelled(), true);
    assert.equal(lock.locked(), true);
  });

  testScript("lets no newcomer pass the waiter that has been woken up", function* (form) {
    const lock = new Lock();
    const order: string[] = [];
    const take = form.define(function* take(name: string) {
      yield* wait(lock.acquire());
      order.push(name);
      lock.release();
    });
    yield* wait(lock.acquire());
    const waiting = createTask(take("waiting"));
    yield* iterate();
    lock.release();
    assert.equal(lock.locked(), false);
    assert.equal(lock.statistics().tasksWaiting, 1);
    yield* wait(take("newcomer"));
    order.push("end");
    yield* wait(waiting);
    assert.deepEqual(order, ["waiting", "newcomer", "end"]);
  });

  test("refuses to be released when it is not locked [LockTests.test_release_not_acquired]", () => {
    const error = assert.throws<RuntimeError>(() => {
      new Lock().release();
    }, RuntimeError);
    assert.match(error.message, /not acquired/);
  });

  testScript("is free after release [LockTests.test_release_no_waiters]", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    assert.equal(lock.locked(), true);
    lock.release();
    assert.equal(lock.locked(), false);
  });

  testScript("does not suspend when it is free", function* (form) {
    const lock = new Lock();
    let others = 0;
    const other = createTask(
      form.define(function* other() {
        yield* iterate(0);
        others++;
      })(),
    );
    yield* wait(lock.acquire());
    lock.release();
    assert.equal(yield* wait(lock.with(() => 1)), 1);
    (yield* wait(lock.hold())).release();
    assert.equal(others, 0);
    yield* wait(other);
    assert.equal(others, 1);
  });

  testScript("reports how many wait in a frozen object", function* () {
    const lock = new Lock();
    const before = lock.statistics();
    assert.ok(Object.isFrozen(before));
    yield* wait(lock.acquire());
    assert.deepEqual(before, { locked: false, tasksWaiting: 0 });
    assert.deepEqual(lock.statistics(), { locked: true, tasksWaiting: 0 });
  });

  testScript("can be waited for by any number of tasks, each of which leaves without a search", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    const tasks = Array.from({ length: 100_000 }, () => createTask(lock.acquire()));
    yield* iterate();
    assert.equal(lock.statistics().tasksWaiting, tasks.length);
    // From the middle outwards: quadratic time would be minutes.
    for (let index = 0; index < tasks.length - 1; index++) {
      const offset = (index + 1) >> 1;
      tasks[tasks.length / 2 + (index % 2 === 0 ? offset : -offset)]?.cancel();
    }
    assert.equal(lock.statistics().tasksWaiting, 1);
    yield* iterate();
    assert.equal(lock.statistics().tasksWaiting, 1);
    lock.release();
    yield* iterate();
    assert.equal(tasks.filter((task) => task.done() && !task.cancelled()).length, 1);
    assert.equal(tasks[0]?.done(), true);
  });

  test("says who holds it when nothing can continue", async () => {
    const lock = new Lock();
    const holder = coroutine(async function holder() {
      await lock.acquire();
      await new Event().wait();
    });
    const main = coroutine(async function main() {
      void createTask(holder(), { name: "owner" });
      await sleep(0);
      await lock.acquire();
    });
    const error = await assert.rejects<Error>(run(main(), { clock: new VirtualClock() }), DeadlockError);
    assert.match(error.message, /waits for Lock held by task 'owner' \(holder\)/);
    assert.match(error.message, /task 'owner' \(holder\) waits for Event \(not set\)/);
  });

  test("says when its holder has ended", async () => {
    const lock = new Lock();
    const main = coroutine(async function main() {
      await createTask(lock.acquire(), { name: "careless" });
      await lock.acquire();
    });
    const error = await assert.rejects<Error>(run(main(), { clock: new VirtualClock() }), DeadlockError);
    assert.match(error.message, /Lock held by task 'careless' \(Lock.acquire\), which has ended/);
  });

  test("serves several runs on one clock, and refuses to wait on another", async () => {
    const clock = new VirtualClock();
    const lock = new Lock();
    const order: number[] = [];
    const use = coroutine(async function use(number: number) {
      await lock.with(async () => {
        await sleep(1);
        order.push(number);
      });
    });
    await Promise.all([run(use(1), { clock }), run(use(2), { clock })]);
    assert.deepEqual(order, [1, 2]);

    const elsewhere = coroutine(async function elsewhere() {
      await lock.acquire();
      await lock.acquire();
    });
    const error = await assert.rejects<RuntimeError>(
      run(elsewhere(), { clock: new VirtualClock() }),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_FOREIGN_LOOP");
    assert.match(error.message, /this Lock is bound to a different event loop/);
  });
});

describe("lock.with", () => {
  testScript(
    "holds the lock while its body runs [LockTests.test_context_manager] [LockTests.test_context_manager_async_with]",
    function* (form) {
      const lock = new Lock();
      const body = form.define(function* body() {
        assert.equal(lock.locked(), true);
        yield* iterate();
        return "result";
      });
      assert.equal(yield* wait(lock.with(body)), "result");
      assert.equal(lock.locked(), false);
    },
  );

  testScript("takes every kind of body", function* () {
    const lock = new Lock();
    const asynchronous = async (): Promise<string> => {
      await sleep(0);
      return "async function";
    };
    const generator = coroutine(function* () {
      yield* sleep(0);
      return "generator coroutine";
    });
    const results: string[] = [
      yield* wait(lock.with(() => "function")),
      yield* wait(lock.with(asynchronous)),
      yield* wait(lock.with(coroutine(asynchronous))),
      yield* wait(lock.with(generator)),
      yield* wait(lock.with(() => sleep(0, "coroutine"))),
      yield* wait(lock.with(() => createTask(sleep(0, "task")))),
      yield* wait(lock.with(() => Promise.resolve("promise"))),
      yield* wait(
        lock.with(function* () {
          yield* sleep(0);
          return "generator function";
        }),
      ),
    ];
    assert.deepEqual(results, [
      "function",
      "async function",
      "async function",
      "generator coroutine",
      "coroutine",
      "task",
      "promise",
      "generator function",
    ]);
    assert.equal(lock.locked(), false);
  });

  testScript("releases when its body throws", function* (form) {
    const lock = new Lock();
    const fail = form.define(function* fail() {
      yield* iterate();
      throw new RangeError("inside");
    });
    assert.equal((yield* failureOf(lock.with(fail), RangeError)).message, "inside");
    assert.equal(lock.locked(), false);
    const failAtOnce = (): never => {
      throw new RangeError("at once");
    };
    assert.equal((yield* failureOf(lock.with(failAtOnce), RangeError)).message, "at once");
    assert.equal(lock.locked(), false);
  });

  testScript("releases when its body is cancelled", function* (form) {
    const lock = new Lock();
    const task = createTask(
      lock.with(
        form.define(function* () {
          yield* wait(sleep(10));
        }),
      ),
    );
    yield* iterate();
    assert.equal(lock.locked(), true);
    task.cancel();
    yield* failureOf(task, CancelledError);
    assert.equal(lock.locked(), false);
  });

  testScript("does not run its body, and releases nothing, when it is cancelled before", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    let ran = false;
    const task = createTask(
      lock.with(() => {
        ran = true;
      }),
    );
    yield* iterate();
    task.cancel();
    yield* failureOf(task, CancelledError);
    assert.equal(ran, false);
    assert.equal(lock.locked(), true);
  });

  testScript("lets bodies run one after the other", function* (form) {
    const lock = new Lock();
    const order: string[] = [];
    const work = form.define(function* work(name: string) {
      yield* wait(
        lock.with(
          form.define(function* () {
            order.push(`${name} begins`);
            yield* wait(sleep(1));
            order.push(`${name} ends`);
          }),
        ),
      );
    });
    yield* wait(gather(work("a"), work("b")));
    assert.deepEqual(order, ["a begins", "a ends", "b begins", "b ends"]);
    assert.equal(getRunningLoop().time(), 2);
  });

  test("refuses what is not a function", () => {
    assert.throws(() => new Lock().with(undefined as never), /with expects a function, got undefined/);
    assert.throws(() => new Lock().with(Promise.resolve() as never), /with expects a function/);
  });
});

describe("lock.hold", () => {
  test("releases at the end of the block [LockTests.test_context_manager_with_await]", () =>
    run(
      async () => {
        const lock = new Lock();
        {
          using guard = await lock.hold();
          assert.ok(guard);
          assert.equal(lock.locked(), true);
        }
        assert.equal(lock.locked(), false);
      },
      { clock: new VirtualClock() },
    ));

  testScript("releases once, also when that is done by hand", function* () {
    const lock = new Lock();
    const guard = yield* wait(lock.hold());
    guard.release();
    assert.equal(lock.locked(), false);
    yield* wait(lock.acquire());
    guard.release();
    guard[Symbol.dispose]();
    assert.equal(lock.locked(), true);
  });

  testScript("waits for its turn", function* () {
    const lock = new Lock();
    yield* wait(lock.acquire());
    const task = createTask(lock.hold());
    yield* iterate();
    assert.equal(task.done(), false);
    lock.release();
    yield* iterate();
    assert.equal(lock.locked(), true);
    task.result().release();
    assert.equal(lock.locked(), false);
  });
});
