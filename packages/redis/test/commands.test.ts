import { createTask, gather, run, timeout, TimeoutError } from "corio";
import { PoolClosedError } from "corio/pool";
import {
  CommandError,
  connect,
  ConnectionBusyError,
  ConnectionReleasedError,
  createClient,
  PipelineError,
  RedisClient,
  SessionCommandError,
  WatchedKeyChangedError,
} from "@corio/redis";
import { assert, describe, test } from "../../corio/test/support/harness.ts";
import { redisTest, TestKeys } from "./support/server.ts";

const keys = new TestKeys();

/** Runs `body` with a client, which is closed at the end. */
function clientTest(title: string, body: (redis: RedisClient) => Promise<void>): void {
  redisTest(title, async () => {
    await using redis = createClient(keys.options());
    await body(redis);
  });
}

describe("commands", () => {
  clientTest("have the driver's names, arguments and answers", async (redis) => {
    const [text, hash, scores] = [keys.next(), keys.next(), keys.next()];
    assert.equal(await redis.set(text, "1"), "OK");
    assert.equal(await redis.incrBy(text, 41), 42);
    assert.equal(await redis.get(text), "42");
    assert.equal(await redis.get(keys.next()), null);
    assert.equal(await redis.hSet(hash, { a: "1", b: "2" }), 2);
    assert.deepEqual({ ...(await redis.hGetAll(hash)) }, { a: "1", b: "2" });
    await redis.zAdd(scores, [
      { value: "x", score: 2 },
      { value: "y", score: 1 },
    ]);
    assert.deepEqual(await redis.zRangeWithScores(scores, 0, -1), [
      { value: "y", score: 1 },
      { value: "x", score: 2 },
    ]);
  });

  clientTest("share one connection, and are answered in any number at a time", async (redis) => {
    const answers = await gather(Array.from({ length: 1000 }, (_, n) => redis.echo(String(n))));
    assert.deepEqual(answers.map(Number), [...Array(1000).keys()]);
    assert.equal(redis.statistics().isConnected, true);
    assert.equal(redis.statistics().pool.created, 0);
    // The connections of the test before may not have gone yet.
    await keys.until(1);
  });

  clientTest("that the server refuses throw its error, with its word", async (redis) => {
    const key = keys.next();
    await redis.set(key, "text");
    const error = await assert.rejects<CommandError>(redis.lPush(key, "x"), CommandError);
    assert.deepEqual([error.reply, error.code], ["WRONGTYPE", "CORIO_REDIS_COMMAND"]);
    assert.match(error.message, /^WRONGTYPE Operation against a key/);
    // A mistake that the driver finds.
    await assert.rejects(redis.set(key, undefined as unknown as string), TypeError);
    assert.equal(await redis.get(key), "text");
  });

  clientTest("can be given in words, and give bytes", async (redis) => {
    const key = keys.next();
    const bytes = new Uint8Array([0, 255, 13, 10]);
    assert.equal(await redis.executeCommand(["SET", key, bytes]), "OK");
    const answer = await redis.executeCommand<Uint8Array>(["GET", key], { asBytes: true });
    assert.deepEqual([...answer], [0, 255, 13, 10]);
    assert.throws(() => redis.executeCommand([]), /array of strings or bytes/);
    assert.throws(() => redis.executeCommand(["SET", key, 1 as unknown as string]), /array of strings/);
  });

  clientTest("that change a connection are refused where many tasks use it", async (redis) => {
    for (const words of [["SELECT", "1"], ["MULTI"], ["client", "setname", "x"], ["SUBSCRIBE", "x"]])
      assert.throws(() => redis.executeCommand(words), SessionCommandError);
    assert.equal("select" in redis || "auth" in redis, false);
    await redis.executeCommand(["CLIENT", "LIST"]);
  });

  clientTest("walk through keys and members", async (redis) => {
    const [many, hash, set, scores] = [keys.next(), keys.next(), keys.next(), keys.next()];
    const names = Array.from({ length: 50 }, (_, n) => `${many}:${String(n)}`);
    await redis.mSet(names.map((name) => [name, "x"] as [string, string]));
    const found = new Set<string>();
    for await (const key of redis.scanIter({ match: `${many}:*`, count: 7, type: "string" })) found.add(key);
    assert.deepEqual([...found].sort(), [...names].sort());
    await redis.hSet(hash, { a: "1" });
    await redis.sAdd(set, "m");
    await redis.zAdd(scores, { value: "z", score: 1.5 });
    for await (const entry of redis.hScanIter(hash))
      assert.deepEqual({ ...entry }, { field: "a", value: "1" });
    for await (const member of redis.sScanIter(set)) assert.equal(member, "m");
    for await (const member of redis.zScanIter(scores))
      assert.deepEqual({ ...member }, { value: "z", score: 1.5 });
  });
});

