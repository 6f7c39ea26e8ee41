import { coroutine, Coroutine, createTask, Future, gather, run, sleep } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, hostName, test, testOn } from "./support/harness.ts";

const madeOutside = coroutine(async function madeAtModuleLevel() {
  return "used later";
})();

/** The warnings about coroutines that nobody awaited while `body` runs, and in the moment after. */
async function warningsOf(body: () => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = [];
  if (hostName === "browser") {
    const original = console.warn;
    console.warn = (text: string) => warnings.push(text);
    try {
      await body();
      await new Promise((resolve) => setTimeout(resolve, 5));
    } finally {
      console.warn = original;
    }
    return warnings.filter((text) => text.includes("never awaited"));
  }
  const note = (warning: Error): void => {
    if (warning.message.includes("never awaited")) warnings.push(warning.message);
  };
  process.on("warning", note);
  try {
    await body();
    await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    process.off("warning", note);
  }
  return warnings;
}

const work = coroutine(async function forgotten() {
  await sleep(0);
});

describe("a coroutine that is never awaited", () => {
  test("is reported when the run ends", async () => {
    const warnings = await warningsOf(() =>
      run(
        async () => {
          void work();
          await sleep(1);
        },
        { clock: new VirtualClock() },
      ),
    );
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /coroutine 'forgotten\d*' was never awaited/);
  });

  test("is reported when it is a generator's", async () => {
    const generator = coroutine(function* dropped() {
      yield* sleep(0);
    });
    const warnings = await warningsOf(() =>
      run(
        async () => {
          void generator();
        },
        { clock: new VirtualClock() },
      ),
    );
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /coroutine 'dropped\d*' was never awaited/);
  });

  test("is reported with its creation site in debug mode [CoroutineTests.test_debug_mode_manages_coroutine_origin_tracking]", async () => {
    const warnings = await warningsOf(() =>
      run(
        async () => {
          void work();
        },
        { clock: new VirtualClock(), debug: true },
      ),
    );
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /was never awaited\ncreated at:\n/);
    assert.match(warnings[0] ?? "", /never-awaited\.test|tests\.js/);
  });

  test("is not reported when it was closed, awaited, scheduled, gathered or refused", async () => {
    const warnings = await warningsOf(() =>
      run(
        async () => {
          work().close();
          await work();
          await createTask(work());
          await gather(work(), work());
          createTask(work()).cancel();
          assert.throws(() => gather(work(), 5 as never));
          const kept = work();
          await sleep(10);
          await kept;
          const duplicate = work();
          await gather(duplicate, duplicate);
        },
        { clock: new VirtualClock() },
      ),
    );
    assert.deepEqual(warnings, []);
  });

  test("is not reported when a task was cancelled before it began", async () => {
    const warnings = await warningsOf(() =>
      run(
        async () => {
          const task = createTask(work());
          task.cancel();
          await task.catch(() => undefined);
          createTask(work()).setName("cancelled by the end of the run");
        },
        { clock: new VirtualClock() },
      ),
    );
    assert.deepEqual(warnings, []);
  });

  test("is not reported when it was made at module level and is used later", async () => {
    const warnings = await warningsOf(async () => {
      await run(sleep(1), { clock: new VirtualClock() });
      assert.equal(await run(madeOutside, { clock: new VirtualClock() }), "used later");
    });
    assert.deepEqual(warnings, []);
  });

  test("is not reported by the end of another run, on whatever clock", async () => {
    for (const clock of [undefined, new VirtualClock()]) {
      const warnings = await warningsOf(async () => {
        const long = run(async () => {
          const kept = work();
          await sleep(0.02);
          await kept;
        });
        await new Promise((resolve) => setTimeout(resolve, 5));
        await run(sleep(0.001), clock === undefined ? {} : { clock });
        await long;
      });
      assert.deepEqual(warnings, []);
    }
  });

  testOn(["node", "bun", "deno"], "is reported when it is collected", async () => {
    const gc = (globalThis as { gc?: () => void }).gc;
    if (gc === undefined) return;
    const warnings = await warningsOf(() =>
      run(async () => {
        for (let index = 0; index < 5; index++) void work();
        for (let round = 0; round < 20; round++) {
          await sleep(0.005);
          gc();
        }
        // Whatever is reported by now is the collector's doing: the run has not ended.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }),
    );
    assert.ok(warnings.length >= 1);
  });

  test("is reported once", async () => {
    const warnings = await warningsOf(async () => {
      const kept: Coroutine[] = [];
      await run(
        async () => {
          kept.push(work());
          await sleep(1);
        },
        { clock: new VirtualClock() },
      );
      await run(sleep(1), { clock: new VirtualClock() });
      assert.equal(kept.length, 1);
    });
    assert.equal(warnings.length, 1);
  });

  test("of the library's is reported by its name", async () => {
    const warnings = await warningsOf(() =>
      run(
        async () => {
          void sleep(1);
          new Future().cancel();
        },
        { clock: new VirtualClock() },
      ),
    );
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /coroutine 'sleep' was never awaited/);
  });
});
