import {
  ArgumentTypeError,
  CapacityLimiter,
  coroutine,
  createTask,
  DeadlockError,
  gather,
  getRunningLoop,
  run,
  RuntimeError,
  sleep,
  ValueError,
  WouldBlock,
} from "corio";
import type { Task } from "corio";
import { VirtualClock } from "corio/testing";
import { failureOf } from "./support/blocks.ts";
import { testForms, testScript, wait } from "./support/forms.ts";
import type { Form } from "./support/forms.ts";
import { assert, describe, test } from "./support/harness.ts";
import { iterate, show, testShownScript } from "./support/primitives.ts";

/** A task that borrows a token, says its number, and keeps the token for some seconds. */
function borrower(
  form: Form,
  limiter: CapacityLimiter,
  log: string[],
  name: string,
  seconds = 1,
): Task<void> {
  const borrow = form.define(function* borrow() {
    yield* wait(limiter.acquire());
    log.push(`${name} at ${getRunningLoop().time()}`);
    yield* wait(sleep(seconds));
    limiter.release();
  });
  return createTask(borrow());
}

describe("a capacity limiter", () => {
  test("checks how many tokens it is to have", () => {
    assert.throws(() => new CapacityLimiter(1.5), ArgumentTypeError);
    assert.throws(
      () => new CapacityLimiter("2" as never),
      /totalTokens expects an integer or Infinity, got "2"/,
    );
    assert.throws(() => new CapacityLimiter(-1), ValueError);
    assert.equal(new CapacityLimiter(Infinity).availableTokens, Infinity);
    assert.equal(new CapacityLimiter(0).locked(), true);
    const limiter = new CapacityLimiter(1);
    assert.throws(() => (limiter.totalTokens = -1), ValueError);
    assert.equal(limiter.totalTokens, 1);
  });

  testScript("lends its tokens in the order in which tasks came", function* (form) {
    const limiter = new CapacityLimiter(2);
    const log: string[] = [];
    const tasks = ["a", "b", "c", "d", "e"].map((name) => borrower(form, limiter, log, name));
    yield* wait(sleep(0.5));
    assert.equal(limiter.borrowedTokens, 2);
    assert.equal(limiter.availableTokens, 0);
    assert.deepEqual(limiter.statistics(), {
      borrowedTokens: 2,
      totalTokens: 2,
      borrowers: tasks.slice(0, 2),
      tasksWaiting: 3,
    });
    yield* wait(gather(tasks));
    assert.deepEqual(log, ["a at 0", "b at 0", "c at 1", "d at 1", "e at 2"]);
    assert.equal(limiter.borrowedTokens, 0);
  });

  testShownScript("shows how many are borrowed, and who waits", function* (form) {
    const limiter = new CapacityLimiter(2);
    const tasks = ["a", "b", "c", "d", "e"].map((name) => borrower(form, limiter, [], name));
    yield* wait(sleep(0.5));
    assert.equal(show(limiter), "<CapacityLimiter 2 of 2 borrowed, 3 waiting>");
    yield* wait(gather(tasks));
    assert.equal(show(limiter), "<CapacityLimiter 0 of 2 borrowed>");
  });

  testScript("lends a borrower only one", function* () {
    const limiter = new CapacityLimiter(5);
    yield* wait(limiter.acquire());
    const error = yield* failureOf(limiter.acquire(), RuntimeError);
    assert.match(error.message, /has a token of this CapacityLimiter already/);
    assert.throws(() => limiter.acquireNowait(), RuntimeError);
    limiter.release();
    limiter.acquireNowait();
    assert.equal(limiter.borrowedTokens, 1);
  });

  testScript("takes back only what was borrowed", function* (form) {
    const limiter = new CapacityLimiter(1);
    assert.throws(() => limiter.release(), /has no token of this CapacityLimiter/);
    const log: string[] = [];
    borrower(form, limiter, log, "a");
    yield* iterate(2);
    // That of another task is not this one's to give back.
    assert.throws(() => limiter.release(), RuntimeError);
    assert.equal(limiter.borrowedTokens, 1);
  });

  testScript("lends on behalf of any object", function* () {
    const limiter = new CapacityLimiter(1);
    const [one, other] = [{}, () => 1];
    assert.equal(yield* wait(limiter.acquireOnBehalfOf(one)), true);
    assert.throws(() => limiter.acquireOnBehalfOfNowait(other), WouldBlock);
    const waiting = createTask(limiter.acquireOnBehalfOf(other));
    yield* iterate(2);
    const again = yield* failureOf(limiter.acquireOnBehalfOf(other), RuntimeError);
    assert.match(again.message, /waits for a token of this CapacityLimiter already/);
    limiter.releaseOnBehalfOf(one);
    yield* wait(waiting);
    assert.deepEqual(limiter.statistics().borrowers, [other]);
    limiter.releaseOnBehalfOf(other);
    assert.throws(() => limiter.releaseOnBehalfOf(other), RuntimeError);
    assert.throws(() => limiter.acquireOnBehalfOf("me" as never), ArgumentTypeError);
  });

  testScript("says without waiting that no token is left", function* (form) {
    const limiter = new CapacityLimiter(1);
    borrower(form, limiter, [], "a");
    yield* iterate(2);
    const error = assert.throws<WouldBlock>(() => limiter.acquireNowait(), WouldBlock);
    assert.equal(error.code, "CORIO_WOULD_BLOCK");
    assert.equal(error.message, "no token is free: 1 of 1 are borrowed, 0 wait");
  });

  testScript("lets nobody overtake those that wait", function* (form) {
    const limiter = new CapacityLimiter(1);
    const log: string[] = [];
    borrower(form, limiter, log, "a");
    borrower(form, limiter, log, "b");
    yield* wait(sleep(0.5));
    limiter.totalTokens = 0;
    yield* wait(sleep(1));
    limiter.totalTokens = 1;
    // The token is b's, although b has not run yet.
    assert.throws(() => limiter.acquireNowait(), WouldBlock);
    yield* iterate(2);
    assert.deepEqual(log, ["a at 0", "b at 1.5"]);
  });

  testScript("can be given more tokens, and fewer", function* (form) {
    const limiter = new CapacityLimiter(1);
    const log: string[] = [];
    const tasks = ["a", "b", "c", "d"].map((name) => borrower(form, limiter, log, name));
    yield* wait(sleep(0.5));
    limiter.totalTokens = 3;
    yield* iterate(2);
    assert.deepEqual(log, ["a at 0", "b at 0.5", "c at 0.5"]);
    limiter.totalTokens = 1;
    assert.equal(limiter.availableTokens, -2);
    yield* wait(gather(tasks));
    // d had to wait until b and c gave theirs back.
    assert.equal(log.at(-1), "d at 1.5");
  });

  testScript("forgets who is cancelled while they wait", function* (form) {
    const limiter = new CapacityLimiter(1);
    const log: string[] = [];
    const [, second, third] = ["a", "b", "c"].map((name) => borrower(form, limiter, log, name));
    yield* wait(sleep(0.5));
    assert.ok(second);
    second.cancel();
    yield* iterate(2);
    assert.equal(limiter.statistics().tasksWaiting, 1);
    assert.ok(third);
    yield* wait(third);
    assert.deepEqual(log, ["a at 0", "c at 1"]);
    assert.equal(limiter.borrowedTokens, 0);
  });

  testScript("gives the token of who is cancelled before they run to the next", function* (form) {
    const limiter = new CapacityLimiter(1);
    const log: string[] = [];
    yield* wait(limiter.acquire());
    const second = borrower(form, limiter, log, "b");
    const third = borrower(form, limiter, log, "c");
    yield* iterate(2);
    limiter.release();
    assert.deepEqual(limiter.statistics().borrowers, [second]);
    second.cancel();
    yield* iterate(3);
    assert.deepEqual(limiter.statistics().borrowers, [third]);
    assert.deepEqual(log, ["c at 0"]);
  });

  testScript("holds a token for a block, and for a guard", function* () {
    const limiter = new CapacityLimiter(1);
    const inside = yield* wait(limiter.with(() => limiter.borrowedTokens));
    assert.equal(inside, 1);
    const error = yield* failureOf(
      limiter.with(() => {
        throw new RangeError("inside");
      }),
      RangeError,
    );
    assert.equal(error.message, "inside");
    const guard = yield* wait(limiter.hold());
    assert.equal(limiter.borrowedTokens, 1);
    guard.release();
    assert.equal(limiter.borrowedTokens, 0);
  });

  testForms("is named in a deadlock", async (form) => {
    const limiter = new CapacityLimiter(1);
    const main = form.define(function* main() {
      yield* wait(limiter.acquireOnBehalfOf({}));
      yield* wait(limiter.acquire());
    });
    const error = await assert.rejects(run(main(), { clock: new VirtualClock() }), DeadlockError);
    assert.match(String(error), /CapacityLimiter \(1 of 1 tokens borrowed\)/);
  });

  test("has no borrower outside of tasks", () => {
    const limiter = new CapacityLimiter(1);
    assert.throws(() => limiter.acquireNowait(), /outside of any task: give the token's borrower/);
    const borrowing = {};
    limiter.acquireOnBehalfOfNowait(borrowing);
    limiter.releaseOnBehalfOf(borrowing);
  });

  test("keeps ten thousand in order, also when half of them are cancelled", async () => {
    const limiter = new CapacityLimiter(3);
    const order: number[] = [];
    let most = 0;
    const use = coroutine(function* use(number: number) {
      yield* limiter.with(function* () {
        order.push(number);
        most = Math.max(most, limiter.borrowedTokens);
        yield* sleep(0);
      });
    });
    const main = coroutine(async function main() {
      const tasks = Array.from({ length: 10_000 }, (_, number) => createTask(use(number)));
      await sleep(0);
      for (const [number, task] of tasks.entries()) if (number % 2 === 1 && number > 10) task.cancel();
      await gather(tasks, { returnExceptions: true });
    });
    await run(main(), { clock: new VirtualClock() });
    assert.equal(most, 3);
    assert.equal(limiter.borrowedTokens, 0);
    assert.deepEqual(
      order,
      [...order].sort((one, other) => one - other),
    );
    assert.equal(order.length, 5005);
  });
});
