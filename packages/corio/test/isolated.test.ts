import { ArgumentTypeError, ContextVar, createTask, getRunningLoop, sleep } from "corio";
import type { EventLoop } from "corio";
import { isolated, VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";

describe("isolated", () => {
  test("runs its body as a task, in debug mode, under virtual time", async () => {
    let seen: [boolean, boolean, number] | undefined;
    await isolated(async ({ loop, clock }) => {
      await sleep(3600);
      seen = [getRunningLoop() === loop, loop.getDebug(), clock.time()];
    })();
    assert.deepEqual(seen, [true, true, 3600]);
  });

  test("fails with its body's error", async () => {
    const error = new RangeError("boom");
    assert.equal(
      await assert.rejects(
        isolated(async () => {
          await sleep(1);
          throw error;
        })(),
      ),
      error,
    );
    assert.equal(
      await assert.rejects(
        isolated(() => {
          throw error;
        })(),
      ),
      error,
    );
  });

  test("fails when an error reached the loop's exception handler", async () => {
    const error = await assert.rejects<Error>(
      isolated(async ({ loop }) => {
        loop.callSoon(() => {
          throw new RangeError("unseen");
        });
        await sleep(0);
      })(),
      /unhandled error in the loop: Exception in callback/,
    );
    assert.instanceOf(error.cause, RangeError);
  });

  test("fails when a task's exception was never retrieved", async () => {
    await assert.rejects(
      isolated(async () => {
        createTask(async () => {
          throw new Error("lost");
        }).setName("lost");
        await sleep(1);
      })(),
      /Task exception was never retrieved/,
    );
  });

  test("sets up, tears down, and cleans up in reverse order, in one context", async () => {
    const log: string[] = [];
    const variable = new ContextVar<string>("variable");
    await isolated(
      async (fixture) => {
        log.push(`body ${variable.get()}`);
        fixture.addCleanup(() => log.push("cleanup 1"));
        fixture.addCleanup(async () => {
          await sleep(1);
          log.push("cleanup 2");
        });
        await sleep(1);
      },
      {
        setUp: async () => {
          variable.set("from setUp");
          await sleep(1);
          log.push("setUp");
        },
        tearDown: async () => {
          await sleep(1);
          log.push(`tearDown ${variable.get()}`);
        },
      },
    )();
    assert.deepEqual(log, ["setUp", "body from setUp", "tearDown from setUp", "cleanup 2", "cleanup 1"]);
  });

  test("tears down after a failure, and reports all errors", async () => {
    const log: string[] = [];
    const error = await assert.rejects<AggregateError>(
      isolated(
        async (fixture) => {
          fixture.addCleanup(() => log.push("cleanup"));
          throw new Error("body");
        },
        {
          tearDown: () => {
            log.push("tearDown");
            throw new Error("tearDown");
          },
        },
      )(),
      AggregateError,
    );
    assert.deepEqual(error.errors.map(String), ["Error: body", "Error: tearDown"]);
    assert.deepEqual(log, ["tearDown", "cleanup"]);
  });

  test("does not run its body when setUp fails", async () => {
    const log: string[] = [];
    await assert.rejects(
      isolated(() => log.push("body"), {
        setUp: () => {
          throw new Error("setUp");
        },
        tearDown: () => log.push("tearDown"),
      })(),
      /setUp/,
    );
    assert.deepEqual(log, []);
  });

  test("cancels what the body leaves behind, and closes the loop", async () => {
    const log: string[] = [];
    let loop: EventLoop | undefined;
    await isolated(async (fixture) => {
      loop = fixture.loop;
      createTask(async () => {
        try {
          await sleep(1000);
        } finally {
          log.push("cancelled");
        }
      }).setName("left");
      await sleep(1);
    })();
    assert.deepEqual(log, ["cancelled"]);
    assert.equal(loop?.isClosed(), true);
  });

  test("has a new clock each time, or the one it is given", async () => {
    const times: number[] = [];
    const body = isolated(async ({ clock }) => {
      await sleep(5);
      times.push(clock.time());
    });
    await body();
    await body();
    await isolated(
      async ({ clock }) => {
        await sleep(5);
        times.push(clock.time());
      },
      { clock: () => new VirtualClock({ start: 100 }) },
    )();
    assert.deepEqual(times, [5, 5, 105]);
  });

  test("refuses at once what is no function", async () => {
    assert.throws(() => isolated(5 as never), /isolated expects a function, got 5/);
    assert.throws(
      () => isolated(() => 1, { setUp: 5 as never }),
      /isolated: setUp expects a function, got 5/,
    );
    assert.throws(() => isolated(() => 1, null as never), ArgumentTypeError);
    const body = isolated((fixture) => {
      fixture.addCleanup(5 as never);
    });
    await assert.rejects(body(), /addCleanup expects a function, got 5/);
  });
});
