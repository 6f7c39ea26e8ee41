// Finding an address, and connecting to it.
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { createServer as createNetServer, Socket } from "node:net";
import { join } from "node:path";
import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  ExceptionGroup,
  Future,
  getRunningLoop,
  run,
  sleep,
  timeoutAt,
  TimeoutError,
  until,
  ValueError,
} from "corio";
import {
  ConnectError,
  connectAcceptedSocket,
  createConnection,
  createServer,
  createUnixConnection,
  getaddrinfo,
  getnameinfo,
  openConnection,
  startServer,
  startUnixServer,
} from "corio/streams";
import type { SocketAddress, Transport } from "corio/streams";
import { assert, describe, test, testOn } from "../support/harness.ts";
import { interleave } from "../../src/streams/node/dns.ts";
import { bytes, LOCALHOST, portOf, program, Recorder, testProgram, text, withFolder } from "./support/net.ts";

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = await startServer(() => undefined, LOCALHOST, 0);
  const { port } = server;
  server.close();
  await server.waitClosed();
  return port;
}

/** Runs a program for which some names have the addresses that are given. Other look-ups go on as before. */
async function withNames(
  names: Readonly<Record<string, readonly string[]>>,
  main: () => Promise<void>,
): Promise<void> {
  const real = dns.lookup;
  const fake = (name: string, ...rest: [options: object, done: (error: null, found: object[]) => void]) => {
    const found = names[name]?.map((address) => ({ address, family: 4 }));
    if (found !== undefined) {
      setImmediate(() => rest[1](null, found));
      return;
    }
    real(
      name,
      ...(rest as unknown as Parameters<typeof real> extends [string, ...infer Rest] ? Rest : never),
    );
  };
  dns.lookup = fake as never;
  syncBuiltinESMExports();
  try {
    await program(main)();
  } finally {
    dns.lookup = real;
    syncBuiltinESMExports();
  }
}

