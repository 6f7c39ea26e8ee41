import { CancelledError, createTask, run, sleep, timeout, TimeoutError, until } from "corio";
import { VirtualClock } from "corio/testing";
import {
  AuthenticationError,
  connect,
  ConnectError,
  ConnectionLostError,
  createClient,
  DatabaseNotFoundError,
  TlsError,
  TransactionOutcomeUnknownError,
} from "@corio/redis";
import type { ConnectOptions, RedisClient, RedisClientOptions } from "@corio/redis";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { inTime } from "../../corio/test/support/servers/in-time.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { StillClock } from "../../corio/test/support/servers/still-clock.ts";
import { OwnServer, ownServerProgram, ownServerTest } from "./support/own-server.ts";
import { BLOCKED, countClients } from "./support/server.ts";

const server = new OwnServer({ args: ["--databases", "4"] });
const guarded = new OwnServer({ args: ["--requirepass", "right", "--maxclients", "10"] });
const secure = new OwnServer({ tls: true });

const NAME = "tested";

/** Where something has to be answered no time is too long: a short limit is for what has to fail, and nothing else. */
const target = (options: Partial<RedisClientOptions> = {}): RedisClientOptions => ({
  host: server.host,
  port: server.port,
  clientName: NAME,
  connectTimeout: 60,
  cancelTimeout: 60,
  ...options,
});

/** For connections that are given up because nobody answers any more. */
const GIVEN_UP = { cancelTimeout: 0.3 };

/** Asks the server beside what is tested. */
async function admin<T>(body: (redis: RedisClient) => Promise<T>): Promise<T> {
  await using redis = createClient(target({ clientName: undefined }));
  return await body(redis);
}

const countBlocked = () => admin((redis) => countClients(redis, NAME, BLOCKED));

async function untilBlocked(count: number): Promise<void> {
  await admin(async (redis) => {
    while ((await countClients(redis, NAME, BLOCKED)) !== count);
  });
}

/** Until the client has noticed that its connection is gone. */
async function untilDisconnected(redis: RedisClient): Promise<void> {
  while (redis.statistics().isConnected) await sleep(0.001);
}

async function failedConnect<E extends Error>(
  options: string | ConnectOptions,
  kind: abstract new (...args: never) => E,
): Promise<E> {
  return await assert.rejects<E>(connect(options), kind as never);
}

