// Programs that have no descriptor left: a process of its own for each, which may have only a few.
import { openConnection } from "corio/streams";
import type { StreamReader, StreamWriter } from "corio/streams";
import { assert, describe, hostName, test, testOn } from "../support/harness.ts";
import { runProgram, startProgram } from "../support/program.ts";
import { LOCALHOST, program, text } from "./support/net.ts";

const fewDescriptors = {
  /** Enough for a host to load a program, which then takes all that it is not to have. */
  under: ["sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"],
  /** Node reads these in a thread, some time after the program has begun: there would be one more or less. */
  environment: { NODE_EXTRA_CA_CERTS: "" },
} as const;

const takeAll = `
  import { closeSync, openSync } from "node:fs";
  const held = [];
  const takeAll = () => { for (;;) { try { held.push(openSync("/dev/null")); } catch { return; } } };
  const giveBack = (count) => { for (const fd of held.splice(0, count)) closeSync(fd); };
`;

describe("a program without a free descriptor", () => {
  test("is told so by what it tries, and goes on when there are some again", async () => {
    const work = JSON.stringify(new URL("../threads/fixtures/work.ts", import.meta.url).href);
    const { stdout, stderr } = await runProgram(
      `${takeAll}
      import { run } from "corio";
      import { atomicWriteFile, openFile, readFile } from "corio/files";
      import { createDatagramEndpoint, openConnection, startServer } from "corio/streams";
      import { createSubprocessExec, PIPE, runProcess } from "corio/subprocess";
      import { ProcessExecutor, ThreadExecutor, workerModule } from "corio/threads";
      const work = workerModule(${work});
      await run(async () => {
        const server = await startServer((_reader, writer) => writer.close(), "127.0.0.1", 0);
        let tokens = 0;
        const inWorker = async (executor) => {
          try { await executor.submit(work.add, 1, 2); }
          finally {
            tokens += executor.limiter.borrowedTokens;
            await executor.shutdown();
          }
        };
        const tries = {
          openConnection: async () => (await openConnection("127.0.0.1", server.port))[1].close(),
          startServer: async () => (await startServer(() => {}, "127.0.0.1", 0)).close(),
          createDatagramEndpoint: async () =>
            (await createDatagramEndpoint(() => ({}), { localAddr: ["127.0.0.1", 0] }))[0].close(),
          readFile: () => readFile("/etc/hostname"),
          openFile: async () => await (await openFile("/etc/hostname")).close(),
          runProcess: () => runProcess("true"),
          createSubprocessExec: async () => await (await createSubprocessExec("cat", { stdin: PIPE })).stop(),
          // The others end the whole program when a worker cannot be started.
          ${hostName === "node" ? "" : "/*"}
          thread: () => inWorker(new ThreadExecutor({ maxWorkers: 1 })),
          process: () => inWorker(new ProcessExecutor({ maxWorkers: 1 })),
          // */
        };
        const report = async () => {
          const said = [];
          for (const [name, work] of Object.entries(tries)) {
            try { await work(); said.push(name); }
            catch (error) { said.push(name + " " + (/E[MN]FILE/.exec(error.errno + error.message)?.[0] ?? error.code ?? "error")); }
          }
          console.log(said.join("; "));
        };
        // What is opened once, by the host.
        await report();
        takeAll();
        await report();
        giveBack(held.length);
        await report();
        console.log(tokens, "tokens are missing");
        server.close();
        await server.waitClosed();
      });
    `,
      fewDescriptors,
    );
    assert.equal(stderr, "");
    const names = [
      "openConnection",
      "startServer",
      "createDatagramEndpoint",
      "readFile",
      "openFile",
      "runProcess",
    ];
    names.push("createSubprocessExec", ...(hostName === "node" ? ["thread", "process"] : []));
    // What Bun says of these two.
    const said: Record<string, string> =
      hostName === "bun" ? { openConnection: "ECONNREFUSED", startServer: "error" } : {};
    assert.deepEqual(stdout, [
      names.join("; "),
      names.map((name) => `${name} ${said[name] ?? "EMFILE"}`).join("; "),
      names.join("; "),
      "0 tokens are missing",
    ]);
  });

  // On Deno a server that has met the limit never accepts again, whatever is on top of it.
  testOn(
    ["node", "bun"],
    "as a server keeps the connections that it has, and serves new ones later",
    async () => {
      const { printed, ended, kill } = startProgram(
        `${takeAll}
      import { getRunningLoop, run } from "corio";
      import { startServer } from "corio/streams";
      await run(async () => {
        getRunningLoop().setExceptionHandler((_loop, { message }) => console.log("reported:", message));
        let gone = 0;
        const server = await startServer(async (reader, writer) => {
          for await (const line of reader) {
            writer.write(line);
            await writer.drain();
          }
          writer.close();
          await writer.waitClosed();
          console.log("gone", ++gone, "!");
        }, "127.0.0.1", 0, { backlog: 1000 });
        takeAll();
        giveBack(40);
        console.log("port", server.port, "!");
        await server.serveForever();
      });
    `,
        fewDescriptors,
      );
      const port = Number(/port (\d+)/.exec(await printed("!"))?.[1]);
      const counts = { echoed: 0, closed: 0 };
      await program(async () => {
        const clients: [StreamReader, StreamWriter][] = [];
        for (let count = 0; count < 100; count++) clients.push(await openConnection(LOCALHOST, port));
        for (const [, writer] of clients) writer.write("hello\n");
        // Each gets an answer, or learns that it will get none: nobody waits for ever.
        for (const [reader, writer] of clients) {
          const answer = text(await reader.readline().catch(() => new Uint8Array(0)));
          counts[answer === "hello\n" ? "echoed" : "closed"]++;
          // On Bun those that wait are served when others leave.
          if (hostName === "bun") writer.close();
        }
        for (const [, writer] of clients) writer.close();
        await printed(`gone ${counts.echoed} !`);
        const [reader, writer] = await openConnection(LOCALHOST, port);
        writer.write("and later?\n");
        assert.equal(text(await reader.readline()), "and later?\n");
        writer.close();
        await printed(`gone ${counts.echoed + 1} !`);
      })();
      kill("SIGKILL");
      const { stdout } = await ended;
      assert.equal(
        stdout.some((line) => line.startsWith("reported")),
        false,
      );
      // Node closes at once what it cannot keep, and tells nobody.
      assert.deepEqual(counts, hostName === "bun" ? { echoed: 100, closed: 0 } : { echoed: 40, closed: 60 });
    },
  );
});