describe("commands that are sent together", () => {
  clientTest("give their answers in order", async (redis) => {
    const key = keys.next();
    const [set, count, text] = await redis.pipeline((batch) => batch.set(key, "1").incr(key).get(key));
    assert.deepEqual([set, count, text], ["OK", 2, "2"]);
    assert.deepEqual(await redis.pipeline((batch) => batch), []);
    assert.deepEqual(await redis.multi((batch) => batch.get(key).del(key).exists(key)), ["2", 1, 0]);
  });

  clientTest("all have a result when some fail", async (redis) => {
    const [key, other] = [keys.next(), keys.next()];
    for (const together of ["pipeline", "multi"] as const) {
      const error = await assert.rejects<PipelineError>(
        redis[together]((batch) => batch.set(key, "x").lPush(key, "1").set(other, "y")),
        PipelineError,
      );
      assert.match(error.message, /^1 command of 3 failed, the first at index 1: WRONGTYPE/);
      const [first, second, third] = error.results;
      assert.deepEqual([first, third], ["OK", "OK"]);
      assert.instanceOf(second, CommandError);
      assert.equal(await redis.getDel(other), "y");
    }
  });

  clientTest("refuse what they cannot do before anything is sent", async (redis) => {
    const key = keys.next();
    await assert.rejects(
      redis.pipeline((batch) => batch.set(key, "x").blPop(key, 1)),
      /a pipeline cannot have blPop/,
    );
    assert.equal(await redis.exists(key), 0);
    assert.throws(() => redis.multi((async () => {}) as never), /gives the batch/);
    assert.throws(() => redis.pipeline(1 as never), /a function that fills a batch/);
  });
});

describe("transactions", () => {
  clientTest("read first, and are done as one", async (redis) => {
    const key = keys.next();
    await redis.set(key, "20");
    const replies = await redis.transaction(
      async (connection, batch) => batch.set(key, String(Number(await connection.get(key)) + 1)).get(key),
      { watch: key },
    );
    assert.deepEqual(replies, ["OK", "21"]);
  });

  clientTest("are refused when somebody has changed what they watch", async (redis) => {
    const [key, other] = [keys.next(), keys.next()];
    let runs = 0;
    const body = async () => {
      if (++runs < 3) await keys.admin.incr(key);
    };
    const error = await assert.rejects<WatchedKeyChangedError>(
      redis.transaction(
        async (_connection, batch) => {
          await body();
          return batch.set(other, "done");
        },
        { watch: [key] },
      ),
      WatchedKeyChangedError,
    );
    assert.equal(error.code, "CORIO_REDIS_WATCHED_KEY_CHANGED");
    assert.equal(await redis.exists(other), 0);
    await redis.transaction(
      async (_connection, batch) => {
        await body();
        return batch.set(other, "done");
      },
      { watch: [key], retry: { attempts: 2, firstDelay: 0 } },
    );
    assert.deepEqual([runs, await redis.get(other)], [3, "done"]);
  });

  clientTest("count right, when many tasks do it at the same time", async (redis) => {
    const key = keys.next();
    const add = () =>
      redis.transaction(
        async (connection, batch) => batch.set(key, String(Number(await connection.get(key)) + 1)),
        { watch: key, retry: { attempts: 1000, firstDelay: 0.001, maxDelay: 0.01 } },
      );
    await gather(Array.from({ length: 50 }, add));
    assert.equal(await redis.get(key), "50");
  });

  clientTest(
    "do nothing when their block throws or is cancelled, and watch nothing any more",
    async (redis) => {
      const key = keys.next();
      await assert.rejects(
        redis.transaction(
          () => {
            throw new RangeError("no");
          },
          { watch: key },
        ),
        RangeError,
      );
      await assert.rejects(
        timeout(0.01, () =>
          redis.transaction(
            async (connection, batch) => {
              await connection.blPop(keys.next(), 0);
              return batch.set(key, "x");
            },
            { watch: key },
          ),
        ),
        TimeoutError,
      );
      await keys.admin.set(key, "changed");
      // The same connection: it would be refused if it still watched.
      assert.deepEqual(await redis.transaction((_connection, batch) => batch.get(key)), ["changed"]);
      assert.equal(redis.statistics().pool.created, 1);
      assert.throws(
        () => redis.transaction((_connection, batch) => batch, { watch: 1 as never }),
        /watch to be/,
      );
    },
  );
});

