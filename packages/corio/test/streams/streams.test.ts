// Streams on real connections, over the loopback.
import { join } from "node:path";
import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  Event,
  Future,
  gather,
  getRunningLoop,
  run,
  RuntimeError,
  sleep,
  timeout,
  TimeoutError,
  ValueError,
} from "corio";
import {
  ConnectionResetError,
  openConnection,
  openUnixConnection,
  startServer,
  startUnixServer,
  StreamReader,
  StreamReaderProtocol,
  StreamWriter,
} from "corio/streams";
import type { Server, Streams, WriteTransport } from "corio/streams";
import { assert, describe, test } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import { runProgram } from "../support/program.ts";
import {
  bytes,
  LOCALHOST,
  noteExceptions,
  testProgram,
  text,
  warningsOf,
  withFolder,
} from "./support/net.ts";

/** Sends everything back; the connection ends with the peer's part of it. */
const echo = async (reader: StreamReader, writer: StreamWriter): Promise<void> => {
  for await (const line of reader) {
    writer.write(line);
    await writer.drain();
  }
  writer.close();
};

const connect = (server: Server): PromiseLike<Streams> => openConnection(LOCALHOST, server.port);

describe("openConnection and startServer", () => {
  testProgram("give a connection to read and write [StreamTests.test_open_connection]", async () => {
    await using server = await startServer(
      (_reader, writer) => {
        writer.write("Test message\n");
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await connect(server);
    assert.equal(text(await reader.readline()), "Test message\n");
    assert.equal(text(await reader.read()), "");
    writer.close();
    await writer.waitClosed();
  });

  testProgram(
    "work on Unix sockets [StreamTests.test_open_unix_connection] [StreamTests.test_start_unix_server]",
    () =>
      withFolder(async (folder) => {
        const path = join(folder, "socket");
        await using server = await startUnixServer(echo, path);
        assert.deepEqual(server.addresses, [path]);
        const [reader, writer] = await openUnixConnection(path);
        writer.write("Hello\n");
        assert.equal(text(await reader.readline()), "Hello\n");
        assert.equal(writer.getExtraInfo("peername"), path);
        writer.close();
        await writer.waitClosed();
      }),
  );

  testProgram(
    "have several clients at once [StreamTests.test_start_server] [BaseStartServer.test_start_server_1]",
    async () => {
      await using server = await startServer(echo, LOCALHOST, 0);
      const client = async (name: string): Promise<string> => {
        const [reader, writer] = await connect(server);
        writer.writelines([`${name} 1\n`, bytes(`${name} 2\n`)]);
        writer.writeEof();
        const answer = text(await reader.read());
        writer.close();
        await writer.waitClosed();
        return answer;
      };
      const answers = await gather(["a", "b", "c"].map(client));
      assert.deepEqual(answers, ["a 1\na 2\n", "b 1\nb 2\n", "c 1\nc 2\n"]);
    },
  );

  testProgram("take a generator function, a coroutine function, and a plain one", async () => {
    await using server = await startServer(
      function* (reader, writer) {
        writer.write(yield* reader.readline());
        yield* writer.drain();
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await connect(server);
    writer.write("line\n");
    assert.equal(text(await reader.readline()), "line\n");
    await using _ = writer;
  });

  testProgram("know both ends", async () => {
    const ends: unknown[] = [];
    await using server = await startServer(
      (_reader, writer) => {
        ends.push(writer.getExtraInfo("peername"), writer.getExtraInfo("sockname"));
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await connect(server);
    await reader.read();
    assert.deepEqual(ends, [writer.getExtraInfo("sockname"), writer.getExtraInfo("peername")]);
    assert.deepEqual(writer.getExtraInfo("peername"), {
      address: LOCALHOST,
      port: server.port,
      family: "IPv4",
    });
    assert.equal(writer.getExtraInfo("sslObject"), null);
    assert.equal(writer.getExtraInfo("unheard of", "missing"), "missing");
    writer.close();
    await writer.waitClosed();
    // Also when nothing is left of the connection.
    assert.equal(
      (writer.getExtraInfo("peername") as { port: number }).port,
      ends.length > 0 ? (ends[1] as { port: number }).port : 0,
    );
  });

  testProgram("have a limit for what a reader keeps", async () => {
    await using server = await startServer(
      (_reader, writer) => {
        writer.write("12345678\nrest");
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port, { limit: 4 });
    assert.equal(reader.limit, 4);
    await assert.rejects(reader.readline(), ValueError);
    assert.equal(text(await reader.read()), "rest");
    writer.close();
  });

  test("check their arguments at once", () => {
    assert.throws(() => openConnection(LOCALHOST, 1, { limit: 0 }), ValueError);
    assert.throws(() => openConnection(LOCALHOST, 70_000), /port from 0 to 65535, got 70000/);
    assert.throws(() => openConnection(LOCALHOST, "http"), /services are not looked up/);
    assert.throws(() => openConnection(), ValueError);
    assert.throws(() => startServer("no function" as never, LOCALHOST, 0), ArgumentTypeError);
    assert.throws(() => startServer(echo), ValueError);
    assert.throws(() => openUnixConnection(), ValueError);
  });

  test("need a running task", async () => {
    await assert.rejects(openConnection(LOCALHOST, 1), RuntimeError);
  });
});

describe("a client handler", () => {
  testProgram(
    "that fails is reported, and its connection closed [StreamTests.test_unhandled_exception]",
    async () => {
      const noted = noteExceptions();
      await using server = await startServer(
        async (reader) => {
          await reader.readline();
          throw new RangeError("the handler is broken");
        },
        LOCALHOST,
        0,
      );
      const [reader, writer] = await connect(server);
      writer.write("go\n");
      assert.equal((await reader.read()).length, 0);
      writer.close();
      await writer.waitClosed();
      assert.equal(noted.length, 1);
      const [context] = noted;
      assert.equal(context?.message, "Unhandled exception in clientConnectedCb");
      assert.instanceOf(context.exception, RangeError);
      assert.ok(context["transport"] !== undefined);
    },
  );

  testProgram(
    "that is cancelled closes its connection, in silence [StreamTests.test_unhandled_cancel]",
    async () => {
      const noted = noteExceptions();
      await using server = await startServer(
        async () => {
          throw new CancelledError();
        },
        LOCALHOST,
        0,
      );
      const [reader, writer] = await connect(server);
      assert.equal((await reader.read()).length, 0);
      writer.close();
      assert.deepEqual(noted, []);
    },
  );

  test("is cancelled when run ends", async () => {
    const log: string[] = [];
    const ready = new Event();
    await run(async () => {
      const server = await startServer(
        async (reader) => {
          ready.set();
          try {
            await reader.read();
          } finally {
            log.push("cleaned up");
          }
        },
        LOCALHOST,
        0,
      );
      const [, writer] = await connect(server);
      await ready.wait();
      server.close();
      writer.transport.abort();
      log.push("main ends");
    });
    assert.deepEqual(log, ["main ends", "cleaned up"]);
  });
});

describe("a StreamWriter", () => {
  testProgram("drains in several tasks at once [StreamTests.test_multiple_drain]", async () => {
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
    const [reader, writer] = await connect(server);
    const size = 8 * 1024 * 1024;
    writer.write(new Uint8Array(size));
    assert.ok(writer.transport.getWriteBufferSize() > 64 * 1024);
    const drains = [1, 2, 3].map(() => createTask(writer.drain()));
    await sleep(0);
    await sleep(0);
    assert.deepEqual(
      drains.map((task) => task.done()),
      [false, false, false],
    );
    // A cancelled one does not trouble the others.
    drains[1]?.cancel();
    release.set();
    await drains[0];
    await drains[2];
    assert.equal(drains[1]?.cancelled(), true);
    writer.writeEof();
    await reader.read();
    writer.close();
  });

  testProgram("throws in drain when the connection is gone [StreamTests.test_drain_raises]", async () => {
    await using server = await startServer((_reader, writer) => writer.transport.abort(), LOCALHOST, 0);
    const [, writer] = await connect(server);
    await assert.rejects(async () => {
      for (;;) {
        writer.write("foo\n");
        await writer.drain();
        await sleep(0);
      }
    });
    writer.close();
  });

  testProgram("that is closed shows its loss to a loop that only drains", async () => {
    await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
    const [, writer] = await connect(server);
    writer.close();
    await assert.rejects(async () => {
      for (;;) await writer.drain();
    }, ConnectionResetError);
  });

  testProgram("waits until it is closed [StreamTests.test_wait_closed_on_close]", async () => {
    await using server = await startServer(
      (_reader, writer) => {
        writer.write("one\ntwo\n");
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await connect(server);
    assert.equal(text(await reader.readline()), "one\n");
    assert.equal(text(await reader.read()), "two\n");
    assert.equal(writer.isClosing(), false);
    writer.close();
    assert.equal(writer.isClosing(), true);
    await writer.waitClosed();
  });

  testProgram(
    "waits until it is closed, with data that nobody has read [StreamTests.test_wait_closed_on_close_with_unread_data]",
    async () => {
      await using server = await startServer(
        async (reader, writer) => {
          writer.write("one\ntwo\n");
          await reader.read();
          writer.close();
        },
        LOCALHOST,
        0,
      );
      const [reader, writer] = await connect(server);
      assert.equal(text(await reader.readline()), "one\n");
      writer.close();
      await writer.waitClosed();
    },
  );

  testProgram("is used with await [StreamTests.test_async_writer_api]", async () => {
    await using server = await startServer(echo, LOCALHOST, 0);
    const [reader, writer] = await connect(server);
    writer.write("line\n");
    await writer.drain();
    assert.equal(text(await reader.readline()), "line\n");
    writer.close();
    await writer.waitClosed();
    await writer.waitClosed();
  });

  testProgram(
    "ignores writes after it was closed, and fails in drain [StreamTests.test_async_writer_api_exception_after_close]",
    async () => {
      await using server = await startServer(echo, LOCALHOST, 0);
      const [, writer] = await connect(server);
      writer.close();
      writer.write("lost");
      await writer.waitClosed();
      await assert.rejects(writer.drain(), ConnectionResetError);
    },
  );

  testProgram(
    "ends its reader when it is closed [StreamTests.test_eof_feed_when_closing_writer]",
    async () => {
      await using server = await startServer((reader, _writer) => reader.read(), LOCALHOST, 0);
      const [reader, writer] = await connect(server);
      writer.close();
      await writer.waitClosed();
      assert.equal(reader.atEof(), true);
      assert.equal((await reader.read()).length, 0);
      server.closeClients();
    },
  );

  testProgram("is closed at the end of an await using block", async () => {
    const seen = new Future<number>();
    await using server = await startServer(
      async (reader, writer) => {
        seen.setResult((await reader.read()).length);
        writer.close();
      },
      LOCALHOST,
      0,
    );
    {
      const [, writer] = await connect(server);
      await using _ = writer;
      writer.write("12345");
    }
    assert.equal(await seen, 5);
  });

  testProgram("sends what one iteration writes as one piece, in order", async () => {
    const received: string[] = [];
    const isOver = new Event();
    await using server = await startServer(
      async (reader, writer) => {
        for (let chunk = await reader.read(1000); chunk.length > 0; chunk = await reader.read(1000))
          received.push(text(chunk));
        isOver.set();
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [, writer] = await connect(server);
    for (const letter of "abcdefgh") writer.write(letter);
    await sleep(0);
    writer.close();
    await isOver.wait();
    assert.deepEqual(received, ["abcdefgh"]);
  });

  testProgram("sends short and long pieces in order, also to a peer that does not read yet", async () => {
    const release = new Event();
    const received: Buffer[] = [];
    await using server = await startServer(
      async (reader, writer) => {
        await release.wait();
        received.push(Buffer.from(await reader.read()));
        writer.close();
      },
      LOCALHOST,
      0,
    );
    // Two connections, since what short writes are put together in is shared.
    const [, writer] = await connect(server);
    const [, other] = await connect(server);
    const sent: Uint8Array[] = [];
    let next = 0;
    const make = (size: number): Uint8Array => new Uint8Array(size).map(() => next++ % 251);
    let rounds = 0;
    // Until the system takes no more, and on for a while.
    for (; writer.transport.getWriteBufferSize() < 1_000_000; rounds++) {
      for (const size of rounds % 3 === 0 ? [10, 20_000, 30, 40] : [100, 8192, 1000, 7]) {
        const piece = make(size);
        sent.push(piece);
        writer.write(piece);
      }
      other.write("x");
      other.write("y");
      await sleep(0);
    }
    release.set();
    for (const each of [writer, other]) {
      each.close();
      await each.waitClosed();
    }
    server.close();
    await server.waitClosed();
    received.sort((one, another) => another.length - one.length);
    assert.ok(received[0]?.equals(Buffer.concat(sent)));
    assert.equal(received[1]?.toString(), "xy".repeat(rounds));
  });

  testProgram("takes bytes and text only, and nothing after writeEof", async () => {
    await using server = await startServer(echo, LOCALHOST, 0);
    const [reader, writer] = await connect(server);
    assert.throws(() => writer.write(5 as never), ArgumentTypeError);
    assert.throws(() => writer.transport.write("text" as never), /encode text with TextEncoder/);
    assert.equal(writer.canWriteEof(), true);
    writer.writeEof();
    assert.throws(() => writer.write("late"), RuntimeError);
    await reader.read();
    writer.close();
  });

  test("warns of many writes after it was closed", async () => {
    const codes = await warningsOf(() =>
      run(async () => {
        await using server = await startServer((_reader, writer) => writer.close(), LOCALHOST, 0);
        const [, writer] = await connect(server);
        writer.close();
        for (let count = 0; count < 10; count++) writer.write("x");
        await writer.waitClosed();
      }),
    );
    assert.deepEqual(codes, ["CORIO_WRITE_AFTER_CLOSE"]);
  });

  test("has a transport and a protocol, whatever they are", () =>
    run(async () => {
      const written: string[] = [];
      const transport = {
        write: (data: Uint8Array) => written.push(text(data)),
        writelines: (lines: Iterable<Uint8Array>) => written.push([...lines].map(text).join("|")),
        isClosing: () => false,
        getWriteBufferSize: () => 0,
      } as unknown as WriteTransport;
      const protocol = new StreamReaderProtocol(new StreamReader());
      const writer = new StreamWriter(transport, protocol, null, getRunningLoop());
      writer.write("a");
      writer.writelines(["b", bytes("c")]);
      await writer.drain();
      protocol.pauseWriting();
      const draining = createTask(writer.drain());
      await sleep(0);
      assert.equal(draining.done(), false);
      protocol.resumeWriting();
      await draining;
      protocol.pauseWriting();
      const failing = createTask(writer.drain());
      const closing = createTask(writer.waitClosed());
      await sleep(0);
      protocol.connectionLost(new RangeError("lost"));
      await assert.rejects(failing, RangeError);
      await assert.rejects(closing, RangeError);
      await assert.rejects(writer.drain(), ConnectionResetError);
      assert.deepEqual(written, ["a", "b|c"]);
      assert.equal(show(writer), "<StreamWriter 0 bytes buffered>");
      assert.throws(() => writer.startTls(true), RuntimeError);
    }));
});

describe("back-pressure between two programs", () => {
  testProgram("holds a fast writer back, and loses nothing", async () => {
    const size = 20 * 1024 * 1024;
    const block = new Uint8Array(256 * 1024).map((_, index) => index & 0xff);
    await using server = await startServer(
      async (_reader, writer) => {
        let highest = 0;
        for (let sent = 0; sent < size; sent += block.length) {
          writer.write(block);
          await writer.drain();
          highest = Math.max(highest, writer.transport.getWriteBufferSize());
        }
        assert.ok(highest <= 64 * 1024, `${highest} bytes were buffered after drain`);
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await openConnection(LOCALHOST, server.port, { limit: 1024 });
    let received = 0;
    for (;;) {
      const chunk = await reader.read(300_000);
      if (chunk.length === 0) break;
      for (let index = 0; index < chunk.length; index += 4099)
        assert.equal(chunk[index], (received + index) & 0xff);
      received += chunk.length;
    }
    assert.equal(received, size);
    writer.close();
  });
});

describe("cancelling", () => {
  testProgram("a read leaves the connection as it is", async () => {
    const go = new Event();
    await using server = await startServer(
      async (_reader, writer) => {
        await go.wait();
        writer.write("line\n");
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [reader, writer] = await connect(server);
    await assert.rejects(
      timeout(0.001, () => reader.readline()),
      TimeoutError,
    );
    go.set();
    assert.equal(text(await reader.readline()), "line\n");
    writer.close();
  });

  testProgram("a drain leaves the writer as it is", async () => {
    const go = new Event();
    const received = new Future<number>();
    await using server = await startServer(
      async (reader, writer) => {
        await go.wait();
        received.setResult((await reader.read()).length);
        writer.close();
      },
      LOCALHOST,
      0,
    );
    const [, writer] = await connect(server);
    const size = 8 * 1024 * 1024;
    writer.write(new Uint8Array(size));
    const draining = createTask(writer.drain());
    await sleep(0);
    draining.cancel();
    await assert.rejects(draining, CancelledError);
    go.set();
    await writer.drain();
    writer.writeEof();
    assert.equal(await received, size);
    writer.close();
  });

  testProgram("openConnection at any moment leaves no connection behind", async () => {
    let accepted = 0;
    await using server = await startServer(
      async (reader, writer) => {
        accepted++;
        await reader.read();
        writer.close();
      },
      LOCALHOST,
      0,
    );
    // However far it has come: so many iterations. At the end the server waits for its connections to close.
    for (let iterations = 0; iterations < 12; iterations++) {
      const opening = createTask(openConnection(LOCALHOST, server.port));
      for (let count = 0; count < iterations; count++) await sleep(0.0005);
      if (opening.cancel()) await assert.rejects(opening, CancelledError);
      else (await opening)[1].close();
    }
    assert.ok(accepted >= 0);
  });
});

describe("what is left open when run ends", () => {
  test("is closed, with a warning [StreamTests.test_unclosed_resource_warnings] [StreamTests.test_loop_is_closed_resource_warnings] [StreamTests.test_unclosed_server_resource_warnings]", async () => {
    const codes = await warningsOf(() =>
      run(async () => {
        const server = await startServer((reader) => reader.read(), LOCALHOST, 0);
        await connect(server);
      }),
    );
    assert.deepEqual([...new Set(codes)], ["CORIO_UNCLOSED"]);
    // The server, the client's end, and perhaps the server's end, whose handler was cancelled.
    assert.ok(codes.length >= 2);
  });

  test("does not keep the process", async () => {
    const ended = await runProgram(`
      import { run } from "corio";
      import { openConnection, startServer } from "corio/streams";
      await run(async () => {
        const server = await startServer((reader) => reader.read(), "127.0.0.1", 0);
        await openConnection("127.0.0.1", server.port);
      });
      console.log("done");
    `);
    assert.deepEqual(ended.stdout, ["done"]);
    assert.equal(ended.exitCode, 0, ended.stderr);
  });

  test("is nothing when everything was closed", async () => {
    const ended = await runProgram(`
      import { run } from "corio";
      import { openConnection, startServer } from "corio/streams";
      await run(async () => {
        const server = await startServer((_reader, writer) => writer.close(), "127.0.0.1", 0);
        const [reader, writer] = await openConnection("127.0.0.1", server.port);
        await reader.read();
        writer.close();
        server.close();
        await server.waitClosed();
      });
      console.log("done");
    `);
    assert.deepEqual(ended.stdout, ["done"]);
    assert.equal(ended.stderr, "");
    assert.equal(ended.exitCode, 0);
  });
});
