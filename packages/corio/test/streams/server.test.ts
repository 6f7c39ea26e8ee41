import { existsSync, lstatSync, writeFileSync } from "node:fs";
import { createServer as createNetServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  Event,
  getRunningLoop,
  run,
  RuntimeError,
  sleep,
  ValueError,
} from "corio";
import {
  createServer,
  createUnixServer,
  openConnection,
  openUnixConnection,
  startServer,
  startUnixServer,
} from "corio/streams";
import type { Server, SocketAddress, StreamReader, StreamWriter } from "corio/streams";
import { assert, describe, hostName, test } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import { bytes, LOCALHOST, noteExceptions, Recorder, testProgram, text, withFolder } from "./support/net.ts";

/** Keeps its connection until the peer closes it. */
const idle = async (reader: StreamReader, writer: StreamWriter): Promise<void> => {
  await reader.read();
  writer.close();
};

describe("a server", () => {
  testProgram("serves for ever, until it is cancelled [BaseStartServer.test_start_server_1]", async () => {
    let handled = 0;
    const server = await startServer(
      async (reader, writer) => {
        handled++;
        writer.write(await reader.readline());
        writer.close();
      },
      LOCALHOST,
      0,
      { startServing: false },
    );
    assert.equal(server.isServing(), false);
    assert.deepEqual(server.sockets, []);
    assert.throws(() => server.port, RuntimeError);
    const main = createTask(server.serveForever());
    await server.startServing();
    assert.equal(server.isServing(), true);
    assert.equal(server.sockets.length, 1);
    const [reader, writer] = await openConnection(LOCALHOST, server.port);
    writer.write("hello\n");
    assert.equal(text(await reader.read()), "hello\n");
    writer.close();
    await assert.rejects(server.serveForever(), /another task waits/);
    main.cancel();
    await assert.rejects(main, CancelledError);
    assert.equal(handled, 1);
    assert.equal(server.isServing(), false);
    await assert.rejects(server.serveForever(), /this server is closed/);
    await assert.rejects(server.startServing(), RuntimeError);
  });

  testProgram("serves for ever on a Unix socket [SelectorStartServerTests.test_start_unix_server_1]", () =>
    withFolder(async (folder) => {
      const path = join(folder, "socket");
      const server = await startUnixServer(idle, path, { startServing: false });
      await assert.rejects(openUnixConnection(path));
      const main = createTask(server.serveForever());
      await server.startServing();
      const [, writer] = await openUnixConnection(path);
      writer.close();
      main.cancel();
      await assert.rejects(main, CancelledError);
      assert.throws(() => server.port, RuntimeError);
    }),
  );

  testProgram("waits for its last connection [TestServer2.test_wait_closed_basic]", async () => {
    const accepted = new Event();
    const server = await startServer(
      async (reader, writer) => {
        accepted.set();
        await idle(reader, writer);
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port);
    writer.write("x");
    // Before that the server knows of no connection that it could wait for.
    await accepted.wait();
    // Not closed yet.
    const waiting = createTask(server.waitClosed());
    await sleep(0);
    assert.equal(waiting.done(), false);
    server.close();
    await sleep(0);
    // Closed, but a connection is left.
    assert.equal(waiting.done(), false);
    writer.close();
    await waiting;
    await server.waitClosed();
    await writer.waitClosed();
    assert.equal(reader.atEof(), true);
    server.close();
  });

  testProgram(
    "closed while a connection closes waits for it [TestServer2.test_wait_closed_race]",
    async () => {
      const server = await startServer(
        async (_reader, writer) => {
          await sleep(0.001);
          writer.close();
        },
        LOCALHOST,
        0,
      );
      const [, writer] = await openConnection(LOCALHOST, server.port);
      const loop = getRunningLoop();
      loop.callSoon(() => server.close());
      loop.callSoon(() => writer.close());
      await server.waitClosed();
    },
  );

  testProgram("closes its connections when it is asked to [TestServer2.test_close_clients]", async () => {
    const ready = new Event();
    const server = await startServer(
      async (reader, writer) => {
        writer.write("bye");
        ready.set();
        await reader.read();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port);
    await ready.wait();
    server.close();
    server.closeClients();
    await server.waitClosed();
    // What was written had been sent.
    assert.equal(text(await reader.read()), "bye");
    writer.close();
  });

  testProgram("aborts its connections when it is asked to [TestServer2.test_abort_clients]", async () => {
    const ready = new Event();
    const server = await startServer(
      async (reader, writer) => {
        writer.write(new Uint8Array(8 * 1024 * 1024));
        ready.set();
        await reader.read();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port, { limit: 1 });
    await ready.wait();
    server.close();
    server.abortClients();
    await server.waitClosed();
    let received = 0;
    try {
      for (let chunk = await reader.read(65_536); chunk.length > 0; chunk = await reader.read(65_536))
        received += chunk.length;
    } catch {
      // The host may call the loss an error.
    }
    assert.ok(received < 8 * 1024 * 1024);
    writer.close();
  });

  testProgram("is closed at the end of an await using block", async () => {
    let kept: Server;
    {
      await using server = await startServer(idle, LOCALHOST, 0);
      kept = server;
      const [, writer] = await openConnection(LOCALHOST, server.port);
      writer.close();
    }
    assert.equal(kept.isServing(), false);
    await kept.waitClosed();
  });

  testProgram("ends serveForever when it is closed [EventLoopTestsMixin.test_server_close]", async () => {
    const server = await startServer(idle, LOCALHOST, 0);
    const { port } = server;
    const main = createTask(server.serveForever());
    await sleep(0);
    server.close();
    const error = await assert.rejects<CancelledError>(main, CancelledError);
    assert.equal(error.requestedBy, "Server.close");
    await assert.rejects(openConnection(LOCALHOST, port));
  });

  testProgram("knows its loop, and shows itself [TestServer.test_get_loop]", async () => {
    const server = await startServer(idle, LOCALHOST, 0);
    assert.equal(server.getLoop(), getRunningLoop());
    assert.equal(show(server), `<Server 127.0.0.1:${server.port}>`);
    server.close();
    assert.equal(show(server), "<Server not serving>");
    assert.deepEqual(server.addresses, []);
  });

  testProgram("has a protocol for each connection [EventLoopTestsMixin.test_create_server]", async () => {
    const protocols: Recorder[] = [];
    const factory = (): Recorder => {
      const protocol = new Recorder();
      protocols.push(protocol);
      return protocol;
    };
    await using server = await createServer(factory, LOCALHOST, 0);
    const [, first] = await openConnection(LOCALHOST, server.port);
    first.write("xxx");
    const [, second] = await openConnection(LOCALHOST, server.port);
    second.write("yyyy");
    await first.drain();
    first.close();
    second.close();
    await first.waitClosed();
    await second.waitClosed();
    while (protocols.length < 2) await sleep(0.001);
    for (const protocol of protocols) {
      assert.equal(await protocol.lost, null);
      assert.deepEqual(protocol.calls, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
    }
    assert.deepEqual(protocols.map(({ received }) => received).sort(), ["xxx", "yyyy"]);
  });

  testProgram(
    "listens on every address of several hosts [EventLoopTestsMixin.test_create_server_multiple_hosts_ipv4]",
    async () => {
      await using server = await startServer(idle, [LOCALHOST, "127.0.0.2", LOCALHOST], 0);
      const addresses = server.addresses.map((address) => (address as { address: string }).address);
      assert.deepEqual(addresses, [LOCALHOST, "127.0.0.2"]);
    },
  );

  testProgram(
    "listens on IPv6 [BaseEventLoopWithSelectorTests.test_create_server_ipv6] [EventLoopTestsMixin.test_create_server_multiple_hosts_ipv6]",
    async () => {
      // This machine's; those of a link only would need its name.
      const others = Object.values(networkInterfaces())
        .flatMap((found) => found ?? [])
        .filter(
          ({ family, internal, address }) => family === "IPv6" && !internal && !address.startsWith("fe80"),
        )
        .map(({ address }) => address);
      const hosts = ["::1", ...others];
      await using server = await startServer((_reader, writer) => writer.close(), [...hosts, "::1"], 0);
      assert.equal(server.sockets.length, hosts.length);
      for (const [index, listener] of server.addresses.entries()) {
        const { address, port, family } = listener as SocketAddress;
        assert.deepEqual([address, family], [hosts[index], "IPv6"]);
        const [reader, writer] = await openConnection(address, port);
        assert.equal((await reader.read()).length, 0);
        writer.close();
      }
    },
  );

  testProgram(
    "fails when the name of its host is not found [BaseEventLoopWithSelectorTests.test_create_server_no_getaddrinfo]",
    async () => {
      const error = await assert.rejects<{ syscall: string }>(startServer(idle, "nowhere.invalid", 0));
      assert.equal(error.syscall, "getaddrinfo");
    },
  );

  testProgram(
    "shares its port when that is wanted, or says that the host cannot [EventLoopTestsMixin.test_create_server_reuse_port] [BaseEventLoopWithSelectorTests.test_create_server_nosoreuseport] [BaseEventLoopWithSelectorTests.test_create_server_soreuseport_only_defined]",
    async () => {
      const open = (port: number) => createServer(() => new Recorder(), LOCALHOST, port, { reusePort: true });
      if (process.versions.node.startsWith("20.")) {
        assert.throws(() => open(0), ValueError);
        return;
      }
      await using first = await open(0);
      await using second = await open(first.port);
      assert.equal(second.port, first.port);
      assert.equal(second.sockets.length, 1);
      // Both have to want it.
      await using alone = await createServer(() => new Recorder(), LOCALHOST, 0);
      const error = await assert.rejects<{ code: string }>(open(alone.port));
      assert.equal(error.code, "EADDRINUSE");
    },
  );

  testProgram(
    "listens on all addresses without a host [EventLoopTestsMixin.test_create_server_dual_stack] [BaseEventLoopWithSelectorTests.test_create_server_empty_host]",
    async () => {
      for (const host of [null, ""]) {
        await using server = await startServer(idle, host, 0);
        const [, writer] = await openConnection(LOCALHOST, server.port);
        writer.close();
      }
      await using four = await startServer(idle, null, 0, { family: 4 });
      assert.equal((four.addresses[0] as { address: string }).address, "0.0.0.0");
    },
  );

  testProgram(
    "takes a socket that listens already [EventLoopTestsMixin.test_create_server_sock]",
    async () => {
      const sock = createNetServer({ allowHalfOpen: true });
      const listening = new Event();
      sock.listen(0, LOCALHOST, () => listening.set());
      await listening.wait();
      await using server = await startServer(idle, null, null, { sock });
      assert.equal(server.sockets[0], sock);
      const [, writer] = await openConnection(LOCALHOST, server.port);
      writer.close();
    },
  );

  testProgram(
    "fails when the address is in use [EventLoopTestsMixin.test_create_server_addr_in_use]",
    async () => {
      await using server = await startServer(idle, LOCALHOST, 0);
      const error = await assert.rejects<{ code: string }>(startServer(idle, LOCALHOST, server.port));
      assert.equal(error.code, "EADDRINUSE");
      // One of two: then neither is listened on.
      await assert.rejects(startServer(idle, ["127.0.0.2", LOCALHOST], server.port));
      await assert.rejects(openConnection("127.0.0.2", server.port));
    },
  );

  testProgram(
    "fails when none of the addresses is this machine's [BaseEventLoopWithSelectorTests.test_create_server_cant_bind]",
    async () => {
      const error = await assert.rejects<{ code: string }>(
        startServer(idle, ["198.51.100.1", "198.51.100.2"], 0),
      );
      assert.match(error.code, hostName === "deno" ? /^EINVAL$/ : /^EADDRNOTAVAIL$/);
      // An address that is there will do.
      await using server = await startServer(idle, ["198.51.100.1", LOCALHOST], 0);
      assert.equal(server.addresses.length, 1);
    },
  );

  testProgram("reports a factory that fails, and goes on", async () => {
    const noted = noteExceptions();
    let calls = 0;
    await using server = await createServer(
      () => {
        if (++calls === 1) throw new RangeError("no protocol");
        return new Recorder();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port);
    await reader.read().catch(() => undefined);
    writer.close();
    const [, second] = await openConnection(LOCALHOST, server.port);
    second.close();
    assert.instanceOf(noted[0]?.exception, RangeError);
  });

  test("checks its arguments at once [BaseEventLoopWithSelectorTests.test_create_server_host_port_sock] [BaseEventLoopWithSelectorTests.test_create_server_no_host_port_sock] [BaseEventLoopWithSelectorTests.test_create_server_wrong_sock] [BaseEventLoopWithSelectorTests.test_create_server_ssl_timeout_for_plain_socket] [BaseEventTests.test_port_parameter_types]", () => {
    const factory = (): Recorder => new Recorder();
    const sock = createNetServer();
    assert.throws(() => createServer(factory, LOCALHOST, 0, { sock }), ValueError);
    assert.throws(() => createServer(factory), ValueError);
    assert.throws(() => createServer(factory, null, null, { sock }), /has to listen already/);
    assert.throws(() => createServer(factory, null, null, { sock: {} as never }), ArgumentTypeError);
    assert.throws(() => createServer(null as never, LOCALHOST, 0), ArgumentTypeError);
    assert.throws(() => createServer(factory, 5 as never, 0), ArgumentTypeError);
    assert.throws(() => createServer(factory, [5] as never, 0), ArgumentTypeError);
    assert.throws(
      () => createServer(factory, LOCALHOST, 0, { sslHandshakeTimeout: 1 }),
      /sslHandshakeTimeout is only meaningful with ssl/,
    );
    assert.throws(() => createServer(factory, LOCALHOST, 0, { ssl: true as never }), ArgumentTypeError);
    for (const port of [-1, 65_536, "65536"])
      assert.throws(() => createServer(factory, LOCALHOST, port), ValueError);
    for (const port of [1.5, {}, true])
      assert.throws(() => createServer(factory, LOCALHOST, port as never), ArgumentTypeError);
    createServer(factory, LOCALHOST, "8080").close();
  });
});

describe("a server that is left by its program", () => {
  test("cancels its handlers with everything else, and is then gone", async () => {
    const log: string[] = [];
    const failure = await assert.rejects(
      run(async () => {
        const ready = new Event();
        const server = await startServer(
          async (reader, writer) => {
            try {
              ready.set();
              await reader.read();
            } finally {
              log.push("handler");
              writer.close();
            }
          },
          LOCALHOST,
          0,
        );
        const serving = createTask(server.serveForever());
        const [, writer] = await openConnection(LOCALHOST, server.port);
        await ready.wait();
        void serving;
        writer.transport.abort();
        throw new RangeError("main fails");
      }),
    );
    assert.instanceOf(failure, RangeError);
    assert.deepEqual(log, ["handler"]);
  });
});

describe("a server on a Unix socket", () => {
  testProgram(
    "removes its file when it is closed [UnixServerCleanupTests.test_unix_server_addr_cleanup] [UnixServerCleanupTests.test_unix_server_sock_cleanup]",
    () =>
      withFolder(async (folder) => {
        const path = join(folder, "socket");
        const server = await startUnixServer(idle, path);
        assert.equal(lstatSync(path).isSocket(), true);
        server.close();
        assert.equal(existsSync(path), false);
      }),
  );

  testProgram("does not mind when it is gone [UnixServerCleanupTests.test_unix_server_cleanup_gone]", () =>
    withFolder(async (folder) => {
      const path = join(folder, "socket");
      const server = await startUnixServer(idle, path);
      const { unlinkSync } = await import("node:fs");
      unlinkSync(path);
      server.close();
      await server.waitClosed();
    }),
  );

  testProgram(
    "leaves another one in its place alone, and replaces one that was left [UnixServerCleanupTests.test_unix_server_cleanup_replaced] [SelectorEventLoopUnixSocketTests.test_create_unix_server_existing_path_sock]",
    () =>
      withFolder(async (folder) => {
        const path = join(folder, "socket");
        const first = await startUnixServer(idle, path);
        const second = await startUnixServer((_reader, writer) => {
          writer.write("second");
          writer.close();
        }, path);
        first.close();
        assert.equal(existsSync(path), true);
        const [reader, writer] = await openUnixConnection(path);
        assert.equal(text(await reader.read()), "second");
        writer.close();
        second.close();
        assert.equal(existsSync(path), false);
      }),
  );

  testProgram("can leave its file [UnixServerCleanupTests.test_unix_server_cleanup_prevented]", () =>
    withFolder(async (folder) => {
      const path = join(folder, "socket");
      const server = await startUnixServer(idle, path, { cleanupSocket: false });
      server.close();
      await server.waitClosed();
      assert.equal(existsSync(path), true);
      await assert.rejects(
        openUnixConnection(path),
        (error) => (error as { code: string }).code === "ECONNREFUSED",
      );
    }),
  );

  testProgram(
    "refuses the path of another file [SelectorEventLoopUnixSocketTests.test_create_unix_server_existing_path_nonsock] [SelectorEventLoopUnixSocketTests.test_create_unix_server_bind_error] [EventLoopTestsMixin.test_create_unix_server_path_socket_error]",
    () =>
      withFolder(async (folder) => {
        const path = join(folder, "file");
        writeFileSync(path, "text");
        const error = await assert.rejects<{ code: string }>(startUnixServer(idle, path));
        assert.equal(error.code, "EADDRINUSE");
        assert.equal(existsSync(path), true);
        await assert.rejects(startUnixServer(idle, join(folder, "nowhere", "socket")));
      }),
  );

  testProgram(
    "takes a file: URL [SelectorEventLoopUnixSocketTests.test_create_unix_server_pathlike] [SelectorEventLoopUnixSocketTests.test_create_unix_connection_pathlike] [EventLoopTestsMixin.test_create_unix_server]",
    () =>
      withFolder(async (folder) => {
        const path = pathToFileURL(join(folder, "socket"));
        const protocol = new Recorder();
        await using server = await createUnixServer(() => protocol, path);
        const [, writer] = await openUnixConnection(path);
        writer.write(bytes("xxx"));
        writer.close();
        await protocol.lost;
        assert.equal(protocol.received, "xxx");
        assert.equal(server.isServing(), true);
      }),
  );

  test("checks its arguments at once [SelectorEventLoopUnixSocketTests.test_create_unix_server_nopath_nosock] [SelectorEventLoopUnixSocketTests.test_create_unix_server_ssl_bool] [SelectorEventLoopUnixSocketTests.test_create_unix_server_ssl_timeout_with_plain_sock]", () => {
    const factory = (): Recorder => new Recorder();
    assert.throws(() => createUnixServer(factory, null as never), ArgumentTypeError);
    assert.throws(() => createUnixServer(factory, "socket", { ssl: true as never }), ArgumentTypeError);
    assert.throws(() => createUnixServer(factory, "socket", { sslHandshakeTimeout: 1 }), ValueError);
  });
});
