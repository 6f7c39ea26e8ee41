// The routes, and what is around each of them: a log, a task with a deadline, a limit, answers for errors.
import { onError } from "@corio/hono";
import type { CorioMiddleware } from "@corio/hono";
import type { ClientSession } from "@corio/http";
import type { PostgresPool } from "@corio/postgres";
import { swaggerUI } from "@hono/swagger-ui";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Chat } from "./chat.ts";
import { addChat } from "./chat-routes.ts";
import { addOffers } from "./offers.ts";
import { addOrders } from "./orders.ts";
import { addPrimes } from "./primes.ts";
import { addReport } from "./report.ts";
import { answerTo } from "./troubles.ts";

/** What the routes work with. */
export interface Services {
  readonly requests: CorioMiddleware;
  readonly pool: PostgresPool;
  readonly upstream: ClientSession;
  readonly chat: Chat;
}

export function createApp(services: Services): OpenAPIHono {
  const { requests, pool } = services;
  const app = new OpenAPIHono({
    defaultHook: (result, c) =>
      result.success ? undefined : c.json({ error: z.prettifyError(result.error) }, 400),
  });
  app.use(log);
  app.use(requests); // from here on, a request is a task
  app.use(bodyLimit({ maxSize: 64 * 1024 }));
  app.onError(onError(answerTo));
  app.notFound((c) => c.json({ error: `there is no ${c.req.path}; see /docs` }, 404));

  addReport(app, services);
  addOffers(app, services);
  addOrders(app, services);
  addPrimes(app);
  addChat(app, services);

  app.get("/status", (c) => c.json({ ...requests.statistics(), pool: pool.statistics() }));
  app.doc("/openapi.json", { openapi: "3.0.0", info: { title: "An example of corio", version: "1.0.0" } });
  // A page that loads Swagger UI from the net.
  app.get("/docs", swaggerUI({ url: "/openapi.json" }));
  return app;
}

/** A line for each request, when it is over. 499: the client has gone, and nobody was answered. */
const log: MiddlewareHandler = async (c, next) => {
  const begun = performance.now();
  await next();
  const seconds = (performance.now() - begun) / 1000;
  console.log(`${c.req.method} ${c.req.path} ${c.res.status} ${seconds.toFixed(2)} s`);
};