describe("createConnection", () => {
  testProgram(
    "gives a transport and the protocol, which has been told [EventLoopTestsMixin.test_create_connection] [StreamTests.test_open_connection_happy_eyeball_refcycles]",
    async () => {
      await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
      for (const options of [{}, { happyEyeballsDelay: 0.25 }, { interleave: 2 }]) {
        const [transport, protocol] = await createConnection(
          () => new Recorder(),
          LOCALHOST,
          server.port,
          options,
        );
        assert.equal(protocol.calls[0], "connectionMade");
        assert.equal(protocol.transport, transport);
        assert.equal(transport.getProtocol(), protocol);
        assert.equal(portOf(transport, "peername"), server.port);
        assert.equal(await protocol.lost, null);
        assert.deepEqual(protocol.calls, ["connectionMade", "eofReceived", "connectionLost"]);
      }
    },
  );

  testProgram(
    "goes to an address as it is: IPv4, IPv6, or one with its scope [BaseEventLoopWithSelectorTests.test_create_connection_ip_addr] [BaseEventLoopWithSelectorTests.test_create_connection_ipv6_scope]",
    async () => {
      await using server = await startServer((_reader, writer) => writer.close(), [LOCALHOST, "::1"], 0);
      for (const [host, address, family] of [
        [LOCALHOST, LOCALHOST, "IPv4"],
        ["::1", "::1", "IPv6"],
        ["::1%1", "::1", "IPv6"],
      ] as const) {
        const listener = server.addresses.find((one) => typeof one !== "string" && one.family === family);
        const { port } = listener as SocketAddress;
        const [transport, protocol] = await createConnection(() => new Recorder(), host, port);
        assert.deepEqual(transport.getExtraInfo("peername"), { address, port, family });
        await protocol.lost;
      }
      assert.deepEqual(await getaddrinfo("fe80::1%1", 80), [
        { address: "fe80::1%1", port: 80, family: "IPv6" },
      ]);
    },
  );

  testProgram(
    "that is given up leaves no connection, and says why [BaseEventLoopWithSelectorTests.test_create_connection_timeout] [BaseEventLoopWithSelectorTests.test_create_connection_connect_non_os_err_close_err]",
    async () => {
      const server = await createServer(
        () => ({ connectionMade: (transport: Transport) => transport.write(bytes("x")) }),
        LOCALHOST,
        0,
      );
      for (const options of [{}, { allErrors: true }, { happyEyeballsDelay: 0 }]) {
        const connect = () => createConnection(() => new Recorder(), LOCALHOST, server.port, options);
        await assert.rejects(timeoutAt(getRunningLoop().time(), connect), TimeoutError);
        // Whenever it is: before it is connected that is not an error of the connection, even with all errors.
        for (let turns = 0; turns < 4; turns++) {
          const connecting = createTask(connect());
          for (let turn = 0; turn < turns; turn++) await sleep(0);
          if (connecting.cancel()) await assert.rejects(connecting, CancelledError);
          else (await connecting)[0].abort();
        }
      }
      // This one is accepted behind all the others: none of those may be left.
      const [last, protocol] = await createConnection(() => new Recorder(), LOCALHOST, server.port);
      await protocol.has(1);
      last.close();
      server.close();
      await server.waitClosed();
    },
  );

  testProgram(
    "connects from the address it is given [EventLoopTestsMixin.test_create_connection_local_addr]",
    async () => {
      await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
      const [transport, protocol] = await createConnection(() => new Recorder(), LOCALHOST, server.port, {
        localAddr: ["127.0.0.3", 0],
      });
      assert.equal((transport.getExtraInfo("sockname") as { address: string }).address, "127.0.0.3");
      await protocol.lost;
    },
  );

  testProgram(
    "needs a local address of the same family [EventLoopTestsMixin.test_create_connection_local_addr_nomatch_family] [BaseEventLoopWithSelectorTests.test_create_connection_no_local_addr]",
    async () => {
      const connection = createConnection(() => new Recorder(), LOCALHOST, 1, { localAddr: ["::1", 0] });
      await assert.rejects(connection, /no IPv4 address to connect to 127\.0\.0\.1 from/);
    },
  );

  testProgram(
    "fails when the local address is in use [EventLoopTestsMixin.test_create_connection_local_addr_in_use]",
    async () => {
      await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
      const error = await assert.rejects<{ code: string }>(
        createConnection(() => new Recorder(), LOCALHOST, server.port, {
          localAddr: [LOCALHOST, server.port],
        }),
      );
      assert.match(error.code, /^E(ADDRINUSE|INVAL|CONNREFUSED|ADDRNOTAVAIL)$/);
    },
  );

  testProgram(
    "throws the error of its only attempt [BaseEventLoopWithSelectorTests.test_create_connection_connect_err] [StreamTests.test_open_connection_error]",
    async () => {
      const port = await closedPort();
      const error = await assert.rejects<{ code: string }>(openConnection(LOCALHOST, port));
      assert.equal(error.code, "ECONNREFUSED");
      const all = await assert.rejects<ExceptionGroup>(
        createConnection(() => new Recorder(), LOCALHOST, port, { allErrors: true }),
        ExceptionGroup,
      );
      assert.equal(all.errors.length, 1);
      assert.match(all.message, /createConnection failed/);
    },
  );

  testProgram(
    "does not find what is not there [BaseEventLoopWithSelectorTests.test_create_connection_no_getaddrinfo]",
    async () => {
      const error = await assert.rejects<{ syscall: string }>(openConnection("nowhere.invalid", 1));
      assert.equal(error.syscall, "getaddrinfo");
    },
  );

  testProgram("takes a socket that is connected", async () => {
    await using server = await startServer(
      (_reader, writer) => {
        writer.write("Hello");
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const sock = new Socket({ allowHalfOpen: true });
    const connected = new Future<void>();
    sock.connect(server.port, LOCALHOST, () => connected.setResult());
    await connected;
    const [reader, writer] = await openConnection(null, null, { sock });
    assert.equal(writer.getExtraInfo("socket"), sock);
    assert.equal(text(await reader.read()), "Hello");
    writer.close();
  });

  testProgram("destroys the socket when the factory fails", async () => {
    const lost = new Future<unknown>();
    await using server = await createServer(
      () => ({ connectionLost: (error: unknown) => lost.setResult(error) }),
      LOCALHOST,
      0,
    );
    await assert.rejects(
      createConnection(
        () => {
          throw new RangeError("no protocol");
        },
        LOCALHOST,
        server.port,
      ),
      RangeError,
    );
    await lost;
  });

  test("checks its arguments at once [BaseEventLoopWithSelectorTests.test_create_connection_host_port_sock] [BaseEventLoopWithSelectorTests.test_create_connection_no_host_port_sock] [BaseEventLoopWithSelectorTests.test_create_connection_wrong_sock] [BaseEventLoopWithSelectorTests.test_create_connection_no_ssl_server_hostname_errors] [BaseEventLoopWithSelectorTests.test_create_connection_ssl_server_hostname_errors] [BaseEventLoopWithSelectorTests.test_create_connection_ssl_timeout_for_plain_socket] [BaseEventLoopWithSelectorTests.test_create_connection_service_name]", () => {
    const factory = (): Recorder => new Recorder();
    const sock = new Socket();
    assert.throws(() => createConnection(factory, LOCALHOST, 1, { sock }), ValueError);
    assert.throws(() => createConnection(factory), ValueError);
    assert.throws(() => createConnection(factory, null, null, { sock: {} as never }), ArgumentTypeError);
    assert.throws(
      () => createConnection(factory, LOCALHOST, 1, { serverHostname: "x" }),
      /only meaningful with ssl/,
    );
    assert.throws(() => createConnection(factory, null, 1, { ssl: true }), /serverHostname has to be given/);
    assert.throws(() => createConnection(factory, null, null, { sock, ssl: true }), ValueError);
    assert.throws(() => createConnection(factory, LOCALHOST, 1, { sslHandshakeTimeout: 1 }), ValueError);
    assert.throws(() => createConnection(factory, LOCALHOST, 1, { sslShutdownTimeout: 1 }), ValueError);
    assert.throws(() => createConnection(factory, LOCALHOST, "http"), /services are not looked up/);
    assert.throws(() => createConnection(factory, LOCALHOST, 1, { family: 5 as never }), ArgumentTypeError);
    assert.throws(() => createConnection(factory, LOCALHOST, 1, { interleave: -1 }), ArgumentTypeError);
    assert.throws(
      () => createConnection(factory, LOCALHOST, 1, { happyEyeballsDelay: "soon" as never }),
      ArgumentTypeError,
    );
    assert.throws(() => createConnection(5 as never, LOCALHOST, 1), ArgumentTypeError);
    sock.destroy();
  });

  test("to a Unix socket checks its arguments at once [SelectorEventLoopUnixSocketTests.test_create_unix_connection_nopath_nosock] [SelectorEventLoopUnixSocketTests.test_create_unix_connection_nossl_serverhost] [SelectorEventLoopUnixSocketTests.test_create_unix_connection_ssl_noserverhost] [SelectorEventLoopUnixSocketTests.test_create_unix_connection_ssl_timeout_with_plain_sock] [SelectorEventLoopUnixSocketTests.test_create_unix_connection_path_sock]", () => {
    const factory = (): Recorder => new Recorder();
    const sock = new Socket();
    assert.throws(() => createUnixConnection(factory), ValueError);
    assert.throws(() => createUnixConnection(factory, "path", { sock }), ValueError);
    assert.throws(() => createUnixConnection(factory, "path", { serverHostname: "x" }), ValueError);
    assert.throws(() => createUnixConnection(factory, "path", { ssl: true }), ValueError);
    assert.throws(() => createUnixConnection(factory, "path", { sslHandshakeTimeout: 1 }), ValueError);
    assert.throws(() => createUnixConnection(factory, 5 as never), ArgumentTypeError);
    sock.destroy();
  });

  testProgram(
    "to a Unix socket gives a transport and the protocol, which has been told [EventLoopTestsMixin.test_create_unix_connection]",
    () =>
      withFolder(async (folder) => {
        const path = join(folder, "socket");
        await using server = await startUnixServer((_reader, writer) => {
          writer.write("Hello");
          writer.close();
        }, path);
        const [transport, protocol] = await createUnixConnection(() => new Recorder(), path);
        assert.equal(protocol.transport, transport);
        assert.equal(transport.getExtraInfo("peername"), path);
        assert.equal(await protocol.lost, null);
        assert.equal(protocol.received, "Hello");
        assert.deepEqual(protocol.calls, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
        assert.equal(server.isServing(), true);
      }),
  );

  testProgram(
    "to a Unix socket fails with the host's error [StreamTests.test_open_unix_connection_error]",
    async () => {
      const { openUnixConnection } = await import("corio/streams");
      const error = await assert.rejects<{ code: string }>(openUnixConnection("/nowhere/socket"));
      assert.equal(error.code, "ENOENT");
    },
  );
});

describe("connecting to several addresses", () => {
  // `localhost` may have one address only, so the attempts are given as local hosts' do: by a socket that is refused.
  testProgram(
    "tries the next one when one fails [BaseEventLoopWithSelectorTests.test_create_connection_multiple] [EventLoopTestsMixin.test_create_connection_local_addr_skip_different_family]",
    async () => {
      // 127.0.0.1 only: where localhost has ::1 as well, that attempt is refused.
      await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
      for (const happyEyeballsDelay of [null, 0.25, 0]) {
        const [, writer] = await openConnection("localhost", server.port, { happyEyeballsDelay });
        assert.equal((writer.getExtraInfo("peername") as { address: string }).address, LOCALHOST);
        writer.close();
      }
    },
  );

  testProgram(
    "lists every address and its error when all fail [BaseEventLoopWithSelectorTests.test_create_connection_multiple_errors] [BaseEventLoopWithSelectorTests.test_create_connection_happy_eyeballs_empty_exceptions]",
    async () => {
      const port = await closedPort();
      const found = await getaddrinfo("localhost", port);
      for (const happyEyeballsDelay of [null, 0.25]) {
        const error = await assert.rejects<Error & { code: string }>(
          openConnection("localhost", port, { happyEyeballsDelay }),
        );
        if (found.length === 1) assert.equal(error.code, "ECONNREFUSED");
        else {
          assert.instanceOf(error, ConnectError);
          assert.equal(error.code, "CORIO_CONNECT");
          assert.equal(error.attempts.length, found.length);
          assert.match(error.message, /^cannot connect to localhost:\d+: .*127\.0\.0\.1:\d+: .*ECONNREFUSED/);
        }
        const all = await assert.rejects<ExceptionGroup>(
          openConnection("localhost", port, { happyEyeballsDelay, allErrors: true }),
          ExceptionGroup,
        );
        assert.equal(all.errors.length, found.length);
      }
    },
  );

  testOn(["node"], "of a name with several takes the first that answers", () =>
    withNames({ "several.test": ["127.0.0.7", "127.0.0.8", LOCALHOST] }, async () => {
      for (const happyEyeballsDelay of [null, 10, 0]) {
        const server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
        const [, writer] = await openConnection("several.test", server.port, { happyEyeballsDelay });
        assert.equal((writer.getExtraInfo("peername") as { address: string }).address, LOCALHOST);
        writer.close();
        await writer.waitClosed();
        const { port } = server;
        server.close();
        await server.waitClosed();

        const error = await assert.rejects<ConnectError>(
          openConnection("several.test", port, { happyEyeballsDelay }),
          ConnectError,
        );
        assert.deepEqual(
          error.attempts.map(({ address }) => address),
          [`127.0.0.7:${port}`, `127.0.0.8:${port}`, `127.0.0.1:${port}`],
        );
        assert.match(error.message, /^cannot connect to several\.test:\d+: 127\.0\.0\.7:\d+: .*ECONNREFUSED/);
        const all = await assert.rejects<ExceptionGroup>(
          openConnection("several.test", port, { happyEyeballsDelay, allErrors: true }),
          ExceptionGroup,
        );
        assert.equal(all.errors.length, 3);
      }
    }),
  );

  testOn(
    ["node"],
    "takes the first local address that it can use [BaseEventLoopWithSelectorTests.test_create_connection_multiple_errors_local_addr]",
    () =>
      withNames(
        {
          "several.test": ["127.0.0.7", LOCALHOST],
          "local.test": ["198.51.100.1", LOCALHOST],
          "foreign.test": ["198.51.100.1", "198.51.100.2"],
        },
        async () => {
          const server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
          const { port } = server;
          const [, writer] = await openConnection(LOCALHOST, port, { localAddr: ["local.test", 0] });
          assert.equal((writer.getExtraInfo("sockname") as SocketAddress).address, LOCALHOST);
          writer.close();
          const foreign = await assert.rejects<{ code: string }>(
            openConnection(LOCALHOST, port, { localAddr: ["foreign.test", 0] }),
          );
          assert.equal(foreign.code, "EADDRNOTAVAIL");
          server.close();
          await server.waitClosed();

          const connect = (allErrors: boolean) =>
            openConnection("several.test", port, { localAddr: ["local.test", 0], allErrors });
          const error = await assert.rejects<ConnectError>(connect(false), ConnectError);
          const all = await assert.rejects<ExceptionGroup>(connect(true), ExceptionGroup);
          const errors = [...error.attempts.map((attempt) => attempt.error), ...all.errors];
          assert.deepEqual(
            errors.map((one) => (one as { code: string }).code),
            ["ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED"],
          );
        },
      ),
  );

  test("says what was tried", () => {
    const error = new ConnectError("example.com:80", [
      { address: "[2001:db8::1]:80", error: new Error("no route") },
      { address: "192.0.2.1:80", error: "a text" },
    ]);
    assert.equal(
      error.message,
      "cannot connect to example.com:80: [2001:db8::1]:80: no route; 192.0.2.1:80: a text",
    );
  });

  test("takes the families in turn", () => {
    const address = (name: string) => ({
      address: name,
      port: 80,
      family: name.startsWith("6") ? ("IPv6" as const) : ("IPv4" as const),
    });
    const found = ["6a", "6b", "6c", "4a", "4b"].map(address);
    const order = (first: number): string =>
      interleave(found, first)
        .map((one) => one.address)
        .join(" ");
    assert.equal(order(1), "6a 4a 6b 4b 6c");
    assert.equal(order(2), "6a 6b 4a 6c 4b");
    assert.equal(order(3), "6a 6b 6c 4a 4b");
    assert.deepEqual(interleave([], 1), []);
  });
});

describe("connectAcceptedSocket", () => {
  testProgram(
    "makes a transport of what something else accepted [EventLoopTestsMixin.test_connect_accepted_socket] [TestSSL.test_connect_accepted_socket]",
    async () => {
      const accepted = new Future<Socket>();
      const server = createNetServer({ allowHalfOpen: true }, (socket) => accepted.setResult(socket));
      const listening = new Future<void>();
      server.listen(0, LOCALHOST, () => listening.setResult());
      await listening;
      const { port } = server.address() as { port: number };
      const client = createTask(openConnection(LOCALHOST, port));
      const [transport, protocol] = await connectAcceptedSocket(() => new Recorder(), await accepted);
      const [reader, writer] = await client;
      writer.write("ping");
      await protocol.has(4);
      transport.write(new TextEncoder().encode("pong"));
      transport.close();
      assert.equal(text(await reader.read()), "pong");
      writer.close();
      server.close();
      await protocol.lost;
    },
  );

  test("checks its arguments at once [EventLoopTestsMixin.test_connect_accepted_socket_ssl_timeout_for_plain_socket]", () => {
    const sock = new Socket();
    const factory = (): Recorder => new Recorder();
    assert.throws(() => connectAcceptedSocket(factory, sock, { sslHandshakeTimeout: 1 }), ValueError);
    assert.throws(() => connectAcceptedSocket(factory, {} as never), ArgumentTypeError);
    sock.destroy();
  });
});

describe("getaddrinfo and getnameinfo", () => {
  test("find numbers of names, and names of numbers [BaseEventLoopWithSelectorTests.test_getnameinfo] [BaseEventTests.test_ipaddr_info]", () =>
    run(async () => {
      assert.deepEqual(await getaddrinfo("127.0.0.1", 80), [
        { address: LOCALHOST, port: 80, family: "IPv4" },
      ]);
      assert.deepEqual(await getaddrinfo("::1", "80"), [{ address: "::1", port: 80, family: "IPv6" }]);
      const found = await getaddrinfo("localhost", 1, { family: 4 });
      assert.deepEqual(found[0], { address: LOCALHOST, port: 1, family: "IPv4" });
      assert.deepEqual(await getaddrinfo(null, 1, { family: 4 }), found);
      await assert.rejects(getaddrinfo("127.0.0.1", 80, { family: 6 }), ValueError);
      const { hostname, service } = await getnameinfo({ address: LOCALHOST, port: 1 });
      assert.ok(hostname.length > 0 && service.length > 0);
      assert.throws(() => getnameinfo({ address: "localhost", port: 1 }), ArgumentTypeError);
      assert.throws(() => getaddrinfo(5 as never, 1), ArgumentTypeError);
    }));

  test("can be cancelled", () =>
    run(async () => {
      const looking = createTask(getaddrinfo("localhost", 80));
      await sleep(0);
      looking.cancel();
      await assert.rejects(looking, CancelledError);
      // It goes on in the host, which does not trouble anybody.
      await until(new Promise((resolve) => setImmediate(resolve)));
    }));
});
