/** The client with servers that speak HTTP/2: a program of Node's own on the other side. */
import { createSecureServer } from "node:http2";
import type { Http2SecureServer, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { createTask, CancelledError, gather, run, sleep, until } from "corio";
import { ClientSession, serve } from "@corio/http";
import { assert, testOn } from "../../corio/test/support/harness.ts";
import { makeCertificate } from "../../corio/test/streams/support/certificate.ts";
import { Log } from "./support/serving.ts";

const certificate = makeCertificate("localhost");

interface Fixture {
  readonly log: Log;
  readonly session: ClientSession;
  readonly sessions: Set<ServerHttp2Session>;
}

async function speaking(
  answer: (stream: ServerHttp2Stream, path: string, log: Log) => void,
  body: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  await run(async () => {
    const log = new Log();
    const sessions = new Set<ServerHttp2Session>();
    const server: Http2SecureServer = createSecureServer(certificate);
    server.on("session", (session) => {
      sessions.add(session);
      session.once("close", () => log.add("session closed"));
    });
    server.on("stream", (stream, headers) => {
      const path = String(headers[":path"]);
      log.add(`${String(headers[":method"])} ${path}`);
      stream.on("error", () => undefined);
      stream.on("aborted", () => log.add(`${path} aborted`));
      answer(stream, path, log);
    });
    await until(new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
    const { port } = server.address() as AddressInfo;
    const session = new ClientSession({
      baseUrl: `https://localhost:${port}`,
      http2: true,
      tls: { ca: certificate.cert },
    });
    try {
      await body({ log, session, sessions });
    } finally {
      await session.close();
      for (const other of sessions) other.destroy();
      await until(new Promise<void>((resolve) => server.close(() => resolve())));
    }
  });
}

// On Bun the client goes over Bun's fetch.
testOn(
  ["node"],
  "http2: a cancelled request resets its stream, and its connection stays; the others go on",
  () =>
    speaking(
      (stream, path) => {
        if (path === "/wait") return;
        stream.respond({ ":status": 200, "content-type": "text/plain" });
        let text = "";
        stream.setEncoding("utf8").on("data", (data: string) => (text += data));
        stream.on("end", () => stream.end(`${path} ${text}`));
      },
      async ({ log, session, sessions }) => {
        assert.equal(await session.get("/first", (response) => response.text()), "/first ");
        const waiting = createTask(session.get("/wait"));
        await log.has("GET /wait");
        async function* pieces(): AsyncGenerator<string> {
          yield "a ";
          await sleep(0);
          yield "body";
        }
        const others = createTask(
          gather(
            session.post("/a", { data: pieces() }, (response) => response.text()),
            session.post("/b", { json: [1] }, (response) => response.text()),
          ),
        );
        await log.has("POST /a");
        waiting.cancel();
        await assert.rejects(waiting, CancelledError);
        await log.has("/wait aborted");
        assert.deepEqual(await others, ["/a a body", "/b [1]"]);
        assert.equal(await session.get("/last", (response) => response.text()), "/last ");
        // One for each of those that were under way at once.
        assert.equal(sessions.size, 3);
        assert.ok(!log.entries.includes("session closed"));
      },
    ),
);

testOn(
  ["node"],
  "http2: a body that is given up resets its stream; one that is not read holds the server",
  () =>
    speaking(
      (stream, path, log) => {
        stream.respond({ ":status": 200 });
        if (path === "/short") {
          stream.end("short");
          return;
        }
        const write = (): void => {
          while (!stream.destroyed && stream.write(Buffer.alloc(16_384)));
          if (!stream.destroyed) log.add(`${path} is full`);
        };
        stream.on("drain", write);
        write();
      },
      async ({ log, session, sessions }) => {
        const response = await session.get("/endless");
        let pieces = 0;
        for await (const piece of response) {
          assert.ok(piece.length > 0);
          if (++pieces === 3) break;
        }
        await response.close();
        await log.has("/endless aborted");
        const other = await session.get("/endless/unread");
        await log.has("/endless/unread is full");
        await other.close();
        await log.has("/endless/unread aborted");
        assert.equal(await session.get("/short", (short) => short.text()), "short");
        assert.equal(sessions.size, 1);
      },
    ),
);

testOn(["node"], "http2: a server that only knows HTTP/1.1 is spoken to in that", () =>
  run(async () => {
    await using server = await serve((request) => request.incoming.httpVersion, { tls: certificate });
    await using session = new ClientSession({ http2: true, tls: { ca: certificate.cert } });
    assert.equal(await session.get(server.url, (response) => response.text()), "1.1");
  }),
);
