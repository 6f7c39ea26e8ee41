/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  ArgumentTypeError,
  CancelledError,
  Context,
  ContextVar,
  copyContext,
  coroutine,
  createTask,
  eagerTaskFactory,
  Event,
  ExceptionGroup,
  Future,
  getRunningLoop,
  KeyboardInterrupt,
  RuntimeError,
  sleep,
  TaskGroup,
  taskGroup,
  timeout,
  TimeoutError,
} from "corio";
import type { Coroutine, Task } from "corio";
import { assert, describe, test } from "./support/harness.ts";
import { block, failureOf, shapeOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Form, Script } from "./support/forms.ts";
import { now, self, simulate } from "./support/simulate.ts";

/** A task group in the form of the test. */
const group = <T>(form: Form, script: (group: TaskGroup) => Script<T>): Coroutine<T> =>
  taskGroup(block(form, script));

/** A coroutine that fails after a while. */
const crashAfter = (form: Form, seconds: number, error: unknown = new RangeError("crash")): Coroutine<void> =>
  form.define(function* crash() {
    yield* wait(sleep(seconds));
    throw error;
  })();

describe("taskGroup", () => {
  testScript(
    "waits for its children and gives what its block gives [BaseTestTaskGroup.test_taskgroup_01] [BaseTestTaskGroup.test_taskgroup_02]",
    function* (form) {
      const log: string[] = [];
      let first!: Task<number>;
      let second!: Task<number>;
      const result = yield* wait(
        group(form, function* (tasks) {
          first = tasks.createTask(sleep(1, 42));
          second = tasks.createTask(sleep(2, 11));
          yield* wait(sleep(0.5));
          log.push("block ends");
          return "result";
        }),
      );
      assert.equal(result, "result");
      assert.equal(now(), 2);
      assert.deepEqual([first.result(), second.result(), ...log], [42, 11, "block ends"]);
      assert.equal(first.done() && second.done(), true);
    },
  );

  testScript(
    "its block may await its children, and outlast them [BaseTestTaskGroup.test_taskgroup_03]",
    function* (form) {
      yield* wait(
        group(form, function* (tasks) {
          const first = tasks.createTask(sleep(1, 42));
          assert.equal(yield* wait(first), 42);
          void tasks.createTask(sleep(1));
          yield* wait(sleep(3));
          assert.equal(tasks.size, 0);
        }),
      );
      assert.equal(now(), 4);
    },
  );

  testScript("without children takes no iteration", function* (form) {
    let ticked = false;
    getRunningLoop().callSoon(() => {
      ticked = true;
    });
    yield* wait(group(form, function* () {}));
    assert.equal(ticked, false);
  });

  testScript(
    "a failing child cancels the others and the block [BaseTestTaskGroup.test_taskgroup_04] [BaseTestTaskGroup.test_taskgroup_09]",
    function* (form) {
      const log: string[] = [];
      const patient = form.define(function* patient() {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          log.push(`child: ${String(error)}`);
          throw error;
        }
      });
      let survivor!: Task;
      const error = yield* failureOf(
        group(form, function* (tasks) {
          survivor = tasks.createTask(patient());
          void tasks.createTask(crashAfter(form, 1));
          try {
            yield* wait(sleep(10));
          } catch (cancellation) {
            log.push(`block: ${String(cancellation)}`);
            throw cancellation;
          }
        }),
        ExceptionGroup,
      );
      assert.equal(error.message, "unhandled errors in a TaskGroup");
      assert.deepEqual(shapeOf(error), ["RangeError: crash"]);
      assert.deepEqual(log, [
        "child: CancelledError: cancelled by TaskGroup",
        "block: CancelledError: cancelled by TaskGroup",
      ]);
      assert.equal(survivor.cancelled(), true);
      assert.equal(now(), 1);
      assert.equal(self().cancelling(), 0);
      yield* wait(sleep(1));
    },
  );

  testScript(
    "a failing child ends a group whose block is over [BaseTestTaskGroup.test_cancel_children_on_child_error]",
    function* (form) {
      let cancelled = 0;
      const patient = form.define(function* patient() {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          cancelled++;
          throw error;
        }
      });
      const error = yield* failureOf(
        group(form, function* (tasks) {
          for (let count = 0; count < 5; count++) void tasks.createTask(patient());
          void tasks.createTask(crashAfter(form, 1));
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: crash"]);
      assert.equal(cancelled, 5);
    },
  );

  testScript(
    "cancelling the task cancels the children and goes on as CancelledError [BaseTestTaskGroup.test_cancellation] [BaseTestTaskGroup.test_taskgroup_07] [BaseTestTaskGroup.test_taskgroup_22]",
    function* (form) {
      let cancelled = 0;
      const patient = form.define(function* patient() {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          cancelled++;
          throw error;
        }
      });
      const runner = form.define(function* runner() {
        yield* wait(
          group(form, function* (tasks) {
            for (let count = 0; count < 5; count++) void tasks.createTask(patient());
            try {
              yield* wait(sleep(10));
            } catch (error) {
              cancelled += 10;
              throw error;
            }
          }),
        );
      });
      const task = createTask(runner());
      yield* wait(sleep(1));
      task.cancel("outside");
      const error = yield* failureOf(task, CancelledError);
      assert.equal(error.reason, "outside");
      assert.equal(task.cancelled(), true);
      assert.equal(cancelled, 15);
    },
  );

  testScript(
    "so does cancelling it while the group waits [BaseTestTaskGroup.test_taskgroup_12]",
    function* (form) {
      let cancelled = 0;
      const patient = form.define(function* patient() {
        try {
          yield* wait(sleep(10));
        } finally {
          cancelled++;
        }
      });
      const runner = form.define(function* runner() {
        yield* wait(
          group(form, function* (outer) {
            void outer.createTask(patient());
            yield* wait(
              group(form, function* (inner) {
                for (let count = 0; count < 5; count++) void inner.createTask(patient());
              }),
            );
          }),
        );
      });
      const task = createTask(runner());
      yield* wait(sleep(1));
      assert.equal(task.done(), false);
      task.cancel();
      yield* failureOf(task, CancelledError);
      assert.equal(cancelled, 6);
    },
  );

  testScript(
    "errors go before a cancellation from outside [BaseTestTaskGroup.test_taskgroup_08]",
    function* (form) {
      const crashWhenCancelled = form.define(function* crashWhenCancelled(name: string) {
        try {
          yield* wait(sleep(10));
        } finally {
          // eslint-disable-next-line no-unsafe-finally -- that is the point.
          throw new RangeError(name);
        }
      });
      const runner = form.define(function* runner() {
        yield* wait(
          group(form, function* (tasks) {
            for (const name of ["first", "second", "third"]) void tasks.createTask(crashWhenCancelled(name));
            yield* wait(sleep(10));
          }),
        );
      });
      const task = createTask(runner());
      yield* wait(sleep(1));
      task.cancel();
      const error = yield* failureOf(task, ExceptionGroup);
      assert.deepEqual(shapeOf(error), ["RangeError: first", "RangeError: second", "RangeError: third"]);
    },
  );

  testScript(
    "an error of the block cancels the children and is in the group, last [BaseTestTaskGroup.test_taskgroup_10]",
    function* (form) {
      const crashWhenCancelled = form.define(function* crashWhenCancelled() {
        try {
          yield* wait(sleep(10));
        } catch {
          throw new TypeError("child");
        }
      });
      let patient!: Task;
      const error = yield* failureOf(
        group(form, function* (tasks) {
          patient = tasks.createTask(sleep(10));
          void tasks.createTask(crashWhenCancelled());
          yield* wait(sleep(1));
          throw new RangeError("block");
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["TypeError: child", "RangeError: block"]);
      assert.equal(patient.cancelled(), true);
      assert.equal(now(), 1);
    },
  );

  testScript("an error of the block is in a group also without children", function* (form) {
    const error = yield* failureOf(
      group(form, function* () {
        throw new RangeError("block");
      }),
      ExceptionGroup,
    );
    assert.deepEqual(shapeOf(error), ["RangeError: block"]);
  });

  testScript(
    "nested: the inner group is cancelled through the outer one's block [BaseTestTaskGroup.test_taskgroup_11]",
    function* (form) {
      const log: string[] = [];
      const slowToEnd = form.define(function* slowToEnd() {
        try {
          yield* wait(sleep(10));
        } finally {
          yield* wait(sleep(1));
          log.push("ended");
        }
      });
      const runner = form.define(function* runner() {
        yield* wait(
          group(form, function* () {
            yield* wait(
              group(form, function* (inner) {
                void inner.createTask(slowToEnd());
                try {
                  yield* wait(sleep(10));
                } catch (error) {
                  log.push("block");
                  throw error;
                }
              }),
            );
          }),
        );
      });
      const task = createTask(runner());
      yield* wait(sleep(1));
      task.cancel();
      yield* failureOf(task, CancelledError);
      assert.deepEqual(log, ["block", "ended"]);
      assert.equal(now(), 2);
    },
  );

  testScript(
    "nested: an error in the inner group is a group in the group [BaseTestTaskGroup.test_taskgroup_13]",
    function* (form) {
      const error = yield* failureOf(
        group(form, function* (outer) {
          void outer.createTask(sleep(10));
          yield* wait(
            group(form, function* (inner) {
              void inner.createTask(sleep(10));
              void inner.createTask(crashAfter(form, 1));
            }),
          );
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), [["RangeError: crash"]]);
    },
  );

  testScript(
    "nested: an error in the outer group cancels the inner one [BaseTestTaskGroup.test_taskgroup_14]",
    function* (form) {
      let inner!: Task;
      const error = yield* failureOf(
        group(form, function* (outer) {
          void outer.createTask(crashAfter(form, 1));
          yield* wait(
            group(form, function* (tasks) {
              inner = tasks.createTask(crashAfter(form, 2));
            }),
          );
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: crash"]);
      assert.equal(inner.cancelled(), true);
      assert.equal(self().cancelling(), 0);
    },
  );

  testScript(
    "a cancellation while an error is ending the group gives way to it [BaseTestTaskGroup.test_taskgroup_15] [BaseTestTaskGroup.test_taskgroup_16]",
    function* (form) {
      const runner = form.define(function* runner() {
        yield* wait(
          group(form, function* (tasks) {
            void tasks.createTask(crashAfter(form, 1));
            try {
              yield* wait(sleep(10));
            } catch (error) {
              yield* wait(sleep(1));
              throw error;
            }
          }),
        );
      });
      const task = createTask(runner());
      yield* wait(sleep(1.5));
      task.cancel();
      const error = yield* failureOf(task, ExceptionGroup);
      assert.deepEqual(shapeOf(error), ["RangeError: crash"]);
      assert.equal(now(), 1.5);
    },
  );

  testScript(
    "cancelled children that clean up are waited for [BaseTestTaskGroup.test_taskgroup_17]",
    function* (form) {
      let ended = 0;
      const slowToEnd = form.define(function* slowToEnd() {
        try {
          yield* wait(sleep(10));
        } finally {
          yield* wait(sleep(2));
          ended++;
        }
      });
      const runner = form.define(function* runner() {
        yield* wait(
          group(form, function* (tasks) {
            for (let count = 0; count < 3; count++) void tasks.createTask(slowToEnd());
          }),
        );
      });
      const task = createTask(runner());
      yield* wait(sleep(1));
      task.cancel("once");
      yield* wait(sleep(1));
      // Repeated cancels do not shorten the wait.
      task.cancel("twice");
      assert.equal(task.cancelling(), 2);
      const error = yield* failureOf(task, CancelledError);
      assert.equal(error.reason, "once");
      assert.equal(ended, 3);
      assert.equal(now(), 3);
    },
  );

  testScript(
    "a block that turns the cancellation into an error [BaseTestTaskGroup.test_taskgroup_18]",
    function* (form) {
      const runner = form.define(function* runner() {
        yield* wait(
          group(form, function* (tasks) {
            void tasks.createTask(sleep(10));
            try {
              yield* wait(sleep(10));
            } catch {
              throw new TypeError("mine");
            }
          }),
        );
      });
      const task = createTask(runner());
      yield* wait(sleep(1));
      task.cancel();
      const error = yield* failureOf(task, ExceptionGroup);
      assert.deepEqual(shapeOf(error), ["TypeError: mine"]);
    },
  );

  testScript(
    "an error of a child and then one of the block [BaseTestTaskGroup.test_taskgroup_19] [BaseTestTaskGroup.test_taskgroup_21a]",
    function* (form) {
      const error = yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(crashAfter(form, 1));
          try {
            yield* wait(sleep(10));
          } catch {
            throw new TypeError("mine");
          }
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: crash", "TypeError: mine"]);
      assert.equal(self().cancelling(), 0);
    },
  );

  testScript(
    "KeyboardInterrupt in the block goes before the group of errors [BaseTestTaskGroup.test_taskgroup_20]",
    function* (form) {
      const interrupt = new KeyboardInterrupt("Ctrl-C");
      const error = yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(crashAfter(form, 1));
          try {
            yield* wait(sleep(10));
          } catch {
            throw interrupt;
          }
        }),
      );
      assert.equal(error, interrupt);
    },
  );

  test("KeyboardInterrupt in a child ends the run [BaseTestTaskGroup.test_taskgroup_20a]", async () => {
    await assert.rejects(
      () =>
        simulate(async () => {
          await taskGroup(async (tasks) => {
            void tasks.createTask(async () => {
              await sleep(1);
              throw new KeyboardInterrupt("Ctrl-C");
            });
            await sleep(10);
          });
        }),
      KeyboardInterrupt,
    );
  });

  testScript(
    "children that are done leave the group [BaseTestTaskGroup.test_taskgroup_23]",
    function* (form) {
      yield* wait(
        group(form, function* (tasks) {
          for (let count = 0; count < 10; count++) {
            yield* wait(sleep(0.1));
            void tasks.createTask(sleep(0.3));
            if (count === 5) assert.ok(tasks.size < 5);
          }
          yield* wait(sleep(1.35));
          assert.equal(tasks.size, 0);
        }),
      );
    },
  );

  testScript(
    "children may make further ones while the group waits [BaseTestTaskGroup.test_taskgroup_24]",
    function* (form) {
      const root = form.define(function* root(tasks: TaskGroup) {
        yield* wait(sleep(0.1));
        void tasks.createTask(sleep(0.1));
        void tasks.createTask(sleep(0.2));
      });
      yield* wait(
        group(form, function* (tasks) {
          void tasks.createTask(root(tasks));
        }),
      );
      assert.ok(Math.abs(now() - 0.3) < 1e-9);
    },
  );

  testScript(
    "a group that grows for ever ends when one of it fails [BaseTestTaskGroup.test_taskgroup_25]",
    function* (form) {
      let heads = 0;
      const hydra: (tasks: TaskGroup) => Coroutine<void> = form.define(function* grow(
        tasks: TaskGroup,
      ): Script<void> {
        heads++;
        yield* wait(sleep(0.01));
        void tasks.createTask(hydra(tasks));
        void tasks.createTask(hydra(tasks));
      });
      const hercules = form.define(function* hercules() {
        while (heads < 10) yield* wait(sleep(0.015));
        throw new RangeError("strike");
      });
      const error = yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(hydra(tasks));
          void tasks.createTask(hercules());
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: strike"]);
      assert.ok(heads >= 10);
    },
  );

  testScript(
    "names its children as asked [BaseTestTaskGroup.test_taskgroup_task_name] [BaseTestTaskGroup.test_name]",
    function* (form) {
      yield* wait(
        group(form, function* (tasks) {
          assert.equal(tasks.createTask(sleep(0), { name: "yolo" }).getName(), "yolo");
          assert.match(tasks.createTask(sleep(0)).getName(), /^Task-\d+$/);
        }),
      );
    },
  );

  testScript(
    "runs a child in the context that is asked for [BaseTestTaskGroup.test_taskgroup_task_context]",
    function* (form) {
      const variable = new ContextVar<number>("variable");
      const set = form.define(function* set(value: number) {
        variable.set(value);
      });
      const context: Context = copyContext();
      yield* wait(
        group(form, function* (tasks) {
          yield* wait(tasks.createTask(set(1)));
          assert.equal(variable.get(0), 0);
          yield* wait(tasks.createTask(set(2), { context }));
          assert.equal(context.get(variable), 2);
          assert.equal(variable.get(0), 0);
        }),
      );
    },
  );

  testScript(
    "takes no more children when it is shutting down [BaseTestTaskGroup.test_taskgroup_no_create_task_after_failure]",
    function* (form) {
      let refusal: unknown;
      const latecomer = form.define(function* latecomer(tasks: TaskGroup) {
        try {
          yield* wait(sleep(10));
        } catch (error) {
          refusal = assert.throws(() => void tasks.createTask(sleep(1)), RuntimeError);
          throw error;
        }
      });
      yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(latecomer(tasks));
          void tasks.createTask(crashAfter(form, 1));
        }),
        ExceptionGroup,
      );
      assert.match(String(refusal), /shutting down/);
    },
  );

  testScript(
    "the error of a finally block inside is in the group [BaseTestTaskGroup.test_taskgroup_context_manager_exit_raises]",
    function* (form) {
      const database = form.define(function* database() {
        try {
          yield* wait(sleep(10));
        } finally {
          // eslint-disable-next-line no-unsafe-finally -- that is the point.
          throw new TypeError("disconnect");
        }
      });
      const error = yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(crashAfter(form, 1));
          yield* wait(database());
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: crash", "TypeError: disconnect"]);
    },
  );

  testScript(
    "runs once [BaseTestTaskGroup.test_taskgroup_already_entered] [BaseTestTaskGroup.test_taskgroup_double_enter]",
    function* (form) {
      const call = group(form, function* () {});
      yield* wait(call);
      yield* failureOf(call, RuntimeError);
    },
  );

  testScript(
    "takes no children when it is finished, and closes what it refuses [BaseTestTaskGroup.test_taskgroup_finished] [BaseTestTaskGroup.test_coro_closed_when_tg_closed]",
    function* (form) {
      let finished!: TaskGroup;
      yield* wait(
        group(form, function* (tasks) {
          finished = tasks;
          void tasks.createTask(sleep(0));
        }),
      );
      const late = sleep(1);
      const error = assert.throws(() => finished.createTask(late), RuntimeError);
      assert.match(error.message, /is finished/);
      const reuse = yield* failureOf(late, RuntimeError);
      assert.match(reuse.message, /already closed/);
    },
  );

  test("needs a task [BaseTestTaskGroup.test_taskgroup_without_parent_task] [BaseTestTaskGroup.test_taskgroup_not_entered]", () =>
    simulate(async () => {
      const outcome = new Future<unknown>();
      getRunningLoop().callSoon(() => {
        outcome.setResult(assert.throws(() => new TaskGroup(), RuntimeError));
      });
      assert.equal(((await outcome) as RuntimeError).code, "CORIO_NO_RUNNING_TASK");
    }));

  testScript(
    "leaves the count of cancel requests as it was [BaseTestTaskGroup.test_cancelling_level_preserved]",
    function* (form) {
      yield* failureOf(
        group(form, function* (tasks) {
          void tasks.createTask(crashAfter(form, 0));
        }),
        ExceptionGroup,
      );
      assert.equal(self().cancelling(), 0);
      yield* wait(sleep(0));
    },
  );

  testScript(
    "nested, and both fail: nothing is left of the cancellations [BaseTestTaskGroup.test_nested_groups_both_cancelled]",
    function* (form) {
      const error = yield* failureOf(
        group(form, function* (outer) {
          void outer.createTask(crashAfter(form, 1));
          yield* wait(
            group(form, function* (inner) {
              void inner.createTask(crashAfter(form, 1));
            }),
          );
        }),
        ExceptionGroup,
      );
      assert.deepEqual(shapeOf(error), ["RangeError: crash", ["RangeError: crash"]]);
      assert.equal(self().cancelling(), 0);
      yield* wait(sleep(1));
    },
  );

  testScript(
    "a cancellation that gave way to errors is raised at the next await [BaseTestTaskGroup.test_error_and_cancel]",
    function* (form) {
      const event = new Event();
      const raise = form.define(function* raise() {
        event.set();
        yield* wait(sleep(0));
        throw new RangeError("crash");
      });
      const inner = form.define(function* inner() {
        yield* failureOf(
          group(form, function* (tasks) {
            void tasks.createTask(raise());
            yield* wait(sleep(1));
            assert.fail("not reached");
          }),
          ExceptionGroup,
        );
        assert.equal(self().cancelling(), 1);
        yield* failureOf(sleep(1), CancelledError);
        assert.equal(self().cancelling(), 1);
        return "checked";
      });
      const task = createTask(inner());
      yield* wait(event.wait());
      task.cancel();
      assert.equal(yield* wait(task), "checked");
    },
  );

  testScript(
    "a child made by a child whose error ends the group [BaseTestTaskGroup.test_cancels_task_if_created_during_creation]",
    function* (form) {
      for (const factory of [null, eagerTaskFactory]) {
        getRunningLoop().setTaskFactory(factory);
        let ran = false;
        const third = form.define(function* third() {
          throw new RangeError("third");
        });
        const second = form.define(function* second(tasks: TaskGroup) {
          void tasks.createTask(third());
          let cancelled = 0;
          for (let round = 0; round < 2 && cancelled === 0; round++) {
            try {
              yield* wait(sleep(0));
            } catch {
              cancelled++;
            }
          }
          assert.equal(cancelled, 1);
          ran = true;
        });
        const error = yield* failureOf(
          group(form, function* (tasks) {
            void tasks.createTask(second(tasks));
          }),
          ExceptionGroup,
        );
        assert.deepEqual(shapeOf(error), ["RangeError: third"]);
        assert.equal(ran, true);
      }
      getRunningLoop().setTaskFactory(null);
    },
  );

  testScript(
    "an eager child's error does not cancel what comes after the group [BaseTestTaskGroup.test_cancellation_does_not_leak_out_of_tg]",
    function* (form) {
      for (const factory of [null, eagerTaskFactory]) {
        getRunningLoop().setTaskFactory(factory);
        const fail = form.define(function* fail() {
          throw new RangeError("at once");
        });
        yield* failureOf(
          group(form, function* (tasks) {
            void tasks.createTask(fail());
          }),
          ExceptionGroup,
        );
        getRunningLoop().setTaskFactory(null);
        assert.equal(self().cancelling(), 0);
        yield* wait(sleep(0));
      }
    },
  );

  testScript("a child that is cancelled, or raises CancelledError, is no error", function* (form) {
    const cancelsItself = form.define(function* cancelsItself() {
      throw new CancelledError("by hand");
    });
    yield* wait(
      group(form, function* (tasks) {
        void tasks.createTask(sleep(10)).cancel();
        void tasks.createTask(cancelsItself());
        yield* wait(sleep(1));
      }),
    );
    assert.equal(now(), 1);
  });

  testScript("errors are in the order in which the children ended", function* (form) {
    const error = yield* failureOf(
      group(form, function* (tasks) {
        for (const name of ["a", "b", "c"]) {
          const slow = form.define(function* slow() {
            try {
              yield* wait(sleep(10));
            } catch {
              yield* wait(sleep(name === "b" ? 1 : 2));
              throw new RangeError(name);
            }
          });
          void tasks.createTask(slow());
        }
        void tasks.createTask(crashAfter(form, 1));
      }),
      ExceptionGroup,
    );
    assert.deepEqual(shapeOf(error), [
      "RangeError: crash",
      "RangeError: b",
      "RangeError: a",
      "RangeError: c",
    ]);
  });

  testScript("iterates its children in the order they were made", function* (form) {
    yield* wait(
      group(form, function* (tasks) {
        const made = ["a", "b", "c"].map((name, index) => tasks.createTask(sleep(3 - index), { name }));
        assert.deepEqual([...tasks], made);
        yield* wait(sleep(1.5));
        assert.deepEqual(
          [...tasks].map((task) => task.getName()),
          ["a", "b"],
        );
      }),
    );
  });

  test("refuses promises and bad options, and nothing is left half done", () =>
    simulate(async () => {
      assert.throws(() => taskGroup(undefined as never), ArgumentTypeError);
      assert.throws(() => taskGroup(() => 1, { signal: 1 as never }), ArgumentTypeError);
      assert.throws(
        () => taskGroup(() => 1, null as never),
        /taskGroup expects an object with options, got null/,
      );
      await taskGroup(async (tasks) => {
        const error = assert.throws(
          () => void tasks.createTask(Promise.resolve(1) as never),
          ArgumentTypeError,
        );
        assert.match(error.message, /pass \(\) => helper\(\)/);
        assert.equal(tasks.size, 0);
      });
    }));

  test("blocks and children of both forms", () =>
    simulate(async () => {
      const main = coroutine(function* () {
        const values = yield* taskGroup(async (tasks) => {
          const child = tasks.createTask(function* () {
            yield* sleep(1);
            return "generator";
          });
          return [await child, await tasks.createTask(() => sleep(1, "coroutine"))];
        });
        return values;
      });
      assert.deepEqual(await main(), ["generator", "coroutine"]);
      const tasks = await taskGroup((made) => [made.createTask(sleep(1, "sync block"))]);
      assert.equal(tasks[0]?.result(), "sync block");
    }));

  test("overlapping in one task is an error", () =>
    simulate(async () => {
      const error = await assert.rejects<RuntimeError>(
        () =>
          Promise.all([
            taskGroup(async () => {
              await sleep(1);
            }),
            taskGroup(async () => {
              await sleep(2);
            }),
          ]),
        RuntimeError,
      );
      assert.equal(error.code, "CORIO_OVERLAPPING_SCOPES");
      await sleep(2);
    }));

  testScript("with a signal: its abort cancels the block and the children", function* (form) {
    const controller = new AbortController();
    getRunningLoop().callLater(1, () => {
      controller.abort("enough");
    });
    let child!: Task;
    const error = yield* failureOf(
      taskGroup(
        block(form, function* (tasks: TaskGroup) {
          child = tasks.createTask(sleep(10));
        }),
        { signal: controller.signal },
      ),
      CancelledError,
    );
    assert.equal(error.reason, "enough");
    assert.equal(child.cancelled(), true);
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(1));
  });

  testScript("with a signal and an error: the error is raised and nothing else", function* (form) {
    const controller = new AbortController();
    getRunningLoop().callLater(1, () => {
      controller.abort();
    });
    const crashWhenCancelled = form.define(function* crashWhenCancelled() {
      try {
        yield* wait(sleep(10));
      } catch {
        throw new RangeError("crash");
      }
    });
    const body = block(form, function* (tasks: TaskGroup) {
      void tasks.createTask(crashWhenCancelled());
    });
    yield* failureOf(taskGroup(body, { signal: controller.signal }), ExceptionGroup);
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(1));
  });
});

