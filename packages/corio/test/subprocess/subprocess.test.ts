// Processes with readers and a writer: createSubprocessExec, createSubprocessShell, Process.
import { closeSync, openSync, readFileSync, realpathSync } from "node:fs";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  Future,
  gather,
  run,
  sleep,
  timeout,
  TimeoutError,
  until,
  ValueError,
} from "corio";
import {
  createSubprocessExec,
  createSubprocessShell,
  DEVNULL,
  PIPE,
  ProcessLookupError,
  ProcessStartError,
  runProcess,
  STDOUT,
} from "corio/subprocess";
import type { ProcessOptions } from "corio/subprocess";
import { ConnectionResetError } from "corio/streams";
import { bytes, noteExceptions, testProgram, text, withFolder } from "../streams/support/net.ts";
import { assert, describe, test, testOn } from "../support/harness.ts";
import { testForms, wait } from "../support/forms.ts";
import type { Script } from "../support/forms.ts";
import { show } from "../support/primitives.ts";
import {
  descriptorsDownTo,
  groupOf,
  hostTurns,
  isAlive,
  line,
  openDescriptors,
  ownChildren,
  texts,
} from "./support/processes.ts";

const { SIGHUP, SIGKILL, SIGTERM } = constants.signals;

/** As `sleep`, for longer than any test takes. */
const ENDLESS = ["sleep", "1000"] as const;

const START_FAILURES: readonly [
  title: string,
  program: string,
  args: string[],
  options: ProcessOptions,
  errno: string,
  message: RegExp,
][] = [
  [
    "a program that is not there",
    "corio-no-such-program",
    [],
    {},
    "ENOENT",
    /cannot run corio-no-such-program: .*PATH/,
  ],
  ["a path that is not there", "/corio/no/such/file", [], {}, "ENOENT", /no such file/],
  ["a file that is not executable", "/etc/passwd", [], {}, "EACCES", /permission/],
  [
    "a working directory that is not there",
    "true",
    [],
    { cwd: "/corio/no/such" },
    "ENOENT",
    /working directory \/corio\/no\/such/,
  ],
  [
    "arguments that are too long",
    "true",
    ["x".repeat(4_000_000)],
    {},
    "E2BIG",
    /longer than the system allows/,
  ],
];

