import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { gzipSync, brotliCompressSync, deflateSync } from "node:zlib";
import { createTask, CancelledError, Event, run, sleep, TimeoutError, until } from "corio";
import type { Task } from "corio";
import {
  ClientSession,
  ConnectError,
  ConnectionLostError,
  CookieJar,
  HttpTimeoutError,
  PayloadError,
  Reply,
  ResponseError,
  SessionClosedError,
  TooManyRedirectsError,
} from "@corio/http";
import { assert, describe, hostName, test, testOn } from "../../corio/test/support/harness.ts";
import { Log, serving } from "./support/serving.ts";

/** A server that does what a test says, and sees what becomes of its connections. */
class RawServer implements AsyncDisposable {
  readonly log: Log = new Log();
  readonly sockets: Socket[] = [];
  readonly #server: Server;

  private constructor(onConnection: (socket: Socket, text: string) => void) {
    this.#server = createServer((socket) => {
      const number = this.sockets.push(socket);
      this.log.add(`connection ${number}`);
      socket.setEncoding("latin1");
      socket.on("error", () => undefined);
      socket.on("close", () => this.log.add(`closed ${number}`));
      socket.on("data", (text: string) => {
        this.log.add(`data ${number}`);
        onConnection(socket, text);
      });
    });
  }

  static async listen(onData: (socket: Socket, text: string) => void): Promise<RawServer> {
    const server = new RawServer(onData);
    await until(new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve)));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await sleep(0);
  }
}

