// asyncio's model: edge-triggered, counted, thrown at the innermost await.
import {
  CancelledError,
  coroutine,
  createTask,
  Future,
  gather,
  getRunningLoop,
  signal,
  sleep,
  Task,
} from "corio";
import type { CancelOptions } from "corio";
import { assert, describe, hostName, test } from "./support/harness.ts";
import { testForms, testScript, wait } from "./support/forms.ts";
import { self, simulate } from "./support/simulate.ts";

/** The running task, in a test that runs as one. */

/** Waits for `task`, which must end cancelled. */
async function cancellationOf(task: PromiseLike<unknown>): Promise<CancelledError> {
  return await assert.rejects<CancelledError>(task, CancelledError);
}

describe("cancel", () => {
  testScript(
    "throws at the innermost await; finally blocks run, and may wait [BaseTaskTests.test_cancel] [BaseTaskTests.test_cancel_yield]",
    function* (form) {
      const log: string[] = [];
      const inner = form.define(function* inner() {
        try {
          log.push("inner waits");
          yield* wait(sleep(10));
          log.push("never");
        } finally {
          yield* wait(sleep(1));
          log.push(`inner cleaned up at ${getRunningLoop().time().toString()}`);
        }
      });
      const outer = form.define(function* outer() {
        try {
          yield* wait(inner());
        } catch (error) {
          log.push(`outer caught ${String(error)}`);
          throw error;
        }
      });
      const task = createTask(outer());
      yield* wait(sleep(2));
      assert.equal(task.cancel("stop"), true);
      assert.equal(task.done(), false);
      try {
        yield* wait(task);
        assert.fail("expected a cancellation");
      } catch (error) {
        assert.instanceOf(error, CancelledError);
      }
      assert.equal(task.cancelled(), true);
      assert.deepEqual(log, ["inner waits", "inner cleaned up at 3", "outer caught CancelledError: stop"]);
      assert.equal(task.cancel(), false);
    },
  );

  testScript(
    "counts its requests; a done task takes none [BaseTaskTests.test_cancelling] [BaseTaskTests.test_uncancel_basic]",
    function* (form) {
      const stubborn = form.define(function* stubborn() {
        try {
          yield* wait(sleep(10));
        } catch {
          yield* wait(sleep(1));
        }
        return "refused";
      });
      const task = createTask(stubborn());
      yield* wait(sleep(0));
      assert.equal(task.cancelling(), 0);
      assert.equal(task.cancel(), true);
      assert.equal(task.cancelling(), 1);
      assert.equal(yield* wait(task), "refused");
      assert.equal(task.cancelled(), false);
      assert.equal(task.cancelling(), 1);
      assert.equal(task.cancel(), false);
      assert.equal(task.cancelling(), 1);
      assert.equal(task.uncancel(), 0);
      assert.equal(task.uncancel(), 0);
    },
  );

  testScript(
    "before the next step merges: one error, the first message, the sum of requests",
    function* (form) {
      const log: string[] = [];
      const catcher = form.define(function* catcher() {
        for (let round = 0; round < 3; round++) {
          try {
            yield* wait(sleep(10));
            log.push("slept");
          } catch (error) {
            log.push(String(error));
          }
        }
      });
      const task = createTask(catcher());
      yield* wait(sleep(1));
      task.cancel("first");
      task.cancel("second");
      assert.equal(task.cancelling(), 2);
      yield* wait(task);
      assert.deepEqual(log, ["CancelledError: first", "slept", "slept"]);
      assert.equal(task.cancelling(), 2);
    },
  );

  testForms(
    "before the first step keeps the body from running: no try, no finally [BaseTaskTests.test_cancel_with_message_before_starting_task] [BaseTaskTests.test_task_cancel_message_getter]",
    (form) =>
      simulate(async () => {
        const log: string[] = [];
        const work = form.define(function* work() {
          try {
            log.push("began");
            yield* wait(sleep(0));
          } finally {
            log.push("finally");
          }
        });
        const task = createTask(work());
        task.cancel("too early");
        const error = await cancellationOf(task);
        assert.equal(error.message, "too early");
        assert.deepEqual(log, []);
        assert.equal(task.cancelled(), true);
      }),
  );

  testScript(
    "wins over a value that is already there; the value is lost [BaseTaskTests.test_cancel_with_message_then_future_result] [BaseTaskTests.test_cancel_traceback_for_future_result]",
    function* (form) {
      const future = new Future<string>();
      let got: unknown;
      const work = form.define(function* work() {
        got = yield* wait(future);
      });
      const task = createTask(work());
      yield* wait(sleep(0));
      future.setResult("value");
      task.cancel("late");
      try {
        yield* wait(task);
        assert.fail("expected a cancellation");
      } catch (error) {
        assert.equal(String(error), "CancelledError: late");
      }
      assert.equal(got, undefined);
    },
  );

  testScript(
    "wins over an exception that is already there, which counts as seen [BaseTaskTests.test_cancel_with_message_then_future_exception] [BaseTaskTests.test_cancel_traceback_for_future_exception]",
    function* (form) {
      const reports: string[] = [];
      getRunningLoop().setExceptionHandler((_loop, context) => reports.push(context.message));
      const future = new Future<string>();
      const work = form.define(function* work() {
        yield* wait(future);
      });
      const task = createTask(work());
      yield* wait(sleep(0));
      future.setException(new Error("boom"));
      task.cancel("late");
      try {
        yield* wait(task);
      } catch (error) {
        assert.equal(String(error), "CancelledError: late");
      }
      assert.equal(task.cancelled(), true);
      assert.deepEqual(reports, []);
    },
  );

  testScript(
    "of itself and then a return: the task is cancelled, its value lost [BaseTaskTests.test_cancel_at_end]",
    function* (form) {
      const work = form.define(function* work() {
        yield* wait(sleep(0));
        self().cancel("self");
        return "value";
      });
      const task = createTask(work());
      try {
        yield* wait(task);
        assert.fail("expected a cancellation");
      } catch (error) {
        assert.equal(String(error), "CancelledError: self");
      }
      assert.equal(task.cancelled(), true);
    },
  );

  testScript(
    "of itself is raised at the next await [BaseTaskTests.test_cancel_current_task]",
    function* (form) {
      const log: string[] = [];
      const work = form.define(function* work() {
        self().cancel();
        log.push("goes on");
        yield* wait(sleep(100));
        log.push("never");
      });
      const task = createTask(work());
      try {
        yield* wait(task);
        assert.fail("expected a cancellation");
      } catch (error) {
        assert.instanceOf(error, CancelledError);
      }
      assert.deepEqual(log, ["goes on"]);
      assert.equal(getRunningLoop().time(), 0);
    },
  );

  testScript("of itself goes through awaits of what is done already", function* (form) {
    const log: string[] = [];
    const done = new Future<number>();
    done.setResult(1);
    const work = form.define(function* work() {
      self().cancel();
      yield* wait(done);
      log.push("a done future does not suspend");
      yield* wait(sleep(0));
      log.push("never");
    });
    const task = createTask(work());
    try {
      yield* wait(task);
    } catch (error) {
      assert.instanceOf(error, CancelledError);
    }
    assert.deepEqual(log, ["a done future does not suspend"]);
  });

  testScript(
    "may be caught: later awaits work as usual [BaseTaskTests.test_cancel_task_catching] [BaseTaskTests.test_cancel_task_ignoring]",
    function* (form) {
      const log: string[] = [];
      const work = form.define(function* work() {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          assert.instanceOf(error, CancelledError);
          log.push("caught");
        }
        yield* wait(sleep(5));
        log.push(`slept until ${getRunningLoop().time().toString()}`);
        return 42;
      });
      const task = createTask(work());
      yield* wait(sleep(1));
      task.cancel();
      assert.equal(yield* wait(task), 42);
      assert.equal(task.cancelled(), false);
      assert.deepEqual(log, ["caught", "slept until 6"]);
    },
  );

  testScript("during the clean-up of a cancel is thrown there", function* (form) {
    const log: string[] = [];
    const work = form.define(function* work() {
      try {
        yield* wait(sleep(10));
      } finally {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          log.push(`clean-up: ${String(error)}`);
        }
      }
    });
    const task = createTask(work());
    yield* wait(sleep(1));
    task.cancel("one");
    yield* wait(sleep(1));
    task.cancel("two");
    try {
      yield* wait(task);
      log.push("returned");
    } catch (error) {
      log.push(`task: ${String(error)}`);
    }
    assert.deepEqual(log, ["clean-up: CancelledError: two", "task: CancelledError: one"]);
    assert.equal(task.cancelling(), 2);
  });

  testScript(
    "of a waiting task cancels the future it waits for [BaseTaskTests.test_cancel_inner_future] [BaseTaskTests.test_task_cancel_waiter_future] [BaseTaskTests.test_yield_future_passes_cancel]",
    function* (form) {
      const future = new Future<void>();
      const work = form.define(function* work() {
        yield* wait(future);
      });
      const task = createTask(work());
      yield* wait(sleep(0));
      task.cancel("reason");
      assert.equal(future.cancelled(), true);
      yield* wait(sleep(0));
      assert.equal(task.cancelled(), true);
    },
  );

  testScript("of the awaited future cancels whoever awaits it", function* (form) {
    const future = new Future<void>();
    const work = form.define(function* work() {
      yield* wait(future);
    });
    const task = createTask(work());
    yield* wait(sleep(0));
    future.cancel("future");
    try {
      yield* wait(task);
      assert.fail("expected a cancellation");
    } catch (error) {
      assert.equal(String(error), "CancelledError: future");
    }
    assert.equal(task.cancelled(), true);
    assert.equal(task.cancelling(), 0);
  });

  testScript(
    "of both the task and the future it awaits is thrown once [BaseTaskTests.test_cancel_both_task_and_inner_future]",
    function* (form) {
      const log: string[] = [];
      const future = new Future<void>();
      const work = form.define(function* work() {
        try {
          yield* wait(future);
        } catch (error) {
          log.push(String(error));
        }
        yield* wait(sleep(1));
        log.push("slept");
      });
      const task = createTask(work());
      yield* wait(sleep(0));
      future.cancel("future");
      assert.equal(task.cancel("task"), true);
      yield* wait(task);
      assert.deepEqual(log, ["CancelledError: future", "slept"]);
      assert.equal(task.cancelling(), 1);
    },
  );

  testScript(
    "goes through a chain of awaited tasks to the last [BaseTaskTests.test_cancel_awaited_task]",
    function* (form) {
      const log: string[] = [];
      const leaf = form.define(function* leaf() {
        try {
          yield* wait(sleep(10));
        } finally {
          log.push("leaf");
        }
      });
      const middle = form.define(function* middle() {
        try {
          yield* wait(createTask(leaf()));
        } finally {
          log.push("middle");
        }
      });
      const top = form.define(function* top() {
        try {
          yield* wait(createTask(middle()));
        } finally {
          log.push("top");
        }
      });
      const task = createTask(top());
      yield* wait(sleep(1));
      task.cancel("chain");
      try {
        yield* wait(task);
      } catch (error) {
        assert.equal(String(error), "CancelledError: chain");
      }
      assert.deepEqual(log, ["leaf", "middle", "top"]);
      assert.equal(task.cancelled(), true);
    },
  );

  testScript("stops at a task that refuses: whoever awaits it gets its value", function* (form) {
    const stubborn = form.define(function* stubborn() {
      try {
        yield* wait(sleep(10));
      } catch {
        // Refuses.
      }
      return "refused";
    });
    const inner = createTask(stubborn());
    const outer = form.define(function* outer() {
      return yield* wait(inner);
    });
    const task = createTask(outer());
    yield* wait(sleep(1));
    task.cancel();
    assert.equal(yield* wait(task), "refused");
    assert.equal(task.cancelling(), 1);
    assert.equal(inner.cancelling(), 1);
  });

  testScript(
    "of a sleeping task removes its timer [BaseTaskTests.test_sleep_cancel] [BaseTaskTests.test_task_cancel_sleeping_task]",
    function* () {
      const loop = getRunningLoop();
      const task = createTask(sleep(1000));
      yield* wait(sleep(0));
      task.cancel();
      try {
        yield* wait(task);
      } catch (error) {
        assert.instanceOf(error, CancelledError);
      }
      yield* wait(sleep(1));
      assert.equal(loop.time(), 1);
      assert.equal(loop.scheduler.nextDeadline(), undefined);
    },
  );

  testScript("of a task that only yields is thrown at its next resumption", function* (form) {
    const log: string[] = [];
    const work = form.define(function* work() {
      try {
        yield* wait(sleep(0));
        log.push("never");
      } catch (error) {
        log.push(String(error));
      }
    });
    const task = createTask(work());
    yield* wait(sleep(0));
    task.cancel("yielding");
    yield* wait(task);
    assert.deepEqual(log, ["CancelledError: yielding"]);
  });

  testScript("is what a coroutine asks for that throws CancelledError itself", function* (form) {
    const work = form.define(function* work() {
      yield* wait(sleep(0));
      throw new CancelledError("of my own");
    });
    const task = createTask(work());
    try {
      yield* wait(task);
      assert.fail("expected a cancellation");
    } catch (error) {
      assert.equal(String(error), "CancelledError: of my own");
    }
    assert.equal(task.cancelled(), true);
    assert.equal(task.cancelling(), 0);
  });

  testScript(
    "turned into another error is that error [BaseTaskTests.test_baseexception_during_cancel]",
    function* (form) {
      const work = form.define(function* work() {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          throw new Error("instead", { cause: error });
        }
      });
      const task = createTask(work());
      yield* wait(sleep(0));
      task.cancel();
      try {
        yield* wait(task);
        assert.fail("expected an error");
      } catch (error) {
        assert.equal(String(error), "Error: instead");
      }
      assert.equal(task.cancelled(), false);
    },
  );
});

