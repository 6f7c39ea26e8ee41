import {
  ArgumentTypeError,
  Context,
  ContextVar,
  copyContext,
  createTask,
  Future,
  gather,
  getRunningLoop,
  run,
  RuntimeError,
  sleep,
  Token,
  ValueError,
} from "corio";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { testForms, testScript, wait } from "./support/forms.ts";
import { simulate } from "./support/simulate.ts";

describe("a context variable", () => {
  test("has the value it was set to, a fallback, or its default", () =>
    simulate(async () => {
      const bare = new ContextVar<string>("bare");
      const error = assert.throws<Error>(() => bare.get(), ValueError);
      assert.equal(error.message, "context variable 'bare' has no value here and no default");
      assert.equal(bare.get("fallback"), "fallback");
      const variable = new ContextVar("variable", { defaultValue: "default" });
      assert.equal(variable.get(), "default");
      assert.equal(variable.get("fallback"), "fallback");
      variable.set("value");
      assert.equal(variable.get("fallback"), "value");
      const empty = new ContextVar<string | undefined>("empty", { defaultValue: undefined });
      assert.equal(empty.get(), undefined);
      const unset = new ContextVar<string | undefined>("unset");
      unset.set(undefined);
      assert.equal(unset.get("fallback"), undefined);
    }));

  test("needs a name", () => {
    assert.throws(() => new ContextVar(5 as never), /ContextVar expects a name, got 5/);
  });

  test("is reset by its token, once, in the same context", () =>
    simulate(async () => {
      const variable = new ContextVar<number>("variable");
      const other = new ContextVar<number>("other");
      const first = variable.set(1);
      assert.instanceOf(first, Token);
      assert.equal(first.variable, variable);
      assert.equal(first.oldValue, undefined);
      const second = variable.set(2);
      assert.equal(second.oldValue, 1);
      assert.throws(() => {
        other.reset(second);
      }, /made by another ContextVar/);
      await createTask(async () => {
        assert.throws(() => {
          variable.reset(second);
        }, /made in another context/);
      });
      variable.reset(second);
      assert.equal(variable.get(), 1);
      assert.throws(() => {
        variable.reset(second);
      }, RuntimeError);
      variable.reset(first);
      assert.throws(() => variable.get(), ValueError);
      assert.throws(() => {
        variable.reset({} as never);
      }, ArgumentTypeError);
    }));

  test("is reset by using", () =>
    simulate(async () => {
      const variable = new ContextVar("variable", { defaultValue: "outer" });
      const token = variable.set("inner");
      assert.equal(variable.get(), "inner");
      token[Symbol.dispose]();
      assert.equal(variable.get(), "outer");
    }));
});

describe("a task's context", () => {
  testScript(
    "is a copy of its creator's at its creation [BaseTaskTests.test_context_1] [BaseTaskTests.test_context_2] [DecimalContextTest.test_asyncio_task_decimal_context]",
    function* (form) {
      const variable = new ContextVar<string>("variable", { defaultValue: "nothing" });
      const child = form.define(function* child() {
        const seen = [variable.get()];
        yield* wait(sleep(0));
        seen.push(variable.get());
        variable.set("child");
        yield* wait(sleep(1));
        seen.push(variable.get());
        return seen;
      });
      variable.set("parent");
      const task = createTask(child());
      variable.set("changed");
      assert.deepEqual(yield* wait(task), ["parent", "parent", "child"]);
      assert.equal(variable.get(), "changed");
    },
  );

  testScript("is shared by the coroutines that it awaits [BaseTaskTests.test_context_3]", function* (form) {
    const variable = new ContextVar<number>("variable");
    const inner = form.define(function* inner(value: number) {
      variable.set(value);
      yield* wait(sleep(0));
    });
    for (let value = 0; value < 10; value++) {
      yield* wait(inner(value));
      assert.equal(variable.get(), value);
    }
  });

  testScript(
    "may be given, and is then used itself [BaseTaskTests.test_context_4] [BaseTaskTests.test_context_5] [BaseTaskTests.test_context_6]",
    function* (form) {
      const variable = new ContextVar<number>("variable", { defaultValue: 0 });
      const increment = form.define(function* increment() {
        variable.set(variable.get() + 1);
        yield* wait(sleep(0));
        variable.set(variable.get() + 1);
      });
      const context = new Context();
      yield* wait(createTask(increment(), { context }));
      assert.equal(context.get(variable), 2);
      yield* wait(createTask(increment(), { context }));
      assert.equal(context.get(variable), 4);
      assert.equal(variable.get(), 0);
      assert.equal(context.has(variable), true);
      assert.equal(context.size, 1);
      assert.deepEqual([...context], [[variable, 4]]);
    },
  );

  testForms("does not leak between tasks that alternate", (form) =>
    simulate(async () => {
      const variable = new ContextVar<number>("variable");
      const work = form.define(function* work(value: number) {
        variable.set(value);
        for (let round = 0; round < 5; round++) {
          yield* wait(sleep(0));
          assert.equal(variable.get(), value);
        }
      });
      await gather(Array.from({ length: 20 }, (_, index) => work(index)));
    }),
  );

  testOn(["node", "bun", "deno"], "survives a foreign promise", () =>
    simulate(async () => {
      const variable = new ContextVar<string>("variable");
      const work = async (value: string): Promise<string> => {
        variable.set(value);
        await new Promise((resolve) => setTimeout(resolve, 1));
        return variable.get();
      };
      assert.deepEqual(
        await gather(
          () => work("a"),
          () => work("b"),
        ),
        ["a", "b"],
      );
    }),
  );
});

