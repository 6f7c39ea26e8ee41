// node server.mjs NAME: one of the servers that are measured. Each has the same two routes: `/`, a JSON answer of a
// handler that awaits something, and `/cpu`, the CPU time that the process has used, in microseconds. Prints its port.
import { createServer } from "node:http";
import process from "node:process";
import { corio as corioFastify } from "@corio/fastify";
import { corio as corioHono, onError } from "@corio/hono";
import { Reply, serve } from "@corio/http";
import { serve as serveHono } from "@hono/node-server";
import { run } from "corio";
import fastify from "fastify";
import { Hono } from "hono";

const ANSWER = { hello: "world", numbers: [1, 2, 3] };

function cpu() {
  const { user, system } = process.cpuUsage();
  return String(user + system);
}

/** @param {number} port */
function listening(port) {
  console.log(port);
}

/** @param {import("node:http").Server} server */
function portOf(server) {
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

/** @param {Hono} app */
function serveApp(app) {
  app.get("/", async (c) => {
    await Promise.resolve();
    return c.json(ANSWER);
  });
  app.get("/cpu", (c) => c.text(cpu()));
  serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => listening(port));
}

/** @param {import("fastify").FastifyInstance} app */
async function serveFastify(app) {
  app.get("/", async () => {
    await Promise.resolve();
    return ANSWER;
  });
  app.get("/cpu", (_request, reply) => reply.send(cpu()));
  await app.listen({ port: 0, host: "127.0.0.1" });
  listening(portOf(app.server));
}

/** @type {Record<string, () => unknown>} */
const SERVERS = {
  "node:http": () => {
    /** @param {string} url */
    const handle = async (url) => {
      await Promise.resolve();
      return url === "/cpu" ? cpu() : JSON.stringify(ANSWER);
    };
    const server = createServer((request, response) => {
      handle(request.url ?? "").then((text) => {
        const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
        response.writeHead(200, headers).end(text);
      }, console.error);
    });
    server.listen(0, "127.0.0.1", () => listening(portOf(server)));
  },
  "@corio/http": () =>
    run(async () => {
      const server = await serve(async (request) => {
        await Promise.resolve();
        return request.path === "/cpu" ? cpu() : Reply.json(ANSWER);
      });
      listening(server.port);
      await server.serveForever();
    }),
  hono: () => serveApp(new Hono()),
  "@corio/hono": () => {
    const app = new Hono();
    app.use(corioHono());
    app.onError(onError());
    serveApp(app);
  },
  fastify: () => serveFastify(fastify()),
  "@corio/fastify": async () => {
    const app = fastify();
    await app.register(corioFastify);
    await serveFastify(app);
  },
};

// Only as long as the one who measures.
process.stdin.resume().on("end", () => process.exit());
await SERVERS[process.argv[2] ?? ""]?.();
