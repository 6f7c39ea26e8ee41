// Pipes, files, and the streams of others.
import { openSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import {
  ArgumentTypeError,
  createTask,
  Event,
  Future,
  run,
  RuntimeError,
  sleep,
  until,
  ValueError,
} from "corio";
import {
  connectReadPipe,
  connectWritePipe,
  createConnection,
  createDatagramEndpoint,
  fromNode,
  fromWeb,
  openConnection,
  sendfile,
  startServer,
  StreamReader,
  StreamReaderProtocol,
  toNode,
  toWeb,
} from "corio/streams";
import type { BaseTransport, StreamWriter, WriteTransport } from "corio/streams";
import { assert, describe, test, testOn } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import { runProgram } from "../support/program.ts";
import { onTerminal } from "../support/terminal.ts";
import { makeCertificate } from "./support/certificate.ts";
import {
  bytes,
  LOCALHOST,
  noteExceptions,
  Recorder,
  testProgram,
  text,
  warningsOf,
  withFolder,
} from "./support/net.ts";

describe("connectReadPipe", () => {
  testProgram(
    "reads from a stream until its end [EventLoopTestsMixin.test_read_pipe] [UnixReadPipeTransportTests.test__read_ready] [UnixReadPipeTransportTests.test__read_ready_eof]",
    async () => {
      const pipe = new PassThrough();
      const [transport, protocol] = await connectReadPipe(() => new Recorder(), pipe);
      assert.equal(transport.getExtraInfo("pipe"), pipe);
      pipe.write("one");
      await protocol.has(3);
      pipe.end("two");
      assert.equal(await protocol.lost, null);
      assert.equal(protocol.received, "onetwo");
      assert.deepEqual(protocol.calls, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
    },
  );

  testProgram(
    "pauses, goes on, and closes [UnixReadPipeTransportTests.test_pause_reading] [UnixReadPipeTransportTests.test_resume_reading] [UnixReadPipeTransportTests.test_close] [UnixReadPipeTransportTests.test_close_already_closing] [UnixReadPipeTransportTests.test_pause_reading_on_closed_pipe] [UnixReadPipeTransportTests.test_pause_reading_on_paused_pipe] [UnixReadPipeTransportTests.test_resume_reading_on_closed_pipe] [UnixReadPipeTransportTests.test_resume_reading_on_paused_pipe]",
    async () => {
      const pipe = new PassThrough();
      const [transport, protocol] = await connectReadPipe(() => new Recorder(), pipe);
      transport.pauseReading();
      transport.pauseReading();
      pipe.write("data");
      await sleep(0.002);
      assert.equal(protocol.received, "");
      transport.resumeReading();
      transport.resumeReading();
      await protocol.has(4);
      transport.close();
      transport.close();
      assert.equal(await protocol.lost, null);
      assert.equal(pipe.destroyed, true);
      transport.pauseReading();
      transport.resumeReading();
      assert.equal(transport.isReading(), false);
    },
  );

  testProgram(
    "hands over the stream's error [UnixReadPipeTransportTests.test__read_ready_error]",
    async () => {
      const pipe = new PassThrough();
      const [, protocol] = await connectReadPipe(() => new Recorder(), pipe);
      const error = new RangeError("broken pipe");
      pipe.destroy(error);
      assert.equal(await protocol.lost, error);
    },
  );

  testProgram("refuses objects", async () => {
    const noted = noteExceptions();
    const pipe = Readable.from([{ not: "bytes" }]);
    const [, protocol] = await connectReadPipe(() => new Recorder(), pipe);
    assert.instanceOf(await protocol.lost, ArgumentTypeError);
    assert.equal(noted.length, 1);
  });

  test("checks its arguments at once", () =>
    withFolder((folder) => {
      assert.throws(() => connectReadPipe(() => ({}), {} as never), ArgumentTypeError);
      assert.throws(() => connectWritePipe(() => ({}), new Readable() as never), ArgumentTypeError);
      assert.throws(() => connectReadPipe(5 as never, new PassThrough()), ArgumentTypeError);
      const path = join(folder, "file");
      writeFileSync(path, "text");
      assert.throws(() => connectReadPipe(() => ({}), openSync(path, "r")), ValueError);
      return Promise.resolve();
    }));
});

describe("connectWritePipe", () => {
  testProgram(
    "writes to a stream [EventLoopTestsMixin.test_write_pipe] [UnixWritePipeTransportTests.test_write] [UnixWritePipeTransportTests.test_write_no_data] [UnixWritePipeTransportTests.test_can_write_eof] [UnixWritePipeTransportTests.test_write_eof]",
    async () => {
      const pipe = new PassThrough();
      const protocol = {
        lost: new Future<unknown>(),
        connectionLost: (error: unknown) => protocol.lost.setResult(error),
      };
      const [transport] = await connectWritePipe(() => protocol, pipe);
      assert.equal(transport.canWriteEof(), true);
      transport.write(bytes("one"));
      transport.write(bytes(""));
      transport.writelines([bytes("two")]);
      transport.writeEof();
      assert.equal(await until(textOf(pipe)), "onetwo");
      transport.close();
      assert.equal(await protocol.lost, null);
    },
  );

  testProgram(
    "hears of the other end's loss [EventLoopTestsMixin.test_write_pipe_disconnect_on_close] [UnixWritePipeTransportTests.test_write_err] [UnixWritePipeTransportTests.test__call_connection_lost_with_err]",
    async () => {
      const error = new RangeError("EPIPE");
      const pipe = new Writable({ write: (_chunk, _encoding, done) => done(error) });
      const protocol = {
        lost: new Future<unknown>(),
        connectionLost: (thrown: unknown) => protocol.lost.setResult(thrown),
      };
      const [transport] = await connectWritePipe(() => protocol, pipe);
      transport.write(bytes("x"));
      assert.equal(await protocol.lost, error);
      assert.equal(transport.isClosing(), true);
    },
  );

  testProgram(
    "aborts [UnixWritePipeTransportTests.test_abort] [UnixWritePipeTransportTests.test_close]",
    async () => {
      const pipe = new Writable({ highWaterMark: 1, write: () => undefined });
      const protocol = {
        lost: new Future<unknown>(),
        connectionLost: (thrown: unknown) => protocol.lost.setResult(thrown),
      };
      const [transport] = await connectWritePipe(() => protocol, pipe);
      transport.write(new Uint8Array(100_000));
      assert.equal(transport.getWriteBufferSize(), 100_000);
      transport.close();
      assert.equal(protocol.lost.done(), false);
      transport.abort();
      assert.equal(await protocol.lost, null);
    },
  );

  /** A pipe that takes one write at a time, each when the test lets it. */
  class Slow extends Writable {
    readonly taken: string[] = [];
    isFinished = false;
    #done: (() => void) | null = null;

    constructor() {
      super({ highWaterMark: 1 });
      this.once("finish", () => (this.isFinished = true));
    }

    override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
      this.taken.push(text(chunk));
      this.#done = done;
    }

    let(): void {
      const done = this.#done;
      this.#done = null;
      done?.();
    }
  }

  testProgram(
    "keeps what the pipe does not take yet, and ends behind it [UnixWritePipeTransportTests.test_write_buffer] [UnixWritePipeTransportTests.test_write_eof_pending] [UnixWritePipeTransportTests.test_close_closing]",
    async () => {
      const pipe = new Slow();
      const lost = new Future<unknown>();
      const [transport] = await connectWritePipe(
        () => ({ connectionLost: (error: unknown) => lost.setResult(error) }),
        pipe,
      );
      transport.write(bytes("previous"));
      await sleep(0);
      transport.write(bytes("more"));
      transport.writeEof();
      assert.equal(transport.getWriteBufferSize(), 12);
      await sleep(0);
      assert.deepEqual(pipe.taken, ["previous"]);
      transport.close();
      transport.close();
      assert.equal(transport.isClosing(), true);
      pipe.let();
      while (pipe.taken.length < 2) await sleep(0);
      assert.deepEqual(pipe.taken, ["previous", "more"]);
      assert.equal(pipe.isFinished, false);
      assert.equal(lost.done(), false);
      pipe.let();
      assert.equal(await lost, null);
      assert.equal(pipe.isFinished, true);
      transport.close();
    },
  );

  test("writes nothing to a pipe that is gone, with a warning [UnixWritePipeTransportTests.test_write_close]", async () => {
    const codes = await warningsOf(() =>
      run(async () => {
        const pipe = new Slow();
        const lost = new Future<unknown>();
        const [transport] = await connectWritePipe(
          () => ({ connectionLost: (error: unknown) => lost.setResult(error) }),
          pipe,
        );
        pipe.destroy();
        assert.equal(await lost, null);
        for (let count = 0; count < 5; count++) transport.write(bytes("data"));
        assert.equal(transport.getWriteBufferSize(), 0);
        await sleep(0);
        assert.deepEqual(pipe.taken, []);
      }),
    );
    assert.deepEqual(codes, ["CORIO_WRITE_AFTER_CLOSE"]);
  });

  test("and connectReadPipe leave nothing open with the loop, and can be shown then [EventLoopTestsMixin.test_unclosed_pipe_transport]", async () => {
    const from = new PassThrough();
    const to = new Slow();
    const transports: BaseTransport[] = [];
    const codes = await warningsOf(() =>
      run(async () => {
        transports.push((await connectReadPipe(() => new Recorder(), from))[0]);
        transports.push((await connectWritePipe(() => ({}), to))[0]);
      }),
    );
    assert.deepEqual(codes, ["CORIO_UNCLOSED", "CORIO_UNCLOSED"]);
    assert.deepEqual([from.destroyed, to.destroyed], [true, true]);
    for (const transport of transports) {
      assert.equal(transport.isClosing(), true);
      assert.match(show(transport), /^<Transport pipe clos(ed|ing), 0 bytes buffered>$/);
    }
  });

  test("reads standard input, writes standard output", async () => {
    // The program's source comes by its standard input, whose rest is what it reads.
    const ended = await runProgram(`
      import process from "node:process";
      import { run } from "corio";
      import { connectReadPipe, fromNode, StreamReader, StreamReaderProtocol } from "corio/streams";
      await run(async () => {
        const reader = new StreamReader();
        await connectReadPipe(() => new StreamReaderProtocol(reader), process.stdin);
        const rest = await reader.read();
        const writer = fromNode(process.stdout);
        (Array.isArray(writer) ? writer[1] : writer).write("rest: " + rest.length + "\\n");
      });
    `);
    assert.deepEqual(ended.stdout, ["rest: 0"], ended.stderr);
  });
});

describe("a terminal", () => {
  test("can be read from and written to [EventLoopTestsMixin.test_read_pty_output] [EventLoopTestsMixin.test_write_pty] [EventLoopTestsMixin.test_bidirectional_pty]", async () => {
    const result = await onTerminal(
      `
      import { run } from "corio";
      import { connectReadPipe, connectWritePipe, StreamReader, StreamReaderProtocol } from "corio/streams";
      const encode = (text) => new TextEncoder().encode(text);
      await run(async () => {
        const reader = new StreamReader();
        const [input] = await connectReadPipe(() => new StreamReaderProtocol(reader), process.stdin);
        const [output] = await connectWritePipe(() => ({}), process.stdout);
        output.write(encode("terminals: " + process.stdin.isTTY + " " + process.stdout.isTTY + "\\n"));
        for (const prompt of ["first? ", "second? "]) {
          output.write(encode(prompt));
          const line = new TextDecoder().decode(await reader.readline());
          output.write(encode("[" + line.trimEnd() + "]\\n"));
        }
        output.write(encode("the end? "));
        const rest = await reader.read();
        output.write(encode("[" + rest.length + " bytes]\\n"));
        input.close();
      });
      process.exit();
    `,
      [
        ["first? ", "1\r"],
        ["second? ", "2345\r"],
        ["the end? ", "\u0004"],
      ],
    );
    // Where nothing makes a terminal there is none to read from.
    if (result === null) return;
    for (const line of ["terminals: true true", "[1]", "[2345]", "[0 bytes]"])
      assert.ok(result.output.includes(line), result.output);
    assert.equal(result.status, "0");
  });
});

describe("pipes that are descriptors", () => {
  testOn(["node"], "are opened by their numbers", async () => {
    const ended = await runProgram(`
      import { run } from "corio";
      import { connectWritePipe } from "corio/streams";
      await run(async () => {
        const lost = {};
        const [transport] = await connectWritePipe(() => ({ connectionLost: () => lost.resolve() }), 1);
        transport.write(new TextEncoder().encode("by its number\\n"));
        const promise = new Promise((resolve) => (lost.resolve = resolve));
        transport.close();
        await promise;
      });
    `);
    assert.deepEqual(ended.stdout, ["by its number"], ended.stderr);
  });
});

describe("sendfile", () => {
  const received = async (
    send: (transport: WriteTransport, writer: StreamWriter) => Promise<void>,
    tls = false,
  ) => {
    const certificate = makeCertificate("localhost");
    await using server = await startServer(
      async (_reader, writer) => {
        await send(writer.transport, writer);
        writer.close();
      },
      LOCALHOST,
      0,
      tls ? { ssl: certificate } : {},
    );
    const [reader, writer] = await openConnection(
      LOCALHOST,
      server.port,
      tls ? { ssl: { ca: certificate.cert }, serverHostname: "localhost" } : {},
    );
    const data = await reader.read();
    writer.close();
    return data;
  };

  /** A file of a megabyte and a bit. */
  const withFile = (work: (path: string, content: Buffer) => Promise<void>): Promise<void> =>
    withFolder(async (folder) => {
      const path = join(folder, "file");
      const content = Buffer.from(new Uint8Array(1024 * 1024 + 5).map((_, index) => index % 251));
      writeFileSync(path, content);
      await work(path, content);
    });

  testProgram("sends a file [SendfileMixin.test_sendfile] [SendfileMixin.test_sendfile_force_fallback]", () =>
    withFile(async (path, content) => {
      let count = 0;
      const data = await received(async (transport) => {
        count = await sendfile(transport, path);
      });
      assert.equal(count, content.length);
      assert.ok(content.equals(data));
    }),
  );

  testProgram(
    "sends a part of a file [SendfileMixin.test_sendfile_partial] [SockSendfileMixin.test_sendfile_offset]",
    () =>
      withFile(async (path, content) => {
        const data = await received(async (transport) => {
          const handle = await until(open(path));
          assert.equal(await sendfile(transport, handle, { offset: 1000, count: 500_000 }), 500_000);
          assert.equal(await sendfile(transport, handle, { offset: content.length, count: 5 }), 0);
          await until(handle.close());
        });
        assert.ok(content.subarray(1000, 501_000).equals(data));
      }),
  );

  testProgram(
    "sends over TLS, in its place among what is written [SendfileMixin.test_sendfile_ssl] [SendfileMixin.test_sendfile_ssl_pre_and_post_data] [SendfileMixin.test_sendfile_pre_and_post_data]",
    () =>
      withFile(async (path, content) => {
        for (const tls of [false, true]) {
          const data = await received(async (transport, writer) => {
            writer.write("before ");
            await sendfile(transport, path);
            writer.write(" after");
            await writer.drain();
          }, tls);
          assert.ok(Buffer.concat([bytes("before "), content, bytes(" after")]).equals(data));
        }
      }),
  );

  testProgram("sends a part over TLS [SendfileMixin.test_sendfile_ssl_partial]", () =>
    withFile(async (path, content) => {
      let count = 0;
      const data = await received(async (transport) => {
        count = await sendfile(transport, path, { offset: 1000, count: 100 });
      }, true);
      assert.equal(count, 100);
      assert.ok(content.subarray(1000, 1100).equals(data));
    }),
  );

  testProgram(
    "has sent all when the peer closes at its end [SendfileMixin.test_sendfile_close_peer_after_receiving] [SendfileMixin.test_sendfile_ssl_close_peer_after_receiving]",
    () =>
      withFile(async (path, content) => {
        const certificate = makeCertificate("localhost");
        for (const tls of [false, true]) {
          const chunks: Uint8Array[] = [];
          const closed = new Future<void>();
          await using server = await startServer(
            async (reader, writer) => {
              chunks.push(await reader.readexactly(content.length));
              writer.close();
              await writer.waitClosed();
              closed.setResult();
            },
            LOCALHOST,
            0,
            tls ? { ssl: certificate } : {},
          );
          const [transport, protocol] = await createConnection(
            () => new Recorder(),
            LOCALHOST,
            server.port,
            tls ? { ssl: { ca: certificate.cert }, serverHostname: "localhost" } : {},
          );
          assert.equal(await sendfile(transport, path), content.length);
          // It reads on, and so hears of the end.
          assert.equal(await protocol.lost, null);
          await closed;
          assert.ok(content.equals(Buffer.concat(chunks)));
        }
      }),
  );

  testProgram("is not for datagrams [SendfileMixin.test_sendfile_not_supported]", async () => {
    const lost = new Future<unknown>();
    const [transport] = await createDatagramEndpoint(
      () => ({ connectionLost: (error: unknown) => lost.setResult(error) }),
      { localAddr: [LOCALHOST, 0] },
    );
    assert.throws(
      () => sendfile(transport as never, "package.json"),
      /expects the transport of a connection/,
    );
    assert.equal(transport.getWriteBufferSize(), 0);
    transport.close();
    assert.equal(await lost, null);
  });

  testProgram("lets nothing else be written [SendfileMixin.test_sendfile_prevents_bare_write]", () =>
    withFile(async (path, content) => {
      const data = await received(async (transport) => {
        const sending = createTask(sendfile(transport, path));
        await sleep(0);
        assert.throws(() => transport.write(bytes("x")), /sendfile is sending a file/);
        await assert.rejects(sendfile(transport, path), RuntimeError);
        assert.equal(await sending, content.length);
      });
      assert.ok(content.equals(data));
    }),
  );

  testProgram(
    "fails when the connection is closed, or is lost [SendfileMixin.test_sendfile_for_closing_transp] [SendfileMixin.test_sendfile_close_peer_in_the_middle_of_receiving] [SendfileMixin.test_sendfile_fallback_close_peer_in_the_middle_of_receiving]",
    () =>
      withFolder(async (folder) => {
        const path = join(folder, "file");
        writeFileSync(path, new Uint8Array(32 * 1024 * 1024));
        await using server = await startServer(
          async (reader, writer) => {
            await reader.read(1024);
            writer.transport.abort();
          },
          LOCALHOST,
          0,
        );
        const [transport, protocol] = await createConnection(() => new Recorder(), LOCALHOST, server.port);
        await assert.rejects(sendfile(transport, path));
        await protocol.lost;
        assert.equal(transport.getProtocol(), protocol);
        await assert.rejects(sendfile(transport, path), RuntimeError);
        assert.throws(() => sendfile({} as never, path), ArgumentTypeError);
        assert.throws(() => sendfile(transport, 5 as never), ArgumentTypeError);
        assert.throws(() => sendfile(transport, path, { offset: -1 }), ValueError);
        assert.throws(() => sendfile(transport, path, { count: 1.5 }), ArgumentTypeError);
      }),
  );

  testProgram("fails when there is no file", async () => {
    const go = new Event();
    await using server = await startServer(
      async (_reader, writer) => {
        await go.wait();
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [, writer] = await openConnection(LOCALHOST, server.port);
    const error = await assert.rejects<{ code: string }>(sendfile(writer.transport, "/nowhere/file"));
    assert.equal(error.code, "ENOENT");
    go.set();
    writer.close();
  });
});

describe("streams of others", () => {
  testProgram("become readers", async () => {
    for (const reader of [
      fromNode(Readable.from([Buffer.from("one\ntw"), Buffer.from("o\nthree")])),
      fromWeb(new Blob(["one\ntwo\nthree"]).stream()),
    ]) {
      const lines: string[] = [];
      for await (const line of reader.lines()) lines.push(line);
      assert.deepEqual(lines, ["one", "two", "three"]);
    }
  });

  testProgram("that are too fast are held back", async () => {
    let made = 0;
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (++made > 1000) controller.close();
        else controller.enqueue(new Uint8Array(65_536));
      },
    });
    const reader = fromWeb(source, { limit: 1024 });
    assert.equal((await reader.read(10)).length, 10);
    await sleep(0.01);
    assert.ok(made < 100, `${made} blocks were made`);
    let rest = 10;
    for (let chunk = await reader.read(1 << 20); chunk.length > 0; chunk = await reader.read(1 << 20))
      rest += chunk.length;
    assert.equal(rest, 1000 * 65_536);
  });

  testProgram("become writers", async () => {
    const pipe = new PassThrough();
    const written: string[] = [];
    for (const writer of [
      fromNode(
        new Writable({
          write: (chunk, _encoding, done) => {
            written.push(String(chunk));
            done();
          },
        }),
      ),
      fromWeb(new WritableStream<Uint8Array>({ write: (chunk) => void written.push(text(chunk)) })),
    ]) {
      writer.write("data");
      await writer.drain();
      writer.close();
      await writer.waitClosed();
    }
    assert.deepEqual(written, ["data", "data"]);
    const [reader, writer] = fromNode(pipe);
    writer.write("through");
    writer.writeEof();
    assert.equal(text(await reader.read()), "through");
    writer.close();
    await writer.waitClosed();
  });

  testProgram("hand over their errors", async () => {
    const error = new RangeError("broken");
    const reader = fromWeb(new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(error) }));
    await assert.rejects(reader.read(), (thrown) => thrown === error);
  });

  testProgram("are what readers and writers become", async () => {
    await using server = await startServer(
      async (reader, writer) => {
        const upper = new TransformStream<Uint8Array, Uint8Array>({
          transform: (chunk, controller) => controller.enqueue(bytes(text(chunk).toUpperCase())),
        });
        await until(toWeb(reader).pipeThrough(upper).pipeTo(toWeb(writer)));
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port);
    toNode(writer).end("hello");
    assert.equal(await until(textOf(toNode(reader))), "HELLO");
    writer.close();
  });

  testProgram("end with the reader's error, and close the connection when they are given up", async () => {
    const reader = new StreamReader();
    reader.setException(new RangeError("broken"));
    await assert.rejects(until(new Response(toWeb(reader)).text()));
    await assert.rejects(until(textOf(toNode(reader))), RangeError);

    await using server = await startServer((_reader, writer) => writer.write("x"), LOCALHOST, 0);
    const [connected, writer] = await openConnection(LOCALHOST, server.port);
    await until(toWeb(connected).cancel());
    assert.equal(writer.isClosing(), true);
    server.closeClients();
  });

  test("need a running loop, and have to be streams", async () => {
    assert.throws(() => fromWeb(new Blob(["x"]).stream()), RuntimeError);
    assert.throws(() => fromWeb({} as never), ArgumentTypeError);
    assert.throws(() => fromNode({} as never), ArgumentTypeError);
    assert.throws(() => toWeb({} as never), ArgumentTypeError);
    assert.throws(() => toNode({} as never), ArgumentTypeError);
    await run(async () => {
      assert.ok(new StreamReaderProtocol(new StreamReader()));
    });
  });
});
