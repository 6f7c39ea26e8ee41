// What a transport over a socket does, step by step. Its peer is a socket of the host's, which receives nothing until a
// test lets it: so bytes stay where the test wants them.
import { createServer as createNetServer } from "node:net";
import type { Socket } from "node:net";
import { ArgumentTypeError, Future, run, RuntimeError, sleep } from "corio";
import { createConnection } from "corio/streams";
import type { BufferedProtocol, Protocol, Transport } from "corio/streams";
import { assert, describe, test } from "../support/harness.ts";
import { bytes, LOCALHOST, noteExceptions, Recorder, testProgram, text, warningsOf } from "./support/net.ts";

/** More than a connection takes before its peer reads. */
const MANY = 16 * 1024 * 1024;

/** Connects, and gives both ends. */
async function connect<P extends Protocol | BufferedProtocol>(
  factory: () => P,
): Promise<[transport: Transport, protocol: P, peer: Socket]> {
  const server = createNetServer({ allowHalfOpen: true, pauseOnConnect: true });
  const accepted = new Future<{ peer: Socket }>();
  server.once("connection", (peer) => {
    // Some tests reset the connection.
    peer.on("error", () => undefined);
    accepted.setResult({ peer });
  });
  const listening = new Future<void>();
  server.listen(0, LOCALHOST, () => listening.setResult());
  await listening;
  const { port } = server.address() as { port: number };
  const [transport, protocol] = await createConnection(factory, LOCALHOST, port);
  const { peer } = await accepted;
  server.close();
  return [transport, protocol, peer];
}

/** `Recorder`, for a protocol with a buffer of its own. */
class BufferedRecorder implements BufferedProtocol {
  readonly calls: string[] = [];
  received = "";
  readonly lost: Future<unknown> = new Future<unknown>();
  readonly ended: Future<void> = new Future<void>();
  staysOpen = false;
  readonly #buffer = new Uint8Array(100);

  getBuffer(sizeHint: number): Uint8Array {
    this.calls.push(sizeHint > 0 ? "getBuffer" : "getBuffer without a hint");
    return this.#buffer;
  }

  bufferUpdated(count: number): void {
    this.calls.push(`bufferUpdated ${count}`);
    this.received += text(this.#buffer.subarray(0, count));
  }

  eofReceived(): boolean {
    this.calls.push("eofReceived");
    this.ended.setResult();
    return this.staysOpen;
  }

  connectionLost(error: unknown): void {
    this.calls.push("connectionLost");
    this.lost.setResult(error);
  }
}

/** Closes the peer so that the connection is reset. */
async function reset(peer: Socket): Promise<void> {
  const closed = new Future<void>();
  peer.once("close", () => closed.setResult());
  peer.resetAndDestroy();
  await closed;
}

/** What was sent is at the other end, in the same machine, if nothing is in the way: for what must not happen then. */
async function arrived(): Promise<void> {
  await sleep(0.005);
}

/** What the other end receives until the end, which leaves that open for writing. */
async function everything(peer: Socket): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const ended = new Future<void>();
  peer.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  peer.once("end", () => ended.setResult());
  peer.resume();
  await ended;
  return Buffer.concat(chunks);
}