describe("the cancellation of tasks that await each other", () => {
  const waitFor = async (task: Task): Promise<void> => {
    await task;
  };

  test("is not limited by the stack, and is counted once for each", () =>
    simulate(async () => {
      const tasks: Task[] = [createTask(sleep(10))];
      for (let index = 0; index < 30_000; index++) {
        const previous = tasks.at(-1) as Task;
        tasks.push(createTask(() => waitFor(previous)));
      }
      await sleep(1);
      const last = tasks.at(-1) as Task;
      last.cancel("stop");
      const error = await cancellationOf(last);
      assert.equal(error.message, "stop");
      assert.deepEqual(new Set(tasks.map((task) => task.cancelling())), new Set([1]));
      assert.equal(getRunningLoop().time(), 1);
    }));

  testScript("ends them when they wait for each other in a circle", function* (form) {
    const log: string[] = [];
    const tasks: Task[] = [];
    const member = form.define(function* member(index: number) {
      try {
        yield* wait(sleep(0));
        yield* wait(tasks[index === 3 ? 1 : index + 1] as Task);
      } finally {
        yield* wait(sleep(0));
        log.push(`${index} cleaned up`);
      }
    });
    for (const index of [0, 1, 2, 3]) tasks.push(createTask(member(index)));
    yield* wait(sleep(1));
    tasks[0]?.cancel();
    yield* wait(gather(tasks, { returnExceptions: true }));
    assert.deepEqual(log, ["3 cleaned up", "2 cleaned up", "1 cleaned up", "0 cleaned up"]);
    assert.deepEqual(
      tasks.map((task) => task.cancelling()),
      [1, 1, 1, 1],
    );
  });

  test("does not pass by the cancel of a class of one's own", () =>
    simulate(async () => {
      let requests = 0;
      class Counting<T> extends Task<T> {
        override cancel(reason?: unknown, options?: CancelOptions): boolean {
          requests++;
          return super.cancel(reason, options);
        }
      }
      const inner = new Counting(sleep(10));
      const outer = createTask(() => waitFor(inner));
      await sleep(1);
      outer.cancel();
      await cancellationOf(outer);
      assert.equal(requests, 1);
      assert.equal(inner.cancelling(), 1);
    }));

  test("is counted, and delivered once, when a listener to the signal asks again", () =>
    simulate(async () => {
      const task = createTask(async () => {
        signal().addEventListener("abort", () => {
          task.cancel();
        });
        await sleep(10).catch(() => undefined);
        await sleep(1);
      });
      await sleep(1);
      task.cancel();
      await task;
      assert.equal(task.cancelling(), 2);
    }));

  test("lets the inner one clean up first, also when a listener to its signal cancels the outer one", () =>
    simulate(async () => {
      const log: string[] = [];
      const inner = createTask(async () => {
        signal().addEventListener("abort", () => {
          outer.cancel();
        });
        try {
          await sleep(10);
        } finally {
          await sleep(1);
          log.push("inner cleaned up");
        }
      });
      const outer: Task<void> = createTask(async () => {
        try {
          await inner;
        } finally {
          log.push("outer ends");
        }
      });
      await sleep(1);
      inner.cancel();
      await cancellationOf(outer);
      assert.deepEqual(log, ["inner cleaned up", "outer ends"]);
      assert.deepEqual([inner.cancelling(), outer.cancelling()], [2, 1]);
    }));
});

