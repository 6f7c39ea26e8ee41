import {
  CancelledError,
  createTask,
  run,
  RuntimeError,
  sleep,
  timeout,
  TimeoutError,
  ValueError,
} from "corio";
import {
  atomicWriteFile,
  openFile,
  readFile,
  readLines,
  temporaryDirectory,
  walk,
  watch,
  writeFile,
} from "corio/files";
import { cancelledAfter } from "../support/cancelled-after.ts";
import { assert, describe, hostName, test, testOn } from "../support/harness.ts";
import { runProgram } from "../support/program.ts";

const fs = process.getBuiltinModule("node:fs");
const join = (...parts: readonly string[]): string => parts.join("/");

/** Runs `body` with a directory of its own, which is gone afterwards. */
async function inDirectory(body: (path: string) => Promise<void>): Promise<void> {
  let path = "";
  await run(async () => {
    const directory = await temporaryDirectory("corio-test-");
    path = directory.path;
    try {
      await body(path);
    } finally {
      await directory.remove();
    }
  });
  assert.equal(fs.existsSync(path), false);
}

/** How many files the process has open, where the system tells. */
const openFiles = (): number => fs.readdirSync("/proc/self/fd").length;

describe("whole files", () => {
  test("are read and written, as text and as bytes", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a.txt");
      await writeFile(path, "grüße\n");
      assert.equal(await readFile(path, "utf8"), "grüße\n");
      assert.equal((await readFile(path)).length, 8);
      await writeFile(path, new Uint8Array([1, 2]));
      assert.deepEqual([...(await readFile(path))], [1, 2]);
      const error = await assert.rejects<NodeJS.ErrnoException>(readFile(join(directory, "none")));
      assert.equal(error.code, "ENOENT");
    }));

  test("can be waited for with a timeout", () =>
    inDirectory(async (directory) => {
      fs.writeFileSync(join(directory, "large"), new Uint8Array(8 * 1024 * 1024));
      await assert.rejects(
        timeout(0, () => readFile(join(directory, "large"))),
        TimeoutError,
      );
    }));
});

describe("an open file", () => {
  test("is read piece by piece, and closed once", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "0123456789");
      const file = await openFile(path);
      const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
      assert.equal(text(await file.read(3)), "012");
      assert.equal(text(await file.read(0)), "");
      assert.equal(text(await file.read()), "3456789");
      assert.equal(text(await file.read(3)), "");
      assert.throws(() => file.read(-1), ValueError);
      await file.close();
      await file.close();
      await assert.rejects(file.read(1), /is closed/);
    }));

  test("is written and appended to", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      const file = await openFile(path, "wx", 0o600);
      await file.write("one ");
      await file.write(new TextEncoder().encode("two"));
      await file.sync();
      await file[Symbol.asyncDispose]();
      const more = await openFile(path, "a");
      await more.write(" three");
      await more.close();
      assert.equal(fs.readFileSync(path, "utf8"), "one two three");
      assert.equal(fs.statSync(path).mode & 0o777, 0o600);
      await assert.rejects(openFile(path, "wx"), /EEXIST/);
    }));

  test("loses nothing that a cancelled read would have got", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "0123456789");
      const file = await openFile(path);
      for (let attempt = 0; attempt < 3; attempt++) {
        const reading = createTask(file.read(4));
        await sleep(0);
        reading.cancel();
        await assert.rejects(reading, CancelledError);
      }
      assert.equal(new TextDecoder().decode(await file.read(4)), "0123");
      const rest = createTask(file.read());
      await sleep(0);
      rest.cancel();
      await assert.rejects(rest, CancelledError);
      assert.equal(new TextDecoder().decode(await file.read()), "456789");
      await file.close();
    }));

  test("has what several tasks write one after another, each as a whole", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      const file = await openFile(path, "w");
      const size = 300_000;
      const writing = ["a", "b", "c"].map((letter) => createTask(file.write(letter.repeat(size))));
      // One that waits for its turn has written nothing.
      const cancelled = createTask(file.write("x".repeat(size)));
      await sleep(0);
      cancelled.cancel();
      await assert.rejects(cancelled, CancelledError);
      for (const task of writing) await task;
      await file.close();
      const written = fs.readFileSync(path, "utf8");
      assert.ok(written === "a".repeat(size) + "b".repeat(size) + "c".repeat(size));
      await assert.rejects(file.write("late"), RuntimeError);
    }));

  test("is closed after what is being written", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      const file = await openFile(path, "w");
      const writing = createTask(file.write(new Uint8Array(5_000_000)));
      const next = createTask(file.write("more"));
      await sleep(0);
      await file.close();
      await writing;
      assert.equal(fs.statSync(path).size, 5_000_000);
      await assert.rejects(next, RuntimeError);
    }));

  test("is read by one task at a time, and forgets an error", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "0123456789");
      const file = await openFile(path);
      const first = createTask(file.read(4));
      const second = createTask(file.read(4));
      await assert.rejects(second, /another task is reading from .*\/a already/);
      assert.equal((await first).length, 4);
      await file.close();
      const place = await openFile(directory);
      await assert.rejects(place.read(1), /EISDIR|Is a directory/i);
      await assert.rejects(place.read(1), /EISDIR|Is a directory/i);
      await place.close();
    }));

  testOn(["node", "bun"], "that is still being opened when the task is cancelled is closed again", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "x");
      const before = openFiles();
      for (let round = 0; round < 20; round++) {
        const opening = createTask(async () => {
          const file = await openFile(path);
          await file.close();
        });
        for (let turn = 0; turn < round % 3; turn++) await sleep(0);
        opening.cancel();
        await assert.rejects(opening, CancelledError);
      }
      assert.equal(openFiles(), before);
    }),
  );

  testOn(["node", "bun"], "that nobody will see, since its task is cancelled, is closed again", () =>
    inDirectory(async (directory) => {
      const before = openFiles();
      for (let turns = 0; turns < 4; turns++) {
        const path = join(directory, String(turns));
        const opening = createTask(openFile(path, "w"));
        const file = await cancelledAfter(turns, opening, () => fs.existsSync(path));
        await file?.close();
      }
      assert.equal(openFiles(), before);
    }),
  );
});