describe("a transport over a socket", () => {
  testProgram(
    "is closed once, however often it is asked to [SelectorTransportTests.test_close] [SelectorSocketTransportTests.test_write_eof_after_close]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      assert.equal(transport.isClosing(), false);
      transport.close();
      assert.equal(transport.isClosing(), true);
      assert.equal(transport.isReading(), false);
      transport.close();
      await sleep(0);
      transport.writeEof();
      assert.equal(await protocol.lost, null);
      transport.close();
      transport.writeEof();
      await sleep(0);
      assert.deepEqual(protocol.calls, ["connectionMade", "connectionLost"]);
      peer.destroy();
    },
  );

  testProgram(
    "that is closed sends what it has before it is lost, and reads no more [SelectorTransportTests.test_close_write_buffer]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      transport.write(new Uint8Array(MANY));
      transport.close();
      assert.equal(transport.isReading(), false);
      assert.ok(transport.getWriteBufferSize() > 0);
      for (let turn = 0; turn < 5; turn++) await sleep(0);
      assert.equal(protocol.lost.done(), false);
      assert.equal((await everything(peer)).length, MANY);
      assert.equal(await protocol.lost, null);
      assert.equal(transport.getWriteBufferSize(), 0);
      peer.destroy();
    },
  );

  for (const [kind, factory] of [
    ["", () => new Recorder()],
    [" that is buffered", () => new BufferedRecorder()],
  ] as const) {
    testProgram(
      `tells its protocol${kind} by what it was lost, and nobody else [SelectorTransportTests.test_fatal_error] [SelectorTransportTests.test_connection_lost] [SelectorSocketTransportTests.test_read_ready_conn_reset] [SelectorSocketTransportTests.test_read_ready_err] [SelectorSocketTransportBufferedProtocolTests.test_read_ready_conn_reset] [SelectorSocketTransportBufferedProtocolTests.test_read_ready_err]`,
      async () => {
        const noted = noteExceptions();
        const [transport, protocol, peer] = await connect<Recorder | BufferedRecorder>(factory);
        await reset(peer);
        assert.equal(((await protocol.lost) as { code: string }).code, "ECONNRESET");
        assert.equal(transport.isClosing(), true);
        assert.equal((transport.getExtraInfo("socket") as Socket).destroyed, true);

        // Whatever it is.
        const [other, otherProtocol, otherPeer] = await connect<Recorder | BufferedRecorder>(factory);
        const error = new RangeError("an error of the host's");
        (other.getExtraInfo("socket") as Socket).destroy(error);
        assert.equal(await otherProtocol.lost, error);
        otherPeer.destroy();
        assert.deepEqual(noted, []);
      },
    );
  }

  const broken = new RangeError("broken");
  const fail = (): never => {
    throw broken;
  };
  const buffered = { getBuffer: () => new Uint8Array(10), bufferUpdated: () => undefined };
  const FAILING: readonly [where: string, protocol: Protocol | BufferedProtocol, empty?: true][] = [
    ["dataReceived", { dataReceived: fail }],
    ["eofReceived", { eofReceived: fail }],
    ["getBuffer", { ...buffered, getBuffer: fail, bufferUpdated: () => assert.fail("there is no buffer") }],
    [
      "an empty getBuffer",
      { getBuffer: () => new Uint8Array(0), bufferUpdated: () => assert.fail("there is no buffer") },
      true,
    ],
    ["bufferUpdated", { ...buffered, bufferUpdated: fail }],
    ["eofReceived of a buffered protocol", { ...buffered, eofReceived: fail }],
  ];
  testProgram(
    "whose protocol fails is lost by that, which is reported [SelectorTransportTests.test_fatal_error_custom_exception] [SelectorSocketTransportTests.test_data_received_error] [SelectorSocketTransportTests.test_read_eof_received_error] [SelectorSocketTransportBufferedProtocolTests.test_get_buffer_error] [SelectorSocketTransportBufferedProtocolTests.test_get_buffer_zerosized] [SelectorSocketTransportBufferedProtocolTests.test_buffer_updated_error] [SelectorSocketTransportBufferedProtocolTests.test_read_eof_received_error]",
    async () => {
      for (const [where, failing, isEmpty = false] of FAILING) {
        const noted = noteExceptions();
        const lost = new Future<unknown>();
        const [transport, protocol, peer] = await connect(() => ({
          ...failing,
          connectionLost: (error: unknown) => lost.setResult(error),
        }));
        peer.end("data");
        const error = await lost;
        if (isEmpty) assert.instanceOf(error, RuntimeError, where);
        else assert.equal(error, broken, where);
        assert.equal(noted.length, 1, where);
        assert.match(noted[0]?.message ?? "", /^Fatal error: /);
        assert.equal(noted[0]?.exception, error);
        assert.equal(noted[0]["transport"], transport);
        assert.equal(noted[0]["protocol"], protocol);
        assert.equal(transport.isClosing(), true);
        peer.destroy();
      }
    },
  );
});

