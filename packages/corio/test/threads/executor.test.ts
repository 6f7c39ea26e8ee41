import {
  ArgumentTypeError,
  BrokenWorkerError,
  CancelledError,
  CapacityLimiter,
  createTask,
  ExceptionGroup,
  gather,
  getRunningLoop,
  run,
  RuntimeError,
  sleep,
  TimeoutError,
  ValueError,
} from "corio";
import type { Task } from "corio";
import { ThreadExecutor, ProcessExecutor, transfer } from "corio/threads";
import process from "node:process";
import { threadId } from "node:worker_threads";
import { assert, describe, hostName, test, testOn } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import { failsWith, Gate, Listener, testKinds, testRun, work } from "./support.ts";

describe("an executor", () => {
  testKinds("calls functions of every kind", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    assert.equal(await executor.submit(work.add, 1, 2), 3);
    assert.equal(await executor.submit(work.later, "a"), "a, later");
    assert.equal(await executor.submit(work.steps, "b"), "b, in steps");
    assert.equal(await executor.submit(work.promise, "c"), "c, promised");
    const place = await executor.submit(work.whereAmI);
    assert.equal(place.pid === process.pid, kind.name === "thread");
    if (kind.name === "thread") assert.notEqual(place.threadId, threadId);
  });

  testKinds("copies what structured clone copies", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const values = [
      new Map([["key", new Set([1n])]]),
      new Date(0),
      /x/g,
      new Uint8Array([1, 2]),
      undefined,
      null,
      -0,
      { nested: [{}] },
    ];
    assert.deepEqual(await executor.submit(work.echo, ...values), values);
  });

  testKinds("names the argument that cannot be sent, and goes on", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const error = await failsWith(
      executor.submit(work.echo, 1, () => 2),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_NOT_CLONEABLE");
    assert.match(error.message, /^argument 2 of 'echo' cannot be sent to another thread or process: /);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testKinds("fails when the result cannot be sent, and goes on", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const error = await failsWith(executor.submit(work.giveFunction), RuntimeError);
    assert.equal(error.code, "CORIO_NOT_CLONEABLE");
    assert.match(error.message, /^the result of 'giveFunction' cannot be sent/);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testKinds("brings errors back whole", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const error = await failsWith(executor.submit(work.fail, "too short"), RangeError);
    assert.equal(error.name, "RangeTooShort");
    assert.equal(error.message, "too short");
    assert.match(error.stack ?? "", /fixtures\/work\.ts/);
    const properties = Object.fromEntries(Object.entries(error));
    assert.deepEqual(properties, { code: "E_SHORT", details: { wanted: 3, neverCloned: undefined } });
    assert.instanceOf(error.cause, TypeError);
    assert.equal(error.cause.message, "the cause");
    assert.equal(error.cause.cause, "the root");
  });

  testKinds("brings back groups, corio's errors, and what is no error", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const group = await failsWith(executor.submit(work.failWithGroup), AggregateError);
    assert.instanceOf(group.errors[0], RangeError);
    assert.equal(group.errors[1], "two");
    const corioError = await failsWith(executor.submit(work.failOfCorio), TimeoutError);
    assert.equal(corioError.code, "CORIO_TIMEOUT");
    const corioGroup = await failsWith(executor.submit(work.failWithCorioGroup), ExceptionGroup);
    assert.instanceOf(corioGroup.errors[0], RangeError);
    const abort = await failsWith(executor.submit(work.failWithDomException), DOMException);
    assert.equal(abort.name, "AbortError");
    let thrown: unknown;
    try {
      await executor.submit(work.throwValue, { some: "value" });
    } catch (error) {
      thrown = error;
    }
    assert.deepEqual(thrown, { some: "value" });
  });

  testKinds("says that a generator function is to be streamed", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const error = await failsWith(executor.submit(work.countTo, 3), RuntimeError);
    assert.equal(error.code, "CORIO_WORKER_FUNCTION");
    assert.match(error.message, /'countTo' is a generator function: take its items with stream/);
  });

  testKinds("checks its options", async (kind) => {
    assert.throws(() => kind.make({ maxWorkers: 0 }), ValueError);
    assert.throws(() => kind.make({ maxWorkers: 1.5 }), ArgumentTypeError);
    assert.throws(() => kind.make({ minWorkers: -1 }), ValueError);
    assert.throws(() => kind.make({ idleTimeout: NaN }), ValueError);
    assert.throws(() => kind.make({ onCancel: "ignore" as never }), ArgumentTypeError);
    assert.throws(() => kind.make({ limiter: {} as never }), ArgumentTypeError);
    assert.throws(() => kind.make({ limiter: new CapacityLimiter(1), maxWorkers: 1 }), ValueError);
    assert.throws(
      () => kind.make({ loopFunctions: { one: 1 as never } }),
      /loopFunctions\.one expects a function/,
    );
    await Promise.resolve();
  });

  test("takes an object with options", () => {
    assert.throws(() => new ThreadExecutor(null as never), ArgumentTypeError);
    assert.throws(() => new ProcessExecutor(3 as never), ArgumentTypeError);
  });

  test("can be used only where a loop runs", () => {
    const executor = new ThreadExecutor();
    assert.throws(() => executor.submit(work.add, 1, 2), RuntimeError);
    assert.deepEqual(executor.statistics(), { workers: 0, idleWorkers: 0, callsWaiting: 0 });
  });

  testRun("gives workers their own environment", async () => {
    await using executor = new ThreadExecutor({ maxWorkers: 1, env: { ONLY_THIS: "here" } });
    assert.equal(await executor.submit(work.readEnvironment, "ONLY_THIS"), "here");
  });

  testRun("works in a worker, too", async () => {
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    assert.deepEqual(await executor.submit(work.addInThread, 1, 2), [3, true]);
  });

  test("serves several programs", async () => {
    const executor = new ThreadExecutor({ maxWorkers: 1 });
    const [one, other] = await Promise.all([
      run(async () => await executor.submit(work.whereAmI)),
      run(async () => await executor.submit(work.whereAmI)),
    ]);
    assert.equal(one.threadId, other.threadId);
    await run(executor.shutdown());
  });
});

