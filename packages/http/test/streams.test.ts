import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTask, CancelledError, Event, run, sleep } from "corio";
import {
  ClientSession,
  EventParser,
  formatEvent,
  Reply,
  Router,
  serve,
  staticFiles,
  WebSocketClosedError,
  WebSocketHandshakeError,
} from "@corio/http";
import type { ServerRequest, ServerSentEvent } from "@corio/http";
import { after, assert, before, describe, test, testOn } from "../../corio/test/support/harness.ts";
import { RawClient } from "./support/raw-client.ts";
import { serving } from "./support/serving.ts";

describe("server-sent events", () => {
  test("are read whatever the pieces they come in, and written so that they can be", () => {
    const events: ServerSentEvent[] = [
      { data: "one" },
      { data: "two\nlines", event: "kind", id: "7" },
      { data: "", event: "empty" },
    ];
    const text = `\uFEFF: a comment\nretry: 1500\n\n${events.map(formatEvent).join("").replace(/\n/g, "\r\n")}data: cut`;
    for (let size = 1; size <= text.length; size++) {
      const parser = new EventParser();
      const found: ServerSentEvent[] = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      assert.deepEqual(found, [
        { data: "one", event: "message" },
        { data: "two\nlines", event: "kind", id: "7" },
        { data: "", event: "empty", id: "7" },
      ]);
      assert.deepEqual([parser.retry, parser.lastId], [1.5, "7"]);
    }
  });

  test("end with their empty line, whichever way lines end: the next piece may take long", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const text = `data: one${end}${end}data: two${end}data${end}${end}`;
      for (let size = 1; size <= text.length; size++) {
        const parser = new EventParser();
        const found: string[] = [];
        for (let at = 0; at < text.length; at += size)
          for (const { data } of parser.push(text.slice(at, at + size))) found.push(data);
        assert.deepEqual(found, ["one", "two\n"]);
      }
    }
  });

  test("that were cut off are asked for again", () =>
    serving(
      (log) => (request) => {
        const last = request.headers.get("last-event-id");
        log.add(`from ${String(last)}`);
        if (last === "2") return null;
        const text =
          last === null ? "retry: 1\nid: 1\ndata: one\n\nid: 2\ndata: two\n" : "id: 2\ndata: two\n\n";
        return new Reply(text, { headers: { "content-type": "text/event-stream" } });
      },
      async ({ log, session }) => {
        const seen: string[] = [];
        for await (const { data } of session().events("/")) seen.push(data);
        assert.deepEqual(seen, ["one", "two"]);
        assert.deepEqual(log.entries, ["from null", "from 1", "from 2"]);
      },
    ));

  test("cannot be forged by line breaks in a name", () => {
    assert.equal(formatEvent({ data: "x", event: "a\ndata: forged" }), "event: a data: forged\ndata: x\n\n");
  });

  test("go on where they were when the connection ends; 204 ends them", () =>
    serving(
      (log) => (request) => {
        const last = request.headers.get("last-event-id");
        log.add(`from ${String(last)}`);
        if (last === "4") return null;
        async function* events(): AsyncGenerator<ServerSentEvent> {
          yield { data: "", retry: 0.001 };
          const first = Number(last ?? 0) + 1;
          for (const id of [first, first + 1]) yield { data: `event ${id}`, id: String(id) };
          await sleep(0);
        }
        return Reply.events(events());
      },
      async ({ log, session }) => {
        const seen: string[] = [];
        for await (const { data } of session().events("/")) if (data !== "") seen.push(data);
        assert.deepEqual(seen, ["event 1", "event 2", "event 3", "event 4"]);
        assert.deepEqual(log.entries, ["from null", "from 2", "from 4"]);
      },
    ));

  test("end with the client: the source is cancelled", () =>
    serving(
      (log) => () => {
        async function* events(): AsyncGenerator<string> {
          yield "first";
          await log.around("source", () => new Event().wait());
        }
        return Reply.events(events());
      },
      async ({ log, session }) => {
        for await (const { data } of session().events("/")) {
          assert.equal(data, "first");
          break;
        }
        await log.has("source cleaned up");
        assert.ok(log.entries.includes("source cancelled: the client went away"));
      },
    ));
});

