import {
  ArgumentTypeError,
  CancelledError,
  coroutine,
  createTask,
  DeadlockError,
  Event,
  Future,
  gather,
  getRunningLoop,
  LifoQueue,
  PriorityQueue,
  Queue,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  run,
  RuntimeError,
  sleep,
  ValueError,
} from "corio";
import { VirtualClock } from "corio/testing";
import { failureOf } from "./support/blocks.ts";
import { testForms, testScript, wait } from "./support/forms.ts";
import type { Script } from "./support/forms.ts";
import { assert, describe, test } from "./support/harness.ts";
import { iterate, show, testShownScript } from "./support/primitives.ts";

function* putAll<T>(queue: Queue<T>, items: readonly T[]): Script<void> {
  for (const item of items) yield* wait(queue.put(item));
}

function* take<T>(queue: Queue<T>, count: number): Script<T[]> {
  const items: T[] = [];
  for (let index = 0; index < count; index++) items.push(yield* wait(queue.get()));
  return items;
}

describe("a queue", () => {
  testShownScript(
    "shows what is in it, and who waits [QueueBasicTests.test_repr] [QueueBasicTests.test_str] [_QueueJoinTestMixin.test_format] [_QueueShutdownTestMixin.test_format]",
    function* () {
      const queue = new Queue<number>(1);
      assert.equal(show(queue), "<Queue 0 items, maxsize 1>");
      const getter = createTask(queue.get());
      yield* iterate();
      assert.equal(show(queue), "<Queue 0 items, maxsize 1, 1 getters waiting>");
      queue.putNowait(0);
      assert.equal(yield* wait(getter), 0);
      queue.putNowait(1);
      const putter = createTask(queue.put(2));
      yield* iterate();
      assert.equal(show(queue), "<Queue 1 items, maxsize 1, 1 putters waiting, 2 unfinished>");
      queue.getNowait();
      yield* wait(putter);
      const lifo = new LifoQueue();
      lifo.shutdown();
      assert.equal(show(lifo), "<LifoQueue 0 items, shut down>");
    },
  );

  testScript("is empty until something is put in [QueueBasicTests.test_empty]", function* () {
    const queue = new Queue<number>();
    assert.equal(queue.empty(), true);
    yield* wait(queue.put(1));
    assert.equal(queue.empty(), false);
    assert.equal(yield* wait(queue.get()), 1);
    assert.equal(queue.empty(), true);
  });

  testScript("is full at its maximum size only [QueueBasicTests.test_full]", function* () {
    assert.equal(new Queue().full(), false);
    const queue = new Queue<number>(1);
    yield* wait(queue.put(1));
    assert.equal(queue.full(), true);
    const unlimited = new Queue<number>(-1);
    yield* wait(unlimited.put(1));
    assert.equal(unlimited.full(), false);
  });

  testScript("is first in, first out [QueueBasicTests.test_order]", function* () {
    const queue = new Queue<number>();
    yield* putAll(queue, [1, 3, 2]);
    assert.deepEqual(yield* take(queue, 3), [1, 3, 2]);
  });

  test("keeps the order through growth and wrap-around", () => {
    const queue = new Queue<number>();
    let put = 0;
    let got = 0;
    for (let round = 0; round < 50; round++) {
      for (let count = 0; count < 7 + round; count++) queue.putNowait(put++);
      for (let count = 0; count < 5 + round; count++) assert.equal(queue.getNowait(), got++);
    }
    for (let count = 0; count < 200_000; count++) queue.putNowait(put++);
    while (!queue.empty()) assert.equal(queue.getNowait(), got++);
    queue.putNowait(put);
    assert.equal(queue.getNowait(), got);
  });

  testScript("makes put wait when it is full [QueueBasicTests.test_maxsize]", function* (form) {
    const queue = new Queue<number>({ maxsize: 2 });
    assert.equal(queue.maxsize, 2);
    const put: number[] = [];
    const task = createTask(
      form.define(function* () {
        for (let item = 0; item < 3; item++) {
          yield* wait(queue.put(item));
          put.push(item);
        }
        return true;
      })(),
    );
    yield* iterate(2);
    assert.deepEqual(put, [0, 1]);
    assert.equal(yield* wait(queue.get()), 0);
    yield* iterate();
    assert.deepEqual(put, [0, 1, 2]);
    assert.deepEqual(yield* take(queue, 2), [1, 2]);
    assert.equal(task.result(), true);
  });

  test("refuses a maximum size that is not a number", () => {
    for (const size of ["1", NaN, true, null, { maxsize: "1" }])
      assert.throws(() => new Queue(size as never), ArgumentTypeError);
    assert.throws(() => new LifoQueue("1" as never), /LifoQueue expects a number as maxsize, got "1"/);
    assert.equal(new Queue({}).maxsize, 0);
  });

  testScript("may have a fractional maximum size [QueuePutTests.test_float_maxsize]", function* () {
    const queue = new Queue<number>(1.3);
    queue.putNowait(1);
    yield* wait(queue.put(2));
    assert.equal(queue.full(), true);
    assert.throws(() => {
      queue.putNowait(3);
    }, QueueFull);
  });
});

