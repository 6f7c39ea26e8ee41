import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import {
  background,
  isInsideRequest,
  isLastOnConnection,
  RequestError,
  RequestTasks,
  watchResponse,
} from "@corio/request";
import { createTask, Event, run, sleep, until } from "corio";
import type { Steps } from "corio";
import { VirtualClock } from "corio/testing";
import { assert, test, testOn } from "../../corio/test/support/harness.ts";
import { RawClient } from "./support/client.ts";
import { testContract } from "./support/contract.ts";
import type { Route, Start } from "./support/contract.ts";

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
  return text;
}

async function send(answer: string | Response, response: ServerResponse): Promise<void> {
  if (typeof answer === "string") {
    response.end(answer);
    return;
  }
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body === null) response.end();
  else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => undefined);
}

/** The smallest framework there can be. */
const start: Start = async (routes, { allowHalfOpen = false, ...options } = {}) => {
  const requests = new RequestTasks(options);
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url = "" } = request;
    const route = routes[url] as Route;
    try {
      const work = (): Promise<string | Response> => route(() => textOf(request));
      const answer = await requests.handle(work, { response, name: `${method} ${url}` });
      if (requests.isClosing && isLastOnConnection(response)) response.setHeader("connection", "close");
      await send(answer, response);
    } catch (error) {
      const statusCode = error instanceof RequestError ? error.statusCode : 500;
      response.writeHead(statusCode, { connection: "close" }).end();
    }
  };
  const server = createServer((request, response) => void respond(request, response));
  if (allowHalfOpen) Object.assign(server, { httpAllowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    statistics: () => requests.statistics(),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await requests.close();
      await closed;
    },
  };
};

testContract("node:http", start);

test("requests: a generator function is a handler, too, and what it throws is passed on", async () => {
  const requests = new RequestTasks();
  const double = function* (): Steps<number> {
    return (yield* sleep(0, 21)) * 2;
  };
  assert.equal(await requests.handle(double as unknown as () => number), 42);
  const error = new Error("mine");
  const failed = requests.handle(async () => {
    await sleep(0);
    throw error;
  });
  assert.equal(await assert.rejects(failed), error);
  await requests.close();
});

test("requests: when a handler fails, what it has left over ends before the error is passed on", async () => {
  const requests = new RequestTasks();
  const log: string[] = [];
  const failed = requests.handle(async () => {
    createTask(async () => {
      try {
        await new Event().wait();
      } finally {
        await sleep(0.001);
        log.push("left over: ended");
      }
    });
    await sleep(0);
    throw new Error("failed");
  });
  await assert.rejects(failed);
  assert.deepEqual(log, ["left over: ended"]);
  await requests.close();
});

test("requests: inside a running program, and after an idle time, they run as well", async () => {
  const clock = new VirtualClock();
  const requests = new RequestTasks({ clock });
  await run(
    async () => {
      const answer = requests.handle(async () => await sleep(10, isInsideRequest()));
      assert.equal(await until(answer), true);
      assert.equal(isInsideRequest(), false);
    },
    { clock },
  );
  assert.equal(await requests.handle(async () => await sleep(10, "again")), "again");
  await requests.close();
});

test("requests: closing cancels background tasks that take too long, and is the same for all who ask", async () => {
  const requests = new RequestTasks({ clock: new VirtualClock(), shutdownDeadline: 5 });
  let ended = false;
  await requests.handle(async () => {
    background(async () => {
      try {
        await sleep(1000);
      } finally {
        await sleep(1);
        ended = true;
      }
    });
  });
  assert.equal(requests.close(), requests.close());
  await requests.close();
  assert.ok(ended);
  const late = await assert.rejects<RequestError>(requests.handle(async () => "late"));
  assert.equal(late.code, "CORIO_SERVER_CLOSING");
});

// Bun and Deno have their own servers.
testOn(["node"], "requests: to close idle connections of an open server closes only those", async () => {
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    watchResponse(response, () => undefined);
    if (request.url === "/held") held.push(response);
    response.write(`begins ${request.url ?? ""}`);
    if (request.url !== "/held") response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const busy = await RawClient.connect(port);
  busy.get("/held");
  await busy.until("begins /held");
  server.closeIdleConnections();
  const other = await RawClient.connect(port);
  for (const path of ["/one", "/two", "/three"]) {
    other.get(path);
    await other.until(`begins ${path}`);
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
  }
  for (const response of held) response.end();
  const closed = new Promise((resolve) => server.close(resolve));
  await closed;
});
