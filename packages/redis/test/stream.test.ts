import { CancelledError, createTask, gather, isCancelledError, sleep, wait } from "corio";
import { CommandError, createClient } from "@corio/redis";
import type { RedisClient, StreamEntry, StreamJob } from "@corio/redis";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { seeded } from "../../corio/test/support/seeded.ts";
import { BLOCKED, redisTest, TestKeys } from "./support/server.ts";

const keys = new TestKeys();

function clientTest(title: string, body: (redis: RedisClient) => Promise<void>): void {
  redisTest(title, async () => {
    await using redis = createClient(keys.options());
    await body(redis);
  });
}

const add = (stream: string, n: number | string) => keys.admin.xAdd(stream, "*", { n: String(n) });

/** Reads in a task until there are so many; what it has is there as it comes. */
function read<E extends StreamEntry>(entries: AsyncIterable<E>, count: number) {
  const seen: E[] = [];
  const task = createTask(async () => {
    for await (const entry of entries) {
      seen.push(entry);
      if (seen.length === count) break;
    }
  });
  return { seen, task };
}

const numbers = (entries: readonly StreamEntry[]) => entries.map(({ fields }) => Number(fields["n"]));

describe("a stream", () => {
  clientTest("is read from where it is told, and from now on by default", async (redis) => {
    const stream = keys.next();
    const ids = [await add(stream, 1), await add(stream, 2)];
    const all = read(redis.readStream(stream, { after: "0" }), 3);
    const second = read(redis.readStream([stream], { after: ids[0] }), 2);
    const fresh = read(redis.readStream(stream), 1);
    await keys.untilBlocked(3);
    await add(stream, 3);
    await gather([all.task, second.task, fresh.task]);
    assert.deepEqual(
      [numbers(all.seen), numbers(second.seen), numbers(fresh.seen)],
      [[1, 2, 3], [2, 3], [3]],
    );
    assert.deepEqual([all.seen[0]?.stream, all.seen[0]?.id], [stream, ids[0]]);
    // Leaving the loop ends the command and the connection.
    await keys.untilBlocked(0);
  });

  clientTest("is read on where it was when the connection is lost", async (redis) => {
    const [one, two] = [keys.next(), keys.next()];
    const { seen, task } = read(redis.readStream([one, two]), 4);
    await keys.untilBlocked(1);
    // Lost before anything was read: "from now on" is the same place afterwards.
    await keys.kill(BLOCKED);
    await add(one, 1);
    await add(two, 2);
    while (seen.length < 2) await sleep(0.001);
    await keys.untilBlocked(1);
    await keys.kill(BLOCKED);
    await add(one, 3);
    await add(two, 4);
    await task;
    assert.deepEqual(numbers(seen).sort(), [1, 2, 3, 4]);
  });

  clientTest("can be cancelled, and refuses what is no stream", async (redis) => {
    const { task } = read(redis.readStream(keys.next()), 1);
    await keys.untilBlocked(1);
    task.cancel();
    await assert.rejects(task, CancelledError);
    await keys.untilBlocked(0);
    const text = keys.next();
    await redis.set(text, "x");
    await assert.rejects(redis.readStream(text, { after: "0" }).next(), CommandError);
    assert.throws(() => redis.readStream([]), /key of a stream/);
    assert.throws(() => redis.consumeStream(text, {} as never), /group, consumer/);
  });
});

