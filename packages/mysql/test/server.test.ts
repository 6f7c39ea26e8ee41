import { CancelledError, createTask, Event, run, sleep, timeout, TimeoutError, until } from "corio";
import {
  AuthenticationError,
  CommitOutcomeUnknownError,
  connect,
  ConnectError,
  ConnectionLostError,
  createPool,
  DatabaseNotFoundError,
  TlsError,
} from "@corio/mysql";
import type { ConnectOptions, MysqlPool } from "@corio/mysql";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { inTime } from "../../corio/test/support/servers/in-time.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { OwnServer, ownServerTest } from "./support/own-server.ts";

const server = new OwnServer({ tls: true });

/** Where something has to be answered no time is too long: a short limit is for what has to fail, and nothing else. */
const target = (options: ConnectOptions = {}): ConnectOptions => ({
  host: server.host,
  port: server.port,
  user: "root",
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
  admin<number>(
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
  ) as Promise<number>;

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
    await admin("CREATE OR REPLACE USER with_password@'127.0.0.1' IDENTIFIED BY 'right'");
    const options = target({ user: "with_password" });
    const wrong = await assert.rejects<AuthenticationError>(
      connect({ ...options, password: "wrong" }),
      AuthenticationError,
    );
    assert.deepEqual(
      [wrong.code, wrong.errno, wrong.sqlState],
      ["CORIO_MYSQL_AUTHENTICATION", 1045, "28000"],
    );
    assert.match(wrong.message, /^127\.0\.0\.1:\d+ refuses user 'with_password': .*check the password/);
    const missing = await assert.rejects<AuthenticationError>(connect(options), AuthenticationError);
    assert.match(missing.message, /using password: NO.*check the password/);
    await using connection = await connect({ ...options, password: () => Promise.resolve("right") });
    assert.equal(await connection.fetchValue("SELECT USER()"), "with_password@127.0.0.1");
  });

  serverTest("names a missing database, and one that is forbidden", async () => {
    const error = await assert.rejects<DatabaseNotFoundError>(
      connect(target({ database: "no_such_database" })),
      DatabaseNotFoundError,
    );
    assert.equal(error.errno, 1049);
    assert.match(error.message, /has no database 'no_such_database'/);
    const pool = createPool(target({ database: "no_such_database" }));
    await assert.rejects(pool.fetch("SELECT 1"), DatabaseNotFoundError);
    await assert.rejects(pool.open(), DatabaseNotFoundError);
    await pool.close();
    await admin("CREATE OR REPLACE USER without_rights@'127.0.0.1'");
    const forbidden = await assert.rejects<DatabaseNotFoundError>(
      connect(target({ user: "without_rights", database: "mysql" })),
      DatabaseNotFoundError,
    );
    assert.match(forbidden.message, /no database 'mysql' that user 'without_rights' may use/);
  });

  serverTest("says that TLS is required, not offered, or not trusted", async () => {
    await admin("SET GLOBAL require_secure_transport = ON");
    // MySQL says so; MariaDB just denies the access.
    const required = await assert.rejects<ConnectError>(connect(target()), ConnectError);
    assert.match(required.message, /the option ssl/);
    {
      await using connection = await connect(target({ ssl: { ca: server.certificate } }));
      const { Value } =
        (await connection.fetchRow<{ Value: string }>("SHOW STATUS LIKE 'Ssl_version'")) ?? {};
      assert.match(Value ?? "", /^TLS/);
      await connection.execute("SET GLOBAL require_secure_transport = OFF");
    }
    await admin("CREATE OR REPLACE USER with_tls@'127.0.0.1' REQUIRE SSL");
    const refused = await assert.rejects<AuthenticationError>(
      connect(target({ user: "with_tls" })),
      AuthenticationError,
    );
    assert.match(refused.message, /whether the account needs TLS \(the option ssl\)$/);
    const untrusted = await assert.rejects<TlsError>(
      connect(target({ user: "with_tls", ssl: true })),
      TlsError,
    );
    assert.match(untrusted.message, /^cannot trust 127/);
    // The certificate is for another name.
    const { certificate: ca } = server;
    await using named = await connect(target({ host: "localhost", user: "with_tls", ssl: { ca } }));
    assert.equal(await named.fetchValue("SELECT 1"), 1);
  });

  serverTest("says that the server has no TLS", async () => {
    await until(server.stop("SIGTERM"));
    await until(server.start("--skip-ssl"));
    const offered = await assert.rejects<TlsError>(connect(target({ ssl: true })), TlsError);
    assert.match(offered.message, /does not support TLS/);
    await until(server.stop("SIGTERM"));
    await until(server.start());
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
    await admin("CREATE OR REPLACE USER only_one@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1");
    await using first = await connect(target({ user: "only_one" }));
    const error = await assert.rejects<ConnectError>(connect(target({ user: "only_one" })), ConnectError);
    assert.equal(error.errno, 1226);
    assert.match(error.message, /no connection left for user 'only_one'/);
    assert.equal(first.isClosed, false);
  });
});

