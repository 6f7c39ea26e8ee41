import { CancelledError, createTask, getRunningLoop, run, sleep, ValueError } from "corio";
import { withRetries } from "corio/pool";
import type { RetryPlan } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../support/harness.ts";

const plan: RetryPlan = { attempts: 5, firstDelay: 1, maxDelay: 4, isWorthwhile: () => true };

function retryTest(title: string, body: () => Promise<void>): void {
  test(title, () => run(body, { clock: new VirtualClock() }));
}

/** What fails so many times. */
function failing(times: number): { attempt: () => Promise<string>; begun: number[] } {
  const begun: number[] = [];
  const attempt = async (): Promise<string> => {
    begun.push(getRunningLoop().time());
    await sleep(0);
    if (begun.length <= times) throw new RangeError(`failure ${begun.length}`);
    return "done";
  };
  return { attempt, begun };
}

describe("withRetries", () => {
  retryTest("tries again with pauses that grow up to a limit", async () => {
    const { attempt, begun } = failing(4);
    assert.equal(await withRetries("test", plan, attempt), "done");
    for (const [index, longest] of [1, 2, 4, 4].entries()) {
      const pause = (begun[index + 1] ?? NaN) - (begun[index] ?? NaN);
      assert.ok(pause >= 0 && pause < longest, `pause ${index + 1}: ${pause}`);
    }
  });

  retryTest("throws the last error, or the first after which it is not worthwhile", async () => {
    await assert.rejects(withRetries("test", plan, failing(5).attempt), /failure 5/);
    const once = failing(5);
    await assert.rejects(
      withRetries("test", { ...plan, isWorthwhile: () => false }, once.attempt),
      /failure 1/,
    );
    assert.equal(once.begun.length, 1);
  });

  retryTest("can be cancelled in a pause", async () => {
    const { attempt, begun } = failing(5);
    const task = createTask(async () => await withRetries("test", { ...plan, firstDelay: 1e9 }, attempt));
    await sleep(0.001);
    task.cancel();
    await assert.rejects(task, CancelledError);
    assert.equal(begun.length, 1);
  });

  retryTest("refuses a plan that makes no sense", async () => {
    for (const attempts of [0, -1, NaN])
      await assert.rejects(
        withRetries("test", { ...plan, attempts }, failing(0).attempt),
        /attempts to be 1/,
      );
    await assert.rejects(withRetries("test", { ...plan, firstDelay: NaN }, failing(0).attempt), ValueError);
    const isWorthwhile = true as never;
    await assert.rejects(withRetries("test", { ...plan, isWorthwhile }, failing(0).attempt), /function/);
  });
});
