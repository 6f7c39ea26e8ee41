import { CancelledError, createTask, run, sleep } from "corio";
import { ConnectError, createClient } from "@corio/redis";
import type { RedisClient, Subscription, SubscriptionEvent } from "@corio/redis";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { StillClock } from "../../corio/test/support/servers/still-clock.ts";
import { redisProgram, redisTest, TestKeys } from "./support/server.ts";

const keys = new TestKeys();

function clientTest(title: string, body: (redis: RedisClient) => Promise<void>): void {
  redisTest(title, async () => {
    await using redis = createClient(keys.options());
    await body(redis);
  });
}

/** The next events, in short. */
async function take(subscription: Subscription, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let n = 0; n < count; n++) {
    const { value } = (await subscription.next()) as IteratorYieldResult<SubscriptionEvent>;
    seen.push(value.kind === "message" ? value.message : `${value.reason} ${String(value.lost)}`);
  }
  return seen;
}

describe("a subscription", () => {
  clientTest("gives messages of channels and patterns in their order, and says which", async (redis) => {
    const [channel, other] = [keys.next(), keys.next()];
    await using subscription = await redis.subscribe({ channels: [channel], patterns: `${other}*` });
    await redis.publish(channel, "first");
    await redis.publish(`${other}:x`, "second");
    await redis.publish(channel, "");
    const { value: first } = await subscription.next();
    const { value: second } = await subscription.next();
    assert.deepEqual(first, { kind: "message", channel, pattern: null, message: "first" });
    assert.deepEqual(second, {
      kind: "message",
      channel: `${other}:x`,
      pattern: `${other}*`,
      message: "second",
    });
    assert.deepEqual(await take(subscription, 1), [""]);
  });

  clientTest("has shard channels", async (redis) => {
    const channel = keys.next();
    await using subscription = await redis.subscribe({ shardChannels: channel });
    await redis.sPublish(channel, "sharded");
    assert.deepEqual(await take(subscription, 1), ["sharded"]);
  });

  clientTest("is closed when its loop is left, and ends one that waits", async (redis) => {
    const channel = keys.next();
    const left = await redis.subscribe(channel);
    await redis.publish(channel, "x");
    for await (const event of left) {
      assert.equal(event.kind, "message");
      break;
    }
    assert.equal((await left.next()).done, true);
    const waiting = await redis.subscribe(channel);
    const loop = createTask(async () => {
      for await (const event of waiting) assert.fail(event.kind);
      return "ended";
    });
    await sleep(0);
    await waiting.close();
    assert.equal(await loop, "ended");
    await redis.ping();
    await keys.until(1);
  });

  clientTest("connects again when its connection is lost, and tells of the gap", async (redis) => {
    const channel = keys.next();
    await using subscription = await redis.subscribe(channel);
    await redis.publish(channel, "before");
    // It has arrived by then: the server sends in order.
    await keys.until(1, /sub=1/);
    await keys.kill(/sub=1/);
    assert.deepEqual(await take(subscription, 2), ["before", "reconnected null"]);
    await redis.publish(channel, "after");
    assert.deepEqual(await take(subscription, 1), ["after"]);
  });

  redisProgram("finds out by its heartbeat that nobody is there any more", async () => {
    // On this clock time passes when it is told to: a server that is slow is not taken for one that is gone.
    const clock = new StillClock();
    const test = async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 6379 });
      await using admin = createClient(keys.options());
      const options = keys.options({ port: proxy.port, cancelTimeout: 1, connectTimeout: { days: 1 } });
      await using redis = createClient(options);
      const channel = keys.next();
      await using subscription = await redis.subscribe(channel, { heartbeat: 1 });
      proxy.mute();
      const gap = createTask(() => take(subscription, 1));
      await clock.passUntil(() => gap.done());
      assert.deepEqual(await gap, ["reconnected null"]);
      await admin.publish(channel, "after");
      assert.deepEqual(await take(subscription, 1), ["after"]);
    };
    await run(test, { clock });
  });

  clientTest("tells how many were lost when the loop is too slow", async (redis) => {
    const channel = keys.next();
    await using subscription = await redis.subscribe(channel, { maxBuffered: 3 });
    // At once: they arrive together.
    await redis.multi((batch) =>
      batch
        .publish(channel, "1")
        .publish(channel, "2")
        .publish(channel, "3")
        .publish(channel, "4")
        .publish(channel, "5"),
    );
    assert.deepEqual(await take(subscription, 4), ["1", "2", "3", "overflow 2"]);
    await redis.publish(channel, "6");
    assert.deepEqual(await take(subscription, 1), ["6"]);
  });

  clientTest("can be cancelled while it waits, and goes on after that", async (redis) => {
    const channel = keys.next();
    const subscription = await redis.subscribe(channel);
    const task = createTask(async () => await take(subscription, 1));
    await sleep(0);
    task.cancel();
    await assert.rejects(task, CancelledError);
    await subscription.close();
    const connecting = createTask(redis.subscribe(channel));
    await sleep(0);
    connecting.cancel();
    await assert.rejects(connecting, CancelledError);
    await redis.ping();
    await keys.until(1);
  });

  redisTest("throws what the first attempt to connect throws", async () => {
    await using redis = createClient(keys.options({ port: 1 }));
    await assert.rejects(redis.subscribe("x"), ConnectError);
    assert.throws(() => redis.subscribe([]), /name of a channel/);
    assert.throws(() => redis.subscribe({ patterns: [1 as never] }), /name of a channel/);
  });
});
