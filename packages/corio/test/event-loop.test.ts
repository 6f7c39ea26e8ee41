import {
  ArgumentTypeError,
  coroutine,
  createTask,
  EventLoop,
  Future,
  getEventLoop,
  getRunningLoop,
  KeyboardInterrupt,
  newEventLoop,
  run,
  RuntimeError,
  setEventLoop,
  sleep,
  Task,
} from "corio";
import type { Coroutine } from "corio";
import { VirtualClock } from "corio/testing";
import { afterEach, assert, describe, test } from "./support/harness.ts";
import { testForms } from "./support/forms.ts";
import { printedBy } from "./support/printed-by.ts";
import { simulate } from "./support/simulate.ts";

type ExceptionContext = Parameters<EventLoop["callExceptionHandler"]>[0];
type TaskFactory = NonNullable<ReturnType<EventLoop["getTaskFactory"]>>;

/** What the loop's exception handler is told. */
function reportsOf(loop: EventLoop): string[] {
  const reports: string[] = [];
  loop.setExceptionHandler((_loop, { message }) => reports.push(message));
  return reports;
}

const makeLoop = (): EventLoop => new EventLoop({ clock: new VirtualClock() });

describe("callSoon", () => {
  test("calls in the next iteration, first in, first out, with its arguments [BaseEventLoopTests.test_call_soon] [EventLoopTestsMixin.test_call_soon]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const log: unknown[] = [];
      loop.callSoon((...parameters: unknown[]) => log.push(parameters), "a", 1);
      loop.callSoon(() => {
        log.push("second");
        loop.callSoon(() => log.push("fourth"));
      });
      loop.callSoon(() => log.push("third"));
      assert.deepEqual(log, []);
      await sleep(0);
      assert.deepEqual(log, [["a", 1], "second", "third"]);
      await sleep(0);
      assert.deepEqual(log, [["a", 1], "second", "third", "fourth"]);
    }));

  test("refuses what is no function, and closes coroutines [BaseEventLoopTests.test_call_soon_non_callable] [BaseEventLoopWithSelectorTests.test_call_coroutine]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      assert.throws(() => loop.callSoon("x" as never), /callSoon expects a plain function, got "x"/);
      assert.throws(() => loop.callLater(1, 5 as never), ArgumentTypeError);
      assert.throws(() => loop.callAt(1, null as never), ArgumentTypeError);
      assert.throws(() => loop.callSoonIn({} as never, () => 1), /callSoon: context expects a Context/);
      assert.throws(() => loop.callAtIn({} as never, 1, () => 1), /callAt: context expects a Context/);
      const nap = sleep(1);
      assert.throws(() => loop.callSoon(nap as never), /coroutines are scheduled with createTask/);
      await assert.rejects(createTask(nap), /already closed/);
    }));

  test("needs a clock that is one", () => {
    for (const clock of [5, null, {}, VirtualClock])
      assert.throws(() => newEventLoop({ clock: clock as never }), /EventLoop: clock expects a Clock/);
    assert.throws(() => newEventLoop(null as never), ArgumentTypeError);
  });

  test("on a closed loop is refused [BaseEventLoopTests.test_close] [EventLoopTestsMixin.test_close]", () => {
    const loop = makeLoop();
    loop.close();
    loop.close();
    assert.equal(loop.isClosed(), true);
    for (const use of [
      () => loop.callSoon(() => {}),
      () => loop.callLater(1, () => {}),
      () => loop.callAt(1, () => {}),
      () => loop.runForever(),
      () => loop.runUntilComplete(new Future({ loop })),
      () => loop.createTask(async () => {}),
    ]) {
      const error = assert.throws<RuntimeError>(use, RuntimeError);
      assert.equal(error.code, "CORIO_LOOP_CLOSED");
    }
  });
});

