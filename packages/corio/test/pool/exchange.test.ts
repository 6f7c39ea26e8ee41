import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  getRunningLoop,
  run,
  sleep,
  timeout,
  ValueError,
} from "corio";
import type { Task } from "corio";
import { exchange } from "corio/pool";
import type { ExchangeOptions } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../support/harness.ts";

/** A server and its connection: what was done to them when, and the means to let things happen. */
class Connection {
  readonly log: string[] = [];
  /** Where no AsyncLocalStorage remembers the task, a driver's own code has no running loop. */
  readonly #loop = getRunningLoop();
  answer!: (value: string) => void;
  fail!: (error: unknown) => void;
  /** What cancel and terminate wait for; nothing by default. */
  cancelEnds: PromiseLike<void> | null = null;
  terminateEnds: PromiseLike<void> | null = null;

  readonly send = (): Promise<string> => {
    this.#note("send");
    return new Promise<string>((resolve, reject) => {
      this.answer = resolve;
      this.fail = reject;
    });
  };

  readonly options: ExchangeOptions = {
    cancel: async () => {
      this.#note("cancel");
      await this.cancelEnds;
    },
    terminate: async () => {
      this.#note("terminate");
      await this.terminateEnds;
    },
    drop: (reason) => {
      this.#note(`drop: ${reason}`);
      this.fail(new Error("connection closed"));
    },
    cancelTimeout: 5,
  };

  #note(what: string): void {
    this.log.push(`${Number(this.#loop.time().toFixed(3))} ${what}`);
  }
}

const never = new Promise<never>(() => undefined);

/** Runs under virtual time that does not stand still for the promises of these tests. */
function virtualTest(title: string, body: (connection: Connection) => Promise<void>): void {
  test(title, () => run(() => body(new Connection()), { clock: new VirtualClock({ foreignGrace: 0 }) }));
}

async function cancelled(task: Task<unknown>): Promise<CancelledError> {
  return await assert.rejects<CancelledError>(task, CancelledError);
}

