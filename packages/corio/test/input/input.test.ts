import { CancelledError, createTask, run, sleep, timeout, TimeoutError, ValueError } from "corio";
import { lines } from "corio/input";
import { assert, describe, test } from "../support/harness.ts";
import { runProgram, startProgram } from "../support/program.ts";
import { onTerminal } from "../support/terminal.ts";

const { PassThrough, Readable } = process.getBuiltinModule("node:stream");

const header = `
  import { createTask, run, sleep, timeout } from "corio";
  import { EOFError, input, lines } from "corio/input";
`;

describe("lines", () => {
  test("are cut at \\n and \\r\\n, whatever the chunks are", () =>
    run(async () => {
      const bytes = new TextEncoder().encode("one\r\ngrüße\n\nlast");
      const found: string[] = [];
      for await (const line of lines(Readable.from([...bytes].map((byte) => new Uint8Array([byte])))))
        found.push(line);
      assert.deepEqual(found, ["one", "grüße", "", "last"]);
    }));

  test("that have come stay for the next who asks when a loop is left or cancelled", () =>
    run(async () => {
      const stream = new PassThrough();
      stream.write("one\ntwo\nthr");
      for await (const line of lines(stream)) {
        assert.equal(line, "one");
        break;
      }
      assert.equal((await lines(stream).next()).value, "two");
      const waiting = createTask(async () => {
        for await (const _line of lines(stream));
      });
      await sleep(0);
      assert.equal(stream.isPaused(), false);
      waiting.cancel();
      await assert.rejects(waiting, CancelledError);
      assert.equal(stream.isPaused(), true);
      assert.equal(stream.listenerCount("data"), 0);
      await assert.rejects(
        timeout(0, () => lines(stream).next()),
        TimeoutError,
      );
      stream.end("ee\nfour");
      const rest: string[] = [];
      for await (const line of lines(stream)) rest.push(line);
      assert.deepEqual(rest, ["three", "four"]);
      assert.deepEqual(await lines(stream).next(), { done: true, value: undefined });
    }));

  test("are not read faster than they are taken", () =>
    run(async () => {
      let produced = 0;
      const stream = new Readable({
        highWaterMark: 1,
        read() {
          this.push(`${++produced}\n`);
        },
      });
      const reading = lines(stream);
      for (let n = 1; n <= 5; n++) assert.equal((await reading.next()).value, String(n));
      assert.ok(produced < 20);
      stream.destroy();
    }));

  test("fail with the stream, and when one is too long", () =>
    run(async () => {
      const problem = new Error("connection reset");
      const stream = new PassThrough();
      const reading = createTask(async () => await lines(stream).next());
      await sleep(0);
      stream.destroy(problem);
      assert.equal(await assert.rejects(reading), problem);
      // Also when it had failed before anybody asked.
      const failed = new PassThrough();
      failed.on("error", () => undefined);
      failed.destroy(problem);
      await sleep(0);
      assert.equal(await assert.rejects(lines(failed).next()), problem);
      const long = Readable.from(["x".repeat(100)]);
      await assert.rejects(lines(long, { limit: 50 }).next(), ValueError);
      assert.throws(() => lines(5 as never), /lines expects a readable stream of Node's, got 5/);
      assert.throws(() => lines(new PassThrough(), { limit: 0 }), ValueError);
    }));
});

describe("input", () => {
  test("reads a pipe line by line, with a prompt, up to its end", async () => {
    const { stdout, exitCode } = await runProgram(
      `${header}
      await run(async () => {
        console.log(await input("first? "));
        console.log(await input());
        try { await input(); } catch (error) { console.log(error instanceof EOFError, error.name, error.code); }
      });
    `,
      { input: "one\ntwo" },
    );
    assert.deepEqual([stdout, exitCode], [["first? one", "two", "true EOFError CORIO_END_OF_INPUT"], 0]);
  });

  test("that is cancelled lets the process end, with the input still open", async () => {
    const { child, ended } = startProgram(
      `${header}
      await run(async () => {
        try { await timeout(0.01, () => input("name? ")); } catch (error) { console.log(error.name); }
      });
    `,
      { input: null },
    );
    const { stdout, exitCode } = await ended;
    child.stdin.destroy();
    assert.deepEqual([stdout, exitCode], [["name? TimeoutError"], 0]);
  });

  test("that is cancelled leaves what comes to the next one", async () => {
    const { child, printed, ended } = startProgram(
      `${header}
      await run(async () => {
        const first = createTask(input());
        await sleep(0);
        first.cancel();
        try { await first; } catch (error) { console.log(error.name); }
        const second = createTask(input());
        await sleep(0);
        console.log("ready");
        console.log(await second);
        for await (const line of lines()) console.log("then", line);
      });
    `,
      { input: null },
    );
    await printed("ready");
    child.stdin.end("one\ntwo\nthree\n");
    const { stdout, exitCode } = await ended;
    assert.deepEqual([stdout, exitCode], [["CancelledError", "ready", "one", "then two", "then three"], 0]);
  });

  test("reads a file", async () => {
    const { spawnSync } = process.getBuiltinModule("node:child_process");
    if (spawnSync("sh", ["-c", ":"]).status !== 0) return;
    const { stdout, exitCode } = await runProgram(
      `${header}
      let count = 0;
      await run(async () => { for await (const line of lines()) if (line.startsWith("Copyright")) count++; });
      console.log(count);
    `,
      { under: ["sh", "-c", '"$@" < LICENSE', "sh"] },
    );
    assert.deepEqual([stdout, exitCode], [["1"], 0]);
  });
});

describe("input from a terminal", () => {
  test("shows the prompt, lets the line be edited, keeps what was pasted", async () => {
    const result = await onTerminal(
      `${header}
      await run(async () => {
        console.log("[" + await input("name? ") + "]");
        console.log("[" + await input("age? ") + "]");
        console.log("[" + await input("more? ") + "]");
      });
    `,
      [
        ["name? ", "Adx\u007fa\r7\rrest"],
        ["[7]", "\r"],
      ],
    );
    if (result === null) return;
    assert.equal(result.status, "0");
    for (const line of ["[Ada]", "[7]", "[rest]"]) assert.ok(result.output.includes(line), result.output);
  });

  test("ends at Ctrl-D; the next can be read all the same", async () => {
    const result = await onTerminal(
      `${header}
      await run(async () => {
        try { await input("one? "); } catch (error) { console.log(error.name); }
        console.log("[" + await input("two? ") + "]");
      });
    `,
      [
        ["one? ", "\u0004"],
        ["two? ", "again\r"],
      ],
    );
    if (result === null) return;
    assert.equal(result.status, "0");
    assert.match(result.output, /EOFError[^]*\[again\]/);
  });

  test("is interrupted by Ctrl-C as anything else", async () => {
    const result = await onTerminal(
      `${header}
      try {
        await run(async () => { try { await input("name? "); } finally { console.log("cleaned up"); } });
      } catch (error) { console.log(error.name); }
    `,
      [["name? ", "\u0003"]],
    );
    if (result === null) return;
    assert.equal(result.status, "0");
    assert.match(result.output, /cleaned up[^]*KeyboardInterrupt/);
  });

  test("keeps what was typed without Enter when it is cancelled", async () => {
    const result = await onTerminal(
      `${header}
      await run(async () => {
        const first = createTask(input("name? "));
        const { once } = await import("node:events");
        await new Promise((resolve) => process.stdin.on("keypress", (key) => { if (key === "a") resolve(); }));
        first.cancel();
        try { await first; } catch (error) { console.log(error.name); }
        console.log("[" + await input("again? ") + "]");
      });
    `,
      [
        ["name? ", "Ada"],
        ["again? ", "!\r"],
      ],
    );
    if (result === null) return;
    assert.equal(result.status, "0");
    assert.ok(result.output.includes("[Ada!]"), result.output);
  });
});