describe("TaskGroup.cancel", () => {
  testScript("ends the group early, without an error", function* (form) {
    const log: string[] = [];
    const child = form.define(function* child() {
      try {
        yield* wait(sleep(10));
      } finally {
        yield* wait(sleep(1));
        log.push("child ended");
      }
    });
    const result = yield* wait(
      group(form, function* (tasks) {
        void tasks.createTask(child());
        getRunningLoop().callLater(1, () => {
          tasks.cancel();
          tasks.cancel();
        });
        yield* wait(sleep(10));
        return "not reached";
      }),
    );
    assert.equal(result, undefined);
    assert.deepEqual(log, ["child ended"]);
    assert.equal(now(), 2);
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(1));
  });

  testScript("by a child, also while the group waits", function* (form) {
    const child = form.define(function* child(tasks: TaskGroup) {
      yield* wait(sleep(1));
      tasks.cancel();
      return "done";
    });
    let first!: Task;
    let second!: Task;
    yield* wait(
      group(form, function* (tasks) {
        first = tasks.createTask(child(tasks));
        second = tasks.createTask(sleep(10));
      }),
    );
    assert.equal(now(), 1);
    assert.equal(second.cancelled(), true);
    assert.equal(first.done(), true);
    yield* wait(sleep(0));
  });

  testScript("interrupts the task of the group also while that waits", function* (form) {
    const parent = self();
    let requests = 0;
    const child = form.define(function* child(tasks: TaskGroup) {
      yield* wait(sleep(1));
      tasks.cancel();
      requests = parent.cancelling();
    });
    yield* wait(
      group(form, function* (tasks) {
        void tasks.createTask(child(tasks));
      }),
    );
    assert.equal(requests, 1);
    assert.equal(parent.cancelling(), 0);
    yield* wait(sleep(0));
  });

  testScript("by the block itself: interrupts it at its next await, or not at all", function* (form) {
    const log: string[] = [];
    yield* wait(
      group(form, function* (tasks) {
        tasks.cancel();
        log.push("goes on");
        assert.throws(() => void tasks.createTask(sleep(1)), /shutting down/);
        yield* wait(sleep(1));
        log.push("not reached");
      }),
    );
    assert.equal(
      yield* wait(
        group(form, function* (tasks) {
          tasks.cancel();
          return "result";
        }),
      ),
      "result",
    );
    assert.deepEqual(log, ["goes on"]);
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(0));
  });

  testScript("does nothing after the block", function* (form) {
    let finished!: TaskGroup;
    yield* wait(
      group(form, function* (tasks) {
        finished = tasks;
      }),
    );
    finished.cancel();
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(0));
  });

  testScript("errors that members throw meanwhile are raised", function* (form) {
    const crashWhenCancelled = form.define(function* crashWhenCancelled() {
      try {
        yield* wait(sleep(10));
      } catch {
        throw new RangeError("crash");
      }
    });
    const error = yield* failureOf(
      group(form, function* (tasks) {
        void tasks.createTask(crashWhenCancelled());
        yield* wait(sleep(1));
        tasks.cancel();
      }),
      ExceptionGroup,
    );
    assert.deepEqual(shapeOf(error), ["RangeError: crash"]);
    assert.equal(self().cancelling(), 0);
  });

  testScript("does not swallow a cancellation from outside, nor a timeout (gh-155433)", function* (form) {
    const slowToEnd = form.define(function* slowToEnd() {
      try {
        yield* wait(sleep(10));
      } catch {
        yield* wait(sleep(5));
      }
    });
    const runner = form.define(function* runner(endsItself: boolean) {
      yield* wait(
        group(form, function* (tasks) {
          void tasks.createTask(slowToEnd());
          yield* wait(sleep(1));
          tasks.cancel();
          if (!endsItself) yield* wait(sleep(10));
        }),
      );
    });
    for (const endsItself of [true, false]) {
      const task = createTask(runner(endsItself));
      yield* wait(sleep(2));
      task.cancel("outside");
      const error = yield* failureOf(task, CancelledError);
      assert.equal(task.cancelling(), 1);
      if (endsItself) assert.equal(error.reason, "outside");
      yield* failureOf(
        timeout(
          2,
          block(form, function* () {
            yield* wait(runner(endsItself));
          }),
        ),
        TimeoutError,
      );
    }
    assert.equal(self().cancelling(), 0);
  });

  testScript(
    "is not taken for one from outside in a task that refused a cancellation before",
    function* (form) {
      const program = form.define(function* program() {
        self().cancel();
        yield* failureOf(sleep(1), CancelledError);
        yield* wait(
          group(form, function* (tasks) {
            void tasks.createTask(sleep(10));
            getRunningLoop().callLater(1, () => {
              tasks.cancel();
            });
            yield* wait(sleep(10));
          }),
        );
        assert.equal(self().cancelling(), 1);
        yield* wait(sleep(1));
        return "went on";
      });
      assert.equal(yield* wait(createTask(program())), "went on");
    },
  );

  test("by an eager child in its first step cancels the child too (gh-155418)", () =>
    simulate(async () => {
      getRunningLoop().setTaskFactory(eagerTaskFactory);
      const child = coroutine(function* child(tasks: TaskGroup) {
        tasks.cancel();
        yield* sleep(10);
      });
      await taskGroup((tasks) => {
        void tasks.createTask(child(tasks));
      });
      assert.equal(now(), 0);
    }));
});