describe("callLater and callAt", () => {
  test("call at their time, in order of their deadlines [BaseEventLoopTests.test_call_later] [EventLoopTestsMixin.test_call_later] [BaseEventLoopTests.test_time_and_call_at]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const log: [string, number][] = [];
      const note = (name: string): void => {
        log.push([name, loop.time()]);
      };
      loop.callLater(3, note, "three");
      loop.callLater(1, note, "one");
      const timer = loop.callAt(loop.time() + 2, note, "two");
      assert.equal(timer.when(), 2);
      await sleep(10);
      assert.deepEqual(log, [
        ["one", 1],
        ["two", 2],
        ["three", 3],
      ]);
    }));

  test("with equal deadlines call in the order they were made", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const log: number[] = [];
      for (let index = 0; index < 200; index++) loop.callAt(1, () => log.push(index));
      await sleep(2);
      assert.deepEqual(
        log,
        Array.from({ length: 200 }, (_, index) => index),
      );
    }));

  test("keep their order when half of them are cancelled", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const log: number[] = [];
      const timers = Array.from({ length: 1000 }, (_, index) =>
        loop.callLater(1 + (index % 7), () => log.push((index % 7) * 1000 + index)),
      );
      timers.forEach((timer, index) => {
        if (index % 3 !== 0) timer.cancel();
      });
      assert.ok(loop.scheduler.timerCount < 600, `${loop.scheduler.timerCount.toString()} timers are kept`);
      await sleep(10);
      assert.equal(log.length, 334);
      assert.deepEqual(
        log,
        [...log].sort((left, right) => left - right),
      );
    }));

  test("make ready what waits for the next iteration [BaseEventLoopTests.test__run_once_schedule_handle]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const log: string[] = [];
      loop.callLater(1, () => {
        log.push("timer");
        loop.callSoon(() => log.push("made ready by the timer"));
      });
      loop.callLater(1, () => log.push("second timer"));
      await sleep(2);
      assert.deepEqual(log, ["timer", "second timer", "made ready by the timer"]);
    }));

  test("with the shortest delays take an iteration each [EventLoopTestsMixin.test_timeout_rounding]", async () => {
    const clock = new VirtualClock();
    let jumps = 0;
    const jump = clock.jump.bind(clock);
    clock.jump = (deadline) => {
      jumps++;
      return jump(deadline);
    };
    const delays = [1e-2, 1e-4, 1e-6, 1e-8, 1e-10];
    await run(
      async () => {
        for (const delay of delays) await sleep(delay);
      },
      { clock },
    );
    assert.equal(jumps, delays.length);
  });

  test("with a negative delay call first, but not at once [BaseEventLoopTests.test_call_later_negative_delays]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const log: string[] = [];
      loop.callLater(0, () => log.push("zero"));
      loop.callLater(-1, () => log.push("minus one"));
      assert.deepEqual(log, []);
      await sleep(0);
      await sleep(0);
      assert.deepEqual(log, ["minus one", "zero"]);
      assert.equal(loop.time(), 0);
    }));

  test("refuse NaN and what is no number", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      assert.throws(
        () => loop.callLater(Number.NaN, () => {}),
        /callLater expects a delay in seconds, got NaN/,
      );
      assert.throws(() => loop.callLater(undefined as never, () => {}), ArgumentTypeError);
      assert.throws(() => loop.callAt("1" as never, () => {}), /callAt expects a time in seconds, got "1"/);
      assert.equal(loop.scheduler.timerCount, 0);
    }));

  test("on the real clock take about their time", async () => {
    await run(async () => {
      const loop = getRunningLoop();
      const begin = loop.time();
      const future = new Future<number>();
      loop.callLater(0.02, () => {
        future.setResult(loop.time() - begin);
      });
      const elapsed = await future;
      assert.ok(elapsed >= 0.0199, `only ${elapsed.toString()} s`);
    });
  });

  test("past 24.8 days on the real clock do not call at once", async () => {
    await run(async () => {
      const loop = getRunningLoop();
      const log: string[] = [];
      const timers = [
        loop.callLater(60 * 86_400, () => log.push("two months")),
        loop.callLater(1e12, () => log.push("ages")),
        loop.callLater(Infinity, () => log.push("never")),
      ];
      await sleep(0.02);
      assert.deepEqual(log, []);
      for (const timer of timers) timer.cancel();
    });
  });
});