describe("an executor's pool", () => {
  testKinds("runs as many calls at a time as it may, and the others in order", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 2, loopFunctions: { ...listener.functions } });
    const blocked = [executor.submit(work.waitForCancel), executor.submit(work.waitForCancel)];
    const order: number[] = [];
    const queued = [1, 2, 3].map((number) => {
      const call = executor.submit(work.add, number, 0);
      call.addDoneCallback(() => order.push(number));
      return call;
    });
    await listener.begun();
    await listener.begun();
    assert.deepEqual(executor.statistics(), { workers: 2, idleWorkers: 0, callsWaiting: 3 });
    assert.equal(show(executor).includes("2 worker(s), 0 idle, 3 call(s) waiting"), true);
    for (const call of blocked.slice(0, 1)) call.cancel();
    assert.deepEqual(await gather(queued), [1, 2, 3]);
    assert.deepEqual(order, [1, 2, 3]);
    for (const call of blocked) call.cancel();
  });

  testKinds("never begins a call that was cancelled before", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const blocked = executor.submit(work.waitForCancel);
    const removed = executor.submit(work.soonInOrder);
    const kept = executor.submit(work.add, 1, 2);
    await listener.begun();
    assert.equal(removed.cancel("not needed"), true);
    assert.equal(removed.cancel(), false);
    assert.equal(executor.statistics().callsWaiting, 1);
    blocked.cancel();
    assert.equal(await kept, 3);
    const error = await failsWith(removed, CancelledError);
    assert.equal(error.message, "not needed");
    // Nothing of it was done: all that has come is what the first call said.
    assert.match(await listener.notes.get(), /^CancelledError/);
    assert.equal(await listener.notes.get(), "cleaned up");
    assert.equal(listener.notes.empty(), true);
  });

  testKinds("uses a worker again", async (kind) => {
    await using executor = kind.make({ maxWorkers: 4 });
    const one = await executor.submit(work.whereAmI);
    const other = await executor.submit(work.whereAmI);
    assert.deepEqual(one, other);
    assert.deepEqual(executor.statistics(), { workers: 1, idleWorkers: 1, callsWaiting: 0 });
  });

  testKinds("can share a limiter, and be resized", async (kind) => {
    const listener = new Listener();
    const limiter = new CapacityLimiter(1);
    await using executor = kind.make({ limiter, loopFunctions: { ...listener.functions } });
    await limiter.acquire();
    const call = executor.submit(work.add, 1, 2);
    await sleep(0);
    assert.deepEqual(executor.statistics(), { workers: 0, idleWorkers: 0, callsWaiting: 1 });
    limiter.totalTokens = 2;
    assert.equal(await call, 3);
    limiter.release();
    assert.equal(executor.limiter, limiter);
    assert.equal(limiter.borrowedTokens, 0);
  });

  testKinds("ends workers that have nothing to do", async (kind) => {
    await using executor = kind.make({ maxWorkers: 3, idleTimeout: 0, minWorkers: 1 });
    await gather([1, 2, 3].map((number) => executor.submit(work.later, String(number))));
    // Those above the minimum were told to end when their calls were over; one stays.
    assert.ok(executor.statistics().idleWorkers <= 1);
    const { pid, threadId: one } = await executor.submit(work.whereAmI);
    assert.deepEqual(await executor.submit(work.whereAmI), {
      isMainThread: kind.name === "process",
      pid,
      threadId: one,
    });
  });

  testRun("lets idle workers neither keep the program nor end too early", async () => {
    const executor = new ThreadExecutor({ idleTimeout: Infinity });
    assert.equal(await executor.submit(work.add, 1, 2), 3);
    assert.equal(executor.statistics().idleWorkers, 1);
    await executor.shutdown();
    assert.equal(executor.statistics().workers, 0);
  });
});