describe("a cancel over TLS", () => {
  serverTest("goes over TLS, to the same address", async () => {
    await using proxy = await Proxy.to(server);
    const ssl = { ca: server.certificate };
    await using connection = await connect(target({ port: proxy.port, ssl }));
    await assert.rejects(
      timeout(0.2, () => connection.execute("SELECT SLEEP(60)")),
      TimeoutError,
    );
    await untilSleeping(0);
    assert.equal(await connection.fetchValue("SELECT 1"), 1);
    // The connection, and at least one for KILL: each asks for TLS first, and says nothing in clear text.
    assert.ok(proxy.sent.length >= 2);
    for (const bytes of proxy.sent) {
      // A packet of 32 bytes with the flag CLIENT_SSL, and then a TLS handshake.
      assert.deepEqual([...bytes.slice(0, 4)], [32, 0, 0, 1]);
      assert.equal((bytes[5] ?? 0) & 0x08, 0x08);
      assert.equal(bytes[36], 22, "a TLS handshake follows");
      assert.equal(Buffer.from(bytes).includes("KILL"), false);
    }
  });
});

/** Runs `body` with a pool that goes through a proxy. */
async function withProxiedPool(
  options: ConnectOptions,
  body: (pool: MysqlPool, proxy: Proxy) => Promise<void>,
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
    const running = createTask(pool.execute("SELECT SLEEP(60)"));
    await untilSleeping(1);
    const id = await admin("SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'");
    await admin(`KILL ${String(id)}`);
    const error = await assert.rejects<ConnectionLostError>(running, ConnectionLostError);
    assert.match(error.message, /the server ended the connection: Connection was killed|was lost/);
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
    // An idle one.
    const idle = await pool.fetchValue<number>("SELECT CONNECTION_ID()");
    await admin(`KILL ${idle ?? 0}`);
    const outcome = await pool.fetchValue("SELECT 2").catch((lost: unknown) => lost);
    // Unless we had been told of its end by then.
    if (outcome !== 2) assert.instanceOf(outcome, ConnectionLostError);
    assert.equal(await pool.fetchValue("SELECT 3"), 3);
  });

  serverTest("is killed and restarted, the same", async () => {
    await using pool = createPool({ ...target(), maxSize: 2 });
    const running = [
      createTask(pool.execute("SELECT SLEEP(60)")),
      createTask(pool.transaction((connection) => connection.execute("SELECT SLEEP(60)"))),
    ];
    await untilSleeping(2);
    await until(server.stop("SIGKILL"));
    for (const task of running) await assert.rejects(task, ConnectionLostError);
    const refused = await assert.rejects<ConnectError>(pool.fetchValue("SELECT 1"), ConnectError);
    assert.match(refused.message, /no server listens/);
    await until(server.start());
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
    assert.deepEqual([pool.statistics().size, pool.statistics().leased], [1, 0]);
  });

  serverTest("is shut down in order, the same", async () => {
    await using pool = createPool({ ...target(), maxSize: 2 });
    const running = createTask(pool.execute("SELECT SLEEP(60)"));
    await untilSleeping(1);
    await until(server.stop("SIGTERM"));
    await assert.rejects(running, ConnectionLostError);
    await until(server.start());
    assert.equal(await pool.fetchValue("SELECT 1"), 1);
  });

  serverTest("is stopped, nothing hangs longer than it may", async () => {
    await using pool = createPool({ ...target(GIVEN_UP), maxSize: 2 });
    await using late = createPool(target({ connectTimeout: 0.5 }));
    const running = createTask(pool.execute("SELECT SLEEP(60)"));
    await untilSleeping(1);
    server.signal("SIGSTOP");
    // The timeout, cancelTimeout, the same again for the attempt to end the connection: and a machine that is busy.
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
    // In SLEEP the server looks every few seconds whether the client is still there.
    await untilSleeping(0);
  });

  serverTest("was restarted meanwhile, a cancel hits no stranger with the same number", () =>
    withProxiedPool(GIVEN_UP, async (pool, proxy) => {
      const threadId = await pool.fetchValue<number>("SELECT CONNECTION_ID()");
      proxy.mute();
      const running = createTask(pool.execute("SELECT SLEEP(60)"));
      await untilSleeping(1);
      await until(server.stop("SIGKILL"));
      await until(server.start());
      // The numbers begin again. One of these has that of the connection which is gone, and which we hear nothing of.
      let stranger = await connect(target());
      while ((stranger.threadId ?? 0) < (threadId ?? 0)) {
        await stranger.close();
        stranger = await connect(target());
      }
      assert.equal(stranger.threadId, threadId);
      const work = createTask(stranger.execute("SELECT SLEEP(60)"));
      await untilSleeping(1);
      running.cancel();
      await assert.rejects(running, CancelledError);
      assert.equal(await sleepers(), 1);
      assert.equal(work.done(), false);
      work.cancel();
      await assert.rejects(work, CancelledError);
      await stranger.close();
      proxy.reset();
    }),
  );
});