describe("a loop", () => {
  test("runs until it is stopped, and again [BaseEventLoopTests.test_run_once]", async () => {
    const loop = makeLoop();
    const log: string[] = [];
    loop.callSoon(() => {
      log.push("first run");
      loop.stop();
      loop.callSoon(() => log.push("second run"));
    });
    await loop.runForever();
    assert.deepEqual(log, ["first run"]);
    assert.equal(loop.isRunning(), false);
    loop.callSoon(() => {
      loop.stop();
    });
    const running = loop.runForever();
    assert.equal(loop.isRunning(), true);
    assert.throws(() => loop.runForever(), /already running/);
    assert.throws(() => {
      loop.close();
    }, /cannot close a running event loop/);
    await running;
    assert.deepEqual(log, ["first run", "second run"]);
    loop.close();
  });

  test("finishes its iteration after stop() [BaseEventLoopTests.test_single_selecter_event_callback_after_stopping]", async () => {
    const loop = makeLoop();
    const log: string[] = [];
    loop.callSoon(() => {
      loop.stop();
      log.push("a");
    });
    loop.callSoon(() => log.push("b"));
    loop.callSoon(() => loop.callSoon(() => log.push("next time")));
    await loop.runForever();
    assert.deepEqual(log, ["a", "b"]);
    loop.close();
  });

  test("stopped before it runs makes one iteration [BaseEventLoopTests.test_run_forever_pre_stopped]", async () => {
    const loop = makeLoop();
    const log: string[] = [];
    loop.callSoon(() => {
      log.push("once");
      loop.callSoon(() => log.push("not yet"));
    });
    loop.stop();
    await loop.runForever();
    assert.deepEqual(log, ["once"]);
    loop.close();
  });

  test("keeps the tasks it has not finished for its next run [EventLoopTestsMixin.test_run_until_complete_stopped] [BaseTaskTests.test_stop_while_run_in_complete]", async () => {
    const loop = makeLoop();
    const work = coroutine(async function work() {
      await sleep(1);
      loop.stop();
      await sleep(1);
      return loop.time();
    });
    const task = loop.createTask(work());
    await assert.rejects(
      loop.runUntilComplete(task),
      /the event loop was stopped before the future was done/,
    );
    assert.equal(task.done(), false);
    assert.equal(await loop.runUntilComplete(task), 2);
    loop.close();
  });

  test("runs until a future is done [EventLoopTestsMixin.test_run_until_complete] [BaseEventLoopTests.test_run_until_complete_loop]", async () => {
    const loop = makeLoop();
    assert.equal(await loop.runUntilComplete(sleep(1, "slept")), "slept");
    const future = loop.createFuture<number>();
    loop.callLater(1, () => {
      future.setResult(7);
    });
    assert.equal(await loop.runUntilComplete(future), 7);
    await assert.rejects(
      loop.runUntilComplete(async () => {
        throw new RangeError("boom");
      }),
      RangeError,
    );
    loop.close();
  });

  test("runs nothing but what can be waited for [BaseEventLoopTests.test_run_until_complete_type_error]", () => {
    const loop = makeLoop();
    assert.throws(() => loop.runUntilComplete("x" as never), ArgumentTypeError);
    assert.equal(loop.isRunning(), false);
    const other = makeLoop();
    assert.throws(() => loop.runUntilComplete(new Future({ loop: other })));
    loop.close();
    other.close();
  });

  test("that is running cannot be closed [EventLoopTestsMixin.test_close_running_event_loop]", async () => {
    const loop = makeLoop();
    await assert.rejects(
      loop.runUntilComplete(async () => {
        loop.close();
      }),
      RuntimeError,
    );
    assert.equal(loop.isClosed(), false);
    loop.close();
  });

  test("runs timers that became due while it was stopped with those made since, in the order of their deadlines", async () => {
    const loop = makeLoop();
    const log: string[] = [];
    const later = (delay: number, name: string): void => {
      loop.callLater(delay, () => log.push(name));
    };
    await loop.runUntilComplete(async () => {
      // The task's first step is in the last iteration: the timer is due in the one after it.
      createTask(async () => later(0, "left"));
    });
    later(0, "same time");
    later(-1, "earlier");
    await loop.runUntilComplete(sleep(0));
    assert.deepEqual(log, ["earlier", "left", "same time"]);
    loop.close();
  });

  test("runs timers that became due while it was stopped before what its first handles make ready, however long these are", async () => {
    const loop = newEventLoop();
    const log: string[] = [];
    // In the iteration in which the loop is stopped.
    const lastIteration = (): void => {
      // Longer than the loop keeps the thread, so that it puts so many handles aside in two goes.
      for (const end = performance.now() + 5; performance.now() < end;);
      for (let handle = 0; handle < 500; handle++) loop.callSoon(() => {});
      loop.callSoon(() => {
        log.push("handle");
        loop.callSoon(() => log.push("made by it"));
      });
      loop.callLater(0, () => log.push("timer"));
    };
    await loop.runUntilComplete(async () => {
      loop.callSoon(lastIteration);
    });
    assert.deepEqual(log, []);
    await loop.runUntilComplete(() => sleep(0.001));
    assert.deepEqual(log, ["handle", "timer", "made by it"]);
    loop.close();
  });

  test("stopped by a KeyboardInterrupt runs again, undisturbed by what it was to wait for [BaseEventLoopTests.test_run_until_complete_loop_orphan_future_close_loop]", async () => {
    const loop = makeLoop();
    const reports = reportsOf(loop);
    loop.callSoon(() => {
      throw new KeyboardInterrupt("stop it");
    });
    await assert.rejects(loop.runUntilComplete(sleep(1)), KeyboardInterrupt);
    assert.equal(loop.isRunning(), false);
    // The first sleep ends on the way, and must not stop the loop.
    assert.equal(await loop.runUntilComplete(sleep(2, "slept")), "slept");
    assert.equal(loop.time(), 2);
    assert.deepEqual(reports, []);
    loop.close();
  });

  testForms(
    "gives a KeyboardInterrupt of its main task to its caller only, and stops no later run [BaseEventLoopTests.test_run_forever_keyboard_interrupt] [BaseEventLoopTests.test_run_until_complete_baseexception]",
    async (form) => {
      const loop = makeLoop();
      const reports = reportsOf(loop);
      // eslint-disable-next-line require-yield -- it fails at once
      const main = form.define(function* main() {
        throw new KeyboardInterrupt("stop it");
      });
      await assert.rejects(loop.runUntilComplete(main()), KeyboardInterrupt);
      const log: string[] = [];
      loop.callSoon(() =>
        loop.callSoon(() =>
          loop.callSoon(() => {
            log.push("called");
            loop.stop();
          }),
        ),
      );
      await loop.runForever();
      assert.deepEqual(log, ["called"]);
      loop.close();
      assert.deepEqual(reports, []);
    },
  );

  test("does not hold the host's events up, however much is ready", async () => {
    let spins = 0;
    let ticks = 0;
    await run(async () => {
      const spin = createTask(async () => {
        for (;;) {
          spins++;
          await sleep(0);
        }
      });
      const future = new Future<void>();
      const beat = (): void => {
        ticks++;
        if (ticks === 5) future.setResult();
        else setTimeout(beat, 0);
      };
      setTimeout(beat, 0);
      await future;
      spin.cancel();
    });
    assert.equal(ticks, 5);
    assert.ok(spins > 10);
    // About a second's worth. Not in time: on a busy machine neither the loop nor the host runs for a while.
    assert.ok(spins < 500_000, `the host's timers came late: after ${spins} turns`);
  });

  test("does not starve its own timers", async () => {
    await run(async () => {
      const spin = createTask(async () => {
        for (;;) await sleep(0);
      });
      await sleep(0.01);
      spin.cancel();
    });
  });
});

