import {
  ArgumentTypeError,
  coroutine,
  createTask,
  DeadlockError,
  Future,
  gather,
  getRunningLoop,
  run,
  sleep,
  until,
  ValueError,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test, testOn } from "./support/harness.ts";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("a virtual clock", () => {
  test("jumps to the next timer when nothing is ready", async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const begin = Date.now();
    await run(
      async () => {
        for (const hours of [1, 10, 100]) {
          await sleep({ hours });
          times.push(getRunningLoop().time());
        }
      },
      { clock },
    );
    assert.deepEqual(times, [3600, 39_600, 399_600]);
    assert.equal(clock.time(), 399_600);
    assert.ok(Date.now() - begin < 5000);
  });

  test("begins where it is told, and goes on from run to run", async () => {
    const clock = new VirtualClock({ start: 1000 });
    await run(sleep(5), { clock });
    assert.equal(clock.time(), 1005);
    await run(sleep(5), { clock });
    assert.equal(clock.time(), 1010);
  });

  test("does not move while something is ready", async () => {
    const clock = new VirtualClock();
    await run(
      async () => {
        const task = createTask(sleep(1));
        for (let round = 0; round < 50; round++) {
          await sleep(0);
          assert.equal(clock.time(), 0);
        }
        await task;
      },
      { clock },
    );
  });

  test("gives a whole program exact times", async () => {
    const log: [string, number][] = [];
    const clock = new VirtualClock();
    const work = coroutine(async function work(name: string, seconds: number) {
      await sleep(seconds);
      log.push([name, clock.time()]);
    });
    await run(
      async () => {
        await gather(work("c", 0.3), work("a", 0.1), work("b", 0.2), work("a2", 0.1));
      },
      { clock },
    );
    assert.deepEqual(log, [
      ["a", 0.1],
      ["a2", 0.1],
      ["b", 0.2],
      ["c", 0.3],
    ]);
  });

  test("without autoJump moves only by advance; timers fire on the way, each at its time", async () => {
    const clock = new VirtualClock({ autoJump: false });
    const log: number[] = [];
    const running = run(
      async () => {
        for (let beat = 0; beat < 5; beat++) {
          await sleep(1);
          log.push(clock.time());
        }
      },
      { clock },
    );
    for (let round = 0; round < 3; round++) await turn();
    assert.deepEqual(log, []);
    assert.equal(clock.time(), 0);
    clock.advance(2.5);
    for (let round = 0; round < 10; round++) await turn();
    assert.deepEqual(log, [1, 2]);
    assert.equal(clock.time(), 2.5);
    clock.advance(0.5);
    for (let round = 0; round < 10; round++) await turn();
    assert.deepEqual(log, [1, 2, 3]);
    clock.advance({ minutes: 1 });
    await running;
    assert.deepEqual(log, [1, 2, 3, 4, 5]);
  });

  for (const [what, hang] of [
    ["no timer is set", () => new Future<void>()],
    ["the only timer is at infinity", () => sleep(Infinity)],
  ] as const) {
    test(`advance moves the time also while ${what}`, async () => {
      const clock = new VirtualClock({ autoJump: false });
      let goOn = (): void => undefined;
      const running = run(
        async () => {
          const hanging = createTask(hang);
          await until(
            new Promise<void>((resolve) => {
              goOn = resolve;
            }),
          );
          const before = clock.time();
          await sleep(1);
          hanging.cancel();
          return [before, clock.time()];
        },
        { clock },
      );
      for (let round = 0; round < 5; round++) await turn();
      clock.advance(5);
      for (let round = 0; round < 5; round++) await turn();
      assert.equal(clock.time(), 5);
      goOn();
      for (let round = 0; round < 5; round++) await turn();
      clock.advance(1);
      assert.deepEqual(await running, [5, 6]);
    });
  }

  test("refuses to go back, and what is no duration", () => {
    const clock = new VirtualClock();
    assert.throws(() => {
      clock.advance(-1);
    }, ValueError);
    assert.throws(() => {
      clock.advance(Number.NaN);
    }, ValueError);
    assert.throws(() => {
      clock.advance("1" as never);
    }, ArgumentTypeError);
    assert.throws(() => new VirtualClock({ foreignGrace: "x" as never }), ArgumentTypeError);
    assert.throws(() => new VirtualClock({ start: "x" as never }), ArgumentTypeError);
    assert.throws(() => new VirtualClock(null as never), ArgumentTypeError);
    assert.equal(clock.time(), 0);
  });

  test("that nobody runs on is advanced at once", () => {
    const clock = new VirtualClock({ start: 5 });
    clock.advance(10);
    assert.equal(clock.time(), 15);
  });

  test("stands still for a promise that is waited for", async () => {
    const clock = new VirtualClock();
    await run(
      async () => {
        const task = createTask(sleep(100));
        await until(new Promise((resolve) => setTimeout(resolve, 10)));
        assert.equal(clock.time(), 0);
        await task;
        assert.equal(clock.time(), 100);
      },
      { clock },
    );
  });

  testOn(["node", "bun", "deno"], "stands still for a task on a bare promise", async () => {
    const clock = new VirtualClock();
    await run(
      async () => {
        const task = createTask(sleep(100));
        await new Promise((resolve) => setTimeout(resolve, 10));
        assert.equal(clock.time(), 0);
        await task;
      },
      { clock },
    );
  });

  test("jumps over a promise when its grace period is over", async () => {
    const clock = new VirtualClock({ foreignGrace: { milliseconds: 5 } });
    const result = await run(
      async () => {
        const never = createTask(until(new Promise(() => {})));
        await sleep(100);
        never.cancel();
        return clock.time();
      },
      { clock },
    );
    assert.equal(result, 100);
  });

  test("does not go to a timer at infinity: that is a deadlock", async () => {
    const clock = new VirtualClock();
    await assert.rejects(run(sleep(Infinity), { clock }), DeadlockError);
    assert.equal(clock.time(), 0);
  });

  test("wakes up for a future that the host completes", async () => {
    const clock = new VirtualClock({ autoJump: false });
    let future: Future<string> | undefined;
    const running = run(
      async () => {
        future = new Future<string>();
        const task = createTask(sleep(1));
        const value = await future;
        task.cancel();
        return value;
      },
      { clock },
    );
    for (let round = 0; round < 5; round++) await turn();
    future?.setResult("from outside");
    assert.equal(await running, "from outside");
  });
});
