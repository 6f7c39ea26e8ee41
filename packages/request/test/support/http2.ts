/** What holds for every framework whose server speaks HTTP/2. */
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { Event, isCancelledError, signal, sleep } from "corio";
import { assert } from "../../../corio/test/support/harness.ts";
import { Signal } from "./client.ts";
import { Endless, endlessStream, quietTest, untilIdle } from "./contract.ts";
import type { Start } from "./contract.ts";

/** NGHTTP2_CANCEL: what a browser sends when a request is given up. */
const CANCEL = 8;

function request(session: ClientHttp2Session, path: string, body?: string): ClientHttp2Stream {
  const made = session.request(
    body === undefined
      ? { ":path": path }
      : { ":path": path, ":method": "POST", "content-type": "text/plain" },
  );
  made.on("error", () => undefined);
  made.setEncoding("utf8");
  if (body !== undefined) made.end(body);
  return made;
}

async function textOf(answer: ClientHttp2Stream): Promise<string> {
  let text = "";
  answer.on("data", (data: string) => (text += data));
  await new Promise((resolve) => answer.once("close", resolve));
  return text;
}

/** `start` starts a server of HTTP/2 without TLS. */
export function testHttp2(name: string, start: Start): void {
  for (const [title, body] of [
    ["a GET", undefined],
    ["a POST with a body", "a body"],
  ] as const) {
    quietTest(`${name}: HTTP/2: ${title} whose stream is reset is cancelled, the others go on`, async () => {
      const endless = new Endless();
      const release = new Event();
      const server = await start({
        "/endless": async (text) => {
          if (body !== undefined) assert.equal(await text(), body);
          return await endless.route(text);
        },
        "/waits": async () => {
          await release.wait();
          return `answered ${String(signal().aborted)}`;
        },
      });
      const session = connect(`http://127.0.0.1:${server.port}`);
      const reset = request(session, "/endless", body);
      const other = textOf(request(session, "/waits"));
      await endless.entered.reached;
      reset.close(CANCEL);
      await endless.left.reached;
      assert.ok(isCancelledError(endless.errors[0]));
      release.set();
      assert.equal(await other, "answered false");
      await untilIdle(server);
      session.close();
      await server.close();
    });
  }

  quietTest(`${name}: HTTP/2: a POST is not cancelled when its body has been read`, async () => {
    const server = await start({
      "/": async (text) => {
        const body = await text();
        for (let i = 0; i < 5; i++) await sleep(0.002);
        return `${body} ${signal().aborted ? "aborted" : "fine"}`;
      },
    });
    const session = connect(`http://127.0.0.1:${server.port}`);
    assert.equal(await textOf(request(session, "/", "hello")), "hello fine");
    await untilIdle(server);
    session.close();
    await server.close();
  });

  quietTest(
    `${name}: HTTP/2: a streamed body whose stream is reset is cancelled after the first byte`,
    async () => {
      const left = new Signal();
      const server = await start({
        "/": endlessStream(left),
      });
      const session = connect(`http://127.0.0.1:${server.port}`);
      const answer = request(session, "/");
      await new Promise((resolve) => answer.once("data", resolve));
      answer.close(CANCEL);
      await left.reached;
      await untilIdle(server);
      session.close();
      await server.close();
    },
  );

  quietTest(`${name}: HTTP/2: the end of a connection cancels all its requests`, async () => {
    const endless = new Endless();
    const all = new Signal();
    const server = await start({
      "/": async (text) => {
        if (endless.entries === 4) all.reach();
        return await endless.route(text);
      },
    });
    const session = connect(`http://127.0.0.1:${server.port}`);
    session.on("error", () => undefined);
    for (const body of [undefined, "one", undefined, "two", "three"]) request(session, "/", body);
    await all.reached;
    session.destroy();
    await untilIdle(server);
    assert.equal(endless.exits, 5);
    await server.close();
  });
}
