import { coroutine, createTask, EventLoop, getRunningLoop, run, sleep } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { runProgram } from "./support/program.ts";

/**
 * Calls `body` with a function that keeps the thread for so many milliseconds, as far as the host's clock tells: nothing
 * else takes any time. On a busy machine any step may take long, and would be warned of, too.
 */
async function withBlock(body: (block: (milliseconds: number) => void) => Promise<void>): Promise<void> {
  const own = Object.getOwnPropertyDescriptor(performance, "now");
  let now = performance.now();
  Object.defineProperty(performance, "now", { value: () => now, configurable: true });
  try {
    await body((milliseconds) => {
      now += milliseconds;
    });
  } finally {
    // Most hosts have it in the prototype.
    if (own === undefined) Reflect.deleteProperty(performance, "now");
    else Object.defineProperty(performance, "now", own);
  }
}

const hosts = ["node", "bun", "deno"] as const;

async function slowWarnings(body: () => Promise<unknown>, debug = true): Promise<string[]> {
  const warnings: string[] = [];
  const note = (warning: Error): void => {
    if (/slow.* took /.test(warning.message))
      warnings.push(warning.message.replace(/\d\.\d+ seconds/, "N seconds"));
  };
  process.on("warning", note);
  try {
    await run(body, { clock: new VirtualClock(), debug });
    await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    process.off("warning", note);
  }
  return warnings;
}

describe("debug mode", () => {
  test("is off, or on, and can be changed [BaseEventLoopTests.test_set_debug]", () => {
    const loop = new EventLoop();
    assert.equal(loop.getDebug(), false);
    loop.setDebug(true);
    loop.setDebug(true);
    assert.equal(loop.getDebug(), true);
    loop.setDebug(false);
    assert.equal(loop.getDebug(), false);
    loop.close();
    const debugging = new EventLoop({ debug: true });
    assert.equal(debugging.getDebug(), true);
    debugging.close();
  });

  testOn(
    hosts,
    "is on when CORIO_DEBUG is set [BaseEventLoopTests.test_env_var_debug] [GatherTestsBase.test_env_var_debug]",
    async () => {
      const program = `
      import { run, getRunningLoop } from "corio";
      void run(async () => console.log(getRunningLoop().getDebug()));
    `;
      for (const [value, expected] of [
        ["1", "true"],
        ["0", "false"],
        ["", "false"],
        ["true", "true"],
      ] as const) {
        const { stdout } = await runProgram(program, { environment: { CORIO_DEBUG: value } });
        assert.deepEqual(stdout, [expected]);
      }
    },
  );

  testOn(
    hosts,
    "warns of callbacks and steps that take long [BaseEventLoopWithSelectorTests.test_log_slow_callbacks]",
    () =>
      withBlock(async (block) => {
        const native = coroutine(async function slowNative() {
          await sleep(0);
          block(15);
          await sleep(0);
        });
        const generator = coroutine(function* slowGenerator() {
          yield* sleep(0);
          block(15);
          yield* sleep(0);
        });
        const body = async (): Promise<void> => {
          const loop = getRunningLoop();
          loop.slowCallbackDuration = 0.01;
          loop.callSoon(function slowCallback() {
            block(15);
          });
          loop.callSoon(function slowButNotTooSlow() {
            block(9);
          });
          await sleep(0);
          await createTask(native(), { name: "native" });
          await createTask(generator(), { name: "generator" });
        };
        const warnings = await slowWarnings(body);
        assert.equal(warnings.length, 3, warnings.join("\n"));
        assert.match(warnings[0] ?? "", /^executing callback slowCallback\d* took N seconds$/);
        assert.match(warnings[1] ?? "", /^executing task 'native' \(slowNative\d*\) took N seconds$/);
        assert.match(warnings[2] ?? "", /^executing task 'generator' \(slowGenerator\d*\) took N seconds$/);
        assert.deepEqual(await slowWarnings(body, false), []);
      }),
  );

  test("changes no order and no count of iterations", async () => {
    const trace = async (debug: boolean): Promise<string[]> => {
      const log: string[] = [];
      const work = coroutine(async function work(name: string) {
        for (let round = 0; round < 3; round++) {
          log.push(`${name}${round.toString()}`);
          await sleep(0);
        }
      });
      await run(
        async () => {
          const tasks = [createTask(work("a")), createTask(work("b"))];
          getRunningLoop().callSoon(() => log.push("callback"));
          for (const task of tasks) await task;
        },
        { clock: new VirtualClock(), debug },
      );
      return log;
    };
    assert.deepEqual(await trace(true), await trace(false));
  });
});