describe("connecting to a server that does not want it", () => {
  ownServerTest("names a wrong or missing password", async () => {
    const place = { host: guarded.host, port: guarded.port };
    const wrong = await failedConnect({ ...place, password: "wrong" }, AuthenticationError);
    assert.deepEqual([wrong.code, wrong.reply], ["CORIO_REDIS_AUTHENTICATION", "WRONGPASS"]);
    assert.match(wrong.message, /^127\.0\.0\.1:\d+ refuses user 'default': .*check username and password$/);
    const missing = await failedConnect(place, AuthenticationError);
    assert.match(missing.message, /asks for a password for user 'default'.*set the option password/);
    const unknown = await failedConnect(
      `redis://nobody:right@127.0.0.1:${String(guarded.port)}`,
      AuthenticationError,
    );
    assert.match(unknown.message, /user 'nobody'/);
    await using redis = createClient({ ...place, password: () => Promise.resolve("right") });
    assert.equal(await redis.ping(), "PONG");
    await using byUrl = await connect(`redis://:right@127.0.0.1:${String(guarded.port)}/1`);
    assert.equal(await byUrl.ping(), "PONG");
  });

  ownServerTest("names a missing database", async () => {
    const error = await failedConnect(target({ database: 4 }), DatabaseNotFoundError);
    assert.match(error.message, /has no database 4/);
    await using redis = createClient(target({ database: 4 }));
    await assert.rejects(redis.get("x"), DatabaseNotFoundError);
    await assert.rejects(redis.blPop("x", 1), DatabaseNotFoundError);
    await assert.rejects(redis.open(), DatabaseNotFoundError);
  });

  ownServerTest("says that TLS is required, not offered, or not trusted", async () => {
    const place = { host: "localhost", port: secure.port };
    const required = await failedConnect(place, ConnectError);
    assert.match(required.message, /closed the connection at once.*use rediss:\/\//);
    const untrusted = await failedConnect({ ...place, tls: true }, TlsError);
    assert.match(untrusted.message, /give its certificate authority as tls: \{ ca \}/);
    // A server that does not speak it waits for the end of what it takes for a command.
    const silent = target({ tls: { rejectUnauthorized: false }, connectTimeout: 0.3 });
    assert.match((await failedConnect(silent, ConnectError)).message, /and does it speak TLS\?$/);
    await using redis = createClient({ ...place, tls: { ca: secure.certificate } });
    assert.equal(await redis.ping(), "PONG");
    await using byUrl = await connect({
      url: `rediss://localhost:${String(secure.port)}`,
      tls: { ca: secure.certificate },
    });
    assert.equal(await byUrl.ping(), "PONG");
  });

  ownServerTest("says that nobody is there, or that nobody answers", async () => {
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await until(new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve)));
    const { port } = silent.address() as AddressInfo;
    const slow = await failedConnect(target({ port, connectTimeout: 0.1 }), ConnectError);
    assert.match(slow.message, /did not answer within the connectTimeout/);
    await until(
      new Promise((resolve) => {
        silent.close(resolve);
      }),
    );
    const refused = await failedConnect(target({ port }), ConnectError);
    assert.match(refused.message, /no server listens at 127/);
    const unknown = await failedConnect(target({ host: "no.such.host.invalid" }), ConnectError);
    assert.match(unknown.message, /cannot find the address/);
    const nowhere = await failedConnect("unix:///no/such/socket", ConnectError);
    assert.match(nowhere.message, /no server listens at \/no\/such\/socket/);
  });

  ownServerProgram("says that nobody answers, when the driver is the first to give up", async () => {
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const options = target({ port, tls: { rejectUnauthorized: false }, connectTimeout: 0.1 });
    // On this clock no time passes: it is the driver's own that ends the attempt.
    const clock = new VirtualClock({ autoJump: false });
    const error = await run(() => failedConnect(options, ConnectError), { clock });
    assert.match(error.message, /did not answer within the connectTimeout.*and does it speak TLS\?$/);
    await new Promise((resolve) => silent.close(resolve));
  });

  ownServerTest("says that there is no connection left", async () => {
    const place = { host: guarded.host, port: guarded.port, password: "right", maxSize: 20 };
    await using redis = createClient(place);
    const leases = [];
    let error: unknown = null;
    while (error === null) {
      try {
        leases.push(await redis.acquire());
      } catch (thrown) {
        error = thrown;
      }
    }
    assert.instanceOf(error, ConnectError);
    assert.match(String(error), /no connection left/);
    for (const lease of leases) await lease.close();
  });

  ownServerTest("is possible over a Unix socket", async () => {
    await using redis = createClient(`unix://${server.path}?db=1`);
    assert.equal(await redis.echo("here"), "here");
    await assert.rejects(
      timeout(0.05, () => redis.blPop("nothing", 0)),
      TimeoutError,
    );
  });
});

describe("a cancel over TLS", () => {
  ownServerTest("shows nothing, and works", async () => {
    await using proxy = await Proxy.to(secure);
    await using redis = createClient({
      host: "localhost",
      port: proxy.port,
      tls: { ca: secure.certificate },
      clientName: NAME,
      cancelTimeout: 60,
    });
    const blocked = createTask(redis.blPop("nothing", 0));
    while ((await countClients(redis, NAME, BLOCKED)) !== 1);
    blocked.cancel();
    await assert.rejects(blocked, CancelledError);
    assert.equal(await countClients(redis, NAME, BLOCKED), 0);
    // What was blocked, what has unblocked it, and what has looked: each begins with a TLS handshake.
    const connections = proxy.sent.filter((bytes) => bytes.length > 0);
    assert.equal(connections.length, 3);
    for (const bytes of connections) {
      assert.equal(bytes[0], 22);
      assert.equal(Buffer.from(bytes).includes("UNBLOCK"), false);
    }
  });
});

/** Runs `body` with a client that goes through a proxy. */
async function withProxiedClient(
  options: Partial<RedisClientOptions>,
  body: (redis: RedisClient, proxy: Proxy) => Promise<void>,
): Promise<void> {
  await using proxy = await Proxy.to(server);
  await using redis = createClient({ ...target(options), port: proxy.port });
  await body(redis, proxy);
  assert.equal(await redis.ping(), "PONG");
  assert.equal(redis.statistics().pool.leased, 0);
}

