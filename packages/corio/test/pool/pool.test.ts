import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  DeadlockError,
  gather,
  getRunningLoop,
  newEventLoop,
  InvalidStateError,
  run,
  RuntimeError,
  sleep,
  Task,
  TimeoutError,
  ValueError,
} from "corio";
import type { ExceptionContext } from "corio";
import { Lease, Pool, PoolClosedError } from "corio/pool";
import type { PoolOptions } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { failureOf } from "../support/blocks.ts";
import { testScript, wait } from "../support/forms.ts";
import { assert, describe, test } from "../support/harness.ts";
import { iterate, show, testShownScript } from "../support/primitives.ts";
import { now } from "../support/simulate.ts";

interface Resource {
  readonly number: number;
  isBroken: boolean;
  isDirty: boolean;
}

/** A pool of numbered resources that take a second to make, and what has happened to them. */
class Fixture {
  readonly log: string[] = [];
  readonly pool: Pool<Resource>;
  /** Thrown by the next `create`s. */
  failures: unknown[] = [];
  #made = 0;

  constructor(options: Partial<PoolOptions<Resource>> = {}) {
    this.pool = new Pool<Resource>({
      create: async () => {
        const number = ++this.#made;
        this.log.push(`create ${number}`);
        await sleep(1);
        const failure = this.failures.shift();
        if (failure !== undefined) throw failure;
        return { number, isBroken: false, isDirty: false };
      },
      destroy: ({ number }) => this.log.push(`destroy ${number}`),
      ...options,
    });
  }

  /** A task that uses the pool for so many seconds, and logs that. */
  user(name: string, seconds: number): Task<number> {
    return createTask(
      this.pool.with(async ({ number }) => {
        this.log.push(`${name} has ${number}`);
        await sleep(seconds);
        return number;
      }),
    );
  }
}

/** What reaches the running loop's exception handler. */
function collectReports(): string[] {
  const reports: string[] = [];
  getRunningLoop().setExceptionHandler((_loop, { message, exception }) => {
    reports.push(`${message}: ${String(exception)}`);
  });
  return reports;
}

const virtual = () => ({ clock: new VirtualClock() });

