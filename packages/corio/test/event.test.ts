import { CancelledError, createTask, Event, getRunningLoop, run, RuntimeError } from "corio";
import { VirtualClock } from "corio/testing";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import { assert, describe, test } from "./support/harness.ts";
import { iterate, show, testShownScript } from "./support/primitives.ts";

describe("an event", () => {
  testShownScript("shows whether it is set, and how many wait [EventTests.test_repr]", function* () {
    const event = new Event();
    assert.equal(show(event), "<Event not set>");
    const task = createTask(event.wait());
    yield* iterate();
    assert.equal(show(event), "<Event not set, 1 waiting>");
    event.set();
    assert.equal(show(event), "<Event set>");
    yield* wait(task);
  });

  testScript(
    "wakes up everybody in the order of arrival; who comes later does not wait [EventTests.test_wait]",
    function* (form) {
      const event = new Event();
      assert.equal(event.isSet(), false);
      const result: number[] = [];
      const worker = form.define(function* worker(number: number) {
        assert.equal(yield* wait(event.wait()), true);
        result.push(number);
      });
      const first = createTask(worker(1));
      const second = createTask(worker(2));
      yield* iterate();
      assert.deepEqual(result, []);
      const third = createTask(worker(3));
      event.set();
      yield* iterate();
      assert.deepEqual(result, [3, 1, 2]);
      for (const task of [first, second, third]) assert.equal(task.done(), true);
    },
  );

  testScript("does not suspend when it is set [EventTests.test_wait_on_set]", function* () {
    const event = new Event();
    event.set();
    let ticks = 0;
    getRunningLoop().callSoon(() => ticks++);
    assert.equal(yield* wait(event.wait()), true);
    assert.equal(ticks, 0);
  });

  testScript("forgets a task that is cancelled [EventTests.test_wait_cancel]", function* () {
    const event = new Event();
    const task = createTask(event.wait());
    getRunningLoop().callSoon(() => task.cancel());
    yield* failureOf(task, CancelledError);
    assert.deepEqual(event.statistics(), { isSet: false, tasksWaiting: 0 });
  });

  test("can be cleared [EventTests.test_clear]", () => {
    const event = new Event();
    assert.equal(event.isSet(), false);
    event.set();
    assert.equal(event.isSet(), true);
    event.clear();
    assert.equal(event.isSet(), false);
  });

  testScript(
    "lets go on whom it has woken up, also when it is cleared at once [EventTests.test_clear_with_waiters]",
    function* (form) {
      const event = new Event();
      const result: number[] = [];
      const task = createTask(
        form.define(function* () {
          assert.equal(yield* wait(event.wait()), true);
          result.push(1);
          return true;
        })(),
      );
      yield* iterate();
      assert.deepEqual(result, []);
      event.set();
      event.clear();
      assert.equal(event.isSet(), false);
      event.set();
      event.set();
      yield* iterate();
      assert.deepEqual(result, [1]);
      assert.equal(event.statistics().tasksWaiting, 0);
      assert.equal(task.result(), true);
    },
  );

  testScript("reports how many wait in a frozen object", function* () {
    const event = new Event();
    const tasks = [createTask(event.wait()), createTask(event.wait())];
    yield* iterate();
    const statistics = event.statistics();
    assert.ok(Object.isFrozen(statistics));
    assert.deepEqual(statistics, { isSet: false, tasksWaiting: 2 });
    event.set();
    assert.deepEqual(event.statistics(), { isSet: true, tasksWaiting: 0 });
    for (const task of tasks) yield* wait(task);
  });

  testScript("forgets any number of cancelled tasks without a search", function* () {
    const event = new Event();
    const tasks = Array.from({ length: 100_000 }, () => createTask(event.wait()));
    yield* iterate();
    for (const task of tasks.slice(1).reverse()) task.cancel();
    assert.equal(event.statistics().tasksWaiting, 1);
    event.set();
    yield* iterate();
    assert.equal(tasks[0]?.result(), true);
    assert.equal(tasks.filter((task) => task.cancelled()).length, 99_999);
  });

  test("refuses to be waited for in another loop, but not when it is set", async () => {
    const event = new Event();
    const options = { clock: new VirtualClock() };
    await run(async () => {
      const task = createTask(event.wait());
      getRunningLoop().callSoon(() => {
        event.set();
      });
      await task;
    }, options);
    assert.equal(await run(event.wait(), { clock: new VirtualClock() }), true);
    event.clear();
    const error = await assert.rejects<RuntimeError>(
      run(event.wait(), { clock: new VirtualClock() }),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_FOREIGN_LOOP");
  });
});
