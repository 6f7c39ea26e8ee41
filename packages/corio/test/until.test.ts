import {
  CancelledError,
  createTask,
  currentTask,
  Future,
  gather,
  getRunningLoop,
  run,
  shield,
  sleep,
  until,
  waitFor,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, takeUnhandledRejections, test } from "./support/harness.ts";
import { testForms, testScript, wait } from "./support/forms.ts";
import { simulate } from "./support/simulate.ts";

const realSleep = <T>(milliseconds: number, value?: T): Promise<T> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds, value));

/** Work that ends, one way or another, when its signal aborts. */
function abortable(log: string[], end: { value?: string; error?: Error; after?: number } = {}) {
  return (signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      log.push("began");
      signal.addEventListener("abort", () => {
        log.push(`aborted: ${String(signal.reason)}`);
        const settle = (): void => {
          if (end.value !== undefined) resolve(end.value);
          else reject(end.error ?? (signal.reason as Error));
        };
        if (end.after === undefined) settle();
        else setTimeout(settle, end.after);
      });
    });
}

describe("until(promise)", () => {
  testScript("gives the promise's value, or throws its reason", function* () {
    assert.equal(yield* wait(until(Promise.resolve(1))), 1);
    assert.equal(yield* wait(until(realSleep(1, "late"))), "late");
    try {
      yield* wait(until(Promise.reject(new RangeError("no"))));
      assert.fail("expected an error");
    } catch (error) {
      assert.instanceOf(error, RangeError);
    }
  });

  testForms("stops waiting at once when it is cancelled", (form) =>
    simulate(async () => {
      const work = form.define(function* work() {
        yield* wait(until(new Promise<void>(() => {})));
      });
      const task = createTask(work());
      await sleep(0);
      task.cancel("enough");
      const error = await assert.rejects<CancelledError>(task, CancelledError);
      assert.equal(error.message, "enough");
    }),
  );

  test("swallows a rejection that comes after the cancel, or before the await", async () => {
    await simulate(async () => {
      let fail: (error: Error) => void = () => {};
      const task = createTask(
        until(
          new Promise<void>((_resolve, reject) => {
            fail = reject;
          }),
        ),
      );
      await sleep(0);
      task.cancel();
      await assert.rejects(task, CancelledError);
      fail(new Error("late"));
      const early = until(Promise.reject(new Error("early")));
      await sleep(1);
      await assert.rejects(early, /early/);
    });
    await realSleep(5);
    assert.deepEqual(takeUnhandledRejections(), []);
  });

  test("resumes in the loop's order", () =>
    simulate(async () => {
      const log: string[] = [];
      const promise = realSleep(2);
      const a = createTask(async () => {
        await until(promise);
        log.push("a0");
        for (let turn = 0; turn < 10; turn++) await Promise.resolve();
        log.push("a1");
      });
      const b = createTask(async () => {
        await until(promise);
        log.push("b0");
        for (let turn = 0; turn < 10; turn++) await Promise.resolve();
        log.push("b1");
      });
      await a;
      await b;
      assert.deepEqual(log, ["a0", "a1", "b0", "b1"]);
    }));

  // A clock that waited for them as for something outside would wait for itself.
  testForms("takes what is corio's own as well", (form) =>
    run(
      form.define(function* () {
        const future = new Future<number>();
        getRunningLoop().callLater(1, () => {
          future.setResult(5);
        });
        assert.equal(yield* wait(until(future)), 5);
        assert.equal(yield* wait(until(createTask(sleep(1, "task")))), "task");
        const work = form.define(function* work() {
          yield* wait(sleep(1));
          return form.name;
        });
        assert.equal(yield* wait(until(work())), form.name);
        assert.equal(getRunningLoop().time(), 3);
        const never = new Future<void>();
        const task = createTask(until(never));
        yield* wait(sleep(1));
        task.cancel();
        yield* wait(sleep(0));
        assert.equal(never.cancelled(), true);
        const unused = until(work());
        unused.close();
      })(),
      { clock: new VirtualClock({ foreignGrace: 3600 }) },
    ),
  );

  test("refuses what is neither a promise nor a function", () => {
    assert.throws(
      () => until(5 as never),
      /until expects a promise, or a function that takes a signal and returns one, got 5/,
    );
    assert.throws(() => until(undefined as never), /got undefined/);
  });

  test("given a function that returns no promise says so", () =>
    simulate(async () => {
      await assert.rejects(
        until((() => 5) as never),
        /until expects a function that returns a promise, got 5/,
      );
    }));

  test("passes on what the function throws", () =>
    simulate(async () => {
      await assert.rejects(
        until(() => {
          throw new RangeError("at once");
        }),
        RangeError,
      );
    }));
});