describe("the running loop", () => {
  afterEach(() => {
    setEventLoop(null);
  });

  test("is that of the running task or callback [GetEventLoopTestsMixin.test_get_event_loop_returns_running_loop]", async () => {
    const loop = makeLoop();
    const seen: unknown[] = [];
    await loop.runUntilComplete(async () => {
      seen.push(getRunningLoop(), getEventLoop());
      loop.callSoon(() => seen.push(getRunningLoop()));
      await sleep(0);
    });
    assert.deepEqual(new Set(seen), new Set([loop]));
    loop.close();
  });

  test("is none outside [PolicyTests.test_get_event_loop] [GetEventLoopTestsMixin.test_get_event_loop_returns_running_loop2]", () => {
    assert.throws(() => getRunningLoop(), /no running event loop: start the program with run\(main\(\)\)/);
    assert.throws(() => getEventLoop(), RuntimeError);
  });

  test("is not the one that was set, which getEventLoop falls back on [PolicyTests.test_set_event_loop] [PolicyTests.test_get_event_loop_after_set_none]", () => {
    const loop = makeLoop();
    setEventLoop(loop);
    assert.equal(getEventLoop(), loop);
    assert.throws(() => getRunningLoop(), RuntimeError);
    setEventLoop(null);
    assert.throws(() => getEventLoop(), RuntimeError);
    assert.throws(() => {
      setEventLoop("x" as never);
    }, /setEventLoop expects an EventLoop or null, got "x"/);
    loop.close();
  });

  test("is a new one on request [PolicyTests.test_new_event_loop]", () => {
    const loop = newEventLoop();
    assert.instanceOf(loop, EventLoop);
    assert.equal(loop.isRunning(), false);
    loop.close();
  });
});