describe("a WebSocket", () => {
  const echo = () => async (request: ServerRequest) =>
    await request.webSocket(
      async (socket) => {
        for await (const message of socket) await socket.send(message);
      },
      { protocols: ["b", "a"], maxMessageSize: 1000 },
    );

  test("carries text and bytes, and says goodbye", () =>
    serving(echo, async ({ server, session }) => {
      const socket = await session().webSocket("/", { protocols: ["a", "b"] });
      assert.equal(socket.protocol, "b");
      await socket.send("täxt");
      assert.equal(await socket.receive(), "täxt");
      await socket.send(new Uint8Array([1, 2]));
      assert.deepEqual([...((await socket.receive()) as Uint8Array)], [1, 2]);
      await socket.close();
      assert.equal(socket.closeCode, 1000);
      const error = await assert.rejects<WebSocketClosedError>(socket.receive(), WebSocketClosedError);
      assert.equal(error.closeCode, 1000);
      await assert.rejects(socket.send("late"), WebSocketClosedError);
      while (server.statistics().requests > 0) await sleep(0.001);
    }));

  test("receives in the order of arrival; a cancelled receive loses nothing", () =>
    serving(echo, async ({ session }) => {
      await using socket = await session().webSocket("/");
      const waiting = createTask(socket.receive());
      await sleep(0);
      waiting.cancel();
      await assert.rejects(waiting, CancelledError);
      for (let n = 0; n < 100; n++) await socket.send(String(n));
      for (let n = 0; n < 100; n++) assert.equal(await socket.receive(), String(n));
    }));

  test("whose client is lost ends the loop of its handler", () =>
    serving(
      (log) => async (request) =>
        await request.webSocket(async (socket) => {
          log.add("open");
          for await (const message of socket) log.add(String(message));
          log.add(`closed ${String(socket.closeCode)}`);
        }),
      async ({ log, session }) => {
        const socket = await session().webSocket("/");
        await log.has("open");
        socket.terminate();
        await log.has("closed 1006");
      },
    ));

  test("whose handler waits for something else is cancelled when that is wanted", () =>
    serving(
      (log) => async (request) =>
        await request.webSocket(async () => await log.around("handler", () => new Event().wait()), {
          cancelOnClose: true,
        }),
      async ({ log, session }) => {
        const socket = await session().webSocket("/");
        await log.has("handler begins");
        socket.terminate();
        await log.has("handler cancelled: the WebSocket was closed");
      },
    ));

  // Bun's stand-in for ws has limits of its own.
  testOn(["node", "deno"], "closes for a message that is too large", () =>
    serving(echo, async ({ session }) => {
      const socket = await session().webSocket("/");
      await socket.send("x".repeat(2000));
      const error = await assert.rejects<WebSocketClosedError>(socket.receive(), WebSocketClosedError);
      assert.equal(error.closeCode, 1009);
    }),
  );

  test("is refused where there is none, and where nobody asked for one", () =>
    serving(
      () => async (request) => {
        if (request.path === "/none") return new Reply("no", { status: 404 });
        return await request.webSocket(() => undefined);
      },
      async ({ session }) => {
        const http = session();
        await assert.rejects(http.webSocket("/none"), WebSocketHandshakeError);
        await http.get("/", (response) => assert.equal(response.status, 426));
      },
    ));

  test("is told when the server closes", () =>
    serving(echo, async ({ server, session }) => {
      const socket = await session().webSocket("/");
      await socket.send("hello");
      assert.equal(await socket.receive(), "hello");
      const closing = createTask(server.close());
      await assert.rejects(socket.receive(), WebSocketClosedError);
      assert.equal(socket.closeCode, 1001);
      await closing;
    }));
});

