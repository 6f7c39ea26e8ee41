// What the hosts must all do the same way.
import { createTask, Future, getRunningLoop, run, sleep, until } from "corio";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { runProgram } from "./support/program.ts";

describe("the host", () => {
  test("gives the real clock's time: monotonic, in seconds", () =>
    run(async () => {
      const loop = getRunningLoop();
      // The host may be kept from running at any of these lines, so the wall clock is read around the loop's.
      const wall = () => Date.now() / 1000;
      const earliest = wall();
      const begin = loop.time();
      const latest = wall();
      await sleep(0.03);
      const atLeast = wall() - latest;
      const elapsed = loop.time() - begin;
      const atMost = wall() - earliest;
      assert.ok(elapsed >= 0.0299, `slept ${elapsed.toString()} s`);
      assert.ok(elapsed > atLeast - 0.5 && elapsed < atMost + 0.5);
    }));

  test("runs its own timers and promises beside the loop", () =>
    run(async () => {
      const log: string[] = [];
      const future = new Future<void>();
      setTimeout(() => {
        log.push("timer");
        future.setResult();
      }, 3);
      void Promise.resolve().then(() => log.push("promise"));
      const spin = createTask(async () => {
        for (;;) await sleep(0);
      });
      await future;
      spin.cancel();
      assert.deepEqual(log, ["promise", "timer"]);
    }));

  test("resumes a waiting loop when a future is completed from outside", () =>
    run(async () => {
      const future = new Future<string>();
      setTimeout(() => {
        future.setResult("outside");
      }, 2);
      assert.equal(await future, "outside");
    }));

  test("hears a loop's shorter timer that is made while it waits for a longer one", () =>
    run(async () => {
      const loop = getRunningLoop();
      const long = createTask(sleep(60));
      const begin = loop.time();
      const future = new Future<void>();
      setTimeout(() => {
        loop.callLater(0.005, () => {
          future.setResult();
        });
      }, 5);
      await future;
      assert.ok(loop.time() - begin < 10);
      long.cancel();
    }));

  test("passes exceptions of foreign promises on as they are", () =>
    run(async () => {
      const error = new TypeError("foreign");
      assert.equal(await assert.rejects(until(Promise.reject(error))), error);
    }));

  testOn(["node", "bun", "deno"], "ends the process with the program, whatever timers are left", async () => {
    const begin = Date.now();
    const { stdout, exitCode } = await runProgram(`
      import { run, getRunningLoop, createTask, sleep } from "corio";
      void run(async () => {
        getRunningLoop().callLater(3600, () => {});
        createTask(sleep(3600));
        await sleep(0.01);
      }).then(() => console.log("end"));
    `);
    assert.deepEqual(stdout, ["end"]);
    assert.equal(exitCode, 0);
    assert.ok(Date.now() - begin < 15_000);
  });

  testOn(["node", "bun", "deno"], "is kept by a sleeping program until that ends", async () => {
    const { stdout } = await runProgram(`
      import { run, sleep } from "corio";
      void run(async () => { await sleep(0.1); console.log("slept"); });
    `);
    assert.deepEqual(stdout, ["slept"]);
  });

  testOn(
    ["node", "bun", "deno"],
    "does not wait for what debugging left: a stuck cancel's watch lets the process end",
    async () => {
      // Counted from when the program runs: on a busy machine its host may take seconds to get there.
      const { stdout } = await runProgram(`
      import { run, createTask, sleep } from "corio";
      void run(async () => {
        const task = createTask(async () => { await new Promise((resolve) => setTimeout(resolve, 50)); });
        await sleep(0.01);
        task.cancel();
      }).then(() => {
        // It does not keep the process, so it only comes to its end if something else does.
        setTimeout(() => console.log("kept"), 2000).unref();
        console.log("end");
      }, (error) => console.log(error.name));
    `);
      assert.deepEqual(stdout, ["end"]);
    },
  );
});