describe("a pool", () => {
  test("refuses what cannot be", () => {
    const create = () => 1;
    const destroy = () => undefined;
    assert.throws(() => new Pool(undefined as never), ArgumentTypeError);
    assert.throws(() => new Pool({ create } as never), /destroy expects a function/);
    assert.throws(() => new Pool({ create, destroy, maxSize: 0 }), ValueError);
    assert.throws(() => new Pool({ create, destroy, maxSize: 1.5 }), ArgumentTypeError);
    assert.throws(() => new Pool({ create, destroy, minSize: 3, maxSize: 2 }), /minSize to be at most/);
    assert.throws(() => new Pool({ create, destroy, maxIdle: "1" as never }), ArgumentTypeError);
    assert.throws(() => new Pool({ create, destroy }).with(1 as never), ArgumentTypeError);
    assert.throws(
      () => new Pool({ create, destroy, isBroken: 1 as never }),
      /Pool: isBroken expects a function/,
    );
    assert.throws(() => new Pool({ create, destroy }).acquire(null as never), ArgumentTypeError);
    assert.throws(() => new Pool({ create, destroy }).close(5 as never), ArgumentTypeError);
  });

  testScript("makes resources as they are needed, up to its size, and uses them again", function* () {
    const fixture = new Fixture({ maxSize: 2 });
    const users = ["a", "b", "c"].map((name) => fixture.user(name, 10));
    yield* wait(sleep(5));
    assert.deepEqual(fixture.pool.statistics(), {
      size: 2,
      leased: 2,
      idle: 0,
      creating: 0,
      tasksWaiting: 1,
      created: 2,
      destroyed: 0,
      createFailures: 0,
      isClosed: false,
    });
    assert.deepEqual(yield* wait(gather(users)), [1, 2, 1]);
    assert.equal(now(), 21);
    assert.deepEqual(fixture.log, ["create 1", "create 2", "a has 1", "b has 2", "c has 1"]);
  });

  testShownScript("shows what it has made, and who waits", function* () {
    const fixture = new Fixture({ maxSize: 2 });
    const users = ["a", "b", "c"].map((name) => fixture.user(name, 10));
    yield* wait(sleep(5));
    assert.equal(show(fixture.pool), "<Pool open, 2 made: 2 leased, 0 idle, 1 waiting>");
    yield* wait(gather(users));
  });

  testScript("lends the one that was used last", function* () {
    const fixture = new Fixture();
    yield* wait(gather([fixture.user("a", 1), fixture.user("b", 2)]));
    assert.equal(yield* wait(fixture.user("c", 1)), 2);
  });

  testScript("serves tasks in the order in which they came", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const users = Array.from({ length: 20 }, (_, index) => fixture.user(`${index}`, 1));
    yield* wait(gather(users));
    assert.deepEqual(
      fixture.log.slice(1),
      users.map((_, index) => `${index} has 1`),
    );
  });

  testScript("does not let a task that comes later overtake", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const lease = yield* wait(fixture.pool.acquire());
    const first = fixture.user("first", 0);
    yield* iterate();
    // It has been handed to the first by the time that this task asks again.
    yield* wait(lease.release());
    yield* wait(fixture.user("again", 0));
    yield* wait(first);
    assert.deepEqual(fixture.log, ["create 1", "first has 1", "again has 1"]);
  });

  testScript("gives a task that waits whatever is ready first", function* () {
    const fixture = new Fixture({ maxSize: 2 });
    const lease = yield* wait(fixture.pool.acquire());
    const user = fixture.user("a", 0);
    yield* iterate(2);
    assert.equal(fixture.pool.statistics().creating, 1);
    yield* wait(lease.release());
    // Not the one that was begun for it.
    assert.equal(yield* wait(user), 1);
    yield* wait(sleep(2));
    assert.equal(fixture.pool.statistics().idle, 2);
  });

  testScript("lends with await using", function* () {
    const fixture = new Fixture();
    const lease = yield* wait(fixture.pool.acquire());
    assert.instanceOf(lease, Lease);
    assert.equal(lease.resource.number, 1);
    yield* wait(createTask(() => lease[Symbol.asyncDispose]()));
    assert.equal(fixture.pool.statistics().idle, 1);
    assert.throws(() => lease.resource, InvalidStateError);
    yield* wait(lease.release());
    assert.equal(fixture.pool.statistics().idle, 1);
  });

  testScript("has back what needs no reset with the call of release", function* () {
    const fixture = new Fixture();
    const lease = yield* wait(fixture.pool.acquire());
    const released = lease.release();
    assert.equal(fixture.pool.statistics().idle, 1);
    yield* wait(released);
    yield* wait(createTask(lease.release()));
    lease.release().close();
    assert.equal(yield* wait(createTask(() => lease.release().then(() => "released"))), "released");
  });

  testScript("gives the resource back when the body fails", function* () {
    const fixture = new Fixture();
    const error = yield* failureOf(
      fixture.pool.with(() => {
        throw new RangeError("body");
      }),
      RangeError,
    );
    assert.equal(error.message, "body");
    assert.equal(fixture.pool.statistics().idle, 1);
  });
});

describe("cancelling a task that waits for a pool", () => {
  testScript("takes it out of the queue", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const users = ["a", "b", "c"].map((name) => fixture.user(name, 1));
    yield* iterate(2);
    users[1]?.cancel();
    yield* failureOf(users[1] as Task<number>, CancelledError);
    assert.equal(fixture.pool.statistics().tasksWaiting, 2);
    yield* wait(users[2] as Task<number>);
    assert.deepEqual(fixture.log, ["create 1", "a has 1", "c has 1"]);
  });

  testScript("hands the resource that it has just got to the next", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const lease = yield* wait(fixture.pool.acquire());
    const [first, second] = [fixture.user("first", 1), fixture.user("second", 1)];
    yield* iterate();
    yield* wait(lease.release());
    // Woken up, but it has not run.
    first.cancel();
    yield* failureOf(first, CancelledError);
    assert.equal(yield* wait(second), 1);
    assert.deepEqual(fixture.log, ["create 1", "second has 1"]);
    assert.equal(fixture.pool.statistics().idle, 1);
  });

  testScript("makes it idle when nobody else waits", function* () {
    const fixture = new Fixture({ maxSize: 1, maxIdle: 60 });
    const lease = yield* wait(fixture.pool.acquire());
    const user = fixture.user("a", 1);
    yield* iterate();
    yield* wait(lease.release());
    user.cancel();
    yield* failureOf(user, CancelledError);
    assert.equal(fixture.pool.statistics().idle, 1);
    // Its idle time counts, too.
    yield* wait(sleep(61));
    assert.deepEqual(fixture.log, ["create 1", "destroy 1"]);
  });

  testScript("does not undo what is being made", function* () {
    const fixture = new Fixture();
    const user = fixture.user("a", 1);
    yield* wait(sleep(0.5));
    user.cancel();
    yield* failureOf(user, CancelledError);
    yield* wait(sleep(1));
    assert.deepEqual([fixture.pool.statistics().idle, fixture.log.length], [1, 1]);
  });
});

