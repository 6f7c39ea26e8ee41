import type { Server } from "node:http";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { background, corio, eventStream, handler, onError, setDeadline, stream } from "@corio/hono";
import type { CorioMiddleware, CorioOptions } from "@corio/hono";
import { acceptWebSockets, webSocket } from "@corio/hono/web-socket";
import { serve, getRequestListener } from "@hono/node-server";
import { coroutine, currentTask, Event, run, sleep, timeout, until } from "corio";
import { VirtualClock } from "corio/testing";
import { Hono } from "hono";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { streamSSE } from "hono/streaming";
import type { SSEStreamingApi } from "hono/streaming";
import { assert, hostName, test } from "../../corio/test/support/harness.ts";
import { testWebSockets } from "../../http/test/support/web-sockets.ts";
import type { AcceptSocket } from "../../http/test/support/web-sockets.ts";
import { RawClient, Signal } from "../../request/test/support/client.ts";
import { Endless, testContract, untilIdle } from "../../request/test/support/contract.ts";
import type { Route, Start } from "../../request/test/support/contract.ts";
import { testHttp2 } from "../../request/test/support/http2.ts";

/** By default it replaces the global `Response`: on other hosts their own servers, tested beside it, want their own. */
const overrideGlobalObjects = hostName === "node";
const listening = { port: 0, hostname: "127.0.0.1", overrideGlobalObjects };

function appOf(
  routes: Readonly<Record<string, Route>>,
  options?: CorioOptions,
): { app: Hono; requests: CorioMiddleware } {
  const requests = corio(options);
  const app = new Hono();
  app.use(requests);
  app.onError(onError());
  for (const [path, route] of Object.entries(routes)) {
    app.all(path, async (c) => {
      return answerOf(c, await route(() => c.req.text()));
    });
  }
  return { app, requests };
}

const start: Start = async (routes, { allowHalfOpen = false, ...options } = {}) => {
  const { app, requests } = appOf(routes, options);
  return await new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, ...listening }, ({ port }) => {
      if (allowHalfOpen) Object.assign(server, { httpAllowHalfOpen: true });
      resolve({
        port,
        statistics: () => requests.statistics(),
        close: async () => {
          const closed = new Promise<void>((settle) => server.close(() => settle()));
          await requests.close();
          await closed;
        },
      });
    });
  });
};

function answerOf(c: Context, answer: string | Response): Response {
  return typeof answer === "string" ? c.text(answer) : answer;
}

testContract("hono", start);

test("hono: handlers may be async, coroutine and generator functions, and keep their types", async () => {
  interface Variables {
    user: string;
  }
  const app = new Hono<{ Variables: Variables }>();
  const requests = corio();
  app.use(requests);
  app.use(async (c, next) => {
    await sleep(0);
    c.set("user", "ada");
    await next();
  });
  const greet = coroutine(async function greet(c: Context<{ Variables: Variables }>) {
    await sleep(0);
    return c.text(`coroutine ${c.get("user").toUpperCase()}`);
  });
  app.get("/coroutine", handler(greet));
  app.get(
    "/generator/:id",
    handler(function* (c: Context<{ Variables: Variables }, "/generator/:id">) {
      yield* sleep(0);
      return c.json({ id: c.req.param("id"), task: currentTask()?.getName() });
    }),
  );
  app.get("/async/:id", async (c) => {
    await sleep(0);
    return c.json({ id: c.req.param("id"), user: c.var.user });
  });
  assert.equal(await (await app.request("/coroutine")).text(), "coroutine ADA");
  assert.deepEqual(await (await app.request("/generator/7")).json(), { id: "7", task: "GET /generator/7" });
  assert.deepEqual(await (await app.request("/async/7")).json(), { id: "7", user: "ada" });
  assert.equal((await app.request("/nothing")).status, 404);
  await requests.close();
});

test("hono: errors pass through app.onError", async () => {
  const app = new Hono();
  const requests = corio({ clock: new VirtualClock(), deadline: 5 });
  app.use(requests);
  app.use("/longer/*", corio({ deadline: 100 }));
  app.onError(
    onError((error, c) =>
      error instanceof HTTPException
        ? c.json({ status: error.status, message: error.message }, error.status)
        : c.json({ status: 500, message: error.message }, 500),
    ),
  );
  app.get("/slow", async (c) => c.text(await sleep(60, "never")));
  app.get("/longer/slow", async (c) => c.text(await sleep(60, "in time")));
  app.get("/upstream", async (c) => c.text(await timeout(1, async () => await sleep(60, "never"))));
  app.get("/forbidden", () => {
    throw new HTTPException(403, { message: "no" });
  });
  app.get("/broken", () => {
    throw new Error("broken");
  });
  const answer = async (path: string): Promise<unknown> => await (await app.request(path)).json();
  const late = { status: 504, message: "the request took too long" };
  assert.deepEqual(await answer("/slow"), late);
  assert.deepEqual(await answer("/upstream"), late);
  assert.deepEqual(await answer("/forbidden"), { status: 403, message: "no" });
  assert.deepEqual(await answer("/broken"), { status: 500, message: "broken" });
  assert.equal(await (await app.request("/longer/slow")).text(), "in time");
  await requests.close();
  assert.deepEqual(await answer("/slow"), { status: 503, message: "the server is being closed" });
});