async function cancelled(task: Task<unknown>): Promise<void> {
  task.cancel("enough");
  const error = await assert.rejects<CancelledError>(task, CancelledError);
  assert.equal(error.reason, "enough");
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Each with a server that answers `/ok`, and not the rest. */
async function withRaw(
  body: (server: RawServer, session: ClientSession) => Promise<void>,
  answer: (socket: Socket, text: string) => void = (socket, text) => {
    if (text.startsWith("GET /ok ")) socket.write(OK);
  },
  options = {},
): Promise<void> {
  await run(async () => {
    await using server = await RawServer.listen(answer);
    await using session = new ClientSession({ baseUrl: `http://127.0.0.1:${server.port}`, ...options });
    await body(server, session);
  });
}

const getOk = (session: ClientSession) => session.get("/ok", (response) => response.text());

let late = (): unknown => undefined;

/** Calls `late` in the step of the task that takes the response, after its last await. */
class LateJar extends CookieJar {
  override set(url: URL, header: string): void {
    super.set(url, header);
    late();
  }
}

describe("a cancelled request", () => {
  // Bun's fetch keeps an attempt to connect to itself.
  testOn(["node", "deno"], "while it connects: the attempt is given up, and the session is well", () =>
    withRaw(async (server, session) => {
      // It takes the connection, and never answers the TLS handshake.
      const task = createTask(session.get(`https://127.0.0.1:${server.port}/`));
      await server.log.has("data 1");
      await cancelled(task);
      await server.log.has("closed 1");
      assert.equal(await getOk(session), "ok");
    }),
  );

  test("while it waits for its response: the connection is closed, and the next has another", () =>
    withRaw(async (server, session) => {
      const task = createTask(session.get("/never"));
      await server.log.has("data 1");
      await cancelled(task);
      await server.log.has("closed 1");
      assert.equal(await getOk(session), "ok");
      assert.equal(server.sockets.length, 2);
    }));

  test("while it reads the body: the connection is closed, and the next has another", () =>
    withRaw(
      async (server, session) => {
        const task = createTask(async () => {
          await using response = await session.get("/half");
          await response.text();
        });
        await server.log.has("data 1");
        // The head must be read before; it comes with the first piece of the body.
        await sleep(0.02);
        await cancelled(task);
        await server.log.has("closed 1");
        assert.equal(await getOk(session), "ok");
      },
      (socket, text) => {
        if (text.startsWith("GET /ok ")) socket.write(OK);
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      },
    ));

  test("whose response had come: the response is closed, since nobody will get it", () =>
    withRaw(
      async (server, session) => {
        const task: Task<unknown> = createTask(session.get("/half"));
        late = () => task.cancel("enough");
        const error = await assert.rejects<CancelledError>(task, CancelledError);
        assert.equal(error.reason, "enough");
        await server.log.has("closed 1");
        assert.equal(await getOk(session), "ok");
      },
      (socket, text) => {
        if (text.startsWith("GET /ok ")) socket.write(OK);
        else socket.write("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 100\r\n\r\nhalf");
      },
      { cookieJar: new LateJar() },
    ));

  testOn(["node", "deno"], "that waits for a free connection leaves those of others alone", () =>
    withRaw(
      async (server, session) => {
        const first = createTask(session.get("/later", (response) => response.text()));
        await server.log.has("data 1");
        const second = createTask(session.get("/second"));
        await sleep(0);
        await cancelled(second);
        server.sockets[0]?.write(OK);
        assert.equal(await first, "ok");
        assert.equal(await getOk(session), "ok");
        assert.equal(server.sockets.length, 1);
        assert.deepEqual(server.log.entries, ["connection 1", "data 1", "data 1"]);
      },
      undefined,
      { maxConnectionsPerHost: 1 },
    ),
  );

  test("whose body is being sent: the generator is cancelled and closed", () =>
    withRaw(async (server, session) => {
      const log = new Log();
      async function* pieces(): AsyncGenerator<string> {
        yield "first";
        await log.around("body", () => new Event().wait());
      }
      const task = createTask(session.post("/never", { data: pieces() }));
      await server.log.has("data 1");
      await log.has("body begins");
      await cancelled(task);
      assert.equal(log.entries.at(-1), "body cleaned up");
      await server.log.has("closed 1");
      assert.equal(await getOk(session), "ok");
    }));

  test("before it begins sends nothing", () =>
    withRaw(async (server, session) => {
      const task = createTask(session.get("/never"));
      task.cancel("enough");
      await assert.rejects(task, CancelledError);
      assert.equal(await getOk(session), "ok");
      assert.equal(server.sockets.length, 1);
    }));
});

describe("a response", () => {
  test("that is read to its end gives its connection back; one that is not closes it", () =>
    withRaw(
      async (server, session) => {
        for (let n = 0; n < 3; n++) assert.equal(await getOk(session), "ok");
        assert.equal(server.sockets.length, 1);
        await session.get("/long", (response) => assert.equal(response.status, 200));
        await server.log.has("closed 1");
        assert.equal(await getOk(session), "ok");
      },
      (socket, text) => {
        if (text.startsWith("GET /ok ")) socket.write(OK);
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      },
    ));

  test("that is cut off is a PayloadError", () =>
    withRaw(
      async (_server, session) => {
        await assert.rejects(
          session.get("/", (response) => response.text()),
          PayloadError,
        );
      },
      (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    ));

  test("that never comes is a ConnectionLostError", () =>
    withRaw(
      async (_server, session) => {
        await assert.rejects(session.post("/", { data: "x" }), ConnectionLostError);
      },
      (socket) => void socket.destroy(),
    ));

  test("is slowed down by one who does not read", () =>
    serving(
      (log) => () => {
        async function* pieces(): AsyncGenerator<Uint8Array> {
          for (let n = 0; n < 100_000; n++) {
            log.add("piece");
            yield new Uint8Array(65_536);
          }
        }
        return new Reply(pieces());
      },
      async ({ log, session }) => {
        await session().get("/", async () => {
          await log.has("piece");
          for (let before = -1; before !== log.entries.length;) {
            before = log.entries.length;
            await sleep(0.1);
          }
        });
        assert.ok(log.entries.length < 100_000);
      },
    ));

  for (const how of ["ends", "breaks"] as const) {
    // Bun's connections are its own business.
    testOn(["node", "deno"], `whose connection ${how} while it is not read does no harm`, () =>
      withRaw(
        async (server, session) => {
          const read = session.get("/", async (response) => {
            let length = 0;
            for await (const chunk of response) {
              length += chunk.length;
              if (length === chunk.length && how === "breaks") server.sockets[0]?.resetAndDestroy();
              // What comes meanwhile is more than is kept.
              for (let n = 0; n < 20; n++) await until(new Promise((resolve) => setImmediate(resolve)));
            }
            return length;
          });
          if (how === "ends") assert.equal(await read, 231_072);
          else await assert.rejects(read, PayloadError);
        },
        (socket) => {
          const length = how === "ends" ? 231_072 : 1_000_000;
          socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`);
          socket.write("x".repeat(231_072));
          if (how === "ends") socket.end();
        },
      ),
    );
  }

  for (const [name, pack] of Object.entries({
    gzip: gzipSync,
    br: brotliCompressSync,
    deflate: deflateSync,
  })) {
    test(`packed with ${name} is unpacked; what is broken in it is a PayloadError`, () =>
      serving(
        () => (request) => {
          const packed = pack("a text ".repeat(10_000));
          const headers = { "content-encoding": name };
          if (request.path === "/broken") packed.fill(0, 20);
          return new Reply(packed, { headers });
        },
        async ({ session }) => {
          const http = session();
          assert.equal((await http.get("/", (response) => response.text())).length, 70_000);
          // Deno's brotli takes anything.
          if (hostName === "deno" && name === "br") return;
          await assert.rejects(
            http.get("/broken", (response) => response.text()),
            PayloadError,
          );
        },
      ));
  }

  test("packed several times is unpacked as often, or not at all", () => {
    const text = "a text ".repeat(10_000);
    const bodies: Readonly<Record<string, Uint8Array>> = {
      "gzip, identity, br": brotliCompressSync(gzipSync(text)),
      "GZIP,, deflate, gzip": gzipSync(deflateSync(gzipSync(text))),
      "gzip, unheard-of": gzipSync(text),
      [Array.from({ length: 6 }, () => "gzip").join()]: gzipSync(text),
    };
    return serving(
      () => (request) => {
        const [encoding = "", body = ""] = Object.entries(bodies)[Number(request.path.slice(1))] ?? [];
        return new Reply(body, { headers: { "content-encoding": encoding } });
      },
      async ({ session }) => {
        const http = session();
        for (const path of ["/0", "/1"]) {
          assert.equal(await http.get(path, (response) => response.text()), text);
        }
        for (const path of ["/2", "/3"]) {
          assert.deepEqual(
            await http.get(path, (response) => response.read()),
            new Uint8Array(gzipSync(text)),
          );
        }
      },
    );
  });

  test("with a bad status is a ResponseError where that is wanted", () =>
    serving(
      () => () => new Reply("no", { status: 404 }),
      async ({ session }) => {
        const http = session();
        await http.get("/", (response) => assert.deepEqual([response.ok, response.status], [false, 404]));
        const error = await assert.rejects<ResponseError>(
          http.get("/", { raiseForStatus: true }),
          ResponseError,
        );
        assert.deepEqual([error.status, error.code], [404, "CORIO_HTTP_BAD_STATUS"]);
      },
    ));
});

describe("time limits", () => {
  test("read: the server is silent before its response, or in the middle of it", () =>
    withRaw(
      async (_server, session) => {
        const timeout = { read: 0.05 };
        const first = await assert.rejects<HttpTimeoutError>(
          session.get("/never", { timeout }),
          HttpTimeoutError,
        );
        assert.equal(first.kind, "read");
        const second = await assert.rejects<HttpTimeoutError>(
          session.get("/half", { timeout }, (response) => response.text()),
          HttpTimeoutError,
        );
        assert.deepEqual([second.kind, second instanceof TimeoutError], ["read", true]);
      },
      (socket, text) => {
        if (text.startsWith("GET /half ")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      },
    ));

  test("total", () =>
    withRaw(async (_server, session) => {
      const error = await assert.rejects<HttpTimeoutError>(
        session.get("/never", { timeout: 0.05 }),
        HttpTimeoutError,
      );
      assert.equal(error.kind, "total");
    }));

  testOn(["node", "deno"], "connect: no connection, or none that is free", () => {
    const log = new Log();
    return withRaw(
      async (server, session) => {
        const timeout = { connect: 0.05 };
        const url = `https://127.0.0.1:${server.port}/`;
        const first = await assert.rejects<HttpTimeoutError>(session.get(url, { timeout }), HttpTimeoutError);
        assert.equal(first.kind, "connect");
        const busy = createTask(session.get("/never"));
        await log.has("never");
        const second = await assert.rejects<HttpTimeoutError>(
          session.get("/ok", { timeout }),
          HttpTimeoutError,
        );
        assert.equal(second.kind, "connect");
        await cancelled(busy);
        assert.equal(await getOk(session), "ok");
      },
      (socket, text) => {
        if (text.startsWith("GET /ok ")) socket.write(OK);
        else if (text.startsWith("GET /never ")) log.add("never");
      },
      { maxConnectionsPerHost: 1 },
    );
  });

  test("nobody listens: a ConnectError", () =>
    run(async () => {
      await using session = new ClientSession();
      const error = await assert.rejects<ConnectError>(session.get("http://127.0.0.1:1/"), ConnectError);
      assert.equal(error.code, "CORIO_HTTP_CANNOT_CONNECT");
    }));
});

describe("requests", () => {
  test("send JSON, forms, files and streams", () =>
    serving(
      () => async (request) => {
        const type = request.headers.get("content-type") ?? "";
        if (request.path === "/form") {
          const form = await request.form();
          const file = form.get("file");
          return Reply.json([form.get("a"), file instanceof File ? await file.text() : file]);
        }
        return Reply.json([type, await request.text()]);
      },
      async ({ session }) => {
        const http = session();
        const post = (path: string, options: object) =>
          http.post(path, options, (response) => response.json());
        assert.deepEqual(await post("/", { json: { a: 1 } }), ["application/json", '{"a":1}']);
        assert.deepEqual(await post("/form", { data: new URLSearchParams({ a: "ä&" }) }), ["ä&", null]);
        const form = new FormData();
        form.set("a", "1");
        form.set("file", new Blob(["content"]), "name.txt");
        assert.deepEqual(await post("/form", { data: form }), ["1", "content"]);
        async function* pieces(): AsyncGenerator<string> {
          yield "a";
          await sleep(0.001);
          yield "b";
        }
        assert.deepEqual(await post("/", { data: pieces() }), ["application/octet-stream", "ab"]);
      },
    ));

  test("fail with the error of the generator of their body", () =>
    serving(
      () => async (request) => await request.text(),
      async ({ session }) => {
        async function* pieces(): AsyncGenerator<string> {
          yield "a";
          await sleep(0.001);
          throw new RangeError("a bug");
        }
        await assert.rejects(session().post("/", { data: pieces() }), RangeError);
      },
    ));

  test("have headers and parameters; those of the session and their own", () =>
    serving(
      () => (request) =>
        Reply.json([
          request.url.search,
          request.headers.get("x-a"),
          request.headers.get("x-b"),
          request.method,
        ]),
      async ({ session }) => {
        const http = session({ headers: { "X-A": "session", "X-B": "session" } });
        const options = { headers: { "x-b": "own" }, params: { q: "a b", n: 1 } };
        const answer = await http.request("options", "/?first=1", options, (response) => response.json());
        assert.deepEqual(answer, ["?first=1&q=a+b&n=1", "session", "own", "OPTIONS"]);
      },
    ));

  test("follow redirects; secrets stay with their server", () =>
    serving(
      () => async (request) => {
        const next = request.query.get("to");
        if (next !== null) return Reply.redirect(next, Number(request.query.get("status") ?? 302));
        return Reply.json([request.method, await request.text(), request.headers.get("authorization")]);
      },
      async ({ server, session }) => {
        const http = session({ headers: { authorization: "secret" } });
        const ask = (to: string, status: number) =>
          http.post("/", { params: { to, status }, data: "body" }, (response) => response.json());
        assert.deepEqual(await ask("/end", 302), ["GET", "", "secret"]);
        assert.deepEqual(await ask("/end", 307), ["POST", "body", "secret"]);
        assert.deepEqual(
          await ask(`${server.url.replace("127.0.0.1", "localhost")}/`, 303).catch(() => null),
          ["GET", "", null],
        );
        await http.get("/?to=/end", (response) => {
          assert.deepEqual([response.history.length, response.url], [1, `${server.url}/end`]);
        });
        await http.get("/?to=/end", { maxRedirects: 0 }, (response) => assert.equal(response.status, 302));
        await assert.rejects(
          http.get(`/?to=${encodeURIComponent("/?to=/")}`, { maxRedirects: 1 }),
          TooManyRedirectsError,
        );
      },
    ));

  test("keep cookies", () =>
    serving(
      () => (request) =>
        new Reply(JSON.stringify([...request.cookies]), {
          headers: {
            "set-cookie": ["a=1; Path=/", "b=2; Path=/deep", "c=3; Secure", "d=4; Domain=example.com"],
          },
        }),
      async ({ session }) => {
        const http = session();
        const ask = (path: string) => http.get(path, (response) => response.json());
        assert.deepEqual(await ask("/"), []);
        assert.deepEqual(await ask("/"), [["a", "1"]]);
        assert.deepEqual(await ask("/deep/er"), [
          ["b", "2"],
          ["a", "1"],
        ]);
      },
    ));

  test("are tried again when that is wanted: by status, with Retry-After, and for lost connections", () => {
    let asked = 0;
    return withRaw(
      async (_server, session) => {
        const retry = { delay: 0.001, attempts: 4 };
        assert.equal(await session.get("/", { retry }, (response) => response.text()), "ok");
        assert.equal(asked, 3);
        // What may have had an effect is not sent twice.
        asked = 1;
        await assert.rejects(session.post("/", { retry }), ConnectionLostError);
        assert.equal(asked, 2);
        asked = 0;
        await session.get("/", { retry: { ...retry, attempts: 1 } }, (response) =>
          assert.equal(response.status, 503),
        );
      },
      (socket) => {
        asked++;
        if (asked === 1) socket.write("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
        else if (asked === 2) socket.destroy();
        else socket.write(OK);
      },
    );
  });

  // Bun's pool is its own.
  testOn(["node", "deno"], "leave connections that are kept no longer than the session says", () =>
    withRaw(
      async (server, session) => {
        assert.equal(await getOk(session), "ok");
        await server.log.has("closed 1");
      },
      (socket) => void socket.write(OK.replace("\r\n", "\r\nKeep-Alive: timeout=600\r\n")),
      { keepAliveTimeout: 0.01 },
    ),
  );

  test("of a closed session are refused; those under way fail", () =>
    withRaw(async (server, session) => {
      const task = createTask(session.get("/never"));
      await server.log.has("data 1");
      await session.close();
      await assert.rejects(task, SessionClosedError);
      await assert.rejects(session.get("/ok"), SessionClosedError);
      await server.log.has("closed 1");
    }));

  testOn(["node", "deno"], "go through a proxy", () =>
    serving(
      () => (request) => `through to ${request.path}`,
      async ({ server }) => {
        const asked: string[] = [];
        const proxy = createServer((socket) => {
          socket.on("error", () => undefined);
          socket.once("data", (head) => {
            asked.push(/^\S+ \S+/.exec(head.toString("latin1"))?.[0] ?? "");
            const target = connect({ port: server.port, host: "127.0.0.1" }, () => {
              // Any 2xx says that it is there.
              socket.write("HTTP/1.1 204 Connected\r\n\r\n");
              socket.pipe(target).pipe(socket);
            });
            target.on("error", () => undefined);
            socket.on("close", () => target.destroy());
          });
        });
        await until(new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve)));
        const { port } = proxy.address() as AddressInfo;
        {
          await using session = new ClientSession({ proxy: `http://127.0.0.1:${port}` });
          assert.equal(
            await session.get(`${server.url}/it`, (response) => response.text()),
            "through to /it",
          );
        }
        assert.deepEqual(asked, [`CONNECT 127.0.0.1:${server.port}`]);
        proxy.close();
      },
    ),
  );

  testOn(["node", "deno"], "that are given up leave no connection to a proxy that does not answer", () =>
    withRaw(
      async (proxy) => {
        const address = `http://127.0.0.1:${proxy.port}`;
        await using session = new ClientSession({ proxy: address, timeout: { connect: null } });
        for (const [index, scheme] of ["http", "https"].entries()) {
          const task = createTask(session.get(`${scheme}://127.0.0.1:1/`));
          await proxy.log.has(`data ${index + 1}`);
          await cancelled(task);
          await proxy.log.has(`closed ${index + 1}`);
        }
        const last = createTask(session.get("http://127.0.0.1:1/"));
        await proxy.log.has("data 3");
        await session.close();
        await assert.rejects(last, SessionClosedError);
        await proxy.log.has("closed 3");
      },
      () => undefined,
    ),
  );

  testOn(["node", "deno"], "that a proxy refuses are ConnectErrors; the proxy is told who asks", () => {
    const heads: string[] = [];
    return withRaw(
      async (proxy) => {
        const address = `http://name:w%40rd@127.0.0.1:${proxy.port}`;
        await using session = new ClientSession({ proxy: address });
        for (const scheme of ["http", "https"])
          await assert.rejects(session.get(`${scheme}://127.0.0.1:1/`), ConnectError);
        const authorization = `Basic ${Buffer.from("name:w@rd").toString("base64")}`;
        for (const head of heads) assert.ok(head.includes(`proxy-authorization: ${authorization}`), head);
        assert.equal(heads.length, 2);
      },
      (socket, text) => {
        heads.push(text);
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
      },
    );
  });

  test("with impossible options fail at once, and say why", () =>
    run(async () => {
      await using session = new ClientSession();
      await assert.rejects(session.get("/relative"), /needs a session with a baseUrl/);
      await assert.rejects(session.get("ftp://test/"), /only http: and https:/);
      await assert.rejects(session.post("http://test/", { data: 1 as never }), /data must be a string/);
      await assert.rejects(session.post("http://test/", { data: "1", json: 1 }), /either data or json/);
    }));
});