describe("a cancel of a call that runs", () => {
  testKinds("ends the await at once; the token is free when the function has ended", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const call = executor.submit(work.waitForCancel);
    await listener.begun();
    call.cancel("enough");
    assert.equal(call.cancelled(), true);
    assert.equal(executor.limiter.borrowedTokens, 1);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
    // The function got the cancel as a task does, and its finally has run.
    assert.equal(await listener.notes.get(), "CancelledError: enough");
    assert.equal(await listener.notes.get(), "cleaned up");
    assert.equal((await failsWith(call, CancelledError)).message, "enough");
  });

  testKinds("waits for the function with onCancel: wait", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ onCancel: "wait", loopFunctions: { ...listener.functions } });
    const call = executor.submit(work.waitForCancel);
    await listener.begun();
    assert.equal(call.cancel("enough"), true);
    assert.equal(call.done(), false);
    assert.equal(call.cancel("again"), true);
    assert.equal((await failsWith(call, CancelledError)).message, "enough");
    assert.equal(listener.notes.qsize(), 2);
  });

  testKinds("delivers the value that comes all the same with onCancel: wait", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ loopFunctions: { ...listener.functions } });
    const log: unknown[] = [];
    const task = createTask(async () => {
      log.push(await executor.submit(work.refuseCancel.withOptions({ onCancel: "wait" })));
      await sleep(0);
      log.push("not reached");
    });
    await listener.begun();
    task.cancel("enough");
    assert.equal((await failsWith(task, CancelledError)).message, "enough");
    assert.deepEqual(log, ["refused"]);
  });

  testKinds("delivers the value that came just before it with onCancel: wait", async (kind) => {
    await using executor = kind.make({ onCancel: "wait" });
    const log: unknown[] = [];
    const task: Task<void> = createTask(async () => {
      const call = executor.submit(work.add, 1, 2);
      // Called when the value is there, and before the task goes on.
      call.addDoneCallback(() => log.push(`cancel ${String(task.cancel("enough"))}`));
      log.push(await call);
      await sleep(0);
      log.push("not reached");
    });
    assert.equal((await failsWith(task, CancelledError)).message, "enough");
    assert.deepEqual(log, ["cancel true", 3]);
  });

  testKinds("throws what the function throws instead with onCancel: wait", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ onCancel: "wait", loopFunctions: { ...listener.functions } });
    const call = executor.submit(work.failOnCancel);
    await listener.begun();
    call.cancel();
    assert.equal((await failsWith(call, TypeError)).message, "in finally");
  });

  testKinds("aborts the signal of the function's task", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ onCancel: "wait", loopFunctions: { ...listener.functions } });
    const call = executor.submit(work.waitForSignal);
    await listener.begun();
    call.cancel();
    await failsWith(call, CancelledError);
    assert.equal(await listener.notes.get(), "aborted");
  });

  testRun("is seen by a function that computes and looks", async () => {
    const listener = new Listener();
    await using executor = new ThreadExecutor({ onCancel: "wait", loopFunctions: { ...listener.functions } });
    const call = executor.submit(work.computeForEver, true);
    await listener.begun();
    call.cancel("enough");
    assert.equal((await failsWith(call, CancelledError)).message, "enough");
    // The flag was for that call only.
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testKinds("ends the worker if asked to; another takes its place", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const before = await executor.submit(work.whereAmI);
    const call = executor.submit(work.computeForEver.withOptions({ onCancel: "terminate" }), false);
    const next = executor.submit(work.whereAmI);
    await listener.begun();
    call.cancel("enough");
    assert.equal(call.cancelled(), true);
    // The token is not free before the worker is gone; Deno's threads are gone at once.
    if (hostName !== "deno") assert.equal(executor.statistics().callsWaiting, 1);
    assert.notDeepEqual(await next, before);
    assert.equal(executor.statistics().workers, 1);
    assert.equal((await failsWith(call, CancelledError)).message, "enough");
  });
});