describe("scripts", () => {
  clientTest(
    "are sent by their hash, and by their text when the server does not know them",
    async (redis) => {
      const key = keys.next();
      const text = `return redis.call('INCRBY', KEYS[1], ARGV[1]) -- ${key}`;
      const add = redis.registerScript<number>(text);
      assert.deepEqual([...(await redis.scriptExists(add.sha))].map(Number), [0]);
      assert.equal(await add({ keys: [key], arguments: ["2"] }), 2);
      assert.deepEqual([...(await redis.scriptExists(add.sha))].map(Number), [1]);
      assert.equal(await add({ keys: [key], arguments: ["3"] }), 5);
      await assert.rejects(add({ keys: [key], arguments: ["x"] }), CommandError);
      assert.throws(() => redis.registerScript(1 as never), /text of a script/);
    },
  );
});

describe("a connection of one's own", () => {
  redisTest("can change itself, and nobody else gets it after that", async () => {
    await using redis = createClient(keys.options({ maxSize: 1 }));
    const key = keys.next();
    const id = await redis.with(async (connection) => {
      await connection.select(1);
      await connection.set(key, "in database 1");
      return connection.id;
    });
    await redis.with(async (connection) => {
      assert.equal(await connection.get(key), null);
      assert.equal(connection.id === id, false);
      await connection.select(1);
      await connection.del(key);
    });
    const clean = await redis.with(async (connection) => {
      await connection.ping();
      return connection.id;
    });
    assert.equal(await redis.with((connection) => connection.id), clean);
  });

  redisTest("is nobody's when it was given back", async () => {
    await using redis = createClient(keys.options());
    const kept = await redis.with((connection) => connection);
    assert.throws(() => kept.ping(), ConnectionReleasedError);
    const acquired = await redis.acquire();
    await acquired.close();
    await acquired.close();
    assert.throws(() => acquired.ping(), ConnectionReleasedError);
    assert.equal(acquired.isClosed, true);
  });

  redisTest("does not let a command block beside others", async () => {
    await using connection = await connect(keys.options());
    const key = keys.next();
    const blocked = createTask(connection.blPop(key, 0));
    await keys.untilBlocked(1);
    await assert.rejects(connection.ping(), ConnectionBusyError);
    await assert.rejects(connection.blPop(key, 0), ConnectionBusyError);
    await keys.admin.rPush(key, "x");
    assert.equal((await blocked)?.element, "x");
    const busy = createTask(connection.ping());
    const refused = createTask(connection.blPop(key, 1));
    await assert.rejects(refused, ConnectionBusyError);
    assert.equal(await busy, "PONG");
  });

  redisTest("watches until it is told not to", async () => {
    await using connection = await connect(keys.options());
    const key = keys.next();
    await connection.watch(key);
    await keys.admin.set(key, "changed");
    await assert.rejects(
      connection.multi((batch) => batch.get(key)),
      WatchedKeyChangedError,
    );
    await connection.watch(key);
    await keys.admin.set(key, "again");
    await connection.unwatch();
    assert.deepEqual(await connection.multi((batch) => batch.get(key)), ["again"]);
  });
});

describe("a client", () => {
  redisTest("can be used by one run after another, and at the same time", async () => {
    const redis = createClient(keys.options());
    const names = await gather(["a", "b"].map((name) => redis.echo(name)));
    assert.deepEqual(names, ["a", "b"]);
    await keys.until(1);
    await redis.close();
    await keys.until(0);
  });

  redisTest("waits for what is on its way when it is closed, and takes nothing new", async () => {
    const redis = createClient(keys.options());
    await redis.ping();
    const last = createTask(redis.echo("last"));
    const closing = createTask(async () => await redis.close());
    assert.equal(await last, "last");
    await closing;
    await assert.rejects(redis.ping(), PoolClosedError);
    await assert.rejects(redis.blPop(keys.next(), 1), PoolClosedError);
    await assert.rejects(redis.subscribe("x"), PoolClosedError);
    await redis.close();
    await keys.until(0);
  });

  redisTest("ends who is blocked when its timeout is over", async () => {
    const redis = createClient(keys.options());
    const blocked = createTask(redis.blPop(keys.next(), 0));
    await keys.untilBlocked(1);
    await redis.close({ timeout: 0.01 });
    await assert.rejects(blocked, /it was closed/);
    await keys.until(0);
  });

  test("says what is wrong with its options", () => {
    assert.throws(() => createClient(1 as never), /expects a URL/);
    assert.throws(() => createClient("http://localhost"), /redis:, rediss: or unix:/);
    assert.throws(() => createClient("redis"), /redis:\/\/host:port\/database/);
    assert.throws(() => createClient({ database: -1 }), /database expects/);
    assert.throws(() => createClient("redis://localhost/x"), /database expects/);
    assert.throws(() => createClient({ port: 70_000 }), /port expects/);
    assert.throws(() => createClient({ maxSize: 0 }), /maxSize/);
  });

  test("that nobody uses needs no closing", () =>
    run(async () => {
      await createClient(keys.options()).close();
    }));
});
