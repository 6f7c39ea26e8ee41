import { spawn, spawnSync } from "node:child_process";
import { allTasks, createTask, Event, gather, isCancelledError, map, run, sleep } from "corio";
import { ClientSession, Reply, serve } from "@corio/http";
import { assert, describe, hostName, test } from "../../corio/test/support/harness.ts";
import { RawClient } from "./support/raw-client.ts";
import { Log, serving } from "./support/serving.ts";

/** Numbers from 0 to 1 that are the same each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return (state >>> 8) / (0x7fffffff >>> 8);
  };
}

/** What the process holds that would keep it alive. Only Node tells. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  if (hostName !== "node") return counts;
  for (const name of process.getActiveResourcesInfo()) {
    if (name === "Timeout" || name.startsWith("TCP")) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

async function settle(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(0.002);
}

describe("a thousand requests", () => {
  test("with clients that go away at random moments leave no task, no socket, no timer", async () => {
    // mocha sets its own timer when the test has returned its promise.
    await Promise.resolve();
    const before = resources();
    const next = random(42);
    const choices = Array.from(
      { length: 1000 },
      () => [Math.floor(next() * 4), Math.floor(next() * 6)] as const,
    );
    let begun = 0;
    let cleanedUp = 0;
    let served = 0;
    await run(async () => {
      const server = await serve(async (request) => {
        begun++;
        try {
          switch (request.path) {
            case "/wait":
              await new Event().wait();
              return "never";
            case "/body":
              return await request.text();
            case "/stream": {
              const pieces = async function* (): AsyncGenerator<string> {
                for (;;) {
                  yield "piece ".repeat(1000);
                  await sleep(0);
                }
              };
              return new Reply(pieces());
            }
            default:
              await sleep(0.001);
              return "fast";
          }
        } finally {
          cleanedUp++;
          await sleep(0);
        }
      });
      const tasksBefore = allTasks().size;
      const paths = ["/wait", "/body", "/stream", "/fast"];
      await map(
        choices,
        async ([kind, moment]) => {
          const path = paths[kind] ?? "";
          const client = await RawClient.connect(server);
          const head = `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n`;
          if (moment === 0) client.write(head.slice(0, 20));
          else client.write(head);
          if (moment > 1) client.write(moment === 2 ? "12345" : "1234567890");
          if (moment >= 3 && path !== "/wait") await client.find(/^HTTP\/1.1 200 /);
          if (moment === 4) await sleep(0);
          if (moment === 5 && (path === "/body" || path === "/fast")) {
            await client.find(/(fast|1234567890)$/);
            served++;
          }
          if (moment % 2 === 0) client.socket.end();
          client.goAway();
        },
        { concurrency: 50 },
      );
      await settle(() => server.statistics().connections === 0 && server.statistics().requests === 0);
      assert.equal(allTasks().size, tasksBefore);
      assert.ok(begun > 500, `${begun} begun`);
      assert.equal(cleanedUp, begun);
      assert.ok(served > 50, `${served} served`);
      // As good as before.
      const client = await RawClient.request(server, "GET /fast");
      await client.find(/fast$/);
      client.goAway();
      await server.close();
    });
    assert.deepEqual(resources(), before);
  });

  test("of a session, cancelled at random moments, leave its pool right", async () => {
    const next = random(7);
    const moments = Array.from({ length: 1000 }, () => next());
    let cancelled = 0;
    await serving(
      () => async (request) => {
        await sleep(0.001);
        if (request.path === "/text") return await request.text();
        const pieces = async function* (): AsyncGenerator<string> {
          for (let n = 0; n < 20; n++) {
            yield `${n} `;
            await sleep(0);
          }
        };
        return new Reply(pieces());
      },
      async ({ server, session }) => {
        const http = session({ maxConnectionsPerHost: 10 });
        const expected = Array.from({ length: 20 }, (_, n) => `${n} `).join("");
        await map(
          moments,
          async (moment, index) => {
            const isText = index % 2 === 0;
            const task = createTask(
              isText
                ? http.post("/text", { data: `text ${index}` }, (response) => response.text())
                : http.get("/stream", (response) => response.text()),
            );
            if (moment < 0.5) {
              await sleep(moment / 50);
              task.cancel();
            }
            try {
              assert.equal(await task, isText ? `text ${index}` : expected);
            } catch (error) {
              if (!isCancelledError(error)) throw error;
              cancelled++;
            }
          },
          { concurrency: 40 },
        );
        assert.ok(cancelled > 100, `${cancelled} cancelled`);
        // The server is told a little later that those of cancelled requests were closed.
        if (hostName !== "bun") await settle(() => server.statistics().connections <= 10);
        const answers = await gather(
          [1, 2, 3].map((n) => http.post("/text", { data: String(n) }, (response) => response.text())),
        );
        assert.deepEqual(answers, ["1", "2", "3"]);
        await settle(() => server.statistics().requests === 0);
      },
    );
  });
});

test("a server that nobody closes ends with its run, its handlers cancelled", async () => {
  const log = new Log();
  let port = 0;
  let client: RawClient | null = null;
  await run(async () => {
    const server = await serve(
      async () => await log.around("handler", () => new Event().wait().then(() => "never")),
    );
    port = server.port;
    client = await RawClient.request(server, "GET /");
    await log.has("handler begins");
  });
  assert.deepEqual(log.entries.slice(-1), ["handler cleaned up"]);
  await run(async () => {
    await client?.closed();
    await assert.rejects(RawClient.connect(port), Error);
    await using session = new ClientSession();
    await assert.rejects(session.get(`http://127.0.0.1:${port}/`), /cannot connect/);
  });
});

test("curl, interrupted, on a handler that asks an upstream that waits: both are gone", async () => {
  if (spawnSync("curl", ["--version"]).error !== undefined) {
    console.log("skipped: there is no curl");
    return;
  }
  const upstreamLog = new Log();
  await serving(
    (log) => async () => {
      await log.around("handler", async () => {
        await using session = new ClientSession();
        await session.get(upstream);
      });
      return "never";
    },
    async ({ server, log }) => {
      await using other = await serve(
        async () => await upstreamLog.around("upstream", () => new Event().wait().then(() => "never")),
      );
      upstream = other.url;
      const curl = spawn("curl", ["--silent", server.url]);
      // Not by a time limit of curl's: it may be over before a slow machine has come this far.
      await upstreamLog.has("upstream begins");
      curl.kill("SIGINT");
      await log.has("handler cleaned up");
      await upstreamLog.has("upstream cleaned up");
      assert.ok(log.entries.includes("handler cancelled: the client went away"));
      assert.ok(upstreamLog.entries.includes("upstream cancelled: the client went away"));
    },
  );
});

let upstream = "";