describe("createSubprocessExec and createSubprocessShell", () => {
  testProgram("give streams to write to and read from [SubprocessMixin.test_stdin_stdout]", async () => {
    const process = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE });
    process.stdin?.write("some data");
    await process.stdin?.drain();
    process.stdin?.close();
    assert.equal(text((await process.stdout?.read()) ?? bytes("")), "some data");
    assert.equal(await process.wait(), 0);
    assert.equal(process.stderr, null);
  });

  testProgram("run a command line in a shell [SubprocessMixin.test_shell]", async () => {
    const process = await createSubprocessShell("exit 7");
    assert.equal(await process.wait(), 7);
    assert.equal(process.returncode, 7);
  });

  testForms("are awaited in both forms of a coroutine", (form) => {
    const main = form.define(function* (): Script<string> {
      const process = yield* wait(createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE }));
      const [stdout] = yield* wait(process.communicate("x"));
      const returncode = yield* wait(process.wait());
      const { returncode: stopped } = yield* wait(runProcess("true"));
      yield* wait(process.stop());
      return `${text(stdout ?? bytes(""))} ${returncode} ${stopped}`;
    });
    return run(main()).then((result) => {
      assert.equal(result, "x 0 0");
    });
  });

  testProgram("do not let a shell look at arguments", async () => {
    const process = await createSubprocessExec("echo", "$HOME", "a  b", ";", "*", { stdout: PIPE });
    assert.deepEqual(texts(await process.communicate()), ["$HOME a  b ; *\n", null]);
  });

  testProgram(
    "start the process in a session of its own, unless asked not to [SubprocessMixin.test_start_new_session]",
    async () => {
      await using alone = await createSubprocessExec(...ENDLESS);
      assert.equal(groupOf(alone.pid), alone.pid);
      await using together = await createSubprocessExec(...ENDLESS, { startNewSession: false });
      assert.equal(groupOf(together.pid), groupOf(process.pid));
    },
  );

  testProgram("take a program as a URL [SubprocessMixin.test_create_subprocess_exec_with_path]", async () => {
    const process = await createSubprocessExec(pathToFileURL("/bin/sh"), "-c", "exit 3");
    assert.equal(await process.wait(), 3);
  });

  testProgram("give a shell its environment [SubprocessMixin.test_create_subprocess_env_shell]", async () => {
    const process = await createSubprocessShell('printf "%s" "$CORIO_TEST"', {
      env: { CORIO_TEST: "bar" },
      stdout: PIPE,
    });
    assert.deepEqual(texts(await process.communicate()), ["bar", null]);
  });

  testProgram(
    "give a program its environment, all of it [SubprocessMixin.test_create_subprocess_env_exec]",
    async () => {
      const process = await createSubprocessExec("/usr/bin/env", {
        env: { CORIO_TEST: "bar", CORIO_NONE: undefined },
        stdout: PIPE,
      });
      assert.deepEqual(texts(await process.communicate()), ["CORIO_TEST=bar\n", null]);
    },
  );

  testProgram("start in a working directory, a path or a URL", () =>
    withFolder(async (folder) => {
      for (const cwd of [folder, pathToFileURL(folder)]) {
        const process = await createSubprocessExec("/bin/pwd", { cwd, stdout: PIPE });
        assert.deepEqual(texts(await process.communicate()), [`${realpathSync(folder)}\n`, null]);
      }
    }),
  );

  testProgram("take another shell, and another name for a program", async () => {
    const shell = await createSubprocessShell('echo "$0"', { executable: "/bin/bash", stdout: PIPE });
    assert.deepEqual(texts(await shell.communicate()), ["/bin/bash\n", null]);
    const named = await createSubprocessExec("other", "-c", 'echo "$0"', {
      executable: "/bin/sh",
      stdout: PIPE,
    });
    assert.deepEqual(texts(await named.communicate()), ["other\n", null]);
  });

  for (const [title, program, args, options, errno, message] of START_FAILURES) {
    testProgram(`say what is wrong with ${title} [SubprocessMixin.test_popen_error]`, async () => {
      const error = await assert.rejects<ProcessStartError>(
        createSubprocessExec(program, ...args, options),
        ProcessStartError,
      );
      assert.equal(error.code, "CORIO_PROCESS_START");
      assert.equal(error.errno, errno);
      assert.equal(error.program, program);
      assert.match(error.message, message);
      assert.ok(error.cause instanceof Error);
    });
  }

  testProgram(
    "leave nothing open when a process cannot be started [SubprocessMixin.test_popen_error_with_stdin_pipe]",
    async () => {
      const fail = () =>
        assert.rejects(
          createSubprocessExec("corio-no-such-program", { stdin: PIPE, stdout: PIPE, stderr: PIPE }),
          ProcessStartError,
        );
      await fail();
      await hostTurns();
      const before = openDescriptors();
      for (let attempt = 0; attempt < 20; attempt++) await fail();
      await descriptorsDownTo(before);
    },
  );

  const invalid: readonly [name: string, value: unknown][] = [
    ["text", true],
    ["encoding", "utf8"],
    ["errors", "strict"],
    ["universalNewlines", true],
    ["bufsize", 4096],
    ["shell", true],
    ["detached", true],
    ["stdio", "pipe"],
  ];
  test("refuse text options, and those of other libraries [SubprocessMixin.test_create_subprocess_exec_text_mode_fails] [SubprocessMixin.test_create_subprocess_shell_text_mode_fails]", () => {
    for (const [name, value] of invalid) {
      const options = { [name]: value } as ProcessOptions;
      assert.throws(() => createSubprocessExec("true", options), new RegExp(`no option ${name}`));
      const error = assert.throws(() => createSubprocessShell("true", options), ValueError);
      assert.match((error as Error).message, /createSubprocessShell/);
    }
    for (const [name] of invalid) {
      const options = { [name]: name === "bufsize" ? 0 : false } as ProcessOptions;
      createSubprocessExec("true", options).close();
    }
  });

  test("refuse what is no program, no argument, no option", () => {
    const exec = createSubprocessExec as (...given: unknown[]) => unknown;
    const shell = createSubprocessShell as (...given: unknown[]) => unknown;
    assert.throws(() => exec(), ArgumentTypeError);
    assert.throws(() => exec(""), ValueError);
    assert.throws(() => exec("tr\0ue"), ValueError);
    assert.throws(() => exec("echo", 1), /createSubprocessExec expects text as argument 1, got 1/);
    assert.throws(() => exec("echo", ["a"]), /one by one/);
    assert.throws(() => exec("echo", null), ArgumentTypeError);
    assert.throws(() => shell(["echo"]), ArgumentTypeError);
    assert.throws(() => shell("true", null), ArgumentTypeError);
    for (const options of [{ cwd: 1 }, { env: "A=b" }, { env: { A: 1 } }, { user: "me" }, { stdin: {} }])
      assert.throws(() => exec("true", options), ArgumentTypeError);
    for (const options of [
      { limit: 0 },
      { gracePeriod: -1 },
      { stdin: -1 },
      { stdin: STDOUT },
      { stdout: STDOUT },
    ])
      assert.throws(() => exec("true", options), ValueError);
  });
});

