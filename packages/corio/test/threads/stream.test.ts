import { BrokenWorkerError, CancelledError, createTask, RuntimeError, sleep } from "corio";
import type { Task } from "corio";
import { streamFromThread, ThreadExecutor } from "corio/threads";
import { shared } from "./fixtures/work.ts";
import { assert, describe } from "../support/harness.ts";
import { failsWith, Listener, testKinds, testRun, work } from "./support.ts";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

describe("a stream from a worker", () => {
  testKinds("gives the items of generators, and of what returns an iterable", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const numbers = Array.from({ length: 100 }, (_, index) => index + 1);
    assert.deepEqual(await collect(executor.stream(work.countTo, 100)), numbers);
    assert.deepEqual(await collect(executor.stream(work.countSlowly, 100)), numbers);
    assert.deepEqual(await collect(executor.stream(work.list, 100)), numbers);
    assert.deepEqual(
      await collect(executor.stream(work.countTo.withOptions({ bufferSize: 1 }), 100)),
      numbers,
    );
    assert.deepEqual(await collect(executor.stream(work.countTo, 0)), []);
    assert.equal(executor.limiter.borrowedTokens, 0);
  });

  testRun("begins when the first item is asked for", async () => {
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    const stream = executor.stream(work.observed, new SharedArrayBuffer(8));
    assert.equal(executor.limiter.borrowedTokens, 0);
    assert.deepEqual(await stream.next(), { done: false, value: 1 });
    assert.equal(executor.limiter.borrowedTokens, 1);
    assert.deepEqual(await stream.return(), { done: true, value: undefined });
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
    assert.deepEqual(await stream.return(), { done: true, value: undefined });
    assert.equal(executor.limiter.borrowedTokens, 0);
    const unused = executor.stream(work.countTo, 3);
    await unused.return();
    assert.deepEqual(await collect(unused), []);
  });

  testRun("lets the worker be only so far ahead", async () => {
    const memory = new SharedArrayBuffer(8);
    const cells = new Int32Array(memory);
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    const stream = executor.stream(work.observed.withOptions({ bufferSize: 4 }), memory);
    for (let taken = 1; taken <= 20; taken++) {
      assert.equal((await stream.next()).value, taken);
      // The one that it is about to send counts: the worker has made it, and waits with it.
      assert.ok(Atomics.load(cells, 0) <= taken + 4, `${Atomics.load(cells, 0)} made, ${taken} taken`);
    }
    await stream.return();
  });

  testRun("is closed when the loop is left early, before that goes on", async () => {
    const memory = new SharedArrayBuffer(8);
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    for await (const number of executor.stream(work.observed, memory)) if (number === 5) break;
    assert.equal(new Int32Array(memory)[1], 1);
    assert.equal(executor.limiter.borrowedTokens, 0);
  });

  testKinds("is closed when the loop throws", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const loop = async (): Promise<void> => {
      for await (const number of executor.stream(work.countTo, 1_000_000_000)) {
        if (number === 5) throw new RangeError("five");
      }
    };
    assert.equal((await failsWith(loop(), RangeError)).message, "five");
    assert.equal(executor.limiter.borrowedTokens, 0);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testKinds("is closed when its consumer is cancelled", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const taken: number[] = [];
    const consumer = createTask(async () => {
      for await (const number of executor.stream(work.observedByLoop)) taken.push(number);
    });
    await listener.begun();
    consumer.cancel("enough");
    assert.equal((await failsWith(consumer, CancelledError)).message, "enough");
    assert.equal(await listener.notes.get(), "closed");
    assert.deepEqual(taken, [1, 2]);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testRun("is closed when its consumer is cancelled just after an item came", async () => {
    let consumer: Task<void> | null = null;
    class CancellingExecutor extends ThreadExecutor {
      override noteMessage(...parameters: Parameters<ThreadExecutor["noteMessage"]>): void {
        super.noteMessage(...parameters);
        if (parameters[1].type === "item") consumer?.cancel("enough");
      }
    }
    const listener = new Listener();
    await using executor = new CancellingExecutor({
      maxWorkers: 1,
      loopFunctions: { ...listener.functions },
    });
    const taken: number[] = [];
    consumer = createTask(async () => {
      // One at a time: the second comes when the first was taken.
      const items = executor.stream(work.observedByLoop.withOptions({ bufferSize: 1 }));
      for await (const number of items) taken.push(number);
    });
    assert.equal((await failsWith(consumer, CancelledError)).message, "enough");
    assert.deepEqual(taken, [1]);
    assert.equal(await listener.notes.get(), "closed");
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testKinds("is waited for when its consumer is cancelled with onCancel: wait", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ onCancel: "wait", loopFunctions: { ...listener.functions } });
    const consumer = createTask(() => collect(executor.stream(work.observedByLoop)));
    await listener.begun();
    consumer.cancel("enough");
    assert.equal((await failsWith(consumer, CancelledError)).message, "enough");
    assert.equal(listener.notes.qsize(), 1);
    assert.equal(executor.limiter.borrowedTokens, 0);
  });

  testKinds("ends its worker with onCancel: terminate", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({
      maxWorkers: 1,
      onCancel: "terminate",
      loopFunctions: { ...listener.functions },
    });
    const consumer = createTask(() => collect(executor.stream(work.observedByLoop)));
    await listener.begun();
    consumer.cancel();
    await failsWith(consumer, CancelledError);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
    assert.equal(listener.notes.empty(), true);
    for await (const number of executor.stream(work.countTo, 1_000_000_000)) if (number === 5) break;
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testKinds("can be left, and cancelled, before it has a worker", async (kind) => {
    const listener = new Listener();
    await using executor = kind.make({ maxWorkers: 1, loopFunctions: { ...listener.functions } });
    const blocked = executor.submit(work.waitForCancel);
    await listener.begun();
    const stream = executor.stream(work.countTo, 3);
    const first = createTask(stream.next());
    await sleep(0);
    const second = await failsWith(stream.next(), RuntimeError);
    assert.match(second.message, /one task at a time/);
    first.cancel("enough");
    assert.equal((await failsWith(first, CancelledError)).message, "enough");
    const other = executor.stream(work.countTo, 3);
    const waiting = createTask(other.next());
    await sleep(0);
    assert.equal(executor.statistics().callsWaiting, 1);
    await other.return();
    assert.deepEqual(await waiting, { done: true, value: undefined });
    assert.equal(executor.statistics().callsWaiting, 0);
    blocked.cancel();
  });

  testKinds("throws what the function throws, after its items", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const taken: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const number of executor.stream(work.failAfter, 3)) taken.push(number);
    };
    assert.equal((await failsWith(loop(), TypeError)).message, "no more");
    assert.deepEqual(taken, [1, 2, 3]);
  });

  testKinds("throws what a finally block throws", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const loop = async (): Promise<void> => {
      for await (const number of executor.stream(work.failInFinally)) if (number === 2) break;
    };
    assert.equal((await failsWith(loop(), TypeError)).message, "in finally");
  });

  testKinds("fails when an item cannot be sent, or there are none", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const uncloneable = await failsWith(collect(executor.stream(work.giveFunctions)), RuntimeError);
    assert.equal(uncloneable.code, "CORIO_NOT_CLONEABLE");
    assert.match(uncloneable.message, /^an item of 'giveFunctions' cannot be sent/);
    const noItems = await failsWith(collect(executor.stream(work.add as never)), RuntimeError);
    assert.match(noItems.message, /'add' gives number, which has no items/);
  });

  testKinds("fails when its worker is gone", async (kind) => {
    await using executor = kind.make({ maxWorkers: 1 });
    const taken: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const number of executor.stream(work.exitAfter, 3)) taken.push(number);
    };
    await failsWith(loop(), BrokenWorkerError);
    assert.equal(await executor.submit(work.add, 1, 2), 3);
  });

  testRun("comes from the default executor with its context", async () => {
    shared.set("parrot");
    assert.deepEqual(await collect(streamFromThread(work.giveVariable)), ["parrot"]);
  });

  testRun("ends with its block", async () => {
    const memory = new SharedArrayBuffer(8);
    await using executor = new ThreadExecutor({ maxWorkers: 1 });
    {
      await using stream = executor.stream(work.observed, memory);
      await stream.next();
    }
    assert.equal(new Int32Array(memory)[1], 1);
  });
});