describe("the exception handler", () => {
  /** What a handler is told while `body` runs. */
  async function reportsOf(body: (loop: EventLoop) => Promise<unknown>): Promise<ExceptionContext[]> {
    const reports: ExceptionContext[] = [];
    await simulate(async () => {
      const loop = getRunningLoop();
      loop.setExceptionHandler((_loop, context) => {
        reports.push(context);
      });
      await body(loop);
    });
    return reports;
  }

  test("hears of callbacks that throw; the loop goes on [BaseEventLoopTests.test_set_exc_handler_custom] [HandleTests.test_callback_with_exception] [BaseTaskTests.test_error_in_call_soon]", async () => {
    const error = new Error("boom");
    let handle: unknown;
    const log: string[] = [];
    const reports = await reportsOf(async (loop) => {
      handle = loop.callSoon(() => {
        throw error;
      });
      loop.callSoon(() => log.push("next"));
      await sleep(0);
    });
    assert.equal(reports.length, 1);
    assert.match(reports[0]?.message ?? "", /^Exception in callback/);
    assert.equal(reports[0]?.exception, error);
    assert.equal(reports[0].handle, handle);
    assert.deepEqual(log, ["next"]);
  });

  test("is asked for, and can be reset", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      assert.equal(loop.getExceptionHandler(), null);
      const handler = (): void => {};
      loop.setExceptionHandler(handler);
      assert.equal(loop.getExceptionHandler(), handler);
      loop.setExceptionHandler(null);
      assert.equal(loop.getExceptionHandler(), null);
    }));

  test("must be a function or null [BaseEventLoopTests.test_set_exc_handler_invalid]", () =>
    simulate(async () => {
      assert.throws(() => {
        getRunningLoop().setExceptionHandler("x" as never);
      }, /setExceptionHandler expects a function or null, got "x"/);
    }));

  test("that throws is reported to the default one [BaseEventLoopTests.test_set_exc_handler_broken]", async () => {
    const reports: ExceptionContext[] = [];
    class Loop extends EventLoop {
      override defaultExceptionHandler(context: ExceptionContext): void {
        reports.push(context);
      }
    }
    const loop = new Loop({ clock: new VirtualClock() });
    loop.setExceptionHandler(() => {
      throw new Error("broken handler");
    });
    await loop.runUntilComplete(async () => {
      loop.callSoon(() => {
        throw new Error("boom");
      });
      await sleep(0);
    });
    loop.close();
    assert.equal(reports.length, 1);
    assert.equal(reports[0]?.message, "Unhandled error in exception handler");
    assert.equal(String(reports[0].exception), "Error: broken handler");
    assert.equal(String((reports[0]["context"] as ExceptionContext).exception), "Error: boom");
  });

  test("that is the default one and throws stops nothing [BaseEventLoopTests.test_default_exc_handler_broken]", async () => {
    const printed = await printedBy(async () => {
      class Loop extends EventLoop {
        override defaultExceptionHandler(): void {
          throw new Error("broken default");
        }
      }
      const loop = new Loop({ clock: new VirtualClock() });
      await loop.runUntilComplete(async () => {
        loop.callSoon(() => {
          throw new Error("boom");
        });
        await sleep(0);
      });
      loop.close();
    });
    assert.equal(printed.length, 1);
    assert.match(
      printed[0] ?? "",
      /error in the default exception handler while reporting 'Exception in callback.*broken default/,
    );
  });

  test("by default prints the error [BaseEventLoopTests.test_default_exc_handler_callback] [BaseEventLoopTests.test_default_exc_handler_coro]", async () => {
    const printed = await printedBy(() =>
      simulate(async () => {
        getRunningLoop().callSoon(function broken() {
          throw new RangeError("boom");
        });
        await sleep(0);
      }),
    );
    assert.equal(printed.length, 1);
    assert.match(printed[0] ?? "", /^Exception in callback broken/);
    assert.match(printed[0] ?? "", /RangeError: boom|\{\}/);
  });

  test("is called for the program by callExceptionHandler", async () => {
    const reports = await reportsOf(async (loop) => {
      loop.callExceptionHandler({ message: "mine", exception: 1, extra: "anything" });
    });
    assert.deepEqual(reports, [{ message: "mine", exception: 1, extra: "anything" }]);
  });
});

