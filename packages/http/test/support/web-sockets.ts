/** What holds for WebSockets on every server. Each server's tests say how it is started. */
import type { WebSocketAcceptOptions, WebSocketBody, WebSocketConnection } from "@corio/http";
import { ClientSession, WebSocketClosedError, WebSocketHandshakeError } from "@corio/http";
import { Event, Future, gather, run, sleep, taskGroup, until } from "corio";
import { assert, test } from "../../../corio/test/support/harness.ts";
import { RawClient } from "./raw-client.ts";
import { Log } from "./serving.ts";

/** Accepts the WebSocket of a request; what it gives is the handler's result. */
export type AcceptSocket = (body: WebSocketBody, options?: WebSocketAcceptOptions) => Promise<unknown>;
/** A handler: gives what `accept` gives, or a text, which is sent with status 403. */
export type SocketRoute = (accept: AcceptSocket) => Promise<unknown>;

export interface SocketServer {
  readonly port: number;
  /** How many requests there are whose task is not done. */
  requests(): number;
  close(): Promise<void>;
}

/** Starts a server whose handlers, where there is such a thing, have a deadline of 20 ms. */
export type StartSockets = (routes: Readonly<Record<string, SocketRoute>>) => Promise<SocketServer>;

interface Fixture {
  readonly server: SocketServer;
  readonly session: ClientSession;
}

const HANDSHAKE =
  "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

