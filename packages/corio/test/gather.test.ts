/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  ArgumentTypeError,
  CancelledError,
  coroutine,
  createTask,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  run,
  RuntimeError,
  setEventLoop,
  sleep,
  ValueError,
} from "corio";
import type { Task } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Script } from "./support/forms.ts";
import { now, simulate } from "./support/simulate.ts";

const futures = (count: number): Future<number>[] =>
  Array.from({ length: count }, () => new Future<number>());

/** One iteration and a half: what was settled has told its gather. */
function* settle(): Script<void> {
  yield* wait(sleep(0));
  yield* wait(sleep(0));
}

describe("gather", () => {
  testScript("gives the results in the order of the arguments [GatherTestsBase.test_success]", function* () {
    const [a, b, c] = futures(3) as [Future<number>, Future<number>, Future<number>];
    const all = gather(a, b, c);
    b.setResult(1);
    a.setResult(2);
    yield* settle();
    assert.equal(all.done(), false);
    c.setResult(3);
    yield* settle();
    assert.deepEqual(all.result(), [2, 1, 3]);
  });

  testScript(
    "takes a list, and gives results and exceptions [GatherTestsBase.test_result_exception_success] [GatherTestsBase.test_return_exceptions]",
    function* () {
      const [a, b, c, d] = futures(4) as [Future<number>, Future<number>, Future<number>, Future<number>];
      const all = gather([a, b, c, d], { returnExceptions: true });
      const first = new RangeError("b");
      const second = new TypeError("c");
      c.setException(second);
      b.setException(first);
      a.setResult(1);
      yield* settle();
      assert.equal(all.done(), false);
      d.setResult(3);
      assert.deepEqual(yield* wait(all), [1, first, second, 3]);
    },
  );

  testScript(
    "throws the first exception at once, and the others go on [GatherTestsBase.test_one_exception]",
    function* () {
      const [a, b, c, d, e] = futures(5) as [
        Future<number>,
        Future<number>,
        Future<number>,
        Future<number>,
        Future<number>,
      ];
      const all = gather(a, b, c, d, e);
      const error = new RangeError("b");
      a.setResult(1);
      b.setException(error);
      yield* settle();
      assert.equal(all.done(), true);
      assert.equal(all.exception(), error);
      // Exceptions of the others are nobody's: they count as seen.
      c.setResult(2);
      d.setException(new RangeError("d"));
      e.cancel();
      yield* settle();
    },
  );

  test("may be used in debug mode [GatherTestsBase.test_env_var_debug]", async () => {
    const result = await run(async () => await gather(sleep(1, "a"), sleep(1, "b")), {
      clock: new VirtualClock(),
      debug: true,
    });
    assert.deepEqual(result, ["a", "b"]);
  });

  test("of nothing needs a loop all the same [FutureGatherTests.test_constructor_empty_sequence_without_loop]", () => {
    assert.throws(() => gather(), RuntimeError);
  });

  testScript(
    "of nothing is done [FutureGatherTests.test_constructor_empty_sequence_use_running_loop]",
    function* () {
      for (const empty of [gather(), gather([])]) {
        assert.equal(empty.getLoop(), getRunningLoop());
        assert.equal(empty.done(), true);
        assert.deepEqual(yield* wait(empty), []);
      }
    },
  );

  test("uses the loop that was set where none is running [FutureGatherTests.test_constructor_empty_sequence_use_global_loop] [CoroutineGatherTests.test_constructor_use_global_loop]", async () => {
    const loop = new EventLoop({ clock: new VirtualClock() });
    setEventLoop(loop);
    try {
      assert.equal(gather().getLoop(), loop);
      const all = gather(coroutine(async () => "a")(), coroutine(async () => "b")());
      assert.equal(all.getLoop(), loop);
      assert.deepEqual(await loop.runUntilComplete(all), ["a", "b"]);
    } finally {
      setEventLoop(null);
      loop.close();
    }
  });

  test("refuses futures of several loops [FutureGatherTests.test_constructor_heterogenous_futures]", () => {
    const first = new EventLoop({ clock: new VirtualClock() });
    const second = new EventLoop({ clock: new VirtualClock() });
    assert.throws(() => gather(first.createFuture(), second.createFuture()), ValueError);
    first.close();
    second.close();
  });

  test("belongs to the loop of its futures [FutureGatherTests.test_constructor_homogenous_futures]", () => {
    const loop = new EventLoop({ clock: new VirtualClock() });
    assert.equal(gather([loop.createFuture(), loop.createFuture()]).getLoop(), loop);
    loop.close();
  });

  testScript(
    "a cancelled child is an exception of the gather, which is not cancelled [FutureGatherTests.test_one_cancellation]",
    function* () {
      const [a, b, c, d, e] = futures(5) as [
        Future<number>,
        Future<number>,
        Future<number>,
        Future<number>,
        Future<number>,
      ];
      const all = gather(a, b, c, d, e);
      a.setResult(1);
      b.cancel();
      yield* settle();
      assert.equal(all.done(), true);
      assert.equal(all.cancelled(), false);
      assert.instanceOf(all.exception(), CancelledError);
      c.setResult(2);
      d.cancel();
      e.setException(new RangeError("e"));
      yield* settle();
    },
  );

  testScript(
    "with returnExceptions it is one of the results [FutureGatherTests.test_result_exception_one_cancellation]",
    function* () {
      const [a, b, c, d, e, f] = futures(6) as [
        Future<number>,
        Future<number>,
        Future<number>,
        Future<number>,
        Future<number>,
        Future<number>,
      ];
      const all = gather([a, b, c, d, e, f], { returnExceptions: true });
      const error = new RangeError("c");
      a.setResult(1);
      b.cancel();
      c.setException(error);
      d.setResult(4);
      e.cancel();
      yield* settle();
      assert.equal(all.done(), false);
      f.setResult(6);
      const results = yield* wait(all);
      assert.deepEqual([results[0], results[2], results[3], results[5]], [1, error, 4, 6]);
      assert.instanceOf(results[1], CancelledError);
      assert.instanceOf(results[4], CancelledError);
    },
  );

  test("of coroutines needs a loop, and closes them without one [CoroutineGatherTests.test_constructor_without_loop]", async () => {
    const first = coroutine(async () => 1)();
    const second = coroutine(async () => 2)();
    assert.throws(() => gather(first, second), RuntimeError);
    await assert.rejects(first, RuntimeError);
    await assert.rejects(second, RuntimeError);
  });

  testScript(
    "runs coroutines on the running loop [CoroutineGatherTests.test_constructor_use_running_loop]",
    function* (form) {
      const work = form.define(function* work(name: string) {
        yield* wait(sleep(1));
        return name;
      });
      const all = gather(work("abc"), work("def"));
      assert.equal(all.getLoop(), getRunningLoop());
      assert.deepEqual(yield* wait(all), ["abc", "def"]);
      assert.equal(now(), 1);
    },
  );

  testScript(
    "something given several times runs once [CoroutineGatherTests.test_duplicate_coroutines]",
    function* (form) {
      let runs = 0;
      const work = form.define(function* work(name: string) {
        runs++;
        return name;
      });
      const twice = work("abc");
      assert.deepEqual(yield* wait(gather(twice, twice, work("def"), twice)), ["abc", "abc", "def", "abc"]);
      assert.equal(runs, 2);
    },
  );

  testScript("a function runs for each time that it is given", function* (form) {
    let runs = 0;
    const work = form.define(function* work() {
      return ++runs;
    });
    assert.deepEqual(yield* wait(gather(work, work, work)), [1, 2, 3]);
  });

  testScript("a future may be given several times, whoever else awaits it", function* () {
    for (const others of [0, 1, 2]) {
      const [twice, once] = futures(2) as [Future<number>, Future<number>];
      for (let i = 0; i < others; i++) twice.addDoneCallback(() => undefined);
      const all = gather(twice, once, twice);
      twice.setResult(1);
      yield* settle();
      assert.equal(all.done(), false);
      once.setResult(2);
      assert.deepEqual(yield* wait(all), [1, 2, 1]);
      assert.deepEqual(yield* wait(gather(twice, once, twice)), [1, 2, 1]);
    }
  });

  testScript(
    "cancelling the waiting task cancels the children [CoroutineGatherTests.test_cancellation_broadcast]",
    function* (form) {
      let proof = 0;
      const waiter = new Future<void>();
      const inner = form.define(function* inner() {
        yield* wait(waiter);
        proof += 1;
      });
      const first = createTask(inner());
      const second = createTask(inner());
      const outer = form.define(function* outer() {
        yield* wait(gather(first, second));
        proof += 100;
      });
      const task = createTask(outer());
      yield* wait(sleep(1));
      assert.equal(task.cancel(), true);
      yield* failureOf(task, CancelledError);
      assert.equal(task.cancel(), false);
      assert.deepEqual(
        [waiter.cancelled(), first.cancelled(), second.cancelled(), proof],
        [true, true, true, 0],
      );
    },
  );

  testScript(
    "exceptions of children that come after the first count as seen [CoroutineGatherTests.test_exception_marking]",
    function* (form) {
      const reports: string[] = [];
      getRunningLoop().setExceptionHandler((_loop, context) => reports.push(context.message));
      const fail = form.define(function* fail(seconds: number) {
        yield* wait(sleep(seconds));
        throw new RangeError(String(seconds));
      });
      const [first, second] = [createTask(fail(1)), createTask(fail(2))];
      const error = yield* failureOf(gather(first, second), RangeError);
      assert.equal(error.message, "1");
      yield* wait(sleep(2));
      assert.equal((second as Task).state, 3);
      assert.deepEqual(reports, []);
    },
  );

  testScript(
    "a child that is cancelled while the gather is being made does no harm [CoroutineGatherTests.test_issue46672]",
    function* (form) {
      const work = form.define(function* work() {
        yield* wait(sleep(1));
      });
      const child = createTask(work());
      child.cancel();
      yield* failureOf(gather(child, work()), CancelledError);
    },
  );

  testScript("cancelling it while a child refuses [BaseTaskTests.test_cancel_gather_1]", function* (form) {
    // The gather is not cancelled at once: it ends when its children have.
    const stubborn = form.define(function* stubborn() {
      try {
        yield* wait(sleep(10));
      } catch {
        yield* wait(sleep(1));
      }
    });
    const all = gather([stubborn()], { returnExceptions: true });
    yield* wait(sleep(1));
    assert.equal(all.cancel("stop"), true);
    assert.equal(all.done(), false);
    const error = yield* failureOf(all, CancelledError);
    assert.equal(error.reason, "stop");
    assert.equal(all.cancelled(), false);
    assert.equal(now(), 2);
    assert.equal(all.cancel(), false);
  });

  testScript(
    "cancelling it when the children are done already [BaseTaskTests.test_cancel_gather_2]",
    function* (form) {
      for (const [message, reason] of [
        [undefined, undefined],
        ["my message", "my message"],
        [5, 5],
      ]) {
        const all = gather(new Future());
        const waiting = form.define(function* waiting() {
          yield* wait(all);
        });
        const task = createTask(waiting());
        yield* wait(sleep(0));
        task.cancel(message);
        const error = yield* failureOf(task, CancelledError);
        assert.equal(error.reason, reason);
      }
    },
  );

  testScript("after its end, cancelling it reaches nobody", function* () {
    const slow = createTask(sleep(10));
    const failing = new Future();
    const all = gather(slow, failing);
    failing.setException(new RangeError("first"));
    yield* failureOf(all, RangeError);
    assert.equal(all.cancel(), false);
    assert.equal(slow.cancelling(), 0);
  });

  testScript("of what is done already is done, with an exception too", function* () {
    const done = new Future<number>();
    done.setResult(1);
    const all = gather(done, done);
    assert.equal(all.done(), true);
    assert.deepEqual(all.result(), [1, 1]);
    const failed = new Future();
    failed.setException(new RangeError("failed"));
    assert.instanceOf(gather(done, failed).exception(), RangeError);
    yield* wait(all);
  });

  testScript("takes functions and promises as well", function* () {
    const all = gather(() => sleep(1, "function"), Promise.resolve("promise"), sleep(2, "coroutine"));
    assert.deepEqual(yield* wait(all), ["function", "promise", "coroutine"]);
  });

  testScript("refuses what it cannot wait for, and starts nothing", function* () {
    const inner = sleep(1);
    assert.throws(() => gather(inner, 5 as never), ArgumentTypeError);
    assert.match(String(yield* failureOf(inner)), /already closed/);
    assert.throws(() => gather([], 5 as never), ArgumentTypeError);
  });

  test("runs side by side what Promise.all would run in one task", () =>
    simulate(async () => {
      const names = await gather(
        async () => {
          await sleep(1);
          return "a";
        },
        async () => {
          await sleep(1);
          return "b";
        },
      );
      assert.deepEqual(names, ["a", "b"]);
      assert.equal(now(), 1);
    }));
});