describe("reading", () => {
  testProgram(
    "pauses and goes on, and is over with the connection [SelectorSocketTransportTests.test_pause_resume_reading]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      assert.equal(transport.isReading(), true);
      transport.pauseReading();
      transport.pauseReading();
      assert.equal(transport.isReading(), false);
      peer.write("data");
      await arrived();
      assert.equal(protocol.received, "");
      transport.resumeReading();
      transport.resumeReading();
      assert.equal(transport.isReading(), true);
      await protocol.has(4);
      transport.close();
      assert.equal(transport.isReading(), false);
      transport.resumeReading();
      assert.equal(transport.isReading(), false);
      await protocol.lost;
      peer.destroy();
    },
  );

  testProgram(
    "may be paused from the beginning [SelectorSocketTransportTests.test_pause_reading_connection_made]",
    async () => {
      const recorder = new Recorder();
      const [transport, , peer] = await connect(() => ({
        connectionMade: (made: Transport) => made.pauseReading(),
        dataReceived: (data: Uint8Array) => recorder.dataReceived(data),
        connectionLost: (error: unknown) => recorder.connectionLost(error),
      }));
      assert.equal(transport.isReading(), false);
      peer.write("data");
      await arrived();
      assert.equal(recorder.received, "");
      transport.resumeReading();
      assert.equal(transport.isReading(), true);
      await recorder.has(4);
      transport.close();
      assert.equal(transport.isReading(), false);
      await recorder.lost;
      peer.destroy();
    },
  );

  testProgram(
    "gives what arrives, and at its end closes the connection [SelectorSocketTransportTests.test_read_ready] [SelectorSocketTransportTests.test_read_ready_eof]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      peer.write("data");
      await protocol.has(4);
      assert.equal(protocol.received, "data");
      assert.equal(transport.isClosing(), false);
      peer.end();
      assert.equal(await protocol.lost, null);
      assert.deepEqual(protocol.calls, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
      peer.destroy();
    },
  );

  testProgram(
    "fills the buffer of a buffered protocol, and at its end closes the connection [SelectorSocketTransportBufferedProtocolTests.test_read_ready] [SelectorSocketTransportBufferedProtocolTests.test_read_ready_eof]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new BufferedRecorder());
      peer.end("0123456789");
      assert.equal(await protocol.lost, null);
      assert.equal(protocol.received, "0123456789");
      assert.deepEqual(protocol.calls, ["getBuffer", "bufferUpdated 10", "eofReceived", "connectionLost"]);
      assert.equal(transport.isClosing(), true);
      peer.destroy();
    },
  );

  for (const [kind, factory] of [
    ["", () => new Recorder()],
    [" that is buffered", () => new BufferedRecorder()],
  ] as const) {
    testProgram(
      `ends, and writing does not, for a protocol${kind} and wants that [SelectorSocketTransportTests.test_read_ready_eof_keep_open] [SelectorSocketTransportBufferedProtocolTests.test_read_ready_eof_keep_open]`,
      async () => {
        const [transport, protocol, peer] = await connect<Recorder | BufferedRecorder>(() => {
          const made = factory();
          made.staysOpen = true;
          return made;
        });
        peer.end();
        await protocol.ended;
        await sleep(0);
        assert.equal(transport.isClosing(), false);
        assert.equal(protocol.lost.done(), false);
        transport.write(bytes("answer"));
        transport.close();
        assert.equal(text(await everything(peer)), "answer");
        assert.equal(await protocol.lost, null);
        peer.destroy();
      },
    );
  }

  testProgram(
    "goes on with a protocol of the other kind [SelectorSocketTransportBufferedProtocolTests.test_proto_type_switch]",
    async () => {
      const [transport, first, peer] = await connect(() => new Recorder());
      peer.write("one");
      await first.has(3);
      const second = new BufferedRecorder();
      transport.setProtocol(second);
      peer.write("second");
      while (second.received.length < 6) await sleep(0.001);
      const third = new Recorder();
      transport.setProtocol(third);
      peer.end("third");
      assert.equal(await third.lost, null);
      assert.deepEqual([first.received, second.received, third.received], ["one", "second", "third"]);
      assert.deepEqual(first.calls, ["connectionMade", "dataReceived"]);
      assert.ok(!second.calls.includes("connectionLost"));
      peer.destroy();
    },
  );
});

