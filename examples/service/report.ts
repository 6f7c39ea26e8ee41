// A slow query and a slow request to another server, at once. When the client goes away, both are cancelled.
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { gather } from "corio";
import type { Services } from "./app.ts";
import { BAD_REQUEST } from "./problem.ts";

const Query = z.object({
  seconds: z.coerce.number().min(0).max(600).default(1).openapi({
    description: "How long the query and the other server take",
  }),
});
const Sums = z.object({ orders: z.number(), items: z.number() });
const Rate = z.object({ rate: z.number() });
const Report = Sums.extend(Rate.shape).openapi("Report");

const route = createRoute({
  method: "get",
  path: "/report",
  request: { query: Query },
  responses: {
    200: { description: "The report", content: { "application/json": { schema: Report } } },
    ...BAD_REQUEST,
  },
});

const SLOW_QUERY = `
  SELECT count(*)::int AS orders, coalesce(sum(quantity), 0)::int AS items, pg_sleep($1)
  FROM corio_service_orders`;

export function addReport(app: OpenAPIHono, { pool, upstream }: Services): void {
  app.openapi(route, async (c) => {
    const { seconds } = c.req.valid("query");
    const [sums, rate] = await gather(
      pool.fetchRow(SLOW_QUERY, [seconds]),
      upstream.get("/rate", { params: { seconds } }, (response) => response.json()),
    );
    return c.json({ ...Sums.parse(sums), ...Rate.parse(rate) }, 200);
  });
}
