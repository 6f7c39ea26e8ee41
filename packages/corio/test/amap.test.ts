/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  amap,
  ArgumentTypeError,
  CancelledError,
  coroutine,
  createTask,
  currentTask,
  ExceptionGroup,
  map,
  RuntimeError,
  sleep,
  timeout,
  TimeoutError,
  ValueError,
} from "corio";
import type { AsyncMap, Task } from "corio";
import { assert, describe, test } from "./support/harness.ts";
import { block, failureOf, shapeOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Script } from "./support/forms.ts";
import { now, simulate } from "./support/simulate.ts";

/** Everything that the mapping gives, with `for await` written out: generators have none. */
function* collect<T>(mapping: AsyncMap<T>): Script<T[]> {
  const all: T[] = [];
  for (;;) {
    const step = yield* wait(mapping.next());
    if (step.done === true) return all;
    all.push(step.value);
  }
}

/** Items that tell when they are taken, and whether they were closed. */
function tracked(count: number): { items: Iterable<number>; taken: number[]; closed: () => boolean } {
  const taken: number[] = [];
  let isClosed = false;
  function* items(): Generator<number> {
    try {
      for (let item = 0; item < count; item++) {
        taken.push(item);
        yield item;
      }
    } finally {
      isClosed = true;
    }
  }
  return { items: items(), taken, closed: () => isClosed };
}

