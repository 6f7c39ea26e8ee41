/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
/**
 * Bugs that asyncio once had, or still has in CPython 3.14, by the number of their issue: what was wrong there must not
 * go wrong here. gh-155433 and gh-155418 are with the tests of `TaskGroup.cancel`.
 */
import {
  aclosing,
  ArgumentTypeError,
  CancelledError,
  Condition,
  ContextVar,
  copyContext,
  createTask,
  currentTask,
  eagerTaskFactory,
  Event,
  ExceptionGroup,
  formatCallGraph,
  Future,
  gather,
  getRunningLoop,
  Lock,
  Queue,
  run,
  Semaphore,
  shield,
  sleep,
  Task,
  taskGroup,
  timeout,
  TimeoutError,
  until,
  waitFor,
} from "corio";
import type { Coroutine, EventLoop, TaskGroup } from "corio";
import { VirtualClock } from "corio/testing";
import { block, failureOf, shapeOf } from "./support/blocks.ts";
import { testForms, testScript, wait } from "./support/forms.ts";
import type { Form, Script } from "./support/forms.ts";
import { assert, describe, test } from "./support/harness.ts";
import { iterate } from "./support/primitives.ts";
import { now, self } from "./support/simulate.ts";

type ExceptionContext = Parameters<EventLoop["callExceptionHandler"]>[0];

const group = <T>(form: Form, script: (group: TaskGroup) => Script<T>): Coroutine<T> =>
  taskGroup(block(form, script));

const fail = (form: Form, label: string): Coroutine<never> =>
  form.define(function* fail(): Script<never> {
    throw new RangeError(label);
  })();

function collectReports(): ExceptionContext[] {
  const reports: ExceptionContext[] = [];
  getRunningLoop().setExceptionHandler((_loop, context) => {
    reports.push(context);
  });
  return reports;
}

