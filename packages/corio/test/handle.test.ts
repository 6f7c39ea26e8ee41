import { getRunningLoop, run, sleep } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";
import { simulate } from "./support/simulate.ts";

describe("a handle", () => {
  test("that is cancelled is not called [HandleTests.test_handle] [BaseEventLoopTests.test__add_callback_cancelled_handle]", () =>
    simulate(async () => {
      const log: string[] = [];
      const handle = getRunningLoop().callSoon(() => log.push("called"));
      assert.equal(handle.cancelled(), false);
      handle.cancel();
      handle.cancel();
      assert.equal(handle.cancelled(), true);
      await sleep(0);
      assert.deepEqual(log, []);
    }));

  test("may be cancelled by one that runs before it in the same iteration", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const log: string[] = [];
      loop.callSoon(() => {
        log.push("first");
        second.cancel();
      });
      const second = loop.callSoon(() => log.push("second"));
      loop.callSoon(() => log.push("third"));
      await sleep(0);
      assert.deepEqual(log, ["first", "third"]);
    }));

  test("lets its callback and arguments go when it is cancelled [HandleTests.test_handle_weakref]", async () => {
    const gc = (globalThis as { gc?: () => void }).gc;
    if (gc === undefined) return;
    await run(async () => {
      const collected: string[] = [];
      const registry = new FinalizationRegistry((name: string) => collected.push(name));
      const handles = [0, 1].map((index) => {
        const argument = { index };
        registry.register(argument, `argument ${index.toString()}`);
        const handle = getRunningLoop().callLater(1000, (_argument: object) => {}, argument);
        handle.cancel();
        return handle;
      });
      for (let round = 0; round < 20 && collected.length === 0; round++) {
        await sleep(0.005);
        gc();
      }
      assert.equal(handles.length, 2);
      assert.ok(collected.length > 0);
    });
  });
});

describe("a timer handle", () => {
  test("knows its deadline [TimerTests.test_when] [TimerTests.test_timer]", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      await sleep(5);
      const later = loop.callLater(10, () => {});
      const at = loop.callAt(7, () => {});
      assert.equal(later.when(), 15);
      assert.equal(at.when(), 7);
      later.cancel();
      assert.equal(later.when(), 15);
      at.cancel();
    }));

  test("that is cancelled is forgotten: the clock does not go there [BaseEventLoopTests.test__run_once_cancelled_event_cleanup]", async () => {
    const clock = new VirtualClock();
    await run(
      async () => {
        const loop = getRunningLoop();
        const log: string[] = [];
        const timers = Array.from({ length: 500 }, (_, index) =>
          loop.callLater(1000 + index, () => log.push("called")),
        );
        for (const timer of timers) timer.cancel();
        assert.ok(loop.scheduler.timerCount <= 250, "cancelled timers are kept");
        await sleep(1);
        assert.deepEqual(log, []);
      },
      { clock },
    );
    assert.equal(clock.time(), 1);
  });

  test("that is cancelled does not shorten the way to the next [BaseEventLoopTests.test__run_once]", async () => {
    const clock = new VirtualClock();
    const jumps: number[] = [];
    const jump = clock.jump.bind(clock);
    clock.jump = (deadline) => {
      jumps.push(deadline);
      return jump(deadline);
    };
    await run(
      async () => {
        const loop = getRunningLoop();
        const future = loop.createFuture<string>();
        const first = loop.callLater(5, () => {});
        loop.callLater(10, () => {
          future.setResult("on time");
        });
        first.cancel();
        await future;
      },
      { clock },
    );
    assert.deepEqual(jumps, [10]);
  });

  test("may be cancelled after it was called", () =>
    simulate(async () => {
      const loop = getRunningLoop();
      const timer = loop.callLater(1, () => {});
      await sleep(2);
      timer.cancel();
      assert.equal(timer.cancelled(), true);
      await sleep(1);
    }));
});