describe("giving back", () => {
  for (const [how, giveBack] of [
    ["a release", (lease: Lease<Resource>) => lease.release()],
    ["a discard", (lease: Lease<Resource>) => lease.discard()],
  ] as const) {
    test(`by ${how} whose task is cancelled before it begins destroys the resource`, () =>
      run(async () => {
        const fixture = new Fixture({ maxSize: 1, reset: () => sleep(1) });
        const task = createTask(giveBack(await fixture.pool.acquire()));
        task.cancel();
        await assert.rejects(task, CancelledError);
        assert.equal(await fixture.user("b", 1), 2);
        assert.deepEqual(fixture.log, ["create 1", "destroy 1", "create 2", "b has 2"]);
        await fixture.pool.close();
      }, virtual()));
  }

  test("hands nothing on that has broken before its task saw it", () =>
    run(async () => {
      const fixture = new Fixture({ isBroken: ({ isBroken }) => isBroken, maxSize: 1 });
      const lease = await fixture.pool.acquire();
      const { resource } = lease;
      const first = fixture.user("a", 1);
      const second = fixture.user("b", 1);
      await sleep(1);
      await lease.release();
      resource.isBroken = true;
      first.cancel();
      assert.equal(await second, 2);
    }, virtual()));
});

describe("a pool whose program cannot say what a resource is worth", () => {
  for (const name of ["isBroken", "isClean"] as const) {
    testScript(`destroys it when ${name} throws, reports that, and makes another`, function* () {
      const reports = collectReports();
      const failing = ({ number }: Resource): boolean => {
        if (number === 1) throw new RangeError("who knows");
        return name === "isClean";
      };
      const fixture = new Fixture({ [name]: failing, reset: () => undefined, maxSize: 1 });
      assert.deepEqual(yield* wait(gather([fixture.user("a", 1), fixture.user("b", 1)])), [1, 2]);
      assert.deepEqual(fixture.log, ["create 1", "a has 1", "destroy 1", "create 2", "b has 2"]);
      assert.deepEqual(reports, [`Pool: ${name} failed: RangeError: who knows`]);
      assert.equal(fixture.pool.statistics().size, 1);
      yield* wait(fixture.pool.close());
    });
  }

  testScript("also when it is idle", function* () {
    const reports = collectReports();
    let fails = false;
    const isBroken = (): boolean => {
      if (fails) throw new RangeError("who knows");
      return false;
    };
    const fixture = new Fixture({ isBroken, maxSize: 1 });
    yield* wait(fixture.user("a", 1));
    fails = true;
    const user = fixture.user("b", 1);
    yield* wait(sleep(0.5));
    fails = false;
    assert.equal(yield* wait(user), 2);
    assert.deepEqual(fixture.log, ["create 1", "a has 1", "destroy 1", "create 2", "b has 2"]);
    assert.deepEqual(reports, ["Pool: isBroken failed: RangeError: who knows"]);
  });
});

describe("a pool's acquireTimeout", () => {
  testScript("ends the wait with an error that says what is going on", function* () {
    const fixture = new Fixture({ maxSize: 1, acquireTimeout: 5, name: "Database" });
    const lease = yield* wait(fixture.pool.acquire());
    const patient = createTask(fixture.pool.acquire({ timeout: null }));
    const started = now();
    const error = yield* failureOf(fixture.pool.acquire(), TimeoutError);
    assert.equal(now() - started, 5);
    assert.match(error.message, /^waited 5 s for Database \(1 of 1 leased, 2 waiting\)/);
    yield* failureOf(
      fixture.pool.with(() => undefined, { timeout: 0 }),
      TimeoutError,
    );
    assert.equal(now() - started, 5);
    yield* wait(lease.release());
    assert.equal((yield* wait(patient)).resource.number, 1);
  });

  testScript("loses nothing when it is due together with a resource", function* () {
    const fixture = new Fixture({ maxSize: 1, acquireTimeout: 1 });
    // Both at 1 s: the timeout was set first.
    yield* failureOf(fixture.pool.acquire(), TimeoutError);
    yield* iterate(3);
    assert.deepEqual([fixture.pool.statistics().idle, fixture.pool.statistics().size], [1, 1]);
    assert.equal(yield* wait(fixture.user("b", 0)), 1);
  });
});

