import { ContextVar, Event, Future, getRunningLoop, run, sleep } from "corio";
import { HttpException, Reply, serve } from "@corio/http";
import type { ServerRequest } from "@corio/http";
import { assert, describe, hostName, test, testOn } from "../../corio/test/support/harness.ts";
import type { Start } from "../../request/test/support/contract.ts";
import { testProxies } from "../../request/test/support/proxies.ts";
import { RawClient } from "./support/raw-client.ts";
import { serving } from "./support/serving.ts";
import type { Log } from "./support/serving.ts";

const GONE = "cancelled: the client went away";

/** A handler that waits for ever, and takes its time to clean up. */
const waitsForEver = (log: Log) => async (): Promise<Reply> => {
  await log.around("handler", async () => {
    try {
      await new Event().wait();
    } finally {
      await sleep(0.001);
      log.add("cleaned up at leisure");
    }
  });
  return new Reply("never");
};

describe("a client that goes away", () => {
  test("before the first byte of the response: the handler is cancelled, its finally runs and awaits", () =>
    serving(waitsForEver, async ({ server, log }) => {
      const client = await RawClient.request(server, "GET /");
      await log.has("handler begins");
      client.goAway();
      await log.has("handler cleaned up");
      assert.deepEqual(log.entries, [
        "handler begins",
        "cleaned up at leisure",
        `handler ${GONE}`,
        "handler cleaned up",
      ]);
      await sleep(0);
      assert.equal(server.statistics().disconnected, 1);
    }));

  test("after a POST with a body that was read", () =>
    serving(
      (log) => async (request) => {
        log.add(await request.text());
        return await waitsForEver(log)();
      },
      async ({ server, log }) => {
        const client = await RawClient.request(server, "POST /", "Content-Length: 5\r\n");
        client.write("hello");
        await log.has("hello");
        await log.has("handler begins");
        client.goAway();
        await log.has(`handler ${GONE}`);
      },
    ));

  test("with a body that nobody reads", () =>
    serving(waitsForEver, async ({ server, log }) => {
      const client = await RawClient.request(server, "POST /", "Content-Length: 5\r\n");
      client.write("hello");
      await log.has("handler begins");
      client.goAway();
      await log.has(`handler ${GONE}`);
    }));

  test("in the middle of a chunked upload", () =>
    serving(
      (log) => async (request) =>
        await log.around("handler", async () => {
          for await (const chunk of request) log.add(Buffer.from(chunk).toString());
          return "all";
        }),
      async ({ server, log }) => {
        const client = await RawClient.request(server, "POST /", "Transfer-Encoding: chunked\r\n");
        client.write("5\r\nfirst\r\n");
        await log.has("first");
        client.write("6\r\nsec");
        client.goAway();
        await log.has("handler cleaned up");
        assert.ok(log.entries.includes(`handler ${GONE}`));
        assert.ok(!log.entries.includes("handler ends"));
      },
    ));

  test("after the first bytes: the generator of the body is cancelled", () =>
    serving(
      (log) => () => {
        async function* pieces(): AsyncGenerator<string> {
          yield "first";
          await log.around("generator", () => new Event().wait());
        }
        return new Reply(pieces());
      },
      async ({ server, log }) => {
        const client = await RawClient.request(server, "GET /");
        await client.find(/first/);
        await log.has("generator begins");
        client.goAway();
        await log.has("generator cleaned up");
        assert.ok(log.entries.includes(`generator ${GONE}`));
      },
    ));

  test("while the response waits for it to read: back-pressure stops the generator, and the end closes it", () =>
    serving(
      (log) => () => {
        async function* pieces(): AsyncGenerator<Uint8Array> {
          try {
            for (let n = 0; n < 100_000; n++) {
              log.add("piece");
              yield new Uint8Array(65_536);
            }
            log.add("all");
          } finally {
            log.add("closed");
          }
        }
        return new Reply(pieces());
      },
      async ({ server, log }) => {
        const client = await RawClient.connect(server);
        client.socket.pause();
        client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        await log.has("piece");
        // It makes no progress while nobody reads. How much the system takes before is the system's business.
        for (let before = -1; before !== log.entries.length;) {
          before = log.entries.length;
          await sleep(0.05);
        }
        client.goAway();
        await log.has("closed");
        assert.ok(!log.entries.includes("all"));
      },
    ));

  test("on a connection that has served before (keep-alive)", () =>
    serving(
      (log) => async (request) => (request.path === "/wait" ? await waitsForEver(log)() : request.path),
      async ({ server, log }) => {
        const client = await RawClient.request(server, "GET /one");
        await client.find(/\/one$/);
        client.write("GET /two HTTP/1.1\r\nHost: test\r\n\r\n");
        await client.find(/\/two$/);
        client.write("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
        await log.has("handler begins");
        client.goAway();
        await log.has(`handler ${GONE}`);
        const { disconnected, requestsTotal } = server.statistics();
        assert.ok(disconnected <= 1);
        assert.equal(requestsTotal, 3);
      },
    ));

  test("with several requests in the pipeline: all of them are cancelled", () =>
    serving(waitsForEver, async ({ server, log }) => {
      const client = await RawClient.connect(server);
      client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n".repeat(3));
      // Bun handles one after the other.
      const atOnce = hostName === "bun" ? 1 : 3;
      await log.has("handler begins", atOnce);
      client.goAway();
      await log.has(`handler ${GONE}`, atOnce);
    }));

  test("does not disturb others", () =>
    serving(
      (log) => async (request) => (request.path === "/wait" ? await waitsForEver(log)() : "well"),
      async ({ server, log, session }) => {
        const client = await RawClient.request(server, "GET /wait");
        await log.has("handler begins");
        const http = session();
        assert.equal(await http.get("/", (response) => response.text()), "well");
        client.goAway();
        await log.has(`handler ${GONE}`);
        assert.equal(await http.get("/", (response) => response.text()), "well");
      },
    ));

  test("by closing its half of the connection counts as gone", () =>
    serving(waitsForEver, async ({ server, log }) => {
      const client = await RawClient.connect(server, true);
      client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
      await log.has("handler begins");
      client.socket.end();
      await log.has(`handler ${GONE}`);
      client.goAway();
    }));
});

/** The server as the contract of the frameworks wants it. */
const start: Start = (routes, { allowHalfOpen = false } = {}) =>
  new Promise((resolve, reject) => {
    const ended = run(async () => {
      const close = new Future<void>();
      const handler = async (request: ServerRequest): Promise<Reply> => {
        const answer = await routes[request.path]?.(() => request.text());
        assert.ok(typeof answer === "string");
        return new Reply(answer);
      };
      await using server = await serve(handler, { allowHalfClose: allowHalfOpen });
      resolve({
        port: server.port,
        statistics: () => {
          const { requests } = server.statistics();
          return { requests, tasks: requests, isClosing: server.isClosing };
        },
        close: async () => {
          close.setResult();
          await ended;
        },
      });
      await close;
    });
    ended.catch(reject);
  });

testProxies("@corio/http", start, { pipelining: "at once", halfOpen: hostName === "node" });

// Bun's and Deno's servers close the other half, too.
testOn(["node"], "a proxy that closes its half of the connection is served with allowHalfClose", async () => {
  const asked = new Event();
  await serving(
    (log) => async () => {
      log.add("begun");
      await asked.wait();
      return "served";
    },
    async ({ server, log }) => {
      const client = await RawClient.connect(server, true);
      client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
      client.socket.end();
      await log.has("begun");
      await sleep(0.01);
      asked.set();
      assert.ok((await client.closed()).endsWith("served"));
    },
    { allowHalfClose: true },
  );
});

test("a request whose body ends is not cancelled by that", () =>
  serving(
    () => async (request) => {
      const text = await request.text();
      // The request's own close comes about now.
      await sleep(0.01);
      return `got ${text}`;
    },
    async ({ session }) => {
      assert.equal(await session().post("/", { data: "it" }, (response) => response.text()), "got it");
    },
  ));

const user = new ContextVar<string>("user", { defaultValue: "nobody" });

test("each request has context variables of its own", () =>
  serving(
    () => async (request) => {
      const before = user.get();
      user.set(request.path);
      await sleep(0.001);
      return `${before} ${user.get()}`;
    },
    async ({ session }) => {
      const http = session();
      for (const path of ["/a", "/b"])
        assert.equal(await http.get(path, (response) => response.text()), `nobody ${path}`);
      assert.equal(user.get(), "nobody");
    },
  ));

test("an HttpException is the answer; what else a handler throws is reported, and answered with 500", () =>
  serving(
    () => (request) => {
      if (request.path === "/object") return { an: "object" } as never;
      if (request.path === "/404")
        throw new HttpException(404, "no such thing", { headers: { "x-why": "gone" } });
      throw new RangeError("a bug");
    },
    async ({ server, session }) => {
      const reports: unknown[] = [];
      getRunningLoop().setExceptionHandler((_loop, context) => reports.push(context.exception));
      const http = session();
      await http.get("/404", async (response) => {
        assert.deepEqual(
          [response.status, response.headers.get("x-why"), await response.text()],
          [404, "gone", "no such thing\n"],
        );
      });
      await http.get("/", async (response) => {
        assert.deepEqual([response.status, await response.text()], [500, "Internal Server Error\n"]);
      });
      await http.get("/object", (response) => assert.equal(response.status, 500));
      assert.match(String(reports), /^RangeError: a bug,ArgumentTypeError: a handler must return a Reply/);
      assert.equal(server.statistics().requestsTotal, 3);
      assert.throws(() => serve("handler" as never), /serve expects a function/);
    },
  ));
