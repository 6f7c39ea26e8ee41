/** Clients and servers that mean no good, or know no better. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { deflateRawSync, gzipSync } from "node:zlib";
import { ArgumentTypeError, Event, getRunningLoop, run, sleep, until, ValueError } from "corio";
import {
  ClientSession,
  ConnectError,
  CookieJar,
  HttpException,
  PayloadError,
  Reply,
  Router,
  serve,
  staticFiles,
} from "@corio/http";
import type { ServerRequest } from "@corio/http";
import { assert, describe, hostName, test, testOn } from "../../corio/test/support/harness.ts";
import { RawClient } from "./support/raw-client.ts";
import { serving } from "./support/serving.ts";

describe("a server", () => {
  // Bun looks at the header itself.
  testOn(["node", "deno"], "does not let the Host header become a part of the path", () =>
    serving(
      () => (request) => `${request.path} ${request.url.host}`,
      async ({ server }) => {
        for (const [host, answer] of [
          ["example.com:8080", /^HTTP\/1.1 200 .*\/public example.com:8080$/s],
          ["[::1]:80", /^HTTP\/1.1 200 .*\/public \[::1\]$/s],
          ["example.com/admin?", /^HTTP\/1.1 400 /],
          ["example.com/admin#", /^HTTP\/1.1 400 /],
          ["you@example.com", /^HTTP\/1.1 400 /],
          ["example.com\\admin", /^HTTP\/1.1 400 /],
        ] as const) {
          const client = await RawClient.connect(server);
          client.write(`GET /public HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          await client.find(answer);
          client.goAway();
        }
        const client = await RawClient.connect(server);
        client.write("GET file:///etc/passwd HTTP/1.1\r\nHost: test\r\n\r\n");
        await client.find(/^HTTP\/1.1 400 /);
        client.goAway();
      },
    ),
  );

  // Bun and Deno accept some of them.
  testOn(["node"], "answers with 500 when a header cannot be sent, and splits no response", () =>
    serving(
      () => (request) => {
        const value = request.query.get("value") ?? "";
        return new Reply("fine", { headers: { "x-value": value } });
      },
      async ({ session }) => {
        const reports: unknown[] = [];
        getRunningLoop().setExceptionHandler((_loop, { exception }) => reports.push(exception));
        const http = session();
        const value = "a\r\nSet-Cookie: forged=1\r\n\r\n<p>";
        await http.get("/", { params: { value } }, async (response) => {
          assert.equal(response.status, 500);
          assert.equal(response.headers.get("set-cookie"), null);
          await response.read();
        });
        assert.equal(await http.get("/", { params: { value: "b" } }, (response) => response.text()), "fine");
        assert.equal(reports.length, 1);
      },
    ),
  );

  testOn(["node"], "sends no more and no fewer bytes than it has announced", () =>
    serving(
      () => (request) => {
        async function* pieces(): AsyncGenerator<string> {
          yield "0123456789";
          await sleep(0);
          yield "0123456789";
        }
        return new Reply(pieces(), { headers: { "content-length": request.path.slice(1) } });
      },
      async ({ server, session }) => {
        getRunningLoop().setExceptionHandler(() => undefined);
        assert.equal((await session().get("/20", (response) => response.text())).length, 20);
        for (const length of ["15", "25"]) {
          const client = await RawClient.request(server, `GET /${length}`);
          assert.match(await client.closed(), /^HTTP\/1.1 200 .*\r\n\r\n\d{0,10}$/s);
        }
      },
    ),
  );

  test("closes the streams that nobody reads", () =>
    serving(
      () => (request) => {
        const body = Readable.from(["never"]);
        body.once("close", () => closed.push(request.method));
        return new Reply(body, { status: request.method === "HEAD" ? 200 : 304 });
      },
      async ({ session }) => {
        const http = session();
        closed.length = 0;
        await http.head("/", (response) => response.read());
        await http.get("/", (response) => response.read());
        while (closed.length < 2) await sleep(0.001);
        assert.deepEqual(closed, ["HEAD", "GET"]);
      },
    ));

  // Node resets a connection that is closed while data comes; Bun and Deno have their own ways.
  testOn(["node"], "tells a client that sends too much so, while it is still sending", () =>
    serving(
      () => async (request) => {
        if (request.path === "/unread") return "not interested";
        return await request.text();
      },
      async ({ server, session }) => {
        for (const [path, status] of [
          ["/", 413],
          ["/unread", 200],
        ] as const) {
          const client = await RawClient.request(server, `POST ${path}`, "Transfer-Encoding: chunked\r\n");
          const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
          // It ends its half when the server does.
          for (let n = 0; n < 100 && client.socket.writable; n++) {
            client.write(chunk);
            if (client.socket.writableNeedDrain)
              await until(
                new Promise<void>((resolve) => {
                  client.socket.once("drain", resolve);
                  client.socket.once("close", resolve);
                }),
              );
          }
          assert.match(await client.closed(), new RegExp(`^HTTP/1.1 ${status} .*connection: close`, "is"));
        }
        assert.equal(await session().post("/", { data: "well" }, (response) => response.text()), "well");
      },
      { maxBodySize: 1000 },
    ),
  );

  testOn(["node"], "does nothing more on a connection that it has said to be over", () =>
    serving(
      (log) => async (request) => {
        log.add(`${request.method} ${request.path}`);
        return await request.text();
      },
      async ({ server, log }) => {
        const client = await RawClient.request(server, "POST /", "Transfer-Encoding: chunked\r\n");
        client.write("5\r\nlarge\r\n");
        await client.find(/^HTTP\/1.1 413 /);
        client.write("0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n");
        await client.closed();
        assert.deepEqual(log.entries, ["POST /"]);
      },
      { maxBodySize: 4 },
    ),
  );

  testOn(["node"], "does not choose between two Host headers", () =>
    serving(
      (log) => (request) => {
        log.add(request.path);
        return "answered";
      },
      async ({ server, log }) => {
        const client = await RawClient.request(server, "GET /", "Host: other\r\n");
        assert.match(await client.closed(), /^HTTP\/1.1 400 /);
        assert.deepEqual(log.entries, []);
      },
    ),
  );

  testOn(["node", "deno"], "reads the next request behind a body of which only a part was wanted", () =>
    serving(
      () => async (request) => {
        if (request.method === "POST")
          for await (const chunk of request) {
            assert.ok(chunk.length > 0);
            break;
          }
        return request.path;
      },
      async ({ server }) => {
        const client = await RawClient.request(server, "POST /first", "Content-Length: 500000\r\n");
        client.write(`${"x".repeat(500_000)}GET /second HTTP/1.1\r\nHost: test\r\n\r\n`);
        await client.find(/\/first[^]*\/second$/);
        client.goAway();
      },
    ),
  );

  testOn(["node"], "keeps no more of a large answer than it sends at once", () =>
    serving(
      (log) => (request) => {
        log.add("handled");
        socket = request.incoming.socket;
        return "x".repeat(30_000_000);
      },
      async ({ server, log }) => {
        const client = await RawClient.request(server, "GET /");
        client.socket.pause();
        await log.has("handled");
        for (let n = 0; n < 10; n++) {
          await until(new Promise((resolve) => setImmediate(resolve)));
          assert.ok((socket?.writableLength ?? 0) < 1_000_000);
        }
        client.goAway();
      },
    ),
  );

  test("answers with 500 to an HttpException whose status is none", () =>
    serving(
      () => () => {
        throw new HttpException(700);
      },
      async ({ session }) => {
        const reports: unknown[] = [];
        getRunningLoop().setExceptionHandler((_loop, { exception }) => reports.push(exception));
        assert.equal(await session().get("/", (response) => response.status), 500);
        assert.ok(reports[0] instanceof ArgumentTypeError);
      },
    ));

  test("does not take a request with a body for one for a WebSocket", () =>
    serving(
      () => async (request) => `${String(request.isWebSocket)} ${await request.text()}`,
      async ({ server }) => {
        const client = await RawClient.request(
          server,
          "POST /",
          "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n",
        );
        client.write("body");
        // Older versions of Node cannot read on.
        await client.find(/^HTTP\/1.1 (200 [^]*false body$|501 )/);
        client.goAway();
      },
    ));

  test("refuses limits that make no sense, and takes those that do", () =>
    run(async () => {
      for (const options of [
        { maxBodySize: -1 },
        { maxHeaderSize: 0 },
        { maxConnections: 0 },
        { sendTimeout: -1 },
        { shutdownTimeout: -1 },
      ]) {
        await assert.rejects(
          serve(() => "", options),
          ValueError,
        );
      }
      for (const options of [{ requestTimeout: 5 }, { headersTimeout: 400 }, { requestTimeout: null }]) {
        await using server = await serve(() => "", options);
        assert.ok(server.port > 0);
      }
    }));

  test("has a route for HEAD when there is one, else that of GET", () =>
    run(async () => {
      const router = new Router()
        .add("HEAD", "/own", () => new Reply("", { headers: { "x-by": "head" } }))
        .get("/own", () => new Reply("", { headers: { "x-by": "get" } }))
        .get("/other", () => new Reply("", { headers: { "x-by": "get" } }));
      await using server = await serve(router.handler);
      await using session = new ClientSession({ baseUrl: server.url });
      const by = (path: string) => session.head(path, (response) => response.headers.get("x-by"));
      assert.deepEqual([await by("/own"), await by("/other")], ["head", "get"]);
    }));

  testOn(
    ["node"],
    "does not wait for a named pipe among its files, nor follow a link out of them",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "corio-http-"));
      try {
        await mkdir(join(folder, "root"));
        await mkdir(join(folder, "other"));
        await writeFile(join(folder, "other/file.txt"), "outside");
        await symlink(join(folder, "other"), join(folder, "root/link"));
        await new Promise((resolve) => execFile("mkfifo", [join(folder, "root/pipe")], resolve));
        await serving(
          () => staticFiles(join(folder, "root")),
          async ({ server, session }) => {
            const http = session();
            for (const path of [
              "/pipe",
              "/link/file.txt",
              "/link/%66ile.txt",
              "/%2e%2e/other/file.txt",
              "/%252e%252e/other/file.txt",
              "/..%5cother%5cfile.txt",
              "/root%00.txt",
            ]) {
              await http.get(path, (response) => assert.equal(response.status, 404, path));
            }
            for (const target of [
              "//etc/passwd",
              "/../other/file.txt",
              "/./../other/file.txt",
              "/%2e%2e%2fother/file.txt",
            ]) {
              const client = await RawClient.request(server, `GET ${target}`);
              await client.find(/^HTTP\/1.1 404 /);
              client.goAway();
            }
          },
        );
        // Whoever reads the pipe has closed it.
        const writer = await open(join(folder, "root/pipe"), "r+");
        await writer.close();
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );
});

const closed: string[] = [];
let socket: Socket | null = null;

describe("a client", () => {
  const echo = () => async (request: ServerRequest) =>
    Reply.json({
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    });
  interface Echo {
    method: string;
    headers: Record<string, string | undefined>;
    body: string;
  }

  test("sends no secrets, and not its name for the first server, to another origin", () =>
    serving(echo, async ({ server, session }) => {
      const other = await serve((request) => {
        const location = new URL(`http://user:word@127.0.0.1:${server.port}/`);
        return new Reply("", {
          status: Number(request.query.get("status")),
          headers: { location: location.href },
        });
      });
      const headers = {
        authorization: "secret",
        cookie: "a=secret",
        "proxy-authorization": "secret",
        host: "first.example",
        "x-own": "kept",
      };
      for (const status of [301, 302, 303, 307, 308]) {
        const { headers: seen } = await session().get(
          `${other.url}/`,
          { headers, params: { status } },
          (response) => response.json<Echo>(),
        );
        assert.ok(!JSON.stringify(seen).includes("secret"), JSON.stringify(seen));
        // Those of the new address are not sent, either: the redirecting server has chosen them.
        assert.equal(seen["authorization"], undefined);
        assert.equal(seen["host"], `127.0.0.1:${server.port}`);
        assert.equal(seen["x-own"], "kept");
      }
      await other.close();
    }));

  test("that is redirected repeats a body, drops it, or stops, as the status and the body say", () =>
    serving(
      (log) => async (request) => {
        const status = Number(request.query.get("status"));
        if (status === 0) return await echo()(request);
        log.add(`${request.method} ${await request.text()}`);
        return new Reply("", { status, headers: { location: "/" } });
      },
      async ({ session }) => {
        const http = session();
        const send = (method: string, status: number, data: string | AsyncIterable<string>) =>
          http.request(
            method,
            "/",
            { data, params: { status }, headers: { "content-type": "text/own", "content-language": "en" } },
            async (response) => (response.status === 200 ? await response.json<Echo>() : response.status),
          );
        for (const [method, status, expected] of [
          ["POST", 302, "GET"],
          ["POST", 303, "GET"],
          ["PUT", 303, "GET"],
          ["PUT", 302, "PUT"],
          ["POST", 307, "POST"],
          ["DELETE", 308, "DELETE"],
        ] as const) {
          const got = (await send(method, status, "body")) as Echo;
          assert.equal(got.method, expected);
          assert.equal(got.body, expected === "GET" ? "" : "body");
          assert.equal(got.headers["content-type"], expected === "GET" ? undefined : "text/own");
          assert.equal(got.headers["content-language"], expected === "GET" ? undefined : "en");
        }
        async function* once(): AsyncGenerator<string> {
          yield "once";
          await sleep(0);
        }
        assert.equal(await send("PUT", 302, once()), 302);
        assert.equal(await send("POST", 307, once()), 307);
        assert.equal(((await send("POST", 303, once())) as Echo).method, "GET");
      },
    ));

  test("that is redirected to what is no address says so", () =>
    serving(
      () => (request) => new Reply("", { status: 302, headers: { location: request.query.get("to") ?? "" } }),
      async ({ session }) => {
        for (const to of ["http://[", "file:///etc/passwd", "javascript:alert(1)"]) {
          const error = await assert.rejects<PayloadError>(
            session().get("/", { params: { to } }),
            PayloadError,
          );
          assert.match(error.message, /redirects to .* which is no address/);
        }
      },
    ));

  test("blames the server for a redirect that cannot be followed", () =>
    serving(
      () => (request) => Reply.redirect(request.query.get("to") ?? ""),
      async ({ session }) => {
        for (const to of ["ws://127.0.0.1/", "ftp://127.0.0.1/", "//%zz@127.0.0.1/"])
          await assert.rejects(session().get("/", { params: { to } }), PayloadError);
      },
    ));

  test("follows a redirect to an address that is not escaped", () =>
    serving(
      () => (request) => request.path,
      async ({ server, session }) => {
        const location = Buffer.from(`${server.url}/日本`).toString("latin1");
        const other = await serve(() => Reply.redirect(location));
        assert.equal(await session().get(other.url, (response) => response.text()), "/%E6%97%A5%E6%9C%AC");
        await other.close();
      },
    ));

  test("keeps the name and the password of an address when it is redirected to the same server", () =>
    serving(
      () => (request) =>
        request.path === "/"
          ? Reply.redirect(new URL("/next", request.url))
          : (request.headers.get("authorization") ?? "none"),
      async ({ server, session }) => {
        const address = `http://name:word@127.0.0.1:${server.port}/`;
        const expected = `Basic ${Buffer.from("name:word").toString("base64")}`;
        assert.equal(await session().get(address, (response) => response.text()), expected);
      },
    ));

  test("refuses options that make no sense, with or without a server", () =>
    run(async () => {
      for (const options of [
        { maxConnectionsPerHost: 0 },
        { maxRedirects: -1 },
        { maxBodySize: NaN },
        { keepAliveTimeout: -1 },
        { retry: { attempts: 0 } },
        { retry: { delay: -1 } },
        { retry: { jitter: 2 } },
        { proxy: "nonsense" },
        { proxy: "socks5://127.0.0.1:1" },
        { proxy: "http://%zz@127.0.0.1:1" },
      ]) {
        assert.throws(() => new ClientSession(options), ValueError);
      }
      assert.throws(() => new ClientSession({ retry: 3 as never }), ArgumentTypeError);
      assert.throws(() => new ClientSession({ headers: { "a b": "c" } }), ArgumentTypeError);
      await using session = new ClientSession({ baseUrl: "http://127.0.0.1:1" });
      await assert.rejects(session.get("/", { maxRedirects: -1 }), ValueError);
      await assert.rejects(session.get("ws://127.0.0.1/"), ValueError);
      await assert.rejects(session.get("http://%zz@127.0.0.1/"), ValueError);
      await assert.rejects(session.request("CONNECT", "/"), ValueError);
    }));

  // Bun sets the length itself.
  testOn(["node", "deno"], "is told when it has asked for what cannot be sent", () =>
    serving(echo, async ({ session }) => {
      const http = session({ retry: { attempts: 3, delay: 60 } });
      for (const headers of [{ "content-length": "5" }, { expect: "100-continue" }])
        await assert.rejects(http.put("/", { data: "abc", headers }), ArgumentTypeError);
    }),
  );

  test("unpacks what leaves out the beginning of its format, as some servers do", () =>
    serving(
      () => () => new Reply(deflateRawSync("raw"), { headers: { "content-encoding": "deflate" } }),
      async ({ session }) => {
        assert.equal(await session().get("/", (response) => response.text()), "raw");
      },
    ));

  test("does not read what comes behind the end of what was packed", () =>
    serving(
      (log) => () => {
        async function* body(): AsyncGenerator<Uint8Array> {
          try {
            yield gzipSync("packed");
            for (;;) {
              yield new Uint8Array(65_536);
              await sleep(0);
            }
          } finally {
            log.add("nobody reads on");
          }
        }
        return new Reply(body(), { headers: { "content-encoding": "gzip" } });
      },
      async ({ log, session }) => {
        const http = session();
        assert.equal(await http.get("/", (response) => response.text()), "packed");
        await log.has("nobody reads on");
      },
    ));

  test("does not take the name of a method of objects for a way of packing", () =>
    serving(
      () => () => new Reply("as it is", { headers: { "content-encoding": "constructor" } }),
      async ({ session }) => {
        // Node's, Deno's and Bun's own clients would give it as it is, too.
        assert.equal(await session().get("/", (response) => response.text()), "as it is");
      },
    ));

  test("searches a long line once, however many pieces it comes in", () =>
    serving(
      () => (request) => {
        const text = "a".repeat(5_000_000);
        return request.path === "/events"
          ? new Reply(`data: ${text}\n\n`, { headers: { "content-type": "text/event-stream" } })
          : text;
      },
      async ({ session }) => {
        const http = session();
        const lengths: number[] = [];
        // eslint-disable-next-line @typescript-eslint/unbound-method -- it is put back
        const { split } = String.prototype;
        let searched = 0;
        String.prototype.split = function (this: string, ...given: [never]) {
          searched += this.length;
          return split.apply(this, given);
        };
        try {
          await http.get("/", async (response) => {
            for await (const line of response.lines()) lengths.push(line.length);
          });
          for await (const event of http.events("/events")) {
            lengths.push(event.data.length);
            break;
          }
        } finally {
          String.prototype.split = split;
        }
        assert.deepEqual(lengths, [5_000_000, 5_000_000]);
        assert.ok(searched < 11e6, `${searched} characters`);
      },
    ));

  test("shows no password in its errors and responses", () =>
    run(async () => {
      await using server = await serve(() => "fine");
      await using session = new ClientSession();
      const secret = server.url.replace("://", "://user:word@");
      assert.equal(await session.get(secret, (response) => response.url), `${server.url}/`);
      const error = await assert.rejects<ConnectError>(
        session.get("http://user:word@127.0.0.1:1/"),
        ConnectError,
      );
      assert.ok(!error.message.includes("word"), error.message);
    }));

  test("unpacks no more than it is told to", () =>
    serving(
      () => (request) => {
        if (request.path !== "/bomb") return new Reply(Buffer.alloc(2000));
        return new Reply(gzipSync(Buffer.alloc(50_000_000)), { headers: { "content-encoding": "gzip" } });
      },
      async ({ session }) => {
        const http = session({ maxBodySize: 1000 });
        for (const path of ["/bomb", "/plain"]) {
          const error = await assert.rejects<PayloadError>(
            http.get(path, (response) => response.read()),
            PayloadError,
          );
          assert.match(error.message, /larger than 1000 bytes/);
        }
        const length = http.get("/plain", { maxBodySize: null }, (response) => response.read());
        assert.equal((await length).length, 2000);
      },
    ));

  test("takes only the cookies that a server may set", () => {
    const jar = new CookieJar();
    const set = (url: string, header: string) => jar.set(new URL(url), header);
    const at = (url: string) => jar.headerFor(new URL(url));
    set("https://shop.example.com/a/b", "host=1");
    set("https://shop.example.com/", "wide=1; Domain=.Example.com");
    set("https://shop.example.com/", "other=1; Domain=other.com");
    set("https://shop.example.com/", "below=1; Domain=very.shop.example.com");
    set("https://shop.example.com/", "all=1; Domain=com");
    set("https://notexample.com/", "suffix=1; Domain=example.com");
    set("https://127.0.0.1/", "ip=1; Domain=0.0.1");
    assert.equal(at("https://shop.example.com/a/c"), "host=1; wide=1");
    assert.equal(at("https://shop.example.com/ab"), "wide=1");
    assert.equal(at("https://example.com/"), "wide=1");
    assert.equal(at("https://notexample.com/"), null);
    assert.equal(at("https://com/"), null);
    assert.equal(at("https://127.0.0.1/"), null);
    jar.clear();
    set("https://example.com/", "safe=1; Secure");
    set("http://example.com/", "safe=forged");
    set("http://www.example.com/", "safe=forged; Domain=example.com");
    set("http://example.com/", "late=1; Secure");
    assert.equal(at("https://example.com/"), "safe=1");
    assert.equal(at("http://example.com/"), null);
    jar.clear();
    set("https://example.com/", "__Host-a=1; Secure; Path=/");
    set("https://example.com/", "__Host-b=1; Secure; Path=/; Domain=example.com");
    set("https://example.com/", "__Host-c=1; Path=/");
    set("https://example.com/", "__Secure-d=1");
    assert.equal(at("https://example.com/"), "__Host-a=1");
  });

  test("knows when a cookie is over, and ignores what is too long in it", () => {
    const url = new URL("http://example.test/");
    const jar = new CookieJar();
    const utc = (date: Date): string => date.toUTCString();
    const zone = process.env["TZ"];
    // West of Greenwich, where an hour ago in UTC is still to come.
    process.env["TZ"] = "America/New_York";
    try {
      const [past, future] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)];
      jar.set(url, `past=1; Expires=${utc(past)}`);
      jar.set(url, `zoneless=1; Expires=${utc(past).replace(" GMT", "")}`);
      jar.set(url, `future=1; Expires=${utc(future).replace(" GMT", "")}`);
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
    jar.set(url, `long=1; Path=/${"x".repeat(2000)}`);
    assert.equal(jar.headerFor(url), "future=1; long=1");
  });

  test("keeps only so many cookies, and none that is too long or over", () => {
    const url = new URL("http://example.test/");
    const jar = new CookieJar();
    for (let n = 0; n < 200; n++) jar.set(url, `n${n}=v`);
    assert.equal(jar.size, 180);
    assert.ok(!jar.headerFor(url)?.includes("n19=") && jar.headerFor(url)?.includes("n20="));
    jar.set(url, `long=${"v".repeat(5000)}`);
    assert.ok(!jar.headerFor(url)?.includes("long"));
    for (let n = 0; n < 4000; n++) jar.set(new URL(`http://host${n}.test/`), "a=b");
    assert.equal(jar.size, 3000);
  });

  test("sends its cookies with the handshake of a WebSocket", () =>
    serving(
      () => async (request) => {
        if (!request.isWebSocket) return new Reply("", { headers: { "set-cookie": "name=value" } });
        return await request.webSocket((socket) => socket.send(request.cookies.get("name") ?? "none"));
      },
      async ({ session }) => {
        const http = session();
        await http.get("/", (response) => response.read());
        await using socket = await http.webSocket("/");
        assert.equal(await socket.receive(), "value");
      },
    ));

  test("does not take anything for an event stream, and connects again to one that has become silent", () => {
    // The time limit must not be over before a slow machine has answered: silence takes no real time here.
    let skipped = 0;
    const clock = { time: (): number => performance.now() / 1000 + skipped };
    return serving(
      (log) => (request) => {
        if (request.path === "/page") return new Reply("<p>", { headers: { "content-type": "text/html" } });
        const last = request.headers.get("last-event-id");
        log.add(`from ${String(last)}`);
        if (last === "2") return null;
        async function* events(): AsyncGenerator<{ data: string; id: string; retry: number }> {
          yield { data: "event", id: String(Number(last ?? 0) + 1), retry: 0.001 };
          await new Event().wait();
        }
        return Reply.events(events());
      },
      async ({ log, session }) => {
        const http = session({ timeout: { read: 600 } });
        const ids: (string | undefined)[] = [];
        for await (const { id } of http.events("/")) {
          ids.push(id);
          // When the next is being waited for.
          getRunningLoop().callSoon(() => (skipped += 600));
        }
        assert.deepEqual(ids, ["1", "2"]);
        assert.deepEqual(log.entries, ["from null", "from 1", "from 2"]);
        const error = await assert.rejects<PayloadError>(http.events("/page").next(), PayloadError);
        assert.match(error.message, /no event stream, but text\/html/);
      },
      {},
      { clock },
    );
  });

  test("cannot be made to send headers or requests of somebody else", () =>
    serving(echo, async ({ session }) => {
      const http = session();
      const evil = "x\r\nX-Forged: 1";
      await assert.rejects(http.get("/", { headers: { "x-value": evil } }), ArgumentTypeError);
      await assert.rejects(http.get("/", { headers: { [evil]: "x" } }), ArgumentTypeError);
      if (hostName !== "bun") await assert.rejects(http.request("GET / HTTP/1.1\r\nX: ", "/"));
      const { headers } = await http.get(`/${evil}`, { params: { [evil]: evil } }, (response) =>
        response.json<Echo>(),
      );
      assert.equal(headers["x-forged"], undefined);
    }));
});
