// The reader's algorithms, fed by hand: no network.
import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  EventLoop,
  getRunningLoop,
  newEventLoop,
  run,
  RuntimeError,
  setEventLoop,
  sleep,
  ValueError,
} from "corio";
import type { Coroutine } from "corio";
import { IncompleteReadError, LimitOverrunError, StreamReader, StreamReaderProtocol } from "corio/streams";
import type { ReadTransport } from "corio/streams";
import { failureOf } from "../support/blocks.ts";
import { testForms, testScript, wait } from "../support/forms.ts";
import type { Script } from "../support/forms.ts";
import { assert, describe, test } from "../support/harness.ts";
import { iterate, show } from "../support/primitives.ts";

const LINE = bytes("line1\nline2\nline3\n");

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

function* readText(reading: PromiseLike<Uint8Array>): Script<string> {
  return text(yield* wait(reading as Parameters<typeof wait<Uint8Array>>[0]));
}

/** What is in the reader, which is then empty. */
function* rest(reader: StreamReader): Script<string> {
  reader.feedEof();
  return yield* readText(reader.read());
}

/** A transport that notes what the reader asks of it. */
class FakeTransport implements ReadTransport {
  readonly calls: string[] = [];
  #isReading = true;
  isReading = (): boolean => this.#isReading;
  pauseReading = (): void => {
    this.#isReading = false;
    this.calls.push("pause");
  };
  resumeReading = (): void => {
    this.#isReading = true;
    this.calls.push("resume");
  };
  close = (): void => void this.calls.push("close");
  isClosing = (): boolean => false;
  getExtraInfo = (): unknown => null;
  setProtocol = (): void => undefined;
  getProtocol = () => ({});
}

/** Feeds the reader once the task that reads has begun to wait. */
function later(action: () => void): void {
  getRunningLoop().callSoon(action);
}

describe("a StreamReader: read", () => {
  testScript("keeps nothing of empty data [StreamTests.test_feed_empty_data]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes(""));
    assert.equal(yield* rest(reader), "");
  });

  testScript("has what it was fed [StreamTests.test_feed_nonempty_data]", function* () {
    const reader = new StreamReader();
    reader.feedData(LINE);
    assert.equal(yield* rest(reader), text(LINE));
  });

  testScript("of 0 bytes takes nothing [StreamTests.test_read_zero]", function* () {
    const reader = new StreamReader();
    reader.feedData(LINE);
    assert.equal((yield* wait(reader.read(0))).length, 0);
    assert.equal(yield* rest(reader), text(LINE));
  });

  testScript(
    "waits for the first bytes, and takes no more than there are [StreamTests.test_read]",
    function* () {
      const reader = new StreamReader();
      const reading = createTask(reader.read(30));
      later(() => reader.feedData(LINE));
      assert.equal(yield* readText(reading), text(LINE));
      assert.equal(yield* rest(reader), "");
    },
  );

  testScript("takes no more than it was asked for [StreamTests.test_read_line_breaks]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("line1"));
    reader.feedData(bytes("line2"));
    assert.equal(yield* readText(reader.read(5)), "line1");
    assert.equal(yield* rest(reader), "line2");
  });

  testScript("gives nothing at the end [StreamTests.test_read_eof]", function* () {
    const reader = new StreamReader();
    const reading = createTask(reader.read(1024));
    later(() => reader.feedEof());
    assert.equal(yield* readText(reading), "");
    assert.equal(yield* readText(reader.read(1024)), "");
  });

  testScript("without a count reads until the end [StreamTests.test_read_until_eof]", function* () {
    const reader = new StreamReader();
    const reading = createTask(reader.read(-1));
    later(() => {
      reader.feedData(bytes("chunk1\n"));
      reader.feedData(bytes("chunk2"));
      reader.feedEof();
    });
    assert.equal(yield* readText(reading), "chunk1\nchunk2");
    assert.equal(yield* rest(reader), "");
  });

  testScript("throws the exception that was set [StreamTests.test_read_exception]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("line\n"));
    assert.equal(yield* readText(reader.read(2)), "li");
    reader.setException(new RangeError("broken"));
    yield* failureOf(reader.read(2), RangeError);
    yield* failureOf(reader.read(0), RangeError);
  });

  testScript("is not bound by the limit [StreamTests.test_read_limit]", function* () {
    const reader = new StreamReader({ limit: 3 });
    reader.feedData(bytes("chunk"));
    assert.equal(yield* readText(reader.read(5)), "chunk");
    assert.equal(yield* rest(reader), "");
  });

  testScript("puts together what came in many pieces", function* () {
    const reader = new StreamReader();
    let expected = "";
    for (let number = 0; number < 1000; number++) {
      reader.feedData(bytes(`${number},`));
      expected += `${number},`;
    }
    assert.equal(yield* readText(reader.read(10)), expected.slice(0, 10));
    for (let number = 0; number < 1000; number++) reader.feedData(bytes("x"));
    assert.equal(yield* rest(reader), expected.slice(10) + "x".repeat(1000));
  });

  testScript("gives bytes that later ones do not change", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("ab"));
    reader.feedData(bytes("cd"));
    const first = yield* wait(reader.read(3));
    reader.feedData(bytes("efgh"));
    const second = yield* wait(reader.read(3));
    assert.equal(text(first) + text(second), "abcdef");
    assert.equal(first.constructor, Uint8Array);
  });

  testScript("suspends only when it has to wait", function* () {
    const reader = new StreamReader();
    reader.feedData(LINE);
    let ticks = 0;
    getRunningLoop().callSoon(() => ticks++);
    yield* wait(reader.read(1));
    yield* wait(reader.readexactly(2));
    yield* wait(reader.readuntil("e"));
    yield* wait(reader.readline());
    assert.equal(ticks, 0);
  });

  test("expects whole numbers", () =>
    run(async () => {
      const reader = new StreamReader();
      assert.throws(() => reader.read(1.5), ArgumentTypeError);
      assert.throws(
        () => reader.readexactly("3" as never),
        /readexactly expects a whole number of bytes, got "3"/,
      );
    }));
});