describe("a callback's context", () => {
  test("is a copy of the one in which it was scheduled or added", () =>
    simulate(async () => {
      const variable = new ContextVar<string>("variable");
      const loop = getRunningLoop();
      const seen: string[] = [];
      const future = new Future<void>();
      variable.set("then");
      loop.callSoon(() => {
        seen.push(`callSoon ${variable.get()}`);
        variable.set("in the callback");
      });
      loop.callLater(1, () => seen.push(`callLater ${variable.get()}`));
      future.addDoneCallback(() => seen.push(`done ${variable.get()}`));
      variable.set("now");
      future.setResult();
      await sleep(2);
      assert.deepEqual(seen, ["callSoon then", "done then", "callLater then"]);
      assert.equal(variable.get(), "now");
    }));

  test("may be given", () =>
    simulate(async () => {
      const variable = new ContextVar<number>("variable", { defaultValue: 0 });
      const loop = getRunningLoop();
      const context = new Context();
      const future = new Future<void>();
      const increment = (): void => {
        variable.set(variable.get() + 1);
      };
      const handle = loop.callSoonIn(context, increment);
      assert.equal(handle.getContext(), context);
      loop.callAtIn(context, 1, increment);
      future.addDoneCallback(increment, { context });
      future.setResult();
      await sleep(2);
      assert.equal(context.get(variable), 3);
      assert.equal(variable.get(), 0);
    }));

  test("is where an exception handler runs [FutureTests.test_handle_exc_handler_correct_context]", async () => {
    const variable = new ContextVar<string>("variable", { defaultValue: "none" });
    const seen: string[] = [];
    await simulate(async () => {
      const loop = getRunningLoop();
      loop.setExceptionHandler(() => seen.push(variable.get()));
      variable.set("of the callback");
      loop.callSoon(() => {
        throw new Error("boom");
      });
      loop.callSoon(() => {
        variable.set("set by the callback");
        throw new Error("boom");
      });
      variable.set("later");
      await sleep(0);
    });
    assert.deepEqual(seen, ["of the callback", "set by the callback"]);
  });

  testForms(
    "of a task is where an exception handler hears that nobody has seen its exception [FutureTests.test_task_exc_handler_correct_context]",
    async (form) => {
      const variable = new ContextVar<string>("variable", { defaultValue: "none" });
      const seen: string[] = [];
      await simulate(async () => {
        getRunningLoop().setExceptionHandler(() => seen.push(variable.get()));
        const failing = form.define(function* failing() {
          yield* wait(sleep(0));
          variable.set("set by the task");
          throw new Error("boom");
        });
        createTask(failing());
        variable.set("of main");
        await sleep(1);
      });
      assert.deepEqual(seen, ["set by the task"]);
    },
  );
});

describe("Context", () => {
  test("runs functions in itself", () => {
    const variable = new ContextVar("variable", { defaultValue: 0 });
    const context = new Context();
    assert.equal(
      context.run((value) => {
        variable.set(value);
        return variable.get();
      }, 5),
      5,
    );
    assert.equal(variable.get(), 0);
    assert.equal(context.get(variable), 5);
    assert.throws(() => context.run(() => context.run(() => 1)), /already entered/);
    assert.throws(() => context.run(5 as never), ArgumentTypeError);
    assert.throws(
      () =>
        context.run(() => {
          throw new RangeError("passed on");
        }),
      RangeError,
    );
    assert.equal(
      context.run(() => 1),
      1,
    );
  });

  test("is copied by copyContext and copy", () => {
    const variable = new ContextVar("variable", { defaultValue: 0 });
    const context = new Context();
    context.run(() => {
      variable.set(1);
      const copy = copyContext();
      variable.set(2);
      assert.equal(copy.get(variable), 1);
      const second = context.copy();
      second.run(() => variable.set(3));
    });
    assert.equal(context.get(variable), 2);
    assert.equal(context.get(new ContextVar("other"), "fallback"), "fallback");
  });

  test("that a task is made in is the one it copies", () =>
    simulate(async () => {
      const variable = new ContextVar("variable", { defaultValue: "outer" });
      const context = new Context();
      const task = context.run(() => {
        variable.set("inner");
        return createTask(async () => variable.get());
      });
      assert.equal(await task, "inner");
    }));
});

