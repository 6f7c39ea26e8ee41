import {
  ArgumentTypeError,
  CancelledError,
  coroutine,
  createTask,
  getRunningLoop,
  on,
  once,
  QueueFull,
  run,
  RuntimeError,
  sleep,
  timeout,
  TimeoutError,
  until,
  ValueError,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";
import { testScript, wait } from "./support/forms.ts";

/** What Node's emitters do, as far as `once` and `on` need it; these tests run in browsers, too. */
class Emitter {
  readonly #listeners = new Map<string | symbol, ((...parameters: unknown[]) => void)[]>();

  on(name: string | symbol, listener: (...parameters: unknown[]) => void): this {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    return this;
  }

  off(name: string | symbol, listener: (...parameters: unknown[]) => void): this {
    this.#listeners.set(
      name,
      (this.#listeners.get(name) ?? []).filter((added) => added !== listener),
    );
    return this;
  }

  emit(name: string | symbol, ...parameters: unknown[]): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(...parameters);
  }

  get listenerCount(): number {
    return [...this.#listeners.values()].flat().length;
  }
}

/** A clock that does not stand still for what is outside: there is nothing outside in these tests. */
const makeClock = (): VirtualClock => new VirtualClock({ foreignGrace: 0 });
const simulate = <T>(body: () => Promise<T>): Promise<T> => run(body, { clock: makeClock() });

describe("once", () => {
  testScript("gives the event of an EventTarget, and listens from the call on", function* () {
    const target = new EventTarget();
    const pinged = once(target, "ping");
    const first = new Event("ping");
    target.dispatchEvent(first);
    target.dispatchEvent(new Event("ping"));
    assert.equal(yield* wait(pinged), first);
  });

  testScript("gives the arguments of an emitter, and leaves no listener", function* () {
    const emitter = new Emitter();
    const data = once<[string, number]>(emitter, "data");
    getRunningLoop().callSoon(() => {
      emitter.emit("data", "a", 1);
    });
    const [text, count] = yield* wait(data);
    assert.deepEqual([text, count], ["a", 1]);
    assert.equal(emitter.listenerCount, 0);
  });

  test("fails with an emitter's error", () =>
    simulate(async () => {
      const emitter = new Emitter();
      const data = once(emitter, "data");
      const problem = new Error("no such file");
      emitter.emit("error", problem);
      assert.equal(await assert.rejects(data), problem);
      assert.equal(emitter.listenerCount, 0);
      const error = once<[Error]>(emitter, "error");
      emitter.emit("error", problem);
      assert.deepEqual(await error, [problem]);
    }));

  test("takes its listeners away when the task that waits is cancelled", () =>
    simulate(async () => {
      const emitter = new Emitter();
      const task = createTask(async () => await once(emitter, "data"));
      await sleep(0);
      assert.equal(emitter.listenerCount, 2);
      task.cancel();
      await assert.rejects(task, CancelledError);
      assert.equal(emitter.listenerCount, 0);
      await assert.rejects(
        timeout(1, () => once(emitter, "data")),
        TimeoutError,
      );
      assert.equal(emitter.listenerCount, 0);
    }));

  test("counts as something outside only while it is awaited", async () => {
    const clock = new VirtualClock({ foreignGrace: 3600 });
    const emitter = new Emitter();
    await run(
      async () => {
        const data = once(emitter, "data");
        await sleep(10);
        const soon = new Promise<void>((resolve) => {
          setTimeout(() => {
            emitter.emit("data");
            resolve();
          }, 1);
        });
        // Without it the clock would jump over the real timer.
        await timeout(10, () => data);
        await until(soon);
        assert.equal(clock.time(), 10);
        await sleep(10);
      },
      { clock },
    );
  });

  test("is an error outside of a loop, and for what cannot be listened to", async () => {
    assert.throws<RuntimeError>(() => once(new EventTarget(), "x"), RuntimeError);
    await simulate(async () => {
      assert.throws(
        () => once(5 as never, "x"),
        /once expects an EventTarget \(addEventListener\) or an event emitter \(on, off\), got 5/,
      );
      assert.throws(() => once({ on: () => 0 } as never, "x"), ArgumentTypeError);
      assert.throws(() => once(new Emitter(), 5 as never), /an event's name, got 5/);
    });
  });
});

describe("on", () => {
  testScript("keeps what comes until it is taken", function* () {
    const emitter = new Emitter();
    const stream = on<[number]>(emitter, "data");
    emitter.emit("data", 1);
    emitter.emit("data", 2);
    assert.equal(stream.length, 2);
    assert.deepEqual(yield* wait(stream.next()), { done: false, value: [1] });
    assert.deepEqual(yield* wait(stream.next()), { done: false, value: [2] });
    getRunningLoop().callSoon(() => {
      emitter.emit("data", 3);
    });
    assert.deepEqual(yield* wait(stream.next()), { done: false, value: [3] });
    stream.close();
    assert.deepEqual(yield* wait(stream.next()), { done: true, value: undefined });
    assert.equal(emitter.listenerCount, 0);
  });

  test("ends with the events named in close, after what came before", () =>
    simulate(async () => {
      const emitter = new Emitter();
      const stream = on<[number]>(emitter, "data", { close: ["end", "close"] });
      emitter.emit("data", 1);
      emitter.emit("end");
      emitter.emit("data", 2);
      assert.equal(emitter.listenerCount, 0);
      const taken: number[] = [];
      for await (const [value] of stream) taken.push(value);
      assert.deepEqual(taken, [1]);
    }));

  test("throws an emitter's error once, after what came before", () =>
    simulate(async () => {
      const emitter = new Emitter();
      const stream = on(emitter, "data");
      const problem = new Error("broken pipe");
      emitter.emit("data", 1);
      emitter.emit("error", problem);
      assert.deepEqual(await stream.next(), { done: false, value: [1] });
      assert.equal(await assert.rejects(stream.next()), problem);
      assert.deepEqual(await stream.next(), { done: true, value: undefined });
      assert.equal(emitter.listenerCount, 0);
    }));

  test("is closed by leaving for await: by break, an error, a cancel", () =>
    simulate(async () => {
      const emitter = new Emitter();
      for (const leave of ["break", "throw", "cancel"] as const) {
        const stream = on(emitter, "data");
        const task = createTask(async () => {
          for await (const _event of stream) {
            if (leave === "break") break;
            if (leave === "throw") throw new Error("enough");
          }
        });
        emitter.emit("data");
        await sleep(0);
        if (leave === "cancel") {
          await sleep(1);
          assert.equal(emitter.listenerCount, 2);
          task.cancel();
        }
        await (leave === "break" ? task : assert.rejects(task));
        assert.equal(stream.isClosed, true, leave);
        assert.equal(emitter.listenerCount, 0, leave);
      }
    }));

  test("stays open when next is cancelled, and loses nothing", () =>
    simulate(async () => {
      const emitter = new Emitter();
      const stream = on<[number]>(emitter, "data");
      await assert.rejects(
        timeout(1, () => stream.next()),
        TimeoutError,
      );
      const first = createTask(stream.next());
      const second = createTask(stream.next());
      await sleep(0);
      emitter.emit("data", 1);
      // It was woken up for the event, and will not take it.
      first.cancel();
      assert.deepEqual(await second, { done: false, value: [1] });
      await assert.rejects(first, CancelledError);
      stream.close();
    }));

  test("takes what is both an EventTarget and an emitter for the first, as its type says", () =>
    simulate(async () => {
      const target = new EventTarget();
      const both = Object.assign(target, { on: () => undefined, off: () => undefined });
      using stream = on(both, "tick");
      const tick = new Event("tick");
      target.dispatchEvent(tick);
      assert.deepEqual(await stream.next(), { done: false, value: tick });
    }));

  test("shares the events among the tasks that take them", () =>
    simulate(async () => {
      const target = new EventTarget();
      const log: string[] = [];
      const stream = on(target, "tick");
      const take = coroutine(async function take(name: string) {
        for (;;) {
          const { done } = await stream.next();
          if (done === true) return;
          log.push(name);
        }
      });
      const tasks = [createTask(take("a")), createTask(take("b"))];
      await sleep(0);
      for (let n = 0; n < 4; n++) {
        target.dispatchEvent(new Event("tick"));
        await sleep(1);
      }
      stream[Symbol.dispose]();
      await Promise.all(tasks);
      assert.deepEqual(log, ["a", "b", "a", "b"]);
    }));

  test("keeps as many as its capacity says, by its policy", () =>
    simulate(async () => {
      const emitter = new Emitter();
      const drain = async (overflow: "dropOldest" | "dropNewest" | "throw"): Promise<unknown[]> => {
        const stream = on<[number]>(emitter, "data", { capacity: 2, overflow });
        for (const value of [1, 2, 3]) emitter.emit("data", value);
        const taken: unknown[] = [];
        if (overflow !== "throw") assert.equal(emitter.listenerCount, 2);
        if (overflow !== "throw") getRunningLoop().callLater(1, () => stream.close());
        try {
          for await (const [value] of stream) taken.push(value);
        } catch (error) {
          taken.push((error as Error).name);
        }
        assert.equal(emitter.listenerCount, 0);
        return taken;
      };
      assert.deepEqual(await drain("dropOldest"), [2, 3]);
      assert.deepEqual(await drain("dropNewest"), [1, 2]);
      assert.deepEqual(await drain("throw"), [1, 2, QueueFull.brand]);
    }));

  test("refuses what it cannot work with", () => {
    const emitter = new Emitter();
    assert.throws(() => on(null as never, "x"), /on expects an EventTarget/);
    assert.throws(() => on(emitter, "x", { capacity: 0 }), ValueError);
    assert.throws(() => on(emitter, "x", { capacity: "1" as never }), ArgumentTypeError);
    assert.throws(
      () => on(emitter, "x", { overflow: "drop" as never }),
      /"dropOldest", "dropNewest" or "throw"/,
    );
    assert.throws(() => on(emitter, "x", { close: "end" as never }), /on: close expects an array/);
    assert.throws(
      () => on(emitter, "x", { close: ["end", 5 as never] }),
      /on: close expects an event's name, got 5/,
    );
    assert.throws(() => on(emitter, "x", null as never), ArgumentTypeError);
    assert.throws(() => on(new EventTarget(), Symbol("x") as never), ArgumentTypeError);
    assert.equal(emitter.listenerCount, 0);
  });
});
