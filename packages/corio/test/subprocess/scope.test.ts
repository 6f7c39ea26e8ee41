// What ends with a scope: the process, and all that it has started.
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import {
  ArgumentTypeError,
  CancelledError,
  createTask,
  Event,
  run,
  shield,
  sleep,
  taskGroup,
  timeout,
  TimeoutError,
  ValueError,
} from "corio";
import {
  CalledProcessError,
  createSubprocessExec,
  createSubprocessShell,
  DEVNULL,
  PIPE,
  ProcessStartError,
  runProcess,
  runShell,
  STDOUT,
} from "corio/subprocess";
import type { Process, RunProcessOptions } from "corio/subprocess";
import { VirtualClock } from "corio/testing";
import { bytes, testProgram, text, withFolder } from "../streams/support/net.ts";
import { assert, describe, test } from "../support/harness.ts";
import { isAlive, line, ownChildren } from "./support/processes.ts";

const { SIGKILL, SIGTERM } = constants.signals;

/** A shell with a child and a grandchild; it writes the two numbers when both are there. */
const FAMILY = "(sleep 1000 & echo $!; wait) & echo $!; wait";

/** The numbers that `FAMILY` writes. */
async function family(process: Process): Promise<number[]> {
  return [process.pid, Number(await line(process)), Number(await line(process))];
}

/** Nobody of a family is there. */
function assertGone(pids: readonly number[]): void {
  for (const pid of pids) {
    assert.ok(pid > 0);
    assert.equal(isAlive(pid), false, `process ${pid} is there`);
  }
}

describe("await using of a process", () => {
  testProgram("ends it, its children and theirs, when the block ends", async () => {
    let pids: number[];
    {
      await using process = await createSubprocessShell(FAMILY, { stdout: PIPE });
      pids = await family(process);
      for (const pid of pids) assert.equal(isAlive(pid), true);
    }
    assertGone(pids);
  });

  testProgram("ends them when the block throws", async () => {
    let pids: number[] = [];
    await assert.rejects(async () => {
      await using process = await createSubprocessShell(FAMILY, { stdout: PIPE });
      pids = await family(process);
      throw new Error("from the block");
    }, /from the block/);
    assertGone(pids);
  });

  testProgram("ends them when its task is cancelled, before the task is done", async () => {
    const started = new Event();
    let pids: number[] = [];
    const task = createTask(async () => {
      await using process = await createSubprocessShell(FAMILY, { stdout: PIPE });
      pids = await family(process);
      started.set();
      await process.wait();
    });
    await started.wait();
    task.cancel();
    await assert.rejects(task, CancelledError);
    assertGone(pids);
  });

  testProgram("ends them in a group of tasks one of which fails", async () => {
    const started = new Event();
    let pids: number[] = [];
    await assert.rejects(
      taskGroup(async (group) => {
        group.createTask(async () => {
          await using process = await createSubprocessShell(FAMILY, { stdout: PIPE });
          pids = await family(process);
          started.set();
          await process.communicate();
        });
        await started.wait();
        throw new Error("from the group");
      }),
    );
    assertGone(pids);
  });

  testProgram("ends what the process has left behind", async () => {
    let left: number;
    {
      await using process = await createSubprocessShell("sleep 1000 & echo $!", { stdout: PIPE });
      left = Number(await line(process));
      assert.equal(await process.wait(), 0);
      assert.equal(isAlive(left), true);
    }
    assertGone([left]);
  });

  testProgram("leaves those alone that have a group of their own", async () => {
    let daemon: number;
    {
      await using process = await createSubprocessShell("setsid sleep 1000 & echo $!; wait", {
        stdout: PIPE,
      });
      daemon = Number(await line(process));
      // It has not left the group before it is a sleep.
      while (!readFileSync(`/proc/${daemon}/cmdline`, "utf8").startsWith("sleep")) await sleep(0.001);
    }
    assert.equal(isAlive(daemon), true);
    process.kill(daemon, "SIGKILL");
  });

  testProgram("ends the process alone which shares the program's group", async () => {
    let pids: number[];
    {
      await using process = await createSubprocessShell(FAMILY, { stdout: PIPE, startNewSession: false });
      pids = await family(process);
    }
    const [shell, ...others] = pids;
    assertGone([shell ?? 0]);
    for (const pid of others) assert.equal(isAlive(pid), true);
    for (const pid of others) process.kill(pid, "SIGKILL");
  });

  testProgram("does nothing when all have ended", async () => {
    let returncode: number | null;
    {
      await using process = await createSubprocessExec("true");
      returncode = await process.wait();
    }
    assert.equal(returncode, 0);
  });
});

