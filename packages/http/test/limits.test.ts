import { createTask, Event, getRunningLoop, sleep } from "corio";
import { Reply } from "@corio/http";
import type { ServerRequest } from "@corio/http";
import { assert, describe, hostName, test, testOn } from "../../corio/test/support/harness.ts";
import { RawClient } from "./support/raw-client.ts";
import { serving } from "./support/serving.ts";
import type { Fixture, Log } from "./support/serving.ts";

const echo = (log: Log) => async (request: ServerRequest) => {
  log.add("handler begins");
  return await request.text();
};

async function assertServes({ session }: Fixture): Promise<void> {
  assert.equal(await session().post("/", { data: "well" }, (response) => response.text()), "well");
}

describe("refused, while the rest is served:", () => {
  // Bun and Deno have limits of their own for it.
  testOn(["node"], "a client that takes its time for the headers (slow loris)", () =>
    serving(
      echo,
      async (fixture) => {
        const clients = [];
        for (let n = 0; n < 20; n++) {
          const client = await RawClient.connect(fixture.server);
          client.write("GET / HTTP/1.1\r\nHost: test\r\nX-Slow: ");
          clients.push(client);
        }
        await assertServes(fixture);
        for (const client of clients) assert.match(await client.closed(), /^HTTP\/1.1 408 /);
        await assertServes(fixture);
      },
      { headersTimeout: 1, requestTimeout: 1.5 },
    ),
  );

  testOn(["node"], "clients that send their headers byte by byte, without ever stopping", () =>
    serving(
      echo,
      async (fixture) => {
        const head = `GET / HTTP/1.1\r\nHost: test\r\nX-Slow: ${"x".repeat(10_000)}`;
        const clients = await Promise.all(
          Array.from({ length: 20 }, () => RawClient.connect(fixture.server)),
        );
        const dripping = createTask(async () => {
          for (const byte of head) {
            for (const client of clients) if (client.socket.writable) client.write(byte);
            await sleep(0.005);
          }
        });
        await assertServes(fixture);
        for (const client of clients) assert.match(await client.closed(), /^HTTP\/1.1 408 /);
        dripping.cancel();
        await assertServes(fixture);
      },
      { headersTimeout: 1, requestTimeout: 1.5 },
    ),
  );

  testOn(["node"], "clients that send their body byte by byte, without ever stopping", () =>
    serving(
      (log) => async (request) => await log.around("handler", () => request.text()),
      async (fixture) => {
        const { log, server } = fixture;
        const clients = await Promise.all(
          ["Content-Length: 10000\r\n", "Transfer-Encoding: chunked\r\n"].map((head) =>
            RawClient.request(server, "POST /", head),
          ),
        );
        const [plain, chunked] = clients as [RawClient, RawClient];
        const dripping = createTask(async () => {
          for (;;) {
            if (plain.socket.writable) plain.write("a");
            if (chunked.socket.writable) chunked.write("1\r\na\r\n");
            await sleep(0.005);
          }
        });
        await log.has("handler begins", 2);
        assert.equal(
          await fixture.session().post("/", { data: "well" }, (response) => response.text()),
          "well",
        );
        for (const client of clients) assert.match(await client.closed(), /^HTTP\/1.1 408 /);
        await log.has("handler cancelled: the client went away", 2);
        dripping.cancel();
      },
      { headersTimeout: 1, requestTimeout: 1.5 },
    ),
  );

  testOn(["node"], "a client that takes its time for the body: its handler is cancelled", () =>
    serving(
      (log) => async (request) => await log.around("handler", () => request.text()),
      async ({ server, log }) => {
        const client = await RawClient.request(server, "POST /", "Content-Length: 100\r\n");
        client.write("a");
        await log.has("handler cleaned up");
        await client.closed();
        assert.ok(log.entries.some((entry) => entry.startsWith("handler cancelled")));
      },
      { headersTimeout: 0.2, requestTimeout: 0.3 },
    ),
  );

  test("headers that are too large", () =>
    serving(
      echo,
      async (fixture) => {
        const client = await RawClient.request(fixture.server, "GET /", `X-Large: ${"x".repeat(20_000)}\r\n`);
        assert.match(
          await client.closed(),
          hostName === "node" ? /^HTTP\/1.1 431 / : /^(HTTP\/1.1 431 .*)?$/s,
        );
        assert.deepEqual(fixture.log.entries, []);
        await assertServes(fixture);
      },
      {},
    ));

  test("a body that says it is too large", () =>
    serving(
      echo,
      async (fixture) => {
        const client = await RawClient.request(fixture.server, "POST /", "Content-Length: 1000\r\n");
        await client.find(/^HTTP\/1.1 413 /);
        await client.closed();
        await assertServes(fixture);
      },
      { maxBodySize: 10 },
    ));

  test("a body that turns out to be too large", () =>
    serving(
      echo,
      async (fixture) => {
        const client = await RawClient.request(fixture.server, "POST /", "Transfer-Encoding: chunked\r\n");
        client.write(`14\r\n${"x".repeat(20)}\r\n`);
        await client.find(/^HTTP\/1.1 413 /);
        await client.closed();
        await assertServes(fixture);
      },
      { maxBodySize: 10 },
    ));

  test("malformed chunks", () =>
    serving(
      (log) => async (request) => await log.around("handler", () => request.text()),
      async ({ server, log, session }) => {
        const client = await RawClient.request(server, "POST /", "Transfer-Encoding: chunked\r\n");
        client.write("5\r\nhello\r\n");
        await log.has("handler begins");
        client.write("no number\r\n");
        assert.match(await client.closed(), hostName === "node" ? /^HTTP\/1.1 400 / : /^/);
        await log.has("handler cleaned up");
        assert.ok(!log.entries.includes("handler ends"));
        assert.equal(await session().post("/", { data: "well" }, (response) => response.text()), "well");
      },
    ));

  test("what is no HTTP", () =>
    serving(echo, async (fixture) => {
      const client = await RawClient.connect(fixture.server);
      client.write("\x16\x03\x01 hello\r\n\r\n");
      assert.match(await client.closed(), /^(HTTP\/1.1 400 .*)?$/s);
      await assertServes(fixture);
    }));

  testOn(["node"], "a client that does not read its response", () =>
    serving(
      (log) => () => {
        async function* endless(): AsyncGenerator<Uint8Array> {
          await log.around("generator", async () => {
            await sleep(0);
          });
          try {
            for (;;) yield new Uint8Array(1 << 20);
          } finally {
            log.add("closed");
          }
        }
        return new Reply(endless());
      },
      async ({ server, log }) => {
        getRunningLoop().setExceptionHandler(() => undefined);
        const client = await RawClient.connect(server);
        client.socket.pause();
        client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        await log.has("closed");
        client.goAway();
      },
      { sendTimeout: 0.1 },
    ),
  );
});