describe("a task factory", () => {
  test("makes the tasks [BaseEventLoopTests.test_set_task_factory] [BaseEventLoopTests.test_create_named_task_with_custom_factory]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const made: unknown[] = [];
      class Special<T> extends Task<T> {}
      const factory: TaskFactory = <T>(its: EventLoop, work: Coroutine<T>, options: object) => {
        made.push(its === loop, work.name, options);
        return new Special<T>(work, options, its);
      };
      assert.equal(loop.getTaskFactory(), null);
      loop.setTaskFactory(factory);
      assert.equal(loop.getTaskFactory(), factory);
      const task = createTask(sleep(0, "done"), { name: "mine" });
      assert.instanceOf(task, Special);
      assert.equal(task.getName(), "mine");
      assert.equal(await task, "done");
      assert.deepEqual(made, [true, "sleep", { name: "mine" }]);
      loop.setTaskFactory(null);
      assert.equal(createTask(sleep(0)) instanceof Special, false);
    }));

  test("must be a function or null [BaseEventLoopTests.test_set_task_factory_invalid]", () =>
    simulate(async () => {
      assert.throws(() => {
        getRunningLoop().setTaskFactory(1 as never);
      }, /setTaskFactory expects a function or null, got 1/);
      assert.equal(getRunningLoop().getTaskFactory(), null);
    }));
});