describe("a cancel of waitFor", () => {
  // Both at once: what is awaited comes through, and the waiting task is cancelled.
  testScript("gh-86296: is not lost when the result is there already", function* (form) {
    const immediate = form.define(function* immediate() {
      return "result";
    });
    const waitThenGoOn = form.define(function* waitThenGoOn(awaited: Future<string> | Coroutine<string>) {
      yield* wait(waitFor(awaited, 10));
      yield* wait(sleep(1));
      return "swallowed";
    });
    const future = new Future<string>();
    for (const awaited of [future, createTask(immediate()), immediate()]) {
      const task = createTask(waitThenGoOn(awaited));
      yield* wait(sleep(0));
      if (awaited === future) future.setResult("result");
      task.cancel("outside");
      const error = yield* failureOf(task, CancelledError);
      assert.equal(error.reason, "outside");
    }
  });

  // The limit is over, and what was awaited is on its way to its end; or it is over in the same iteration.
  testScript("gh-107547: is not taken for the time limit that has come at the same time", function* (form) {
    const slowToEnd = form.define(function* slowToEnd() {
      try {
        yield* wait(sleep(10));
      } finally {
        yield* wait(sleep(1));
      }
    });
    const patient = form.define(function* patient() {
      try {
        yield* wait(waitFor(slowToEnd(), 1));
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
      yield* wait(sleep(10));
      return "swallowed";
    });
    for (const delay of [1, 1.5, 2]) {
      const task = createTask(patient());
      yield* wait(sleep(delay));
      task.cancel();
      yield* failureOf(task, CancelledError);
      assert.equal(task.cancelled(), true);
    }
  });
});

describe("a task group and cancellation", () => {
  testScript("gh-95289: a block that replaces the cancellation leaves no request behind", function* (form) {
    const failLater = form.define(function* failLater() {
      yield* wait(sleep(0));
      throw new RangeError("child");
    });
    for (const replaced of [null, new TypeError("block")]) {
      const error = yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(failLater());
          yield* failureOf(sleep(1), CancelledError);
          if (replaced !== null) throw replaced;
        }),
        ExceptionGroup,
      );
      const expected = ["RangeError: child", ...(replaced === null ? [] : ["TypeError: block"])];
      assert.deepEqual(shapeOf(error), expected);
      assert.equal(self().cancelling(), 0);
    }
    yield* wait(sleep(1));
  });

  testScript("gh-116720: an inner group does not swallow the cancel of an outer one", function* (form) {
    const log: string[] = [];
    const error = yield* failureOf(
      group(form, function* (outer) {
        try {
          yield* wait(
            group(form, function* (inner) {
              void outer.createTask(fail(form, "outer"));
              void inner.createTask(fail(form, "inner"));
            }),
          );
        } catch (caught) {
          log.push(String(shapeOf(caught)));
        }
        log.push("goes on");
        yield* wait(sleep(1));
        log.push("not interrupted");
      }),
      ExceptionGroup,
    );
    assert.deepEqual(log, ["RangeError: inner", "goes on"]);
    assert.deepEqual(shapeOf(error), ["RangeError: outer"]);
    assert.equal(self().cancelling(), 0);
    assert.equal(now(), 0);
  });

  testScript("gh-133747: a group that has failed does not disturb a time limit around it", function* (form) {
    const failSlowly = form.define(function* failSlowly() {
      try {
        yield* wait(
          group(form, function* (tasks) {
            void tasks.createTask(fail(form, "child"));
          }),
        );
      } catch (error) {
        yield* wait(sleep(10));
        throw error;
      }
    });
    yield* failureOf(waitFor(failSlowly(), 1), TimeoutError);
    assert.equal(now(), 1);
    assert.equal(self().cancelling(), 0);
  });

  class Stop extends CancelledError {}

  testScript("gh-113848: a subclass of CancelledError counts as one", function* (form) {
    const stop = form.define(function* stop(): Script<never> {
      throw new Stop();
    });
    yield* wait(
      group(form, function* (tasks) {
        const child = tasks.createTask(stop());
        yield* failureOf(child, Stop);
        assert.equal(child.cancelled(), true);
      }),
    );
    const interrupted = function* (): Script<void> {
      yield* failureOf(sleep(5), CancelledError);
      throw new Stop();
    };
    const error = yield* failureOf(
      group(form, function* (tasks) {
        void tasks.createTask(fail(form, "child"));
        yield* interrupted();
      }),
      ExceptionGroup,
    );
    assert.deepEqual(shapeOf(error), ["RangeError: child"]);
    assert.instanceOf((yield* failureOf(timeout(1, block(form, interrupted)), TimeoutError)).cause, Stop);
    assert.equal(self().cancelling(), 0);
  });
});

describe("eager tasks", () => {
  testScript("gh-128550: a child that makes a failing sibling is cancelled itself", function* (form) {
    getRunningLoop().setTaskFactory(eagerTaskFactory);
    const second = form.define(function* second(tasks: TaskGroup) {
      void tasks.createTask(fail(form, "third"));
      yield* wait(new Event().wait());
    });
    const error = yield* failureOf(
      group(form, function* (tasks) {
        void tasks.createTask(second(tasks));
      }),
      ExceptionGroup,
    );
    assert.deepEqual(shapeOf(error), ["RangeError: third"]);
  });

  testScript(
    "gh-128588: the failure of a child that is done at once cancels no more than its group",
    function* (form) {
      getRunningLoop().setTaskFactory(eagerTaskFactory);
      yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(fail(form, "child"));
        }),
        ExceptionGroup,
      );
      assert.equal(self().cancelling(), 0);
      yield* wait(sleep(1));
    },
  );

  testScript("gh-157301: one that cannot begin leaves its creator the current task", function* (form) {
    const log: string[] = [];
    const child = form.define(function* child() {
      log.push("ran");
      yield* wait(sleep(0));
      return currentTask() === null ? "nobody" : "a task";
    });
    const me = currentTask();
    const refused = child();
    assert.throws(
      () => new Task(refused, { loop: getRunningLoop(), eagerStart: true, context: 2.14 as never }),
      ArgumentTypeError,
    );
    assert.equal(currentTask(), me);
    yield* wait(sleep(0));
    assert.equal(currentTask(), me);
    assert.deepEqual(log, []);
    // Python cannot enter a context twice; here nothing is entered, so that the creator's own may be shared.
    const context = self().getContext();
    const task = new Task(child(), { loop: getRunningLoop(), eagerStart: true, context });
    assert.equal(currentTask(), me);
    assert.equal(yield* wait(task), "a task");
    const another = copyContext();
    const inner = another.run(() => new Task(child(), { eagerStart: true, context: another }));
    assert.equal(currentTask(), me);
    assert.equal(yield* wait(inner), "a task");
  });
});