describe("a CancelledError", () => {
  test("says who asked, why, and when", () =>
    simulate(async () => {
      const worker = createTask(sleep(100), { name: "worker" });
      const killer = createTask(
        async () => {
          await sleep(3);
          worker.cancel("enough");
        },
        { name: "killer" },
      );
      const error = await cancellationOf(worker);
      await killer;
      assert.equal(error.reason, "enough");
      assert.equal(error.requestedBy, "killer");
      assert.equal(error.requestedAt, 3);
      assert.equal(error.message, "enough");
      assert.equal(error.name, "CancelledError");
      assert.equal(error.code, "CORIO_CANCELLED");
    }));

  test("without a reason names who asked", () =>
    simulate(async () => {
      const task = createTask(sleep(100));
      await sleep(0);
      task.cancel(undefined, { requestedBy: "the supervisor" });
      assert.equal((await cancellationOf(task)).message, "cancelled by the supervisor");
    }));

  test("has an error as its reason, and that error's message", () =>
    simulate(async () => {
      const reason = new RangeError("out of range");
      const task = createTask(sleep(100));
      await sleep(0);
      task.cancel(reason);
      const error = await cancellationOf(task);
      assert.equal(error.reason, reason);
      assert.equal(error.message, "out of range");
    }));

  test("is the same one for whoever awaits the task [BaseTaskTests.test_cancellation_exception_context]", () =>
    simulate(async () => {
      let thrown: unknown;
      const task = createTask(async () => {
        try {
          await sleep(10);
        } catch (error) {
          thrown = error;
          throw error;
        }
      });
      await sleep(0);
      task.cancel("shared");
      const seen = await cancellationOf(task);
      assert.equal(seen, thrown);
      assert.equal(await cancellationOf(task), seen);
    }));

  test("given to cancel() is thrown as it is", () =>
    simulate(async () => {
      const mine = new CancelledError("mine");
      const waiting = createTask(sleep(10));
      const fresh = createTask(sleep(10));
      fresh.cancel(mine);
      await sleep(0);
      waiting.cancel(mine);
      assert.equal(await cancellationOf(waiting), mine);
      assert.equal(await cancellationOf(fresh), mine);
    }));
});

