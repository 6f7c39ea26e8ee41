import {
  ArgumentTypeError,
  ContextVar,
  coroutine,
  createTask,
  currentTask,
  Event,
  getRunningLoop,
  KeyboardInterrupt,
  run,
  Runner,
  RuntimeError,
  sleep,
  ValueError,
} from "corio";
import { addSignalHandler, removeSignalHandler, signals } from "corio/signals";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../support/harness.ts";
import { runProgram, startProgram } from "../support/program.ts";

const raise = (signal: NodeJS.Signals): void => {
  process.kill(process.pid, signal);
};

describe("a signal handler", () => {
  test("is called on the loop, with its arguments, outside of any task [EventLoopTestsMixin.test_add_signal_handler] [EventLoopTestsMixin.test_signal_handling_args] [EventLoopTestsMixin.test_signal_handling_while_selecting] [SelectorEventLoopSignalTests.test_add_signal_handler]", async () => {
    const seen = await run(async () => {
      const loop = getRunningLoop();
      const called = new Event();
      const log: unknown[] = [];
      const handler = (...parameters: unknown[]): void => {
        log.push(parameters, getRunningLoop() === loop, currentTask());
        called.set();
      };
      addSignalHandler("SIGUSR2", handler, "some", 1);
      raise("SIGUSR2");
      // Not at once: the signal goes through the ready queue.
      assert.deepEqual(log, []);
      await called.wait();
      return log;
    });
    assert.deepEqual(seen, [["some", 1], true, null]);
    assert.equal(process.listenerCount("SIGUSR2"), 0);
  });

  test("runs in the context in which it was added", async () => {
    const variable = new ContextVar<string>("variable", { defaultValue: "none" });
    await run(async () => {
      variable.set("added");
      const called = new Event();
      let seen = "";
      addSignalHandler("SIGUSR2", () => {
        seen = variable.get();
        called.set();
      });
      variable.set("later");
      raise("SIGUSR2");
      await called.wait();
      assert.equal(seen, "added");
    });
  });

  test("replaces the one before; without it the signal does what it did [EventLoopTestsMixin.test_add_signal_handler] [SelectorEventLoopSignalTests.test_remove_signal_handler] [SelectorEventLoopSignalTests.test_remove_signal_handler_2]", async () => {
    await run(async () => {
      const log: string[] = [];
      const called = new Event();
      addSignalHandler("SIGUSR2", () => log.push("first"));
      addSignalHandler("SIGUSR2", () => {
        log.push("second");
        called.set();
      });
      addSignalHandler("SIGHUP", () => log.push("other"));
      assert.equal(process.listenerCount("SIGUSR2"), 1);
      raise("SIGUSR2");
      await called.wait();
      assert.deepEqual(log, ["second"]);
      assert.equal(removeSignalHandler("SIGUSR2"), true);
      assert.equal(removeSignalHandler("SIGUSR2"), false);
      assert.equal(process.listenerCount("SIGUSR2"), 0);
      assert.equal(process.listenerCount("SIGHUP"), 1);
    });
    assert.equal(process.listenerCount("SIGHUP"), 0);
  });

  test("goes away when the loop is closed, not when it stops [SelectorEventLoopSignalTests.test_close]", async () => {
    const runner = new Runner();
    await runner.run(async () => {
      addSignalHandler("SIGUSR2", () => 0);
      addSignalHandler("SIGHUP", () => 0);
    });
    assert.deepEqual([process.listenerCount("SIGUSR2"), process.listenerCount("SIGHUP")], [1, 1]);
    await runner.close();
    assert.deepEqual([process.listenerCount("SIGUSR2"), process.listenerCount("SIGHUP")], [0, 0]);
  });

  test("that was removed is not called for a signal that is on its way [SelectorEventLoopSignalTests.test_handle_signal_no_handler]", async () => {
    await run(async () => {
      const log: string[] = [];
      const arrived = new Event();
      // Somebody else wants it, too: without anybody it would end the process.
      const other = (): void => arrived.set();
      process.on("SIGUSR2", other);
      try {
        addSignalHandler("SIGUSR2", () => log.push("called"));
        raise("SIGUSR2");
        assert.equal(removeSignalHandler("SIGUSR2"), true);
        await arrived.wait();
        await sleep(0);
        assert.deepEqual(log, []);
      } finally {
        process.off("SIGUSR2", other);
      }
    });
  });

  test("of one loop leaves those of others alone", async () => {
    const log: string[] = [];
    const listen = coroutine(async function listen(name: string) {
      const called = new Event();
      addSignalHandler("SIGUSR2", () => {
        log.push(name);
        called.set();
      });
      await called.wait();
    });
    const runs = Promise.all([run(listen("a")), run(listen("b"))]);
    await run(sleep(0));
    raise("SIGUSR2");
    await runs;
    assert.deepEqual(log.sort(), ["a", "b"]);
  });

  test("that throws is reported, and stays", async () => {
    await run(async () => {
      const messages: unknown[] = [];
      const called = new Event();
      getRunningLoop().setExceptionHandler((_loop, { message, exception }) =>
        messages.push(message, exception),
      );
      let calls = 0;
      addSignalHandler("SIGUSR2", function reload() {
        if (++calls === 2) called.set();
        else queueMicrotask(() => raise("SIGUSR2"));
        throw new Error(`call ${calls}`);
      });
      raise("SIGUSR2");
      await called.wait();
      assert.deepEqual(messages.map(String), [
        "Exception in callback reload",
        "Error: call 1",
        "Exception in callback reload",
        "Error: call 2",
      ]);
    });
  });

  test("keeps a virtual clock from taking a wait for a signal for a deadlock", async () => {
    await run(
      async () => {
        const called = new Event();
        addSignalHandler("SIGUSR2", () => called.set());
        setImmediate(() => raise("SIGUSR2"));
        await called.wait();
      },
      { clock: new VirtualClock() },
    );
  });

  test("is refused for what is no signal, or cannot be caught [SelectorEventLoopSignalTests.test_check_signal] [SelectorEventLoopSignalTests.test_add_signal_handler_install_error3] [SelectorEventLoopSignalTests.test_remove_signal_handler_error2]", async () => {
    await run(async () => {
      assert.throws(
        () => addSignalHandler(15 as never, () => 0),
        /expects the name of a signal, such as "SIGTERM", got 15/,
      );
      assert.throws(() => removeSignalHandler(15 as never), ArgumentTypeError);
      assert.throws(() => addSignalHandler("SIGNONE" as never, () => 0), ValueError);
      assert.throws(() => addSignalHandler("toString" as never, () => 0), ValueError);
      assert.throws(() => removeSignalHandler("SIGNONE" as never), ValueError);
      for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
        assert.throws(() => addSignalHandler(signal, () => 0), RuntimeError);
        assert.throws(() => signals(signal), /cannot be caught/);
        assert.equal(removeSignalHandler(signal), false);
      }
    });
  });

  test("is no coroutine [SelectorEventLoopSignalTests.test_add_signal_handler_coroutine_error]", async () => {
    await run(async () => {
      const nap = coroutine(async function nap() {
        await sleep(1);
      });
      const made = nap();
      assert.throws(() => addSignalHandler("SIGHUP", nap), /addSignalHandler expects a plain function/);
      assert.throws(
        () => addSignalHandler("SIGHUP", made as never),
        /coroutines are scheduled with createTask/,
      );
      await assert.rejects(createTask(made), /already closed/);
      assert.throws(
        () => addSignalHandler("SIGHUP", async () => {}),
        /expects a plain function, got .*make a task in it, with createTask/,
      );
      assert.throws(() => addSignalHandler("SIGHUP", "x" as never), ArgumentTypeError);
      assert.equal(process.listenerCount("SIGHUP"), 0);
    });
  });

  test("needs a running loop", () => {
    assert.throws(() => addSignalHandler("SIGHUP", () => 0), RuntimeError);
    assert.throws(() => removeSignalHandler("SIGHUP"), RuntimeError);
    assert.throws(() => signals("SIGHUP"), RuntimeError);
  });

  test("waits for its signal in a program that does nothing else", async () => {
    const { printed, kill, ended } = startProgram(`
      import { Event, run } from "corio";
      import { addSignalHandler } from "corio/signals";
      await run(async () => {
        const stop = new Event();
        addSignalHandler("SIGTERM", () => stop.set());
        setTimeout(() => console.log("ready"), 1);
        await stop.wait();
        console.log("stopped");
      });
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, exitCode } = await ended;
    assert.deepEqual(stdout, ["ready", "stopped"]);
    assert.equal(exitCode, 0);
  });

  test("of SIGINT takes the place of what run does at Ctrl-C, and gives it back", async () => {
    const { stdout } = await runProgram(`
      import { Event, run, sleep } from "corio";
      import { addSignalHandler, removeSignalHandler } from "corio/signals";
      try {
        await run(async () => {
          const called = new Event();
          addSignalHandler("SIGINT", () => called.set());
          process.kill(process.pid, "SIGINT");
          await called.wait();
          console.log("mine");
          removeSignalHandler("SIGINT");
          // Twice in a tenth of a second would count once.
          setTimeout(() => process.kill(process.pid, "SIGINT"), 150);
          await sleep(10);
        });
      } catch (error) {
        console.log(error.name);
      }
    `);
    assert.deepEqual(stdout, ["mine", KeyboardInterrupt.brand]);
  });

  test("cannot be set in a worker thread [SelectorEventLoopSignalTests.test_add_signal_handler_setup_error]", async () => {
    const { stdout } = await runProgram(`
      import { run } from "corio";
      import { addSignalHandler } from "corio/signals";
      import { isMainThread, Worker } from "node:worker_threads";
      if (isMainThread) new Worker(new URL(import.meta.url)).on("message", (text) => console.log(text));
      else {
        const { parentPort } = await import("node:worker_threads");
        await run(async () => {
          try { addSignalHandler("SIGTERM", () => 0); } catch (error) { parentPort.postMessage(error.message); }
        });
      }
    `);
    assert.deepEqual(stdout, ["addSignalHandler: only the main thread receives signals"]);
  });
});
