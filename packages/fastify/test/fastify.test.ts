import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { background, corio, setDeadline, stream } from "@corio/fastify";
import { acceptWebSockets, webSocket } from "@corio/fastify/web-socket";
import { coroutine, currentTask, sleep, timeout, until } from "corio";
import { VirtualClock } from "corio/testing";
import fastify from "fastify";
import type { FastifyRequest } from "fastify";
import { assert, test } from "../../corio/test/support/harness.ts";
import { testWebSockets } from "../../http/test/support/web-sockets.ts";
import type { AcceptSocket } from "../../http/test/support/web-sockets.ts";
import { RawClient } from "../../request/test/support/client.ts";
import { testContract } from "../../request/test/support/contract.ts";
import type { Start } from "../../request/test/support/contract.ts";
import { testHttp2 } from "../../request/test/support/http2.ts";

const start: Start = async (routes, { allowHalfOpen = false, ...options } = {}) => {
  const app = fastify({ forceCloseConnections: "idle" });
  await app.register(corio, options);
  for (const [path, route] of Object.entries(routes)) {
    app.route({
      method: ["GET", "POST"],
      url: path,
      handler: async (request) => await route(async () => String(request.body)),
    });
  }
  await app.listen({ port: 0, host: "127.0.0.1" });
  if (allowHalfOpen) Object.assign(app.server, { httpAllowHalfOpen: true });
  return {
    port: (app.server.address() as AddressInfo).port,
    statistics: () => app.corio.statistics(),
    close: () => app.close(),
  };
};

testContract("fastify", start);

test("fastify: handlers may be async, coroutine and generator functions, or call reply.send", async () => {
  const app = fastify();
  await app.register(corio);
  app.get<{ Params: { id: string }; Reply: { id: string } }>("/typed/:id", async (request) => {
    await sleep(0);
    return { id: request.params.id };
  });
  app.get(
    "/coroutine",
    coroutine(async function greet(this: unknown, request: FastifyRequest) {
      await sleep(0);
      return `${currentTask()?.getName() ?? "?"} ${request.method} ${String(this === app)}`;
    }),
  );
  app.get("/generator", function* (request) {
    yield* sleep(0);
    return `generator ${request.url}`;
  });
  app.get("/send", (request, reply) => {
    void reply.send({ sent: request.url });
  });
  app.get("/later", (_request, reply) => {
    setImmediate(() => void reply.code(202).send("later"));
  });
  app.get("/reply", async (_request, reply) => {
    await sleep(0);
    return await reply.send("the reply");
  });
  app.get("/readable", async () => Readable.from(["a", "b", "c"]));
  const get = async (url: string): Promise<string> => (await app.inject(url)).body;
  assert.equal(await get("/typed/7"), '{"id":"7"}');
  assert.equal(await get("/coroutine"), "GET /coroutine GET true");
  assert.equal(await get("/generator"), "generator /generator");
  assert.equal(await get("/send"), '{"sent":"/send"}');
  assert.equal((await app.inject("/later")).statusCode, 202);
  assert.equal(await get("/reply"), "the reply");
  assert.equal(await get("/readable"), "abc");
  assert.equal((await app.inject({ url: "/typed/7", method: "HEAD" })).statusCode, 200);
  await app.close();
  assert.deepEqual(app.corio.statistics(), { requests: 0, tasks: 0, isClosing: true });
});

test("fastify: errors go to the error handler, with their status", async () => {
  const app = fastify();
  await app.register(corio, { clock: new VirtualClock(), deadline: 5 });
  app.get("/slow", async () => await sleep(60, "never"));
  app.get("/upstream", async () => await timeout(1, async () => await sleep(60, "never")));
  app.get("/longer", async () => {
    setDeadline(100);
    return await sleep(60, "in time");
  });
  app.get("/later", () => undefined);
  app.get("/broken", async () => {
    throw Object.assign(new Error("a teapot"), { statusCode: 418 });
  });
  const late = {
    statusCode: 504,
    code: "CORIO_REQUEST_TIMEOUT",
    error: "Gateway Timeout",
    message: "the request took too long",
  };
  assert.deepEqual((await app.inject("/slow")).json(), late);
  assert.deepEqual((await app.inject("/upstream")).json(), late);
  assert.deepEqual((await app.inject("/later")).json(), late);
  assert.equal((await app.inject("/longer")).body, "in time");
  assert.equal((await app.inject("/broken")).statusCode, 418);
  await app.close();
});