describe("queue.get", () => {
  testScript(
    "does not suspend when there is an item [QueueGetTests.test_blocking_get] [QueueGetTests.test_nonblocking_get] [QueuePutTests.test_nonblocking_put]",
    function* () {
      const queue = new Queue<number>();
      let ticks = 0;
      getRunningLoop().callSoon(() => ticks++);
      queue.putNowait(1);
      assert.equal(yield* wait(queue.get()), 1);
      queue.putNowait(2);
      assert.equal(queue.getNowait(), 2);
      assert.equal(ticks, 0);
    },
  );

  testScript("wakes up who waits to put [QueueGetTests.test_get_with_putters]", function* () {
    const queue = new Queue<number>(1);
    yield* wait(queue.put(1));
    const putter = createTask(queue.put(2));
    yield* iterate();
    assert.equal(queue.statistics().puttersWaiting, 1);
    assert.equal(yield* wait(queue.get()), 1);
    assert.equal(queue.statistics().puttersWaiting, 0);
    yield* iterate();
    assert.equal(putter.done(), true);
  });

  testScript("waits for an item [QueueGetTests.test_blocking_get_wait]", function* (form) {
    const queue = new Queue<number>();
    const started = new Event();
    let finished = false;
    const task = createTask(
      form.define(function* () {
        started.set();
        const item = yield* wait(queue.get());
        finished = true;
        return item;
      })(),
    );
    yield* wait(started.wait());
    assert.equal(finished, false);
    getRunningLoop().callLater(0.01, () => {
      queue.putNowait(1);
    });
    assert.equal(yield* wait(task), 1);
    assert.equal(finished, true);
  });

  test("has a form that does not wait [QueueGetTests.test_nonblocking_get_exception]", () => {
    assert.throws(() => new Queue().getNowait(), QueueEmpty);
  });

  testScript("is passed by when it is cancelled [QueueGetTests.test_get_cancelled_race]", function* () {
    const queue = new Queue<string>();
    const first = createTask(queue.get());
    const second = createTask(queue.get());
    yield* iterate();
    first.cancel();
    yield* iterate();
    assert.equal(first.done(), true);
    yield* wait(queue.put("a"));
    yield* iterate();
    assert.equal(yield* wait(second), "a");
  });

  testScript(
    "gives the items of tasks that wait to put in their order [QueueGetTests.test_get_with_waiting_putters]",
    function* () {
      const queue = new Queue<string>(1);
      void createTask(queue.put("a"));
      void createTask(queue.put("b"));
      assert.deepEqual(yield* take(queue, 2), ["a", "b"]);
    },
  );

  testScript(
    "alternates with put on a queue of one [QueueGetTests.test_why_are_getters_waiting]",
    function* (form) {
      const queue = new Queue<number>(1);
      const producer = form.define(() => putAll(queue, [0, 1, 2, 3, 4]));
      const consumer = form.define(() => take(queue, 5));
      const [, items] = yield* wait(gather(producer(), consumer()));
      assert.deepEqual(items, [0, 1, 2, 3, 4]);
    },
  );

  testScript(
    "is forgotten when it is cancelled [QueueGetTests.test_cancelled_getters_not_being_held_in_self_getters]",
    function* () {
      const queue = new Queue<number>(5);
      const task = createTask(queue.get());
      getRunningLoop().callLater(0.1, () => task.cancel());
      yield* failureOf(task, CancelledError);
      assert.equal(queue.statistics().gettersWaiting, 0);
    },
  );

  testScript(
    "loses nothing when it is cancelled as the item comes [QueuePutTests.test_get_cancel_drop_one_pending_reader]",
    function* () {
      const queue = new Queue<number>();
      const reader = createTask(queue.get());
      yield* iterate();
      queue.putNowait(1);
      queue.putNowait(2);
      reader.cancel();
      yield* failureOf(reader, CancelledError);
      assert.equal(yield* wait(createTask(queue.get())), 1);
    },
  );

  testScript(
    "leaves the item to the next when it is cancelled [QueuePutTests.test_get_cancel_drop_many_pending_readers]",
    function* () {
      const queue = new Queue<number>();
      const readers = [1, 2, 3].map(() => createTask(queue.get()));
      yield* iterate();
      queue.putNowait(1);
      queue.putNowait(2);
      readers[0]?.cancel();
      yield* wait(gather(readers, { returnExceptions: true }));
      assert.deepEqual(
        readers.map((reader) => (reader.cancelled() ? null : reader.result())),
        [null, 1, 2],
      );
    },
  );

  testScript("waits again when somebody was faster", function* (form) {
    const queue = new Queue<number>();
    const order: string[] = [];
    const reader = form.define(function* reader(name: string) {
      order.push(`${name} ${yield* wait(queue.get())}`);
    });
    const first = createTask(reader("first"));
    const second = createTask(reader("second"));
    yield* iterate();
    queue.putNowait(1);
    assert.equal(queue.getNowait(), 1);
    yield* iterate();
    assert.equal(queue.statistics().gettersWaiting, 2);
    // The first has lost its place to the second.
    queue.putNowait(2);
    queue.putNowait(3);
    yield* wait(gather(first, second));
    assert.deepEqual(order, ["second 2", "first 3"]);
  });

  testForms("gives what a task or promise in the queue gives, unless asked for the object", async (form) => {
    const main = coroutine(async function main() {
      const queue = new Queue<Future<string>>();
      const future = new Future<string>();
      future.setResult("result");
      for (let count = 0; count < 3; count++) queue.putNowait(future);
      assert.equal(await (queue.get() as unknown), "result");
      assert.equal(queue.getNowait(), future);
      queue.shutdown();
      for await (const item of queue) assert.equal(item, future);
    });
    const generator = coroutine(function* generator() {
      const queue = new Queue<Future<string>>();
      const future = new Future<string>();
      queue.putNowait(future);
      assert.equal(yield* queue.get(), future);
      getRunningLoop().callSoon(() => {
        queue.putNowait(future);
      });
      assert.equal(yield* queue.get(), future);
    });
    await run(form.name === "native" ? main() : generator(), { clock: new VirtualClock() });
  });
});

