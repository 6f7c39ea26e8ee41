import { CancelledError, createTask, Event, gather, sleep, timeout, TimeoutError } from "corio";
import { connect, ConnectionBusyError, createClient } from "@corio/redis";
import type { Connection, RedisClient } from "@corio/redis";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { BLOCKED, redisTest, TestKeys } from "./support/server.ts";

const keys = new TestKeys();

/** Every command that blocks, on keys where there is nothing. */
const commands: Record<string, (redis: RedisClient, key: string) => PromiseLike<unknown>> = {
  BLPOP: (redis, key) => redis.blPop(key, 0),
  BRPOP: (redis, key) => redis.brPop([key, `${key}:2`], 0),
  BLMOVE: (redis, key) => redis.blMove(key, `${key}:2`, "LEFT", "LEFT", 0),
  BRPOPLPUSH: (redis, key) => redis.brPopLPush(key, `${key}:2`, 0),
  BLMPOP: (redis, key) => redis.blmPop(0, key, "LEFT"),
  BZPOPMIN: (redis, key) => redis.bzPopMin(key, 0),
  BZPOPMAX: (redis, key) => redis.bzPopMax(key, 0),
  BZMPOP: (redis, key) => redis.bzmPop(0, key, "MIN"),
  "XREAD BLOCK": (redis, key) => redis.xRead({ key, id: "$" }, { BLOCK: 0 }),
  "XREADGROUP BLOCK": async (redis, key) => {
    await redis.xGroupCreate(key, "group", "$", { MKSTREAM: true });
    return await redis.xReadGroup("group", "me", { key, id: ">" }, { BLOCK: 0 });
  },
  WAIT: async (redis, key) =>
    await redis.with(async (connection) => {
      await connection.set(key, "x");
      // There are no replicas: it waits for ever.
      return await connection.wait(7, 0);
    }),
  "a command in words": (redis, key) => redis.executeCommand(["blpop", key, "0"]),
};

describe("a cancelled", () => {
  for (const [name, command] of Object.entries(commands)) {
    redisTest(`${name} is ended on the server, and its connection used again`, async () => {
      await using redis = createClient(keys.options({ maxSize: 1 }));
      const key = keys.next();
      const task = createTask(async () => await command(redis, key));
      await keys.untilBlocked(1);
      task.cancel();
      await assert.rejects(task, CancelledError);
      // At once, not after a while: the task goes on when the server has said so.
      assert.equal(await keys.clients(BLOCKED), 0);
      await redis.with((connection) => connection.ping());
      assert.deepEqual([redis.statistics().pool.created, redis.statistics().pool.destroyed], [1, 0]);
    });
  }

  redisTest("command that was waiting for a connection takes none", async () => {
    await using redis = createClient(keys.options({ maxSize: 1 }));
    const key = keys.next();
    const first = createTask(redis.blPop(key, 0));
    await keys.untilBlocked(1);
    const second = createTask(redis.blPop(key, 0));
    await sleep(0);
    second.cancel();
    await assert.rejects(second, CancelledError);
    await keys.admin.rPush(key, "x");
    assert.equal((await first)?.element, "x");
    assert.equal(redis.statistics().pool.tasksWaiting, 0);
  });

  redisTest("command that was connecting leaves nothing", async () => {
    await using redis = createClient(keys.options());
    const task = createTask(redis.ping());
    const other = createTask(redis.ping());
    const blocked = createTask(redis.blPop(keys.next(), 0));
    await sleep(0);
    task.cancel();
    blocked.cancel();
    await assert.rejects(task, CancelledError);
    await assert.rejects(blocked, CancelledError);
    // The cancel was not for this one, which has waited for the same connection.
    assert.equal(await other, "PONG");
    // Whoever needs the connection next makes it.
    assert.equal(await redis.ping(), "PONG");
  });

  redisTest("command of a transaction is ended, and nothing is done", async () => {
    await using redis = createClient(keys.options());
    const key = keys.next();
    const task = createTask(
      redis.transaction(async (connection, batch) => {
        await connection.blPop(keys.next(), 0);
        return batch.set(key, "x");
      }),
    );
    await keys.untilBlocked(1);
    task.cancel();
    await assert.rejects(task, CancelledError);
    assert.equal(await redis.exists(key), 0);
  });
});

describe("a timeout around a blocking command", () => {
  redisTest("ends it within the second", async () => {
    await using redis = createClient(keys.options());
    await assert.rejects(
      timeout(0.05, () => redis.blPop(keys.next(), 0)),
      TimeoutError,
    );
    assert.equal(await keys.clients(BLOCKED), 0);
  });

  redisTest("of its own is the server's", async () => {
    await using redis = createClient(keys.options());
    assert.equal(await redis.blPop(keys.next(), 0.01), null);
    assert.equal(await redis.xRead({ key: keys.next(), id: "$" }, { BLOCK: 10 }), null);
  });
});

describe("blocked tasks", () => {
  redisTest("get their elements while others use the client", async () => {
    await using redis = createClient(keys.options({ maxSize: 5 }));
    const key = keys.next();
    const takers = Array.from({ length: 12 }, () => createTask(redis.blPop(key, 0)));
    await keys.untilBlocked(5);
    for (let n = 0; n < takers.length; n++) await redis.rPush(key, String(n));
    const elements = (await gather(takers)).map((taken) => taken?.element);
    assert.deepEqual(
      elements.map(Number).sort((a, b) => a - b),
      [...Array(12).keys()],
    );
  });

  redisTest("are unblocked by a connection that goes away with the client", async () => {
    const redis = createClient(keys.options());
    const task = createTask(redis.blPop(keys.next(), 0));
    await keys.untilBlocked(1);
    task.cancel();
    await assert.rejects(task, CancelledError);
    // The one that was blocked, and the one that unblocked it, when those of the test before have gone.
    await keys.until(2);
    await redis.close();
    await keys.until(0);
  });

  redisTest("can be on a connection of one's own", async () => {
    const connection = await connect(keys.options());
    const key = keys.next();
    await assert.rejects(
      timeout(0.02, () => connection.blPop(key, 0)),
      TimeoutError,
    );
    await keys.admin.rPush(key, "x");
    assert.equal((await connection.blPop(key, 0))?.element, "x");
    await connection.close();
    await keys.until(0);
  });
});

describe("a blocking command that a block has left behind", () => {
  redisTest("takes its connection with it, if a CLIENT UNBLOCK is on its way", async () => {
    await using proxy = await Proxy.to({ host: "127.0.0.1", port: 6379 });
    await using redis = createClient(keys.options({ host: "127.0.0.1", port: proxy.port, maxSize: 1 }));
    const list = keys.next();
    const isHeld = new Event();
    const isFree = async (connection: Connection): Promise<boolean> => {
      try {
        await connection.ping();
        return true;
      } catch (error) {
        assert.instanceOf(error, ConnectionBusyError);
        return false;
      }
    };
    const [id, left] = await redis.with(async (connection) => {
      const task = createTask(connection.blPop(list, 0));
      await keys.until(1, BLOCKED);
      proxy.onHeld = () => isHeld.set();
      task.cancel();
      await isHeld.wait();
      await keys.admin.rPush(list, "x");
      while (!(await isFree(connection)));
      await assert.rejects(connection.blPop(list, 0), ConnectionBusyError);
      return [await connection.clientId(), [task]] as const;
    });
    proxy.onHeld = null;
    assert.notEqual(await redis.with((connection) => connection.clientId()), id);
    proxy.closeHeld();
    for (const task of left) await assert.rejects(task, CancelledError);
  });
});