describe("a StreamReader: readline", () => {
  testScript("waits until the newline has come [StreamTests.test_readline]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("chunk1 "));
    const reading = createTask(reader.readline());
    later(() => {
      reader.feedData(bytes("chunk2 "));
      reader.feedData(bytes("chunk3 "));
      reader.feedData(bytes("\n chunk4"));
    });
    assert.equal(yield* readText(reading), "chunk1 chunk2 chunk3 \n");
    assert.equal(yield* rest(reader), " chunk4");
  });

  testScript(
    "throws a line that is too long away as far as its newline [StreamTests.test_readline_limit_with_existing_data]",
    function* () {
      const reader = new StreamReader({ limit: 3 });
      reader.feedData(bytes("li"));
      reader.feedData(bytes("ne1\nline2\n"));
      const error = yield* failureOf(reader.readline(), ValueError);
      assert.instanceOf(error.cause, LimitOverrunError);
      assert.equal(yield* readText(reader.read(6)), "line2\n");

      const other = new StreamReader({ limit: 3 });
      other.feedData(bytes("li"));
      other.feedData(bytes("ne1"));
      other.feedData(bytes("li"));
      yield* failureOf(other.readline(), ValueError);
      assert.equal(yield* rest(other), "");
    },
  );

  testScript(
    "throws away the whole buffer when the newline has not come [StreamTests.test_readline_limit]",
    function* () {
      const reader = new StreamReader({ limit: 7 });
      later(() => {
        reader.feedData(bytes("chunk1"));
        reader.feedData(bytes("chunk2"));
        reader.feedData(bytes("chunk3\n"));
        reader.feedEof();
      });
      yield* failureOf(reader.readline(), ValueError);
      // The newline had come: what follows it is there.
      assert.equal(yield* rest(reader), "");

      const second = new StreamReader({ limit: 7 });
      later(() => {
        second.feedData(bytes("chunk1"));
        second.feedData(bytes("chunk2\n"));
        second.feedData(bytes("chunk3\n"));
        second.feedEof();
      });
      yield* failureOf(second.readline(), ValueError);
      assert.equal(yield* rest(second), "chunk3\n");

      // Exactly as long as the limit.
      const third = new StreamReader({ limit: 5 });
      third.feedData(bytes("12345\n"));
      assert.equal(yield* readText(third.readline()), "12345\n");
    },
  );

  testScript(
    "does not wait for a line that is there [StreamTests.test_readline_nolimit_nowait]",
    function* () {
      const reader = new StreamReader();
      reader.feedData(LINE.subarray(0, 6));
      reader.feedData(LINE.subarray(6));
      assert.equal(yield* readText(reader.readline()), "line1\n");
      assert.equal(yield* rest(reader), "line2\nline3\n");
    },
  );

  testScript("gives what is left at the end [StreamTests.test_readline_eof]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("some data"));
    reader.feedEof();
    assert.equal(yield* readText(reader.readline()), "some data");
    assert.equal(yield* readText(reader.readline()), "");
  });

  testScript("gives nothing at an empty end [StreamTests.test_readline_empty_eof]", function* () {
    const reader = new StreamReader();
    reader.feedEof();
    assert.equal(yield* readText(reader.readline()), "");
  });

  testScript("leaves the rest to read [StreamTests.test_readline_read_byte_count]", function* () {
    const reader = new StreamReader();
    reader.feedData(LINE);
    yield* wait(reader.readline());
    assert.equal(yield* readText(reader.read(7)), "line2\nl");
    assert.equal(yield* rest(reader), "ine3\n");
  });

  testScript("throws the exception that was set [StreamTests.test_readline_exception]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("line\n"));
    assert.equal(yield* readText(reader.readline()), "line\n");
    reader.setException(new RangeError("broken"));
    yield* failureOf(reader.readline(), RangeError);
  });

  test("is what for await uses, until the end [StreamReaderTests.test_readline]", () =>
    run(async () => {
      const reader = new StreamReader();
      reader.feedData(LINE);
      reader.feedData(bytes("no newline"));
      reader.feedEof();
      const lines: string[] = [];
      for await (const line of reader) {
        lines.push(text(line));
        if (lines.length === 1) break;
      }
      // Leaving the loop leaves the reader as it is.
      for await (const line of reader) lines.push(text(line));
      assert.deepEqual(lines, ["line1\n", "line2\n", "line3\n", "no newline"]);
    }));

  test("as text comes without line ends", () =>
    run(async () => {
      const reader = new StreamReader();
      reader.feedData(bytes("one\r\ntwö\n\nlast"));
      reader.feedEof();
      const lines: string[] = [];
      for await (const line of reader.lines()) lines.push(line);
      assert.deepEqual(lines, ["one", "twö", "", "last"]);
      assert.throws(() => reader.lines("no such encoding")[Symbol.asyncIterator](), RangeError);
      // Their newlines are not one byte.
      for (const encoding of ["utf-16le", "UTF-16", "utf-16be"])
        assert.throws(() => reader.lines(encoding), ValueError);
    }));

  test("as text comes without a byte order mark, which only the first can have", () =>
    run(async () => {
      const reader = new StreamReader();
      reader.feedData(bytes("\uFEFFone\n\uFEFFtwo\n"));
      reader.feedEof();
      const lines: string[] = [];
      for await (const line of reader.lines()) lines.push(line);
      assert.deepEqual(lines, ["one", "\uFEFFtwo"]);
    }));
});

