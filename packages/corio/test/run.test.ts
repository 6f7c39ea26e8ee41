import {
  allTasks,
  ArgumentTypeError,
  CancelledError,
  coroutine,
  Context,
  ContextVar,
  createTask,
  currentTask,
  DeadlockError,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  newEventLoop,
  run,
  Runner,
  shield,
  sleep,
  until,
  waitFor,
} from "corio";
import type { Task } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { testForms, wait } from "./support/forms.ts";
import { runProgram } from "./support/program.ts";
import { simulate } from "./support/simulate.ts";

describe("run", () => {
  testForms(
    "gives the result of its main coroutine [RunTests.test_asyncio_run_return] [RunnerTests.test_run]",
    async (form) => {
      const main = form.define(function* main() {
        yield* wait(sleep(0));
        return 42;
      });
      assert.equal(await run(main(), { clock: new VirtualClock() }), 42);
      assert.equal(await run(main()), 42);
    },
  );

  testForms(
    "rejects with the exception of its main coroutine [RunTests.test_asyncio_run_raises]",
    async (form) => {
      const main = form.define(function* main() {
        yield* wait(sleep(0));
        throw new RangeError("spam");
      });
      await assert.rejects(run(main(), { clock: new VirtualClock() }), RangeError);
    },
  );

  test("takes a function and a promise [RunnerTests.test_run_awaitable]", async () => {
    assert.equal(await run(async () => "function", { clock: new VirtualClock() }), "function");
    assert.equal(await run(Promise.resolve("promise")), "promise");
    await assert.rejects(run(Promise.reject(new Error("no"))), /no/);
  });

  test("a promise is awaited by a task: options count for it, too", async () => {
    const runner = new Runner({ clock: new VirtualClock() });
    const abort = new AbortController();
    const never = new Promise<void>(() => undefined);
    const running = runner.run(never, { name: "the main one", signal: abort.signal });
    assert.deepEqual(
      [...allTasks(runner.getLoop())].map((task) => task.getName()),
      ["the main one"],
    );
    abort.abort("enough");
    await assert.rejects(running, CancelledError);
    await runner.close();
  });

  test("refuses anything else at once [RunTests.test_asyncio_run_only_coro] [RunnerTests.test_run_non_coro]", () => {
    for (const bad of [1, "x", undefined, null, {}]) {
      const error = assert.throws<Error>(() => run(bad as never), ArgumentTypeError);
      assert.match(error.message, /^run expects a coroutine or a function, got/);
    }
  });

  test("refuses options that are none, and closes the coroutine", async () => {
    const wrong = [null, 5, { clock: 5 }, { context: {} }, { signal: {} }, { loopFactory: () => ({}) }];
    for (const options of wrong) {
      const main = sleep(1);
      assert.throws(() => run(main, options as never), ArgumentTypeError);
      await assert.rejects(
        simulate(async () => await main),
        /already closed/,
      );
    }
    assert.throws(() => new Runner(null as never), /Runner expects an object with options, got null/);
  });

  test("names its main task on request, and runs it in a context", async () => {
    const variable = new ContextVar<string>("variable");
    const context = new Context();
    const name = await run(
      async () => {
        variable.set("seen");
        return currentTask()?.getName();
      },
      { clock: new VirtualClock(), name: "main", context },
    );
    assert.equal(name, "main");
    assert.equal(context.get(variable), "seen");
  });

  testForms(
    "cancels the tasks that are left, and waits for them [RunTests.test_asyncio_run_cancels_hanging_tasks]",
    async (form) => {
      const log: string[] = [];
      const background = form.define(function* background() {
        try {
          yield* wait(sleep(1000));
        } catch (error) {
          assert.instanceOf(error, CancelledError);
          log.push(String(error));
          throw error;
        } finally {
          yield* wait(sleep(1));
          log.push("cleaned up");
        }
      });
      await simulate(async () => {
        createTask(background()).setName("background");
        await sleep(1);
        log.push("main returns");
      });
      log.push("run returns");
      assert.deepEqual(log, [
        "main returns",
        "CancelledError: cancelled by the end of run()",
        "cleaned up",
        "run returns",
      ]);
    },
  );

  test("reports the errors of the tasks it has cancelled [RunTests.test_asyncio_run_reports_hanging_tasks_errors]", async () => {
    const reports: string[] = [];
    await simulate(async () => {
      getRunningLoop().setExceptionHandler((_loop, { message, exception, task }) =>
        reports.push(`${message}: ${String(exception)} ${String(task?.getName())}`),
      );
      createTask(
        async () => {
          try {
            await sleep(1000);
          } finally {
            // eslint-disable-next-line no-unsafe-finally -- the mistake itself
            throw new Error("clean-up failed");
          }
        },
        { name: "background" },
      ).addDoneCallback(() => {});
      await sleep(0);
    });
    assert.deepEqual(reports, [
      "unhandled exception during run() shutdown: Error: clean-up failed background",
    ]);
  });

  test("loses no error of those that did end when the others never do", async () => {
    const reports: string[] = [];
    const failing = async (): Promise<void> => {
      try {
        await sleep(1000);
      } finally {
        // eslint-disable-next-line no-unsafe-finally -- the mistake itself
        throw new RangeError("clean-up failed");
      }
    };
    await assert.rejects(
      simulate(async () => {
        getRunningLoop().setExceptionHandler((_loop, { message, exception }) =>
          reports.push(`${message}: ${String(exception)}`),
        );
        createTask(() => shield(failing));
        createTask(async () => {
          try {
            await sleep(1000);
          } finally {
            await new Future();
          }
        });
        await sleep(1);
      }),
      DeadlockError,
    );
    assert.deepEqual(reports, ["RangeError exception in shielded future: RangeError: clean-up failed"]);
  });

  test("ends the async generators that its tasks iterate [RunTests.test_asyncio_run_closes_gens_after_hanging_tasks_errors]", async () => {
    const reports: unknown[] = [];
    async function* ticks(): AsyncGenerator<number> {
      for (let tick = 0; ; tick++) {
        yield tick;
        await sleep(1);
      }
    }
    const generator = ticks();
    let seen = -1;
    let task: Task<void> | undefined;
    await assert.rejects(
      simulate(async () => {
        getRunningLoop().setExceptionHandler((_loop, { exception }) => reports.push(exception));
        task = createTask(async () => {
          try {
            for await (const tick of generator) seen = tick;
          } catch (error) {
            throw new RangeError("clean-up failed", { cause: error });
          }
        });
        await sleep(4.5);
        throw new Error("main failed");
      }),
      /main failed/,
    );
    assert.equal(task?.done(), true);
    assert.equal(seen, 4);
    assert.deepEqual(reports.map(String), ["RangeError: clean-up failed"]);
    assert.deepEqual(await generator.next(), { done: true, value: undefined });
  });

  test("waits at its end for tasks that tasks start while they clean up, too", async () => {
    const log: string[] = [];
    await assert.rejects(
      simulate(async () => {
        createTask(async () => {
          try {
            await sleep(1000);
          } finally {
            await createTask(async () => {
              await sleep(1);
              log.push("started in clean-up");
            });
          }
        }).setName("parent");
        await sleep(0);
        throw new Error("main failed");
      }),
      /main failed/,
    );
    assert.deepEqual(log, ["started in clean-up"]);
  });

  test("rejects with CancelledError when main is cancelled", async () => {
    await assert.rejects(
      simulate(async () => {
        currentTask()?.cancel("enough");
        await sleep(1);
      }),
      CancelledError,
    );
  });

  test("uses the loop that it is given a factory for [RunTests.test_asyncio_run_loop_factory] [RunnerTests.test_custom_factory]", async () => {
    const loop = new EventLoop({ clock: new VirtualClock() });
    const seen = await run(async () => getRunningLoop() === loop, { loopFactory: () => loop });
    assert.equal(seen, true);
    assert.equal(loop.isClosed(), true);
  });

  test("takes newEventLoop for a factory [RunTests.test_loop_factory_default_event_loop]", async () => {
    const loop = await run(async () => getRunningLoop(), { loopFactory: newEventLoop });
    assert.ok(loop instanceof EventLoop);
    assert.equal(loop.isClosed(), true);
  });

  test("is cancelled by its signal", async () => {
    const controller = new AbortController();
    const log: string[] = [];
    const result = run(
      async () => {
        getRunningLoop().callLater(1, () => {
          controller.abort("shut down");
        });
        try {
          await sleep(100);
        } finally {
          log.push(`cleaned up at ${getRunningLoop().time().toString()}`);
        }
      },
      { clock: new VirtualClock(), signal: controller.signal },
    );
    const error = await assert.rejects<CancelledError>(result, CancelledError);
    assert.equal(error.reason, "shut down");
    assert.deepEqual(log, ["cleaned up at 1"]);
  });

  test("with a signal that is aborted already never runs main", async () => {
    let ran = false;
    const result = run(
      async () => {
        ran = true;
      },
      { signal: AbortSignal.abort(new Error("before")) },
    );
    const error = await assert.rejects<CancelledError>(result, CancelledError);
    assert.equal(error.message, "before");
    assert.equal(ran, false);
  });

  test("can be called many times, one after another and at the same time", async () => {
    for (let round = 0; round < 20; round++) assert.equal(await run(sleep(0, round)), round);
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => run(sleep(0.001, index))));
    assert.deepEqual(
      results,
      Array.from({ length: 20 }, (_, index) => index),
    );
  });

  test("that refuses leaves no debug mode behind", async () => {
    assert.throws(() => run(5 as never, { debug: true }), ArgumentTypeError);
    await Promise.resolve();
    await simulate(async () => {
      const nap = sleep(0);
      assert.equal((nap as unknown as { site?: string }).site, undefined);
      await nap;
    });
  });
});

