import { coroutine, createTask, gather, isCancelledError, wait } from "corio";
import type { Task } from "corio";
import { createClient } from "@corio/redis";
import type { RedisClient } from "@corio/redis";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { seeded } from "../../corio/test/support/seeded.ts";
import { BLOCKED, redisTest, TestKeys } from "./support/server.ts";

const keys = new TestKeys();

const ELEMENTS = 4000;
const TASKS = 40;
const SIZE = 20;

interface Take {
  /** Takes an element, or gives null. What it takes must be recorded without an await. */
  readonly take: (redis: RedisClient, key: string) => PromiseLike<string | null>;
}

/**
 * Tasks that take elements, and are cancelled at random moments: before the command is sent, while it blocks, and, since a
 * cancel comes together with the push of an element half of the time, in the very moment in which the element arrives.
 * Whatever was pushed was delivered once, or is still there.
 */
async function storm(redis: RedisClient, key: string, { take }: Take, seed: number) {
  const random = seeded(seed);
  const taken: string[] = [];
  const errors: unknown[] = [];
  let pushed = 0;
  let cancelled = 0;
  let deliveredAfterCancel = 0;
  const push = () => keys.admin.rPush(key, String(pushed++));

  const one = async () => {
    const task: Task<void> = createTask(async () => {
      const element = await take(redis, key);
      if (element === null) return;
      taken.push(element);
      if (task.cancelling() > 0) deliveredAfterCancel++;
    });
    const kind = random();
    if (kind < 0.3) await push();
    else if (kind < 0.7) {
      await wait([task], { timeout: random() < 0.3 ? 0 : random() * 0.004 });
      // The element and the CLIENT UNBLOCK go to the server at the same time, in either order.
      const pushing = random() < 0.7 ? createTask(push()) : null;
      if (random() < 0.5) await wait([task], { timeout: 0 });
      task.cancel();
      if (pushing !== null) await pushing;
    } else {
      await wait([task], { timeout: random() * 0.002 });
      task.cancel();
    }
    // One that was not cancelled takes what is pushed for it, or, since others take it as well, waits for the next.
    while (!task.done()) {
      await wait([task], { timeout: 0.002 });
      if (!task.done() && kind < 0.3) task.cancel();
    }
    try {
      await task;
    } catch (error) {
      if (isCancelledError(error) && task.cancelling() > 0) cancelled++;
      else errors.push(error);
    }
  };
  const worker = async () => {
    while (pushed < ELEMENTS) await one();
  };
  await gather(Array.from({ length: TASKS }, () => createTask(worker)));
  const left = await keys.admin.lRange(key, 0, -1);
  if (process.env["VERBOSE"] !== undefined) {
    console.log({ pushed, taken: taken.length, left: left.length, cancelled, deliveredAfterCancel });
  }
  assert.deepEqual(errors.map(String), []);
  assert.equal(taken.length + left.length, pushed);
  const all = [...taken, ...left].map(Number).sort((a, b) => a - b);
  assert.deepEqual(
    all,
    Array.from({ length: pushed }, (_, n) => n),
  );
  assert.ok(cancelled > pushed / 4, `${String(cancelled)} were cancelled`);
  assert.ok(taken.length > pushed / 10, `${String(taken.length)} were taken`);
  return { deliveredAfterCancel };
}

/** A client whose pool must be whole at the end. */
async function withClient(body: (redis: RedisClient) => Promise<void>): Promise<void> {
  await using redis = createClient(keys.options({ maxSize: SIZE, minSize: SIZE }));
  await redis.open();
  await body(redis);
  const { size, idle, leased, tasksWaiting, destroyed } = redis.statistics().pool;
  assert.deepEqual(
    { size, idle, leased, tasksWaiting, destroyed },
    { size: SIZE, idle: SIZE, leased: 0, tasksWaiting: 0, destroyed: 0 },
  );
  assert.equal(await keys.clients(BLOCKED), 0);
}

describe("elements that are taken by tasks which are cancelled at random moments", () => {
  redisTest("are delivered by BLPOP, or still there", () =>
    withClient(async (redis) => {
      const take = coroutine(
        async (client: RedisClient, key: string) => (await client.blPop(key, 0))?.element ?? null,
      );
      const { deliveredAfterCancel } = await storm(redis, keys.next(), { take }, 20260505);
      assert.ok(deliveredAfterCancel > 0, "the moment was met in which both happen");
    }),
  );

  redisTest("are delivered by BLMOVE, and in the other list", () =>
    withClient(async (redis) => {
      const done = keys.next();
      const taken: string[] = [];
      const take = async (client: RedisClient, key: string) => {
        const element = await client.blMove(key, done, "LEFT", "RIGHT", 0);
        if (element !== null) taken.push(element);
        return element;
      };
      await storm(redis, keys.next(), { take }, 7);
      const moved = await keys.admin.lRange(done, 0, -1);
      assert.deepEqual([...moved].sort(), [...taken].sort());
    }),
  );

  redisTest("are delivered by LPOP on the connection that all share, or still there", () =>
    withClient(async (redis) => {
      const take = (client: RedisClient, key: string) => client.lPop(key);
      await storm(redis, keys.next(), { take }, 99);
    }),
  );
});

describe("ten thousand commands, cancelled at random moments", () => {
  redisTest("each get their own answer or their own cancel", () =>
    withClient(async (redis) => {
      const COMMANDS = 10_000;
      const random = seeded(3);
      const empty = keys.next();
      let next = 0;
      const tally = { right: 0, wrong: 0, cancelled: 0, failed: [] as unknown[] };
      const ask = (n: number, kind: number): PromiseLike<string> => {
        const text = String(n);
        if (kind < 0.5) return redis.echo(text);
        if (kind < 0.7) {
          return createTask(async () => {
            const [pong, echoed] = await redis.pipeline((batch) => batch.ping().echo(text));
            return pong === "PONG" ? echoed : pong;
          });
        }
        if (kind < 0.8) {
          return createTask(async () => {
            const [echoed] = await redis.transaction((_connection, batch) => batch.echo(text), {
              watch: empty,
            });
            return echoed;
          });
        }
        if (kind < 0.9) return redis.with((connection) => connection.echo(text));
        // Ends by itself, with nothing.
        return createTask(async () => ((await redis.blPop(empty, 0.01)) === null ? text : "something"));
      };
      const one = async (n: number) => {
        const kind = random();
        const task = createTask(async () => await ask(n, kind));
        if (random() < 0.3) {
          await wait([task], { timeout: random() < 0.3 ? 0 : random() * 0.01 });
          task.cancel();
        }
        try {
          if ((await task) === String(n)) tally.right++;
          else tally.wrong++;
        } catch (error) {
          if (isCancelledError(error) && task.cancelling() > 0) tally.cancelled++;
          else tally.failed.push(error);
        }
      };
      const worker = async () => {
        while (next < COMMANDS) await one(next++);
      };
      await gather(Array.from({ length: 200 }, () => createTask(worker)));
      if (process.env["VERBOSE"] !== undefined) console.log({ ...tally, failed: tally.failed.length });
      assert.deepEqual([tally.wrong, tally.failed.map(String)], [0, []]);
      assert.equal(tally.right + tally.cancelled, COMMANDS);
      assert.ok(tally.cancelled > COMMANDS / 20, `${String(tally.cancelled)} were cancelled`);
    }),
  );
});