describe("uncancel", () => {
  testScript(
    "takes back a cancel that is not delivered yet [BaseTaskTests.test_uncancel_resets_must_cancel]",
    function* (form) {
      const work = form.define(function* work() {
        const me = self();
        me.cancel();
        assert.equal(me.uncancel(), 0);
        yield* wait(sleep(1));
        return "slept";
      });
      assert.equal(yield* wait(createTask(work())), "slept");
    },
  );

  testScript(
    "leaves a cancel of others in place [BaseTaskTests.test_uncancel_structured_blocks]",
    function* (form) {
      const work = form.define(function* work() {
        const me = self();
        me.cancel("one");
        me.cancel("two");
        assert.equal(me.uncancel(), 1);
        yield* wait(sleep(1));
      });
      const task = createTask(work());
      try {
        yield* wait(task);
        assert.fail("expected a cancellation");
      } catch (error) {
        assert.instanceOf(error, CancelledError);
      }
      assert.equal(task.cancelling(), 1);
    },
  );
});

describe("concurrent awaits of a task that is cancelled", () => {
  testForms("are all cancelled; the task waits for their clean-up", (form) =>
    simulate(async () => {
      const log: string[] = [];
      const branch = form.define(function* branch(name: string) {
        try {
          yield* wait(sleep(10));
        } finally {
          yield* wait(sleep(1));
          log.push(`${name} cleaned up`);
        }
      });
      const task = createTask(async () => {
        await Promise.all([branch("a"), branch("b"), branch("c")]);
      });
      await sleep(1);
      task.cancel("all");
      const error = await cancellationOf(task);
      assert.equal(error.message, "all");
      assert.deepEqual(log, ["a cleaned up", "b cleaned up", "c cleaned up"]);
    }),
  );

  test("include those that only yield", () =>
    simulate(async () => {
      const log: string[] = [];
      const spin = coroutine(function* spin(name: string) {
        try {
          for (;;) yield* sleep(0);
        } finally {
          log.push(name);
        }
      });
      const task = createTask(async () => {
        await Promise.all([spin("a"), spin("b"), sleep(10)]);
      });
      for (let round = 0; round < 3; round++) await sleep(0);
      task.cancel();
      await cancellationOf(task);
      assert.deepEqual(log, ["a", "b"]);
    }));
});

