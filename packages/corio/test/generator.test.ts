// What only generator coroutines have.
import {
  coroutine,
  createTask,
  currentTask,
  Future,
  getRunningLoop,
  RuntimeError,
  sleep,
  until,
} from "corio";
import type { Coroutine } from "corio";
import { assert, describe, test } from "./support/harness.ts";
import { simulate } from "./support/simulate.ts";

describe("a generator coroutine", () => {
  test("waits with yield*, and gets values of their types", () =>
    simulate(async () => {
      const work = coroutine(function* work() {
        const text = yield* sleep(1, "text");
        const future = new Future<number>();
        getRunningLoop().callSoon(() => {
          future.setResult(text.length);
        });
        const length = yield* future;
        const promised = yield* until(Promise.resolve(length + 1));
        const task = createTask(sleep(1, promised + 1));
        return yield* task;
      });
      assert.equal(await work(), 6);
    }));

  test("yields once with a bare yield", () =>
    simulate(async () => {
      const log: string[] = [];
      const work = coroutine(function* work() {
        log.push("before");
        yield;
        log.push("after");
      });
      const task = createTask(work());
      await sleep(0);
      assert.deepEqual(log, ["before"]);
      await sleep(0);
      assert.deepEqual(log, ["before", "after"]);
      await task;
    }));

  test("that yields anything else is told so", () =>
    simulate(async () => {
      for (const bad of [1, "x", {}, Promise.resolve(), null]) {
        const work = coroutine(function* work(): Generator<never, string, unknown> {
          try {
            yield bad as never;
          } catch (error) {
            assert.instanceOf(error, RuntimeError);
            assert.equal(error.code, "CORIO_BAD_YIELD");
            return error.message;
          }
          return "";
        });
        assert.match(await work(), /task got bad yield: [^]*waits with yield\*/);
      }
    }));

  test("may yield an awaitable instead of delegating to it", () =>
    simulate(async () => {
      const log: string[] = [];
      const work = coroutine(function* work() {
        yield sleep(1) as never;
        log.push(getRunningLoop().time().toString());
      });
      await work();
      assert.deepEqual(log, ["1"]);
    }));

  test("may delegate to plain generators", () =>
    simulate(async () => {
      const helper = function* (seconds: number): Generator<undefined, number, unknown> {
        yield* sleep(seconds) as unknown as Generator<undefined, void, unknown>;
        return seconds * 2;
      };
      const work = coroutine(function* work() {
        return (yield* helper(1)) + (yield* helper(2));
      });
      assert.equal(await work(), 6);
      assert.equal(getRunningLoop().time(), 3);
    }));

  test("recurses ten thousand levels deep without a stack", () =>
    simulate(async () => {
      const deep: (level: number) => Coroutine<number> = coroutine(function* down(level: number) {
        if (level === 0) {
          yield* sleep(1);
          return 0;
        }
        const below: number = yield* deep(level - 1);
        return below + 1;
      });
      assert.equal(await createTask(deep(10_000)), 10_000);
    }));

  test("passes an exception up through all levels, with their finally blocks", () =>
    simulate(async () => {
      const log: number[] = [];
      const deep: (level: number) => Coroutine<number> = coroutine(function* down(level: number) {
        try {
          if (level === 0) {
            yield* sleep(0);
            throw new RangeError("bottom");
          }
          const below: number = yield* deep(level - 1);
          return below;
        } finally {
          log.push(level);
        }
      });
      await assert.rejects(createTask(deep(4)), RangeError);
      assert.deepEqual(log, [0, 1, 2, 3, 4]);
    }));

  test("is cancelled at its innermost yield, and cleans up from the inside out", () =>
    simulate(async () => {
      const log: string[] = [];
      const inner = coroutine(function* inner() {
        try {
          yield* sleep(100);
        } finally {
          yield* sleep(1);
          log.push("inner");
        }
      });
      const outer = coroutine(function* outer() {
        try {
          yield* inner();
        } finally {
          yield* sleep(1);
          log.push("outer");
        }
        log.push("not resurrected");
      });
      const task = createTask(outer());
      await sleep(1);
      task.cancel();
      await assert.rejects(task);
      assert.deepEqual(log, ["inner", "outer"]);
      assert.equal(getRunningLoop().time(), 3);
    }));

  test("keeps two awaits of one future apart", () =>
    simulate(async () => {
      const future = new Future<number>();
      const work = coroutine(function* work(factor: number) {
        const value = yield* future;
        return value * factor;
      });
      const tasks = [1, 2, 3].map((factor) => createTask(work(factor)));
      await sleep(0);
      future.setResult(7);
      assert.deepEqual([await tasks[0], await tasks[1], await tasks[2]], [7, 14, 21]);
    }));

  test("gets undefined, null, functions and lists as they are [BaseFutureTests.test_future_stop_iteration_args]", () =>
    simulate(async () => {
      for (const value of [undefined, null, 0, "", () => 1, sleep, [1, 2]]) {
        const future = new Future<unknown>();
        const work = coroutine(function* work() {
          return (yield* future) === value;
        });
        const task = createTask(work());
        await sleep(0);
        future.setResult(value);
        assert.equal(await task, true);
      }
    }));

  test("may call synchronous code that runs other generators", () =>
    simulate(async () => {
      const numbers = function* (): Generator<number> {
        yield 1;
        yield 2;
      };
      const work = coroutine(function* work() {
        let sum = 0;
        for (const value of numbers()) sum += value;
        yield* sleep(0);
        return sum + [...numbers()].length;
      });
      assert.equal(await work(), 5);
    }));

  test("knows its task on every host, also after a promise", () =>
    simulate(async () => {
      const work = coroutine(function* work() {
        const before = currentTask()?.getName();
        yield* until(new Promise((resolve) => setTimeout(resolve, 1)));
        return [before, currentTask()?.getName()];
      });
      assert.deepEqual(await createTask(work(), { name: "generator" }), ["generator", "generator"]);
    }));

  test("catches at the yield what a native coroutine throws, and goes on in the same step", () =>
    simulate(async () => {
      const log: string[] = [];
      const failing = coroutine(async function failing() {
        throw new Error("boom");
      });
      const work = coroutine(function* work() {
        try {
          yield* failing();
        } catch (error) {
          log.push(String(error));
        }
        log.push("same step");
      });
      getRunningLoop().callSoon(() => log.push("callback"));
      await work();
      assert.deepEqual(log, ["Error: boom", "same step"]);
    }));
});