describe("the lines of a file", () => {
  const linesOf = async (path: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const line of readLines(path)) found.push(line);
    return found;
  };

  test("end with \\n or \\r\\n; the last need not", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      for (const [text, expected] of [
        ["", []],
        ["one", ["one"]],
        ["one\n", ["one"]],
        ["\n\n", ["", ""]],
        ["\uFEFFone\r\ntwo\n\r\nthr\ree\r", ["one", "two", "", "thr\ree"]],
      ] as const) {
        fs.writeFileSync(path, text);
        assert.deepEqual(await linesOf(path), expected);
      }
    }));

  test("may be as short and as many as they like", () =>
    inDirectory(async (directory) => {
      // A chunk is one line for each byte: to move the others up for each would take half a minute.
      const path = join(directory, "a");
      fs.writeFileSync(path, "\n".repeat(500_000));
      let count = 0;
      for await (const line of readLines(path)) if (line === "") count++;
      assert.equal(count, 500_000);
    }));

  test("are whole whatever chunks they were read in", () =>
    inDirectory(async (directory) => {
      // More than one chunk, with characters of 1 to 4 bytes across the places where the chunks meet.
      const lines = Array.from({ length: 9000 }, (_, n) => `${n} ${"aé€😀".repeat((n * 7) % 11)}`);
      const path = join(directory, "a");
      fs.writeFileSync(path, lines.join("\r\n"));
      assert.deepEqual(await linesOf(path), lines);
    }));

  test("may be longer than a chunk, but not than the limit", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      const long = "x".repeat(200_000);
      fs.writeFileSync(path, `${long}\nshort\n`);
      assert.deepEqual(await linesOf(path), [long, "short"]);
      const file = await openFile(path);
      const error = await assert.rejects(file.lines({ limit: 100_000 }).next());
      assert.match(String(error), /ValueError: a line is longer than the limit of 100000 bytes/);
      await file.close();
      fs.writeFileSync(path, `${"é".repeat(50)}\n`);
      const exact = await openFile(path);
      assert.equal((await exact.lines({ limit: 100 }).next()).value, "é".repeat(50));
      await exact.close();
      const tight = await openFile(path);
      await assert.rejects(tight.lines({ limit: 99 }).next(), ValueError);
      await tight.close();
    }));

  test("go on after a cancelled next, and after the loop was left", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "one\ntwo\nthree\n");
      const file = await openFile(path);
      const lines = file.lines();
      const reading = createTask(async () => await lines.next());
      await sleep(0);
      reading.cancel();
      await assert.rejects(reading, CancelledError);
      for await (const line of lines) {
        assert.equal(line, "one");
        break;
      }
      assert.equal((await lines.next()).value, "two");
      await file.close();
    }));

  testOn(["node", "bun"], "leave no file open, however the loop ends", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "one\ntwo\n".repeat(20_000));
      const before = openFiles();
      for await (const _line of readLines(path)) break;
      const reading = createTask(async () => {
        for await (const _line of readLines(path)) await sleep(0);
      });
      for (let turn = 0; turn < 5; turn++) await sleep(0);
      reading.cancel();
      await assert.rejects(reading, CancelledError);
      const waiting = createTask(() => linesOf(path));
      await sleep(0);
      waiting.cancel();
      await assert.rejects(waiting, CancelledError);
      assert.equal(openFiles(), before);
    }),
  );
});