describe("a create that fails", () => {
  testScript("fails the task that has waited longest, and the pool goes on", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    fixture.failures = [new RangeError("refused"), new RangeError("refused again")];
    const users = ["a", "b", "c"].map((name) => fixture.user(name, 1));
    const outcomes = yield* wait(gather(users, { returnExceptions: true }));
    assert.match(String(outcomes[0]), /refused$/);
    assert.match(String(outcomes[1]), /refused again/);
    assert.equal(outcomes[2], 3);
    const { createFailures, created, size } = fixture.pool.statistics();
    assert.deepEqual({ createFailures, created, size }, { createFailures: 2, created: 1, size: 1 });
  });

  testScript("of which nobody is left to hear is no error", function* () {
    const fixture = new Fixture();
    fixture.failures = [new RangeError("refused")];
    const user = fixture.user("a", 1);
    yield* wait(sleep(0.5));
    user.cancel();
    yield* wait(sleep(1));
    assert.deepEqual([fixture.pool.statistics().size, fixture.pool.statistics().createFailures], [0, 1]);
  });

  testScript("reaches open", function* () {
    const fixture = new Fixture({ minSize: 2 });
    fixture.failures = [new RangeError("refused")];
    yield* failureOf(fixture.pool.open(), RangeError);
    yield* wait(fixture.pool.open());
    assert.equal(fixture.pool.statistics().idle, 2);
  });
});

describe("a pool's minSize", () => {
  testScript("is made by open, or by the first use", function* () {
    const fixture = new Fixture({ minSize: 3 });
    yield* wait(fixture.pool.open());
    assert.equal(now(), 1);
    assert.equal(fixture.pool.statistics().idle, 3);
    const other = new Fixture({ minSize: 3 });
    yield* wait(other.user("a", 1));
    assert.equal(other.pool.statistics().idle, 3);
  });

  testScript("is left when idle resources are destroyed", function* () {
    const fixture = new Fixture({ minSize: 1, maxIdle: 60 });
    yield* wait(gather(["a", "b", "c"].map((name) => fixture.user(name, 1))));
    assert.equal(fixture.pool.statistics().idle, 3);
    yield* wait(sleep(59));
    assert.equal(fixture.pool.statistics().idle, 3);
    yield* wait(sleep(2));
    assert.equal(fixture.pool.statistics().idle, 1);
    assert.equal(yield* wait(fixture.user("d", 1)), 3);
  });
});