describe("a deadlock under virtual time", () => {
  test("ends the run with an error that lists who waits for what", async () => {
    const error = await assert.rejects<DeadlockError>(
      simulate(async () => {
        const other = createTask(
          async () => {
            await new Future();
          },
          { name: "other" },
        );
        await other;
      }),
      DeadlockError,
    );
    assert.equal(error.code, "CORIO_DEADLOCK");
    assert.match(error.message, /deadlock: nothing is ready, no timer is set, and 2 task\(s\) wait for ever/);
    assert.match(error.message, /task 'Task-\d+' .*waits for task 'other'/);
    assert.match(error.message, /task 'other' .*waits for a Future/);
  });

  testForms("is thrown into main, which may go on", async (form) => {
    const main = form.define(function* main() {
      try {
        yield* wait(new Future());
      } catch (error) {
        assert.instanceOf(error, CancelledError);
        assert.instanceOf(error.reason, DeadlockError);
        yield* wait(sleep(1));
        return "recovered";
      }
      return "never";
    });
    assert.equal(await run(main(), { clock: new VirtualClock() }), "recovered");
  });

  test("lets finally blocks run", async () => {
    const log: string[] = [];
    await assert.rejects(
      simulate(async () => {
        try {
          await new Future();
        } finally {
          await sleep(1);
          log.push("cleaned up");
        }
      }),
      DeadlockError,
    );
    assert.deepEqual(log, ["cleaned up"]);
  });

  test("for the second time ends the run all the same", async () => {
    await assert.rejects(
      simulate(async () => {
        for (;;) await new Future().catch(() => undefined);
      }),
      DeadlockError,
    );
  });

  test("in the clean-up at the end does not hang", async () => {
    const result = simulate(async () => {
      createTask(async () => {
        try {
          await sleep(1000);
        } finally {
          await new Future();
        }
      }).setName("stuck");
      await sleep(0);
      return "main's result";
    });
    await Promise.allSettled([result]);
  });

  test("of tasks that wait for each other ends all of them", async () => {
    const log: string[] = [];
    const tasks: Task[] = [];
    const member = async (index: number): Promise<void> => {
      try {
        await sleep(1);
        await tasks[1 - index];
      } finally {
        log.push(`${index} cleaned up`);
      }
    };
    const error = await assert.rejects<DeadlockError>(
      simulate(async () => {
        for (const index of [0, 1]) tasks.push(createTask(() => member(index), { name: `member ${index}` }));
        await tasks[0];
      }),
      DeadlockError,
    );
    assert.match(error.message, /task 'member 0' .*waits for task 'member 1'/);
    assert.match(error.message, /task 'member 1' .*waits for task 'member 0'/);
    assert.deepEqual(log, ["1 cleaned up", "0 cleaned up"]);
  });

  for (const [kind, waitForBoth] of [
    ["a gather", (task: Task) => gather(task, sleep(1))],
    ["Promise.all", (task: Task) => Promise.all([task, sleep(1)])],
  ] as const) {
    test(`of tasks that wait for each other with ${kind} ends the run`, async () => {
      const error = await assert.rejects<DeadlockError>(
        simulate(async () => {
          const tasks: Task[] = [];
          const member = async (index: number): Promise<void> => {
            await sleep(1);
            await waitForBoth(tasks[index] as Task);
          };
          for (const index of [1, 0]) tasks.push(createTask(() => member(index)));
          await tasks[0];
        }),
        DeadlockError,
      );
      assert.match(error.message, /3 task\(s\) wait for ever/);
    });
  }

  test("of a gather names what it waits for", async () => {
    const error = await assert.rejects<DeadlockError>(
      simulate(async () => {
        await gather(new Future(), new Future());
      }),
      DeadlockError,
    );
    assert.match(error.message, /waits for gather of a Future, a Future/);
  });

  test("is not one while a promise is waited for", () =>
    simulate(async () => {
      assert.equal(await until(new Promise((resolve) => setTimeout(resolve, 5, "real"))), "real");
    }));

  testOn(["node", "bun", "deno"], "is not one while a bare promise is awaited", () =>
    simulate(async () => {
      const task = createTask(async () => await new Promise((resolve) => setTimeout(resolve, 5, "real")));
      assert.equal(await task, "real");
    }),
  );

  testOn(["node", "bun", "deno"], "is not one while an eager task awaits a bare promise", () =>
    simulate(async () => {
      const native = coroutine(
        async () => await new Promise<string>((resolve) => setTimeout(resolve, 5, "real")),
      );
      const generator = coroutine(function* () {
        return yield* native();
      });
      for (const work of [native, generator]) {
        const task = createTask(work(), { eagerStart: true });
        assert.equal(await task, "real");
      }
    }),
  );

  test("is found when an eager task only waits for corio", async () => {
    const eager = coroutine(function* () {
      yield* waitFor(new Future(), null);
    });
    const main = async (): Promise<void> => {
      await createTask(eager(), { eagerStart: true });
    };
    await assert.rejects(run(main, { clock: new VirtualClock({ foreignGrace: 3600 }) }), DeadlockError);
  });

  test("is not one while microtasks are on their way", () =>
    simulate(async () => {
      const future = new Future<string>();
      const setter = async (): Promise<void> => {
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
        future.setResult("set");
      };
      const [value] = await Promise.all([future, setter()]);
      assert.equal(value, "set");
    }));
});