describe("cancelling oneself", () => {
  testScript("bpo-30048: is not forgotten when the coroutine returns", function* (form) {
    const returns = form.define(function* returns() {
      self().cancel("me");
      return 42;
    });
    const task = createTask(returns());
    assert.equal((yield* failureOf(task, CancelledError)).reason, "me");
    assert.equal(task.cancelled(), true);
  });

  // The request has to be passed on as a cancel of the awaited task, not only of its result.
  testScript("bpo-34872: reaches what the awaited task waits for", function* (form) {
    const last = new Future<void>();
    const second = form.define(function* second() {
      yield* wait(last);
    });
    const first = form.define(function* first() {
      const task = createTask(second());
      yield* wait(sleep(0));
      self().cancel();
      yield* wait(task);
    });
    yield* failureOf(createTask(first()), CancelledError);
    assert.equal(last.cancelled(), true);
    // A task that has not begun is cancelled before it begins, and reaches for nothing.
    const untouched = new Future<void>();
    const never = form.define(function* never() {
      yield* wait(untouched);
    });
    const hasty = form.define(function* hasty() {
      self().cancel();
      yield* wait(createTask(never()));
    });
    yield* failureOf(createTask(hasty()), CancelledError);
    yield* wait(sleep(1));
    assert.equal(untouched.done(), false);
  });
});

describe("a wake-up whose task is cancelled", () => {
  testScript("gh-112202: a notification goes to the next task", function* (form) {
    // Cancelled before it runs, or while it waits for the lock.
    for (const iterations of [0, 2]) {
      const condition = new Condition();
      const woken: number[] = [];
      const waiter = form.define(function* waiter(number: number) {
        yield* wait(condition.acquire());
        try {
          yield* wait(condition.wait());
          woken.push(number);
        } finally {
          condition.release();
        }
      });
      const tasks = [0, 1, 2].map((number) => createTask(waiter(number)));
      yield* wait(sleep(1));
      yield* wait(condition.acquire());
      condition.notify();
      yield* iterate(iterations);
      tasks[0]?.cancel();
      yield* iterate();
      condition.release();
      yield* wait(sleep(1));
      assert.deepEqual(woken, [1]);
      for (const task of tasks) task.cancel();
      yield* wait(sleep(1));
    }
  });

  testScript("gh-90155: a semaphore goes on serving the others, in their order", function* (form) {
    const semaphore = new Semaphore(1);
    const log: number[] = [];
    const user = form.define(function* user(number: number) {
      yield* wait(semaphore.acquire());
      try {
        log.push(number);
        yield* wait(sleep(1));
      } finally {
        semaphore.release();
      }
    });
    const tasks = [1, 2, 3, 4].map((number) => createTask(user(number)));
    yield* wait(sleep(0));
    // The first gives its place to the second, which is cancelled when it has it coming.
    tasks[0]?.cancel();
    yield* wait(sleep(0));
    tasks[1]?.cancel();
    const newcomer = createTask(user(5));
    yield* wait(gather(tasks.slice(2)));
    yield* wait(newcomer);
    assert.deepEqual(log, [1, 3, 4, 5]);
    assert.equal(semaphore.locked(), false);
    assert.equal(semaphore.statistics().tasksWaiting, 0);
  });

  testScript("bpo-27585: a lock whose last waiters are cancelled is free", function* (form) {
    const lock = new Lock();
    const user = form.define(function* user() {
      yield* wait(lock.acquire());
      lock.release();
    });
    yield* wait(lock.acquire());
    const tasks = [createTask(user()), createTask(user())];
    yield* wait(sleep(0));
    lock.release();
    for (const task of tasks) task.cancel();
    yield* wait(sleep(0));
    assert.equal(lock.locked(), false);
    yield* wait(waitFor(user(), 1));
  });

  // python/asyncio #269 and #270.
  testScript("a queue hands an item, and a place, to the next", function* () {
    const queue = new Queue<string>(1);
    const getters = [createTask(queue.get()), createTask(queue.get())];
    yield* wait(sleep(0));
    queue.putNowait("item");
    getters[0]?.cancel();
    assert.equal(yield* wait(getters[1] as Task<string>), "item");
    queue.putNowait("first");
    const putters = [createTask(queue.put("lost")), createTask(queue.put("second"))];
    yield* wait(sleep(0));
    assert.equal(queue.getNowait(), "first");
    putters[0]?.cancel();
    yield* wait(putters[1] as Task<void>);
    assert.equal(queue.getNowait(), "second");
  });
});

