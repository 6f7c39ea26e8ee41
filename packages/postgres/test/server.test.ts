import { CancelledError, createTask, run, timeout, TimeoutError, until } from "corio";
import {
  AuthenticationError,
  CommitOutcomeUnknownError,
  connect,
  ConnectError,
  ConnectionLostError,
  createPool,
  DatabaseNotFoundError,
  TlsError,
} from "@corio/postgres";
import type { ConnectOptions, PostgresPool } from "@corio/postgres";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { inTime } from "../../corio/test/support/servers/in-time.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { OwnServer, ownServerTest } from "./support/own-server.ts";

const server = new OwnServer({
  tls: true,
  rules: [
    "host all with_password 127.0.0.1/32 scram-sha-256",
    "hostssl all with_tls 127.0.0.1/32 trust",
    "host all nobody 127.0.0.1/32 reject",
    "host all only_one 127.0.0.1/32 trust",
  ],
});

/** Where something has to be answered no time is too long: a short limit is for what has to fail, and nothing else. */
const target = (options: ConnectOptions = {}): ConnectOptions => ({
  host: server.host,
  port: server.port,
  user: "postgres",
  database: "postgres",
  connectTimeout: 60,
  cancelTimeout: 60,
  ...options,
});

/** For connections that are given up because nobody answers any more. */
const GIVEN_UP: ConnectOptions = { cancelTimeout: 0.5 };

async function admin<T>(statement: string): Promise<T | null> {
  await using connection = await connect(target());
  return await connection.fetchValue<T>(statement);
}

const sleepers = () =>
  admin<number>("SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'") as Promise<number>;

async function untilSleeping(count: number): Promise<void> {
  while ((await sleepers()) !== count);
}

function serverTest(title: string, body: () => Promise<void>): void {
  ownServerTest(title, () =>
    run(async () => {
      // Statements of the test before whose clients have gone: the server looks for that every few seconds.
      await untilSleeping(0);
      await body();
    }),
  );
}

describe("connecting to a server that does not want it", () => {
  serverTest("names a wrong or missing password", async () => {
    await admin("DROP ROLE IF EXISTS with_password");
    await admin("CREATE ROLE with_password LOGIN PASSWORD 'right'");
    const options = target({ user: "with_password" });
    const wrong = await assert.rejects<AuthenticationError>(
      connect({ ...options, password: "wrong" }),
      AuthenticationError,
    );
    assert.deepEqual([wrong.code, wrong.sqlState], ["CORIO_POSTGRES_AUTHENTICATION", "28P01"]);
    assert.match(wrong.message, /^127\.0\.0\.1:\d+ refuses user 'with_password': .*check the password$/);
    const missing = await assert.rejects<AuthenticationError>(connect(options), AuthenticationError);
    assert.match(missing.message, /password/);
    await using connection = await connect({ ...options, password: () => Promise.resolve("right") });
    assert.equal(await connection.fetchValue("SELECT current_user"), "with_password");
    const rejected = await assert.rejects<AuthenticationError>(
      connect(target({ user: "nobody" })),
      AuthenticationError,
    );
    assert.match(rejected.message, /pg_hba\.conf/);
  });

  serverTest("names a missing database", async () => {
    const error = await assert.rejects<DatabaseNotFoundError>(
      connect(target({ database: "no_such_database" })),
      DatabaseNotFoundError,
    );
    assert.equal(error.sqlState, "3D000");
    assert.match(error.message, /has no database 'no_such_database'/);
    const pool = createPool(target({ database: "no_such_database" }));
    await assert.rejects(pool.fetch("SELECT 1"), DatabaseNotFoundError);
    await assert.rejects(pool.open(), DatabaseNotFoundError);
    await pool.close();
  });

  serverTest("says that TLS is required, not offered, or not trusted", async () => {
    await admin("DROP ROLE IF EXISTS with_tls");
    await admin("CREATE ROLE with_tls LOGIN");
    const options = target({ user: "with_tls" });
    const required = await assert.rejects<TlsError>(connect(options), TlsError);
    assert.match(required.message, /set the option ssl$/);
    const untrusted = await assert.rejects<TlsError>(connect({ ...options, ssl: true }), TlsError);
    assert.match(untrusted.message, /^cannot trust 127/);
    await using connection = await connect({ ...options, ssl: { ca: server.certificate } });
    const secure = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert.equal(await connection.fetchValue(secure), true);

    const plain = createServer((socket) => {
      socket.once("data", () => socket.write("N"));
      socket.on("error", () => undefined);
    });
    await until(new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve)));
    const { port } = plain.address() as AddressInfo;
    const offered = await assert.rejects<TlsError>(connect(target({ port, ssl: true })), TlsError);
    assert.match(offered.message, /does not support TLS/);
    plain.close();
  });

  serverTest("says that nobody is there, or that nobody answers", async () => {
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await until(new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve)));
    const { port } = silent.address() as AddressInfo;
    const slow = await assert.rejects<ConnectError>(
      connect(target({ port, connectTimeout: 0.1 })),
      ConnectError,
    );
    assert.match(slow.message, /did not answer within the connectTimeout/);
    await until(
      new Promise((resolve) => {
        silent.close(resolve);
      }),
    );
    const refused = await assert.rejects<ConnectError>(connect(target({ port })), ConnectError);
    assert.match(refused.message, /no server listens at 127/);
    const unknown = await assert.rejects<ConnectError>(
      connect(target({ host: "no.such.host.invalid" })),
      ConnectError,
    );
    assert.match(unknown.message, /cannot find the address/);
  });

  serverTest("says that there is no connection left", async () => {
    await admin("DROP ROLE IF EXISTS only_one");
    await admin("CREATE ROLE only_one LOGIN CONNECTION LIMIT 1");
    await using first = await connect(target({ user: "only_one" }));
    const error = await assert.rejects<ConnectError>(connect(target({ user: "only_one" })), ConnectError);
    assert.equal(error.sqlState, "53300");
    assert.match(error.message, /no connection left for user 'only_one'/);
    assert.equal(first.isClosed, false);
  });
});