test("a client that waits for 100 Continue gets it when the handler reads, not before", () =>
  serving(
    (log) => async (request) => {
      log.add("begun");
      if (request.path === "/refuse") return new Reply("no", { status: 403 });
      return await request.text();
    },
    async ({ server }) => {
      const head = "Content-Length: 2\r\nExpect: 100-continue\r\n";
      const refused = await RawClient.request(server, "POST /refuse", head);
      await refused.find(/^HTTP\/1.1 403 /);
      refused.goAway();
      const client = await RawClient.request(server, "POST /", head);
      await client.find(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
      client.write("hi");
      await client.find(/hi$/);
      client.goAway();
    },
  ));

describe("closing a server", () => {
  test("finishes what was accepted, and refuses what is new", async () => {
    const go = new Event();
    await serving(
      (log) => async (request) => {
        if (request.path === "/first") return "first";
        await log.around("handler", () => go.wait());
        return "finished";
      },
      async ({ server, log }) => {
        const { port } = server;
        const idle = await RawClient.request(server, "GET /first");
        await idle.find(/first$/);
        const client = await RawClient.request(server, "GET /");
        await log.has("handler begins");
        const closing = createTask(server.close());
        await idle.closed();
        assert.ok(server.isClosing);
        const late = await RawClient.connect(port).then(
          (connected) => connected,
          () => null,
        );
        assert.equal(late, null);
        go.set();
        await closing;
        assert.match(await client.closed(), /^HTTP\/1.1 200 .*connection: close.*finished$/is);
        await server.close();
      },
    );
  });

  test("cancels what is not finished at the deadline, and waits until it has cleaned up", () =>
    serving(
      (log) => async () => {
        await log.around("handler", async () => {
          try {
            await new Event().wait();
          } finally {
            await sleep(0.01);
            log.add("at leisure");
          }
        });
        return "never";
      },
      async ({ server, log }) => {
        const client = await RawClient.request(server, "GET /");
        await log.has("handler begins");
        await server.close({ timeout: 0.01 });
        assert.deepEqual(log.entries.slice(1), [
          "at leisure",
          "handler cancelled: the server is closing",
          "handler cleaned up",
        ]);
        assert.match(await client.closed(), /^HTTP\/1.1 503 /);
      },
    ));
});
