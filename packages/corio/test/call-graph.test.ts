import {
  captureCallGraph,
  coroutine,
  createTask,
  currentTask,
  formatCallGraph,
  Future,
  futureAddToAwaitedBy,
  futureDiscardFromAwaitedBy,
  gather,
  printCallGraph,
  run,
  sleep,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "./support/harness.ts";
import { testScript, wait } from "./support/forms.ts";

const simulate = <T>(body: () => Promise<T>): Promise<T> => run(body, { clock: new VirtualClock() });

describe("the call graph", () => {
  test("is none outside of a task", () => {
    assert.equal(captureCallGraph(), null);
    assert.equal(formatCallGraph(), "");
  });

  testScript("of a task says who awaits it [CallStackTestBase.test_stack_task]", function* (form) {
    const inner = form.define(function* inner() {
      yield* wait(sleep(1));
    });
    const task = createTask(inner(), { name: "inner task" });
    const outer = form.define(function* outer() {
      yield* wait(task);
    });
    const waiting = createTask(outer(), { name: "outer task" });
    yield* wait(sleep(0));
    yield* wait(sleep(0));
    const graph = captureCallGraph(task);
    assert.equal(graph?.future, task);
    assert.deepEqual(
      graph.awaitedBy.map(({ future }) => future),
      [waiting],
    );
    assert.match(graph.waitsFor ?? "", /^sleep/);
    assert.match(
      formatCallGraph(task),
      /\* Task 'inner task' \(inner\d*\)[^]*Awaited by:\n {4}\* Task 'outer task'/,
    );
    yield* wait(waiting);
  });

  testScript("of a future says who awaits it [CallStackTestBase.test_stack_future]", function* (form) {
    const future = new Future<void>();
    const waiter = form.define(function* waiter() {
      yield* wait(future);
    });
    const tasks = [createTask(waiter()), createTask(waiter())];
    yield* wait(sleep(0));
    const graph = captureCallGraph(future);
    assert.deepEqual(
      graph?.awaitedBy.map((each) => each.future),
      tasks,
    );
    assert.deepEqual(graph.callStack, []);
    future.setResult();
    yield* wait(gather(tasks));
    assert.deepEqual(captureCallGraph(future)?.awaitedBy, []);
  });

  testScript("goes through a gather [CallStackTestBase.test_stack_gather]", function* (form) {
    const future = new Future<void>();
    const child = form.define(function* child() {
      yield* wait(future);
    });
    const parent = form.define(function* parent() {
      yield* wait(gather(child(), child()));
    });
    const task = createTask(parent(), { name: "parent" });
    yield* wait(sleep(0));
    yield* wait(sleep(0));
    const text = formatCallGraph(future);
    assert.equal(text.split("Task 'parent'").length, 3);
    assert.match(text, /gather of/);
    future.setResult();
    yield* wait(task);
  });

  test("of the current task is its own", () =>
    simulate(async () => {
      const graph = captureCallGraph();
      assert.equal(graph?.future, currentTask());
      assert.equal(graph.waitsFor, null);
    }));

  test("can be limited", () =>
    simulate(async () => {
      const names = (limit?: number): string[] =>
        captureCallGraph(task, limit === undefined ? {} : { limit })?.callStack.map(({ name }) =>
          name.replace(/\d+$/, ""),
        ) ?? [];
      const innermost = coroutine(function* innermost() {
        yield* sleep(1);
      });
      const middle = coroutine(function* middle() {
        yield* innermost();
      });
      const outermost = coroutine(function* outermost() {
        yield* middle();
      });
      const task = createTask(outermost());
      await sleep(0);
      assert.deepEqual(names(), ["innermost", "middle", "outermost"]);
      assert.deepEqual(names(1), ["innermost"]);
      assert.deepEqual(names(-1), ["outermost"]);
      assert.deepEqual(names(0), []);
      await task;
    }));

  test("has the edges that are added by hand", () =>
    simulate(async () => {
      const future = new Future<void>();
      const waiter = new Future<void>();
      futureAddToAwaitedBy(future, waiter);
      assert.deepEqual(
        captureCallGraph(future)?.awaitedBy.map((each) => each.future),
        [waiter],
      );
      futureDiscardFromAwaitedBy(future, waiter);
      assert.deepEqual(captureCallGraph(future)?.awaitedBy, []);
      future.setResult();
      waiter.setResult();
    }));

  test("with a cycle ends", () =>
    simulate(async () => {
      const [a, b] = [new Future<void>(), new Future<void>()];
      futureAddToAwaitedBy(a, b);
      futureAddToAwaitedBy(b, a);
      assert.deepEqual(captureCallGraph(a)?.awaitedBy[0]?.awaitedBy, []);
      a.setResult();
      b.setResult();
    }));

  test("is printed where it is wanted [CoroutineTests.test_task_print_stack]", () =>
    simulate(async () => {
      const texts: string[] = [];
      printCallGraph(currentTask(), { print: (text) => texts.push(text) });
      assert.equal(texts.length, 1);
      assert.match(texts[0] ?? "", /^\* Task 'Task-\d+'/);
    }));

  test("is refused for what is no future", () =>
    simulate(async () => {
      assert.throws(() => captureCallGraph(5 as never), /captureCallGraph expects a future or a task, got 5/);
    }));
});
