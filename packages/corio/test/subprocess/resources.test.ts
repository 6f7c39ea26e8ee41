// What is left when processes have ended, and when the program ends before them: nothing.
import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { createTask, gather, run, sleep, taskGroup, timeout, TimeoutError } from "corio";
import {
  createSubprocessExec,
  createSubprocessShell,
  PIPE,
  runProcess,
  runShell,
  subprocessExec,
} from "corio/subprocess";
import { testProgram, text, warningsOf } from "../streams/support/net.ts";
import { assert, describe, test, testOn } from "../support/harness.ts";
import { runProgram } from "../support/program.ts";
import {
  descriptorsDownTo,
  hostTurns,
  isAlive,
  leftOfProcesses,
  openDescriptors,
  ownChildren,
  texts,
} from "./support/processes.ts";

describe("many processes", () => {
  testProgram("a hundred at once, each with its own data", async () => {
    const words = Array.from({ length: 100 }, (_, index) => `word ${index}`);
    const results = await gather(words.map((word) => runProcess("cat", { input: word })));
    assert.deepEqual(
      results.map(({ stdout }) => text(stdout)),
      words,
    );
    assert.deepEqual(ownChildren(), []);
  });

  testProgram("a hundred at once that are cancelled together", async () => {
    await assert.rejects(
      timeout(0.05, () =>
        taskGroup(async (group) => {
          for (let count = 0; count < 100; count++) group.createTask(runProcess("sleep", "1000"));
        }),
      ),
      TimeoutError,
    );
    assert.deepEqual(ownChildren(), []);
  });

  testProgram("leave no descriptors and no zombies", async () => {
    const round = async (): Promise<void> => {
      const process = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      assert.deepEqual(texts(await process.communicate("x")), ["x", ""]);
      await runShell("echo x; sleep 1000 & exit 3");
      const stopped = await createSubprocessShell("sleep 1000 & sleep 1000", { stdin: PIPE, stdout: PIPE });
      await stopped.stop({ gracePeriod: 0 });
      const unread = await createSubprocessExec("echo", "unread", { stdout: PIPE });
      await unread.wait();
      await unread.stop();
    };
    // The first of everything makes the host open some of its own.
    await round();
    await hostTurns();
    const before = openDescriptors();
    for (let count = 0; count < 20; count++) await round();
    await descriptorsDownTo(before);
    assert.deepEqual(ownChildren(), []);
  });

  // `npm run proof` starts a thousand.
  testProgram("one after another leave no descriptors and no zombies", async () => {
    assert.deepEqual(await leftOfProcesses(60), { descriptors: 0, zombies: 0 });
  });
});

describe("the end of the loop", () => {
  test("kills a process that still runs, with its group, and warns of it", async () => {
    let child: ChildProcess | undefined;
    let exit: Promise<unknown[]> | undefined;
    const codes = await warningsOf(() =>
      run(async () => {
        const [transport] = await subprocessExec(() => ({}), "sleep", "1000");
        child = transport.getExtraInfo("subprocess") as ChildProcess;
        exit = once(child, "exit");
      }),
    );
    assert.deepEqual(codes, ["CORIO_UNCLOSED"]);
    assert.deepEqual(await exit, [null, "SIGKILL"]);
    assert.equal(isAlive(child?.pid ?? 0), false);
  });

  test("says nothing of a process that has ended, and closes what nobody has read", async () => {
    const before = openDescriptors();
    const codes = await warningsOf(() =>
      run(async () => {
        const process = await createSubprocessExec("echo", "unread", { stdout: PIPE, stdin: PIPE });
        await process.wait();
      }),
    );
    assert.deepEqual(codes, []);
    await descriptorsDownTo(before);
  });

  test("says nothing of a process that was ended", async () => {
    const codes = await warningsOf(() =>
      run(async () => {
        await using _process = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE });
        const other = await createSubprocessExec("cat", { stdin: PIPE, stdout: PIPE });
        await other.stop();
      }),
    );
    assert.deepEqual(codes, []);
  });

  test("ends processes in the tasks that are left over", async () => {
    const codes = await warningsOf(() =>
      run(async () => {
        createTask(runShell("sleep 1000 & sleep 1000"));
        await sleep(0);
        await sleep(0);
        assert.equal(ownChildren().length, 1);
      }),
    );
    assert.deepEqual(codes, []);
    assert.deepEqual(ownChildren(), []);
  });
});

describe("the end of the program", () => {
  // Both processes hold the program's output open: runProgram would wait for them.
  test("kills the processes that still run, with their groups", async () => {
    const { stdout, exitCode } = await runProgram(`
      import { run } from "corio";
      import { createSubprocessShell } from "corio/subprocess";
      await run(async () => {
        await createSubprocessShell("sleep 1000 & sleep 1000");
        console.log("started");
        process.exit(3);
      });
    `);
    assert.deepEqual(stdout, ["started"]);
    assert.equal(exitCode, 3);
  });

  // Bun and Deno do not tell of that end.
  testOn(["node"], "kills them also when an error ends the program", async () => {
    const { stdout, exitCode, stderr } = await runProgram(`
      import { run } from "corio";
      import { createSubprocessShell } from "corio/subprocess";
      await run(async () => {
        await createSubprocessShell("sleep 1000 & sleep 1000", { stderr: null });
        console.log("started");
        setTimeout(() => { throw new Error("from outside"); }, 0);
        await new Promise(() => {});
      });
    `);
    assert.deepEqual(stdout, ["started"]);
    assert.match(stderr, /from outside/);
    assert.notEqual(exitCode, 0);
  });

  test("ends the processes of a block on Ctrl-C", async () => {
    const { stdout, stderr } = await runProgram(`
      import { KeyboardInterrupt, run } from "corio";
      import { createSubprocessShell } from "corio/subprocess";
      try {
        await run(async () => {
          // As await using does, which Node 20 does not know.
          const running = await createSubprocessShell("sleep 1000 & sleep 1000");
          try {
            process.kill(process.pid, "SIGINT");
            await running.wait();
          } finally {
            await running[Symbol.asyncDispose]();
            console.log("ended");
          }
        });
      } catch (error) {
        console.log(error instanceof KeyboardInterrupt);
      }
    `);
    assert.equal(stderr, "");
    assert.deepEqual(stdout, ["ended", "true"]);
  });

  test("waits for a process that a task waits for, and is no deadlock", async () => {
    const { stdout, exitCode, stderr } = await runProgram(`
      import { run } from "corio";
      import { createSubprocessExec } from "corio/subprocess";
      await run(async () => {
        const process = await createSubprocessExec("sleep", "0.05");
        console.log(await process.wait());
      });
    `);
    assert.equal(stderr, "");
    assert.deepEqual(stdout, ["0"]);
    assert.equal(exitCode, 0);
  });
});
