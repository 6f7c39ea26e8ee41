import {
  ArgumentTypeError,
  ContextVar,
  coroutine,
  createTask,
  EventLoop,
  getRunningLoop,
  Runner,
  RuntimeError,
  sleep,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";

const makeRunner = (): Runner => new Runner({ clock: new VirtualClock() });

describe("a runner", () => {
  test("runs several programs on one loop", async () => {
    const runner = makeRunner();
    const loops: unknown[] = [];
    const main = coroutine(async function main(value: number) {
      loops.push(getRunningLoop());
      await sleep(1);
      return value;
    });
    assert.equal(await runner.run(main(1)), 1);
    assert.equal(await runner.run(main(2)), 2);
    assert.deepEqual(loops, [runner.getLoop(), runner.getLoop()]);
    assert.equal(runner.getLoop().time(), 2);
    await runner.close();
  });

  test("keeps its context between runs [RunnerTests.test_run_keeps_context]", async () => {
    const variable = new ContextVar<number>("variable", { defaultValue: 1 });
    const runner = makeRunner();
    const main = coroutine(async function main(value: number) {
      const before = variable.get();
      variable.set(value);
      return before;
    });
    assert.deepEqual(
      [await runner.run(main(2)), await runner.run(main(3)), await runner.run(main(4))],
      [1, 2, 3],
    );
    assert.equal(variable.get(), 1);
    await runner.close();
  });

  test("keeps tasks between runs and cancels them when it is closed", async () => {
    const log: string[] = [];
    const runner = makeRunner();
    await runner.run(async () => {
      createTask(async () => {
        try {
          for (let beat = 0; ; beat++) {
            await sleep(1);
            log.push(`beat ${beat.toString()}`);
          }
        } finally {
          log.push("cancelled");
        }
      }).setName("heart");
      await sleep(1.5);
    });
    assert.deepEqual(log, ["beat 0"]);
    await runner.run(sleep(1));
    assert.deepEqual(log, ["beat 0", "beat 1"]);
    await runner.close();
    assert.deepEqual(log, ["beat 0", "beat 1", "cancelled"]);
  });

  test("is closed once, and then of no use [RunnerTests.test_explicit_close] [RunnerTests.test_double_close] [RunnerTests.test_second_with_block_raises]", async () => {
    const runner = makeRunner();
    const loop = runner.getLoop();
    await runner.close();
    await runner.close();
    assert.equal(loop.isClosed(), true);
    const nap = sleep(1);
    const error = assert.throws<RuntimeError>(() => runner.run(nap), RuntimeError);
    assert.equal(error.code, "CORIO_LOOP_CLOSED");
    assert.throws(() => runner.getLoop(), /this runner is closed/);
    const other = makeRunner();
    await assert.rejects(other.run(nap), /already closed/);
    await other.close();
  });

  test("that was never used is closed all the same", async () => {
    const runner = makeRunner();
    await runner.close();
    assert.throws(() => runner.getLoop(), RuntimeError);
  });

  test("runs one program at a time", async () => {
    const runner = makeRunner();
    const first = runner.run(sleep(1, "first"));
    const refused = sleep(1);
    assert.throws(() => runner.run(refused), /an event loop is already running/);
    assert.equal(await first, "first");
    await assert.rejects(runner.run(refused), /already closed/);
    await runner.close();
  });

  test("cannot be closed while it runs; the run goes on", async () => {
    const runner = makeRunner();
    const running = runner.run(sleep(1, "undisturbed"));
    await assert.rejects(runner.close(), /cannot close a runner while its run\(\) is under way/);
    assert.equal(await running, "undisturbed");
    await runner.close();
  });

  test("is closed by await using", async () => {
    const runner = makeRunner();
    const loop = runner.getLoop();
    await runner[Symbol.asyncDispose]();
    assert.equal(loop.isClosed(), true);
  });

  test("has debug mode on request [RunnerTests.test_debug] [RunnerTests.test_non_debug] [RunTests.test_asyncio_run_debug]", async () => {
    for (const debug of [true, false]) {
      const runner = new Runner({ clock: new VirtualClock(), debug });
      assert.equal(await runner.run(async () => getRunningLoop().getDebug()), debug);
      await runner.close();
      const factory = new Runner({ debug, loopFactory: () => new EventLoop({ clock: new VirtualClock() }) });
      assert.equal(await factory.run(async () => getRunningLoop().getDebug()), debug);
      await factory.close();
    }
  });

  test("refuses what cannot be run, and goes on", async () => {
    const runner = makeRunner();
    assert.throws(() => runner.run(5 as never), ArgumentTypeError);
    assert.equal(await runner.run(sleep(1, "fine")), "fine");
    await runner.close();
  });

  test("does not look at the result [RunnerTests.test_no_repr_is_call_on_the_task_result]", async () => {
    const touched: PropertyKey[] = [];
    const value = new Proxy(
      {},
      {
        get: (_target, key) => {
          touched.push(key);
          return undefined;
        },
      },
    );
    const runner = makeRunner();
    const result = await runner.run(async () => ({ value }));
    assert.equal(result.value, value);
    await runner.close();
    assert.deepEqual(touched, []);
  });
});