describe("a worker that is gone", () => {
  testKinds("fails its call, and no other", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const before = await executor.submit(work.whereAmI);
    const broken = executor.submit(work.exit, 3);
    const next = executor.submit(work.whereAmI);
    const error = await failsWith(broken, BrokenWorkerError);
    assert.equal(error.code, "CORIO_BROKEN_WORKER");
    assert.equal(
      error.message,
      `the worker ${kind.name} that called 'exit' ended (exit code 3) before the function returned`,
    );
    assert.notDeepEqual(await next, before);
  });

  testKinds("says what nobody caught in it", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const error = await failsWith(executor.submit(work.crash), BrokenWorkerError);
    assert.match(error.message, /'crash' ended \(exit code 1\)/);
    // A process has said it on its own error stream.
    if (kind.name === "thread") {
      assert.instanceOf(error.cause, TypeError);
      assert.match(error.cause.message, /nobody catches this/);
    }
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testRun("may have been killed from outside", async () => {
    await using executor = new ProcessExecutor({
      maxWorkers: 1,
      ...(hostName === "deno" && { execArgv: ["--conditions=corio-source"] }),
    });
    const { pid } = await executor.submit(work.whereAmI);
    const call = executor.submit(work.killItself);
    const error = await failsWith(call, BrokenWorkerError);
    assert.match(error.message, /'killItself' ended \(SIGKILL\)/);
    assert.notEqual((await executor.submit(work.whereAmI)).pid, pid);
  });

  testOn(["node"], "may have used too much memory", () =>
    run(async () => {
      await using executor = new ThreadExecutor({
        maxWorkers: 1,
        resourceLimits: { maxOldGenerationSizeMb: 32 },
      });
      const error = await failsWith(executor.submit(work.useUpMemory), BrokenWorkerError);
      assert.equal((error.cause as { code?: string }).code, "ERR_WORKER_OUT_OF_MEMORY");
      assert.equal(await executor.submit(work.add, 1, 2), 3);
    }),
  );

  testKinds("costs the pool no token, and those that wait no turn", async (kind) => {
    await using executor = kind.make({ maxWorkers: 2 });
    const calls = Array.from({ length: 12 }, (_, index) =>
      index % 3 === 0 ? executor.submit(work.exit, 3) : executor.submit(work.add, index, 1),
    );
    const results = await gather(calls, { returnExceptions: true });
    assert.deepEqual(
      results.map((result) => (result instanceof BrokenWorkerError ? "broken" : result)),
      calls.map((_, index) => (index % 3 === 0 ? "broken" : index + 1)),
    );
    assert.equal(executor.limiter.borrowedTokens, 0);
    assert.equal(executor.statistics().callsWaiting, 0);
  });

  /** A pool of processes; they tell their numbers. */
  const makeProcesses = (listener: Listener, maxWorkers: number): ProcessExecutor =>
    new ProcessExecutor({
      maxWorkers,
      loopFunctions: { ...listener.functions },
      ...(hostName === "deno" && { execArgv: ["--conditions=corio-source"] }),
    });

  testRun("may be killed in the middle of a call, one of several, with others in the queue", async () => {
    const listener = new Listener();
    await using executor = makeProcesses(listener, 2);
    const first = executor.submit(work.hold);
    const pid = Number(await listener.notes.get());
    const second = executor.submit(work.hold);
    const otherPid = Number(await listener.notes.get());
    const queued = Array.from({ length: 10 }, (_, index) => executor.submit(work.add, index, 1));
    assert.equal(executor.statistics().callsWaiting, 10);
    process.kill(pid, "SIGKILL");
    const error = await failsWith(first, BrokenWorkerError);
    assert.match(error.message, /'hold' ended \(SIGKILL\) before the function returned/);
    // All in the one place that is free: the other call goes on.
    assert.deepEqual(await gather(queued), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.equal(second.done(), false);
    process.kill(otherPid, "SIGKILL");
    await failsWith(second, BrokenWorkerError);
    assert.equal(executor.limiter.borrowedTokens, 0);
  });

  testRun("takes along what it had asked the loop for", async () => {
    const listener = new Listener();
    await using executor = makeProcesses(listener, 1);
    const call = executor.submit(work.holdAndAsk);
    const pid = Number(await listener.notes.get());
    await listener.begun();
    process.kill(pid, "SIGKILL");
    await failsWith(call, BrokenWorkerError);
    assert.equal(await listener.notes.get(), "hang has ended");
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testRun("ends its stream with an error, after the items that it gave", async () => {
    const listener = new Listener();
    await using executor = makeProcesses(listener, 1);
    const items: number[] = [];
    const error = await failsWith(
      createTask(async () => {
        for await (const item of executor.stream(work.giveAndHold)) {
          items.push(item);
          if (item === 3) process.kill(Number(await listener.notes.get()), "SIGKILL");
        }
      }),
      BrokenWorkerError,
    );
    assert.match(error.message, /'giveAndHold' ended \(SIGKILL\)/);
    assert.deepEqual(items, [1, 2, 3]);
    assert.equal(executor.limiter.borrowedTokens, 0);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testRun("is reported when it had nothing to do", async () => {
    const reports = new Listener();
    getRunningLoop().setExceptionHandler((_loop, { message, exception }) => {
      reports.functions.note(`${message}: ${String(exception)}`);
    });
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    assert.equal(await executor.submit(work.crashLater), "returned");
    assert.match(
      await reports.notes.get(),
      /^a worker thread that had nothing to do ended \(exit code 1\): .*after the call/,
    );
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testRun("may never have begun", async () => {
    await using executor = new ProcessExecutor({ maxWorkers: 1, cwd: "/does/not/exist" });
    const error = await failsWith(executor.submit(work.add, 1, 2), BrokenWorkerError);
    assert.match(error.message, /^the worker process that was to call 'add' could not be started: .*ENOENT/);
    assert.equal(executor.limiter.borrowedTokens, 0);
  });
});

describe("the end of an executor", () => {
  testKinds("lets calls end that were made", async (kind) => {
    const executor = kind.make({ maxWorkers: 1 });
    const calls = [1, 2, 3].map((number) => executor.submit(work.add, number, 0));
    await executor.shutdown();
    assert.deepEqual(
      calls.map((call) => call.result()),
      [1, 2, 3],
    );
    assert.equal(executor.statistics().workers, 0);
    const error = assert.throws<RuntimeError>(() => executor.submit(work.add, 1, 2), RuntimeError);
    assert.equal(error.code, "CORIO_EXECUTOR_SHUT_DOWN");
    await executor.shutdown();
  });

  testKinds("cancels those that have not begun if asked to", async (kind) => {
    const executor = kind.make({ maxWorkers: 1 });
    const [first, ...others] = [1, 2, 3].map((number) => executor.submit(work.later, String(number)));
    await executor.shutdown({ cancelQueued: true });
    assert.equal(first?.result(), "1, later");
    assert.deepEqual(
      others.map((call) => call.cancelled()),
      [true, true],
    );
  });

  testKinds("kills if asked to", async (kind) => {
    const listener = new Listener();
    const executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const running = executor.submit(work.computeForEver, false);
    const waiting = executor.submit(work.add, 1, 2);
    await listener.begun();
    await executor.killWorkers();
    await failsWith(running, BrokenWorkerError);
    await failsWith(waiting, CancelledError);
    assert.equal(executor.statistics().workers, 0);
  });

  testRun("needs no worker", async () => {
    const executor = new ThreadExecutor();
    await executor.shutdown();
    await executor.killWorkers();
  });
});

describe("transfer", () => {
  testRun("moves memory there and back", async () => {
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    const bytes = new Uint8Array(1000);
    const filled = await executor.submit(work.fill, transfer(bytes), 7);
    assert.equal(bytes.length, 0);
    assert.equal(filled.length, 1000);
    assert.equal(filled[999], 7);
  });

  testRun("is not needed: without it memory is copied", async () => {
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    const bytes = new Uint8Array(10);
    const filled = await executor.submit(work.fill, bytes, 7);
    assert.equal(bytes[0], 0);
    assert.equal(filled[0], 7);
  });

  test("takes objects", () => {
    assert.throws(() => transfer(1 as never), ArgumentTypeError);
    assert.throws(() => transfer({}, {} as never), ArgumentTypeError);
  });

  testRun("shares memory that is shared", async () => {
    const gate = new Gate();
    gate.open();
    const listener = new Listener();
    await using executor = new ThreadExecutor({ loopFunctions: { ...listener.functions } });
    assert.equal(await executor.submit(work.block, gate.memory), "released");
    assert.equal(gate.begun, 1);
    assert.equal(gate.ended, 1);
  });
});