describe("a consumer group", () => {
  clientTest("gives each entry to one consumer, and again until it is acknowledged", async (redis) => {
    const stream = keys.next();
    const options = { group: "workers", consumer: "a" };
    for (const n of [1, 2, 3]) await add(stream, n);
    const first = read(redis.consumeStream(stream, { ...options, count: 2 }), 3);
    await first.task;
    await first.seen[0]?.ack();
    // The consumer starts again: the two that it has not acknowledged come first.
    await add(stream, 4);
    const second = read(redis.consumeStream(stream, options), 3);
    await second.task;
    assert.deepEqual(
      [numbers(first.seen), numbers(second.seen)],
      [
        [1, 2, 3],
        [2, 3, 4],
      ],
    );
    for (const job of second.seen) await job.ack();
    assert.equal((await redis.xPending(stream, "workers")).pending, 0);
  });

  clientTest("leaves out what was deleted", async (redis) => {
    const stream = keys.next();
    const options = { group: "workers", consumer: "a" };
    const ids = [await add(stream, 1), await add(stream, 2)];
    await read(redis.consumeStream(stream, options), 2).task;
    await redis.xDel(stream, ids[0] ?? "");
    const again = read(redis.consumeStream(stream, options), 1);
    await again.task;
    assert.deepEqual(numbers(again.seen), [2]);
    assert.equal((await redis.xPending(stream, "workers")).pending, 1);
  });

  clientTest("lets a consumer take over what another has let lie", async (redis) => {
    const stream = keys.next();
    for (const n of [1, 2]) await add(stream, n);
    await read(redis.consumeStream(stream, { group: "workers", consumer: "dead" }), 2).task;
    const heir = read(
      redis.consumeStream(stream, { group: "workers", consumer: "heir", claimIdle: 0, heartbeat: 0.01 }),
      2,
    );
    await heir.task;
    assert.deepEqual(numbers(heir.seen), [1, 2]);
  });

  clientTest("goes on after its connection is lost, and repeats nothing that is in hand", async (redis) => {
    const stream = keys.next();
    await add(stream, 1);
    const { seen, task } = read(redis.consumeStream(stream, { group: "g", consumer: "a" }), 3);
    while (seen.length < 1) await sleep(0.001);
    await keys.untilBlocked(1);
    await keys.kill(BLOCKED);
    await add(stream, 2);
    while (seen.length < 2) await sleep(0.001);
    await seen[0]?.ack();
    await keys.untilBlocked(1);
    await keys.kill(BLOCKED);
    await add(stream, 3);
    await task;
    assert.deepEqual(numbers(seen), [1, 2, 3]);
  });

  clientTest("loses nothing when its consumers are cancelled at random moments", async (redis) => {
    const ENTRIES = 1000;
    const stream = keys.next();
    const random = seeded(11);
    const done = new Set<number>();
    let cancels = 0;
    let added = 0;
    const producer = createTask(async () => {
      while (added < ENTRIES) await add(stream, added++);
    });
    const work = async (consumer: string): Promise<void> => {
      const jobs: AsyncIterable<StreamJob> = redis.consumeStream(stream, { group: "g", consumer, count: 5 });
      for await (const job of jobs) {
        await job.ack();
        done.add(Number(job.fields["n"]));
      }
    };
    const consumer = async (name: string): Promise<void> => {
      let patience = 0.05;
      while (done.size < ENTRIES) {
        const before = done.size;
        const task = createTask(() => work(name));
        await wait([task], { timeout: random() * patience });
        task.cancel();
        cancels++;
        // On a machine that is busy it may take longer than that to connect, each time.
        patience = done.size > before ? 0.05 : 2 * patience;
        try {
          await task;
        } catch (error) {
          if (!isCancelledError(error)) throw error;
        }
        // Acknowledged, and cancelled before it was noted: it is done as well.
        if (producer.done() && done.size > 0 && (await redis.xPending(stream, "g")).pending === 0) {
          const groups = await redis.xInfoGroups(stream);
          if (Number(groups[0]?.lag) === 0) break;
        }
      }
    };
    await gather(["a", "b", "c"].map((name) => createTask(() => consumer(name))));
    await producer;
    assert.equal(added, ENTRIES);
    assert.ok(cancels > 10, `${String(cancels)} cancels`);
    assert.equal((await redis.xPending(stream, "g")).pending, 0);
    const [group] = await redis.xInfoGroups(stream);
    assert.equal(Number(group?.["entries-read"]), ENTRIES);
    await keys.untilBlocked(0);
  });
});