test("hono: a request may be made inside a task, and by a signal be cancelled", async () => {
  const app = new Hono();
  const requests = corio();
  const endless = new Endless();
  app.use(requests);
  app.onError(onError());
  app.get("/", async (c) => c.text(await sleep(0, "hello")));
  app.get("/endless", async (c) => answerOf(c, await endless.route(async () => "")));
  await run(async () => {
    assert.equal(await (await until(Promise.resolve(app.request("/")))).text(), "hello");
  });
  const abort = new AbortController();
  const response = app.request("/endless", { signal: abort.signal });
  await endless.entered.reached;
  abort.abort();
  await endless.left.reached;
  assert.equal((await response).status, 499);
  await untilIdle({ port: 0, statistics: () => requests.statistics(), close: () => requests.close() });
  await requests.close();
});

test("hono: the body of a response that no server sends is made nevertheless", async () => {
  const app = new Hono();
  const requests = corio();
  app.use(requests);
  app.get("/", () =>
    eventStream(async function* () {
      for (let data = 1; data <= 2; data++) yield { data: await sleep(0, data) };
    }),
  );
  assert.equal(await (await app.request("/")).text(), "data: 1\n\ndata: 2\n\n");
  await requests.close();
  assert.deepEqual(requests.statistics(), { requests: 0, tasks: 0, isClosing: true });
});

test("hono: the body of an answer to HEAD is not made, and nothing waits for it", async () => {
  const app = new Hono();
  const requests = corio();
  app.use(requests);
  app.get("/", () =>
    stream(async function* () {
      yield "first";
      await new Event().wait();
    }),
  );
  const response = await app.request("/", { method: "HEAD" });
  assert.equal(response.body, null);
  await untilIdle({ port: 0, statistics: () => requests.statistics(), close: () => requests.close() });
  await requests.close();
});

test("hono: Hono's own streams run in the request's task and end with it", async () => {
  const left = new Signal();
  const app = new Hono();
  const requests = corio();
  app.use(requests);
  app.get("/", (c) => {
    const send = async (events: SSEStreamingApi): Promise<void> => {
      try {
        await events.writeSSE({ data: "first" });
        await sleep(0);
        await new Event().wait();
      } finally {
        left.reach();
      }
    };
    return streamSSE(c, send, async () => undefined);
  });
  await new Promise<void>((resolve, reject) => {
    const server = serve({ fetch: app.fetch, ...listening }, ({ port }) => {
      const visit = async (): Promise<void> => {
        const client = await RawClient.connect(port);
        client.get("/");
        await client.until("first");
        client.cut();
        await left.reached;
        await untilIdle({ port, statistics: () => requests.statistics(), close: () => requests.close() });
        await requests.close();
        server.close();
      };
      visit().then(resolve, reject);
    });
  });
});

test("hono: what belongs to a request is refused outside of one", () => {
  assert.throws(() => stream([]), /stream\(\) must be used inside a request's task/);
  assert.throws(() => background(sleep(0)), /background\(\) must be used inside a request's task; elsewhere/);
  assert.throws(() => setDeadline(1), /setDeadline\(\) must be used inside/);
  assert.throws(() => corio({ deadline: "soon" as never }), /deadline/);
});

const startHttp2: Start = async (routes, options) => {
  const { app, requests } = appOf(routes, options);
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects });
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    statistics: () => requests.statistics(),
    close: async () => {
      await requests.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
};

testHttp2("hono", startHttp2);

testWebSockets("hono", async (routes) => {
  const requests = corio({ deadline: 0.02 });
  const app = new Hono();
  app.use(requests);
  app.onError(
    onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text("failed", 500))),
  );
  for (const [path, route] of Object.entries(routes)) {
    app.get(path, async (c) => {
      setDeadline(null);
      const accept: AcceptSocket = async (body, options) => {
        setDeadline(0.02);
        return await webSocket(c, body, options);
      };
      const answer = await route(accept);
      return answer instanceof Response ? answer : c.text(String(answer), 403);
    });
  }
  const server = serve({ fetch: app.fetch, ...listening }) as Server;
  acceptWebSockets(server);
  await until(new Promise<void>((resolve) => server.once("listening", resolve)));
  return {
    port: (server.address() as AddressInfo).port,
    requests: () => requests.statistics().requests,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await until(requests.close());
      await until(closed);
    },
  };
});

test("hono: a WebSocket needs the middleware, and a server that accepts them", async () => {
  const app = new Hono();
  const requests = corio();
  app.onError((error, c) => c.text(error.message, 500));
  app.get("/bare", (c) => webSocket(c, () => undefined));
  app.use(requests);
  app.get("/", (c) => webSocket(c, () => undefined));
  assert.match(await (await app.request("/bare")).text(), /needs the middleware/);
  assert.match(await (await app.request("/")).text(), /only @hono\/node-server/);
  await requests.close();
});