describe("a StreamReader: readuntil", () => {
  testScript("does not take an empty separator [StreamTests.test_readuntil_separator]", function* () {
    const reader = new StreamReader();
    for (const separator of ["", [], [""], ["a", ""]])
      assert.throws(() => reader.readuntil(separator), ValueError);
    assert.throws(() => reader.readuntil(10 as never), ArgumentTypeError);
    assert.throws(() => reader.readuntil([10] as never), ArgumentTypeError);
    yield* iterate();
  });

  testScript(
    "finds a separator that comes in pieces [StreamTests.test_readuntil_multi_chunks]",
    function* () {
      const reader = new StreamReader();
      reader.feedData(bytes("lineAAA"));
      assert.equal(yield* readText(reader.readuntil("AAA")), "lineAAA");

      reader.feedData(bytes("lineAAA"));
      assert.equal(yield* readText(reader.readuntil("AAA")), "lineAAA");

      reader.feedData(bytes("lineAAAxxx"));
      assert.equal(yield* readText(reader.readuntil("AAA")), "lineAAA");
      assert.equal(yield* rest(reader), "xxx");
    },
  );

  testScript(
    "finds it when each piece comes while the task waits [StreamTests.test_readuntil_multi_chunks_1]",
    function* () {
      const reader = new StreamReader();
      for (const pieces of [
        ["QWEaa", "XYaa", "a"],
        ["QWEaa", "XYa", "aa"],
        ["aaa"],
        ["Xaaa"],
        ["XXX", "a", "a", "a"],
      ]) {
        const reading = createTask(reader.readuntil("aaa"));
        yield* iterate();
        for (const piece of pieces) {
          reader.feedData(bytes(piece));
          yield* iterate(2);
        }
        assert.equal(reading.done(), true);
        assert.equal(text(reading.result()), pieces.join(""));
      }
      assert.equal(yield* rest(reader), "");
    },
  );

  testScript("fails at the end, with what there was [StreamTests.test_readuntil_eof]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("some dataAA"));
    reader.feedEof();
    const error = yield* failureOf(reader.readuntil("AAA"), IncompleteReadError);
    assert.equal(text(error.partial), "some dataAA");
    assert.equal(error.expected, null);
    assert.equal(error.code, "CORIO_INCOMPLETE_READ");
    assert.equal(yield* rest(reader), "");
  });

  testScript(
    "leaves what goes over the limit in the reader [StreamTests.test_readuntil_limit_found_sep]",
    function* () {
      const reader = new StreamReader({ limit: 3 });
      reader.feedData(bytes("some dataAA"));
      const first = yield* failureOf(reader.readuntil("AAA"), LimitOverrunError);
      assert.match(first.message, /no separator in 9 bytes/);
      assert.equal(first.consumed, 9);

      reader.feedData(bytes("A"));
      const second = yield* failureOf(reader.readuntil("AAA"), LimitOverrunError);
      assert.match(second.message, /the separator comes after 9 bytes/);
      assert.equal(second.consumed, 9);
      assert.equal(second.code, "CORIO_LIMIT_OVERRUN");
      assert.equal(yield* readText(reader.readexactly(12)), "some dataAAA");
    },
  );

  testScript(
    "takes the separator that ends first [StreamTests.test_readuntil_multi_separator]",
    function* () {
      const reader = new StreamReader();

      // The simple case.
      reader.feedData(bytes("line 1\nline 2\r"));
      assert.equal(yield* readText(reader.readuntil(["\r", "\n"])), "line 1\n");
      assert.equal(yield* readText(reader.readuntil(["\r", "\n"])), "line 2\r");

      // The first separator is not there, the second is.
      reader.feedData(bytes("ABCDEFG"));
      assert.equal(yield* readText(reader.readuntil(["DEF", "BCD"])), "ABCD");
      assert.equal(yield* readText(reader.read(3)), "EFG");

      // One is the beginning of the other: the shorter one ends first, whatever their order.
      for (const separators of [
        ["CD", "CDE"],
        ["CDE", "CD"],
      ]) {
        reader.feedData(bytes("ABCDE"));
        assert.equal(yield* readText(reader.readuntil(separators)), "ABCD");
        assert.equal(yield* readText(reader.read(1)), "E");
      }

      // In pieces, with one separator that could still begin.
      const reading = createTask(reader.readuntil(["xyz", "b"]));
      yield* iterate();
      reader.feedData(bytes("axy"));
      yield* iterate(2);
      reader.feedData(bytes("zb"));
      assert.equal(yield* readText(reading), "axyz");
      assert.equal(yield* rest(reader), "b");
    },
  );

  testScript(
    "measures the limit up to the nearest separator [StreamTests.test_readuntil_multi_separator_limit]",
    function* () {
      const reader = new StreamReader({ limit: 3 });
      reader.feedData(bytes("some dataA"));
      const error = yield* failureOf(reader.readuntil(["A", "ome dataA"]), LimitOverrunError);
      assert.match(error.message, /the separator comes after/);
      assert.equal(yield* rest(reader), "some dataA");
    },
  );

  testScript(
    "does not begin to search before the buffer [StreamTests.test_readuntil_multi_separator_negative_offset]",
    function* () {
      // A long separator must not make the search of a short one begin in the wrong place.
      const reader = new StreamReader();
      reader.feedData(bytes("data"));
      const reading = createTask(reader.readuntil(["A", "long sep"]));
      yield* iterate();
      reader.feedData(bytes("Z"));
      yield* iterate(2);
      reader.feedData(bytes("Aaaa"));
      assert.equal(yield* readText(reading), "dataZA");
      assert.equal(yield* rest(reader), "aaa");
    },
  );

  testScript("takes bytes as well as text [StreamTests.test_readuntil_bytearray]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("some data\r\n"));
    assert.equal(yield* readText(reader.readuntil(new Uint8Array([13, 10]))), "some data\r\n");
    assert.equal(yield* rest(reader), "");
  });
});

