/** SIGTERM under load: a server of its own process, with `corio/signals`. */
import { Agent, request as ask } from "node:http";
import { assert, testOn } from "../../corio/test/support/harness.ts";
import { startProgram } from "../../corio/test/support/program.ts";

/** Prints each request that its handler begins with; says at the end that it has come to its end. */
const program = (ending: string): string => `
import { sleep } from "corio";
import { onShutdown, runServer } from "corio/signals";
import { serve } from "@corio/http";

let begun = 0;
await runServer(async () => {
  const server = await serve(async (request) => {
    console.log("begun " + request.path);
    if (++begun === 300) console.log("under load");
    const kind = begun % 3;
    if (kind === 0) return "done " + request.path;
    const text = await request.text();
    await sleep(0.002 * (begun % 50));
    return "done " + request.path;
  });
  ${ending}
  console.log("listening on " + server.port + "!");
  await server.serveForever();
});
`;

interface Answers {
  readonly whole: Set<string>;
  /** Of requests that were given up by the server. */
  readonly lost: Set<string>;
}

/** Sends requests over some connections, one after another on each, until the server refuses. */
async function load(port: number, connections: number): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const whole = new Set<string>();
  const lost = new Set<string>();
  let count = 0;
  const visit = (): Promise<boolean> =>
    new Promise((resolve) => {
      const path = `/${++count}`;
      const method = count % 2 === 0 ? "POST" : "GET";
      const request = ask({ host: "127.0.0.1", port, path, method, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (data: string) => (text += data));
        response.on("close", () => {
          (text === `done ${path}` ? whole : lost).add(path);
          resolve(text === `done ${path}`);
        });
      });
      request.on("error", () => {
        lost.add(path);
        resolve(false);
      });
      request.end(method === "POST" ? "a body" : undefined);
    });
  const visitor = async (): Promise<void> => {
    while (await visit());
  };
  await Promise.all(Array.from({ length: connections }, visitor));
  agent.destroy();
  return { whole, lost };
}

for (const [title, ending] of [
  ["serveForever, cancelled", ""],
  ["close, called by onShutdown", "onShutdown(() => server.close());"],
] as const) {
  testOn(["node"], `SIGTERM under load drops no request that was accepted: ${title}`, async () => {
    const running = startProgram(program(ending), { input: null });
    const port = Number(/on (\d+)!/.exec(await running.printed("!"))?.[1]);
    const loading = load(port, 50);
    await running.printed("under load");
    running.kill("SIGTERM");
    const { whole, lost } = await loading;
    const { signal, stderr, stdout } = await running.ended;
    assert.equal(signal, "SIGTERM");
    assert.equal(stderr, "");
    const begun = stdout.filter((line) => line.startsWith("begun ")).map((line) => line.slice(6));
    assert.ok(begun.length >= 300, `${begun.length} begun`);
    // What the server has not begun with was refused: the connection was closed before.
    assert.deepEqual(
      begun.filter((path) => lost.has(path)),
      [],
    );
    assert.equal(whole.size, begun.length);
  });
}

testOn(["node"], "SIGTERM: what takes longer than the deadline is cancelled, and cleaned up", async () => {
  const source = `
import { Event, sleep } from "corio";
import { runServer } from "corio/signals";
import { serve } from "@corio/http";

await runServer(async () => {
  const server = await serve(async () => {
    console.log("begun");
    try {
      await new Event().wait();
      return "never";
    } finally {
      await sleep(0.01);
      console.log("cleaned up");
    }
  }, { shutdownTimeout: 0.1 });
  console.log("listening on " + server.port + "!");
  await server.serveForever();
});
`;
  const running = startProgram(source, { input: null });
  const port = Number(/on (\d+)!/.exec(await running.printed("!"))?.[1]);
  const status = new Promise<number | undefined>((resolve, reject) => {
    ask({ host: "127.0.0.1", port, agent: false }, (response) => resolve(response.statusCode))
      .on("error", reject)
      .end();
  });
  await running.printed("begun");
  running.kill("SIGTERM");
  assert.equal(await status, 503);
  const { signal, stdout } = await running.ended;
  assert.deepEqual([signal, stdout.at(-1)], ["SIGTERM", "cleaned up"]);
});