describe("an exchange", () => {
  virtualTest("sends when it is awaited, and gives the answer", async (connection) => {
    const request = exchange(connection.send, connection.options);
    assert.deepEqual(connection.log, []);
    const task = createTask(request);
    await sleep(1);
    connection.answer("42");
    assert.equal(await task, "42");
    assert.deepEqual(connection.log, ["0 send"]);
    assert.throws(() => exchange(1 as never, connection.options), ArgumentTypeError);
  });

  virtualTest("sends nothing when its options make no sense", async (connection) => {
    for (const option of ["cancelTimeout", "answerTimeout"]) {
      const request = exchange(connection.send, { ...connection.options, [option]: NaN });
      await assert.rejects(request, ValueError);
    }
    assert.deepEqual(connection.log, []);
  });

  virtualTest("throws what the request fails with", async (connection) => {
    const task = createTask(exchange(connection.send, connection.options));
    await sleep(1);
    connection.fail(new RangeError("no such table"));
    await assert.rejects(task, RangeError);
  });

  virtualTest("repeats the cancel command until there is an answer", async (connection) => {
    const task = createTask(exchange(connection.send, connection.options));
    await sleep(1);
    task.cancel("enough");
    await sleep(1);
    assert.equal(task.done(), false);
    connection.fail(new Error("canceling statement due to user request"));
    assert.equal((await cancelled(task)).reason, "enough");
    assert.deepEqual(connection.log, [
      "0 send",
      "1 cancel",
      "1.05 cancel",
      "1.15 cancel",
      "1.35 cancel",
      "1.75 cancel",
    ]);
  });

  virtualTest("waits for the cancel command to end, too", async (connection) => {
    let end = (): void => undefined;
    connection.cancelEnds = new Promise((resolve) => (end = resolve));
    const task = createTask(exchange(connection.send, connection.options));
    await sleep(1);
    task.cancel();
    connection.fail(new Error("canceling statement due to user request"));
    await sleep(1);
    assert.equal(task.done(), false);
    end();
    await cancelled(task);
    assert.deepEqual(connection.log, ["0 send", "1 cancel"]);
  });

  virtualTest("drops the connection when the cancel command does not end", async (connection) => {
    connection.cancelEnds = never;
    const task = createTask(exchange(connection.send, connection.options));
    await sleep(1);
    task.cancel();
    connection.fail(new Error("canceling statement due to user request"));
    await cancelled(task);
    assert.equal(getRunningLoop().time(), 6);
    assert.deepEqual(connection.log.slice(0, 2), ["0 send", "1 cancel"]);
    assert.match(
      connection.log[2] ?? "",
      /^6 drop: the command that cancels its request did not end within 5 s$/,
    );
    assert.equal(connection.log.length, 3);
  });

  virtualTest("terminates and drops a connection that does not obey", async (connection) => {
    connection.cancelEnds = never;
    const task = createTask(exchange(connection.send, connection.options));
    task.cancel();
    await sleep(1);
    task.cancel();
    await cancelled(task);
    assert.deepEqual(connection.log, []);

    const other = createTask(exchange(connection.send, connection.options));
    await sleep(1);
    other.cancel();
    // Neither a further cancel nor a command that fails changes anything.
    await sleep(1);
    other.cancel();
    await cancelled(other);
    assert.deepEqual(connection.log, [
      "1 send",
      "2 cancel",
      "7 terminate",
      "7 drop: its request was to end, and did not within 5 s",
    ]);
  });

  virtualTest("does not wait for ever for terminate either", async (connection) => {
    const options = { ...connection.options, cancel: () => Promise.reject(new Error("no route to host")) };
    connection.terminateEnds = never;
    const task = createTask(exchange(connection.send, options));
    await sleep(1);
    task.cancel();
    await cancelled(task);
    assert.equal(getRunningLoop().time(), 11);
    assert.deepEqual(connection.log.slice(1, 2), ["6 terminate"]);
  });

  virtualTest("delivers an answer that comes all the same, and the cancel after it", async (connection) => {
    const seen: string[] = [];
    const task = createTask(async () => {
      seen.push(await exchange(connection.send, connection.options));
      await sleep(1);
      seen.push("not reached");
    });
    await sleep(1);
    task.cancel("too late");
    connection.answer("inserted");
    assert.equal((await cancelled(task)).reason, "too late");
    assert.deepEqual(seen, ["inserted"]);
  });

  virtualTest("that is not to be interrupted sends no cancel, and waits", async (connection) => {
    const options = { ...connection.options, cancel: null };
    const task = createTask(exchange(connection.send, options));
    await sleep(1);
    task.cancel();
    await sleep(4);
    assert.deepEqual([task.done(), connection.log], [false, ["0 send"]]);
    await cancelled(task);
    assert.deepEqual(connection.log.slice(1, 2), ["6 terminate"]);
    assert.match(connection.log[2] ?? "", /^6 drop/);
  });

  virtualTest(
    "delivers its end although dropping the connection fails, and reports that",
    async (connection) => {
      const reports: unknown[] = [];
      getRunningLoop().setExceptionHandler((_loop, { exception }) => reports.push(exception));
      const failure = new RangeError("cannot drop");
      const drop = (): never => {
        throw failure;
      };
      const task = createTask(exchange(connection.send, { ...connection.options, drop }));
      await sleep(1);
      task.cancel();
      await sleep(20);
      assert.deepEqual(reports, [failure]);
      connection.fail(new Error("connection closed"));
      await cancelled(task);
    },
  );

  virtualTest("refuses options that cannot be", async ({ send, options }) => {
    assert.throws(() => exchange(send, null as never), ArgumentTypeError);
    assert.throws(
      () => exchange(send, { ...options, cancel: 5 as never }),
      /exchange: cancel expects a function or/,
    );
    assert.throws(() => exchange(send, { ...options, drop: undefined as never }), /exchange: drop expects/);
    await assert.rejects(createTask(exchange(send, () => null as never)), ArgumentTypeError);
  });

  virtualTest("is cancelled when its answerTimeout is over", async (connection) => {
    const options = { ...connection.options, answerTimeout: 3 };
    const task = createTask(exchange(connection.send, options));
    await sleep(3.2);
    connection.fail(new RangeError("canceling statement due to user request"));
    await assert.rejects(task, RangeError);
    assert.deepEqual(connection.log, ["0 send", "3 cancel", "3.05 cancel", "3.15 cancel"]);
  });

  virtualTest("that cannot be interrupted is given up after both limits", async (connection) => {
    const options = { ...connection.options, cancel: null, answerTimeout: 3 };
    await assert.rejects(createTask(exchange(connection.send, options)), /connection closed/);
    assert.deepEqual(connection.log.slice(1, 2), ["8 terminate"]);
  });

  virtualTest("ends with a timeout around it", async (connection) => {
    const task = createTask(async () => {
      await timeout(1, () => exchange(connection.send, connection.options));
    });
    await sleep(2);
    connection.fail(new Error("canceling statement due to user request"));
    await assert.rejects(task, /timed out after/);
  });
});