describe("a StreamReader: readexactly", () => {
  testScript(
    "of 0 bytes takes nothing, and of less is refused [StreamTests.test_readexactly_zero_or_less]",
    function* () {
      const reader = new StreamReader();
      reader.feedData(LINE);
      assert.equal((yield* wait(reader.readexactly(0))).length, 0);
      assert.throws(() => reader.readexactly(-1), ValueError);
      assert.equal(yield* rest(reader), text(LINE));
    },
  );

  testScript("waits until there are enough [StreamTests.test_readexactly]", function* () {
    const reader = new StreamReader();
    const reading = createTask(reader.readexactly(2 * LINE.length));
    later(() => {
      reader.feedData(LINE);
      reader.feedData(LINE);
      reader.feedData(LINE);
    });
    assert.equal(yield* readText(reading), text(LINE) + text(LINE));
    assert.equal(yield* rest(reader), text(LINE));
  });

  testScript("is not bound by the limit [StreamTests.test_readexactly_limit]", function* () {
    const reader = new StreamReader({ limit: 3 });
    reader.feedData(bytes("chunk"));
    assert.equal(yield* readText(reader.readexactly(5)), "chunk");
    assert.equal(yield* rest(reader), "");
  });

  testScript("fails at the end, with what there was [StreamTests.test_readexactly_eof]", function* () {
    const reader = new StreamReader();
    const reading = createTask(reader.readexactly(2 * LINE.length));
    later(() => {
      reader.feedData(LINE);
      reader.feedEof();
    });
    const error = yield* failureOf(reading, IncompleteReadError);
    assert.equal(text(error.partial), text(LINE));
    assert.equal(error.expected, 36);
    assert.equal(error.message, "the stream ended after 18 bytes, before 36 bytes had arrived");
    assert.equal(yield* rest(reader), "");
  });

  testScript("throws the exception that was set [StreamTests.test_readexactly_exception]", function* () {
    const reader = new StreamReader();
    reader.feedData(bytes("line\n"));
    assert.equal(yield* readText(reader.readexactly(2)), "li");
    reader.setException(new RangeError("broken"));
    yield* failureOf(reader.readexactly(2), RangeError);
  });
});