describe("standard streams of a process", () => {
  testProgram("are the program's own by default", async () => {
    const process = await createSubprocessExec("true");
    assert.equal(process.stdin, null);
    assert.equal(process.stdout, null);
    assert.equal(process.stderr, null);
    assert.equal(await process.wait(), 0);
  });

  testProgram("can be empty [SubprocessMixin.test_devnull_input]", async () => {
    const process = await createSubprocessExec("cat", { stdin: DEVNULL, stdout: PIPE });
    assert.equal(process.stdin, null);
    assert.deepEqual(texts(await process.communicate()), ["", null]);
    assert.equal(process.returncode, 0);
  });

  testProgram("can be thrown away: output [SubprocessMixin.test_devnull_output]", async () => {
    const process = await createSubprocessShell("echo lost; cat >/dev/null", {
      stdin: PIPE,
      stdout: DEVNULL,
    });
    assert.equal(process.stdout, null);
    assert.deepEqual(texts(await process.communicate("x")), [null, null]);
  });

  testProgram("can be thrown away: errors [SubprocessMixin.test_devnull_error]", async () => {
    const process = await createSubprocessShell("echo lost >&2; echo kept", {
      stdout: PIPE,
      stderr: DEVNULL,
    });
    assert.equal(process.stderr, null);
    assert.deepEqual(texts(await process.communicate()), ["kept\n", null]);
  });

  testProgram("keep output and errors apart", async () => {
    const process = await createSubprocessShell("echo out; echo error >&2", { stdout: PIPE, stderr: PIPE });
    assert.deepEqual(texts(await process.communicate()), ["out\n", "error\n"]);
  });

  testProgram("can be one pipe, in the order in which they were written", async () => {
    const command = "for i in 1 2 3; do echo out$i; echo error$i >&2; done; exit 5";
    for (const start of [
      () => createSubprocessShell(command, { stdout: PIPE, stderr: STDOUT }),
      () => createSubprocessExec("/bin/sh", "-c", command, { stdout: PIPE, stderr: STDOUT }),
    ]) {
      const process = await start();
      assert.equal(process.stderr, null);
      assert.deepEqual(texts(await process.communicate()), [
        "out1\nerror1\nout2\nerror2\nout3\nerror3\n",
        null,
      ]);
      assert.equal(process.returncode, 5);
    }
  });

  testProgram("of one pipe: a program that is not there is an error all the same", async () => {
    const options = { stdout: PIPE, stderr: STDOUT } as const;
    for (const [program, errno] of [
      ["corio-no-such-program", "ENOENT"],
      ["/etc/passwd", "EACCES"],
      ["/etc", "EACCES"],
    ] as const) {
      const error = await assert.rejects<ProcessStartError>(
        createSubprocessExec(program, options),
        ProcessStartError,
      );
      assert.equal(error.errno, errno);
    }
    await assert.rejects(
      createSubprocessExec("true", { ...options, cwd: "/corio/no/such" }),
      /working directory/,
    );
  });

  testProgram("can be files", () =>
    withFolder(async (folder) => {
      const path = join(folder, "file");
      const fd = openSync(path, "w");
      await using handle = await open(path, "a");
      for (const [stdout, word] of [
        [fd, "descriptor"],
        [handle, "handle"],
      ] as const) {
        const process = await createSubprocessExec("echo", word, { stdout, stderr: STDOUT });
        assert.equal(await process.wait(), 0);
      }
      closeSync(fd);
      assert.equal(readFileSync(path, "utf8"), "descriptor\nhandle\n");
      const input = openSync(path, "r");
      const process = await createSubprocessExec("cat", { stdin: input, stdout: PIPE });
      assert.deepEqual(texts(await process.communicate()), ["descriptor\nhandle\n", null]);
      closeSync(input);
    }),
  );

  testProgram("can be sockets", () =>
    withFolder(async (folder) => {
      const path = join(folder, "socket");
      const received = new Future<string>();
      const server = createServer((connection) => {
        let all = "";
        connection.on("data", (chunk) => (all += text(chunk)));
        connection.on("end", () => {
          connection.end();
          received.setResult(all);
        });
      });
      server.listen(path);
      await until(once(server, "listening"));
      const socket = connect(path);
      await until(once(socket, "connect"));
      const process = await createSubprocessExec("echo", "Hello", { stdout: socket });
      assert.equal(await process.wait(), 0);
      socket.end();
      assert.equal(await received, "Hello\n");
      server.close();
      await until(once(server, "close"));
    }),
  );

  // The others make a socket pair of it, which cannot be opened by its path.
  testOn(["deno"], "can be opened as /dev/stdin", () =>
    run(async () => {
      const process = await createSubprocessExec("cat", "/dev/stdin", { stdin: PIPE, stdout: PIPE });
      assert.deepEqual(texts(await process.communicate("abc")), ["abc", null]);
    }),
  );

  testProgram(
    "are not inherited by other processes: each sees the end of its own [SubprocessMixin.test_stdin_not_inheritable]",
    async () => {
      const options = { stdin: PIPE, stdout: PIPE } as const;
      const all = await gather([1, 2, 3].map(() => createSubprocessExec("cat", options)));
      assert.deepEqual(texts((await all[0]?.communicate("first")) ?? []), ["first", null]);
      for (const process of all.slice(1))
        assert.deepEqual(texts(await process.communicate("x")), ["x", null]);
    },
  );

  testProgram(
    "pause when more has come than the limit allows [SubprocessMixin.test_pause_reading]",
    async () => {
      const size = 100_000;
      const process = await createSubprocessShell(`head -c ${size} /dev/zero; echo done >&2`, {
        stdout: PIPE,
        stderr: PIPE,
        limit: 1000,
      });
      assert.equal(process.stdout?.limit, 1000);
      // Nobody reads the standard output; the kernel's buffer takes the rest.
      const data = await process.stdout.readexactly(1);
      while (process.stdout.transport?.isReading() === true) await sleep(0.001);
      const rest = await process.stdout.read();
      assert.equal(data.length + rest.length, size);
      assert.equal(await process.wait(), 0);
    },
  );

  testProgram(
    "can be read after the process has ended [SubprocessMixin.test_read_stdout_after_process_exit]",
    async () => {
      const process = await createSubprocessShell("head -c 50000 /dev/zero; echo end", {
        stdout: PIPE,
        limit: 100,
      });
      await process.wait();
      await hostTurns();
      const data = await process.stdout?.read();
      assert.equal(data?.length, 50_004);
    },
  );

  testProgram("stay paused when the process has ended", async () => {
    const process = await createSubprocessShell("head -c 60000 /dev/zero; (cat /dev/zero & echo $! >&2)", {
      stdout: PIPE,
      stderr: PIPE,
      limit: 100,
    });
    const writer = Number(text((await process.stderr?.readline()) ?? bytes("")));
    await process.wait();
    // The grandchild writes on and on; what is not read must not fill the memory.
    const transport = process.stdout?.transport;
    assert.ok(transport);
    while (transport.isReading()) await hostTurns(1);
    await hostTurns(50);
    assert.equal(transport.isReading(), false);
    const pipe = transport.getExtraInfo("pipe") as { isPaused(): boolean };
    assert.equal(pipe.isPaused(), true);
    await process.stop({ gracePeriod: 60 });
    assert.equal(isAlive(writer), false);
  });

  testProgram("give lines", async () => {
    const process = await createSubprocessShell("echo one; echo two; printf three", { stdout: PIPE });
    const lines: string[] = [];
    for await (const line of process.stdout?.lines() ?? []) lines.push(line);
    assert.deepEqual(lines, ["one", "two", "three"]);
    assert.equal(await process.wait(), 0);
  });
});

