/** Clients that send requests without waiting for answers. */
import { createTask, Event, getRunningLoop, sleep, until } from "corio";
import { Reply } from "@corio/http";
import { assert, testOn } from "../../corio/test/support/harness.ts";
import { RawClient } from "./support/raw-client.ts";
import { serving } from "./support/serving.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

// Bun and Deno read one after another, or do not tell when one has been sent.
testOn(
  ["node"],
  "of many requests in the pipeline only some are handled before those in front are sent",
  () => {
    const go = new Event();
    let running = 0;
    let most = 0;
    let answered = 0;
    return serving(
      (log) => async () => {
        most = Math.max(most, ++running);
        if (running === 16) log.add("all");
        await go.wait();
        running--;
        return `answer ${++answered}`;
      },
      async ({ server, log }) => {
        const client = await RawClient.connect(server);
        client.write(GET.repeat(40));
        await log.has("all");
        assert.equal(server.statistics().requests, 40);
        go.set();
        await client.find(/answer 40/);
        assert.equal(most, 16);
        client.goAway();
      },
    );
  },
);

testOn(
  ["node"],
  "a client that sends more and more requests, and reads no answer, loses its connection",
  () =>
    serving(
      () => () => new Event().wait().then(() => ""),
      async ({ server }) => {
        const client = await RawClient.connect(server);
        client.write(GET.repeat(1001));
        await client.closed();
      },
    ),
);

testOn(["node"], "a client that reads none of its many answers loses its connection after sendTimeout", () =>
  serving(
    () => () => "x".repeat(1_000_000),
    async ({ server }) => {
      const client = await RawClient.connect(server);
      getRunningLoop().setExceptionHandler(() => undefined);
      const closed = client.closed();
      client.socket.pause();
      client.write(GET.repeat(30));
      // Node tells of the end only when it is read.
      while (server.statistics().requestsTotal < 30 || server.statistics().connections > 0)
        await new Promise((resolve) => setImmediate(resolve));
      client.socket.resume();
      assert.ok((await closed).length < 30e6);
    },
    { sendTimeout: 0.05 },
  ),
);

testOn(["node"], "requests in the pipeline are answered when the server closes", () => {
  const go = new Event();
  return serving(
    (log) => async (request) => {
      log.add(`begins ${request.path}`);
      await go.wait();
      return request.path;
    },
    async ({ server, log }) => {
      const client = await RawClient.connect(server);
      for (const path of ["/a", "/b", "/c"]) client.write(GET.replace("/", path));
      await log.has("begins /c");
      const closing = createTask(server.close());
      while (!server.isClosing) await new Promise((resolve) => setImmediate(resolve));
      go.set();
      await closing;
      assert.match(await client.closed(), /\/a[^]*\/b[^]*onnection: close[^]*\/c$/);
    },
  );
});

testOn(["node"], "an answer that is still on its way is sent to its end when the server closes", () =>
  serving(
    () => () => "x".repeat(20_000_000),
    async ({ server }) => {
      const client = await RawClient.connect(server);
      client.socket.pause();
      client.write(GET);
      while (server.statistics().requestsTotal < 1) await new Promise((resolve) => setImmediate(resolve));
      const closing = createTask(server.close());
      while (!server.isClosing) await new Promise((resolve) => setImmediate(resolve));
      client.socket.resume();
      await closing;
      assert.ok((await client.closed()).length > 20e6);
    },
  ),
);

testOn(["node"], "a stream in the pipeline begins when those in front of it have been answered", () => {
  const go = new Event();
  return serving(
    (log) => async (request) => {
      log.add(`handles ${request.path}`);
      if (request.path === "/first") {
        await go.wait();
        log.add("answers");
        return "first";
      }
      async function* pieces(): AsyncGenerator<string> {
        log.add("streams");
        for (let n = 0; n < 10; n++) {
          yield "x".repeat(20_000);
          await sleep(0);
        }
        yield "the end";
      }
      return new Reply(pieces());
    },
    async ({ server, log }) => {
      const client = await RawClient.connect(server);
      client.write(GET.replace("/", "/first") + GET.replace("/", "/second"));
      await log.has("handles /second");
      for (let n = 0; n < 10; n++) await until(new Promise((resolve) => setImmediate(resolve)));
      go.set();
      await client.find(/the end/);
      assert.deepEqual(log.entries, ["handles /first", "handles /second", "answers", "streams"]);
      client.goAway();
    },
  );
});

testOn(
  ["node"],
  "a request for a WebSocket that comes before the answers in front of it ends its connection",
  () =>
    serving(
      (log) => (request) => {
        log.add(request.path);
        return new Event().wait().then(() => "");
      },
      async ({ server, log }) => {
        const client = await RawClient.connect(server);
        client.write(
          GET +
            GET.replace("/", "/socket").replace(
              "\r\n\r\n",
              "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            ),
        );
        assert.equal(await client.closed(), "");
        assert.ok(!log.entries.includes("/socket"));
      },
    ),
);