describe("Process.stop", () => {
  testProgram("lets a process clean up", async () => {
    const process = await createSubprocessShell("trap 'exit 5' TERM; echo ready; read forever", {
      stdin: PIPE,
      stdout: PIPE,
    });
    assert.equal(await line(process), "ready");
    assert.equal(await process.stop({ gracePeriod: { minutes: 5 } }), 5);
  });

  testProgram("lets the others of the group clean up, too, when the process has gone before them", () =>
    withFolder(async (folder) => {
      const file = join(folder, "cleaned");
      // The shell does not handle the signal, and goes at once.
      const command = `exec 3<&0; (trap 'echo yes > ${file}; exit' TERM; echo ready; read forever <&3) & wait`;
      const process = await createSubprocessShell(command, { stdin: PIPE, stdout: PIPE });
      assert.equal(await line(process), "ready");
      assert.equal(await process.stop({ gracePeriod: { minutes: 5 } }), -SIGTERM);
      assert.equal(readFileSync(file, "utf8"), "yes\n");
    }),
  );

  testProgram("kills a process that does not listen, when the grace period is over", async () => {
    const process = await createSubprocessShell("trap '' TERM; echo ready; while :; do sleep 1000; done", {
      stdout: PIPE,
      gracePeriod: 0.05,
    });
    assert.equal(await line(process), "ready");
    assert.equal(await process.stop(), -SIGKILL);
    assertGone([process.pid]);
  });

  testProgram("kills others of the group that do not listen", async () => {
    const command = "(trap '' TERM; echo ready; while :; do sleep 1000; done) & echo $!; wait";
    const process = await createSubprocessShell(command, { stdout: PIPE, gracePeriod: 0.05 });
    const lines = [await line(process), await line(process)];
    const stubborn = Number(lines.find((word) => word !== "ready"));
    // The process itself is gone before the grace period begins: on a busy machine it may need longer than that to die.
    process.terminate();
    assert.equal(await process.wait(), -SIGTERM);
    assert.equal(isAlive(stubborn), true);
    assert.equal(await process.stop(), -SIGTERM);
    assertGone([process.pid, stubborn]);
  });

  testProgram("asks first, and kills at once when it is cancelled", async () => {
    const process = await createSubprocessShell(
      "trap 'echo asked' TERM; echo ready; while :; do sleep 1000 & wait; done",
      {
        stdout: PIPE,
      },
    );
    assert.equal(await line(process), "ready");
    const stopping = createTask(process.stop({ gracePeriod: Infinity }));
    assert.equal(await line(process), "asked");
    assert.equal(stopping.done(), false);
    stopping.cancel();
    await assert.rejects(stopping, CancelledError);
    assert.equal(process.returncode, -SIGKILL);
    assertGone([process.pid]);
  });

  testProgram("kills at once without a grace period", async () => {
    const process = await createSubprocessShell("trap 'exit 5' TERM; echo ready; read forever", {
      stdin: PIPE,
      stdout: PIPE,
    });
    assert.equal(await line(process), "ready");
    assert.equal(await process.stop({ gracePeriod: 0 }), -SIGKILL);
  });

  testProgram("reaches a process that was stopped", async () => {
    const process = await createSubprocessShell("trap 'exit 6' TERM; echo ready; read forever", {
      stdin: PIPE,
      stdout: PIPE,
    });
    assert.equal(await line(process), "ready");
    process.sendSignal("SIGSTOP");
    assert.equal(await process.stop({ gracePeriod: { minutes: 5 } }), 6);
  });

  testProgram("can be called by several, and again", async () => {
    const process = await createSubprocessExec("sleep", "1000");
    const stops = [createTask(process.stop()), createTask(process.stop())];
    for (const stop of stops) assert.equal(await stop, -SIGTERM);
    assert.equal(await process.stop(), -SIGTERM);
  });

  testProgram("refuses what is no duration", async () => {
    await using process = await createSubprocessExec("sleep", "1000");
    assert.throws(() => process.stop({ gracePeriod: "5" as unknown as number }), ArgumentTypeError);
  });

  test("counts real seconds under a virtual clock", () =>
    run(
      async () => {
        const process = await createSubprocessShell("trap 'exit 5' TERM; echo ready; read forever", {
          stdin: PIPE,
          stdout: PIPE,
        });
        assert.equal(await line(process), "ready");
        // A clock that jumped over the grace period would have killed it.
        assert.equal(await process.stop({ gracePeriod: { minutes: 5 } }), 5);
      },
      { clock: new VirtualClock({ foreignGrace: 60 }) },
    ));
});