describe("when the server", () => {
  ownServerTest("is killed and restarted, who uses it is told, and the client goes on", async () => {
    await using redis = createClient(target());
    await redis.ping();
    const blocked = createTask(redis.blPop("nothing", 0));
    await untilBlocked(1);
    await until(server.stop("SIGKILL"));
    const error = await assert.rejects<ConnectionLostError>(blocked, ConnectionLostError);
    assert.match(error.message, /was lost: .*may have been done or not/);
    await untilDisconnected(redis);
    const refused = await assert.rejects<ConnectError>(redis.ping(), ConnectError);
    assert.match(refused.message, /no server listens/);
    // All who wait for the same attempt have its outcome.
    const tasks = Array.from({ length: 5 }, () => createTask(redis.ping()));
    for (const task of tasks) await assert.rejects(task, ConnectError);
    await until(server.start());
    assert.equal(await redis.ping(), "PONG");
    assert.equal(await redis.blPop("nothing", 0.01), null);
    assert.equal(redis.statistics().pool.leased, 0);
  });

  ownServerTest("is shut down in order, the same", async () => {
    await using redis = createClient(target());
    const blocked = createTask(redis.blPop("nothing", 0));
    await untilBlocked(1);
    await until(server.stop("SIGTERM"));
    await assert.rejects(blocked, ConnectionLostError);
    await until(server.start());
    assert.equal(await redis.ping(), "PONG");
  });

  ownServerTest("has another process, no stranger is unblocked", async () => {
    await using proxy = await Proxy.to(server);
    const redis = createClient(target({ ...GIVEN_UP, port: proxy.port }));
    const blocked = createTask(redis.blPop("nothing", 0));
    await untilBlocked(1);
    // The client does not hear that the server has ended.
    proxy.mute();
    await until(server.stop("SIGKILL"));
    await until(server.start());
    // In the new process these have the numbers that the old connections had.
    const strangers = createClient({ ...target({ clientName: "stranger" }), maxSize: 20 });
    const takers = Array.from({ length: 20 }, () => createTask(strangers.blPop("theirs", 0)));
    await admin(async (other) => {
      while ((await countClients(other, "stranger", BLOCKED)) !== 20);
    });
    blocked.cancel();
    await assert.rejects(blocked, CancelledError);
    assert.equal(await admin((other) => countClients(other, "stranger", BLOCKED)), 20);
    await admin(async (other) => {
      for (let n = 0; n < 20; n++) await other.rPush("theirs", String(n));
    });
    for (const taker of takers) assert.equal((await taker)?.key, "theirs");
    await strangers.close();
    await redis.close({ timeout: 0 });
  });

  ownServerTest("is stopped, nothing hangs longer than it may", async () => {
    await using redis = createClient(
      target({ ...GIVEN_UP, commandTimeout: 5, minSize: 2, validateAfter: 60 }),
    );
    await using late = createClient(target({ connectTimeout: 0.5 }));
    await redis.open();
    await redis.ping();
    const blocked = createTask(redis.blPop("nothing", 0));
    await untilBlocked(1);
    server.signal("SIGSTOP");
    // Its connection was there before: the command is sent, and nobody will end it in time.
    const limited = createTask(redis.blPop("nothing", 0.1));
    // The timeouts, and twice cancelTimeout for what blocks: and a machine that is busy.
    await inTime(15, async () => {
      await assert.rejects(redis.get("x"), TimeoutError);
      await assert.rejects(
        timeout(0.2, () => blocked),
        TimeoutError,
      );
      await assert.rejects(limited, ConnectionLostError);
      await assert.rejects(late.ping(), ConnectError);
    });
    assert.equal(redis.statistics().pool.leased, 0);
    server.signal("SIGCONT");
    assert.equal(await redis.ping(), "PONG");
    await untilBlocked(0);
  });

  ownServerTest("is stopped for a short while, what it has done is delivered", async () => {
    await using redis = createClient(target());
    await redis.set("counter", "1");
    server.signal("SIGSTOP");
    const task = createTask(async () => await timeout(0.05, () => redis.incr("counter")));
    while (task.cancelling() === 0) await sleep(0.01);
    server.signal("SIGCONT");
    assert.equal(await task, 2);
  });
});

