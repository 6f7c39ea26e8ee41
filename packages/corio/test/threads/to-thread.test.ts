import {
  ArgumentTypeError,
  CancelledError,
  ContextVar,
  createTask,
  EventLoop,
  gather,
  getRunningLoop,
  newEventLoop,
  run,
  Runner,
  RuntimeError,
  sleep,
  timeout,
  TimeoutError,
  ValueError,
} from "corio";
import { VirtualClock } from "corio/testing";
import {
  runInExecutor,
  setDefaultExecutor,
  shareContextVar,
  shutdownDefaultExecutor,
  streamFromThread,
  ThreadExecutor,
  toThread,
  workerModule,
} from "corio/threads";
import process from "node:process";
import { threadId } from "node:worker_threads";
import { assert, describe, test } from "../support/harness.ts";
import { shared, unshared } from "./fixtures/work.ts";
import { failsWith, Gate, Listener, testRun, work } from "./support.ts";

describe("toThread", () => {
  testRun("gives what the function returns [ToThreadTests.test_to_thread]", async () => {
    assert.equal(await toThread(work.add, 40, 2), 42);
  });

  test("may be the whole program, or a task", async () => {
    assert.equal(await run(toThread(work.add, 1, 2)), 3);
    const main = async (): Promise<unknown> => {
      shared.set("parrot");
      return await createTask(toThread(work.readVariables));
    };
    assert.deepEqual(await run(main), ["parrot", "unset"]);
  });

  testRun("throws what the function throws [ToThreadTests.test_to_thread_exception]", async () => {
    const error = await failsWith(toThread(work.fail, "test"), RangeError);
    assert.equal(error.message, "test");
  });

  testRun("calls once, and in another thread [ToThreadTests.test_to_thread_once]", async () => {
    const listener = new Listener();
    setDefaultExecutor(new ThreadExecutor({ loopFunctions: { ...listener.functions } }));
    await toThread(work.soonInOrder);
    assert.deepEqual(
      [await listener.notes.get(), await listener.notes.get(), await listener.notes.get()],
      ["one", "two", "three"],
    );
    assert.equal(listener.notes.empty(), true);
    const { isMainThread, threadId: other, pid } = await toThread(work.whereAmI);
    assert.equal(isMainThread, false);
    assert.notEqual(other, threadId);
    assert.equal(pid, process.pid);
  });

  testRun("runs several calls at a time [ToThreadTests.test_to_thread_concurrent]", async () => {
    const sums = await gather(Array.from({ length: 10 }, (_, number) => toThread(work.add, number, 1)));
    assert.deepEqual(sums, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  testRun("passes its arguments on [ToThreadTests.test_to_thread_args_kwargs]", async () => {
    const values = [
      1,
      "test",
      { something: true },
      null,
      undefined,
      10n,
      new Map([[1, new Set([2])]]),
      [NaN],
    ];
    assert.deepEqual(await toThread(work.echo, ...values), values);
  });

  testRun("takes shared context variables along [ToThreadTests.test_to_thread_contextvars]", async () => {
    shared.set("parrot");
    unshared.set("cage");
    assert.deepEqual(await toThread(work.readVariables), ["parrot", "unset"]);
    assert.deepEqual(await toThread(work.readVariablesLater), ["parrot", "unset"]);
    const listener = new Listener();
    await using executor = new ThreadExecutor({ loopFunctions: { ...listener.functions } });
    // Not those of run_in_executor and submit, as in asyncio.
    assert.deepEqual(await executor.submit(work.readVariables), ["unset", "unset"]);
    assert.deepEqual(await runInExecutor(null, work.readVariables), ["unset", "unset"]);
  });

  testRun("keeps what the function sets in the thread", async () => {
    setDefaultExecutor(new ThreadExecutor({ maxWorkers: 1 }));
    shared.set("parrot");
    assert.equal(await toThread(work.setVariable, "rabbit"), "parrot");
    assert.equal(shared.get(), "parrot");
    assert.equal(await toThread(work.setVariable, "hamster"), "parrot");
  });

  testRun("names the context variable that cannot be sent", async () => {
    shared.set(() => 1);
    const error = await failsWith(toThread(work.readVariables), RuntimeError);
    assert.equal(error.code, "CORIO_NOT_CLONEABLE");
    assert.match(error.message, /^the value of the shared context variable 'shared' cannot be sent/);
  });

  test("shares one variable of a name only", () => {
    const name = "a name of two variables";
    const one = shareContextVar(new ContextVar(name));
    assert.equal(shareContextVar(one), one);
    assert.throws(() => shareContextVar(new ContextVar(name)), ValueError);
    assert.throws(() => shareContextVar({} as never), ArgumentTypeError);
  });

  testRun("takes the name of a function, and nothing else", async () => {
    const inline = assert.throws<Error>(() => toThread((() => 1) as never), ArgumentTypeError);
    assert.match(inline.message, /a function cannot be sent to a worker: export it from a module/);
    assert.throws(() => toThread("add" as never), ArgumentTypeError);
    assert.throws(() => runInExecutor({} as never, work.add, 1, 2), ArgumentTypeError);
    await Promise.resolve();
  });

  testRun("says which functions there are when a name is wrong", async () => {
    const wrong = workerModule<{ ad(): void; notAFunction(): void }>(
      new URL("./fixtures/work.ts", import.meta.url).href,
    );
    const missing = await failsWith(toThread(wrong.ad), RuntimeError);
    assert.equal(missing.code, "CORIO_WORKER_FUNCTION");
    assert.match(missing.message, /work\.ts has no export 'ad'; it exports .*\badd\b/);
    const notAFunction = await failsWith(toThread(wrong.notAFunction), RuntimeError);
    assert.match(
      notAFunction.message,
      /'notAFunction' of the worker module .* is not a function, but number/,
    );
    const nowhere = workerModule<{ add(): void }>(new URL("./fixtures/nowhere.ts", import.meta.url));
    const unloadable = await failsWith(toThread(nowhere.add), RuntimeError);
    assert.match(unloadable.message, /the worker module .*nowhere\.ts cannot be loaded/);
    assert.ok(unloadable.cause instanceof Error);
  });

  test("wants an absolute URL", () => {
    assert.throws<Error>(() => workerModule("./work.ts"), /absolute URL, got "\.\/work\.ts"; write new URL/);
    assert.throws(() => workerModule(undefined as never), ArgumentTypeError);
    assert.equal((work as { then?: unknown }).then, undefined);
    assert.equal(work.add, work.add);
    assert.throws(() => work.add.withOptions({ onCancel: "shrug" as never }), ArgumentTypeError);
    assert.throws(() => work.add.withOptions({ bufferSize: 0 }), ValueError);
    assert.throws(() => work.add.withOptions(undefined as never), ArgumentTypeError);
  });

  testRun("ends the await of a timeout at once, and keeps the token", async () => {
    const listener = new Listener();
    const executor = new ThreadExecutor({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    setDefaultExecutor(executor);
    const gate = new Gate();
    const call = createTask(toThread(work.block, gate.memory));
    await listener.begun();
    await failsWith(
      timeout(0, () => call),
      TimeoutError,
    );
    assert.equal(call.cancelled(), true);
    assert.equal(executor.limiter.borrowedTokens, 1);
    const next = createTask(toThread(work.add, 1, 2));
    await sleep(0);
    assert.equal(executor.statistics().callsWaiting, 1);
    gate.open();
    assert.equal(await next, 3);
    assert.equal(gate.ended, 1);
  });

  test("does not let a virtual clock jump while the function runs", async () => {
    const main = async (): Promise<number> => {
      await timeout(60, () => toThread(work.add, 1, 2));
      return getRunningLoop().time();
    };
    assert.equal(await run(main, { clock: new VirtualClock({ foreignGrace: 100 }) }), 0);
  });
});

describe("the default executor", () => {
  testRun("runs what is given to runInExecutor [EventLoopTestsMixin.test_run_in_executor]", async () => {
    const future = runInExecutor(null, work.echo, "yo");
    assert.deepEqual(await future, ["yo"]);
    const there = await runInExecutor(null, work.whereAmI);
    assert.notEqual(there.threadId, threadId);
  });

  test("calls nothing back after the loop is closed [EventLoopTestsMixin.test_run_in_executor_cancel]", async () => {
    const loop = newEventLoop();
    let future;
    await loop.runUntilComplete(
      loop.createTask(async () => {
        await Promise.resolve();
        future = runInExecutor(null, work.add, 1, 2);
        future.cancel();
        await shutdownDefaultExecutor();
      }),
    );
    loop.close();
    assert.throws(() => loop.callSoon(() => undefined), RuntimeError);
    assert.equal((future as unknown as { cancelled(): boolean }).cancelled(), true);
  });

  testRun("can be chosen [BaseEventLoopTests.test_set_default_executor]", async () => {
    class RefusingExecutor extends ThreadExecutor {
      override startCall(): never {
        throw new RangeError("cannot submit into a dummy executor");
      }
    }
    setDefaultExecutor(new RefusingExecutor());
    const error = await failsWith(toThread(work.add, 1, 2), RangeError);
    assert.equal(error.message, "cannot submit into a dummy executor");
  });

  testRun("must be one of threads [BaseEventLoopTests.test_set_default_executor_error]", async () => {
    assert.throws(() => setDefaultExecutor({} as never), /setDefaultExecutor expects a ThreadExecutor/);
    assert.equal(await toThread(work.add, 1, 2), 3);
  });

  testRun("takes no calls after its shutdown", async () => {
    assert.equal(await toThread(work.add, 1, 2), 3);
    await shutdownDefaultExecutor();
    const error = await failsWith(toThread(work.add, 1, 2), RuntimeError);
    assert.equal(error.code, "CORIO_EXECUTOR_SHUT_DOWN");
    assert.throws(() => runInExecutor(null, work.add, 1, 2), RuntimeError);
    assert.throws(() => streamFromThread(work.countTo, 1), RuntimeError);
    await shutdownDefaultExecutor();
    assert.throws(() => shutdownDefaultExecutor(-1), ValueError);
  });

  test("is waited for at the end of run", async () => {
    const gate = new Gate();
    const listener = new Listener();
    let executor: ThreadExecutor | undefined;
    const runner = new Runner();
    await runner.run(async () => {
      executor = new ThreadExecutor({ loopFunctions: { ...listener.functions } });
      setDefaultExecutor(executor);
      createTask(toThread(work.block, gate.memory));
      await listener.begun();
    });
    const ending = runner.close();
    let isOver = false;
    void ending.then(() => (isOver = true));
    // One turn of the host is enough for a close that does not wait.
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isOver, false);
    gate.open();
    await ending;
    assert.equal(gate.ended, 1);
    assert.equal(executor?.statistics().workers, 0);
  });

  test("is left behind after the timeout [BaseEventLoopTests.test_shutdown_default_executor_timeout]", async () => {
    const gate = new Gate();
    const listener = new Listener();
    const warnings: string[] = [];
    const original = process.emitWarning.bind(process);
    process.emitWarning = (message: string) => warnings.push(message);
    try {
      await run(async () => {
        setDefaultExecutor(new ThreadExecutor({ loopFunctions: { ...listener.functions } }));
        const call = runInExecutor(null, work.block, gate.memory);
        await listener.begun();
        await shutdownDefaultExecutor(0.001);
        call.cancel();
        await failsWith(call, CancelledError);
      });
    } finally {
      process.emitWarning = original;
      gate.open();
    }
    assert.deepEqual(
      warnings.filter((warning) => warning.includes("default executor")),
      ["calls of the default executor did not end within 0.001 s; they are left behind"],
    );
  });

  test("belongs to its loop", async () => {
    const seen: number[] = [];
    for (let round = 0; round < 2; round++) {
      await run(async () => seen.push((await toThread(work.whereAmI)).threadId));
    }
    assert.notEqual(seen[0], seen[1]);
  });

  test("is let go when a loop is closed without a shutdown", async () => {
    const loop = new EventLoop();
    await loop.runUntilComplete(loop.createTask(() => toThread(work.add, 1, 2)));
    loop.close();
    loop.close();
  });
});
