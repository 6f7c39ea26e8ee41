import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  currentTask,
  eagerTaskFactory,
  ExceptionGroup,
  getRunningLoop,
  sleep,
  staggeredRace,
} from "corio";
import type { Coroutine, Task } from "corio";
import { assert, describe } from "./support/harness.ts";
import { failureOf } from "./support/blocks.ts";
import { testScript, wait } from "./support/forms.ts";
import type { Form } from "./support/forms.ts";
import { now } from "./support/simulate.ts";

const fail = (form: Form, seconds: number, message: string): Coroutine<string> =>
  form.define(function* fail() {
    yield* wait(sleep(seconds));
    throw new RangeError(message);
  })();

describe("staggeredRace", () => {
  testScript("of nothing has no winner [StaggeredTests.test_empty]", function* () {
    assert.deepEqual(yield* wait(staggeredRace([], null)), { result: null, index: null, exceptions: [] });
  });

  testScript("of one that succeeds [StaggeredTests.test_one_successful]", function* () {
    const race = staggeredRace([() => sleep(0, "Res: 0")], null);
    assert.deepEqual(yield* wait(race), { result: "Res: 0", index: 0, exceptions: [null] });
  });

  testScript(
    "starts the second when the first has failed [StaggeredTests.test_first_error_second_successful]",
    function* (form) {
      for (const delay of [null, 10]) {
        const { result, index, exceptions } = yield* wait(
          staggeredRace([() => fail(form, 1, "0"), () => sleep(1, "Res: 1")], delay),
        );
        assert.deepEqual([result, index, exceptions.length], ["Res: 1", 1, 2]);
        assert.instanceOf(exceptions[0], RangeError);
        assert.equal(exceptions[1], null);
      }
      assert.equal(now(), 4);
    },
  );

  testScript(
    "starts the second after the delay, and cancels the first [StaggeredTests.test_first_timeout_second_successful]",
    function* () {
      const { result, index, exceptions } = yield* wait(
        staggeredRace([() => sleep(10, "Res: 0"), () => sleep(0.5, "Res: 1")], 0.1),
      );
      assert.deepEqual([result, index, exceptions.length], ["Res: 1", 1, 2]);
      assert.instanceOf(exceptions[0], CancelledError);
      assert.equal(now(), 0.6);
    },
  );

  testScript("where all fail has no winner [StaggeredTests.test_none_successful]", function* (form) {
    for (const delay of [null, 0, 0.5, 1]) {
      const { result, index, exceptions } = yield* wait(
        staggeredRace([() => fail(form, 1, "0"), () => fail(form, 1, "1")], delay),
      );
      assert.deepEqual([result, index], [null, null]);
      assert.deepEqual(exceptions.map(String), ["RangeError: 0", "RangeError: 1"]);
    }
  });

  testScript(
    "two that succeed in one iteration: the first wins [StaggeredTests.test_multiple_winners]",
    function* (form) {
      const event: { task: Task | null } = { task: null };
      const swallow = form.define(function* swallow() {
        try {
          yield* wait(sleep(10));
        } catch {
          // Refuses the cancellation, but comes too late to win.
          throw new RangeError("refused");
        }
        return "never";
      });
      const race = staggeredRace(
        [
          () => swallow(),
          form.define(function* winner() {
            event.task = currentTask();
            yield* wait(sleep(1));
            return "winner";
          }),
          () => sleep(1, "second"),
        ],
        0,
      );
      const { result, index, exceptions } = yield* wait(race);
      assert.equal(result, "winner");
      assert.equal(index, 1);
      assert.match(String(exceptions[0]), /refused/);
      assert.notEqual(event.task, currentTask());
    },
  );

  testScript(
    "cancelled: cancels the competitors and waits for them [StaggeredTests.test_cancelled]",
    function* (form) {
      const log: string[] = [];
      const slowToEnd = form.define(function* slowToEnd(name: string) {
        try {
          yield* wait(sleep(10));
        } finally {
          yield* wait(sleep(1));
          log.push(name);
        }
        return name;
      });
      const task = createTask(staggeredRace([() => slowToEnd("a"), () => slowToEnd("b")], 0.25));
      yield* wait(sleep(0.5));
      task.cancel("outside");
      const error = yield* failureOf(task, CancelledError);
      assert.equal(error.reason, "outside");
      assert.deepEqual(log, ["a", "b"]);
      assert.equal(now(), 1.5);
    },
  );

  testScript(
    "with eager tasks, with a delay and without [EagerTaskFactoryLoopTests.test_staggered_race_with_eager_tasks] [EagerTaskFactoryLoopTests.test_staggered_race_with_eager_tasks_no_delay]",
    function* (form) {
      getRunningLoop().setTaskFactory(eagerTaskFactory);
      const first = yield* wait(
        staggeredRace([() => sleep(2, "sleep2"), () => sleep(1, "sleep1"), () => fail(form, 0, "x")], 0.25),
      );
      assert.deepEqual([first.result, first.index], ["sleep1", 1]);
      assert.instanceOf(first.exceptions[0], CancelledError);
      assert.equal(first.exceptions[1], null);
      assert.match(String(first.exceptions[2]), /x/);
      const second = yield* wait(
        staggeredRace([() => fail(form, 0, "x"), () => sleep(1, "sleep1"), () => sleep(0, "s0")], null),
      );
      assert.deepEqual([second.result, second.index, second.exceptions.length], ["sleep1", 1, 2]);
      getRunningLoop().setTaskFactory(null);
    },
  );

  testScript("refuses what is no function", function* () {
    assert.throws(() => staggeredRace(5 as never, null), ArgumentTypeError);
    assert.throws(() => staggeredRace([], "soon" as never), ArgumentTypeError);
    let begun = 0;
    const begin = () => sleep(begun++);
    assert.throws(() => staggeredRace([begin, 5 as never], null), /staggeredRace expects functions, got 5/);
    assert.throws(() => staggeredRace([begin], null, { loop: 5 as never }), ArgumentTypeError);
    assert.equal(begun, 0);
    // What an iterable gives is seen when it is its turn.
    const error = yield* failureOf(staggeredRace(new Set([5 as never]), null), ExceptionGroup);
    assert.instanceOf(error.errors[0], ArgumentTypeError);
  });
});
