import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  currentTask,
  DeadlockError,
  gather,
  run,
  sleep,
  TimeoutError,
} from "corio";
import type { Task } from "corio";
import { Flight, Pool, PoolClosedError } from "corio/pool";
import type { ExchangeOptions, PoolOptions } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../support/harness.ts";
import { now } from "../support/simulate.ts";

/** A connection that has one request under way, which `answer` ends. */
class Connection {
  readonly number: number;
  readonly log: string[];
  flight: Flight<string> | null = null;
  isDirty = false;
  cancelEnds: PromiseLike<void> | null = null;

  constructor(number: number, log: string[]) {
    this.number = number;
    this.log = log;
  }

  request(text: string): Flight<string> {
    if (this.flight !== null) throw new RangeError("busy");
    this.log.push(`${text} on ${this.number}`);
    const flight = new Flight<string>((): string => {
      if (flight.failure !== null) throw flight.failure.error;
      return `answer to ${text}`;
    });
    this.flight = flight;
    return flight;
  }

  /** What the driver calls. */
  answer(error?: unknown): void {
    const { flight } = this;
    this.flight = null;
    if (error !== undefined) flight?.fail(error);
    flight?.end();
  }

  readonly options: ExchangeOptions = {
    cancel: async () => {
      this.log.push("cancel");
      await this.cancelEnds;
    },
    drop: (reason) => {
      this.log.push(`drop: ${reason}`);
      this.answer(new Error("connection closed"));
    },
    cancelTimeout: 5,
  };
}

class Fixture {
  readonly log: string[] = [];
  readonly connections: Connection[] = [];
  readonly pool: Pool<Connection>;

  constructor(options: Partial<PoolOptions<Connection>> = {}) {
    this.pool = new Pool<Connection>({
      create: () => {
        const connection = new Connection(this.connections.length + 1, this.log);
        this.connections.push(connection);
        return connection;
      },
      destroy: ({ number }) => this.log.push(`destroy ${number}`),
      isClean: ({ isDirty }) => !isDirty,
      reset: async (connection) => {
        this.log.push(`reset ${connection.number}`);
        await sleep(3);
        connection.isDirty = false;
      },
      maxSize: 1,
      ...options,
    });
  }

  request(text: string): Task<string> {
    const { pool } = this;
    return createTask(
      pool.exchange(
        (connection) => connection.request(text),
        (connection) => connection.options,
      ),
    );
  }

  get connection(): Connection {
    return this.connections.at(-1) as Connection;
  }
}

/** Runs under virtual time that does not stand still for the requests of these tests. */
function virtualTest(title: string, body: (fixture: Fixture) => Promise<void>): void {
  test(title, () => run(() => body(new Fixture()), { clock: new VirtualClock({ foreignGrace: 0 }) }));
}

const cancelled = (task: Task<unknown>) => assert.rejects<CancelledError>(task, CancelledError);