describe("Process.communicate", () => {
  testProgram("writes the input and reads the output [SubprocessMixin.test_communicate]", async () => {
    const process = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE });
    assert.deepEqual(texts(await process.communicate(bytes("some data"))), ["some data", null]);
    assert.equal(process.returncode, 0);
  });

  testProgram(
    "closes the input also when there is none [SubprocessMixin.test_communicate_none_input]",
    async () => {
      const process = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE });
      assert.deepEqual(texts(await process.communicate()), ["", null]);
      assert.equal(process.returncode, 0);
    },
  );

  testProgram("takes an empty input [SubprocessMixin.test_empty_input]", async () => {
    const process = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE });
    assert.deepEqual(texts(await process.communicate(bytes(""))), ["", null]);
  });

  testProgram(
    "does not mind a process that reads nothing [SubprocessMixin.test_communicate_ignore_broken_pipe]",
    async () => {
      const process = await createSubprocessExec("true", { stdin: PIPE });
      assert.deepEqual(await process.communicate(new Uint8Array(10_000_000)), [null, null]);
      assert.equal(process.returncode, 0);
    },
  );

  testProgram(
    "several at once get each its own [SubprocessMixin.test_subprocess_communicate_stdout]",
    async () => {
      const talk = async (word: string): Promise<string | null | undefined> => {
        const process = await createSubprocessExec("echo", word, { stdout: PIPE });
        return texts(await process.communicate())[0];
      };
      assert.deepEqual(await gather(talk("a"), talk("b"), talk("c")), ["a\n", "b\n", "c\n"]);
    },
  );

  testProgram("does not deadlock on full pipes, in both directions and on both outputs", async () => {
    const size = 20_000_000;
    const input = new Uint8Array(size).fill(97);
    const process = await createSubprocessShell(`head -c ${size} /dev/zero >&2 & cat; wait`, {
      stdin: PIPE,
      stdout: PIPE,
      stderr: PIPE,
    });
    const [stdout, stderr] = await process.communicate(input);
    assert.equal(stdout?.length, size);
    assert.ok(stdout.every((byte) => byte === 97));
    assert.equal(stderr?.length, size);
    assert.equal(process.returncode, 0);
  });

  testProgram("does not deadlock on a process that writes before it reads", async () => {
    const size = 5_000_000;
    const command = `head -c ${size} /dev/zero >&2; head -c ${size} /dev/zero; wc -c`;
    const process = await createSubprocessShell(command, { stdin: PIPE, stdout: PIPE, stderr: PIPE });
    const [stdout, stderr] = await process.communicate(new Uint8Array(size));
    assert.equal(stderr?.length, size);
    assert.match(text(stdout?.subarray(size) ?? bytes("")), new RegExp(`^\\s*${size}\\s*$`));
  });

  testProgram("refuses an input that cannot be written", async () => {
    const process = await createSubprocessExec("true");
    assert.throws(() => process.communicate("x"), ValueError);
    const piped = await createSubprocessExec("cat", { stdin: PIPE, stdout: DEVNULL });
    assert.throws(() => piped.communicate(1 as unknown as string), ArgumentTypeError);
    await process.wait();
    await piped.communicate();
  });

  testProgram("which is cancelled leaves the process alone, and loses nothing", async () => {
    const process = await createSubprocessShell("echo first; read line; echo second", {
      stdin: PIPE,
      stdout: PIPE,
    });
    const reading = createTask(process.communicate("x"));
    // The input has no newline, but its end is one for the shell.
    const done = createTask(process.wait());
    await sleep(0);
    reading.cancel();
    await assert.rejects(reading, CancelledError);
    assert.equal(process.returncode, null);
    assert.deepEqual(texts(await process.communicate()), ["first\nsecond\n", null]);
    assert.equal(await done, 0);
  });
});