describe("until(function)", () => {
  test("does not begin before it is awaited", () =>
    simulate(async () => {
      const log: string[] = [];
      const waiting = until(async () => {
        log.push("began");
        return 1;
      });
      await sleep(1);
      assert.deepEqual(log, []);
      assert.equal(await waiting, 1);
      assert.deepEqual(log, ["began"]);
    }));

  testForms("aborts the work when it is cancelled, and waits for its end", (form) =>
    simulate(async () => {
      const log: string[] = [];
      const work = form.define(function* work() {
        try {
          yield* wait(until(abortable(log, { after: 3 })));
        } finally {
          log.push("task goes on");
        }
      });
      const task = createTask(work());
      await sleep(0);
      assert.equal(task.cancel("stop"), true);
      assert.equal(task.done(), false);
      const error = await assert.rejects<CancelledError>(task, CancelledError);
      assert.equal(error.message, "stop");
      assert.deepEqual(log, ["began", "aborted: CancelledError: stop", "task goes on"]);
      assert.equal(task.cancelled(), true);
    }),
  );

  testForms(
    "whose work comes through all the same delivers its value once, then the cancel at the next await",
    (form) =>
      simulate(async () => {
        const log: string[] = [];
        const work = form.define(function* work() {
          log.push(`value ${yield* wait(until(abortable(log, { value: "kept", after: 1 })))}`);
          try {
            yield* wait(sleep(10));
            log.push("slept");
          } catch (error) {
            log.push(String(error));
          }
          yield* wait(sleep(1));
          log.push("slept afterwards");
        });
        const task = createTask(work());
        await sleep(0);
        task.cancel("stop");
        await task;
        assert.deepEqual(log, [
          "began",
          "aborted: CancelledError: stop",
          "value kept",
          "CancelledError: stop",
          "slept afterwards",
        ]);
        assert.equal(task.cancelling(), 1);
      }),
  );

  testForms(
    "whose value came before the cancel, and the task did not go on between them, delivers it",
    (form) =>
      simulate(async () => {
        const log: string[] = [];
        let resolve: (value: string) => void = () => undefined;
        const promise = new Promise<string>((settle) => (resolve = settle));
        const work = form.define(function* work() {
          log.push(`value ${yield* wait(until(() => promise))}`);
          yield* wait(sleep(10));
          log.push("slept");
        });
        const task = createTask(work());
        await sleep(0);
        // After what `until` does with the value, and before the next iteration.
        void promise.then(() => log.push(`cancel ${String(task.cancel())}`));
        resolve("kept");
        await assert.rejects(task, CancelledError);
        assert.deepEqual(log, ["cancel true", "value kept"]);
      }),
  );

  test("whose value is returned at once ends cancelled, as after a cancel of oneself", () =>
    simulate(async () => {
      const task = createTask(async () => await until(abortable([], { value: "lost" })));
      await sleep(0);
      task.cancel();
      await assert.rejects(task, CancelledError);
    }));

  test("is aborted once, however often it is cancelled", () =>
    simulate(async () => {
      const log: string[] = [];
      const task = createTask(async () => {
        try {
          await until(abortable(log, { after: 2 }));
        } catch (error) {
          log.push(String(error));
        }
        await sleep(1);
        log.push("slept");
      });
      await sleep(0);
      task.cancel("first");
      task.cancel("second");
      await task;
      assert.deepEqual(log, ["began", "aborted: CancelledError: first", "CancelledError: first", "slept"]);
      assert.equal(task.cancelling(), 2);
    }));

  test("whose work fails for a reason of its own fails with that", () =>
    simulate(async () => {
      await assert.rejects(
        until(async () => {
          await realSleep(1);
          throw new RangeError("its own");
        }),
        RangeError,
      );
    }));

  test("whose cancel is taken back by uncancel delivers the value and no cancel", () =>
    simulate(async () => {
      const task = createTask(async () => {
        const value = await until(abortable([], { value: "kept", after: 1 }));
        currentTask()?.uncancel();
        await sleep(1);
        return value;
      });
      await sleep(0);
      task.cancel();
      assert.equal(await task, "kept");
    }));

  test("in a generator coroutine runs an async helper in the same task, and a cancel reaches into it", () =>
    simulate(async () => {
      const log: unknown[] = [];
      const helper = async (): Promise<string> => {
        try {
          await sleep(1);
          log.push(currentTask()?.getName());
          await sleep(10);
          return "not cancelled";
        } finally {
          log.push("cleaned up");
        }
      };
      const task = createTask(
        function* () {
          return yield* until(helper);
        },
        { name: "generator" },
      );
      await sleep(2);
      task.cancel("stop");
      await assert.rejects(task, CancelledError);
      assert.deepEqual(log, ["generator", "cleaned up"]);
    }));

  test("calls the then of another library's thenable once: that of a query builder sends the query", () =>
    simulate(async () => {
      let sent = 0;
      const query: PromiseLike<string> = {
        then: (onFulfilled, onRejected) => {
          sent++;
          return Promise.resolve("rows").then(onFulfilled, onRejected);
        },
      };
      until(query).close();
      assert.equal(sent, 0);
      assert.equal(await until(query), "rows");
      assert.equal(sent, 1);
      assert.equal(await until(() => query), "rows");
      assert.equal(sent, 2);
      assert.deepEqual(await gather(query, shield(query)), ["rows", "rows"]);
      assert.equal(sent, 4);
    }));

  test("says what it was given, also of an object without a prototype", () => {
    assert.throws(() => until(Object.create(null) as never), /until expects .*, got an object$/);
  });

  test("takes the first answer of a thenable that gives several", () =>
    simulate(async () => {
      const wild = {
        then: (onFulfilled: (value: string) => void, onRejected: (error: unknown) => void) => {
          onFulfilled("first");
          onFulfilled("second");
          onRejected(new Error("third"));
          throw new Error("fourth");
        },
      } as unknown as PromiseLike<string>;
      assert.deepEqual(
        [await until(wild), await until(() => wild), await waitFor(wild, 1), await gather(wild)],
        ["first", "first", "first", ["first"]],
      );
      // The virtual clock is not held up: nothing is thought to be under way any more.
      await sleep(5);
    }));
});