describe("an exchange of a pool", () => {
  virtualTest("is sent on a resource that is free", async (fixture) => {
    assert.throws(() => fixture.pool.exchange(1 as never, 1 as never), ArgumentTypeError);
    await (await fixture.pool.acquire()).release();
    const first = fixture.request("first");
    await sleep(1);
    assert.deepEqual(fixture.log, ["first on 1"]);
    assert.equal(fixture.pool.statistics().leased, 1);
    fixture.connection.answer();
    assert.equal(fixture.pool.statistics().idle, 1);
    assert.equal(await first, "answer to first");
  });

  virtualTest("that has waited is sent by the call that brings the answer before", async (fixture) => {
    const tasks = ["a", "b", "c"].map((text) => fixture.request(text));
    await sleep(1);
    assert.deepEqual(fixture.log, ["a on 1"]);
    fixture.connection.answer();
    assert.deepEqual(fixture.log, ["a on 1", "b on 1"]);
    fixture.connection.answer(new RangeError("no such table"));
    assert.deepEqual(fixture.log, ["a on 1", "b on 1", "c on 1"]);
    fixture.connection.answer();
    const outcomes = await gather(tasks, { returnExceptions: true });
    assert.deepEqual([outcomes[0], outcomes[2]], ["answer to a", "answer to c"]);
    assert.instanceOf(outcomes[1], RangeError);
    assert.equal(fixture.pool.statistics().idle, 1);
  });

  virtualTest("waits in one queue with who acquires", async (fixture) => {
    const lease = await fixture.pool.acquire();
    const first = fixture.request("first");
    const holder = createTask(async () => {
      const taken = await fixture.pool.acquire();
      fixture.log.push("acquired");
      await taken.release();
    });
    const last = fixture.request("last");
    await sleep(1);
    await lease.release();
    fixture.connection.answer();
    await holder;
    fixture.connection.answer();
    await gather(first, last);
    assert.deepEqual(fixture.log, ["first on 1", "acquired", "last on 1"]);
  });

  virtualTest("finds its task, whoever has given the resource back", async (fixture) => {
    const lease = await fixture.pool.acquire();
    const seen: unknown[] = [];
    const task: Task<string> = createTask(
      fixture.pool.exchange(
        (connection) => {
          seen.push(currentTask());
          return connection.request("mine");
        },
        (connection) => connection.options,
      ),
    );
    await sleep(1);
    await lease.release();
    fixture.connection.answer();
    await task;
    assert.deepEqual(
      seen.map((found) => found === task),
      [true],
    );
  });

  virtualTest("that cannot be sent gives the resource back, and so do ten thousand", async (fixture) => {
    const lease = await fixture.pool.acquire();
    const failing = Array.from({ length: 10_000 }, () =>
      createTask(
        fixture.pool.exchange(
          (): Flight<string> => {
            throw new RangeError("not to be sent");
          },
          (connection) => connection.options,
        ),
      ),
    );
    const last = fixture.request("last");
    await sleep(1);
    await lease.release();
    for (const task of failing) await assert.rejects(task, RangeError);
    fixture.connection.answer();
    assert.equal(await last, "answer to last");
  });

  virtualTest("is given a resource that is reset", async (fixture) => {
    const [first, second] = [fixture.request("first"), fixture.request("second")];
    await sleep(1);
    fixture.connection.isDirty = true;
    fixture.connection.answer();
    assert.deepEqual(fixture.log, ["first on 1"]);
    // Who has made it dirty waits for that, as with `with`.
    assert.equal(await first, "answer to first");
    assert.equal(now(), 4);
    assert.deepEqual(fixture.log, ["first on 1", "reset 1", "second on 1"]);
    fixture.connection.answer();
    await second;
  });

  virtualTest("is given another when the reset is cancelled", async (fixture) => {
    const [first, second] = [fixture.request("first"), fixture.request("second")];
    await sleep(1);
    fixture.connection.isDirty = true;
    fixture.connection.answer();
    await sleep(1);
    first.cancel();
    // It has its answer: the cancel comes at the next await, of which there is none.
    await cancelled(first);
    await sleep(1);
    assert.deepEqual(fixture.log.slice(1), ["reset 1", "destroy 1", "second on 2"]);
    fixture.connection.answer();
    await second;
  });

  virtualTest("is given another when the reset is cancelled before it has begun", async (fixture) => {
    const [first, second] = [fixture.request("first"), fixture.request("second")];
    await sleep(1);
    fixture.connection.isDirty = true;
    fixture.connection.answer();
    first.cancel();
    await cancelled(first);
    await sleep(1);
    assert.deepEqual(fixture.log.slice(1), ["destroy 1", "second on 2"]);
    fixture.connection.answer();
    await second;
    await fixture.pool.close();
  });

  test("leaves nothing behind when its run ends before the reset has ended", async () => {
    const fixture = new Fixture();
    const clock = new VirtualClock({ foreignGrace: 0 });
    await run(
      async () => {
        fixture.request("first");
        await sleep(1);
        fixture.connection.isDirty = true;
        fixture.connection.answer();
      },
      { clock },
    );
    assert.deepEqual(fixture.log, ["first on 1", "reset 1", "destroy 1"]);
    await run(() => fixture.pool.close(), { clock });
  });
});

