import { createSocket } from "node:dgram";
import { ArgumentTypeError, CancelledError, createTask, Future, run, sleep, ValueError } from "corio";
import { createDatagramEndpoint } from "corio/streams";
import type { DatagramProtocol, DatagramTransport, SocketAddress } from "corio/streams";
import { assert, describe, test } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import { bytes, LOCALHOST, noteExceptions, testProgram, text } from "./support/net.ts";

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
    "sends and receives [EventLoopTestsMixin.test_create_datagram_endpoint] [ProtocolsAbsTests.test_datagram_protocol] [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_ip_addr]",
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

  testProgram("keeps empty datagrams", async () => {
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
  });

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

  testProgram(
    "hears of a port that nobody listens on [EventLoopTestsMixin.test_datagram_send_to_non_listening_address]",
    async () => {
      const [server, gone] = await receiver();
      const { address, port } = addressOf(server);
      server.close();
      await gone.lost;
      const [client, inbox] = await createDatagramEndpoint(() => new Inbox(), {
        remoteAddr: [address, port],
      });
      client.sendto(bytes("nobody"));
      // Not every system tells; where it does the endpoint goes on.
      await sleep(0.02);
      for (const error of inbox.errors) assert.equal((error as { code: string }).code, "ECONNREFUSED");
      assert.equal(client.isClosing(), false);
      client.close();
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

  testProgram("sends before it is closed, and nothing afterwards", async () => {
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
  });

  testProgram("sends to its peer only, when it has one", async () => {
    const [server, inbox] = await receiver();
    const { address, port } = addressOf(server);
    const [client] = await createDatagramEndpoint(() => ({}), { remoteAddr: [address, port] });
    client.sendto(bytes("explicit"), { address, port });
    assert.throws(() => client.sendto(bytes("x"), { address, port: port ^ 1 }), /cannot send to/);
    assert.throws(() => client.sendto("text" as never), ArgumentTypeError);
    assert.throws(() => server.sendto(bytes("x")), /an address has to be given/);
    await inbox.has(1);
    client.close();
    server.close();
  });

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

  testProgram(
    "may broadcast [BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_allow_broadcast]",
    async () => {
      const [transport] = await createDatagramEndpoint(() => ({}), {
        localAddr: [LOCALHOST, 0],
        allowBroadcast: true,
      });
      assert.equal(transport.getExtraInfo("unknown"), null);
      transport.close();
    },
  );

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