describe("queue.put", () => {
  testScript("does not suspend when there is a place [QueuePutTests.test_blocking_put]", function* () {
    const queue = new Queue<number>();
    let ticks = 0;
    getRunningLoop().callSoon(() => ticks++);
    yield* wait(queue.put(1));
    assert.equal(ticks, 0);
    assert.equal(yield* wait(queue.get()), 1);
  });

  testScript("waits for a place [QueuePutTests.test_blocking_put_wait]", function* (form) {
    const queue = new Queue<number>(1);
    const started = new Event();
    let finished = false;
    getRunningLoop().callLater(0.01, () => queue.getNowait());
    const task = createTask(
      form.define(function* () {
        started.set();
        yield* putAll(queue, [1, 2]);
        finished = true;
      })(),
    );
    yield* wait(started.wait());
    assert.equal(finished, false);
    yield* wait(task);
    assert.equal(finished, true);
    assert.equal(getRunningLoop().time(), 0.01);
  });

  testScript(
    "loses nothing when it is cancelled as a place becomes free [QueuePutTests.test_put_cancel_drop]",
    function* () {
      const queue = new Queue<number>(1);
      queue.putNowait(1);
      const writer = createTask(queue.put(2));
      yield* iterate();
      assert.equal(queue.getNowait(), 1);
      writer.cancel();
      yield* failureOf(writer, CancelledError);
      yield* wait(createTask(queue.put(2)));
      assert.equal(queue.getNowait(), 2);
      assert.equal(queue.qsize(), 0);
    },
  );

  test("has a form that does not wait [QueuePutTests.test_nonblocking_put_exception]", () => {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    assert.throws(() => {
      queue.putNowait(2);
    }, QueueFull);
  });

  testScript(
    "hands its item to a task that comes later [QueuePutTests.test_put_cancelled]",
    function* (form) {
      const queue = new Queue<number>();
      const task = createTask(
        form.define(function* () {
          yield* wait(queue.put(1));
          return true;
        })(),
      );
      assert.equal(yield* wait(queue.get()), 1);
      assert.equal(task.result(), true);
    },
  );

  testScript("is passed by when it is cancelled [QueuePutTests.test_put_cancelled_race]", function* () {
    const queue = new Queue<string>(1);
    const first = createTask(queue.put("a"));
    const second = createTask(queue.put("b"));
    const third = createTask(queue.put("x"));
    yield* iterate();
    assert.equal(first.done(), true);
    assert.equal(second.done(), false);
    third.cancel();
    yield* iterate();
    assert.equal(third.done(), true);
    assert.equal(queue.getNowait(), "a");
    yield* iterate();
    assert.equal(queue.getNowait(), "b");
    assert.equal(second.done(), true);
  });

  testScript("wakes up who waits to get [QueuePutTests.test_put_with_waiting_getters]", function* () {
    const queue = new Queue<string>();
    const task = createTask(queue.get());
    yield* iterate();
    yield* wait(queue.put("a"));
    assert.equal(yield* wait(task), "a");
  });

  testScript(
    "wakes up as many as there are places [QueuePutTests.test_why_are_putters_waiting]",
    function* (form) {
      const queue = new Queue<number>(2);
      const getter = form.define(function* getter() {
        yield* iterate();
        for (let count = queue.qsize(); count > 0; count--) queue.getNowait();
      });
      const putter = form.define(function* putter(item: number) {
        yield* wait(queue.put(item));
      });
      yield* wait(gather(getter(), putter(0), putter(1), putter(2), putter(3)));
      assert.equal(queue.qsize(), 2);
    },
  );

  testScript(
    "is forgotten when it is cancelled [QueuePutTests.test_cancelled_puts_not_being_held_in_self_putters]",
    function* () {
      const queue = new Queue<number>(1);
      queue.putNowait(1);
      const task = createTask(queue.put(1));
      yield* iterate();
      assert.equal(queue.statistics().puttersWaiting, 1);
      task.cancel();
      yield* failureOf(task, CancelledError);
      assert.equal(queue.statistics().puttersWaiting, 0);
    },
  );

  testScript(
    "may be cancelled after it was woken up [QueuePutTests.test_cancelled_put_silence_value_error_exception]",
    function* () {
      const queue = new Queue<number>(1);
      queue.putNowait(1);
      const first = createTask(queue.put(2));
      const second = createTask(queue.put(3));
      yield* iterate();
      queue.getNowait();
      first.cancel();
      yield* failureOf(first, CancelledError);
      yield* iterate();
      assert.equal(second.done(), true);
      assert.equal(queue.getNowait(), 3);
    },
  );

  testScript("leaves a queue of any length without a search when it is cancelled", function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const tasks = Array.from({ length: 100_000 }, (_, index) => createTask(queue.put(index)));
    yield* iterate();
    for (let index = 1; index < tasks.length; index++) tasks[(index * 7919) % tasks.length]?.cancel();
    assert.equal(queue.statistics().puttersWaiting, 1);
    queue.getNowait();
    yield* iterate();
    assert.equal(queue.getNowait(), 0);
    assert.equal(tasks.filter((task) => task.cancelled()).length, tasks.length - 1);
  });
});

