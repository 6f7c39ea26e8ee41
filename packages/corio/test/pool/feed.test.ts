import { CancelledError, createTask, getRunningLoop, run, sleep, ValueError } from "corio";
import { Feed } from "corio/pool";
import type { FeedConnection, FeedOptions } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../support/harness.ts";

/** A connection to nowhere, and how often there was one. */
class Connections {
  readonly log: string[] = [];
  readonly made: (FeedConnection & { lost: unknown })[] = [];
  /** What the next attempts to connect throw. */
  failures: Error[] = [];
  answers = true;

  feed(options: FeedOptions = {}): Feed<string, FeedConnection> {
    return new Feed<string, FeedConnection>(
      {
        name: "test",
        open: (feed) => this.#open(feed),
        close: async () => {
          this.log.push("closed");
          await Promise.resolve();
        },
        isTemporary: (error) => !(error instanceof RangeError),
      },
      options,
    );
  }

  async #open(feed: Feed<string, FeedConnection>): Promise<FeedConnection> {
    await sleep(0.01);
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const connection = {
      lost: null as unknown,
      check: async () => {
        this.log.push("checked");
        await sleep(0);
        if (!this.answers) throw new Error("no answer");
      },
      drop: (reason: string) => {
        this.log.push(`dropped: ${reason}`);
        connection.lost = new Error(reason);
        feed.wakeUp();
      },
    };
    this.made.push(connection);
    return connection;
  }
}

function feedTest(title: string, body: (connections: Connections) => Promise<void>): void {
  test(title, () => run(async () => await body(new Connections()), { clock: new VirtualClock() }));
}

async function take(feed: Feed<string, FeedConnection>, count: number): Promise<string> {
  const seen: string[] = [];
  for (let n = 0; n < count; n++) {
    const { value } = await feed.next();
    seen.push(typeof value === "object" ? `${value.reason} ${String(value.lost)}` : String(value));
  }
  return seen.join(", ");
}

describe("Feed", () => {
  feedTest("gives messages in their order, to tasks in theirs", async (connections) => {
    const feed = connections.feed();
    const tasks = [1, 2, 3].map(() => createTask(async () => await take(feed, 1)));
    await sleep(1);
    for (const message of ["a", "b", "c"]) feed.put(message);
    assert.deepEqual([await tasks[0], await tasks[1], await tasks[2]], ["a", "b", "c"]);
    assert.equal(connections.made.length, 1);
    await feed.close();
    await feed.close();
    assert.deepEqual(connections.log, ["closed"]);
    assert.equal((await feed.next()).done, true);
  });

  feedTest("puts a gap where it was, whatever arrives before that is seen", async (connections) => {
    const feed = connections.feed({ maxBuffered: 2 });
    await feed.connect();
    for (const message of ["1", "2", "3", "4"]) feed.put(message);
    assert.equal(await take(feed, 1), "1");
    feed.put("5");
    assert.equal(await take(feed, 2), "2, overflow 3");
    feed.put("6");
    assert.equal(await take(feed, 1), "6");
  });

  feedTest("connects again, for as long as it takes, and gives a gap then", async (connections) => {
    const feed = connections.feed({ maxDelay: 1 });
    await feed.connect();
    feed.put("before");
    connections.failures = Array.from({ length: 8 }, () => new Error("not yet"));
    connections.made[0]?.drop("the cable was cut");
    assert.equal(await take(feed, 2), "before, reconnected null");
    feed.put("after");
    assert.equal(await take(feed, 1), "after");
    connections.failures = [new RangeError("for ever")];
    connections.made[1]?.drop("the cable was cut");
    await assert.rejects(feed.next(), RangeError);
  });

  feedTest("throws what the first attempt throws, and tries again when it is asked", async (connections) => {
    const feed = connections.feed();
    connections.failures = [new Error("not yet")];
    await assert.rejects(feed.next(), /not yet/);
    const next = createTask(async () => await take(feed, 1));
    await sleep(1);
    feed.put("x");
    assert.equal(await next, "x");
  });

  feedTest("looks after a connection on which nothing arrives", async (connections) => {
    const feed = connections.feed({ heartbeat: 10 });
    const next = createTask(async () => await take(feed, 1));
    await sleep(25);
    assert.deepEqual(connections.log, ["checked", "checked"]);
    connections.answers = false;
    assert.equal(await next, "reconnected null");
    assert.deepEqual(connections.log.slice(2), ["checked", "dropped: it does not answer"]);
  });

  feedTest("goes on after a next that was cancelled, and loses nothing by that", async (connections) => {
    const feed = connections.feed();
    for (const wait of [0, 1]) {
      const cancelled = createTask(async () => await feed.next());
      await sleep(wait);
      cancelled.cancel();
      await assert.rejects(cancelled, CancelledError);
    }
    feed.put("x");
    assert.equal(await take(feed, 1), "x");
    assert.deepEqual(connections.log, []);
  });

  feedTest("is closed by its loop: a break, an error, a cancel", async (connections) => {
    const loops = [
      async (feed: Feed<string, FeedConnection>) => {
        for await (const message of feed) if (message === "x") break;
      },
      async (feed: Feed<string, FeedConnection>) => {
        for await (const message of feed) if (message === "x") throw new Error("enough");
      },
      async (feed: Feed<string, FeedConnection>) => {
        for await (const message of feed) if (message === "x") await sleep(60);
      },
      async (feed: Feed<string, FeedConnection>) => {
        for await (const message of feed) assert.equal(message, "x");
      },
    ];
    for (const loop of loops) {
      const feed = connections.feed();
      const task = createTask(async () => await loop(feed));
      await sleep(1);
      feed.put("x");
      await sleep(1);
      task.cancel();
      await Promise.allSettled([task]);
      assert.deepEqual(connections.log.splice(0), ["closed"]);
    }
  });

  feedTest("ends who waits when it is closed, also while it connects", async (connections) => {
    const feed = connections.feed();
    const next = createTask(async () => await feed.next());
    await sleep(0);
    await feed.close();
    assert.equal((await next).done, true);
    assert.deepEqual(connections.log, ["dropped: nobody waits for messages any more"]);
  });

  feedTest(
    "ends who waits at once when it is closed between two attempts to connect",
    async (connections) => {
      const feed = connections.feed({ maxDelay: 1000 });
      await feed.connect();
      connections.failures = Array.from({ length: 20 }, () => new Error("not yet"));
      connections.made[0]?.drop("the cable was cut");
      const next = createTask(async () => await feed.next());
      await sleep(150);
      const closedAt = getRunningLoop().time();
      await feed.close();
      assert.equal((await next).done, true);
      assert.equal(getRunningLoop().time(), closedAt);
      // It has not tried once more either.
      assert.equal(connections.failures.length, 9);
    },
  );

  test("refuses options that make no sense", () => {
    const connections = new Connections();
    for (const maxBuffered of [0, Number.NaN])
      assert.throws(() => connections.feed({ maxBuffered }), ValueError);
    assert.throws(() => connections.feed({ heartbeat: Number.NaN }), ValueError);
    assert.throws(() => connections.feed({ maxDelay: Number.NaN }), ValueError);
  });
});