describe("a StreamReader", () => {
  testScript("has an exception when one was set [StreamTests.test_exception]", function* () {
    const reader = new StreamReader();
    assert.equal(reader.exception(), null);
    const error = new RangeError("broken");
    reader.setException(error);
    assert.equal(reader.exception(), error);
    assert.throws(() => reader.setException(undefined), ArgumentTypeError);
    yield* iterate();
  });

  testScript(
    "fails the task that waits when an exception is set [StreamTests.test_exception_waiter]",
    function* () {
      const reader = new StreamReader();
      const reading = createTask(reader.readline());
      later(() => reader.setException(new RangeError("broken")));
      yield* failureOf(reading, RangeError);
    },
  );

  testScript(
    "takes an exception after the reading task was cancelled [StreamTests.test_exception_cancel]",
    function* () {
      const reader = new StreamReader();
      const reading = createTask(reader.readline());
      yield* iterate();
      reading.cancel();
      yield* iterate();
      // Must not fail on a future that is done.
      reader.setException(new RangeError("broken"));
      yield* failureOf(reading, CancelledError);
      assert.match(show(reader), /^<StreamReader exception=RangeError>$/);
    },
  );

  testScript("is at its end when it has ended and is empty [StreamTests.test_at_eof]", function* () {
    const reader = new StreamReader();
    assert.equal(reader.atEof(), false);
    reader.feedData(bytes("some data\n"));
    assert.equal(reader.atEof(), false);
    yield* wait(reader.readline());
    assert.equal(reader.atEof(), false);
    reader.feedData(bytes("more data\n"));
    reader.feedEof();
    assert.equal(reader.atEof(), false);
    yield* wait(reader.readline());
    assert.equal(reader.atEof(), true);
    assert.throws(() => reader.feedData(LINE), RuntimeError);
  });

  testScript("has a limit above 0 [StreamTests.test_invalid_limit]", function* () {
    for (const limit of [0, -1, NaN]) assert.throws(() => new StreamReader({ limit }), ValueError);
    assert.throws(() => new StreamReader({ limit: "1" as never }), ArgumentTypeError);
    assert.equal(new StreamReader().limit, 65_536);
    yield* iterate();
  });

  test("needs a loop [StreamTests.test_streamreader_constructor_without_loop] [StreamTests.test_streamreaderprotocol_constructor_without_loop]", () => {
    assert.throws(() => new StreamReader(), RuntimeError);
    const loop = new EventLoop();
    const reader = new StreamReader({ loop });
    assert.throws(() => new StreamReaderProtocol(reader), RuntimeError);
    loop.close();
  });

  test("uses the running loop [StreamTests.test_streamreader_constructor_use_running_loop] [StreamTests.test_streamreaderprotocol_constructor_use_running_loop]", () =>
    run(async () => {
      const reader = new StreamReader();
      assert.ok(new StreamReaderProtocol(reader));
      const reading = createTask(reader.read(1));
      later(() => reader.feedData(bytes("x")));
      assert.equal(text(await reading), "x");
    }));

  test("uses the loop that was set [StreamTests.test_streamreader_constructor_use_global_loop] [StreamTests.test_streamreaderprotocol_constructor_use_global_loop]", () => {
    const loop = newEventLoop();
    setEventLoop(loop);
    try {
      assert.ok(new StreamReaderProtocol(new StreamReader()));
    } finally {
      setEventLoop(null);
      loop.close();
    }
  });

  testScript(
    "shows itself [StreamTests.test___repr__] [StreamTests.test___repr__nondefault_limit] [StreamTests.test___repr__eof] [StreamTests.test___repr__data] [StreamTests.test___repr__exception] [StreamTests.test___repr__waiter] [StreamTests.test___repr__transport]",
    function* () {
      assert.equal(show(new StreamReader()), "<StreamReader>");
      assert.equal(show(new StreamReader({ limit: 123 })), "<StreamReader limit=123>");
      const reader = new StreamReader();
      const reading = createTask(reader.readexactly(6));
      yield* iterate();
      assert.equal(show(reader), "<StreamReader a task waits>");
      reader.feedData(bytes("data"));
      yield* iterate(2);
      assert.equal(show(reader), "<StreamReader 4 bytes a task waits>");
      reader.setTransport(new FakeTransport());
      assert.equal(show(reader), "<StreamReader 4 bytes a task waits connected>");
      reader.feedEof();
      yield* failureOf(reading, IncompleteReadError);
      assert.equal(show(reader), "<StreamReader eof connected>");
      reader.setException(new RangeError("broken"));
      assert.equal(show(reader), "<StreamReader eof exception=RangeError connected>");
    },
  );

  testScript("lets one task read at a time", function* () {
    const reader = new StreamReader();
    const first = createTask(reader.readline());
    yield* iterate();
    for (const second of [reader.readline(), reader.read(1), reader.readexactly(1), reader.readuntil("x")]) {
      const error = yield* failureOf(second, RuntimeError);
      assert.match(error.message, /another task is waiting for this StreamReader already/);
    }
    // What needs no waiting is no trouble.
    assert.equal((yield* wait(reader.read(0))).length, 0);
    reader.feedData(bytes("line\n"));
    assert.equal(yield* readText(first), "line\n");
  });

  testForms("says in a deadlock report what is waited for", async (form) => {
    const main = form.define(function* main() {
      yield* wait(new StreamReader().readuntil("x"));
    });
    const { VirtualClock } = await import("corio/testing");
    await assert.rejects(run(main(), { clock: new VirtualClock() }), /StreamReader\.readuntil/);
  });
});