// Without a top-level await: Bun and Deno do not notice that they have nothing left to do while one is pending.
describe("a program whose process would end while it waits", () => {
  testOn(["node", "bun", "deno"], "ends with a DeadlockError on the real clock", async () => {
    const { stdout, exitCode } = await runProgram(`
      import { run, Future, createTask, sleep } from "corio";
      const main = async () => {
        await run(async () => {
          await sleep(0.01);
          createTask(async () => { await new Future(); }, { name: "waiter" });
          await new Future();
        }).catch((error) => { console.log(error.name, error.code, /task 'waiter' .*waits for a Future/.test(error.message)); });
        console.log("end");
      };
      void main();
    `);
    assert.deepEqual(stdout, ["DeadlockError CORIO_DEADLOCK true", "end"]);
    assert.equal(exitCode, 0);
  });

  testOn(["node", "bun", "deno"], "also when it waits for a promise that nothing will settle", async () => {
    const { stdout } = await runProgram(`
      import { run, until } from "corio";
      void run(async () => { await until(new Promise(() => {})); }).catch((error) => { console.log(error.name); });
    `);
    assert.deepEqual(stdout, ["DeadlockError"]);
  });

  testOn(["node", "bun", "deno"], "also when no cancel can reach what it waits for", async () => {
    const { stdout } = await runProgram(`
      import { run } from "corio";
      void run(async () => { await new Promise(() => {}); }).catch((error) => { console.log(error.name); });
    `);
    assert.deepEqual(stdout, ["DeadlockError"]);
  });

  testOn(["node", "bun", "deno"], "does not keep the process when all is done", async () => {
    const begin = Date.now();
    const { stdout, exitCode } = await runProgram(`
      import { run, createTask, sleep } from "corio";
      await run(async () => { createTask(sleep(3600)); await sleep(0.01); });
      console.log("end");
    `);
    assert.deepEqual(stdout, ["end"]);
    assert.equal(exitCode, 0);
    assert.ok(Date.now() - begin < 10_000);
  });
});

