// Names that have addresses of both families, with real look-ups and sockets: a file of names takes the place of the
// system's in a mount namespace. Where that is not allowed these tests do nothing.
import { createServer, Socket } from "node:net";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { once } from "node:events";
import { assert, describe, test, testOn } from "../support/harness.ts";
import { runProgram, startProgram } from "../support/program.ts";
import { withFolder } from "./support/net.ts";

/**
 * Calls `work` with a command under which `both.test` has `::1` and `127.0.0.1`, and with these in the order in which
 * the host gives them.
 */
async function withNames(
  work: (under: readonly string[], addresses: readonly string[]) => Promise<void>,
): Promise<void> {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  await withFolder(async (folder) => {
    const names = join(folder, "hosts");
    writeFileSync(names, "127.0.0.1 localhost\n::1 both.test\n127.0.0.1 both.test\n");
    const under = ["unshare", "--mount", "sh", "-c", `mount --bind ${names} /etc/hosts && exec "$@"`, "sh"];
    const [file = "", ...parameters] = under;
    if (spawnSync(file, [...parameters, "true"]).status !== 0 || !(await hasBothFamilies())) return;
    const { stdout } = await runProgram(
      `${header}
      console.log((await run(getaddrinfo("both.test", 80))).map(({ address }) => address).join(" "));
    `,
      { under },
    );
    const addresses = stdout.join("").split(" ");
    assert.deepEqual([...addresses].sort(), ["127.0.0.1", "::1"]);
    await work(under, addresses);
  });
}

async function hasBothFamilies(): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(0, "::1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

const header = `
  import { run, timeout, TimeoutError } from "corio";
  import { getaddrinfo, openConnection, startServer } from "corio/streams";
  import { readdirSync } from "node:fs";
  const open = () => readdirSync("/proc/self/fd").length;
  const greet = (reader, writer) => { writer.write("this is " + writer.getExtraInfo("sockname").address); writer.close(); };
  const ask = async (port, options) => {
    const [reader, writer] = await openConnection("both.test", port, options);
    const answer = new TextDecoder().decode(await reader.read());
    writer.close();
    await writer.waitClosed();
    return answer;
  };
  // The system may give an address twice.
  const refusal = (error) => (error.attempts?.[0]?.error ?? error).code;
`;

describe("a name with addresses of both families", () => {
  test("is found at the one that listens, however the attempts are made", () =>
    withNames(async (under) => {
      const { stdout, stderr } = await runProgram(
        `${header}
        await run(async () => {
          for (const address of ["::1", "127.0.0.1"]) {
            const server = await startServer(greet, address, 0);
            const { port } = server;
            const answers = new Set();
            for (const happyEyeballsDelay of [null, 0, 0.05, 10])
              for (const interleave of [0, 1]) answers.add(await ask(port, { happyEyeballsDelay, interleave }));
            console.log(...answers);
            const other = address === "::1" ? 4 : 6;
            await ask(port, { family: other }).catch((error) => console.log("family", other, refusal(error)));
            server.close();
            await server.waitClosed();
            await ask(port, { happyEyeballsDelay: 0.05 }).catch((error) => console.log(error.name, error.attempts.length));
          }
        });
      `,
        { under },
      );
      assert.equal(stderr, "");
      assert.deepEqual(stdout, [
        "this is ::1",
        "family 4 ECONNREFUSED",
        "ConnectError 2",
        "this is 127.0.0.1",
        "family 6 ECONNREFUSED",
        "ConnectError 2",
      ]);
    }));

  test("listens at both, on one port", () =>
    withNames(async (under, addresses) => {
      const { stdout, stderr } = await runProgram(
        `${header}
        await run(async () => {
          const first = await startServer(greet, "127.0.0.1", 0);
          const { port } = first;
          first.close();
          await first.waitClosed();
          const server = await startServer(greet, "both.test", port);
          console.log(server.addresses.map(({ address }) => address).join(" "));
          for (const family of [6, 4]) console.log(await ask(port, { family }));
          server.close();
          await server.waitClosed();
        });
      `,
        { under },
      );
      assert.equal(stderr, "");
      assert.deepEqual(stdout, [addresses.join(" "), "this is ::1", "this is 127.0.0.1"]);
    }));

  // Bun lets more wait than it was told.
  testOn(["node", "deno"], "is found at the second while the first does not answer at all", () =>
    withNames(async (under, [first = "", second = ""]) => {
      // Its queue is full, and it accepts nobody: who connects now hears nothing.
      const hole = startProgram(`
        import { createServer } from "node:net";
        const server = createServer().listen({ host: ${JSON.stringify(first)}, port: 0, backlog: 1 }, () => {
          process.stdout.write("port " + server.address().port + " !", () =>
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
        });
      `);
      const port = Number(/port (\d+) !/.exec(await hole.printed("!"))?.[1]);
      const inQueue = [new Socket(), new Socket()];
      try {
        for (const socket of inQueue) {
          socket.connect({ host: first, port });
          await once(socket, "connect");
        }
        const { stdout, stderr } = await runProgram(
          `${header}
          await run(async () => {
            const port = ${port};
            const server = await startServer(greet, ${JSON.stringify(second)}, port);
            console.log(await ask(port, { happyEyeballsDelay: 0.05 }));
            const before = open();
            for (const happyEyeballsDelay of [0, 0.05]) console.log(await ask(port, { happyEyeballsDelay }));
            // One after another: it would take the system minutes to give the first up.
            try { await timeout(0.2, () => ask(port)); }
            catch (error) { console.log(error.name); }
            while (open() > before) await new Promise((resolve) => setTimeout(resolve, 5));
            console.log("nothing is left open");
            server.close();
            await server.waitClosed();
          });
        `,
          { under },
        );
        assert.equal(stderr, "");
        assert.deepEqual(stdout, [
          `this is ${second}`,
          `this is ${second}`,
          `this is ${second}`,
          "TimeoutError",
          "nothing is left open",
        ]);
      } finally {
        for (const socket of inQueue) socket.destroy();
        hole.kill("SIGKILL");
        await hole.ended;
      }
    }),
  );
});