export function testWebSockets(name: string, start: StartSockets): void {
  const serve = (
    routes: Readonly<Record<string, SocketRoute>>,
    body: (fixture: Fixture) => Promise<void>,
  ): Promise<void> =>
    run(async () => {
      const server = await start(routes);
      await using session = new ClientSession({ baseUrl: `http://127.0.0.1:${server.port}` });
      await body({ server, session });
      await untilIdle(server);
      await server.close();
    });
  const echo: WebSocketBody = async (socket) => {
    for await (const message of socket) await socket.send(message);
  };

  test(`${name}: a WebSocket is accepted, and its loop ends with it; there is no deadline`, async () => {
    const log = new Log();
    await serve(
      { "/": (accept) => log.around("handler", () => accept(echo)) },
      async ({ server, session }) => {
        const socket = await session.webSocket("/");
        await socket.send("one");
        assert.equal(await socket.receive(), "one");
        await sleep(0.05);
        await socket.send(new Uint8Array([1, 2]));
        assert.deepEqual([...((await socket.receive()) as Uint8Array)], [1, 2]);
        assert.equal(server.requests(), 1);
        await socket.close();
        await log.has("handler ends");
      },
    );
  });

  test(`${name}: messages that came before the end are given, whatever the handler does meanwhile`, async () => {
    const log = new Log();
    await serve(
      {
        "/": (accept) =>
          accept(async (socket) => {
            await log.has("closed");
            for await (const message of socket) log.add(String(message));
            log.add("the end");
          }),
      },
      async ({ session }) => {
        const socket = await session.webSocket("/");
        await socket.send("one");
        await socket.send("two");
        await socket.close();
        log.add("closed");
        await log.has("the end");
        assert.deepEqual(log.entries, ["closed", "one", "two", "the end"]);
      },
    );
  });

  test(`${name}: any number of tasks may send at the same time`, async () => {
    const warnings: Error[] = [];
    // Of too many listeners. Others may come from anywhere: what an earlier test has forgotten may be found only now.
    const onWarning = (warning: Error): void => {
      if (warning.name === "MaxListenersExceededWarning") warnings.push(warning);
    };
    process.on("warning", onWarning);
    try {
      await serve({ "/": (accept) => accept(echo) }, async ({ session }) => {
        const socket = await session.webSocket("/");
        await gather(Array.from({ length: 20 }, (_, n) => socket.send(String(n))));
        for (let n = 0; n < 20; n++) assert.equal(await socket.receive(), String(n));
        await socket.close();
      });
      // Warnings come in a later turn.
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off("warning", onWarning);
    }
    assert.deepEqual(warnings, []);
  });

  test(`${name}: a handler that ends before it has taken all messages says goodbye at once`, async () => {
    const log = new Log();
    let accepted: WebSocketConnection | undefined;
    let sent = 0;
    await serve(
      {
        "/": (accept) =>
          log.around("handler", () =>
            accept(async (socket) => {
              accepted = socket;
              await socket.receive();
              // Until nothing moves: the socket is not read from any more.
              for (let last = -1, same = 0; same < 50; last = sent) {
                await until(new Promise((resolve) => setImmediate(resolve)));
                same = sent === last ? same + 1 : 0;
              }
            }),
          ),
      },
      async ({ session }) => {
        const socket = await session.webSocket("/");
        // The answer to the goodbye comes behind all of them: twice as much as waits for a handler to receive it.
        const all = gather(
          Array.from({ length: 40 }, async () => {
            await socket.send("x".repeat(50_000));
            sent++;
          }),
        );
        await log.has("handler ends");
        // A peer whose goodbye does not come is given up after some seconds, with 1006.
        assert.equal(accepted?.closeCode, 1000);
        await all;
      },
    );
  });

  test(`${name}: a handler that waits for something else is cancelled when its socket closes`, async () => {
    const log = new Log();
    const waits: WebSocketBody = () => log.around("handler", () => new Event().wait());
    const group: WebSocketBody = (socket) =>
      log.around("group", () =>
        taskGroup(async (tasks) => {
          tasks.createTask(async () => {
            for await (const message of socket) log.add(String(message));
            log.add("read to the end");
          });
          await new Event().wait();
        }),
      );
    await serve(
      {
        "/": (accept) => accept(waits),
        "/group": (accept) => accept(group),
        "/stays": (accept) => accept(() => log.around("stays", () => sleep(0.03)), { cancelOnClose: false }),
      },
      async ({ session }) => {
        for (const end of ["terminate", "close"] as const) {
          log.entries.length = 0;
          const socket = await session.webSocket("/");
          await log.has("handler begins");
          await socket[end]();
          await log.has("handler cancelled: the WebSocket was closed");
        }
        const socket = await session.webSocket("/group");
        await socket.send("message");
        await log.has("message");
        socket.terminate();
        await log.has("group cancelled: the WebSocket was closed");
        const other = await session.webSocket("/stays");
        await log.has("stays begins");
        other.terminate();
        await log.has("stays ends");
      },
    );
  });

  test(`${name}: a client that leaves before its WebSocket is accepted cancels the handler`, async () => {
    const log = new Log();
    await serve(
      {
        "/": async (accept) => {
          await log.around("handler", () => new Event().wait());
          return await accept(echo);
        },
      },
      async ({ server }) => {
        for (const isHalf of [false, true]) {
          log.entries.length = 0;
          const client = await RawClient.connect(server.port, isHalf);
          client.write(`${HANDSHAKE}${KEY}\r\n`);
          await log.has("handler begins");
          if (isHalf) client.socket.end();
          else client.goAway();
          await log.has("handler cleaned up");
          assert.match(log.entries[1] ?? "", /^handler cancelled/);
          client.goAway();
        }
      },
    );
  });

  test(`${name}: a WebSocket may be refused, and is not given to who does not ask properly`, () =>
    serve(
      {
        "/": (accept) => accept(echo),
        "/refused": async () => {
          await sleep(0);
          return "not for you";
        },
      },
      async ({ server, session }) => {
        const error = await assert.rejects<WebSocketHandshakeError>(
          session.webSocket("/refused"),
          WebSocketHandshakeError,
        );
        assert.match(error.message, /403/);
        assert.equal(await session.get("/", (response) => response.status), 426);
        const client = await RawClient.connect(server.port);
        client.write(`${HANDSHAKE}Sec-WebSocket-Key: short\r\n\r\n`);
        assert.match(await client.closed(), /^HTTP\/1.1 400 .*sec-websocket-version: 13/is);
      },
    ));

  test(`${name}: what a handler throws closes the WebSocket with 1011`, () =>
    serve(
      {
        "/": (accept) =>
          accept(async () => {
            await sleep(0);
            throw new Error("a bug that the test wants");
          }),
      },
      async ({ session }) => {
        const socket = await session.webSocket("/");
        const error = await assert.rejects<WebSocketClosedError>(socket.receive(), WebSocketClosedError);
        assert.equal(error.closeCode, 1011);
      },
    ));

  test(`${name}: a closing server tells its WebSockets, and waits for their handlers`, async () => {
    const log = new Log();
    await run(async () => {
      const server = await start({
        "/": (accept) =>
          log.around("loop", () =>
            accept(async (socket) => {
              await echo(socket);
              await sleep(0.001);
            }),
          ),
        "/waits": (accept) => accept(() => log.around("wait", () => new Event().wait())),
      });
      await using session = new ClientSession({ baseUrl: `http://127.0.0.1:${server.port}` });
      const sockets = [await session.webSocket("/"), await session.webSocket("/waits")];
      await log.has("loop begins");
      await log.has("wait begins");
      const closed = new Future<void>();
      void server.close().then(() => closed.setResult());
      for (const socket of sockets) {
        await assert.rejects(socket.receive(), WebSocketClosedError);
        assert.equal(socket.closeCode, 1001);
      }
      await closed;
      assert.ok(log.entries.includes("loop ends"));
      assert.ok(log.entries.includes("wait cancelled: the WebSocket was closed"));
      assert.equal(server.requests(), 0);
    });
  });
}

async function untilIdle(server: SocketServer): Promise<void> {
  while (server.requests() > 0) await sleep(0.001);
}