describe("what a task leaves behind", () => {
  testForms("is waited for when its body returns", (form) =>
    simulate(async () => {
      const log: string[] = [];
      const loser = form.define(function* loser() {
        yield* wait(sleep(5));
        log.push(`loser ended at ${getRunningLoop().time().toString()}`);
        return "loser";
      });
      // Without AsyncLocalStorage a native branch that suspends later than the others is nobody's.
      if (hostName === "browser" && form.name === "native") return;
      const task = createTask(async () => await Promise.race([sleep(1, "winner"), loser()]));
      assert.equal(await task, "winner");
      assert.equal(getRunningLoop().time(), 5);
      assert.deepEqual(log, ["loser ended at 5"]);
    }),
  );

  testForms("is cancelled when its body throws", (form) =>
    simulate(async () => {
      const log: string[] = [];
      const loser = form.define(function* loser() {
        try {
          yield* wait(sleep(50));
        } catch (error) {
          log.push(`loser: ${String(error)}`);
          throw error;
        }
      });
      const failing = form.define(function* failing() {
        yield* wait(sleep(1));
        throw new Error("boom");
      });
      const task = createTask(async () => {
        await Promise.all([loser(), failing()]);
      });
      await assert.rejects(task, /boom/);
      assert.equal(getRunningLoop().time(), 1);
      assert.equal(log.length, 1);
      assert.match(log[0] ?? "", /loser: CancelledError: cancelled by the end of task/);
    }),
  );

  test("may still be cancelled while it is waited for", () =>
    simulate(async () => {
      const task = createTask(async () => await Promise.race([sleep(1, "winner"), sleep(1000)]));
      await sleep(2);
      assert.equal(task.done(), false);
      assert.equal(task.cancel(), true);
      await task.catch(() => undefined);
      assert.equal(task.done(), true);
      assert.equal(getRunningLoop().time(), 2);
    }));
});

describe("the cancellation of a gather", () => {
  testForms("that a task awaits reaches every child", (form) =>
    simulate(async () => {
      const log: string[] = [];
      const child = form.define(function* child(name: string) {
        try {
          yield* wait(sleep(10));
        } finally {
          log.push(name);
        }
      });
      const outer = form.define(function* outer() {
        yield* wait(gather(child("a"), child("b")));
      });
      const task = createTask(outer());
      await sleep(1);
      task.cancel();
      await cancellationOf(task);
      assert.deepEqual(log, ["a", "b"]);
    }),
  );
});
