// A route that computes: in a thread, so that it holds up nobody. It stops when its client has gone.
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { toThread, workerModule } from "corio/threads";
import { BAD_REQUEST } from "./problem.ts";

const { countPrimes } = workerModule<typeof import("./count-primes.ts")>(
  new URL("./count-primes.ts", import.meta.url),
);

const Primes = z.object({ below: z.number(), primes: z.number() }).openapi("Primes");

const route = createRoute({
  method: "get",
  path: "/primes",
  request: { query: z.object({ below: z.coerce.number().int().min(2).max(100_000_000).default(3_000_000) }) },
  responses: {
    200: { description: "How many there are", content: { "application/json": { schema: Primes } } },
    ...BAD_REQUEST,
  },
});

export function addPrimes(app: OpenAPIHono): void {
  app.openapi(route, async (c) => {
    const { below } = c.req.valid("query");
    return c.json({ below, primes: await toThread(countPrimes, below) }, 200);
  });
}