describe("the order of items", () => {
  testScript("is last in, first out in a LifoQueue [LifoQueueTests.test_order]", function* () {
    const queue = new LifoQueue<number>();
    yield* putAll(queue, [1, 3, 2]);
    assert.deepEqual(yield* take(queue, 3), [2, 3, 1]);
  });

  testScript("is by size in a PriorityQueue [PriorityQueueTests.test_order]", function* () {
    const queue = new PriorityQueue<number>();
    yield* putAll(queue, [1, 3, 2]);
    assert.deepEqual(yield* take(queue, 3), [1, 2, 3]);
  });

  test("is that of Python's tuples for arrays", () => {
    const items = [[2, "a"], [1, "b"], [1, "a", 0], [1, "a"], [], [1], [2]];
    const queue = new PriorityQueue<unknown[]>();
    for (const item of items) queue.putNowait(item);
    const order = items.map(() => queue.getNowait());
    assert.deepEqual(order, [[], [1], [1, "a"], [1, "a", 0], [1, "b"], [2], [2, "a"]]);
  });

  test("is that of Python's heapq for equal items", () => {
    const queue = new PriorityQueue<{ priority: number; name: string }>(
      0,
      (first, second) => first.priority - second.priority,
    );
    for (const name of "abcdefghij") queue.putNowait({ priority: name < "d" ? 1 : 0, name });
    const order = Array.from({ length: 10 }, () => queue.getNowait().name).join("");
    assert.equal(order, "dfgiejhacb");
  });

  test("may be given by a compare function, as argument or option", () => {
    const byLength = (first: string, second: string): number => first.length - second.length;
    for (const queue of [new PriorityQueue(0, byLength), new PriorityQueue({ compare: byLength })]) {
      for (const word of ["ccc", "a", "bb"]) queue.putNowait(word);
      assert.deepEqual([queue.getNowait(), queue.getNowait(), queue.getNowait()], ["a", "bb", "ccc"]);
    }
    assert.throws(() => new PriorityQueue(0, 5 as never), /PriorityQueue expects a compare function, got 5/);
    const limited = new PriorityQueue<number>({ maxsize: 1 });
    limited.putNowait(1);
    assert.equal(limited.full(), true);
  });

  test("must exist: what cannot be ordered is not put in", () => {
    const queue = new PriorityQueue<unknown>();
    queue.putNowait(1);
    for (const item of ["text", {}, [1], null, undefined]) {
      assert.throws(() => {
        queue.putNowait(item);
      }, /PriorityQueue cannot order .* give it a compare function/);
    }
    assert.deepEqual(queue.statistics().size, 1);
    assert.equal(queue.statistics().unfinishedTasks, 1);
  });

  test("is right for many random items", () => {
    let seed = 1;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647);
    const queue = new PriorityQueue<number>();
    const items = Array.from({ length: 1000 }, random);
    for (const item of items) queue.putNowait(item);
    assert.deepEqual(
      items.map(() => queue.getNowait()),
      [...items].sort((first, second) => first - second),
    );
  });

  test("may be given by a store of one's own", () => {
    const store = {
      items: new Set<string>(),
      get length() {
        return this.items.size;
      },
      push(item: string) {
        this.items.add(item);
      },
      pop() {
        const [item = ""] = this.items;
        this.items.delete(item);
        return item;
      },
    };
    const queue = new Queue<string>(0, store);
    for (const item of ["a", "b", "a"]) queue.putNowait(item);
    assert.equal(queue.qsize(), 2);
    assert.equal(queue.getNowait(), "a");
  });
});