describe("map", () => {
  testScript("gives the results in the order of the items, a few at a time", function* (form) {
    let running = 0;
    let most = 0;
    const work = form.define(function* work(item: number, index: number) {
      running++;
      most = Math.max(most, running);
      yield* wait(sleep(item));
      running--;
      return `${item.toString()}@${index.toString()}`;
    });
    const results = yield* wait(map([3, 1, 2, 1], work, { concurrency: 2 }));
    assert.deepEqual(results, ["3@0", "1@1", "2@2", "1@3"]);
    assert.equal(most, 2);
    assert.equal(now(), 4);
  });

  testScript("takes the items as there is room for them", function* () {
    const { items, taken, closed } = tracked(5);
    const task = createTask(map(items, (item) => sleep(1, item), { concurrency: 2 }));
    yield* wait(sleep(0.5));
    assert.deepEqual(taken, [0, 1]);
    yield* wait(sleep(1));
    assert.deepEqual(taken, [0, 1, 2, 3]);
    assert.deepEqual(yield* wait(task), [0, 1, 2, 3, 4]);
    assert.equal(closed(), true);
  });

  testScript("of nothing is empty", function* () {
    assert.deepEqual(yield* wait(map([], (item) => sleep(1, item), { concurrency: 1 })), []);
  });

  testScript("a call that fails cancels the others and closes the items", function* (form) {
    const { items, taken, closed } = tracked(10);
    const cancelled: number[] = [];
    const work = form.define(function* work(item: number) {
      try {
        yield* wait(sleep(item === 1 ? 1 : 10));
      } catch (error) {
        yield* wait(sleep(1));
        cancelled.push(item);
        throw error;
      }
      throw new RangeError(String(item));
    });
    const error = yield* failureOf(map(items, work, { concurrency: 3 }), ExceptionGroup);
    assert.deepEqual(shapeOf(error), ["RangeError: 1"]);
    assert.deepEqual(cancelled, [0, 2]);
    assert.deepEqual(taken, [0, 1, 2]);
    assert.equal(closed(), true);
    assert.equal(now(), 2);
  });

  testScript("cancelling it cancels the calls", function* () {
    const { items, closed } = tracked(10);
    const call = map(items, () => sleep(10), { concurrency: 2 });
    yield* failureOf(
      timeout(1, () => call),
      TimeoutError,
    );
    assert.equal(closed(), true);
    assert.equal(now(), 1);
  });

  testScript("a call that ends cancelled by itself is a failure", function* (form) {
    const work = form.define(function* work(item: number) {
      if (item === 1) throw new CancelledError("mine");
      return item;
    });
    const error = yield* failureOf(map([0, 1], work, { concurrency: 2 }), ExceptionGroup);
    assert.match(String(error.errors[0]), /item 1 was cancelled/);
  });

  test("takes async iterables, one item at a time, and closes them", () =>
    simulate(async () => {
      let closed = false;
      async function* items(): AsyncGenerator<number> {
        try {
          for (let item = 0; ; item++) {
            await sleep(1);
            yield item;
          }
        } finally {
          closed = true;
        }
      }
      const error = await assert.rejects<ExceptionGroup>(
        map(
          items(),
          async (item) => {
            await sleep(0.5);
            if (item === 2) throw new RangeError("two");
          },
          { concurrency: 10 },
        ),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: two"]);
      assert.equal(now(), 3.5);
      assert.equal(closed, true);
    }));

  test("items that fail are a failure", () =>
    simulate(async () => {
      function* items(): Generator<number> {
        yield 1;
        throw new RangeError("items");
      }
      const error = await assert.rejects<ExceptionGroup>(
        map(items(), (item) => sleep(10, item), { concurrency: 10 }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: items"]);
      assert.equal(now(), 0);
    }));

  test("refuses bad arguments", () => {
    const work = async (): Promise<number> => 1;
    assert.throws(() => map(5 as never, work, { concurrency: 1 }), ArgumentTypeError);
    assert.throws(() => map([1], 5 as never, { concurrency: 1 }), ArgumentTypeError);
    assert.throws(() => map([1], work, undefined as never), ArgumentTypeError);
    assert.throws(() => map([1], work, {} as never), ArgumentTypeError);
    for (const concurrency of [0, -1, 1.5, Number.NaN]) {
      assert.throws(() => map([1], work, { concurrency }), ValueError);
      assert.throws(() => amap([1], work, { concurrency }), ValueError);
    }
    assert.throws(() => amap([1], work, { concurrency: 1, ordered: 1 as never }), ArgumentTypeError);
    map([1], work, { concurrency: Infinity }).close();
  });
});

describe("amap", () => {
  testScript("gives the results in the order of the items", function* () {
    const mapping = amap([3, 1, 2], (item) => sleep(item, item), { concurrency: 3 });
    assert.deepEqual(yield* collect(mapping), [3, 1, 2]);
    assert.equal(now(), 3);
    assert.deepEqual(yield* wait(mapping.next()), { done: true, value: undefined });
  });

  testScript("or as they come", function* () {
    const mapping = amap([3, 1, 2], (item) => sleep(item, item), { concurrency: 3, ordered: false });
    assert.deepEqual(yield* collect(mapping), [1, 2, 3]);
  });

  testScript(
    "begins when the first result is asked for, and goes no further ahead than it may",
    function* () {
      const { items, taken, closed } = tracked(10);
      const mapping = amap(items, (item) => sleep(1, item), { concurrency: 2 });
      yield* wait(sleep(1));
      assert.deepEqual(taken, []);
      assert.deepEqual(yield* wait(mapping.next()), { done: false, value: 0 });
      yield* wait(sleep(10));
      // One was taken; one waits to be, and one more was begun in the place of the first.
      assert.deepEqual(taken, [0, 1, 2]);
      yield* wait(mapping.return());
      assert.equal(closed(), true);
    },
  );

  test("a loop that is left early cancels the calls and waits for them", () =>
    simulate(async () => {
      const { items, closed } = tracked(10);
      const cancelled: number[] = [];
      const work = coroutine(async (item: number) => {
        try {
          await sleep(item);
        } catch (error) {
          await sleep(1);
          cancelled.push(item);
          throw error;
        }
        return item;
      });
      for await (const item of amap(items, work, { concurrency: 4 })) {
        if (item === 1) break;
      }
      assert.deepEqual(cancelled, [2, 3, 4]);
      assert.equal(closed(), true);
      assert.equal(now(), 2);
    }));

  test("a failing call ends the loop", () =>
    simulate(async () => {
      const seen: number[] = [];
      const error = await assert.rejects<ExceptionGroup>(async () => {
        const work = async (item: number): Promise<number> => {
          await sleep(item);
          if (item === 2) throw new RangeError("two");
          return item;
        };
        for await (const item of amap([1, 2, 3], work, { concurrency: 3 })) seen.push(item);
      }, ExceptionGroup);
      assert.deepEqual(shapeOf(error), ["RangeError: two"]);
      assert.deepEqual(seen, [1]);
      assert.equal(now(), 2);
    }));

  testScript("a failure that nobody has asked for is thrown when the loop is left", function* (form) {
    const work = form.define(function* work(item: number) {
      yield* wait(sleep(item));
      if (item === 2) throw new RangeError("two");
      return item;
    });
    const mapping = amap([1, 2], work, { concurrency: 2 });
    yield* wait(mapping.next());
    yield* wait(sleep(5));
    const error = yield* failureOf(mapping.return(), ExceptionGroup);
    assert.deepEqual(shapeOf(error), ["RangeError: two"]);
    assert.deepEqual(yield* wait(mapping.return()), { done: true, value: undefined });
  });

  testScript("cancelling the consumer while it waits cancels the calls", function* (form) {
    const log: string[] = [];
    const work = form.define(function* work(item: number) {
      try {
        yield* wait(sleep(10));
      } finally {
        yield* wait(sleep(1));
        log.push(`call ${item.toString()}`);
      }
    });
    const body = block(form, function* () {
      yield* collect(amap([1, 2], work, { concurrency: 2 }));
    });
    yield* failureOf(timeout(1, body), TimeoutError);
    assert.deepEqual(log, ["call 1", "call 2"]);
    assert.equal(now(), 2);
  });

  testScript("gives to one task at a time, and once", function* () {
    const mapping = amap([1], (item) => sleep(item, item), { concurrency: 1 });
    const task = createTask(mapping.next());
    yield* wait(sleep(0.5));
    yield* failureOf(mapping.next(), RuntimeError);
    yield* failureOf(mapping.return(), RuntimeError);
    assert.deepEqual(yield* wait(task), { done: false, value: 1 });
    assert.deepEqual(yield* collect(mapping), []);
  });

  testScript("ended before it began it takes no items", function* () {
    const { items, taken } = tracked(3);
    const mapping = amap(items, (item) => sleep(1, item), { concurrency: 1 });
    yield* wait(mapping.return());
    assert.deepEqual(yield* collect(mapping), []);
    assert.deepEqual(taken, []);
  });

  testScript("each call runs in a task of its own", function* () {
    const names = new Set<Task | null>();
    const work = (item: number): Promise<number> => {
      names.add(currentTask());
      return Promise.resolve(item);
    };
    assert.deepEqual(yield* collect(amap(["a", "b"].keys(), work, { concurrency: 2 })), [0, 1]);
    assert.equal(names.size, 2);
  });

  testScript("takes the characters of a string", function* () {
    const upper = (item: string): Promise<string> => Promise.resolve(item.toUpperCase());
    assert.deepEqual(yield* collect(amap("abc", upper, { concurrency: 2 })), ["A", "B", "C"]);
  });
});