describe("cancelling an exchange of a pool", () => {
  virtualTest("that waits sends nothing", async (fixture) => {
    const [first, second, third] = ["a", "b", "c"].map((text) => fixture.request(text)) as [
      Task<string>,
      Task<string>,
      Task<string>,
    ];
    await sleep(1);
    second.cancel();
    await cancelled(second);
    assert.equal(fixture.pool.statistics().tasksWaiting, 1);
    fixture.connection.answer();
    fixture.connection.answer();
    await gather(first, third);
    assert.deepEqual(fixture.log, ["a on 1", "c on 1"]);
  });

  virtualTest("that was sent hands the connection on when no cancel can hit the next", async (fixture) => {
    const [first, second] = [fixture.request("first"), fixture.request("second")];
    await sleep(1);
    const { connection } = fixture;
    let end = (): void => undefined;
    connection.cancelEnds = new Promise<void>((resolve) => (end = resolve));
    first.cancel();
    await sleep(1);
    connection.answer(new Error("canceling statement due to user request"));
    await sleep(1);
    // The answer is there, but the cancel command is still on its way.
    assert.deepEqual(fixture.log, ["first on 1", "cancel"]);
    end();
    await cancelled(first);
    assert.deepEqual(fixture.log, ["first on 1", "cancel", "second on 1"]);
    connection.answer();
    assert.equal(await second, "answer to second");
  });

  virtualTest("that comes too late delivers the answer", async (fixture) => {
    let seen: unknown = null;
    const task = createTask(async () => {
      seen = await fixture.pool.exchange(
        (connection) => connection.request("first"),
        (connection) => connection.options,
      );
      await sleep(1);
    });
    await sleep(1);
    task.cancel();
    fixture.connection.answer();
    await cancelled(task);
    assert.equal(seen, "answer to first");
  });

  virtualTest("that has waited its acquireTimeout is not sent any more", async (fixture) => {
    const lease = await fixture.pool.acquire();
    const late = createTask(
      fixture.pool.exchange(
        (connection) => connection.request("late"),
        (connection) => connection.options,
        { timeout: 2 },
      ),
    );
    const patient = fixture.request("patient");
    await assert.rejects(late, TimeoutError);
    assert.equal(now(), 2);
    await assert.rejects(patient, TimeoutError);
    assert.equal(now(), 30);
    const closed = fixture.request("closed");
    await sleep(1);
    const closing = createTask(fixture.pool.close());
    await assert.rejects(closed, PoolClosedError);
    await lease.release();
    await closing;
    assert.deepEqual(fixture.log, ["destroy 1"]);
  });
});

describe("the time that a pool gives those who wait", () => {
  virtualTest("counts for each from when it came", async ({ pool }) => {
    const lease = await pool.acquire();
    const failures: number[] = [];
    const waiters = [0, 1, 2, 3].map((n) =>
      createTask(async () => {
        await sleep(n);
        try {
          await (await pool.acquire()).release();
        } catch (error) {
          assert.instanceOf(error, TimeoutError);
          failures.push(now());
        }
      }),
    );
    await sleep(20);
    // The first leaves by itself; its place was the one that the timer was set for.
    waiters[0]?.cancel();
    await gather(waiters, { returnExceptions: true });
    assert.deepEqual(failures, [31, 32, 33]);
    await lease.release();
  });

  test("goes on when the run has ended that came first", async () => {
    const clock = new VirtualClock({ foreignGrace: 0 });
    const pool = new Pool({ create: () => 1, destroy: () => undefined, maxSize: 1 });
    const waitInTurn = async (): Promise<void> => {
      await (await pool.acquire()).release();
    };
    const holder = run(
      async () => {
        await pool.with(() => sleep(100));
      },
      { clock },
    );
    const first = run(
      async () => {
        await sleep(1);
        createTask(waitInTurn);
        await sleep(1);
      },
      { clock },
    );
    const second = run(
      async () => {
        await sleep(2);
        await assert.rejects(createTask(waitInTurn), TimeoutError);
        assert.equal(now(), 32);
      },
      { clock },
    );
    await Promise.all([holder, first, second]);
  });

  test("does not put off a deadlock of those who have as long as they like", async () => {
    const pool = new Pool({ create: () => 1, destroy: () => undefined, maxSize: 1 });
    const clock = new VirtualClock();
    const program = run(
      async () => {
        const lease = await pool.acquire();
        const hurried = createTask(pool.acquire());
        await sleep(1);
        const patient = createTask(pool.acquire({ timeout: null }));
        await sleep(1);
        hurried.cancel();
        await patient;
        await lease.release();
      },
      { clock },
    );
    await assert.rejects(program, DeadlockError);
    assert.equal(clock.time(), 2);
  });
});