for (const QueueClass of [Queue, LifoQueue, PriorityQueue]) {
  describe(`${QueueClass.name}.join`, () => {
    test("refuses more taskDone than items [_QueueJoinTestMixin.test_task_done_underflow]", () => {
      assert.throws(() => {
        new QueueClass().taskDone();
      }, ValueError);
    });

    testScript("waits until every item is done [_QueueJoinTestMixin.test_task_done]", function* (form) {
      const queue = new QueueClass<number>();
      for (let item = 0; item < 100; item++) queue.putNowait(item);
      let sum = 0;
      let isRunning = true;
      const worker = form.define(function* worker() {
        while (isRunning) {
          sum += yield* wait(queue.get());
          queue.taskDone();
        }
      });
      const tasks = [createTask(worker()), createTask(worker())];
      yield* wait(queue.join());
      assert.equal(sum, 4950);
      isRunning = false;
      for (const _ of tasks) queue.putNowait(0);
      yield* wait(gather(tasks));
    });

    testScript(
      "does not suspend when nothing was put in [_QueueJoinTestMixin.test_join_empty_queue]",
      function* () {
        const queue = new QueueClass();
        yield* wait(queue.join());
        yield* wait(queue.join());
      },
    );
  });

  describe(`${QueueClass.name}.shutdown`, () => {
    function* assertOver(queue: Queue<string>): Script<void> {
      yield* failureOf(queue.put("data"), QueueShutDown);
      assert.throws(() => {
        queue.putNowait("data");
      }, QueueShutDown);
      yield* failureOf(queue.get(), QueueShutDown);
      assert.throws(() => queue.getNowait(), QueueShutDown);
    }

    testScript("ends an empty queue at once [_QueueShutdownTestMixin.test_shutdown_empty]", function* () {
      const queue = new QueueClass<string>();
      const getter = createTask(queue.get());
      yield* iterate();
      queue.shutdown();
      assert.equal(queue.qsize(), 0);
      yield* wait(queue.join());
      yield* iterate();
      assert.equal(getter.done(), true);
      yield* failureOf(getter, QueueShutDown);
      yield* assertOver(queue);
    });

    testScript("lets what is there be taken [_QueueShutdownTestMixin.test_shutdown_nonempty]", function* () {
      const queue = new QueueClass<string>(1);
      queue.putNowait("data");
      const joiner = createTask(queue.join());
      const putter = createTask(queue.put("data2"));
      yield* iterate();
      assert.equal(putter.done(), false);
      queue.shutdown(false);
      assert.equal(queue.qsize(), 1);
      yield* iterate();
      assert.equal(putter.done(), true);
      yield* failureOf(putter, QueueShutDown);
      assert.equal(yield* wait(queue.get()), "data");
      yield* iterate();
      assert.equal(joiner.done(), false);
      yield* assertOver(queue);
      queue.taskDone();
      yield* iterate();
      assert.equal(joiner.done(), true);
      assert.throws(() => {
        queue.taskDone();
      }, ValueError);
    });

    testScript(
      "throws away what is there when it is immediate [_QueueShutdownTestMixin.test_shutdown_immediate]",
      function* () {
        const queue = new QueueClass<string>();
        queue.putNowait("data");
        const joiner = createTask(queue.join());
        queue.shutdown(true);
        assert.equal(queue.qsize(), 0);
        yield* iterate();
        assert.equal(joiner.done(), true);
        yield* assertOver(queue);
        assert.throws(() => {
          queue.taskDone();
        }, ValueError);
      },
    );

    testScript(
      "still counts what was taken before [_QueueShutdownTestMixin.test_shutdown_immediate_with_unfinished]",
      function* () {
        const queue = new QueueClass<string>();
        queue.putNowait("data");
        queue.putNowait("data");
        const joiner = createTask(queue.join());
        assert.equal(yield* wait(queue.get()), "data");
        queue.shutdown({ immediate: true });
        assert.equal(queue.qsize(), 0);
        yield* iterate();
        assert.equal(joiner.done(), false);
        yield* assertOver(queue);
        queue.taskDone();
        assert.throws(() => {
          queue.taskDone();
        }, ValueError);
        yield* iterate();
        assert.equal(joiner.done(), true);
      },
    );
  });
}