describe("gather", () => {
  // CPython declined to change it: a failure leaves the others running, and a second one is seen by nobody. TaskGroup
  // is the answer there and here.
  testScript("gh-76935: leaves its children running when one fails; a group does not", function* (form) {
    const reports = collectReports();
    const log: string[] = [];
    const work = form.define(function* work(label: string, seconds: number, error?: Error) {
      try {
        yield* wait(sleep(seconds));
        if (error !== undefined) throw error;
        log.push(`${label} done`);
      } catch (caught) {
        if (caught instanceof CancelledError) log.push(`${label} cancelled`);
        throw caught;
      }
    });
    const all = (): Coroutine<void>[] => [
      work("a", 1, new RangeError("first")),
      work("b", 2, new RangeError("second")),
      work("c", 3),
    ];
    yield* failureOf(gather(...all()), RangeError);
    assert.equal(now(), 1);
    yield* wait(sleep(5));
    assert.deepEqual(log.splice(0), ["c done"]);
    const error = yield* failureOf(
      group(form, function* (tasks) {
        for (const each of all()) void tasks.createTask(each);
      }),
      ExceptionGroup,
    );
    assert.deepEqual(shapeOf(error), ["RangeError: first"]);
    assert.deepEqual(log, ["b cancelled", "c cancelled"]);
    assert.deepEqual(reports, []);
  });
});

describe("shield", () => {
  const failLate = (form: Form): Coroutine<never> =>
    form.define(function* failLate(): Script<never> {
      yield* wait(sleep(2));
      throw new RangeError("late");
    })();

  // CPython 3.14 reports every failure that comes after the end of a shield, whoever else awaits it.
  testScript("gh-156321: does not report an exception that somebody else gets", function* (form) {
    const reports = collectReports();
    const task = createTask(failLate(form));
    yield* failureOf(waitFor(shield(task), 1), TimeoutError);
    yield* failureOf(task, RangeError);
    yield* wait(sleep(1));
    const watched = createTask(failLate(form));
    const seen: unknown[] = [];
    watched.addDoneCallback((done) => {
      seen.push(done.exception());
    });
    yield* failureOf(waitFor(shield(watched), 1), TimeoutError);
    yield* wait(sleep(5));
    assert.equal(seen.length, 1);
    assert.deepEqual(reports, []);
    // Nobody else: then it is reported, once, and at once.
    const alone = createTask(failLate(form));
    yield* failureOf(waitFor(shield(alone), 1), TimeoutError);
    yield* wait(sleep(1));
    yield* iterate(2);
    assert.deepEqual(
      reports.map(({ message }) => message),
      ["RangeError exception in shielded future"],
    );
  });

  test("gh-156321: does not report what the end of run() reports", async () => {
    const reports: string[] = [];
    await run(
      async () => {
        getRunningLoop().setExceptionHandler((_loop, { message }) => reports.push(message));
        const stubborn = createTask(async () => {
          await sleep(100).catch(() => undefined);
          throw new RangeError("while it is cancelled");
        });
        await assert.rejects(waitFor(shield(stubborn), 1), TimeoutError);
      },
      { clock: new VirtualClock() },
    );
    assert.deepEqual(reports, ["unhandled exception during run() shutdown"]);
  });

  // CPython 3.14 keeps them until the inner task ends, and its call graph shows them.
  testScript("gh-155143, gh-155854: forgets who has stopped waiting", function* (form) {
    const inner = createTask(sleep(100), { name: "inner" });
    const waiter = form.define(function* waiter() {
      yield* wait(shield(inner));
    });
    const alive = createTask(waiter(), { name: "alive" });
    for (let count = 0; count < 3; count++) {
      const task = createTask(waiter(), { name: "cancelled" });
      yield* wait(sleep(0));
      task.cancel();
      yield* failureOf(task, CancelledError);
    }
    const graph = formatCallGraph(inner);
    assert.match(graph, /alive/);
    assert.equal(graph.includes("cancelled"), false);
    alive.cancel();
    inner.cancel();
  });
});

