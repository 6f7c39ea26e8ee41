import { CancelledError, createTask, currentTask, signal, sleep } from "corio";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { simulate } from "./support/simulate.ts";

/** A foreign function that takes a signal, as fetch does. */
const foreign = (abort: AbortSignal): Promise<never> =>
  new Promise<never>((_resolve, reject) => {
    const fail = (): void => {
      reject(abort.reason as Error);
    };
    if (abort.aborted) fail();
    else abort.addEventListener("abort", fail, { once: true });
  });

describe("signal()", () => {
  test("aborts with the CancelledError when the task is cancelled", () =>
    simulate(async () => {
      let given: AbortSignal | undefined;
      const task = createTask(async () => {
        given = signal();
        await foreign(given);
      });
      await sleep(0);
      await sleep(0);
      assert.equal(given?.aborted, false);
      task.cancel("stop");
      assert.equal(given.aborted, true);
      assert.instanceOf(given.reason, CancelledError);
      const error = await assert.rejects<CancelledError>(task, CancelledError);
      assert.equal(error.reason, "stop");
    }));

  test("is the same one until a cancel has been delivered, then a new one", () =>
    simulate(async () => {
      const log: string[] = [];
      const task = createTask(async () => {
        const first = signal();
        assert.equal(signal(), first);
        await sleep(1);
        assert.equal(signal(), first);
        try {
          await sleep(10);
        } catch {
          log.push(`first ${String(first.aborted)}`);
          const second = signal();
          log.push(`second ${String(second.aborted)} ${String(second === first)}`);
        }
        await sleep(1);
      });
      await sleep(2);
      task.cancel();
      await task;
      assert.deepEqual(log, ["first true", "second false false"]);
    }));

  testOn(["node", "bun", "deno"], "delivers a cancel once: clean-up that waits is not hit again", () =>
    simulate(async () => {
      const log: string[] = [];
      const task = createTask(async () => {
        try {
          await foreign(signal());
        } catch (error) {
          log.push(String(error));
        } finally {
          await sleep(1);
          log.push("cleaned up");
        }
        await foreign(AbortSignal.abort(new Error("of its own"))).catch((error: unknown) =>
          log.push(String(error)),
        );
        assert.equal(currentTask()?.cancelling(), 1);
      });
      await sleep(0);
      await sleep(0);
      task.cancel("stop");
      await task;
      assert.deepEqual(log, ["CancelledError: stop", "cleaned up", "Error: of its own"]);
    }),
  );

  test("delivers a cancel once, also where the host does not remember the task", () =>
    simulate(async () => {
      const log: string[] = [];
      const task = createTask(async () => {
        try {
          await foreign(signal());
        } catch (error) {
          log.push(String(error));
        }
        // In browsers the task must come back through the library before it may use it.
        log.push("cleaned up");
      });
      await sleep(0);
      await sleep(0);
      task.cancel("stop");
      await task;
      assert.deepEqual(log, ["CancelledError: stop", "cleaned up"]);
    }));

  testOn(["node", "bun", "deno"], "after a delivered cancel is a new one, which the next cancel aborts", () =>
    simulate(async () => {
      const log: string[] = [];
      const task = createTask(async () => {
        for (let round = 0; round < 2; round++) {
          try {
            await foreign(signal());
          } catch (error) {
            log.push(String(error));
          }
          await sleep(1);
        }
      });
      await sleep(0.5);
      task.cancel("one");
      await sleep(2);
      task.cancel("two");
      await task;
      assert.deepEqual(log, ["CancelledError: one", "CancelledError: two"]);
    }),
  );

  testOn(["node", "bun", "deno"], "that nobody listens to leaves the cancel for the next await", () =>
    simulate(async () => {
      const log: string[] = [];
      const task = createTask(async () => {
        const given = signal();
        await sleep(0);
        // The promise does not know the signal.
        await new Promise((resolve) => setTimeout(resolve, 5));
        log.push(`aborted ${String(given.aborted)}`);
        await sleep(1);
        log.push("never");
      });
      for (let round = 0; round < 4; round++) await sleep(0);
      task.cancel();
      await assert.rejects(task, CancelledError);
      assert.deepEqual(log, ["aborted true"]);
    }),
  );

  test("needs a task", () => {
    assert.throws(
      () => signal(),
      /signal\(\) must be used inside a task; start the program with run\(main\(\)\)/,
    );
  });
});