test("fastify: routes that were there before the plugin are an error, awaited or not", async () => {
  const awaited = fastify();
  awaited.get("/early", async () => "early");
  await assert.rejects(Promise.resolve(awaited.register(corio)), /registered before the routes.*early/s);

  const forgotten = fastify();
  void forgotten.register(corio);
  forgotten.get("/early", async () => "early");
  await assert.rejects(Promise.resolve(forgotten.ready()), /registered before the routes.*early/s);

  const scoped = fastify();
  scoped.get("/other", async () => String(currentTask() === null));
  scoped.get("/another", async () => "another");
  await scoped.register(async (scope) => {
    scope.get("/early", async () => "early");
    await scope.register(corio);
    scope.get("/late", async () => currentTask()?.getName());
  });
  assert.equal((await scoped.inject("/other")).body, "true");
  assert.equal((await scoped.inject("/late")).body, "GET /late");
  assert.equal((await scoped.inject("/none")).statusCode, 404);
  const early = await scoped.inject("/early");
  assert.equal(early.statusCode, 500);
  assert.match(early.body, /GET \/early is one/);
  for (const app of [awaited, forgotten]) await app.close().catch(() => undefined);
  await scoped.close();
});

test("fastify: a type provider's types and validation are kept", async () => {
  const app = fastify();
  await app.register(corio);
  app.post<{ Body: { n: number }; Reply: { square: number } }>(
    "/square",
    { schema: { body: { type: "object", properties: { n: { type: "number" } }, required: ["n"] } } },
    async (request) => {
      await sleep(0);
      return { square: request.body.n ** 2 };
    },
  );
  const good = await app.inject({ method: "POST", url: "/square", payload: { n: 7 } });
  assert.deepEqual(good.json(), { square: 49 });
  const bad = await app.inject({ method: "POST", url: "/square", payload: {} });
  assert.equal(bad.statusCode, 400);
  await app.close();
});

test("fastify: a failed body breaks the connection off, and is reported", async () => {
  const app = fastify();
  await app.register(corio);
  const reported: unknown[] = [];
  app.corio.getLoop().setExceptionHandler((_loop, { message, exception }) => {
    reported.push([message, String(exception)]);
  });
  app.get("/", async () =>
    stream(async function* () {
      yield "first";
      await sleep(0);
      throw new Error("secret");
    }),
  );
  app.get("/background", async () => {
    background(async () => {
      throw new Error("later");
    });
    return "fine";
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const client = await RawClient.connect(port);
  client.get("/");
  await client.closed();
  assert.ok(!client.received.includes("secret") && !client.received.includes("\r\n0\r\n\r\n"));
  const response = await fetch(`http://127.0.0.1:${port}/background`);
  assert.equal(await response.text(), "fine");
  await app.close();
  assert.deepEqual(reported, [
    ["a response's body failed", "Error: secret"],
    ["a background task failed", "Error: later"],
  ]);
});

testHttp2("fastify", async (routes, options) => {
  const app = fastify({ http2: true, forceCloseConnections: true });
  await app.register(corio, options ?? {});
  for (const [url, route] of Object.entries(routes)) {
    app.route({
      method: ["GET", "POST"],
      url,
      handler: async (request) => await route(async () => String(request.body)),
    });
  }
  await app.listen({ port: 0, host: "127.0.0.1" });
  return {
    port: (app.server.address() as AddressInfo).port,
    statistics: () => app.corio.statistics(),
    close: () => app.close(),
  };
});

testWebSockets("fastify", async (routes) => {
  const app = fastify({ forceCloseConnections: "idle" });
  await until(Promise.resolve(app.register(corio, { deadline: 0.02 })));
  acceptWebSockets(app.server);
  for (const [path, route] of Object.entries(routes)) {
    app.get(path, async (request, reply) => {
      setDeadline(null);
      const accept: AcceptSocket = async (body, options) => {
        setDeadline(0.02);
        await webSocket(request, reply, body, options);
        return undefined;
      };
      const answer = await route(accept);
      if (typeof answer === "string") return await reply.code(403).send(answer);
      return undefined;
    });
  }
  await until(app.listen({ port: 0, host: "127.0.0.1" }));
  return {
    port: (app.server.address() as AddressInfo).port,
    requests: () => app.corio.statistics().requests,
    close: async () => {
      await until(app.close());
    },
  };
});
