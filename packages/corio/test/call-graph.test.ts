import {
  ArgumentTypeError,
  captureCallGraph,
  coroutine,
  createTask,
  currentTask,
  formatCallGraph,
  Future,
  futureAddToAwaitedBy,
  futureDiscardFromAwaitedBy,
  gather,
  getStack,
  printCallGraph,
  printStack,
  shield,
  sleep,
  Task,
  taskGroup,
  timeout,
  wait as waitForAll,
} from "corio";
import type { Coroutine, FutureCallGraph, TaskGroup } from "corio";
import { assert, describe, test } from "./support/harness.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Form, Script } from "./support/forms.ts";
import { simulate } from "./support/simulate.ts";

/** A task's name, and the trees of the tasks that wait for it. */
type Tree = readonly [name: string, ...Tree[]];

/** What `inner` sees of itself when `outer`, which runs `script`, waits for it, and the main task for that. */
function* treeSeenBy(form: Form, script: (inner: () => Coroutine<void>) => Script<void>): Script<Tree> {
  let tree: Tree | undefined;
  const inner = form.define(function* inner() {
    yield* wait(sleep(0.5));
    currentTask()?.setName("inner");
    tree = toTrees(captureCallGraph() ?? assert.fail("no graph"))[0];
  });
  const outer = form.define(script);
  currentTask()?.setName("main");
  yield* wait(createTask(outer(inner), { name: "outer" }));
  return tree ?? assert.fail("inner did not run");
}

/** Without the futures between the tasks, in the order of the names. */
function toTrees({ future, awaitedBy }: FutureCallGraph): Tree[] {
  const trees = awaitedBy.flatMap(toTrees).sort(([a], [b]) => (a < b ? -1 : 1));
  return future instanceof Task ? [[future.getName(), ...trees]] : trees;
}

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

  testScript("goes through a shield [CallStackTestBase.test_stack_shield]", function* (form) {
    const tree = yield* treeSeenBy(form, function* (inner) {
      yield* wait(shield(inner()));
    });
    assert.deepEqual(tree, ["inner", ["outer", ["main"]]]);
  });

  testScript("goes through a timeout [CallStackTestBase.test_stack_timeout]", function* (form) {
    const tree = yield* treeSeenBy(form, function* (inner) {
      const body = form.define(function* body() {
        yield* wait(sleep(0));
        yield* wait(inner());
      });
      yield* wait(shield(() => timeout(5, body)));
    });
    assert.deepEqual(tree, ["inner", ["outer", ["main"]]]);
  });

  testScript("goes through a wait [CallStackTestBase.test_stack_wait]", function* (form) {
    const tree = yield* treeSeenBy(form, function* (inner) {
      yield* wait(waitForAll([createTask(inner()), createTask(sleep(1))]));
    });
    assert.deepEqual(tree, ["inner", ["outer", ["main"]]]);
  });

  testScript(
    "goes through a task group, whose task waits for each child [CallStackTestBase.test_stack_tgroup]",
    function* (form) {
      const tree = yield* treeSeenBy(form, function* (inner) {
        const watch = form.define(function* watch(task: Task<void>) {
          yield* wait(task);
        });
        const body = form.define(function* body(group: TaskGroup) {
          const task = group.createTask(inner());
          group.createTask(watch(task), { name: "first watcher" });
          group.createTask(watch(task), { name: "second watcher" });
          yield* wait(sleep(0));
        });
        yield* wait(taskGroup(body));
      });
      const outer: Tree = ["outer", ["main"]];
      assert.deepEqual(tree, ["inner", ["first watcher", outer], outer, ["second watcher", outer]]);
    },
  );

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

  test("of a task as a list is its stack [BaseTaskTests.test_get_stack]", () =>
    simulate(async () => {
      const texts: string[] = [];
      let names: string[] = [];
      const inner = coroutine(function* bar() {
        yield* sleep(0);
        names = getStack(task, { limit: 1 }).map(({ name }) => name.replace(/\d+$/, ""));
        printStack(task, { limit: 1, print: (text) => texts.push(text) });
      });
      const outer = coroutine(function* foo() {
        yield* inner();
      });
      const task: Task<void> = createTask(outer(), { name: "walker" });
      await task;
      assert.deepEqual(names, ["foo"]);
      assert.match(texts.join("\n"), /^Stack for task 'walker' \(foo\d*\).*\n {2}foo\d*\(\)$/m);
      assert.deepEqual(getStack(task), []);
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
      const task = currentTask() as Task;
      for (const options of [null, { limit: "1" }, { limit: Number.NaN }]) {
        assert.throws(() => formatCallGraph(task, options as never), ArgumentTypeError);
        assert.throws(() => getStack(task, options as never), ArgumentTypeError);
      }
      assert.throws(() => {
        printStack(task, { print: 5 as never });
      }, /printStack: print expects a function, got 5/);
      // As in asyncio, without an effect.
      futureAddToAwaitedBy(5 as never, task);
      futureAddToAwaitedBy(task, 5 as never);
      assert.equal(captureCallGraph(task)?.awaitedBy.length, 0);
    }));
});
