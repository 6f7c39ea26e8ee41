import { createSocket } from "node:dgram";
import { ArgumentTypeError, CancelledError, createTask, Future, run, sleep, until, ValueError } from "corio";
import { createDatagramEndpoint } from "corio/streams";
import type { DatagramProtocol, DatagramTransport, SocketAddress } from "corio/streams";
import { assert, describe, hostName, test } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import { runProgram } from "../support/program.ts";
import { descriptorsDownTo, openDescriptors } from "../subprocess/support/processes.ts";
import { bytes, LOCALHOST, noteExceptions, testProgram, text, warningsOf } from "./support/net.ts";

class Inbox implements DatagramProtocol {
  readonly received: string[] = [];
  readonly froms: SocketAddress[] = [];
  readonly errors: unknown[] = [];
  readonly lost = new Future<unknown>();
  transport: DatagramTransport | undefined;
  #next = new Future<void>();

  connectionMade(transport: DatagramTransport): void {
    this.transport = transport;
  }

  datagramReceived(data: Uint8Array, from: SocketAddress): void {
    this.received.push(text(data));
    this.froms.push(from);
    if (!this.#next.done()) this.#next.setResult();
  }

  errorReceived(error: unknown): void {
    this.errors.push(error);
    if (!this.#next.done()) this.#next.setResult();
  }

  connectionLost(error: unknown): void {
    this.lost.setResult(error);
  }

  /** Waits until so many datagrams or errors have come. */
  async has(count: number): Promise<void> {
    while (this.received.length + this.errors.length < count) {
      this.#next = new Future<void>();
      await this.#next;
    }
  }
}

const addressOf = (transport: DatagramTransport): SocketAddress =>
  transport.getExtraInfo("sockname") as SocketAddress;

const receiver = () => createDatagramEndpoint(() => new Inbox(), { localAddr: [LOCALHOST, 0] });

describe("a datagram endpoint", () => {
  testProgram(
    "sends and receives [SelectorDatagramTransportTests.test_read_ready] [EventLoopTestsMixin.test_create_datagram_endpoint] [ProtocolsAbsTests.test_datagram_protocol] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_ip_addr]",
    async () => {
      const [server, inbox] = await receiver();
      const { address, port } = addressOf(server);
      const [client, answers] = await createDatagramEndpoint(() => new Inbox(), {
        remoteAddr: [address, port],
      });
      assert.equal(answers.transport, client);
      assert.deepEqual(client.getExtraInfo("peername"), { address, port, family: "IPv4" });
      client.sendto(bytes("question"));
      await inbox.has(1);
      assert.deepEqual(inbox.received, ["question"]);
      assert.equal(inbox.froms[0]?.port, addressOf(client).port);
      server.sendto(bytes("answer"), inbox.froms[0]);
      await answers.has(1);
      assert.deepEqual(answers.received, ["answer"]);
      assert.deepEqual(answers.froms, [{ address, port, family: "IPv4" }]);
      client.close();
      assert.equal(client.isClosing(), true);
      assert.equal(await answers.lost, null);
      server.abort();
      assert.equal(await inbox.lost, null);
    },
  );

  testProgram(
    "keeps empty datagrams [SelectorDatagramTransportTests.test_sendto_no_data] [SelectorDatagramTransportTests.test_sendto_buffer_nodata]",
    async () => {
      const [server, inbox] = await receiver();
      const [client] = await createDatagramEndpoint(() => ({}), { family: 4 });
      const to = addressOf(server);
      for (const data of ["one", "", "three"]) client.sendto(bytes(data), to);
      await inbox.has(3);
      // In whatever order: nothing guarantees that.
      assert.deepEqual(inbox.received.sort(), ["", "one", "three"]);
      client.close();
      server.close();
      await inbox.lost;
    },
  );

  testProgram(
    "takes a socket that is bound [EventLoopTestsMixin.test_create_datagram_endpoint_sock]",
    async () => {
      const sock = createSocket("udp4");
      const bound = new Future<void>();
      sock.bind(0, LOCALHOST, () => bound.setResult());
      await bound;
      const [transport, inbox] = await createDatagramEndpoint(() => new Inbox(), { sock });
      assert.equal(transport.getExtraInfo("socket"), sock);
      transport.sendto(bytes("to myself"), addressOf(transport));
      await inbox.has(1);
      transport.close();
      await inbox.lost;
    },
  );

  testProgram("sends over IPv6 [EventLoopTestsMixin.test_create_datagram_endpoint_ipv6]", async () => {
    const [server, inbox] = await createDatagramEndpoint(() => new Inbox(), { localAddr: ["::1", 0] });
    const { address, port, family } = addressOf(server);
    assert.deepEqual([address, family], ["::1", "IPv6"]);
    const [client] = await createDatagramEndpoint(() => ({}), { remoteAddr: [address, port] });
    client.sendto(bytes("six"));
    await inbox.has(1);
    assert.deepEqual(inbox.received, ["six"]);
    assert.deepEqual(inbox.froms, [{ address: "::1", port: addressOf(client).port, family: "IPv6" }]);
    client.close();
    server.close();
    await inbox.lost;
  });

  testProgram(
    "hears of a port that nobody listens on, and goes on [EventLoopTestsMixin.test_datagram_send_to_non_listening_address] [SelectorDatagramTransportTests.test_read_ready_oserr] [SelectorDatagramTransportTests.test_sendto_error_received_connected]",
    async () => {
      const [server, gone] = await receiver();
      const { address, port } = addressOf(server);
      server.close();
      await gone.lost;
      const [client, inbox] = await createDatagramEndpoint(() => new Inbox(), {
        remoteAddr: [address, port],
      });
      client.sendto(bytes("nobody"));
      if (hostName === "deno") {
        // It does not tell. When the datagram has been sent it has come to the port, where nobody is: not before.
        while (client.getWriteBufferSize() > 0) await sleep(0.001);
        await sleep(0.02);
      } else await inbox.has(1);
      for (const error of inbox.errors) assert.equal((error as { code: string }).code, "ECONNREFUSED");
      assert.equal(inbox.errors.length, hostName === "deno" ? 0 : 1);
      assert.equal(client.isClosing(), false);
      // Somebody does now.
      const [, later] = await createDatagramEndpoint(() => new Inbox(), { localAddr: [address, port] });
      client.sendto(bytes("somebody"));
      await later.has(1);
      assert.deepEqual(later.received, ["somebody"]);
      later.transport?.close();
      client.close();
      assert.equal(await inbox.lost, null);
    },
  );

  testProgram(
    "without a peer is not harmed by a port that nobody listens on [SelectorDatagramTransportTests.test_sendto_error_received]",
    async () => {
      const [server, gone] = await receiver();
      const nobody = addressOf(server);
      server.close();
      await gone.lost;
      const [client, inbox] = await receiver();
      client.sendto(bytes("nobody"), nobody);
      client.sendto(bytes("myself"), addressOf(client));
      await inbox.has(1);
      if (inbox.received.length === 0) {
        // Bun does tell, in place of sending what comes next, if it has heard of it by then.
        assert.equal(hostName, "bun");
        assert.equal((inbox.errors[0] as { code: string }).code, "ECONNREFUSED");
        client.sendto(bytes("myself"), addressOf(client));
        await inbox.has(2);
      }
      assert.deepEqual(inbox.received, ["myself"]);
      assert.equal(client.isClosing(), false);
      client.close();
      assert.equal(await inbox.lost, null);
    },
  );

  testProgram("tells its protocol what could not be sent, and goes on", async () => {
    const [client, inbox] = await receiver();
    // More than a datagram can be.
    client.sendto(new Uint8Array(70_000), addressOf(client));
    client.sendto(bytes("small"), addressOf(client));
    await inbox.has(2);
    assert.equal((inbox.errors[0] as { code: string }).code, "EMSGSIZE");
    assert.deepEqual(inbox.received, ["small"]);
    assert.equal(client.getWriteBufferSize(), 0);
    client.close();
    assert.equal(await inbox.lost, null);
  });

  testProgram(
    "sends bytes of any array, as they were when they were given [SelectorDatagramTransportTests.test_sendto] [SelectorDatagramTransportTests.test_sendto_bytearray] [SelectorDatagramTransportTests.test_sendto_memoryview] [SelectorDatagramTransportTests.test_sendto_buffer] [SelectorDatagramTransportTests.test_sendto_buffer_bytearray] [SelectorDatagramTransportTests.test_sendto_buffer_memoryview]",
    async () => {
      const [server, inbox] = await receiver();
      const [client] = await createDatagramEndpoint(() => ({}), { family: 4 });
      const arrays = [bytes("one"), Buffer.from("two"), bytes("[three]").subarray(1, 6)];
      for (const array of arrays) {
        client.sendto(array, addressOf(server));
        // It may be used again: what has not left yet is a copy.
        array.fill(0);
      }
      await inbox.has(3);
      assert.deepEqual(inbox.received.sort(), ["one", "three", "two"]);
      client.close();
      server.close();
      await inbox.lost;
    },
  );

  testProgram("goes on after its protocol has failed", async () => {
    const noted = noteExceptions();
    const received: string[] = [];
    const done = new Future<void>();
    const [transport] = await createDatagramEndpoint(
      () => ({
        datagramReceived: (data: Uint8Array) => {
          received.push(text(data));
          if (received.length === 2) done.setResult();
          throw new RangeError("broken");
        },
      }),
      { localAddr: [LOCALHOST, 0] },
    );
    for (const data of ["1", "2"]) transport.sendto(bytes(data), addressOf(transport));
    await done;
    await sleep(0);
    assert.deepEqual(received.sort(), ["1", "2"]);
    assert.equal(noted.length, 2);
    transport.close();
    assert.match(show(transport), /datagram endpoint closing/);
  });

  testProgram(
    "sends before it is closed, and nothing afterwards [SelectorDatagramTransportTests.test_sendto_closing]",
    async () => {
      const [server, inbox] = await receiver();
      const { address, port } = addressOf(server);
      const [client] = await createDatagramEndpoint(() => ({}), { remoteAddr: [address, port] });
      client.sendto(bytes("last"));
      client.close();
      client.sendto(bytes("ignored"));
      client.close();
      await inbox.has(1);
      assert.deepEqual(inbox.received, ["last"]);
      server.close();
      await inbox.lost;
    },
  );

  testProgram(
    "sends to its peer only, when it has one [SelectorDatagramTransportTests.test_sendto_connected_addr] [SelectorDatagramTransportTests.test_sendto_str]",
    async () => {
      const [server, inbox] = await receiver();
      const { address, port } = addressOf(server);
      const [client] = await createDatagramEndpoint(() => ({}), { remoteAddr: [address, port] });
      client.sendto(bytes("explicit"), { address, port });
      const other = { address, port: port ^ 1 };
      assert.throws(() => client.sendto(bytes("x"), other), ValueError);
      assert.throws(() => client.sendto(bytes("x"), other), /cannot send to/);
      assert.throws(() => client.sendto("text" as never), ArgumentTypeError);
      assert.throws(() => server.sendto(bytes("x")), /an address has to be given/);
      await inbox.has(1);
      client.close();
      server.close();
    },
  );

  testProgram(
    "fails when its address is in use [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_cant_bind]",
    async () => {
      const [server] = await receiver();
      const { port } = addressOf(server);
      const error = await assert.rejects<{ code: string }>(
        createDatagramEndpoint(() => ({}), { localAddr: [LOCALHOST, port] }),
      );
      assert.equal(error.code, "EADDRINUSE");
      server.close();
    },
  );

  testProgram("refuses what is no address, and goes on", async () => {
    const [client, inbox] = await receiver();
    for (const port of [0, -1, 70_000])
      assert.throws(() => client.sendto(bytes("x"), { address: LOCALHOST, port }), ValueError);
    for (const to of [{}, 5, { address: 5, port: 5 }, { address: LOCALHOST, port: 1.5 }])
      assert.throws(() => client.sendto(bytes("x"), to as never), ArgumentTypeError);
    assert.equal(client.getWriteBufferSize(), 0);
    client.close();
    assert.equal(await inbox.lost, null);
  });

  test("warns when it is sent to again and again after it was closed", async () => {
    const codes = await warningsOf(() =>
      run(async () => {
        const [client, inbox] = await receiver();
        const to = addressOf(client);
        client.close();
        for (let count = 0; count < 6; count++) client.sendto(bytes("ignored"), to);
        assert.equal(client.getWriteBufferSize(), 0);
        assert.equal(await inbox.lost, null);
      }),
    );
    assert.deepEqual(codes, ["CORIO_WRITE_AFTER_CLOSE"]);
  });

  testProgram(
    "broadcasts when it is allowed to, and not otherwise [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_allow_broadcast] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sockopts]",
    async () => {
      const [everybody, inbox] = await createDatagramEndpoint(() => new Inbox(), {
        localAddr: ["0.0.0.0", 0],
      });
      const to = { address: "127.255.255.255", port: addressOf(everybody).port };
      // One socket for the port, unless another is wanted.
      const error = await assert.rejects<{ code: string }>(
        createDatagramEndpoint(() => ({}), { localAddr: ["0.0.0.0", to.port] }),
      );
      assert.equal(error.code, "EADDRINUSE");

      const [quiet, refusals] = await createDatagramEndpoint(() => new Inbox(), {
        localAddr: [LOCALHOST, 0],
      });
      quiet.sendto(bytes("forbidden"), to);
      await refusals.has(1);
      // Deno does not know the code.
      assert.match((refusals.errors[0] as { code: string }).code, /^(EACCES|UNKNOWN)$/);
      const [loud] = await createDatagramEndpoint(() => ({}), {
        localAddr: [LOCALHOST, 0],
        allowBroadcast: true,
      });
      loud.sendto(bytes("to everybody"), to);
      await inbox.has(1);
      assert.deepEqual(inbox.received, ["to everybody"]);
      assert.equal(loud.getExtraInfo("unknown"), null);
      for (const transport of [everybody, quiet, loud]) transport.close();
      await inbox.lost;
    },
  );

  testProgram(
    "shares its port when that is wanted, or says that the host cannot [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sockopts] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_nosoreuseport]",
    async () => {
      const open = (port: number) =>
        createDatagramEndpoint(() => new Inbox(), { localAddr: [LOCALHOST, port], reusePort: true });
      if (hostName === "deno" || process.versions.node.startsWith("20.")) {
        assert.throws(() => open(0), ValueError);
        return;
      }
      const [first] = await open(0);
      const [second] = await open(addressOf(first).port);
      assert.equal(addressOf(second).port, addressOf(first).port);
      first.close();
      second.close();
    },
  );

  testProgram(
    "fails when it cannot be connected, or its name is not found [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_connect_err] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_no_addrinfo]",
    async () => {
      const before = openDescriptors();
      // An address that means nothing without a network card. Deno connects nothing, so it does not find out.
      if (hostName !== "deno") {
        const error = await assert.rejects<Error>(
          createDatagramEndpoint(() => ({}), { remoteAddr: ["fe80::1", 9] }),
        );
        assert.match(error.message, /connect/);
      }
      await assert.rejects(createDatagramEndpoint(() => ({}), { remoteAddr: [LOCALHOST, 0] }));
      const unknown = await assert.rejects<{ syscall: string }>(
        createDatagramEndpoint(() => ({}), { localAddr: ["nowhere.invalid", 0] }),
      );
      assert.equal(unknown.syscall, "getaddrinfo");
      await until(descriptorsDownTo(before));
    },
  );

  test("fails when the system has no more sockets [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_socket_err]", async () => {
    const { stdout, stderr } = await runProgram(
      `
      import { openSync } from "node:fs";
      import { run } from "corio";
      import { createDatagramEndpoint } from "corio/streams";
      await run(async () => {
        try { for (;;) openSync("/dev/null", "r"); } catch { /* That was the last one. */ }
        for (const options of [{ family: 4 }, { localAddr: ["127.0.0.1", 0] }]) {
          try { await createDatagramEndpoint(() => ({}), options); } catch (error) { console.log(error.code); }
        }
      });
      process.exit();
    `,
      { under: ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh"] },
    );
    assert.deepEqual(stdout, ["EMFILE", "EMFILE"], stderr);
  });

  testProgram("that is cancelled leaves no socket", async () => {
    const opening = createTask(receiver());
    await sleep(0);
    opening.cancel();
    await assert.rejects(opening, CancelledError);
  });

  test("checks its arguments at once [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_noaddr_nofamily] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_wrong_sock] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sock_sockopts] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_addr_error]", () => {
    assert.throws(() => createDatagramEndpoint(() => ({})), ValueError);
    assert.throws(
      () => createDatagramEndpoint(() => ({}), { localAddr: "localhost" as never }),
      ArgumentTypeError,
    );
    assert.throws(
      () => createDatagramEndpoint(() => ({}), { localAddr: [LOCALHOST] as never }),
      ArgumentTypeError,
    );
    assert.throws(() => createDatagramEndpoint(() => ({}), { sock: {} as never }), ArgumentTypeError);
    assert.throws(() => createDatagramEndpoint(() => ({}), { sock: {} as never, family: 4 }), ValueError);
    assert.throws(
      () => createDatagramEndpoint(() => ({}), { sock: {} as never, reusePort: true }),
      ValueError,
    );
    assert.throws(() => createDatagramEndpoint(5 as never, { family: 4 }), ArgumentTypeError);
  });

  test("needs ends of one family [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_no_matching_family]", () =>
    run(async () => {
      await assert.rejects(
        createDatagramEndpoint(() => ({}), { localAddr: [LOCALHOST, 0], remoteAddr: ["::1", 1] }),
        /no family in common/,
      );
    }));
});