describe("resources that must not be used any more", () => {
  testScript("are replaced when their lifetime is over", function* () {
    const fixture = new Fixture({ maxLifetime: 100, maxIdle: null });
    yield* wait(fixture.user("a", 10));
    yield* wait(sleep(99));
    assert.deepEqual(fixture.log, ["create 1", "a has 1", "destroy 1"]);
    // One that grows too old while it is lent is destroyed when it comes back.
    assert.equal(yield* wait(fixture.user("b", 200)), 2);
    assert.equal(fixture.log.at(-1), "destroy 2");
  });

  testScript("are not lent, and not taken back, when they are broken", function* () {
    const fixture = new Fixture({ isBroken: ({ isBroken }) => isBroken, maxSize: 1 });
    const lease = yield* wait(fixture.pool.acquire());
    const next = fixture.user("next", 1);
    yield* iterate();
    const resource = lease.resource;
    resource.isBroken = true;
    yield* wait(lease.release());
    assert.equal(yield* wait(next), 2);
    const again = yield* wait(fixture.pool.acquire());
    const second = again.resource;
    yield* wait(again.release());
    second.isBroken = true;
    assert.equal(yield* wait(fixture.user("later", 1)), 3);
    assert.deepEqual(
      fixture.log.filter((line) => line.startsWith("destroy")),
      ["destroy 1", "destroy 2"],
    );
  });

  testScript("are replaced when they are discarded", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const lease = yield* wait(fixture.pool.acquire());
    const next = fixture.user("next", 1);
    yield* iterate();
    yield* wait(lease.discard());
    assert.equal(yield* wait(next), 2);
    assert.equal(fixture.pool.statistics().destroyed, 1);
  });

  testScript("are found by validate", function* () {
    const asked: number[] = [];
    const fixture = new Fixture({
      validateAfter: 10,
      validate: async ({ number, isBroken }) => {
        asked.push(number);
        await sleep(0.5);
        if (number === 2) throw new RangeError("does not answer");
        return !isBroken;
      },
    });
    const lease = yield* wait(fixture.pool.acquire());
    const resource = lease.resource;
    yield* wait(lease.release());
    yield* wait(sleep(9));
    assert.equal(yield* wait(fixture.user("soon", 1)), 1);
    assert.deepEqual(asked, []);
    yield* wait(sleep(10));
    assert.equal(yield* wait(fixture.user("later", 1)), 1);
    assert.deepEqual(asked, [1]);
    resource.isBroken = true;
    yield* wait(sleep(10));
    assert.equal(yield* wait(fixture.user("replaced", 1)), 2);
    yield* wait(sleep(10));
    assert.equal(yield* wait(fixture.user("replaced again", 1)), 3);
    assert.deepEqual(asked, [1, 1, 2]);
    assert.equal(fixture.pool.statistics().size, 1);
  });

  testScript("are reported when destroying them fails", function* () {
    const reports: ExceptionContext[] = [];
    getRunningLoop().setExceptionHandler((_loop, context) => reports.push(context));
    const fixture = new Fixture({
      destroy: () => {
        throw new RangeError("stuck");
      },
    });
    const lease = yield* wait(fixture.pool.acquire());
    yield* wait(lease.discard());
    assert.deepEqual(
      reports.map(({ message }) => message),
      ["Pool: destroy failed"],
    );
    assert.equal(fixture.pool.statistics().size, 0);
  });
});

describe("a pool's reset", () => {
  const resetting = (seconds: number, log: string[]): Partial<PoolOptions<Resource>> => ({
    maxSize: 1,
    isClean: ({ isDirty }) => !isDirty,
    reset: async (resource) => {
      log.push(`reset ${resource.number}`);
      await sleep(seconds);
      resource.isDirty = false;
    },
  });

  testScript("runs for what is not clean, before the next task has it", function* () {
    const log: string[] = [];
    const fixture = new Fixture(resetting(5, log));
    yield* wait(fixture.user("clean", 1));
    assert.deepEqual(log, []);
    const dirty = createTask(
      fixture.pool.with((resource) => {
        resource.isDirty = true;
      }),
    );
    const next = createTask(fixture.pool.with(({ isDirty }) => [isDirty, now()]));
    yield* wait(dirty);
    assert.equal(now(), 7);
    assert.deepEqual(yield* wait(next), [false, 7]);
    assert.deepEqual(log, ["reset 1"]);
  });

  testScript("that fails destroys the resource", function* () {
    for (const reset of [() => false, () => Promise.reject(new RangeError("no"))]) {
      const fixture = new Fixture({ reset, maxSize: 1 });
      yield* wait(fixture.user("a", 1));
      assert.deepEqual(fixture.log, ["create 1", "a has 1", "destroy 1"]);
      assert.equal(yield* wait(fixture.user("b", 1)), 2);
    }
  });

  testScript("that is cancelled destroys the resource, and the place is free", function* () {
    const fixture = new Fixture(resetting(5, []));
    const task = createTask(
      fixture.pool.with((resource) => {
        resource.isDirty = true;
      }),
    );
    const next = fixture.user("next", 1);
    yield* wait(sleep(3));
    task.cancel();
    yield* failureOf(task, CancelledError);
    assert.equal(yield* wait(next), 2);
    assert.deepEqual(
      fixture.log.filter((line) => line.startsWith("destroy")),
      ["destroy 1"],
    );
  });

  testScript("runs after a body that was cancelled", function* () {
    const log: string[] = [];
    const fixture = new Fixture(resetting(5, log));
    const task = createTask(
      fixture.pool.with(async (resource) => {
        resource.isDirty = true;
        await sleep(60);
      }),
    );
    yield* wait(sleep(3));
    task.cancel();
    yield* failureOf(task, CancelledError);
    assert.equal(now(), 8);
    assert.deepEqual([log, fixture.pool.statistics().idle], [["reset 1"], 1]);
  });
});