describe("a third party's AsyncLocalStorage", () => {
  const hosts = ["node", "bun", "deno"] as const;
  interface Storage<T> {
    run<R>(value: T, body: () => R): R;
    getStore(): T | undefined;
    enterWith(value: T): void;
  }
  const makeStorage = (): Storage<string> =>
    new (process.getBuiltinModule("node:async_hooks").AsyncLocalStorage)<string>();

  for (const formName of ["native", "generator"]) {
    testOn(hosts, `is seen inside tasks, and never leaks between them (${formName})`, async () => {
      const { forms } = await import("./support/forms.ts");
      const form = forms.find(({ name }) => name === formName);
      assert.ok(form);
      const storage = makeStorage();
      const log: string[] = [];
      const work = form.define(function* work(name: string) {
        for (let round = 0; round < 3; round++) {
          log.push(`${name} ${storage.getStore() ?? "nothing"}`);
          yield* wait(sleep(round));
        }
        log.push(`${name} ${storage.getStore() ?? "nothing"}`);
      });
      await simulate(async () => {
        const tasks = ["a", "b"].map((name) => storage.run(`trace ${name}`, () => createTask(work(name))));
        const plain = createTask(work("c"));
        await gather([...tasks, plain]);
        assert.equal(storage.getStore(), undefined);
      });
      assert.equal(log.length, 12);
      for (const line of log) {
        const [name] = line.split(" ");
        assert.equal(line, name === "c" ? "c nothing" : `${name ?? ""} trace ${name ?? ""}`);
      }
    });
  }

  testOn(hosts, "set inside a task stays in the task", () =>
    simulate(async () => {
      const storage = makeStorage();
      const inside = createTask(async () => {
        await storage.run("inside", async () => {
          await sleep(1);
          assert.equal(storage.getStore(), "inside");
          await new Promise((resolve) => setTimeout(resolve, 1));
          assert.equal(storage.getStore(), "inside");
        });
        assert.equal(storage.getStore(), undefined);
        storage.enterWith("entered");
        await sleep(1);
        return storage.getStore();
      });
      const outside = createTask(async () => {
        for (let round = 0; round < 10; round++) {
          assert.equal(storage.getStore(), undefined);
          await sleep(0.3);
        }
      });
      assert.equal(await inside, "entered");
      await outside;
      assert.equal(storage.getStore(), undefined);
    }),
  );

  testOn(hosts, "is seen by callbacks as it was when they were scheduled", () =>
    simulate(async () => {
      const storage = makeStorage();
      const loop = getRunningLoop();
      const future = new Future<void>();
      const seen: unknown[] = [];
      storage.run("scheduled", () => {
        loop.callSoon(() => seen.push(storage.getStore()));
        loop.callLater(1, () => seen.push(storage.getStore()));
        future.addDoneCallback(() => seen.push(storage.getStore()));
      });
      storage.run("completed", () => {
        future.setResult();
      });
      await sleep(2);
      assert.deepEqual(seen, ["scheduled", "scheduled", "scheduled"]);
    }),
  );

  testOn(hosts, "is not the pumper's: a loop woken from inside one leaks nothing", async () => {
    const storage = makeStorage();
    const seen: unknown[] = [];
    await run(async () => {
      const future = new Future<void>();
      const waiter = createTask(async () => {
        await future;
        seen.push(storage.getStore());
      });
      setTimeout(() => {
        storage.run("pumper", () => {
          future.setResult();
        });
      }, 1);
      await waiter;
      getRunningLoop().callSoon(() => seen.push(storage.getStore()));
      await sleep(0);
    });
    assert.deepEqual(seen, [undefined, undefined]);
  });

  testOn(hosts, "around run is seen by main and its tasks", async () => {
    const storage = makeStorage();
    const seen = await storage.run("request 1", () =>
      run(async () => [storage.getStore(), await createTask(async () => storage.getStore())]),
    );
    assert.deepEqual(seen, ["request 1", "request 1"]);
  });
});