describe("a cancel over TLS", () => {
  serverTest("does not show its secret, and works", async () => {
    await using proxy = await Proxy.to(server);
    const ssl = { ca: server.certificate };
    await using connection = await connect(target({ port: proxy.port, ssl }));
    await assert.rejects(
      timeout(0.2, () => connection.execute("SELECT pg_sleep(60)")),
      TimeoutError,
    );
    assert.equal(await sleepers(), 0);
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
    // The connection, and at least one for the cancel: each asks for TLS first, and says nothing in clear text.
    assert.ok(proxy.sent.length >= 2);
    for (const bytes of proxy.sent) {
      assert.deepEqual([...bytes.slice(0, 8)], [0, 0, 0, 8, 4, 210, 22, 47]);
      assert.equal(bytes[8], 22, "a TLS handshake follows");
      assert.equal(Buffer.from(bytes).includes(Buffer.from([4, 210, 22, 46])), false);
    }
  });
});

/** Runs `body` with a pool that goes through a proxy. */
async function withProxiedPool(
  options: ConnectOptions,
  body: (pool: PostgresPool, proxy: Proxy) => Promise<void>,
): Promise<void> {
  await using proxy = await Proxy.to(server);
  await using pool = createPool({ ...target(options), port: proxy.port, maxSize: 2, name: "proxied" });
  await body(pool, proxy);
  assert.equal(await pool.fetchValue("SELECT 1"), 1);
  assert.equal(pool.statistics().leased, 0);
}

describe("when the server", () => {
  serverTest("ends connections, who uses them is told, and the pool goes on", async () => {
    await using pool = createPool({ ...target(), maxSize: 2 });
    const running = createTask(pool.execute("SELECT pg_sleep(60)"));
    await untilSleeping(1);
    await admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    const error = await assert.rejects<ConnectionLostError>(running, ConnectionLostError);
    assert.equal(error.sqlState, "57P01");
    assert.match(error.message, /the server ended the connection: terminating connection/);
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
    // An idle one.
    await admin(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'postgres'",
    );
    while (
      (await admin(
        "SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'postgres' AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
      )) !== 0
    );
    const outcome = await pool.fetchValue("SELECT 2").catch((lost: unknown) => lost);
    // Unless we had been told of its end by then.
    if (outcome !== 2) assert.instanceOf(outcome, ConnectionLostError);
    assert.equal(await pool.fetchValue("SELECT 3"), 3);
  });

  serverTest("is killed and restarted, the same", async () => {
    await using pool = createPool({ ...target(), maxSize: 2 });
    const running = [
      createTask(pool.execute("SELECT pg_sleep(60)")),
      createTask(pool.transaction((connection) => connection.execute("SELECT pg_sleep(60)"))),
    ];
    await untilSleeping(2);
    await until(server.stop("SIGQUIT"));
    for (const task of running) await assert.rejects(task, ConnectionLostError);
    const refused = await assert.rejects<ConnectError>(pool.fetchValue("SELECT 1"), ConnectError);
    assert.match(refused.message, /no server listens/);
    await until(server.start());
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
    assert.deepEqual([pool.statistics().size, pool.statistics().leased], [1, 0]);
  });

  serverTest("is shut down in order, the same", async () => {
    await using pool = createPool({ ...target(), maxSize: 2 });
    const running = createTask(pool.execute("SELECT pg_sleep(60)"));
    await untilSleeping(1);
    await until(server.stop("SIGINT"));
    await assert.rejects(running, ConnectionLostError);
    await until(server.start());
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
  });

  serverTest("is stopped, nothing hangs longer than it may", async () => {
    await using pool = createPool({ ...target(GIVEN_UP), maxSize: 2 });
    await using late = createPool(target({ connectTimeout: 0.5 }));
    const running = createTask(pool.execute("SELECT pg_sleep(60)"));
    await untilSleeping(1);
    server.signal("SIGSTOP");
    // The timeout, cancelTimeout, the same again for the attempt to terminate: and a machine that is busy.
    await inTime(5, () =>
      assert.rejects(
        timeout(0.2, () => running),
        TimeoutError,
      ),
    );
    assert.equal(pool.statistics().leased, 0);
    await inTime(5, () => assert.rejects(late.fetchValue("SELECT 1"), ConnectError));
    server.signal("SIGCONT");
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
    // The server sees that the client has gone, or gets the cancels that were waiting for it.
    await untilSleeping(0);
  });

  serverTest("does not notice that the client has gone, it looks for it", async () => {
    const pool = createPool({ ...target({ connectionCheckInterval: 0.1 }), maxSize: 1 });
    const running = createTask(pool.execute("SELECT pg_sleep(60)"));
    await untilSleeping(1);
    // Without a cancel: the connection is dropped.
    await pool.close({ timeout: 0.01 });
    await assert.rejects(running, ConnectionLostError);
    await untilSleeping(0);
  });
});