describe("atomicWriteFile", () => {
  test("makes and replaces a file, keeps its mode, leaves nothing else", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      await atomicWriteFile(path, "one");
      fs.chmodSync(path, 0o640);
      await atomicWriteFile(path, new TextEncoder().encode("two"));
      assert.equal(fs.readFileSync(path, "utf8"), "two");
      assert.equal(fs.statSync(path).mode & 0o777, 0o640);
      await atomicWriteFile(path, "three", { mode: 0o666 });
      assert.equal(fs.statSync(path).mode & 0o777, 0o666);
      assert.deepEqual(fs.readdirSync(directory), ["a"]);
    }));

  test("replaces what a symbolic link points to", () =>
    inDirectory(async (directory) => {
      fs.writeFileSync(join(directory, "a"), "old");
      fs.symlinkSync("a", join(directory, "link"));
      await atomicWriteFile(join(directory, "link"), "new");
      assert.equal(fs.readFileSync(join(directory, "a"), "utf8"), "new");
      assert.equal(fs.readlinkSync(join(directory, "link")), "a");
    }));

  test("leaves the old file as it was when it is cancelled", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "old");
      const data = new Uint8Array(16 * 1024 * 1024);
      const writing = createTask(atomicWriteFile(path, data));
      // The temporary file is there: it is being written.
      while (fs.readdirSync(directory).length < 2) await sleep(0);
      writing.cancel();
      await assert.rejects(writing, CancelledError);
      assert.equal(fs.readFileSync(path, "utf8"), "old");
      assert.deepEqual(fs.readdirSync(directory), ["a"]);
    }));

  test("says what went wrong, and leaves nothing behind", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.mkdirSync(path);
      const error = await assert.rejects<NodeJS.ErrnoException>(atomicWriteFile(path, "x"));
      assert.match(error.message, /could not write .*a, which is as it was: E/);
      assert.equal(error.path, path);
      assert.deepEqual(fs.readdirSync(directory), ["a"]);
      assert.throws(
        () => atomicWriteFile(path, 5 as never),
        /atomicWriteFile expects a string or bytes, got 5/,
      );
      await assert.rejects(atomicWriteFile(join(directory, "none", "a"), "x"), /ENOENT/);
    }));

  test("leaves the old file as it was when the disk is full", () =>
    inDirectory(async (directory) => {
      const { spawnSync } = process.getBuiltinModule("node:child_process");
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]);
      // Only root may mount.
      if (mounted.status !== 0) return;
      try {
        const path = join(directory, "a");
        await atomicWriteFile(path, "old");
        const error = await assert.rejects<NodeJS.ErrnoException>(
          atomicWriteFile(path, new Uint8Array(1024 * 1024)),
        );
        assert.equal(error.code, "ENOSPC");
        assert.match(error.message, /could not write .*\/a, which is as it was: .*no space left on device/i);
        assert.equal(fs.readFileSync(path, "utf8"), "old");
        assert.deepEqual(fs.readdirSync(directory), ["a"]);
        // Written in place: what fits is there, and the error says that it is not all.
        for (const write of [
          (data: Uint8Array) => writeFile(join(directory, "b"), data),
          async (data: Uint8Array) => {
            const file = await openFile(join(directory, "b"), "w");
            try {
              await file.write(data);
            } finally {
              await file.close();
            }
          },
        ]) {
          const error = await assert.rejects<NodeJS.ErrnoException>(write(new Uint8Array(1024 * 1024)));
          assert.equal(error.code, "ENOSPC");
        }
        fs.rmSync(join(directory, "b"));
        await atomicWriteFile(path, "there is room again");
        assert.equal(fs.readFileSync(path, "utf8"), "there is room again");
      } finally {
        spawnSync("umount", [directory]);
      }
    }));

  // The system ends Deno's whole process for it.
  testOn(["node", "bun"], "leaves the old file as it was when the file may not become so large", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a");
      fs.writeFileSync(path, "old");
      const { stdout, stderr } = await runProgram(
        `
          import { run } from "corio";
          import { atomicWriteFile, openFile, writeFile } from "corio/files";
          const path = ${JSON.stringify(path)};
          const data = new Uint8Array(1024 * 1024);
          const codes = [];
          const fails = async (work) => { try { await work; codes.push("none"); } catch (error) { codes.push(error.code); } };
          await run(async () => {
            await fails(atomicWriteFile(path, data));
            await fails(writeFile(path + ".other", data));
            const file = await openFile(path + ".third", "w");
            await fails(file.write(data));
            await file.close();
          });
          console.log(codes.join(" "));
        `,
        // In blocks of 512 bytes, or of 1024.
        { under: ["sh", "-c", 'ulimit -f 64 && exec "$@"', "sh"] },
      );
      assert.deepEqual([stdout, stderr], [["EFBIG EFBIG EFBIG"], ""]);
      assert.equal(fs.readFileSync(path, "utf8"), "old");
      assert.deepEqual(fs.readdirSync(directory).sort(), ["a", "a.other", "a.third"]);
    }),
  );

  test("takes a name that is as long as names may be", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "n".repeat(255));
      await atomicWriteFile(path, "new");
      assert.equal(fs.readFileSync(path, "utf8"), "new");
    }));

  testOn(["node", "bun"], "on a full device is an error, as is writing by hand", () =>
    run(async () => {
      const file = await openFile("/dev/full", "w");
      const error = await assert.rejects<NodeJS.ErrnoException>(file.write("x"));
      assert.equal(error.code, "ENOSPC");
      await file.close();
    }),
  );
});

