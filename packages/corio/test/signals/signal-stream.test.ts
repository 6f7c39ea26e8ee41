import { createTask, run, sleep, timeout, TimeoutError, ValueError } from "corio";
import { signals } from "corio/signals";
import { assert, describe, test } from "../support/harness.ts";
import { runProgram } from "../support/program.ts";

const raise = (signal: NodeJS.Signals): void => {
  process.kill(process.pid, signal);
};

describe("a stream of signals", () => {
  test("gives the signals in the order in which they came", () =>
    run(async () => {
      using received = signals("SIGUSR2", "SIGHUP");
      const taken: string[] = [];
      for (const signal of ["SIGHUP", "SIGUSR2", "SIGHUP"] as const) {
        raise(signal);
        const { value } = await received.next();
        taken.push(String(value));
      }
      assert.deepEqual(taken, ["SIGHUP", "SIGUSR2", "SIGHUP"]);
    }));

  test("holds each signal once while nobody takes it", () =>
    run(async () => {
      const received = signals("SIGUSR2");
      const other = signals("SIGUSR2");
      // The kernel may make one of two, too: the second is sent when the first has been seen.
      for (let time = 0; time < 3; time++) {
        const seen = createTask(other.next());
        await sleep(0);
        raise("SIGUSR2");
        assert.equal((await seen).value, "SIGUSR2");
      }
      assert.equal(received.length, 1);
      assert.equal((await received.next()).value, "SIGUSR2");
      received.close();
      other.close();
      assert.equal(process.listenerCount("SIGUSR2"), 0);
    }));

  test("stops listening when for await is left, or its task is cancelled", () =>
    run(async () => {
      const task = createTask(async () => {
        for await (const _signal of signals("SIGUSR2"));
      });
      await sleep(0);
      assert.equal(process.listenerCount("SIGUSR2"), 1);
      task.cancel();
      await assert.rejects(task);
      assert.equal(process.listenerCount("SIGUSR2"), 0);
      raiseWhenHeard();
      for await (const signal of signals("SIGHUP")) {
        assert.equal(signal, "SIGHUP");
        break;
      }
      assert.equal(process.listenerCount("SIGHUP"), 0);
    }));

  test("survives a timeout of next", () =>
    run(async () => {
      using received = signals("SIGHUP");
      await assert.rejects(
        timeout(0, () => received.next()),
        TimeoutError,
      );
      raise("SIGHUP");
      assert.equal((await received.next()).value, "SIGHUP");
    }));

  test("is closed with the loop, and then lets the process end", async () => {
    await run(async () => {
      signals("SIGUSR2", "SIGUSR2");
      assert.throws(() => signals(), ValueError);
    });
    assert.equal(process.listenerCount("SIGUSR2"), 0);
    const { stdout, exitCode } = await runProgram(`
      import { run } from "corio";
      import { signals } from "corio/signals";
      await run(async () => { signals("SIGTERM"); });
      console.log("end");
    `);
    assert.deepEqual([stdout, exitCode], [["end"], 0]);
  });

  test("does not lose a signal that nobody took: it has its default effect", async () => {
    const { stdout, signal } = await runProgram(`
      import { createTask, run, sleep } from "corio";
      import { signals } from "corio/signals";
      await run(async () => {
        const received = signals("SIGTERM");
        process.kill(process.pid, "SIGTERM");
        while (received.length === 0) await sleep(0.001);
        console.log("closing");
        received.close();
        await sleep(10);
      });
    `);
    assert.deepEqual([stdout, signal], [["closing"], "SIGTERM"]);
  });
});

/** Raises SIGHUP in the host's next turn: the program listens by then. */
function raiseWhenHeard(): void {
  setImmediate(() => raise("SIGHUP"));
}