describe("Process.wait", () => {
  testProgram(
    "gives the return code to all who wait [SubprocessMixin.test_subprocess_concurrent_wait]",
    async () => {
      const process = await createSubprocessExec("/bin/sh", "-c", "read x; exit 9", { stdin: PIPE });
      const waits = [1, 2, 3].map(() => createTask(process.wait()));
      await sleep(0);
      process.stdin?.close();
      assert.deepEqual(await gather(...waits), [9, 9, 9]);
      assert.equal(await process.wait(), 9);
    },
  );

  testProgram(
    "which is cancelled leaves the process alone [SubprocessMixin.test_cancel_process_wait]",
    async () => {
      const process = await createSubprocessExec("cat", { stdin: PIPE });
      const waits = [createTask(process.wait()), createTask(process.wait())];
      await sleep(0);
      for (const wait of waits) wait.cancel();
      for (const wait of waits) await assert.rejects(wait, CancelledError);
      assert.equal(process.returncode, null);
      assert.equal(isAlive(process.pid), true);
      process.kill();
      assert.equal(await process.wait(), -SIGKILL);
    },
  );

  testProgram("ends with the process, whoever else holds its pipes", async () => {
    const process = await createSubprocessShell("sleep 1000 & echo $!; exit 4", { stdout: PIPE });
    const grandchild = Number(await line(process));
    assert.equal(await process.wait(), 4);
    assert.equal(isAlive(grandchild), true);
    await process.stop();
    assert.equal(isAlive(grandchild), false);
  });

  testProgram("can be given up after a time", async () => {
    await using process = await createSubprocessExec(...ENDLESS);
    await assert.rejects(
      timeout(0.01, () => process.wait()),
      TimeoutError,
    );
    assert.equal(process.returncode, null);
  });
});