describe("a queue's shutdown", () => {
  test("takes a boolean or options", () => {
    assert.throws(() => {
      new Queue().shutdown("now" as never);
    }, /shutdown expects true or false, got "now"/);
  });
});

describe("iterating a queue", () => {
  test("ends when it is shut down and empty", () =>
    run(
      async () => {
        const queue = new Queue<number>(2);
        const consumer = createTask(async () => {
          const items: number[] = [];
          for await (const item of queue) items.push(item);
          return items;
        });
        for (let item = 0; item < 5; item++) await queue.put(item);
        queue.shutdown();
        assert.deepEqual(await consumer, [0, 1, 2, 3, 4]);
        for await (const item of queue) assert.fail(`got ${item}`);
      },
      { clock: new VirtualClock() },
    ));

  test("may be shared, be left early, and be cancelled without losing an item", () =>
    run(
      async () => {
        const queue = new Queue<number>();
        const seen: string[] = [];
        const consumer = async (name: string): Promise<void> => {
          for await (const item of queue) seen.push(name + String(item));
        };
        const first = createTask(() => consumer("a"));
        const second = createTask(() => consumer("b"));
        await sleep(0);
        queue.putNowait(1);
        first.cancel();
        await assert.rejects(first, CancelledError);
        await sleep(0);
        assert.deepEqual(seen, ["b1"]);
        queue.putNowait(2);
        queue.shutdown();
        await second;
        assert.deepEqual(seen, ["b1", "b2"]);
      },
      { clock: new VirtualClock() },
    ));

  test("works by hand in generator coroutines", () =>
    run(
      coroutine(function* () {
        const queue = new Queue<number>();
        const iterator = queue[Symbol.asyncIterator]();
        getRunningLoop().callSoon(() => {
          queue.putNowait(1);
          queue.shutdown();
        });
        const next = iterator.next() as unknown as ReturnType<Queue<IteratorResult<number, void>>["get"]>;
        assert.deepEqual(yield* next, { done: false, value: 1 });
        const last = iterator.next() as unknown as ReturnType<Queue<IteratorResult<number, void>>["get"]>;
        assert.deepEqual(yield* last, { done: true, value: undefined });
      })(),
      { clock: new VirtualClock() },
    ));
});