describe("walk", () => {
  test("gives everything in the order of the names, and follows no links", () =>
    inDirectory(async (directory) => {
      fs.mkdirSync(join(directory, "b", "c"), { recursive: true });
      fs.mkdirSync(join(directory, "skip"));
      for (const name of ["z", "a", "b/x", "b/c/y", "skip/n"]) fs.writeFileSync(join(directory, name), "");
      fs.symlinkSync("..", join(directory, "b", "up"));
      const found: string[] = [];
      const enter = ({ name }: { name: string }): boolean => name !== "skip";
      for await (const { path, kind } of walk(directory, { enter }))
        found.push(`${kind} ${path.slice(directory.length + 1)}`);
      assert.deepEqual(found, [
        "file a",
        "directory b",
        "directory b/c",
        "file b/c/y",
        "symbolicLink b/up",
        "file b/x",
        "directory skip",
        "file z",
      ]);
      await assert.rejects(walk(join(directory, "none")).next(), /ENOENT/);
    }));
});

describe("watch", () => {
  test("gives what changes, until it is closed", () =>
    inDirectory(async (directory) => {
      const changes = watch(directory);
      fs.writeFileSync(join(directory, "a"), "1");
      for await (const { name } of changes) if (name === "a") break;
      assert.equal(changes.isClosed, true);
      const cancelled = createTask(async () => {
        for await (const _change of watch(directory));
      });
      await sleep(0);
      cancelled.cancel();
      await assert.rejects(cancelled, CancelledError);
      const nothing = join(directory, "none");
      // Deno tells later.
      if (hostName === "deno") await assert.rejects(watch(nothing).next(), /ENOENT/);
      else assert.throws(() => watch(nothing), /ENOENT/);
    }));
});

describe("a temporary directory", () => {
  test("is removed when its making is cancelled", () =>
    run(async () => {
      const { tmpdir } = process.getBuiltinModule("node:os");
      const prefix = `corio-cancelled-${process.pid}-`;
      const made = (): string[] => fs.readdirSync(tmpdir()).filter((name) => name.startsWith(prefix));
      for (let turns = 0; turns < 4; turns++) {
        const making = createTask(temporaryDirectory(prefix));
        const directory = await cancelledAfter(turns, making, () => made().length > 0);
        await directory?.remove();
        assert.deepEqual(made(), []);
      }
    }));
});
