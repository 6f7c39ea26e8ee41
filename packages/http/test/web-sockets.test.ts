import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { createTask, run, until } from "corio";
import { ClientSession, Reply, serve, WebSocketClosedError, WebSocketConnection } from "@corio/http";
import { cancelledAfter } from "../../corio/test/support/cancelled-after.ts";
import { assert, test, testOn } from "../../corio/test/support/harness.ts";
import type { SocketDriver } from "../src/shared/web-socket.ts";
import { RawClient } from "./support/raw-client.ts";
import { serving } from "./support/serving.ts";
import { testWebSockets } from "./support/web-sockets.ts";

testWebSockets("@corio/http", async (routes) => {
  const server = await serve(async (request) => {
    const answer = await routes[request.path]?.((body, options) => request.webSocket(body, options));
    return answer instanceof Reply ? answer : new Reply(String(answer), { status: 403 });
  });
  return {
    port: server.port,
    requests: () => server.statistics().requests,
    close: async () => {
      await createTask(server.close());
    },
  };
});

test("a WebSocket is closed when the task that opens it is cancelled, at whatever moment", () =>
  serving(
    (log) => async (request) =>
      await request.webSocket(async (socket) => {
        log.add("open");
        for await (const message of socket) await socket.send(message);
        log.add("closed");
      }),
    async ({ log, session }) => {
      await using client = session();
      for (let turns = 0; turns < 8; turns++) {
        const opening = createTask(client.webSocket("/"));
        await log.has("open", turns + 1);
        const socket = await cancelledAfter(turns, opening);
        await socket?.close();
        await log.has("closed", turns + 1);
      }
    },
  ));

const HANDSHAKE =
  "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** A frame as clients send them, masked with zeros. */
function frame(opcode: number, payload: string): string {
  assert.ok(payload.length < 126);
  return `${String.fromCharCode(0x80 | opcode, 0x80 | payload.length)}\0\0\0\0${payload}`;
}

// Bun has its own WebSockets behind ws.
testOn(["node", "deno"], "a flood of pings is not answered by a flood that nobody reads", () =>
  serving(
    () => async (request) =>
      await request.webSocket(async (socket) => {
        for await (const message of socket) await socket.send(message);
      }),
    async ({ server }) => {
      const client = await RawClient.connect(server);
      client.write(HANDSHAKE);
      await client.find(/^HTTP\/1.1 101 /);
      const ping = frame(9, "p".repeat(125));
      client.write(ping);
      await client.find(/p{125}/);
      // Nothing of what comes back is read. The system's buffers take a few megabytes; all pongs would be 50.
      client.socket.pause();
      const flood = ping.repeat(2000);
      for (let n = 0; n < 200; n++) {
        client.write(flood);
        if (client.socket.writableNeedDrain)
          await until(new Promise<void>((resolve) => client.socket.once("drain", resolve)));
      }
      client.socket.resume();
      client.write(frame(1, "still there"));
      await client.find(/still there/);
      // Not the process's memory: when that is given back is the garbage collector's business.
      assert.ok(client.received.length < 40_000_000, `${client.received.length} bytes`);
      client.goAway();
    },
  ),
);

testOn(
  ["node", "deno"],
  "a frame that is not masked, and a message that is no UTF-8, close the WebSocket",
  () =>
    serving(
      () => async (request) =>
        await request.webSocket(async (socket) => {
          for await (const message of socket) await socket.send(message);
        }),
      async ({ server }) => {
        for (const [bytes, code] of [
          ["\x81\x02hi", 1002],
          [frame(1, "\xff\xfe"), 1007],
          [frame(3, "unknown"), 1002],
          ["\x09\x80\0\0\0\0", 1002],
        ] as const) {
          const client = await RawClient.connect(server);
          client.write(HANDSHAKE);
          await client.find(/^HTTP\/1.1 101 /);
          client.write(bytes);
          const [, high = "", low = ""] = await client.find(/\x88.(.)(.)/s);
          assert.equal((high.charCodeAt(0) << 8) | low.charCodeAt(0), code);
          client.goAway();
        }
      },
    ),
);

testOn(["node", "deno"], "a message in many fragments is one, with pings in between", () =>
  serving(
    () => async (request) =>
      await request.webSocket(async (socket) => {
        await socket.send(`got ${String(await socket.receive())}`);
      }),
    async ({ server }) => {
      const client = await RawClient.connect(server);
      client.write(HANDSHAKE);
      await client.find(/^HTTP\/1.1 101 /);
      client.write("\x01\x81\0\0\0\0a");
      for (const letter of "bcd") {
        client.write(frame(9, "p"));
        client.write(`\x00\x81\0\0\0\0${letter}`);
      }
      client.write("\x80\x81\0\0\0\0e");
      await client.find(/got abcde/);
      await client.closed();
    },
  ),
);