describe("a queue's reports", () => {
  testScript("are frozen statistics", function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    const putter = createTask(queue.put(2));
    yield* iterate();
    const statistics = queue.statistics();
    assert.ok(Object.isFrozen(statistics));
    assert.deepEqual(statistics, {
      size: 1,
      maxsize: 1,
      gettersWaiting: 0,
      puttersWaiting: 1,
      unfinishedTasks: 1,
      isShutDown: false,
    });
    queue.shutdown(true);
    yield* failureOf(putter, QueueShutDown);
    assert.deepEqual(queue.statistics(), {
      size: 0,
      maxsize: 1,
      gettersWaiting: 0,
      puttersWaiting: 0,
      unfinishedTasks: 0,
      isShutDown: true,
    });
  });

  test("say what a task waits for", async () => {
    const main = coroutine(async function main() {
      const queue = new Queue<number>(1);
      const getter = new PriorityQueue<number>(10);
      void createTask(getter.get());
      await queue.put(1);
      void createTask(queue.put(2));
      await queue.join();
    });
    const error = await assert.rejects<Error>(run(main(), { clock: new VirtualClock() }), DeadlockError);
    assert.match(error.message, /waits for PriorityQueue\.get \(empty, maxsize 10\)/);
    assert.match(error.message, /waits for Queue\.put \(full, maxsize 1\)/);
    assert.match(error.message, /waits for Queue\.join \(1 unfinished\)/);
  });

  test("tell that it belongs to another loop, whether a get or a put has bound it", async () => {
    const queue = new Queue<number>(1);
    await assert.rejects(run(queue.get(), { clock: new VirtualClock() }), DeadlockError);
    queue.putNowait(1);
    const error = await assert.rejects<RuntimeError>(
      run(queue.put(2), { clock: new VirtualClock() }),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_FOREIGN_LOOP");
    assert.equal(await run(queue.get(), { clock: new VirtualClock() }), 1);
  });

  test("may be joined on one loop and used on another", async () => {
    const queue = new Queue<number>(1);
    await assert.rejects(run(queue.get(), { clock: new VirtualClock() }), DeadlockError);
    queue.putNowait(1);
    await assert.rejects(run(queue.join(), { clock: new VirtualClock() }), DeadlockError);
    const error = await assert.rejects<RuntimeError>(
      run(queue.put(2), { clock: new VirtualClock() }),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_FOREIGN_LOOP");
  });
});
