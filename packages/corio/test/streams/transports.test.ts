// The layer of callbacks: transports and protocols.
import { Socket } from "node:net";
import { createTask, Event, Future, getRunningLoop, run, RuntimeError, sleep, ValueError } from "corio";
import {
  connectAcceptedSocket,
  createConnection,
  createServer,
  openConnection,
  startServer,
} from "corio/streams";
import type { BaseTransport, BufferedProtocol, Protocol, Transport } from "corio/streams";
import { FlowControl } from "../../src/streams/flow-control.ts";
import { assert, describe, test } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import {
  bytes,
  closeAfterClient,
  LOCALHOST,
  noteExceptions,
  Recorder,
  testProgram,
  text,
} from "./support/net.ts";

const MANY = 8 * 1024 * 1024;

describe("the marks of a write buffer", () => {
  test("have defaults, and depend on each other [TransportTests.test_flowcontrol_mixin_set_write_limits]", () =>
    run(() => {
      const flow = new FlowControl(getRunningLoop(), { getProtocol: () => ({}) } as unknown as BaseTransport);
      assert.deepEqual(flow.limits, { low: 16_384, high: 65_536 });
      flow.setLimits({ high: 1024 });
      assert.deepEqual(flow.limits, { low: 256, high: 1024 });
      flow.setLimits({ low: 100 });
      assert.deepEqual(flow.limits, { low: 100, high: 400 });
      flow.setLimits({ high: 1024, low: 128 });
      assert.deepEqual(flow.limits, { low: 128, high: 1024 });
      flow.setLimits();
      assert.deepEqual(flow.limits, { low: 16_384, high: 65_536 });
      for (const limits of [{ high: 0, low: 1 }, { high: -1 }, { low: -1 }, { high: NaN }])
        assert.throws(() => flow.setLimits(limits), ValueError);
      assert.throws(() => flow.setLimits(5 as never), /expects an object with low and high/);
      return Promise.resolve();
    }));

  test("are passed strictly upwards, and reached downwards", () =>
    run(() => {
      const calls: string[] = [];
      const protocol: Protocol = {
        pauseWriting: () => calls.push("pause"),
        resumeWriting: () => calls.push("resume"),
      };
      const flow = new FlowControl(getRunningLoop(), { getProtocol: () => protocol } as BaseTransport);
      flow.setLimits({ high: 10, low: 5 });
      flow.pauseAbove(10);
      assert.deepEqual(calls, []);
      flow.pauseAbove(11);
      flow.pauseAbove(12);
      flow.resumeBelow(6);
      assert.deepEqual(calls, ["pause"]);
      flow.resumeBelow(5);
      flow.resumeBelow(0);
      assert.deepEqual(calls, ["pause", "resume"]);
      return Promise.resolve();
    }));

  test("report a protocol that fails", () =>
    run(() => {
      const noted = noteExceptions();
      const protocol: Protocol = {
        pauseWriting: () => {
          throw new RangeError("broken");
        },
      };
      const flow = new FlowControl(getRunningLoop(), { getProtocol: () => protocol } as BaseTransport);
      flow.pauseAbove(100_000);
      assert.equal(noted[0]?.message, "protocol.pauseWriting() failed");
      assert.equal(noted[0]["protocol"], protocol);
      return Promise.resolve();
    }));
});