/** Speaks as much of the protocol as a peer that has been cut off from the network. */
async function silentServer(): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("data", (data) => {
      const key = /sec-websocket-key: (.*)\r\n/i.exec(String(data))?.[1] ?? "";
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
    });
    socket.on("error", () => undefined);
  });
  await until(new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

testOn(["node", "deno"], "a peer that does not answer the heartbeat is given up; one that does is not", () =>
  run(async () => {
    const silent = await silentServer();
    await using session = new ClientSession();
    const lost = await session.webSocket(`ws://127.0.0.1:${silent.port}`, { heartbeat: 0.02 });
    const error = await assert.rejects<WebSocketClosedError>(lost.receive(), WebSocketClosedError);
    assert.equal(error.closeCode, 1006);
    silent.close();

    await using server = await serve(
      async (request) =>
        await request.webSocket(async (socket) => {
          for await (const message of socket) await socket.send(message);
        }),
    );
    const { result: well, beat } = await withHeartbeat(() =>
      session.webSocket(server.url, { heartbeat: 30 }),
    );
    for (let n = 0; n < 3; n++) {
      beat();
      // Its answer to the ping comes before the one to this.
      await well.send("well");
      assert.equal(await well.receive(), "well");
    }
    await well.close();
  }),
);

/** Calls what makes a WebSocket with a heartbeat of 30 seconds; the test says when they are over. */
async function withHeartbeat<T>(body: () => T | PromiseLike<T>): Promise<{ result: T; beat: () => void }> {
  let beat = (): void => undefined;
  const { setInterval } = globalThis;
  globalThis.setInterval = ((given: () => void, milliseconds: number) => {
    if (milliseconds !== 30_000) return setInterval(given, milliseconds);
    beat = given;
    return setInterval(() => undefined, 2 ** 30);
  }) as typeof setInterval;
  try {
    return { result: await body(), beat: () => beat() };
  } finally {
    globalThis.setInterval = setInterval;
  }
}

testOn(["node"], "a peer whose answers to the heartbeat wait to be read is not given up", () =>
  run(async () => {
    const driver = new Driver();
    const { result: connection, beat } = await withHeartbeat(
      () => new WebSocketConnection(driver, { heartbeat: 30 }),
    );
    beat();
    // Its answer comes after sixteen messages, which nobody receives yet.
    for (let n = 0; n < 16; n++) driver.emit("message", Buffer.from("text"), false);
    beat();
    while (driver.log.at(-1) !== "resume") await connection.receive();
    beat();
    assert.equal(driver.log.join(), "ping,pause,resume,ping");
    beat();
    await turn();
    assert.equal(driver.log.at(-1), "terminate");
    driver.emit("close", 1006, Buffer.alloc(0));
  }),
);

testOn(["node"], "a peer whose answer comes while the process stands still is not given up", () =>
  run(async () => {
    const driver = new Driver();
    const { beat } = await withHeartbeat(() => new WebSocketConnection(driver, { heartbeat: 30 }));
    beat();
    // Timers come first, then what was received in the meantime.
    beat();
    driver.emit("pong", Buffer.alloc(0));
    await turn();
    beat();
    assert.equal(driver.log.join(), "ping,ping");
    driver.emit("close", 1006, Buffer.alloc(0));
  }),
);

testOn(["node"], "a peer whose handshake takes longer than the heartbeat is not given up", () =>
  run(async () => {
    const driver = new Driver();
    driver.readyState = 0;
    const { beat } = await withHeartbeat(() => new WebSocketConnection(driver, { heartbeat: 30 }));
    for (let n = 0; n < 3; n++) {
      beat();
      await turn();
    }
    assert.deepEqual(driver.log, []);
    driver.readyState = driver.OPEN;
    beat();
    assert.equal(driver.log.join(), "ping");
    driver.emit("close", 1006, Buffer.alloc(0));
  }),
);

/** The host's own turn. */
async function turn(): Promise<void> {
  await until(new Promise((resolve) => setImmediate(resolve)));
}

/** A WebSocket of ws that says what is done with it. */
class Driver extends EventEmitter implements SocketDriver {
  readonly log: string[] = [];
  readonly protocol = "";
  readyState = 1;
  readonly OPEN = 1;
  readonly bufferedAmount = 0;
  readonly send = (): void => undefined;
  readonly close = (): void => undefined;
  readonly pong = (): void => undefined;
  readonly ping = (): void => void this.log.push("ping");
  readonly terminate = (): void => void this.log.push("terminate");
  readonly pause = (): void => void this.log.push("pause");
  readonly resume = (): void => void this.log.push("resume");
}

test("bad input of a WebSocket is an error at once", () =>
  serving(
    () => async (request) =>
      await request.webSocket(async (socket) => {
        for await (const message of socket) await socket.send(message);
      }),
    async ({ session }) => {
      await using socket = await session().webSocket("/");
      assert.throws(
        () => socket.send({ an: "object" } as never),
        /send expects a string or bytes, got object/,
      );
      assert.throws(() => socket.sendJson(undefined), /cannot write undefined as JSON/);
      assert.throws(() => socket.close(1006), /close expects a code/);
      assert.throws(() => socket.close(1000, "x".repeat(124)), /at most 123 bytes/);
      await socket.sendJson({ a: 1 });
      assert.equal(await socket.receive(), '{"a":1}');
    },
  ));

// Later versions of Node ask the server first whether such a request is one for it.
test("a request with an Upgrade header for something else is answered as any other", () =>
  serving(
    () => async (request) => `${request.method} ${await request.text()}`,
    async ({ server }) => {
      const head = "Connection: Upgrade\r\nUpgrade: h2c\r\n";
      const get = await RawClient.request(server, "GET /", head);
      await get.find(/GET $/);
      get.goAway();
      const post = await RawClient.request(server, "POST /", `${head}Content-Length: 2\r\n`);
      post.write("hi");
      await post.find(/^HTTP\/1.1 (200 .*POST hi|501 .*Not Implemented)/s);
      post.goAway();
    },
  ));
