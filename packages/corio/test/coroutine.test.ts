import {
  ArgumentTypeError,
  coroutine,
  Coroutine,
  createTask,
  currentTask,
  EventLoop,
  Future,
  getRunningLoop,
  isCoroutine,
  isCoroutineFunction,
  run,
  RuntimeError,
  sleep,
  until,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, hostName, test } from "./support/harness.ts";
import { testForms, testScript, wait } from "./support/forms.ts";
import { simulate } from "./support/simulate.ts";

describe("a coroutine", () => {
  testForms("does not begin when it is called [CoroutineTests.test_async_def_coroutines]", async (form) => {
    const log: string[] = [];
    const work = form.define(function* work(text: string) {
      log.push(text);
      yield* wait(sleep(0));
      return text.length;
    });
    const pending = work("hello");
    assert.deepEqual(log, []);
    assert.equal(await run(pending, { clock: new VirtualClock() }), 5);
    assert.deepEqual(log, ["hello"]);
  });

  testScript("runs inside the task that awaits it", function* (form) {
    const who = form.define(function* who() {
      yield* wait(sleep(0));
      return currentTask()?.getName();
    });
    assert.equal(yield* wait(who()), currentTask()?.getName());
  });

  testScript("passes arguments, this, results and exceptions", function* (form) {
    const add = form.define(function* add(first: number, ...rest: number[]) {
      yield* wait(sleep(0));
      return rest.reduce((sum, each) => sum + each, first);
    });
    assert.equal(yield* wait(add(1, 2, 3)), 6);
    const failing = form.define(function* failing() {
      yield* wait(sleep(0));
      throw new RangeError("boom");
    });
    try {
      yield* wait(failing());
      assert.fail("expected an error");
    } catch (error) {
      assert.instanceOf(error, RangeError);
    }
  });

  testScript("cannot be awaited twice [CoroutineTests.test_double_await]", function* (form) {
    const work = form.define(function* work() {
      yield* wait(sleep(0));
      return 1;
    });
    const once = work();
    assert.equal(yield* wait(once), 1);
    try {
      yield* wait(once);
      assert.fail("expected an error");
    } catch (error) {
      assert.instanceOf(error, RuntimeError);
      assert.equal(error.code, "CORIO_ALREADY_AWAITED");
      assert.match(error.message, /coroutine 'work\d*' was already awaited; a coroutine runs once/);
    }
  });

  testScript("cannot be awaited while it runs", function* (form) {
    const work = form.define(function* work() {
      yield* wait(sleep(1));
    });
    const once = work();
    const task = createTask(once);
    yield* wait(sleep(0));
    try {
      yield* wait(once);
      assert.fail("expected an error");
    } catch (error) {
      assert.match(String(error), /was already awaited/);
    }
    yield* wait(task);
  });

  testScript("cannot be awaited after close()", function* (form) {
    const log: string[] = [];
    const work = form.define(function* work() {
      log.push("ran");
      yield* wait(sleep(0));
    });
    const closed = work();
    closed.close();
    closed.close();
    try {
      yield* wait(closed);
      assert.fail("expected an error");
    } catch (error) {
      assert.match(String(error), /was already closed/);
    }
    assert.deepEqual(log, []);
  });

  test("cannot be awaited outside of any task", async () => {
    const work = coroutine(async function work() {});
    const error = await assert.rejects<RuntimeError>(async () => {
      await work();
    }, RuntimeError);
    assert.equal(error.code, "CORIO_NO_RUNNING_TASK");
    assert.match(
      error.message,
      /'work\d*' was awaited outside of any task: start the program with run\(main\(\)\)/,
    );
  });

  test("that was awaited outside counts as closed", async () => {
    const work = coroutine(async function work() {});
    const stray = work();
    await assert.rejects(async () => {
      await stray;
    });
    await assert.rejects(
      simulate(async () => {
        await stray;
      }),
      /already closed/,
    );
  });

  test("has the name and the length of its function", () => {
    const fetchData = coroutine(async function fetchData(_url: string, _retries: number) {});
    assert.match(fetchData.name, /^fetchData\d*$/);
    assert.equal(fetchData.length, 2);
    const call = fetchData("x", 1);
    assert.match(call.name, /^fetchData\d*$/);
    call.close();
    const nameless = coroutine((() => async () => {})())();
    assert.equal(nameless.name, "(anonymous)");
    nameless.close();
  });

  test("is known by isCoroutine [CoroutineTests.test_iscoroutine] [CoroutineTests.test_iscoroutine_generator]", () => {
    const work = coroutine(async () => {});
    const call = work();
    assert.equal(isCoroutine(call), true);
    assert.ok(call instanceof Coroutine);
    call.close();
    assert.equal(isCoroutine(work), false);
    assert.equal(isCoroutine(Promise.resolve()), false);
    assert.equal(isCoroutine(null), false);
    assert.equal(isCoroutine((function* () {})()), false);
    const nap = sleep(1);
    assert.equal(isCoroutine(nap), true);
    nap.close();
  });

  test("is made by functions that isCoroutineFunction knows [CoroutineTests.test_iscoroutinefunction] [BaseTaskTests.test_iscoroutinefunction]", () => {
    assert.equal(isCoroutineFunction(coroutine(async () => {})), true);
    assert.equal(isCoroutineFunction(coroutine(function* () {})), true);
    assert.equal(
      isCoroutineFunction(() => {}),
      false,
    );
    // A plain async function begins when it is called: what it returns is no coroutine.
    assert.equal(
      isCoroutineFunction(async () => {}),
      false,
    );
    assert.equal(
      isCoroutineFunction(function* () {}),
      false,
    );
    assert.equal(isCoroutineFunction(sleep(0)), false);
    assert.equal(isCoroutineFunction(null), false);
  });

  testScript(
    "whose function never waits gives its result to whoever awaits it [BaseTaskTests.test_coroutine_non_gen_function]",
    function* (form) {
      // eslint-disable-next-line require-yield -- it does not suspend
      const work = form.define(function* work() {
        return "result";
      });
      const call = work();
      assert.equal(isCoroutine(call), true);
      assert.equal(yield* wait(call), "result");
    },
  );

  test("of the one form can be awaited in the other [CoroutineTests.test_types_coroutine]", () =>
    simulate(async () => {
      const generator = coroutine(function* generator() {
        yield* sleep(1);
        return "spam";
      });
      const native = coroutine(async function native() {
        return await generator();
      });
      const outermost = coroutine(function* outermost() {
        return yield* native();
      });
      assert.equal(await native(), "spam");
      assert.equal(await outermost(), "spam");
    }));

  test("used as if it were its result says so", () => {
    const getCount = coroutine(async function getCount() {
      return 1;
    });
    const count = getCount();
    const misuses: (() => unknown)[] = [
      // eslint-disable-next-line @typescript-eslint/restrict-template-expressions, @typescript-eslint/no-base-to-string -- the mistake itself
      () => `${count}`,
      () => +(count as never),
      () => (count as unknown as number) + 1,
      () => (count as unknown as number) < 2,
      () => JSON.stringify({ count }),
    ];
    for (const misuse of misuses) {
      const error = assert.throws<RuntimeError>(misuse, RuntimeError);
      assert.equal(error.code, "CORIO_COROUTINE_AS_VALUE");
      assert.match(
        error.message,
        /coroutine 'getCount\d*' is used as if it were its result; write await getCount\d*\(…\)/,
      );
    }
    count.close();
  });

  test("is made of functions only", () => {
    for (const bad of [undefined, null, 5, Promise.resolve(), {}]) {
      assert.throws(() => coroutine(bad as never), ArgumentTypeError);
    }
    assert.throws(
      () => coroutine(5 as never),
      /coroutine\(\) expects an async function or a generator function, got 5/,
    );
  });

  test("of a method has its object as this", () =>
    simulate(async () => {
      class Counter {
        #count = 40;

        readonly increment = coroutine(async () => {
          await sleep(0);
          return ++this.#count;
        });

        async plain(this: Counter, by: number): Promise<number> {
          await sleep(0);
          this.#count += by;
          return this.#count;
        }
      }
      const counter = new Counter();
      assert.equal(await counter.increment(), 41);
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its object below
      const plain = coroutine(Counter.prototype.plain);
      assert.equal(await plain.call(counter, 1), 42);
    }));

  test("as a method decorator gives a lazy method", () =>
    simulate(async () => {
      const log: string[] = [];
      const decorate = <This, Parameters extends unknown[], T>(
        method: (this: This, ...parameters: Parameters) => Promise<T>,
      ): ((this: This, ...parameters: Parameters) => Coroutine<T>) =>
        // What the engine passes to a decorator: the method, and a context.
        coroutine(method, { kind: "method", name: method.name } as ClassMethodDecoratorContext<This>);
      class Client {
        readonly base = "https://example.com";

        async fetch(path: string): Promise<string> {
          log.push("began");
          await sleep(0);
          return this.base + path;
        }
      }
      const { prototype } = Client;
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its object below
      const lazy = decorate(prototype.fetch);
      const call = lazy.call(new Client(), "/data");
      assert.deepEqual(log, []);
      assert.equal(await call, "https://example.com/data");
    }));

  test("that throws before its first await rejects the await of it", () =>
    simulate(async () => {
      const thrower = coroutine((): Promise<void> => {
        throw new RangeError("synchronous");
      });
      await assert.rejects(thrower(), RangeError);
      await assert.rejects(Promise.all([thrower(), sleep(1)]), RangeError);
    }));

  test("awaited in finally after a failure is awaited there", () =>
    simulate(async () => {
      const log: string[] = [];
      const cleanUp = coroutine(async function cleanUp() {
        await sleep(1);
        log.push("cleaned up");
      });
      await assert.rejects(async () => {
        try {
          await sleep(1);
          throw new Error("boom");
        } finally {
          await cleanUp();
        }
      }, /boom/);
      assert.deepEqual(log, ["cleaned up"]);
    }));

  test("has promise methods", () =>
    simulate(async () => {
      const work = coroutine(async function work(fail: boolean) {
        await sleep(0);
        if (fail) throw new Error("boom");
        return 21;
      });
      if (hostName === "browser") return;
      assert.equal(await work(false).then((value) => value * 2), 42);
      assert.equal(await work(true).catch(() => "caught"), "caught");
      let finals = 0;
      assert.equal(
        await work(false).finally(() => {
          finals++;
        }),
        21,
      );
      assert.equal(finals, 1);
    }));

  testScript("of a thousand levels runs in one iteration", function* (form) {
    const log: string[] = [];
    const deep: (level: number) => Coroutine<number> = form.define(function* level(level: number) {
      if (level === 0) return 0;
      return 1 + (yield* wait(deep(level - 1)));
    });
    getRunningLoop().callSoon(() => log.push("callback"));
    assert.equal(yield* wait(deep(1000)), 1000);
    assert.deepEqual(log, []);
  });
});

