/* eslint-disable require-yield -- scripts that do not suspend are what some tests are about */
import {
  ArgumentTypeError,
  CancelledError,
  coroutine,
  createTask,
  ContextVar,
  ExceptionGroup,
  Future,
  getRunningLoop,
  InvalidStateError,
  run,
  RuntimeError,
  sleep,
  taskGroup,
  Timeout,
  timeout,
  timeoutAt,
  TimeoutError,
  ValueError,
} from "corio";
import type { Steps } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, describe, hostName, test } from "./support/harness.ts";
import { block, failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import { show, testShownScript } from "./support/primitives.ts";
import { now, self, simulate } from "./support/simulate.ts";

describe("timeout", () => {
  testScript("cancels the block when time is up [TimeoutTests.test_timeout_basic]", function* (form) {
    let scope!: Timeout;
    const error = yield* failureOf(
      timeout(
        0.01,
        block(form, function* (entered: Timeout) {
          scope = entered;
          assert.equal(scope.when(), 0.01);
          yield* wait(sleep(10));
        }),
      ),
      TimeoutError,
    );
    assert.equal(now(), 0.01);
    assert.instanceOf(error.cause, CancelledError);
    assert.equal(error.cause.requestedBy, "timeout");
    assert.match(error.message, /timed out after 0\.01 s/);
    assert.equal(scope.expired(), true);
    assert.equal(self().cancelling(), 0);
  });

  testScript(
    "timeoutAt takes a time of the loop's clock [TimeoutTests.test_timeout_at_basic]",
    function* (form) {
      yield* wait(sleep(1));
      yield* failureOf(
        timeoutAt(
          3,
          block(form, function* (scope: Timeout) {
            assert.equal(scope.when(), 3);
            yield* wait(sleep(10));
          }),
        ),
        TimeoutError,
      );
      assert.equal(now(), 3);
    },
  );

  testScript(
    "gives what the block gives, and leaves no timer behind [TimeoutTests.test_timeout_not_called]",
    function* (form) {
      let scope!: Timeout;
      const result = yield* wait(
        timeout(
          10,
          block(form, function* (entered: Timeout) {
            scope = entered;
            yield* wait(sleep(1));
            return "in time";
          }),
        ),
      );
      assert.equal(result, "in time");
      assert.equal(scope.expired(), false);
      assert.equal(scope.state, "finished");
      yield* wait(sleep(20));
    },
  );

  testScript(
    "null means no limit [TimeoutTests.test_timeout_disabled] [TimeoutTests.test_timeout_at_disabled] [TimeoutTests.test_repr_disabled]",
    function* (form) {
      for (const start of [timeout, timeoutAt]) {
        const body = block(form, function* (scope: Timeout) {
          assert.equal(scope.when(), null);
          assert.equal(scope.expired(), false);
          yield* wait(sleep(1000));
          return scope;
        });
        assert.equal((yield* wait(start(null, body))).expired(), false);
      }
    },
  );

  testScript(
    "of 0 lets the block run up to its first wait [TimeoutTests.test_timeout_zero]",
    function* (form) {
      const log: string[] = [];
      yield* failureOf(
        timeout(
          0,
          block(form, function* () {
            log.push("began");
            yield* wait(sleep(10));
          }),
        ),
        TimeoutError,
      );
      assert.deepEqual(log, ["began"]);
      assert.equal(now(), 0);
      assert.equal(
        yield* wait(
          timeout(
            0,
            block(form, function* () {
              return "no wait";
            }),
          ),
        ),
        "no wait",
      );
    },
  );

  testScript(
    "of 0 finds a block that only yields [TimeoutTests.test_timeout_zero_sleep_zero]",
    function* (form) {
      yield* failureOf(
        timeout(
          0,
          block(form, function* () {
            yield* wait(sleep(0));
          }),
        ),
        TimeoutError,
      );
    },
  );

  testScript("in the past does so too [TimeoutTests.test_timeout_in_the_past_sleep_zero]", function* (form) {
    yield* wait(sleep(5));
    const body = block(form, function* () {
      yield* wait(sleep(0));
    });
    yield* failureOf(timeoutAt(-11, body), TimeoutError);
    yield* failureOf(timeout(-11, body), TimeoutError);
  });

  testScript("nested: the inner one expires [TimeoutTests.test_nested_timeouts]", function* (form) {
    // The outer deadline is later, but both have passed by the time the blocks end.
    let outer!: Timeout;
    let inner!: Timeout;
    const body = block(form, function* (scope: Timeout) {
      outer = scope;
      const innerBody = block(form, function* (innerScope: Timeout) {
        inner = innerScope;
        yield* wait(sleep(10));
      });
      yield* failureOf(timeout(0.01, innerBody), TimeoutError);
      yield* wait(sleep(10));
    });
    yield* failureOf(timeout(0.2, body), TimeoutError);
    assert.equal(inner.expired(), true);
    assert.equal(outer.expired(), true);
    assert.equal(now(), 0.2);
  });

  testScript(
    "nested: two that expire at once give one TimeoutError, to the outer [TimeoutTests.test_nested_timeouts_concurrent]",
    function* (form) {
      const log: string[] = [];
      const body = block(form, function* () {
        const innerBody = block(form, function* () {
          yield* wait(sleep(1));
        });
        try {
          yield* wait(timeout(0.002, innerBody));
        } catch (error) {
          log.push((error as Error).name);
          throw error;
        }
      });
      yield* failureOf(timeout(0.002, body), TimeoutError);
      assert.deepEqual(log, ["CancelledError"]);
      assert.equal(self().cancelling(), 0);
    },
  );

  test("nested in a loop that was busy past both deadlines [TimeoutTests.test_nested_timeouts_loop_busy]", async () => {
    const clock = new VirtualClock({ autoJump: true });
    await run(
      async () => {
        const log: string[] = [];
        let outer!: Timeout;
        let inner!: Timeout;
        await assert.rejects(
          () =>
            timeout(0.1, async (scope) => {
              outer = scope;
              try {
                await timeout(0.2, async (innerScope) => {
                  inner = innerScope;
                  clock.advance(1);
                  await sleep(0);
                  await sleep(0);
                  await sleep(10);
                });
              } catch (error) {
                log.push((error as Error).name);
                throw error;
              }
            }),
          TimeoutError,
        );
        assert.deepEqual(log, ["CancelledError"]);
        assert.equal(outer.expired(), true);
        assert.equal(inner.expired(), inner.state === "expired");
        assert.equal(self().cancelling(), 0);
      },
      { clock },
    );
  });

  testScript(
    "also when what the block awaits is cancelled with it [TimeoutTests.test_waiter_cancelled]",
    function* (form) {
      const future = new Future();
      const error = yield* failureOf(
        timeout(
          0.01,
          block(form, function* () {
            yield* wait(future);
          }),
        ),
        TimeoutError,
      );
      assert.equal(future.cancelled(), true);
      assert.instanceOf(error.cause, CancelledError);
    },
  );

  testScript("lets other exceptions through [TimeoutTests.test_foreign_exception_passed]", function* (form) {
    let scope!: Timeout;
    const error = new RangeError("foreign");
    const thrown = yield* failureOf(
      timeout(
        10,
        block(form, function* (entered: Timeout) {
          scope = entered;
          yield* wait(sleep(1));
          throw error;
        }),
      ),
    );
    assert.equal(thrown, error);
    assert.equal(scope.expired(), false);
  });

  testScript(
    "an exception that the timeout caused says so in its causes [TimeoutTests.test_timeout_exception_context] [TimeoutTests.test_foreign_exception_on_timeout]",
    function* (form) {
      const crash = form.define(function* crash() {
        try {
          yield* wait(sleep(1));
        } catch (error) {
          throw new RangeError("while cleaning up", { cause: error });
        }
      });
      const thrown = yield* failureOf(
        timeout(
          0.01,
          block(form, function* () {
            yield* wait(crash());
          }),
        ),
        RangeError,
      );
      assert.instanceOf(thrown.cause, TimeoutError);
      assert.instanceOf(thrown.cause.cause, CancelledError);
      assert.equal(self().cancelling(), 0);
    },
  );

  testScript(
    "and so does one further down, or one level into a group [TimeoutTests.test_foreign_exception_on_timeout_2]",
    function* (form) {
      const crash = form.define(function* crash(wrap: (error: RangeError) => unknown) {
        try {
          yield* wait(sleep(1));
        } catch (error) {
          throw wrap(new RangeError("outer", { cause: new TypeError("inner", { cause: error }) }));
        }
      });
      const deep = yield* failureOf(
        timeout(
          0.01,
          block(form, function* () {
            yield* wait(crash((error) => error));
          }),
        ),
        RangeError,
      );
      assert.instanceOf((deep.cause as TypeError).cause, TimeoutError);
      const group = yield* failureOf(
        timeout(
          0.01,
          block(form, function* () {
            yield* wait(crash((error) => new ExceptionGroup("g", [error])));
          }),
        ),
        ExceptionGroup,
      );
      const member = group.errors[0] as RangeError;
      assert.instanceOf((member.cause as TypeError).cause, TimeoutError);
    },
  );

  testScript("a cyclic chain of causes does no harm", function* (form) {
    const error = new RangeError("round");
    error.cause = error;
    const body = block(form, function* () {
      try {
        yield* wait(sleep(1));
      } catch {
        throw error;
      }
    });
    assert.equal(yield* failureOf(timeout(0.01, body)), error);
  });

  testScript(
    "a cancellation that is not its own stays one [TimeoutTests.test_foreign_cancel_doesnt_timeout_if_not_expired]",
    function* (form) {
      const thrown = yield* failureOf(
        timeout(
          10,
          block(form, function* () {
            yield* wait(sleep(1));
            throw new CancelledError("by hand");
          }),
        ),
      );
      assert.instanceOf(thrown, CancelledError);
      assert.equal(thrown.message, "by hand");
    },
  );

  testScript(
    "a task that meets TimeoutError is not cancelled [TimeoutTests.test_outer_task_is_not_cancelled]",
    function* (form) {
      const outer = form.define(function* outer() {
        yield* failureOf(
          timeout(
            0.001,
            block(form, function* () {
              yield* wait(sleep(1));
            }),
          ),
          TimeoutError,
        );
        return "went on";
      });
      const task = createTask(outer());
      assert.equal(yield* wait(task), "went on");
      assert.equal(task.cancelled(), false);
      assert.equal(task.cancelling(), 0);
    },
  );

  testScript("may be moved, taken away and set again [TimeoutTests.test_reschedule]", function* (form) {
    const body = block(form, function* (scope: Timeout) {
      assert.equal(scope.when(), 10);
      scope.reschedule(null);
      assert.equal(scope.when(), null);
      yield* wait(sleep(20));
      scope.reschedule(22);
      yield* wait(sleep(1));
      scope.reschedule(21.5);
      yield* wait(sleep(20));
    });
    yield* failureOf(timeout(10, body), TimeoutError);
    assert.equal(now(), 21.5);
  });

  testScript("moved into the past it ends the block in the next iteration", function* (form) {
    const body = block(form, function* (scope: Timeout) {
      yield* wait(sleep(5));
      scope.reschedule(1);
      yield* wait(sleep(0));
    });
    yield* failureOf(timeout(10, body), TimeoutError);
    assert.equal(now(), 5);
  });

  testShownScript(
    "shows its state [TimeoutTests.test_repr_active] [TimeoutTests.test_repr_expired] [TimeoutTests.test_repr_finished]",
    function* (form) {
      let scope!: Timeout;
      const body = block(form, function* (entered: Timeout) {
        scope = entered;
        assert.equal(scope.state, "active");
        try {
          yield* wait(sleep(1));
        } finally {
          assert.equal(scope.state, now() === 1 ? "active" : "expiring");
        }
      });
      yield* wait(timeout(10, body));
      assert.equal(scope.state, "finished");
      yield* failureOf(timeout(0.5, body), TimeoutError);
      assert.equal(scope.state, "expired");
      assert.equal(show(scope), "<Timeout [expired]>");
    },
  );

  testScript(
    "in a finally block, after a first one has expired [TimeoutTests.test_nested_timeout_in_finally]",
    function* (form) {
      const log: string[] = [];
      const body = block(form, function* () {
        try {
          yield* wait(sleep(1));
        } finally {
          yield* failureOf(
            timeout(
              0.01,
              block(form, function* () {
                yield* wait(sleep(10));
              }),
            ),
            TimeoutError,
          );
          log.push("inner");
        }
      });
      yield* failureOf(timeout(0.01, body), TimeoutError);
      assert.deepEqual(log, ["inner"]);
    },
  );

  testScript(
    "after a cancellation that was caught [TimeoutTests.test_timeout_after_cancellation]",
    function* (form) {
      const program = form.define(function* program() {
        self().cancel();
        yield* failureOf(sleep(1), CancelledError);
        yield* failureOf(
          timeout(
            0,
            block(form, function* () {
              yield* wait(sleep(1));
            }),
          ),
          TimeoutError,
        );
        assert.equal(self().cancelling(), 1);
      });
      yield* wait(createTask(program()));
    },
  );

  testScript(
    "a cancellation from outside is not converted, whichever comes first [TimeoutTests.test_cancel_in_timeout_after_cancellation]",
    function* (form) {
      const program = form.define(function* program() {
        self().cancel();
        yield* failureOf(sleep(1), CancelledError);
        const body = block(form, function* () {
          self().cancel();
          yield* wait(sleep(2));
        });
        yield* failureOf(timeout(1, body), CancelledError);
        return "checked";
      });
      assert.equal(yield* wait(createTask(program())), "checked");
      const both = form.define(function* both() {
        yield* wait(
          timeout(
            1,
            block(form, function* () {
              yield* wait(sleep(2));
            }),
          ),
        );
      });
      const task = createTask(both());
      yield* wait(sleep(0.5));
      getRunningLoop().callAt(1, () => task.cancel("outside"));
      const error = yield* failureOf(task, CancelledError);
      assert.equal(task.cancelled(), true);
      assert.equal(error.requestedBy, "timeout");
    },
  );

  testScript(
    "cannot be moved when time is up or the block has ended [TimeoutTests.test_timeout_expired] [TimeoutTests.test_timeout_expiring] [TimeoutTests.test_timeout_finished] [TimeoutTests.test_timeout_already_entered]",
    function* (form) {
      let scope!: Timeout;
      const body = block(form, function* (entered: Timeout) {
        scope = entered;
        try {
          yield* wait(sleep(1));
        } catch (error) {
          assert.throws(() => {
            scope.reschedule(5);
          }, InvalidStateError);
          throw error;
        }
      });
      yield* failureOf(timeout(0.5, body), TimeoutError);
      assert.throws(() => {
        scope.reschedule(null);
      }, /a timeout that is expired/);
      yield* wait(
        timeout(
          10,
          block(form, function* (entered: Timeout) {
            scope = entered;
          }),
        ),
      );
      assert.throws(() => {
        scope.reschedule(20);
      }, /a timeout that is finished/);
      assert.equal(scope.when(), 10.5);
    },
  );

  testScript("runs once [TimeoutTests.test_timeout_double_enter]", function* (form) {
    const call = timeout(
      10,
      block(form, function* () {
        return 1;
      }),
    );
    assert.equal(yield* wait(call), 1);
    yield* failureOf(call, RuntimeError);
  });

  test("needs a task [TimeoutTests.test_timeout_without_task] [TimeoutTests.test_timeout_not_entered]", async () => {
    let began = false;
    const error = await assert.rejects<RuntimeError>(
      () =>
        timeout(1, () => {
          began = true;
        }),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_NO_RUNNING_TASK");
    assert.equal(began, false);
  });

  testScript(
    "around a task group cancels its children, and is converted [TimeoutTests.test_timeout_taskgroup]",
    function* (form) {
      const log: string[] = [];
      const child = form.define(function* child() {
        try {
          yield* wait(sleep(10));
        } finally {
          yield* wait(sleep(1));
          log.push(`child ended at ${now().toString()}`);
        }
      });
      const body = block(form, function* () {
        yield* wait(
          taskGroup(
            block(form, function* (group) {
              void group.createTask(child());
            }),
          ),
        );
      });
      const error = yield* failureOf(timeout(0.5, body), TimeoutError);
      assert.instanceOf(error.cause, CancelledError);
      assert.deepEqual(log, ["child ended at 1.5"]);
      // An error of a child goes first, and the timeout is in its causes where the cancellation caused it.
      const crash = form.define(function* crash() {
        try {
          yield* wait(sleep(10));
        } catch (cause) {
          throw new RangeError("crash", { cause });
        }
      });
      const failing = block(form, function* () {
        yield* wait(
          taskGroup(
            block(form, function* (group) {
              void group.createTask(crash());
            }),
          ),
        );
      });
      const group = yield* failureOf(timeout(0.5, failing), ExceptionGroup);
      assert.instanceOf((group.errors[0] as RangeError).cause, TimeoutError);
      assert.equal(self().cancelling(), 0);
      yield* wait(sleep(0));
    },
  );

  testScript("a block that catches the cancellation has come through", function* (form) {
    const body = block(form, function* () {
      try {
        yield* wait(sleep(10));
      } catch {
        return "caught";
      }
      return "slept";
    });
    assert.equal(yield* wait(timeout(1, body)), "caught");
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(1));
  });

  testScript("counts from the moment the block begins", function* (form) {
    const call = timeout(
      { milliseconds: 500 },
      block(form, function* () {
        yield* wait(sleep(10));
      }),
    );
    yield* wait(sleep(3));
    yield* failureOf(call, TimeoutError);
    assert.equal(now(), 3.5);
  });

  testScript("what the block sets in the context stays set", function* (form) {
    const variable = new ContextVar<string>("variable");
    yield* wait(
      timeout(
        1,
        block(form, function* () {
          yield* wait(sleep(0.1));
          variable.set("set inside");
        }),
      ),
    );
    assert.equal(variable.get(), "set inside");
  });

  testScript("as a task of its own", function* (form) {
    const task = createTask(
      timeout(
        1,
        block(form, function* () {
          yield* wait(sleep(10));
        }),
      ),
    );
    yield* failureOf(task, TimeoutError);
    assert.equal(task.cancelled(), false);
  });

  test("a block in one form inside a program in the other", () =>
    simulate(async () => {
      const generatorMain = coroutine(function* () {
        const first = yield* timeout(1, async () => {
          await sleep(0.5);
          return "native";
        });
        const second = yield* timeout(1, () => sleep(0.5, "coroutine"));
        return [first, second];
      });
      assert.deepEqual(await generatorMain(), ["native", "coroutine"]);
      const result = await timeout(1, function* () {
        yield* sleep(0.5);
        return "generator";
      });
      assert.equal(result, "generator");
      function* helper(): Steps<string> {
        yield* sleep(0.5);
        return "forwarded";
      }
      assert.equal(await timeout(1, () => helper()), "forwarded");
      assert.equal(await timeout(1, () => "plain"), "plain");
    }));

  test("the stack of an error from the block goes on to the caller", () =>
    simulate(async () => {
      async function failDeepInside(): Promise<void> {
        await sleep(0.1);
        throw new RangeError("deep");
      }
      async function userProgram(): Promise<void> {
        await timeout(1, async () => {
          await failDeepInside();
        });
      }
      const error = await assert.rejects<RangeError>(userProgram, RangeError);
      assert.match(error.stack ?? "", /failDeepInside/);
      // JavaScriptCore does not follow promises that far.
      if (hostName === "node" || hostName === "deno") assert.match(error.stack ?? "", /userProgram/);
    }));

  test("overlapping in one task is an error that names gather", () =>
    simulate(async () => {
      const error = await assert.rejects<RuntimeError>(
        () =>
          Promise.all([
            timeout(5, async () => {
              await sleep(1);
            }),
            timeout(5, async () => {
              await sleep(2);
            }),
          ]),
        RuntimeError,
      );
      assert.equal(error.code, "CORIO_OVERLAPPING_SCOPES");
      assert.match(error.message, /gather\(\)/);
      await sleep(5);
      await timeout(1, () => sleep(0.1));
    }));

  test("refuses bad arguments", () =>
    simulate(async () => {
      assert.throws(() => timeout(Number.NaN, () => 1), ValueError);
      assert.throws(() => timeout(undefined as never, () => 1), ArgumentTypeError);
      assert.throws(() => timeoutAt("soon" as never, () => 1), ArgumentTypeError);
      assert.throws(() => timeoutAt(Number.NaN, () => 1), ValueError);
      assert.throws(() => timeout(1, undefined as never), ArgumentTypeError);
      assert.throws(() => timeout(1, sleep(1) as never), /use waitFor/);
      assert.throws(() => timeout(1, () => 1, { signal: {} as never }), ArgumentTypeError);
      assert.throws(() => timeout(1, () => 1, null as never), ArgumentTypeError);
      const block = sleep(1);
      assert.throws(() => timeoutAt(1, block as never), ArgumentTypeError);
      await assert.rejects(block, /already closed/);
      await timeout(1, (scope) => {
        assert.instanceOf(scope, Timeout);
        assert.throws(() => {
          scope.reschedule(Number.NaN);
        }, ValueError);
        assert.equal(scope.when(), 1);
      });
    }));
});

describe("timeout with a signal", () => {
  testScript("is cancelled with the signal's reason when it aborts", function* (form) {
    const controller = new AbortController();
    getRunningLoop().callLater(0.5, () => {
      controller.abort("enough");
    });
    const body = block(form, function* () {
      yield* wait(sleep(10));
    });
    const error = yield* failureOf(timeout(5, body, { signal: controller.signal }), CancelledError);
    assert.equal(error.reason, "enough");
    assert.equal(error.requestedBy, "AbortSignal");
    assert.equal(now(), 0.5);
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(1));
  });

  testScript("that has aborted before ends the block at its first wait", function* (form) {
    const log: string[] = [];
    const body = block(form, function* () {
      log.push("began");
      yield* wait(sleep(10));
    });
    yield* failureOf(timeout(5, body, { signal: AbortSignal.abort("before") }), CancelledError);
    assert.deepEqual(log, ["began"]);
    assert.equal(
      yield* wait(
        timeout(
          5,
          block(form, function* () {
            return 1;
          }),
          { signal: AbortSignal.abort() },
        ),
      ),
      1,
    );
    assert.equal(self().cancelling(), 0);
    yield* wait(sleep(0));
  });

  testScript("that aborts after the block does nothing", function* (form) {
    const controller = new AbortController();
    yield* wait(
      timeout(
        5,
        block(form, function* () {
          yield* wait(sleep(1));
        }),
        { signal: controller.signal },
      ),
    );
    controller.abort();
    yield* wait(sleep(1));
    assert.equal(self().cancelling(), 0);
  });

  testScript("that aborts as well as time runs out: the cancellation passes through", function* (form) {
    const controller = new AbortController();
    getRunningLoop().callLater(1, () => {
      controller.abort("both");
    });
    const body = block(form, function* () {
      yield* wait(sleep(10));
    });
    yield* failureOf(timeout(1, body, { signal: controller.signal }), CancelledError);
    assert.equal(self().cancelling(), 0);
  });
});
