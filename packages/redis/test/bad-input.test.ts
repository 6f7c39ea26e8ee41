/** Input that would get past the rules about what blocks, and what changes a connection. */
import { ArgumentTypeError, createTask, TimeoutError, timeout, ValueError } from "corio";
import { connect, createClient, SessionCommandError } from "@corio/redis";
import { assert, describe, test } from "../../corio/test/support/harness.ts";
import { redisTest, TestKeys } from "./support/server.ts";

const keys = new TestKeys();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("bad input", () => {
  redisTest("does not hide what a command does, if its name is given as bytes", async () => {
    await using redis = createClient(keys.options());
    assert.throws(() => redis.executeCommand([bytes("subscribe"), "x"]), SessionCommandError);
    assert.throws(() => redis.executeCommand(["CLIENT", bytes("reply"), "OFF"]), /CLIENT changes/);
    // It has a connection of its own: the others go on.
    const list = keys.next();
    const taking = createTask(redis.executeCommand<string[]>([bytes("BLPOP"), list, "0"]));
    assert.equal(await redis.ping(), "PONG");
    await redis.rPush(list, "x");
    assert.deepEqual(await taking, [list, "x"]);
  });

  redisTest("does not hide that a read blocks, if its time is given as text", async () => {
    await using redis = createClient(keys.options());
    const stream = keys.next();
    const reading = createTask(redis.xRead([{ key: stream, id: "0" }], { BLOCK: "0" as never }));
    assert.equal(await redis.ping(), "PONG");
    await redis.xAdd(stream, "1-1", { a: "b" });
    assert.ok(await reading);
  });

  redisTest("among the options is refused", async () => {
    await using redis = createClient(keys.options());
    for (const topics of [undefined, null, {}] as never[])
      assert.throws(() => redis.subscribe(topics), /name of a channel/);
    for (const maxBuffered of [0, -1, Number.NaN])
      assert.throws(() => redis.subscribe("x", { maxBuffered }), /maxBuffered/);
    assert.throws(() => redis.subscribe("x", { heartbeat: Number.NaN }), ValueError);
    await assert.rejects(async () => await connect("redis://:%zz@127.0.0.1"), ValueError);
  });
});

describe("a subscription whose next was cancelled", () => {
  redisTest("goes on, and has lost nothing", async () => {
    await using redis = createClient(keys.options());
    const channel = keys.next();
    await using subscription = await redis.subscribe(channel);
    await assert.rejects(
      timeout(0.01, async () => await subscription.next()),
      TimeoutError,
    );
    await redis.publish(channel, "after");
    const { value } = await subscription.next();
    assert.ok(value?.kind === "message");
    assert.equal(value.message, "after");
  });

  redisTest("is closed, if that was in a loop", async () => {
    await using redis = createClient(keys.options());
    const subscription = await redis.subscribe(keys.next());
    const looping = timeout(0.01, async () => {
      for await (const event of subscription) assert.fail(event.kind);
    });
    await assert.rejects(looping, TimeoutError);
    assert.equal((await subscription.next()).done, true);
    await redis.ping();
    await keys.until(1);
  });
});

describe("a duration that is none", () => {
  test("is refused before anything is done with it", () => {
    for (const option of ["cancelTimeout", "commandTimeout", "connectTimeout"]) {
      assert.throws(() => createClient({ [option]: NaN }), ValueError);
      assert.throws(() => createClient({ [option]: "5" as never }), ArgumentTypeError);
    }
  });
});