describe("Ctrl-C", () => {
  const header = `
    import { run, sleep, createTask, CancelledError, KeyboardInterrupt, until, currentTask } from "corio";
    const later = (milliseconds) => setTimeout(() => process.kill(process.pid, "SIGINT"), milliseconds);
    const report = (promise) => promise.then((value) => console.log("value", value), (error) => console.log(error.name));
  `;

  testOn(
    ["node"],
    "cancels main; run rejects with KeyboardInterrupt; tasks are cleaned up [RunnerTests.test_interrupt_wait]",
    async () => {
      const { stdout } = await runProgram(`${header}
      await report(run(async () => {
        createTask(async () => { try { await sleep(10); } finally { await sleep(0.01); console.log("task cleaned up"); } });
        later(20);
        try { await sleep(10); } catch (error) { console.log(error.name, error.requestedBy); throw error; }
        finally { console.log("main cleaned up"); }
      }));
      console.log("listeners", process.listenerCount("SIGINT"));
    `);
      assert.deepEqual(stdout, [
        "CancelledError KeyboardInterrupt",
        "main cleaned up",
        "task cleaned up",
        "KeyboardInterrupt",
        "listeners 0",
      ]);
    },
  );

  testOn(["node"], "may be refused by main, whose value then counts", async () => {
    const { stdout } = await runProgram(`${header}
      await report(run(async () => {
        later(20);
        try { await sleep(10); } catch { await sleep(0.01); return "refused"; }
      }));
    `);
    assert.deepEqual(stdout, ["value refused"]);
  });

  testOn(["node"], "reaches a main that only yields [RunnerTests.test_interrupt_call_soon]", async () => {
    const { stdout } = await runProgram(`${header}
      await report(run(async () => {
        later(20);
        try { for (;;) await sleep(0); } catch (error) { console.log(error.name); throw new CancelledError(); }
      }));
    `);
    assert.deepEqual(stdout, ["CancelledError", "KeyboardInterrupt"]);
  });

  testOn(
    ["node"],
    "of a main that somebody else has cancelled leaves it at that [RunnerTests.test_interrupt_cancelled_task]",
    async () => {
      const { stdout } = await runProgram(`${header}
      await report(run(async () => {
        const main = currentTask();
        createTask(async () => {
          await sleep(0);
          main.cancel();
          process.emit("SIGINT");
        });
        await sleep(10);
      }));
    `);
      assert.deepEqual(stdout, ["CancelledError"]);
    },
  );

  testOn(
    ["node"],
    "is nothing to threads, which run programs all the same [RunnerTests.test_signal_install_not_supported_ok]",
    async () => {
      const { stdout } = await runProgram(`
      import { Worker } from "node:worker_threads";
      const program = 'import { run, sleep } from "corio"; console.log(await run(sleep(0.001, "slept")));';
      new Worker(new URL("data:text/javascript," + encodeURIComponent(program)));
    `);
      assert.deepEqual(stdout, ["slept"]);
    },
  );

  testOn(["node"], "counts once when a shell and npm both pass it on", async () => {
    const { stdout } = await runProgram(`${header}
      await report(run(async () => {
        // Both at once: one that came a tenth of a second later, on a busy machine, would count.
        later(20);
        later(20);
        try { await sleep(10); } finally { await sleep(0.2); console.log("cleaned up"); }
      }));
    `);
    assert.deepEqual(stdout, ["cleaned up", "KeyboardInterrupt"]);
  });

  testOn(["node"], "pressed twice ends the run at once", async () => {
    const { stdout } = await runProgram(`${header}
      await report(run(async () => {
        later(20);
        for (let round = 0; round < 2; round++) { try { await sleep(10); console.log("slept", round); } catch { console.log("refused"); if (round === 0) later(150); } }
      }));
    `);
    assert.deepEqual(stdout, ["refused", "refused", "KeyboardInterrupt"]);
  });

  testOn(["node"], "is left to a program that handles it itself", async () => {
    const { stdout } = await runProgram(`${header}
      let isHandled = false;
      process.on("SIGINT", () => { console.log("my own handler"); isHandled = true; });
      await report(run(async () => { later(20); while (!isHandled) await sleep(0.01); return "undisturbed"; }));
      process.exit(0);
    `);
    assert.deepEqual(stdout, ["my own handler", "value undisturbed"]);
  });

  testOn(["node"], "after the run has its usual effect", async () => {
    const { signal } = await runProgram(`${header}
      await report(run(async () => { await sleep(0.01); }));
      later(10);
      setTimeout(() => {}, 5000);
    `);
    assert.equal(signal, "SIGINT");
  });

  testOn(["node"], "cancels every run that is under way", async () => {
    const { stdout } = await runProgram(`${header}
      later(50);
      await Promise.all([report(run(sleep(10, "a"))), report(run(sleep(10, "b")))]);
    `);
    assert.deepEqual(stdout, ["KeyboardInterrupt", "KeyboardInterrupt"]);
  });
});