describe("a plain async function in a task", () => {
  test("is part of the task: cancelled with it", () =>
    simulate(async () => {
      const log: string[] = [];
      const helper = async (): Promise<void> => {
        try {
          await sleep(10);
        } finally {
          log.push("helper cleaned up");
        }
      };
      const task = createTask(async () => {
        await helper();
      });
      await sleep(1);
      task.cancel();
      await assert.rejects(task);
      assert.deepEqual(log, ["helper cleaned up"]);
    }));

  test("may be an async generator", () =>
    simulate(async () => {
      const log: string[] = [];
      const count = async function* (): AsyncGenerator<number, void, void> {
        try {
          for (let index = 0; ; index++) {
            await sleep(1);
            yield index;
          }
        } finally {
          await sleep(1);
          log.push(`closed at ${getRunningLoop().time().toString()}`);
        }
      };
      for await (const index of count()) {
        log.push(index.toString());
        if (index === 2) break;
      }
      assert.deepEqual(log, ["0", "1", "2", "closed at 4"]);
    }));
});

describe("run inside a task", () => {
  const refusal = { code: "CORIO_RUN_INSIDE_TASK" };

  testScript(
    "is refused, and the coroutine closed [RunTests.test_asyncio_run_from_running_loop] [RunnerTests.test_recursive_run] [EventLoopTestsMixin.test_run_until_complete_nesting] [RunningLoopTests.test_running_loop_within_a_loop] [GetEventLoopTestsMixin.test_get_running_loop_already_running]",
    function* (form) {
      const work = form.define(function* work() {
        yield* wait(sleep(0));
      });
      const inner = work();
      const error = assert.throws<RuntimeError>(() => run(inner), RuntimeError);
      assert.equal(error.code, refusal.code);
      assert.match(error.message, /cannot be called from a running task/);
      assert.throws(() => getRunningLoop().runUntilComplete(work()), RuntimeError);
      assert.throws(() => getRunningLoop().runForever(), RuntimeError);
      assert.throws(() => new EventLoop().runUntilComplete(work()), RuntimeError);
      try {
        yield* wait(inner);
        assert.fail("expected an error");
      } catch (caught) {
        assert.match(String(caught), /already closed/);
      }
    },
  );

  test("is fine from a callback of the loop: it begins its own program", async () => {
    const results: unknown[] = [];
    const clock = new VirtualClock();
    await run(
      async () => {
        const future = new Future<unknown>();
        getRunningLoop().callSoon(() => {
          void run(sleep(1, "inner"), { clock }).then((value) => {
            future.setResult(value);
          });
        });
        results.push(await until(future));
      },
      { clock },
    );
    assert.deepEqual(results, ["inner"]);
  });
});