describe("a StreamReader: cancelling", () => {
  testScript("a read loses nothing", function* () {
    const readings: ((reader: StreamReader) => Coroutine<Uint8Array>)[] = [
      (reader) => reader.read(),
      (reader) => reader.read(100),
      (reader) => reader.readexactly(2),
      (reader) => reader.readline(),
      (reader) => reader.readuntil("b"),
    ];
    for (const start of readings) {
      const reader = new StreamReader();
      const reading = createTask(start(reader));
      yield* iterate();
      reader.feedData(bytes("ab"));
      // Woken up, but cancelled before it goes on.
      reading.cancel();
      yield* failureOf(reading, CancelledError);
      assert.equal(yield* rest(reader), "ab");
    }
  });

  testScript("a read until the end keeps what had come before", function* () {
    const reader = new StreamReader({ limit: 2 });
    const transport = new FakeTransport();
    reader.setTransport(transport);
    const reading = createTask(reader.read());
    yield* iterate();
    reader.feedData(bytes("12345"));
    yield* iterate(2);
    reading.cancel();
    yield* failureOf(reading, CancelledError);
    assert.equal(yield* rest(reader), "12345");
  });

  testScript("a read lets the next one wait", function* () {
    const reader = new StreamReader();
    const first = createTask(reader.readline());
    yield* iterate();
    first.cancel();
    yield* failureOf(first, CancelledError);
    const second = createTask(reader.readline());
    yield* iterate();
    reader.feedData(bytes("line\n"));
    assert.equal(yield* readText(second), "line\n");
  });
});