describe("closing a pool", () => {
  testScript("destroys what is idle, waits for what is lent, and refuses everybody else", function* () {
    const fixture = new Fixture({ maxSize: 2 });
    const [long, short] = [fixture.user("long", 10), fixture.user("short", 5)];
    yield* wait(sleep(7));
    const closing = createTask(fixture.pool.close());
    yield* iterate(4);
    assert.equal(fixture.log.at(-1), "destroy 2");
    assert.equal(yield* wait(short), 2);
    yield* failureOf(fixture.pool.acquire(), PoolClosedError);
    yield* failureOf(fixture.pool.open(), PoolClosedError);
    yield* wait(closing);
    assert.equal(now(), 11);
    assert.equal(yield* wait(long), 1);
    const { size, isClosed, destroyed } = fixture.pool.statistics();
    assert.deepEqual([size, isClosed, destroyed], [0, true, 2]);
    yield* wait(fixture.pool.close());
  });

  testScript("fails the tasks that wait", function* () {
    const fixture = new Fixture({ maxSize: 1, name: "Database" });
    const user = fixture.user("a", 10);
    const waiting = createTask(fixture.pool.acquire());
    yield* wait(sleep(5));
    const closing = createTask(fixture.pool.close());
    const error = yield* failureOf(waiting, PoolClosedError);
    assert.equal(error.code, "CORIO_POOL_CLOSED");
    assert.match(error.message, /^Database was closed/);
    yield* wait(gather([closing, user]));
    assert.equal(now(), 11);
  });

  testScript("cancels what is being made", function* () {
    const fixture = new Fixture();
    const user = fixture.user("a", 1);
    yield* wait(sleep(0.5));
    yield* wait(fixture.pool.close());
    assert.equal(now(), 0.5);
    yield* failureOf(user, PoolClosedError);
  });

  testScript("destroys what is lent when its timeout is over", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const user = fixture.user("a", 100);
    yield* wait(sleep(5));
    yield* wait(fixture.pool.close({ timeout: 10 }));
    assert.equal(now(), 15);
    assert.deepEqual(fixture.log, ["create 1", "a has 1", "destroy 1"]);
    // Its holder gives back what is not there any more.
    yield* wait(user);
    assert.deepEqual([fixture.pool.statistics().destroyed, fixture.pool.statistics().size], [1, 0]);
  });

  testScript("by force does not wait", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const user = fixture.user("a", 100);
    yield* wait(sleep(5));
    yield* wait(fixture.pool.close({ timeout: 0 }));
    assert.equal(now(), 5);
    assert.equal(fixture.log.at(-1), "destroy 1");
    user.cancel();
  });

  testScript("that is cancelled leaves it closed, and can be done again", function* () {
    const fixture = new Fixture({ maxSize: 1 });
    const user = fixture.user("a", 100);
    yield* wait(sleep(5));
    const closing = createTask(fixture.pool.close());
    yield* iterate(2);
    closing.cancel();
    yield* failureOf(closing, CancelledError);
    yield* failureOf(fixture.pool.acquire(), PoolClosedError);
    yield* wait(gather([fixture.pool.close(), fixture.pool.close()]));
    assert.equal(now(), 101);
    yield* wait(user);
    assert.equal(fixture.log.at(-1), "destroy 1");
  });
});