describe("new TaskGroup()", () => {
  testScript("is joined explicitly", function* () {
    const tasks = new TaskGroup();
    const first = tasks.createTask(sleep(1, "first"));
    yield* wait(tasks.join());
    assert.equal(first.result(), "first");
    assert.equal(now(), 1);
    assert.throws(() => void tasks.createTask(sleep(1)), /is finished/);
    yield* failureOf(tasks.join(), RuntimeError);
  });

  testScript("join throws what went wrong, and cancels the others", function* (form) {
    const tasks = new TaskGroup();
    const patient = tasks.createTask(sleep(10));
    void tasks.createTask(crashAfter(form, 1));
    const error = yield* failureOf(tasks.join(), ExceptionGroup);
    assert.deepEqual(shapeOf(error), ["RangeError: crash"]);
    assert.equal(patient.cancelled(), true);
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(0));
  });

  testScript("may be joined under a timeout that began later", function* (form) {
    const tasks = new TaskGroup();
    void tasks.createTask(sleep(10));
    yield* failureOf(
      timeout(
        1,
        block(form, function* () {
          yield* wait(tasks.join());
        }),
      ),
      TimeoutError,
    );
    assert.equal(tasks.size, 0);
  });

  test("cancels its children and waits for them when its block is left early", () =>
    simulate(async () => {
      const log: string[] = [];
      const leave = async (how: string): Promise<string> => {
        await using tasks = new TaskGroup();
        void tasks.createTask(async () => {
          try {
            await sleep(10);
          } finally {
            await sleep(1);
            log.push(how);
          }
        });
        await sleep(1);
        if (how === "by an error") throw new RangeError("left");
        return how;
      };
      assert.equal(await leave("by return"), "by return");
      await assert.rejects(() => leave("by an error"), RangeError);
      assert.deepEqual(log, ["by return", "by an error"]);
      assert.equal(now(), 4);
    }));

  test("disposing of a joined group does nothing", () =>
    simulate(async () => {
      await (async () => {
        await using tasks = new TaskGroup();
        void tasks.createTask(sleep(1));
        await tasks.join();
      })();
      assert.equal(now(), 1);
    }));

  test("an error of a child interrupts the block, and is not lost", () =>
    simulate(async () => {
      const error = await assert.rejects<{ error?: unknown; suppressed?: unknown }>(async () => {
        await using tasks = new TaskGroup();
        void tasks.createTask(async () => {
          await sleep(1);
          throw new RangeError("crash");
        });
        await sleep(10);
      });
      assert.instanceOf(error.error, ExceptionGroup);
      assert.deepEqual(shapeOf(error.error), ["RangeError: crash"]);
      assert.instanceOf(error.suppressed, CancelledError);
      assert.equal(now(), 1);
      assert.equal(self().cancelling(), 0);
      await sleep(0);
    }));

  test("is joined by the task that made it, and only in this form", () =>
    simulate(async () => {
      const tasks = new TaskGroup();
      void tasks.createTask(sleep(1));
      await assert.rejects(createTask(tasks.join()), /joined by the task that made it/);
      await tasks.join();
      await taskGroup(async (other) => {
        await assert.rejects(other.join(), /taskGroup\(\) waits by itself/);
      });
    }));
});