describe("when the network", () => {
  serverTest("resets connections, who uses them is told at once", () =>
    withProxiedPool({}, async (pool, proxy) => {
      const running = createTask(pool.execute("SELECT pg_sleep(60)"));
      const inTransaction = createTask(
        pool.transaction((connection) => connection.execute("SELECT pg_sleep(60)")),
      );
      await untilSleeping(2);
      proxy.reset();
      for (const task of [running, inTransaction]) {
        const error = await assert.rejects<ConnectionLostError>(task, ConnectionLostError);
        assert.match(error.message, /was lost: .*may have been done or not/);
      }
    }),
  );

  serverTest("is cut, nothing hangs longer than it may", () =>
    withProxiedPool(GIVEN_UP, async (pool, proxy) => {
      await using late = createPool(target({ port: proxy.port, connectTimeout: 0.5 }));
      const running = createTask(pool.execute("SELECT pg_sleep(60)"));
      await untilSleeping(1);
      proxy.isCut = true;
      running.cancel();
      await inTime(5, () => assert.rejects(running, CancelledError));
      await inTime(5, () => assert.rejects(late.fetchValue("SELECT 1"), ConnectError));
      proxy.isCut = false;
      proxy.reset();
    }),
  );

  serverTest("is cut while a connection is idle, a check finds that out", async () => {
    await using proxy = await Proxy.to(server);
    await using pool = createPool({ ...target(GIVEN_UP), port: proxy.port, maxSize: 1, validateAfter: 0 });
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
    proxy.mute();
    const waiting = createTask(pool.fetchValue("SELECT 2"));
    // The connection does not answer the check; the next one does.
    assert.equal(await waiting, 2);
  });
});

describe("a COMMIT whose answer is lost", () => {
  serverTest("has an unknown outcome, and says so", () =>
    withProxiedPool(GIVEN_UP, async (pool, proxy) => {
      await admin("DROP TABLE IF EXISTS unknown_outcome");
      await admin("CREATE TABLE unknown_outcome(n int)");
      const committed = async (): Promise<boolean> =>
        (await admin<number>("SELECT count(*)::int FROM unknown_outcome")) === 1;
      const insert = () =>
        createTask(
          pool.transaction(async (connection) => {
            await connection.execute("INSERT INTO unknown_outcome VALUES (1)");
            proxy.mute();
          }),
        );
      const task = insert();
      while (!(await committed()));
      proxy.reset();
      const error = await assert.rejects<CommitOutcomeUnknownError>(task, CommitOutcomeUnknownError);
      assert.equal(error.code, "CORIO_POSTGRES_COMMIT_OUTCOME_UNKNOWN");
      assert.instanceOf(error.cause, ConnectionLostError);

      // The same with a cancel: the error says more than a CancelledError would.
      await admin("TRUNCATE unknown_outcome");
      const second = insert();
      while (!(await committed()));
      second.cancel();
      await assert.rejects(second, CommitOutcomeUnknownError);
      proxy.reset();
    }),
  );

  serverTest("before it was sent is known: nothing was committed", () =>
    withProxiedPool({}, async (pool, proxy) => {
      await admin("DROP TABLE IF EXISTS known_outcome");
      await admin("CREATE TABLE known_outcome(n int)");
      const task = createTask(
        pool.transaction(async (connection) => {
          await connection.execute("INSERT INTO known_outcome VALUES (1)");
          proxy.reset();
          while (!connection.isClosed) await until(new Promise((resolve) => setTimeout(resolve, 1)));
        }),
      );
      await assert.rejects(task, ConnectionLostError);
      assert.equal(await admin("SELECT count(*)::int FROM known_outcome"), 0);
    }),
  );
});