describe("files", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "corio-http-"));
    await mkdir(join(folder, "root/sub"), { recursive: true });
    await writeFile(join(folder, "root/text.txt"), "0123456789");
    await writeFile(join(folder, "root/large.bin"), Buffer.alloc(300_000, 1));
    await writeFile(join(folder, "root/empty.txt"), "");
    await writeFile(join(folder, "root/.secret"), "secret");
    await writeFile(join(folder, "root/sub/index.html"), "<p>index</p>");
    await writeFile(join(folder, "outside.txt"), "outside");
    await symlink(join(folder, "outside.txt"), join(folder, "root/link.txt"));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });
  const files = () => staticFiles(join(folder, "root"));

  test("are sent whole, in part, or not at all", () =>
    serving(files, async ({ session }) => {
      const http = session();
      const etag = await http.get("/text.txt", async (response) => {
        assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
        assert.equal(await response.text(), "0123456789");
        return response.headers.get("etag") ?? "";
      });
      const ask = (headers: Record<string, string>) =>
        http.get("/text.txt", { headers }, async (response) => [response.status, await response.text()]);
      assert.deepEqual(await ask({ "if-none-match": etag }), [304, ""]);
      assert.deepEqual(await ask({ "if-none-match": '"other"' }), [200, "0123456789"]);
      assert.deepEqual(await ask({ range: "bytes=2-4" }), [206, "234"]);
      assert.deepEqual(await ask({ range: "bytes=7-" }), [206, "789"]);
      assert.deepEqual(await ask({ range: "bytes=-3" }), [206, "789"]);
      assert.deepEqual(await ask({ range: "bytes=0-999" }), [206, "0123456789"]);
      assert.deepEqual((await ask({ range: "bytes=10-" }))[0], 416);
      assert.deepEqual(await ask({ range: "bytes=4-2" }), [200, "0123456789"]);
      assert.deepEqual(await ask({ range: "bytes=2-4", "if-range": '"other"' }), [200, "0123456789"]);
      assert.deepEqual(await ask({ range: "Bytes=2-4" }), [206, "234"]);
      assert.deepEqual(await ask({ "if-match": etag }), [200, "0123456789"]);
      assert.deepEqual((await ask({ "if-match": '"other"' }))[0], 412);
      assert.deepEqual((await ask({ "if-unmodified-since": "Sat, 01 Jan 2000 00:00:00 GMT" }))[0], 412);
      // Ranges are for GET.
      await http.head("/text.txt", { headers: { range: "bytes=2-4" } }, (response) =>
        assert.deepEqual([response.status, response.headers.get("content-length")], [200, "10"]),
      );
      assert.equal((await http.get("/large.bin", (response) => response.read())).length, 300_000);
      assert.equal(await http.get("/empty.txt", (response) => response.text()), "");
      assert.equal(await http.get("/sub/", (response) => response.text()), "<p>index</p>");
      await http.head("/text.txt", async (response) => {
        assert.deepEqual([response.headers.get("content-length"), await response.text()], ["10", ""]);
      });
    }));

  test("of the whole machine are found, too", () =>
    serving(
      () => staticFiles("/"),
      async ({ session }) => {
        const status = (path: string) => session().get(path, (response) => response.status);
        assert.deepEqual([await status(`${folder}/root/text.txt`), await status("/")], [200, 404]);
      },
    ));

  test("outside of the folder, and hidden ones, are not found", () =>
    serving(files, async ({ server, session }) => {
      const http = session();
      for (const path of [
        "/none",
        "/.secret",
        "/link.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/sub%00",
      ]) {
        await http.get(path, (response) => assert.equal(response.status, 404, path));
      }
      const client = await RawClient.request(server, "GET /../outside.txt");
      await client.find(/^HTTP\/1.1 404 /);
      client.goAway();
      await http.get("/%ff", (response) => assert.equal(response.status, 400));
      await http.post("/text.txt", (response) => assert.equal(response.status, 405));
    }));

  test("are closed when the client goes away", () =>
    serving(files, async ({ server, session }) => {
      await session().get("/large.bin", (response) => assert.equal(response.status, 200));
      while (server.statistics().requests > 0) await sleep(0.001);
    }));
});

test("a router finds its handlers", async () => {
  await run(async () => {
    const router = new Router()
      .get("/", () => "root")
      .get("/users/:id", (_request, { id }) => `user ${id}`)
      .post("/users/:id/posts/:post", (_request, { id, post }) => `${id} ${post}`)
      .get("/files/*path", (_request, { path }) => `file ${path}`);
    await using server = await serve(router.handler);
    await using session = new ClientSession({ baseUrl: server.url });
    const ask = (path: string, method = "GET") =>
      session.request(method, path, async (response) => `${response.status} ${await response.text()}`.trim());
    assert.equal(await ask("/"), "200 root");
    assert.equal(await ask("/users/a%2Fb"), "200 user a/b");
    assert.equal(await ask("/users/1/posts/2", "POST"), "200 1 2");
    assert.equal(await ask("/files/a/b"), "200 file a/b");
    assert.equal(await ask("/users/1", "DELETE"), "405 Method Not Allowed");
    assert.equal(await ask("/users/"), "404 Not Found");
    assert.equal(await ask("/users/1", "HEAD"), "200");
  });
  assert.throws(() => new Router().get("users", () => ""), /begins with a slash/);
});