describe("runProcess and runShell", () => {
  testProgram("give the output, the errors and the return code", async () => {
    const { stdout, stderr, returncode, command } = await runShell("echo out; echo error >&2; exit 3");
    assert.deepEqual([text(stdout), text(stderr), returncode], ["out\n", "error\n", 3]);
    assert.equal(command, "echo out; echo error >&2; exit 3");
    const echo = await runProcess("echo", "a b", "it's");
    assert.equal(text(echo.stdout), "a b it's\n");
    assert.equal(echo.command, "echo 'a b' 'it'\\''s'");
  });

  testProgram("take an input; without, there is none", async () => {
    assert.equal(text((await runProcess("cat", { input: "some text" })).stdout), "some text");
    assert.equal(text((await runProcess("cat", { input: bytes("bytes") })).stdout), "bytes");
    assert.equal(text((await runProcess("cat")).stdout), "");
  });

  testProgram("give nothing of streams that go elsewhere", async () => {
    const { stdout, stderr } = await runShell("echo out; echo error >&2", {
      stdout: DEVNULL,
      stderr: DEVNULL,
    });
    assert.deepEqual([stdout.length, stderr.length], [0, 0]);
    const merged = await runShell("echo out; echo error >&2", { stderr: STDOUT });
    assert.equal(text(merged.stdout), "out\nerror\n");
  });

  testProgram("throw when the return code is to be checked", async () => {
    const failed = await assert.rejects<CalledProcessError>(
      runShell("echo out; echo what went wrong >&2; exit 3", { check: true }),
      CalledProcessError,
    );
    assert.equal(failed.code, "CORIO_CALLED_PROCESS");
    assert.equal(failed.returncode, 3);
    assert.equal(text(failed.stdout), "out\n");
    assert.match(failed.message, /ended with exit code 3: what went wrong$/);
    const killed = await assert.rejects<CalledProcessError>(
      runShell("kill -9 $$", { check: true }),
      CalledProcessError,
    );
    assert.match(killed.message, /was ended by signal 9$/);
    assert.equal((await runShell("exit 0", { check: true })).returncode, 0);
  });

  testProgram("throw when there is no such program", async () => {
    await assert.rejects(runProcess("corio-no-such-program"), ProcessStartError);
    await assert.rejects(runProcess("corio-no-such-program", { stderr: STDOUT }), ProcessStartError);
  });

  test("refuse inputs that fit with nothing", () => {
    const refused: readonly [RunProcessOptions, new (...given: never[]) => Error][] = [
      [{ stdin: PIPE }, ValueError],
      [{ stdin: DEVNULL, input: "x" }, ValueError],
      [{ input: 1 as unknown as string }, ArgumentTypeError],
    ];
    for (const [options, expected] of refused) assert.throws(() => runProcess("true", options), expected);
    assert.throws(() => runShell("true", null as unknown as RunProcessOptions), ArgumentTypeError);
  });

  testProgram("do not deadlock on full pipes", async () => {
    const input = new Uint8Array(20_000_000).fill(98);
    const { stdout, stderr } = await runShell("head -c 5000000 /dev/zero >&2; cat", { input });
    assert.equal(stdout.length, input.length);
    assert.equal(stderr.length, 5_000_000);
  });

  testProgram("do not wait for what holds the output open, and end it", async () => {
    const { stdout, returncode } = await runShell("sleep 1000 & echo $!; exit 2");
    assert.equal(returncode, 2);
    assertGone([Number(text(stdout))]);
  });

  testProgram("give all output of a process that leaves something behind", async () => {
    const { stdout } = await runShell("sleep 1000 & head -c 1000000 /dev/zero");
    assert.equal(stdout.length, 1_000_000);
  });

  testProgram("wait for the output as long as the grace period, when a daemon holds it", () =>
    withFolder(async (folder) => {
      const file = join(folder, "pid");
      const daemon = `setsid sh -c 'echo $$ > ${file}; exec sleep 1000'`;
      const command = `${daemon} & while ! [ -s ${file} ]; do sleep 0.01; done; cat ${file}`;
      const { stdout } = await runShell(command, { gracePeriod: 0.5 });
      const pid = Number(text(stdout));
      assert.equal(isAlive(pid), true);
      process.kill(pid, "SIGKILL");
    }),
  );

  const cancelled: readonly [title: string, call: (file: string) => PromiseLike<unknown>][] = [
    ["a shell", (file) => runShell(`(sleep 1000 & echo $! >> ${file}; wait) & echo $$ $! >> ${file}; wait`)],
    [
      "a program with a full pipe",
      (file) =>
        runProcess("/bin/sh", "-c", `cat /dev/zero & echo $$ $! >> ${file}; exec cat /dev/zero`, {
          input: new Uint8Array(10_000_000),
          // Nobody takes that out.
          stdout: PIPE,
        }),
    ],
    [
      "what does not listen",
      (file) =>
        runShell(
          `trap '' TERM; (while :; do sleep 1; done) & echo $$ $! >> ${file}; while :; do sleep 1; done`,
          {
            gracePeriod: 0.05,
          },
        ),
    ],
  ];
  for (const [title, call] of cancelled) {
    testProgram(`end ${title} with its group when they are cancelled`, () =>
      withFolder(async (folder) => {
        const file = join(folder, "pids");
        const task = createTask(() => call(file));
        const pids = (): number[] => {
          try {
            return readFileSync(file, "utf8").trim().split(/\s+/).map(Number);
          } catch {
            return [];
          }
        };
        while (pids().length < 2) await sleep(0.002);
        task.cancel();
        await assert.rejects(task, CancelledError);
        assertGone(pids());
        assert.deepEqual(ownChildren(), []);
      }),
    );
  }

  testProgram("end it when time is up", async () => {
    await assert.rejects(
      timeout(0.02, () => runShell("sleep 1000 & sleep 1000")),
      TimeoutError,
    );
    assert.deepEqual(ownChildren(), []);
  });

  testProgram("end it at whatever iteration they are cancelled", async () => {
    for (let iterations = 0; iterations < 12; iterations++) {
      const task = createTask(runShell("sleep 1000"));
      for (let iteration = 0; iteration < iterations; iteration++) await sleep(0);
      task.cancel();
      await assert.rejects(task, CancelledError);
      assert.deepEqual(ownChildren(), []);
    }
  });

  testProgram("go on behind a shield", async () => {
    const running = createTask(runShell("read go; echo done", { input: "x\n" }));
    const waiting = createTask(async () => shield(running));
    await sleep(0);
    waiting.cancel();
    await assert.rejects(waiting, CancelledError);
    assert.equal(text((await running).stdout), "done\n");
  });
});