describe("a protocol", () => {
  testProgram(
    "need not have any method [ProtocolsAbsTests.test_base_protocol] [ProtocolsAbsTests.test_protocol]",
    async () => {
      await using server = await startServer(
        (_reader, writer) => {
          writer.write("ignored");
          writer.close();
        },
        LOCALHOST,
        0,
      );
      const [transport] = await createConnection(() => ({}), LOCALHOST, server.port);
      while (!transport.isClosing()) await sleep(0.001);
      // Its peer has ended, and as nobody says otherwise so does it.
    },
  );

  testProgram(
    "may bring its own buffer [ProtocolsAbsTests.test_buffered_protocol] [BaseTestBufferedProtocol.test_buffered_proto_create_connection]",
    async () => {
      const noise = new Uint8Array(100_000).map((_, index) => index & 0xff);
      await using server = await startServer(
        async (_reader, writer) => {
          writer.write(noise);
          await writer.drain();
          writer.close();
        },
        LOCALHOST,
        0,
      );
      const buffer = new Uint8Array(1000);
      const parts: Uint8Array[] = [];
      const lost = new Future<unknown>();
      const protocol: BufferedProtocol = {
        getBuffer: (sizeHint) => {
          assert.ok(sizeHint > 0);
          return buffer;
        },
        bufferUpdated: (count) => void parts.push(buffer.slice(0, count)),
        eofReceived: () => undefined,
        connectionLost: (error) => lost.setResult(error),
      };
      await createConnection(() => protocol, LOCALHOST, server.port);
      assert.equal(await lost, null);
      assert.deepEqual(Buffer.concat(parts).equals(noise), true);
    },
  );

  testProgram("whose buffer is empty loses its connection [BaseStartTLS.test_buf_feed_data]", async () => {
    const noted = noteExceptions();
    await using server = await startServer((_reader, writer) => writer.write("data"), LOCALHOST, 0);
    const lost = new Future<unknown>();
    await createConnection(
      () => ({
        getBuffer: () => new Uint8Array(0),
        bufferUpdated: () => undefined,
        connectionLost: (error) => lost.setResult(error),
      }),
      LOCALHOST,
      server.port,
    );
    assert.instanceOf(await lost, RuntimeError);
    assert.match(noted[0]?.message ?? "", /failed to receive data/);
    server.closeClients();
  });

  testProgram("that fails loses its connection, and is reported", async () => {
    for (const failing of ["dataReceived", "eofReceived"] as const) {
      const noted = noteExceptions();
      await using server = await startServer(
        (_reader, writer) => {
          writer.write("data");
          writer.close();
        },
        LOCALHOST,
        0,
      );
      const lost = new Future<unknown>();
      await createConnection(
        () => ({
          [failing]: () => {
            throw new RangeError(failing);
          },
          connectionLost: (error: unknown) => lost.setResult(error),
        }),
        LOCALHOST,
        server.port,
      );
      assert.instanceOf(await lost, RangeError);
      assert.equal(noted.length, 1);
      assert.instanceOf(noted[0]?.exception, RangeError);
    }
  });

  testProgram("that fails when it is connected is reported, and stays connected", async () => {
    const noted = noteExceptions();
    await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
    const lost = new Future<unknown>();
    await createConnection(
      () => ({
        connectionMade: () => {
          throw new RangeError("connectionMade");
        },
        connectionLost: (error: unknown) => lost.setResult(error),
      }),
      LOCALHOST,
      server.port,
    );
    assert.equal(await lost, null);
    assert.instanceOf(noted[0]?.exception, RangeError);
  });

  testProgram("is called outside of any task, in the loop", async () => {
    const { currentTask } = await import("corio");
    const seen: unknown[] = [];
    await using server = await createServer(
      () => ({
        connectionMade: (transport: Transport) => {
          seen.push(currentTask(), getRunningLoop() === transport.getExtraInfo("loop", getRunningLoop()));
          transport.close();
        },
      }),
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port);
    await reader.read();
    writer.close();
    assert.deepEqual(seen, [null, true]);
  });

  testProgram("can be replaced", async () => {
    await using server = await startServer(
      async (reader, writer) => {
        writer.write(await reader.readline());
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const first = new Recorder();
    const second = new Recorder();
    const [transport] = await createConnection(() => first, LOCALHOST, server.port);
    transport.setProtocol(second);
    assert.equal(transport.getProtocol(), second);
    transport.write(bytes("line\n"));
    await second.lost;
    assert.deepEqual(first.calls, ["connectionMade"]);
    assert.equal(second.received, "line\n");
    assert.throws(() => transport.setProtocol(null as never), /setProtocol expects a protocol/);
  });

  testProgram("may stay half open", async () => {
    const protocol = new Recorder();
    protocol.staysOpen = true;
    await using server = await createServer(() => protocol, LOCALHOST, 0);
    const [reader, writer] = await openConnection(LOCALHOST, server.port);
    writer.write("question");
    writer.writeEof();
    await protocol.ended;
    assert.equal(protocol.transport?.isClosing(), false);
    assert.equal(protocol.transport.isReading(), false);
    protocol.transport.write(bytes("answer"));
    protocol.transport.writeEof();
    assert.equal(text(await reader.read()), "answer");
    writer.close();
    assert.equal(await protocol.lost, null);
  });
});

describe("a transport", () => {
  testProgram("is closing from the moment on in which it is lost", async () => {
    await using server = await startServer((reader) => reader.read(), LOCALHOST, 0);
    const [, writer] = await openConnection(LOCALHOST, server.port);
    const socket = writer.getExtraInfo("socket") as Socket;
    const seen: boolean[] = [];
    // The protocol hears of it later: the loop tells it.
    socket.once("close", () => seen.push(writer.isClosing()));
    socket.destroy();
    await writer.waitClosed();
    assert.deepEqual(seen, [true]);
    server.closeClients();
  });

  testProgram("is made known before it is lost, also when it was lost before", async () => {
    const protocol = new Recorder();
    await using server = await createServer(() => protocol, LOCALHOST, 0);
    // Before the loop has come to accept it.
    server.sockets[0]?.on("connection", (socket) => socket.destroy());
    const [, writer] = await openConnection(LOCALHOST, server.port);
    assert.equal(await protocol.lost, null);
    // Bun tells of the end, too.
    assert.deepEqual(
      protocol.calls.filter((call) => call !== "eofReceived"),
      ["connectionMade", "connectionLost"],
    );
    writer.close();
  });

  testProgram("writes several arrays [TransportTests.test_writelines]", async () => {
    const protocol = new Recorder();
    await using server = await createServer(() => protocol, LOCALHOST, 0);
    const [transport] = await createConnection(() => ({}), LOCALHOST, server.port);
    transport.writelines([bytes("abc"), new Uint8Array(0), bytes("def")]);
    assert.throws(() => transport.writelines([bytes("x"), "y" as never]), /encode text/);
    transport.close();
    await protocol.lost;
    assert.equal(protocol.received, "abcdef");
  });

  testProgram(
    "says what is not known [TransportTests.test_ctor_extra_is_none] [TransportTests.test_get_extra_info]",
    async () => {
      await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
      const [transport, protocol] = await createConnection(() => new Recorder(), LOCALHOST, server.port);
      assert.equal(transport.getExtraInfo("unknown"), null);
      const missing = {};
      assert.equal(transport.getExtraInfo("unknown", missing), missing);
      assert.equal(transport.getExtraInfo("peercert"), null);
      await protocol.lost;
    },
  );

  testProgram("tells its protocol when to pause and to go on", async () => {
    const release = new Event();
    await using server = await startServer(
      async (reader, writer) => {
        await release.wait();
        await reader.read();
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const calls: string[] = [];
    const resumed = new Future<number>();
    const [transport] = await createConnection(
      () => ({
        pauseWriting: () => calls.push("pause"),
        resumeWriting: () => {
          calls.push("resume");
          resumed.setResult(transport.getWriteBufferSize());
        },
      }),
      LOCALHOST,
      server.port,
    );
    transport.setWriteBufferLimits({ high: 100_000, low: 50_000 });
    assert.deepEqual(transport.getWriteBufferLimits(), { high: 100_000, low: 50_000 });
    transport.write(bytes("small"));
    assert.deepEqual(calls, []);
    transport.write(new Uint8Array(MANY));
    // In the very call.
    assert.deepEqual(calls, ["pause"]);
    release.set();
    assert.ok((await resumed) <= 50_000);
    assert.deepEqual(calls, ["pause", "resume"]);
    transport.close();
  });

  testProgram("keeps no more memory for what is not taken than it needs", async () => {
    const given: Uint8Array[] = [];
    class Stuck extends Socket {
      override _write(): void {
        // Never calls back.
      }
      override write(chunk: Uint8Array | string): boolean {
        given.push(chunk as Uint8Array);
        return super.write(chunk);
      }
    }
    const [transport] = await connectAcceptedSocket(() => new Recorder(), new Stuck());
    for (let count = 0; count < 20; count++) {
      transport.write(bytes("one"));
      transport.write(bytes("two"));
      await sleep(0);
    }
    await sleep(0);
    assert.equal(given.map(text).join(""), "onetwo".repeat(20));
    assert.equal(transport.getWriteBufferSize(), 120);
    let size = 0;
    for (const memory of new Set(given.map(({ buffer }) => buffer))) size += memory.byteLength;
    // Hosts cut short arrays out of larger ones.
    assert.ok(size < 1024 * 1024, `${size} bytes`);
    transport.abort();
  });

  testProgram("is closed when what was written has lost its memory", async () => {
    const noted = noteExceptions();
    await using server = await startServer(closeAfterClient, LOCALHOST, 0);
    const [transport, protocol] = await createConnection(() => new Recorder(), LOCALHOST, server.port);
    const data = bytes("0123456789");
    transport.write(data.subarray(0, 5));
    transport.write(data.subarray(5));
    structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
    const error = await protocol.lost;
    assert.ok(error instanceof RuntimeError);
    assert.deepEqual(
      noted.map(({ exception }) => exception),
      [error],
    );
  });

  testProgram("pauses and goes on reading", async () => {
    const protocol = new Recorder();
    await using server = await createServer(() => protocol, LOCALHOST, 0);
    const [, writer] = await openConnection(LOCALHOST, server.port);
    const transport = await protocol.made;
    assert.equal(transport.isReading(), true);
    transport.pauseReading();
    transport.pauseReading();
    assert.equal(transport.isReading(), false);
    writer.write("data");
    await writer.drain();
    await sleep(0.01);
    assert.equal(protocol.received, "");
    transport.resumeReading();
    transport.resumeReading();
    await protocol.has(4);
    writer.close();
    await protocol.lost;
    assert.equal(transport.isReading(), false);
    transport.pauseReading();
    transport.resumeReading();
  });

  testProgram("paused inside of dataReceived holds back what it has", async () => {
    let count = 0;
    const first = new Future<Transport>();
    const all = new Future<void>();
    const protocol = {
      transport: undefined as Transport | undefined,
      connectionMade(transport: Transport) {
        this.transport = transport;
      },
      dataReceived(data: Uint8Array) {
        count += data.length;
        if (!first.done()) {
          this.transport?.pauseReading();
          first.setResult(this.transport as Transport);
        } else if (count === MANY) all.setResult();
      },
    };
    await using server = await createServer(() => protocol, LOCALHOST, 0);
    const [, writer] = await openConnection(LOCALHOST, server.port);
    writer.write(new Uint8Array(MANY));
    const transport = await first;
    const had = count;
    await sleep(0.01);
    assert.equal(count, had);
    transport.resumeReading();
    await all;
    writer.close();
  });

  testProgram("aborts at once [SelectorTransportTests.test_abort]", async () => {
    await using server = await startServer(closeAfterClient, LOCALHOST, 0);
    const [transport, protocol] = await createConnection(() => new Recorder(), LOCALHOST, server.port);
    transport.write(new Uint8Array(MANY));
    transport.abort();
    assert.equal(transport.isClosing(), true);
    // Not in the call itself.
    assert.equal(protocol.lost.done(), false);
    assert.equal(await protocol.lost, null);
    transport.abort();
    transport.close();
    assert.match(show(transport), /^<Transport connection closed/);
  });

  testProgram(
    "closed at once is closed once [SslProtoHandshakeTests.test_write_after_closing] [SslProtoHandshakeTests.test_data_received_after_closing]",
    async () => {
      await using server = await startServer(
        async (reader, writer) => {
          for (let count = 0; count < 3; count++) writer.write("data");
          // What the peer does not read any more may come back as an error.
          await reader.read().catch(() => undefined);
          writer.close();
        },
        LOCALHOST,
        0,
      );
      const [transport, protocol] = await createConnection(
        () => {
          const recorder = new Recorder();
          recorder.connectionMade = (made) => {
            recorder.calls.push("connectionMade");
            made.close();
          };
          return recorder;
        },
        LOCALHOST,
        server.port,
      );
      transport.close();
      transport.write(bytes("ignored"));
      assert.equal(await protocol.lost, null);
      assert.deepEqual(protocol.calls, ["connectionMade", "connectionLost"]);
    },
  );

  testProgram("hands over an error of the connection", async () => {
    await using server = await createServer(
      () => ({
        connectionMade: (transport: Transport) => {
          const socket = transport.getExtraInfo("socket") as {
            resetAndDestroy?: () => void;
            destroy(): void;
          };
          if (socket.resetAndDestroy === undefined) socket.destroy();
          else socket.resetAndDestroy();
        },
      }),
      LOCALHOST,
      0,
    );
    const [, protocol] = await createConnection(() => new Recorder(), LOCALHOST, server.port);
    const error = (await protocol.lost) as { code?: string } | null;
    if (error !== null) assert.match(error.code ?? "", /ECONNRESET|EPIPE/);
    assert.equal(protocol.calls.at(-1), "connectionLost");
  });
});

describe("a virtual clock", () => {
  test("waits for sockets for a while before it jumps", async () => {
    const { VirtualClock } = await import("corio/testing");
    await run(
      async () => {
        const begin = getRunningLoop().time();
        await using server = await startServer(
          async (reader, writer) => {
            writer.write(await reader.readline());
            writer.close();
          },
          LOCALHOST,
          0,
        );
        const far = createTask(sleep(1000));
        const [reader, writer] = await openConnection(LOCALHOST, server.port);
        writer.write("line\n");
        assert.equal(text(await reader.readline()), "line\n");
        // All this has taken no virtual time, although there was a timer to jump to.
        assert.equal(getRunningLoop().time(), begin);
        writer.close();
        far.cancel();
      },
      { clock: new VirtualClock({ foreignGrace: 10 }) },
    );
  });
});