describe("the end of run", () => {
  // In CPython it hangs when tasks are cancelled whose subprocesses have ended but not been noticed. corio has no
  // subprocesses; what comes nearest is work of the host that is cancelled at each of its stages.
  testForms("gh-125502: comes although tasks wait for what the host has not told yet", async (form) => {
    let running = 0;
    const process = (signal: AbortSignal): Promise<string> =>
      new Promise((resolve, reject) => {
        running++;
        const exit = setTimeout(() => {
          running--;
          resolve("exited");
        }, 2);
        signal.addEventListener("abort", () => {
          clearTimeout(exit);
          setTimeout(() => {
            running--;
            reject(signal.reason as Error);
          });
        });
      });
    const work = form.define(function* work(stages: number) {
      for (let stage = 0; stage < stages; stage++) yield* wait(until(process));
    });
    const main = form.define(function* main() {
      const tasks = Array.from({ length: 20 }, (_, index) => createTask(work(1 + (index % 3))));
      yield* wait(tasks[0] as Task);
      throw new RangeError("main fails");
    });
    await assert.rejects(run(main()), RangeError);
    assert.equal(running, 0);
  });

  // In CPython the clean-up of a generator that is not exhausted runs in another task, whenever that is, and not at all
  // when the loop ends first. `for await` and `aclosing` close it here, in the task and before it ends.
  test("gh-117536: async generators are closed in their task, to the end", async () => {
    const log: string[] = [];
    const context = new ContextVar<string>("context");
    async function* numbers(): AsyncGenerator<number> {
      const before = currentTask();
      try {
        for (let number = 0; ; number++) {
          await sleep(1);
          yield number;
        }
      } finally {
        await sleep(1);
        const where = currentTask() === before ? "in its task" : "elsewhere";
        log.push(`${context.get()} closed ${where} at ${String(now())}`);
      }
    }
    const leaveEarly = async (name: string): Promise<void> => {
      context.set(name);
      for await (const number of numbers()) if (number === 1) break;
    };
    const byHand = async (name: string): Promise<void> => {
      context.set(name);
      await aclosing(numbers(), async (generator) => {
        await generator.next();
        await sleep(100);
      });
    };
    const forever = async (name: string): Promise<void> => {
      context.set(name);
      for await (const number of numbers()) log.push(`number ${String(number)}`);
    };
    await run(
      async () => {
        await createTask(() => leaveEarly("left"));
        const cancelled = createTask(() => byHand("cancelled"));
        await sleep(2);
        cancelled.cancel();
        await assert.rejects(cancelled, CancelledError);
        createTask(() => forever("at the end")).setName("left over");
        await sleep(1.5);
      },
      { clock: new VirtualClock() },
    );
    assert.deepEqual(log, [
      "left closed in its task at 3",
      "cancelled closed in its task at 6",
      "number 0",
      "at the end closed in its task at 8.5",
    ]);
  });
});

describe("an exception that nobody sees", () => {
  // asyncio stays silent for as long as somebody keeps the task (python/asyncio #397, #399).
  testForms("is reported at the end of run also when the task is kept", async (form) => {
    const kept: Task[] = [];
    let reports: ExceptionContext[] = [];
    await run(
      async () => {
        reports = collectReports();
        kept.push(createTask(fail(form, "nobody looks")));
        await sleep(1);
        assert.deepEqual(reports, []);
      },
      { clock: new VirtualClock() },
    );
    assert.deepEqual(
      reports.map(({ exception, message }) => `${message}: ${String(exception)}`),
      ["Task exception was never retrieved: RangeError: nobody looks"],
    );
    assert.equal(kept[0]?.done(), true);
  });
});