describe("when the network", () => {
  ownServerTest("resets connections, who uses them is told at once", () =>
    withProxiedClient({}, async (redis, proxy) => {
      await redis.ping();
      const blocked = createTask(redis.blPop("nothing", 0));
      await untilBlocked(1);
      proxy.reset();
      await assert.rejects(blocked, ConnectionLostError);
    }),
  );

  ownServerTest("is cut, nothing hangs longer than it may", () =>
    withProxiedClient(GIVEN_UP, async (redis, proxy) => {
      await using late = createClient(target({ port: proxy.port, connectTimeout: 0.5 }));
      await redis.ping();
      const blocked = createTask(redis.blPop("nothing", 0));
      await untilBlocked(1);
      proxy.isCut = true;
      await inTime(15, async () => {
        blocked.cancel();
        await assert.rejects(blocked, CancelledError);
        const plain = createTask(redis.get("x"));
        await sleep(0.01);
        plain.cancel();
        await assert.rejects(plain, CancelledError);
        await assert.rejects(late.ping(), ConnectError);
      });
      proxy.isCut = false;
      proxy.reset();
    }),
  );

  ownServerTest("is cut while a connection is idle, a check finds that out", async () => {
    await using proxy = await Proxy.to(server);
    await using redis = createClient(target({ ...GIVEN_UP, validateAfter: 0, port: proxy.port }));
    assert.equal(await redis.with((connection) => connection.ping()), "PONG");
    proxy.mute();
    // The connection does not answer the check; the next one does.
    assert.equal(await redis.with((connection) => connection.ping()), "PONG");
    assert.equal(redis.statistics().pool.created, 2);
  });

  ownServerProgram("swallows the answer to a cancel, the connection is not used again", async () => {
    // On this clock time passes when it is told to, so that the first cancel cannot take too long.
    const clock = new StillClock();
    const test = async () => {
      await using proxy = await Proxy.to(server);
      await using redis = createClient(target({ port: proxy.port, cancelTimeout: 1, maxSize: 1 }));
      // Makes the line over which commands are unblocked.
      const first = createTask(redis.blPop("nothing", 0));
      await untilBlocked(1);
      first.cancel();
      await assert.rejects(first, CancelledError);
      const blocked = createTask(redis.blPop("nothing", 0));
      await untilBlocked(1);
      proxy.mute();
      blocked.cancel();
      await untilBlocked(0);
      assert.equal(blocked.done(), false);
      await clock.passUntil(() => blocked.done());
      await assert.rejects(blocked, CancelledError);
      assert.equal(await redis.with((connection) => connection.ping()), "PONG");
      assert.equal(redis.statistics().pool.destroyed, 1);
    };
    await run(test, { clock });
  });
});

describe("an EXEC whose answer is lost", () => {
  ownServerTest("has an unknown outcome, and says so", () =>
    withProxiedClient(GIVEN_UP, async (redis, proxy) => {
      const done = () => admin(async (other) => (await other.get("outcome")) === "done");
      const exec = () =>
        createTask(
          redis.transaction((_connection, batch) => {
            proxy.mute();
            return batch.set("outcome", "done");
          }),
        );
      const task = exec();
      while (!(await done()));
      proxy.reset();
      const error = await assert.rejects<TransactionOutcomeUnknownError>(
        task,
        TransactionOutcomeUnknownError,
      );
      assert.equal(error.code, "CORIO_REDIS_OUTCOME_UNKNOWN");
      assert.instanceOf(error.cause, ConnectionLostError);

      // The same with a cancel: the error says more than a CancelledError would.
      await admin((other) => other.del("outcome").then(() => undefined));
      const second = exec();
      while (!(await done()));
      second.cancel();
      await assert.rejects(second, TransactionOutcomeUnknownError);
      proxy.reset();
    }),
  );
});

describe("a program", () => {
  ownServerProgram("can begin and end its runs as it likes, with one client", async () => {
    const redis = createClient(target());
    // What one run has begun, another may need: its end must not take it away.
    const early = run(async () => {
      createTask(redis.ping());
      await sleep(0);
    });
    const other = run(() => redis.echo("other"));
    await early;
    assert.equal(await other, "other");
    assert.equal(await run(() => redis.echo("later")), "later");
    await run(() => redis.close());
    assert.equal(await run(countBlocked), 0);
  });
});