describe("a pool that several runs use", () => {
  test("lends the same resources in all of them, at the same time", async () => {
    const clock = new VirtualClock();
    const fixture = new Fixture({ maxSize: 1 });
    const program = (name: string) => run(async () => await fixture.user(name, 1), { clock });
    assert.deepEqual(await Promise.all([program("a"), program("b"), program("c")]), [1, 1, 1]);
    assert.deepEqual(fixture.log, ["create 1", "a has 1", "b has 1", "c has 1"]);
    assert.deepEqual(await run(async () => await fixture.user("later", 1), { clock }), 1);
  });

  test("makes a resource again when the run that was making it ends", async () => {
    const clock = new VirtualClock();
    const fixture = new Fixture({ maxSize: 1 });
    const first = run(
      async () => {
        fixture.user("a", 1);
        await sleep(0.5);
      },
      { clock },
    );
    const second = run(async () => await fixture.user("b", 1), { clock });
    await first;
    assert.equal(await second, 2);
    assert.deepEqual(fixture.log, ["create 1", "create 2", "b has 2"]);
    const { size, createFailures } = fixture.pool.statistics();
    assert.deepEqual([size, createFailures], [1, 0]);
  });

  test("takes back what a run held that was cancelled", async () => {
    const clock = new VirtualClock();
    const fixture = new Fixture({ maxSize: 1, reset: () => sleep(1) });
    const first = run(
      async () => {
        fixture.user("a", 1000);
        await sleep(2);
      },
      { clock },
    );
    const second = run(async () => await fixture.user("b", 1), { clock });
    await first;
    assert.equal(await second, 1);
  });

  test("destroys what a run was checking when it ended", async () => {
    const clock = new VirtualClock();
    const fixture = new Fixture({
      validate: async () => {
        await sleep(1);
        return true;
      },
      destroy: async ({ number }) => {
        await sleep(1);
        fixture.log.push(`destroy ${number}`);
      },
    });
    await run(async () => await fixture.user("a", 1), { clock });
    await run(
      async () => {
        fixture.user("b", 1);
        await sleep(0.5);
      },
      { clock },
    );
    assert.deepEqual(fixture.log, ["create 1", "a has 1", "destroy 1"]);
    await run(() => fixture.pool.close(), { clock });
  });

  test("ends with each of them what its clean-up has begun", async () => {
    const clock = new VirtualClock();
    const fixture = new Fixture({
      isBroken: ({ isBroken }) => isBroken,
      destroy: async ({ number }) => {
        await sleep(5);
        fixture.log.push(`destroy ${number}`);
      },
    });
    const { pool } = fixture;
    let first: Resource | undefined;
    await run(() => pool.with((resource) => void (first = resource)), { clock });
    await run(
      async () => {
        createTask(async () => {
          try {
            await sleep(100);
          } finally {
            // It finds a broken one, and then waits for another no longer than this.
            if (first !== undefined) first.isBroken = true;
            await assert.rejects(pool.acquire({ timeout: 0.5 }), TimeoutError);
          }
        });
        await sleep(1);
      },
      { clock },
    );
    assert.deepEqual(fixture.log, ["create 1", "create 2", "destroy 1"]);
    assert.equal(pool.statistics().size, 0);
    await run(() => pool.close(), { clock });
  });

  test("does not wait for what was begun in a loop that was closed without a word", async () => {
    const clock = new VirtualClock();
    const fixture = new Fixture();
    const loop = newEventLoop({ clock });
    loop.createTask(fixture.pool.acquire());
    await loop.runUntilComplete(() => sleep(0.5));
    loop.close();
    assert.equal(fixture.pool.statistics().creating, 0);
    await run(() => fixture.pool.close(), { clock });
  });

  test("destroys in a later run what has grown too old since", async () => {
    const clock = new VirtualClock();
    const fixture = new Fixture({ maxIdle: 10 });
    await run(async () => await fixture.user("a", 1), { clock });
    await run(() => sleep(100), { clock });
    assert.equal(fixture.pool.statistics().idle, 1);
    await run(
      async () => {
        await fixture.user("b", 1);
        await sleep(11);
      },
      { clock },
    );
    assert.equal(fixture.pool.statistics().idle, 0);
  });

  test("belongs to one clock", async () => {
    const fixture = new Fixture();
    await run(async () => await fixture.user("a", 1), virtual());
    const error = await assert.rejects<RuntimeError>(
      run(async () => await fixture.user("b", 1), virtual()),
      RuntimeError,
    );
    assert.equal(error.code, "CORIO_FOREIGN_LOOP");
  });

  test("says in a deadlock what tasks wait for", async () => {
    const fixture = new Fixture({ maxSize: 1, acquireTimeout: null });
    const program = run(async () => {
      await fixture.pool.with(() => fixture.pool.with(() => undefined));
    }, virtual());
    await assert.rejects(program, (error) => {
      return error instanceof DeadlockError && error.message.includes("Pool (1 of 1 leased, 1 waiting)");
    });
  });
});
