import {
  CancelledError,
  coroutine,
  createTask,
  ExceptionGroup,
  getRunningLoop,
  run,
  sleep,
  taskGroup,
  timeout,
  TimeoutError,
  until,
} from "corio";
import { keepOrClose } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";

const inVirtualTime = <T>(body: () => Promise<T>): Promise<T> => run(body, { clock: new VirtualClock() });

/** A promise that no cancel can reach: the loop settles it after so many seconds. */
const foreign = (seconds: number): Promise<void> =>
  new Promise((resolve) => getRunningLoop().callLater(seconds, resolve));

/** Opens something, and does not care for a cancel meanwhile. */
const open = coroutine(async function open(log: string[], seconds = 0) {
  const opened = await until(async () => "door");
  return await keepOrClose(opened, async () => {
    log.push("closing");
    await sleep(seconds);
    log.push("closed");
  });
});

describe("keepOrClose", () => {
  test("gives what was opened", () =>
    inVirtualTime(async () => {
      const log: string[] = [];
      assert.equal(await open(log), "door");
      assert.equal(await createTask(open(log)), "door");
      assert.deepEqual(log, []);
    }));

  test("closes it when the cancel came too late for the opening, and the task is cancelled after that", () =>
    inVirtualTime(async () => {
      const log: string[] = [];
      const opening = createTask(open(log, 1));
      await sleep(0);
      opening.cancel("enough");
      const error = await assert.rejects<CancelledError>(opening, CancelledError);
      assert.equal(error.reason, "enough");
      assert.deepEqual(log, ["closing", "closed"]);
    }));

  test("closes it for a group that fails, and for a time that is over", () =>
    inVirtualTime(async () => {
      const log: string[] = [];
      const group = taskGroup(async (tasks) => {
        tasks.createTask(open(log));
        await sleep(0);
        throw new Error("the group fails");
      });
      await assert.rejects(group, ExceptionGroup);
      assert.deepEqual(log.splice(0), ["closing", "closed"]);
      const late = timeout(1, async () => {
        await until(() => foreign(2));
        await keepOrClose("door", () => log.push("closed at once"));
      });
      await assert.rejects(late, TimeoutError);
      assert.deepEqual(log, ["closed at once"]);
    }));

  test("waits for a foreign end of closing, however often the task is cancelled", () =>
    inVirtualTime(async () => {
      const log: string[] = [];
      const opening = createTask(async () => {
        const opened = await until(async () => "door");
        return await keepOrClose(opened, async () => {
          await foreign(1);
          log.push("closed");
        });
      });
      await sleep(0);
      opening.cancel();
      await sleep(0.5);
      opening.cancel();
      await sleep(0.1);
      opening.cancel();
      await assert.rejects(opening, CancelledError);
      assert.deepEqual(log, ["closed"]);
    }));

  test("raises what closing has thrown", () =>
    inVirtualTime(async () => {
      const opening = createTask(async () => {
        await until(async () => "door");
        await keepOrClose("door", () => {
          throw new Error("it is stuck");
        });
      });
      await sleep(0);
      opening.cancel();
      await assert.rejects(opening, /it is stuck/);
    }));
});