describe("when the network", () => {
  serverTest("resets connections, who uses them is told at once", () =>
    withProxiedPool({}, async (pool, proxy) => {
      const running = createTask(pool.execute("SELECT SLEEP(60)"));
      const inTransaction = createTask(
        pool.transaction((connection) => connection.execute("SELECT SLEEP(60)")),
      );
      await untilSleeping(2);
      proxy.reset();
      for (const task of [running, inTransaction]) {
        const error = await assert.rejects<ConnectionLostError>(task, ConnectionLostError);
        assert.match(error.message, /was lost: .*may have been done or not/);
      }
    }),
  );

  serverTest("resets a connection while rows stream, the loop is told", () =>
    withProxiedPool({ database: "mysql" }, (pool, proxy) =>
      pool.with(async (connection) => {
        const loop = async () => {
          for await (const row of connection.stream("SELECT seq FROM seq_1_to_10000000")) {
            assert.ok(Object.keys(row).length > 0);
            proxy.reset();
          }
        };
        await assert.rejects(loop(), ConnectionLostError);
      }),
    ),
  );

  serverTest("is cut, nothing hangs longer than it may", () =>
    withProxiedPool(GIVEN_UP, async (pool, proxy) => {
      await using late = createPool(target({ port: proxy.port, connectTimeout: 0.5 }));
      const running = createTask(pool.execute("SELECT SLEEP(60)"));
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

describe("a COMMIT", () => {
  serverTest("that is cancelled waits for its answer, which is yes", async () => {
    await using proxy = await Proxy.to(server);
    await using pool = createPool({ ...target({ port: proxy.port }), maxSize: 1 });
    await admin("CREATE OR REPLACE TABLE mysql.committed(n int) ENGINE = InnoDB");
    const seen: unknown[] = [];
    const inserted = new Event();
    const blocked = new Event();
    const task = createTask(async () => {
      const result = await pool.transaction(async (connection) => {
        await connection.execute("INSERT INTO mysql.committed VALUES (1)");
        inserted.set();
        await blocked.wait();
        return "committed";
      });
      seen.push(result);
      await sleep(0.001);
      seen.push("not reached");
    });
    await inserted.wait();
    // Commits wait while somebody backs the server up.
    await using backup = await connect(target());
    await backup.execute("BACKUP STAGE START");
    await backup.execute("BACKUP STAGE BLOCK_COMMIT");
    blocked.set();
    while ((await admin("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'COMMIT'")) !== 1);
    task.cancel();
    await sleep(0);
    await backup.execute("BACKUP STAGE END");
    await assert.rejects(task, CancelledError);
    assert.deepEqual(seen, ["committed"]);
    // The pool's, and none for a KILL.
    assert.equal(proxy.sent.length, 1);
    assert.equal(await pool.fetchValue("SELECT COUNT(*) FROM mysql.committed"), 1);
  });

  serverTest("whose answer is lost has an unknown outcome, and says so", () =>
    withProxiedPool(GIVEN_UP, async (pool, proxy) => {
      await admin("CREATE OR REPLACE TABLE mysql.unknown_outcome(n int) ENGINE = InnoDB");
      const committed = async (): Promise<boolean> =>
        (await admin<number>("SELECT COUNT(*) FROM mysql.unknown_outcome")) === 1;
      const insert = () =>
        createTask(
          pool.transaction(async (connection) => {
            await connection.execute("INSERT INTO mysql.unknown_outcome VALUES (1)");
            proxy.mute();
          }),
        );
      const task = insert();
      while (!(await committed()));
      proxy.reset();
      const error = await assert.rejects<CommitOutcomeUnknownError>(task, CommitOutcomeUnknownError);
      assert.equal(error.code, "CORIO_MYSQL_COMMIT_OUTCOME_UNKNOWN");
      assert.instanceOf(error.cause, ConnectionLostError);

      // The same with a cancel: the error says more than a CancelledError would.
      await admin("TRUNCATE mysql.unknown_outcome");
      const second = insert();
      while (!(await committed()));
      second.cancel();
      await assert.rejects(second, CommitOutcomeUnknownError);
      proxy.reset();
    }),
  );

  serverTest("that was not sent is known: nothing was committed", () =>
    withProxiedPool({}, async (pool, proxy) => {
      await admin("CREATE OR REPLACE TABLE mysql.known_outcome(n int) ENGINE = InnoDB");
      const task = createTask(
        pool.transaction(async (connection) => {
          await connection.execute("INSERT INTO mysql.known_outcome VALUES (1)");
          proxy.reset();
          while (!connection.isClosed) await until(new Promise((resolve) => setTimeout(resolve, 1)));
        }),
      );
      await assert.rejects(task, ConnectionLostError);
      assert.equal(await admin("SELECT COUNT(*) FROM mysql.known_outcome"), 0);
    }),
  );
});