describe("signals to a process", () => {
  testProgram("kill [SubprocessMixin.test_kill]", async () => {
    const process = await createSubprocessExec(...ENDLESS);
    process.kill();
    assert.equal(await process.wait(), -SIGKILL);
    assert.equal(process.returncode, -SIGKILL);
  });

  testProgram("kill, of a shell that runs something [SubprocessMixin.test_kill_issue43884]", async () => {
    const process = await createSubprocessShell("echo ready; sleep 1000; true", { stdout: PIPE });
    assert.equal(await line(process), "ready");
    process.kill();
    assert.equal(await process.wait(), -SIGKILL);
    await process.stop();
  });

  testProgram("terminate [SubprocessMixin.test_terminate]", async () => {
    const process = await createSubprocessExec(...ENDLESS);
    process.terminate();
    assert.equal(await process.wait(), -SIGTERM);
  });

  testProgram("any other, by name or number [SubprocessMixin.test_send_signal]", async () => {
    for (const signal of ["SIGHUP", SIGHUP] as const) {
      const process = await createSubprocessExec("/bin/sh", "-c", "echo sleeping; exec sleep 1000", {
        stdout: PIPE,
      });
      assert.equal(await line(process), "sleeping");
      process.sendSignal(signal);
      assert.equal(await process.wait(), -SIGHUP);
    }
  });

  testProgram("at once after the start [SubprocessMixin.test_subprocess_send_signal_race]", async () => {
    for (let attempt = 0; attempt < 20; attempt++) {
      const process = await createSubprocessExec("true");
      // Whether it has ended by now: nobody knows, and it is no error.
      process.sendSignal("SIGTERM");
      assert.ok([0, -SIGTERM].includes(await process.wait()));
    }
  });

  testProgram("to one that is known to have ended are an error", async () => {
    const process = await createSubprocessExec("true");
    await process.wait();
    for (const send of [
      () => process.sendSignal("SIGHUP"),
      () => process.terminate(),
      () => process.kill(),
    ]) {
      const error = assert.throws<ProcessLookupError>(send, ProcessLookupError);
      assert.match(error.message, /has ended, with 0/);
    }
  });

  testProgram("which do not exist are an error", async () => {
    await using process = await createSubprocessExec(...ENDLESS);
    assert.throws(() => process.sendSignal("SIGNOTHING" as "SIGHUP"), ValueError);
    assert.throws(() => process.sendSignal(-1), ValueError);
    assert.throws(() => process.sendSignal(null as unknown as number), ArgumentTypeError);
  });
});

