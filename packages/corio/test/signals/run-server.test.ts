import { run, RuntimeError, sleep, ValueError } from "corio";
import { onShutdown, runServer, shutdownRequested } from "corio/signals";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../support/harness.ts";
import { runProgram, startProgram } from "../support/program.ts";

const header = `
  import { createTask, getRunningLoop, once, run, sleep, until } from "corio";
  import { onShutdown, runServer, shutdownRequested } from "corio/signals";
  import { VirtualClock } from "corio/testing";
  /** Time that costs none: nothing is outside but the signals, which have come when it is asked for. */
  const clock = new VirtualClock({ foreignGrace: 0 });
  const ready = () => setImmediate(() => console.log("ready"));
`;

describe("a server", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`that gets ${signal} ends in order, and by that signal`, async () => {
      const { kill, printed, ended } = startProgram(`${header}
        await runServer(async () => {
          onShutdown(async () => { await sleep(0.01); console.log("closed the database"); });
          onShutdown(() => { console.log("stopped accepting"); });
          onShutdown(() => sleep(0.01, "a coroutine"));
          createTask(async () => {
            try { await sleep(1000); } finally { await sleep(0.01); console.log("cleaned up the other task"); }
          });
          createTask(async () => { console.log("asked by", await shutdownRequested()); });
          ready();
          try { await sleep(1000); }
          catch (error) { console.log(error.name, error.reason, error.requestedBy); throw error; }
          finally { await sleep(0.01); console.log("cleaned up main"); }
        });
        console.log("not reached");
      `);
      await printed("ready");
      kill(signal);
      const result = await ended;
      assert.equal(result.stderr, "");
      assert.deepEqual(result.stdout, [
        "ready",
        `asked by ${signal}`,
        "stopped accepting",
        "closed the database",
        `CancelledError ${signal} runServer`,
        "cleaned up main",
        "cleaned up the other task",
      ]);
      assert.deepEqual([result.exitCode, result.signal], [null, signal]);
    });
  }

  test("that comes to its end without a signal gives its result, and the process exits 0", async () => {
    const { stdout, exitCode, signal } = await runProgram(`${header}
      console.log(await runServer(async () => { await sleep(0.01); return "result"; }));
      console.log(process.listenerCount("SIGTERM"));
    `);
    assert.deepEqual([stdout, exitCode, signal], [["result", "0"], 0, null]);
  });

  test("that comes to its end because it was asked to still ends by the signal", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      await runServer(async () => { ready(); await shutdownRequested(); await sleep(0.01); console.log("done"); });
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, signal } = await ended;
    assert.deepEqual([stdout, signal], [["ready", "done"], "SIGTERM"]);
  });

  test("that fails on the way out rejects with the error", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      try {
        await runServer(async () => { ready(); try { await sleep(1000); } finally { throw new Error("disk full"); } });
      } catch (error) { console.log(error.message); process.exitCode = 3; }
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, exitCode } = await ended;
    assert.deepEqual([stdout, exitCode], [["ready", "disk full"], 3]);
  });

  test("is ended by force, with a report, when the grace period is over", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      await runServer(async () => {
        ready();
        for (;;) { try { await sleep(Infinity); } catch { console.log("refused"); } }
      }, { clock, gracePeriod: 30, name: "stubborn" });
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, stderr, signal } = await ended;
    assert.deepEqual([stdout, signal], [["ready", "refused"], "SIGTERM"]);
    assert.match(
      stderr,
      /shutdown: the grace period of 30 s is over; 1 task\(s\) are still there\n {2}task 'stubborn'.* waits for sleep/,
    );
  });

  test("cancels main when the drain period is over, whatever callbacks are doing", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      await runServer(async () => {
        onShutdown(() => console.log("called all the same", clock.time()));
        onShutdown(async function drain() { await sleep(1000); });
        ready();
        try { await sleep(Infinity); } finally { console.log("cancelled", clock.time()); }
      }, { clock, gracePeriod: 30, drainPeriod: 10 });
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, stderr, signal } = await ended;
    assert.deepEqual([stdout, signal], [["ready", "called all the same 10", "cancelled 10"], "SIGTERM"]);
    assert.match(stderr, /drain was not done when the drain period of 10 s was over/);
  });

  test("reports what callbacks throw, and goes on", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      await runServer(async () => {
        onShutdown(() => console.log("the other"));
        const undo = onShutdown(() => console.log("not called"));
        onShutdown(function closeServer() { throw new Error("not listening"); });
        undo();
        ready();
        await sleep(Infinity);
      }, { clock });
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, stderr, signal } = await ended;
    assert.deepEqual([stdout, signal], [["ready", "the other"], "SIGTERM"]);
    assert.match(stderr, /exception in closeServer, called at shutdown\n[^]*not listening/);
  });

  test("is ended by force by a second signal, which is then the cause of death", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      await runServer(async () => {
        ready();
        try { await sleep(1000); } finally { console.log("cleaning up"); await sleep(1000); }
      });
    `);
    await printed("ready");
    kill("SIGINT");
    await printed("cleaning up");
    kill("SIGTERM");
    const { stderr, signal } = await ended;
    assert.equal(signal, "SIGTERM");
    assert.match(stderr, /shutdown: SIGTERM came while the server was ending; 1 task\(s\) are still there/);
  });

  for (const isFirst of [false, true]) {
    test(`with open connections that does not come to its end ${isFirst ? "exits as PID 1" : "is ended"} at the second signal`, async () => {
      const under = isFirst ? namespaceCommand() : [];
      if (under === null) return;
      const { child, printed, ended } = startProgram(
        `${header}
        import { openConnection, startServer } from "corio/streams";
        import { gather } from "corio";
        await runServer(async () => {
          let open = 0;
          const server = await startServer(async (reader, writer) => {
            open++;
            try { await reader.read(); }
            finally { await sleep(1000); }
          }, "127.0.0.1", 0);
          onShutdown(() => { server.close(); console.log("stopped accepting,", open, "open"); });
          await gather(Array.from({ length: 20 }, () => openConnection("127.0.0.1", server.port)));
          while (open < 20) await sleep(0);
          ready();
          try { await server.serveForever(); }
          finally { console.log("main ends"); }
        }, { gracePeriod: 60, drainPeriod: 0 });
      `,
        { under },
      );
      await printed("ready");
      // To the program: unshare would not pass it on.
      const pid = isFirst ? (childrenOf(child.pid ?? 0)[0] ?? 0) : (child.pid ?? 0);
      process.kill(pid, "SIGTERM");
      await printed("main ends");
      // Later than what counts as the same signal.
      await new Promise((resolve) => setTimeout(resolve, 150));
      process.kill(pid, "SIGTERM");
      const { stdout, stderr, exitCode, signal } = await ended;
      assert.deepEqual(stdout, ["ready", "stopped accepting, 20 open", "main ends"]);
      assert.match(
        stderr,
        /shutdown: SIGTERM came while the server was ending; 20 task\(s\) are still there/,
      );
      assert.deepEqual([exitCode, signal], isFirst ? [143, null] : [null, "SIGTERM"]);
    });
  }

  test("takes a signal that a shell and npm both pass on for one", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      import { Event } from "corio";
      // Both come at the same moment, however long a busy machine takes for the second.
      const moment = performance.now();
      performance.now = () => moment;
      await runServer(async () => {
        const bothHaveCome = new Event();
        process.once("SIGINT", () => {
          process.once("SIGINT", () => bothHaveCome.set());
          process.kill(process.pid, "SIGINT");
        });
        ready();
        try { await sleep(1000); } finally { await bothHaveCome.wait(); console.log("cleaned up"); }
      });
    `);
    await printed("ready");
    kill("SIGINT");
    const { stdout, signal } = await ended;
    assert.deepEqual([stdout, signal], [["ready", "cleaned up"], "SIGINT"]);
  });

  test("takes only the signals it was given", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      await runServer(async () => {
        ready();
        try { await sleep(1000); } finally { console.log("cleaned up"); }
      }, { signals: ["SIGHUP"] });
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, signal } = await ended;
    assert.deepEqual([stdout, signal], [["ready"], "SIGTERM"]);
  });

  test("leaves Ctrl-C to run when it is not among its signals", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      try { await runServer(async () => { ready(); await sleep(1000); }, { signals: ["SIGTERM"] }); }
      catch (error) { console.log(error.name); }
    `);
    await printed("ready");
    kill("SIGINT");
    const { stdout, exitCode } = await ended;
    assert.deepEqual([stdout, exitCode], [["ready", "KeyboardInterrupt"], 0]);
  });

  test("ends beside another one: the process ends when both have", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      const serve = (name, seconds) => runServer(async () => {
        try { await sleep(1000); } finally { await sleep(seconds); console.log(name); }
      });
      ready();
      await Promise.all([serve("slow", 0.05), serve("fast", 0)]);
    `);
    await printed("ready");
    kill("SIGTERM");
    const { stdout, signal } = await ended;
    assert.deepEqual([stdout, signal], [["ready", "fast", "slow"], "SIGTERM"]);
  });

  test("under load lets every request that it took in come to its end", async () => {
    const { kill, printed, ended } = startProgram(`${header}
      import { createServer } from "node:http";
      let open = 0, served = 0;
      const server = createServer((request, response) => {
        open++;
        void run(async () => {
          await sleep(0.05);
          response.end("answer");
          open--;
          served++;
        });
      });
      await runServer(async () => {
        onShutdown(async function stopAccepting() {
          console.log("open at the signal", open);
          const closed = once(server, "close");
          server.close();
          await closed;
          console.log("open at the end", open, "served", served);
        });
        const listening = once(server, "listening");
        server.listen(0, "127.0.0.1");
        await listening;
        console.log("port", server.address().port, "!");
        await sleep(Infinity);
      });
    `);
    const output = await printed("!");
    const { get } = process.getBuiltinModule("node:http");
    const port = Number(/port (\d+)/.exec(output)?.[1]);
    let begun = 0;
    let answers = 0;
    const requests = Array.from({ length: 50 }, () => {
      return new Promise<void>((resolve) => {
        const request = get({ port, host: "127.0.0.1", agent: false }, (response) => {
          response.on("data", () => answers++);
          response.on("end", () => resolve());
        });
        request.on("error", () => resolve());
        request.on("finish", () => begun++);
      });
    });
    // Some have been answered, others are under way.
    await Promise.race(requests);
    kill("SIGTERM");
    const { stdout, signal, stderr } = await ended;
    await Promise.all(requests);
    assert.equal(stderr, "");
    assert.equal(signal, "SIGTERM");
    const [, served] = /open at the end 0 served (\d+)/.exec(stdout.join("\n")) ?? [];
    assert.equal(Number(served), answers);
    assert.ok(answers > 0 && answers <= begun);
  });

  test("as PID 1 exits with 128 and the signal's number", async () => {
    const under = namespaceCommand();
    if (under === null) return;
    const { child, printed, ended } = startProgram(
      `${header}
      await runServer(async () => {
        console.log("pid", process.pid);
        ready();
        try { await sleep(1000); } finally { console.log("cleaned up"); }
      });
    `,
      { under },
    );
    await printed("ready");
    // To the program: unshare, its parent, would not pass it on.
    for (const pid of childrenOf(child.pid ?? 0)) process.kill(pid, "SIGTERM");
    const { stdout, exitCode } = await ended;
    assert.deepEqual([stdout, exitCode], [["pid 1", "ready", "cleaned up"], 143]);
  });

  test("refuses bad options, and leaves nothing behind", () => {
    const main = async (): Promise<void> => {};
    assert.throws(
      () => runServer(main, { signals: "SIGTERM" as never }),
      /runServer: signals expects an array/,
    );
    assert.throws(() => runServer(main, { signals: ["SIGKILL"] }), /runServer: SIGKILL cannot be caught/);
    assert.throws(() => runServer(main, { gracePeriod: NaN }), ValueError);
    assert.throws(() => runServer(main, { gracePeriod: 5, drainPeriod: 6 }), ValueError);
    assert.throws(() => runServer(5 as never), /expects a coroutine or a function/);
    assert.equal(process.listenerCount("SIGTERM"), 0);
  });

  test("cannot begin inside a task", async () => {
    await run(async () => {
      assert.throws(() => runServer(async () => {}), RuntimeError);
      assert.equal(process.listenerCount("SIGTERM"), 0);
    });
  });

  test("is what onShutdown and shutdownRequested need", async () => {
    await run(
      async () => {
        await sleep(0);
        assert.throws(
          () => onShutdown(() => 0),
          /onShutdown is for programs that were started with runServer/,
        );
        assert.throws(() => shutdownRequested(), RuntimeError);
      },
      { clock: new VirtualClock() },
    );
    await runServer(async () => {
      assert.throws(() => onShutdown(5 as never), /onShutdown expects a function, got 5/);
    });
  });
});

/** What runs a program as PID 1 of a namespace of its own; null where that is not allowed. */
function namespaceCommand(): readonly string[] | null {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const command = ["unshare", "--pid", "--fork", "--kill-child"];
  const [file = "", ...parameters] = command;
  return spawnSync(file, [...parameters, "true"]).status === 0 ? command : null;
}

function childrenOf(pid: number): number[] {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}
