// Several awaits of one task at the same time: Promise.all, Promise.race and their like.
import {
  CancelledError,
  coroutine,
  createTask,
  currentTask,
  Future,
  gather,
  getRunningLoop,
  Lock,
  Queue,
  sleep,
} from "corio";
import { assert, describe, test, testOn } from "./support/harness.ts";
import { simulate } from "./support/simulate.ts";

describe("Promise.all over corio's awaitables", () => {
  test("registers all of them on the task", () =>
    simulate(async () => {
      const task = createTask(
        async () => await Promise.all([sleep(1, "a"), sleep(3, "b"), sleep(2, "c"), new Future()]),
      );
      await sleep(0.5);
      assert.equal(task.waitsFor().length, 4);
      task.cancel();
      await assert.rejects(task, CancelledError);
      assert.equal(getRunningLoop().scheduler.nextDeadline(), undefined);
    }));

  test("waits in parallel", () =>
    simulate(async () => {
      const results = await Promise.all([sleep(3, "a"), sleep(1, "b"), createTask(sleep(2, "c"))]);
      assert.deepEqual(results, ["a", "b", "c"]);
      assert.equal(getRunningLoop().time(), 3);
    }));

  for (const [kind, taker] of [
    [
      "an async function",
      async (queue: Queue<string>) => {
        await sleep(0);
        return queue.getNowait();
      },
    ],
    [
      "a generator",
      function* (queue: Queue<string>) {
        yield* sleep(0);
        return queue.getNowait();
      },
    ],
  ] as const) {
    test(`comes as a whole before the step of ${kind}`, () =>
      simulate(async () => {
        const queue = new Queue<string>();
        const put = queue.put("put in the same step");
        const task = createTask(coroutine(taker)(queue));
        await sleep(0);
        await Promise.all([sleep(0), put]);
        assert.equal(await task, "put in the same step");
      }));
  }

  test("goes on in the order of the awaits, iteration by iteration", () =>
    simulate(async () => {
      const log: string[] = [];
      const branch = coroutine(async (name: string) => {
        for (let index = 1; index <= 3; index++) {
          log.push(name + index.toString());
          await sleep(0);
        }
      });
      await Promise.all([branch("a"), branch("b"), branch("c")]);
      assert.equal(log.join(" "), "a1 b1 c1 a2 b2 c2 a3 b3 c3");
    }));

  test("of one branch does not end the step of the next branch, nor that of another task", () =>
    simulate(async () => {
      const log: string[] = [];
      const [begin, first, second] = [new Future(), new Future(), new Future()];
      const lock = new Lock();
      const steps = async (name: string) => {
        await begin;
        for (let index = 1; index <= 3; index++) {
          log.push(name + index.toString());
          await lock.with(() => index);
        }
      };
      const both = async () => {
        await begin;
        await Promise.all([first, second]);
      };
      const branches = createTask(() => Promise.all([both(), steps("a")]));
      const other = createTask(() => steps("b"));
      await sleep(0);
      begin.addDoneCallback(() => log.push("callback"));
      const last = createTask(() => steps("c"));
      await sleep(0);
      begin.setResult(true);
      await gather(other, last);
      assert.equal(log.join(" "), "a1 a2 a3 b1 b2 b3 callback c1 c2 c3");
      branches.cancel();
    }));

  test("of many is fine", () =>
    simulate(async () => {
      const results = await Promise.all(Array.from({ length: 1000 }, (_, index) => sleep(index % 10, index)));
      assert.equal(results.length, 1000);
      assert.equal(getRunningLoop().time(), 9);
    }));

  test("is cancelled as a whole; each branch cleans up, once", () =>
    simulate(async () => {
      const log: string[] = [];
      const branch = coroutine(async function branch(name: string, seconds: number) {
        try {
          await sleep(100);
        } catch (error) {
          log.push(`${name} ${String(error)}`);
          throw error;
        } finally {
          await sleep(seconds);
          log.push(`${name} done at ${getRunningLoop().time().toString()}`);
        }
      });
      const task = createTask(async () => {
        await Promise.all([branch("a", 1), branch("b", 3), sleep(50)]);
      });
      await sleep(1);
      task.cancel("all");
      await assert.rejects(task, CancelledError);
      // The task is done only when its branches are.
      assert.equal(getRunningLoop().time(), 4);
      assert.deepEqual(log, ["a CancelledError: all", "b CancelledError: all", "a done at 2", "b done at 4"]);
    }));

  test("allSettled, any and race see what they should", () =>
    simulate(async () => {
      const failing = coroutine(async function failing() {
        await sleep(1);
        throw new RangeError("boom");
      });
      const settled = await Promise.allSettled([sleep(2, "fine"), failing()]);
      assert.deepEqual(
        settled.map(({ status }) => status),
        ["fulfilled", "rejected"],
      );
      assert.equal(await Promise.any([failing(), sleep(2, "any")]), "any");
      assert.equal(await Promise.race([sleep(1, "first"), sleep(2, "second")]), "first");
    }));

  test("of the same future twice resumes both", () =>
    simulate(async () => {
      const future = new Future<number>();
      getRunningLoop().callLater(1, () => {
        future.setResult(1);
      });
      assert.deepEqual(await Promise.all([future, future]), [1, 1]);
    }));

  testOn(["node", "bun", "deno"], "may mix plain helpers, coroutines and tasks", () =>
    simulate(async () => {
      const names = new Set<string | undefined>();
      const helper = async (): Promise<void> => {
        await sleep(1);
        names.add(currentTask()?.getName());
      };
      const work = coroutine(async function work() {
        await sleep(1);
        names.add(currentTask()?.getName());
      });
      const generator = coroutine(function* generator() {
        yield* sleep(1);
        names.add(currentTask()?.getName());
      });
      await createTask(
        async () => {
          await Promise.all([helper(), helper(), work(), generator()]);
        },
        { name: "only" },
      );
      assert.deepEqual(names, new Set(["only"]));
      assert.equal(getRunningLoop().time(), 1);
    }),
  );

  test("lets each branch have its own helper steps without other handles in between", () =>
    simulate(async () => {
      const log: string[] = [];
      getRunningLoop().callSoon(() => log.push("callback"));
      await Promise.all([sleep(0).then(() => log.push("a")), sleep(0).then(() => log.push("b"))]);
      assert.deepEqual(log, ["callback", "a", "b"]);
    }));
});

describe("a branch that fails", () => {
  test("rejects the await at once; the body may go on, the others too", () =>
    simulate(async () => {
      const log: string[] = [];
      const failing = coroutine(async function failing() {
        await sleep(1);
        throw new RangeError("boom");
      });
      const slow = coroutine(async function slow() {
        await sleep(5);
        log.push("slow done");
      });
      const task = createTask(async () => {
        try {
          await Promise.all([failing(), slow()]);
        } catch (error) {
          log.push(String(error));
        }
        await sleep(1);
        log.push(`body at ${getRunningLoop().time().toString()}`);
      });
      await task;
      assert.deepEqual(log, ["RangeError: boom", "body at 2", "slow done"]);
      assert.equal(getRunningLoop().time(), 5);
    }));

  test("whose body then fails has the others cancelled", () =>
    simulate(async () => {
      const task = createTask(async () => {
        await Promise.all([
          sleep(100),
          (async () => {
            throw new Error("at once");
          })(),
        ]);
      });
      await assert.rejects(task, /at once/);
      assert.equal(getRunningLoop().time(), 0);
    }));
});