describe("a StreamReader: back-pressure", () => {
  testScript("pauses its transport above twice the limit, and lets it go on at the limit", function* () {
    const reader = new StreamReader({ limit: 4 });
    const transport = new FakeTransport();
    reader.setTransport(transport);
    reader.feedData(bytes("12345678"));
    assert.deepEqual(transport.calls, []);
    reader.feedData(bytes("9"));
    reader.feedData(bytes("0"));
    assert.deepEqual(transport.calls, ["pause"]);
    yield* wait(reader.read(5));
    assert.deepEqual(transport.calls, ["pause"]);
    yield* wait(reader.read(1));
    assert.deepEqual(transport.calls, ["pause", "resume"]);
  });

  testScript("lets it go on when a task needs more than that", function* () {
    const reader = new StreamReader({ limit: 4 });
    const transport = new FakeTransport();
    reader.setTransport(transport);
    const reading = createTask(reader.readexactly(20));
    yield* iterate();
    reader.feedData(bytes("1234567890"));
    assert.deepEqual(transport.calls, ["pause"]);
    yield* iterate(2);
    assert.deepEqual(transport.calls, ["pause", "resume"]);
    reader.feedData(bytes("1234567890"));
    assert.equal((yield* wait(reading)).length, 20);
  });

  testScript("lets it go on when a line was too long", function* () {
    const reader = new StreamReader({ limit: 4 });
    const transport = new FakeTransport();
    reader.setTransport(transport);
    reader.feedData(bytes("1234567890"));
    yield* failureOf(reader.readline(), ValueError);
    assert.deepEqual(transport.calls, ["pause", "resume"]);
  });

  testScript("has one transport only, which it closes when it is disposed of", function* () {
    const reader = new StreamReader();
    const transport = new FakeTransport();
    reader.setTransport(transport);
    assert.throws(() => reader.setTransport(new FakeTransport()), RuntimeError);
    assert.equal(reader.transport, transport);
    void reader[Symbol.asyncDispose]();
    assert.deepEqual(transport.calls, ["close"]);
    yield* wait(sleep(0));
  });
});