describe("writing", () => {
  testProgram(
    "sends bytes of any array, and leaves the array as it was [SelectorSocketTransportTests.test_write] [SelectorSocketTransportTests.test_write_bytearray] [SelectorSocketTransportTests.test_write_memoryview]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      const arrays = [bytes("one "), Buffer.from("two "), bytes("[three]").subarray(1, 6)];
      for (const array of arrays) transport.write(array);
      transport.close();
      assert.equal(text(await everything(peer)), "one two three");
      assert.deepEqual(arrays.map(text), ["one ", "two ", "three"]);
      await protocol.lost;
      peer.destroy();
    },
  );

  testProgram("takes nothing but bytes [SelectorSocketTransportTests.test_write_str]", async () => {
    const [transport, protocol, peer] = await connect(() => new Recorder());
    for (const data of ["text", 5, null, [1, 2], new ArrayBuffer(1)])
      assert.throws(() => transport.write(data as never), ArgumentTypeError);
    // That does not harm the connection.
    transport.write(bytes("bytes"));
    transport.close();
    assert.equal(text(await everything(peer)), "bytes");
    await protocol.lost;
    peer.destroy();
  });

  testProgram(
    "keeps the order behind what waits to be sent; nothing stays nothing [SelectorSocketTransportTests.test_write_no_data] [SelectorSocketTransportTests.test_write_buffer]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      transport.write(new Uint8Array(MANY));
      const size = transport.getWriteBufferSize();
      assert.ok(size > 0);
      transport.write(new Uint8Array(0));
      assert.equal(transport.getWriteBufferSize(), size);
      transport.write(bytes("data1"));
      transport.write(bytes("data2"));
      assert.equal(transport.getWriteBufferSize(), size + 10);
      transport.close();
      const received = await everything(peer);
      assert.equal(received.length, MANY + 10);
      assert.equal(text(received.subarray(MANY)), "data1data2");
      await protocol.lost;
      peer.destroy();
    },
  );

  testProgram(
    "several arrays asks the protocol to pause as well [SelectorSocketTransportTests.test_writelines_pauses_protocol]",
    async () => {
      const calls: string[] = [];
      const lost = new Future<unknown>();
      const [transport, , peer] = await connect(() => ({
        pauseWriting: () => calls.push("pause"),
        resumeWriting: () => calls.push("resume"),
        connectionLost: (error: unknown) => lost.setResult(error),
      }));
      transport.setWriteBufferLimits({ high: 1 });
      transport.writelines([new Uint8Array(MANY / 2), new Uint8Array(MANY / 2)]);
      // In the very call.
      assert.deepEqual(calls, ["pause"]);
      assert.ok(transport.getWriteBufferSize() > 0);
      transport.close();
      assert.equal((await everything(peer)).length, MANY);
      assert.equal(await lost, null);
      peer.destroy();
    },
  );

  test("to a connection that fails loses it; afterwards it does nothing, with a warning [SelectorSocketTransportTests.test_write_exception] [SelectorSocketTransportTests.test_writelines_after_connection_lost]", async () => {
    const codes = await warningsOf(() =>
      run(async () => {
        const noted = noteExceptions();
        const [transport, protocol, peer] = await connect(() => new Recorder());
        // Who does not read sees only when it writes that the peer is gone.
        transport.pauseReading();
        await reset(peer);
        // The first may be on its way before the reset has come.
        while (!transport.isClosing()) {
          transport.write(bytes("data1"));
          transport.writelines([bytes("data2")]);
          await sleep(0.001);
        }
        assert.match(((await protocol.lost) as { code: string }).code, /^(ECONNRESET|EPIPE)$/);
        for (let count = 0; count < 4; count++) transport.write(bytes("data"));
        assert.equal(transport.getWriteBufferSize(), 0);
        transport.writelines([bytes("data")]);
        assert.equal(transport.getWriteBufferSize(), 0);
        await sleep(0);
        assert.deepEqual(protocol.calls, ["connectionMade", "connectionLost"]);
        assert.deepEqual(noted, []);
      }),
    );
    assert.deepEqual(codes, ["CORIO_WRITE_AFTER_CLOSE"]);
  });

  testProgram(
    "to a closed connection does nothing [SelectorSocketTransportTests.test_write_closing]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      transport.write(bytes("before"));
      transport.close();
      transport.write(bytes("ignored"));
      assert.equal(text(await everything(peer)), "before");
      assert.equal(await protocol.lost, null);
      peer.destroy();
    },
  );

  testProgram(
    "can be ended, once; reading goes on [SelectorSocketTransportTests.test_write_eof]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      assert.equal(transport.canWriteEof(), true);
      transport.write(bytes("question"));
      transport.writeEof();
      transport.writeEof();
      assert.throws(() => transport.write(bytes("more")), RuntimeError);
      assert.equal(text(await everything(peer)), "question");
      assert.equal(transport.isClosing(), false);
      peer.write("answer");
      await protocol.has(6);
      transport.close();
      assert.equal(await protocol.lost, null);
      peer.destroy();
    },
  );

  testProgram(
    "is ended behind what waits to be sent [SelectorSocketTransportTests.test_write_eof_buffer]",
    async () => {
      const [transport, protocol, peer] = await connect(() => new Recorder());
      let isEnded = false;
      peer.once("end", () => (isEnded = true));
      transport.write(new Uint8Array(MANY));
      transport.writeEof();
      assert.ok(transport.getWriteBufferSize() > 0);
      await arrived();
      assert.equal(isEnded, false);
      assert.equal((await everything(peer)).length, MANY);
      assert.equal(transport.isClosing(), false);
      transport.close();
      assert.equal(await protocol.lost, null);
      peer.destroy();
    },
  );
});