describe("StreamWriter of a process", () => {
  testProgram("fails when the process reads no more [SubprocessMixin.test_stdin_broken_pipe]", async () => {
    const process = await createSubprocessExec("/bin/sh", "-c", "read line; exit 0", { stdin: PIPE });
    const { stdin } = process;
    assert.ok(stdin);
    stdin.write("go\n");
    stdin.write(new Uint8Array(10_000_000));
    await assert.rejects(stdin.drain());
    // From now on it is known to be closed.
    await assert.rejects(stdin.drain(), ConnectionResetError);
    assert.equal(await process.wait(), 0);
  });

  testProgram("waits for a process that reads slowly", async () => {
    const process = await createSubprocessExec("/bin/sh", "-c", "read go; wc -c", {
      stdin: PIPE,
      stdout: PIPE,
    });
    const { stdin } = process;
    assert.ok(stdin);
    stdin.write(new Uint8Array(2_000_000).fill(97));
    const draining = createTask(stdin.drain());
    await hostTurns();
    assert.equal(draining.done(), false);
    stdin.write("\nabc");
    stdin.close();
    assert.equal(await line(process), "3");
    await draining;
    await stdin.waitClosed();
    assert.equal(await process.wait(), 0);
  });
});

describe("starting a process", () => {
  const start = () => createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE, stderr: PIPE });

  testProgram(
    "which is cancelled leaves nothing [SubprocessMixin.test_cancel_make_subprocess_transport_exec] [SubprocessMixin.test_cancel_post_init] [SubprocessMixin.test_subprocess_read_pipe_cancelled] [SubprocessMixin.test_subprocess_write_pipe_cancelled] [SubprocessMixin.test_subprocess_read_write_pipe_cancelled]",
    async () => {
      const before = ownChildren();
      let cancelled = 0;
      for (let iterations = 0; iterations < 6; iterations++) {
        const task = createTask(start());
        for (let iteration = 0; iteration < iterations; iteration++) await sleep(0);
        task.cancel();
        try {
          const process = await task;
          await process.stop();
        } catch (error) {
          assert.ok(error instanceof CancelledError);
          cancelled++;
        }
        assert.deepEqual(ownChildren(), before);
      }
      assert.ok(cancelled >= 2);
    },
  );

  testProgram("which fails is told to the one who awaits it, and to nobody else", async () => {
    const noted = noteExceptions();
    await assert.rejects(createSubprocessExec("corio-no-such-program"), ProcessStartError);
    assert.deepEqual(noted, []);
  });
});

describe("how a process is shown", () => {
  testProgram("with its number and its return code", async () => {
    const process = await createSubprocessExec("cat", { stdin: PIPE });
    assert.equal(show(process), `<Process ${process.pid} running>`);
    process.stdin?.close();
    await process.wait();
    assert.equal(show(process), `<Process ${process.pid} returncode=0>`);
    assert.equal(Object.prototype.toString.call(process), "[object Process]");
  });
});
