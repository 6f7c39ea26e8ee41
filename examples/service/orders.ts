// Typed bodies: what does not fit the schema never reaches the handler.
import type { PostgresPool } from "@corio/postgres";
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Services } from "./app.ts";
import { BAD_REQUEST } from "./problem.ts";

const NewOrder = z
  .object({
    product: z.string().min(1).max(50).openapi({ example: "tea" }),
    quantity: z.number().int().min(1).max(100).openapi({ example: 2 }),
  })
  .openapi("NewOrder");
const Order = NewOrder.extend({ id: z.number() }).openapi("Order");
const Orders = z.array(Order);

const add = createRoute({
  method: "post",
  path: "/orders",
  request: { body: { required: true, content: { "application/json": { schema: NewOrder } } } },
  responses: {
    201: { description: "Ordered", content: { "application/json": { schema: Order } } },
    ...BAD_REQUEST,
  },
});

const list = createRoute({
  method: "get",
  path: "/orders",
  responses: {
    200: { description: "The last ten", content: { "application/json": { schema: Orders } } },
  },
});

export async function createTables(pool: PostgresPool): Promise<void> {
  await pool.execute(`
    CREATE TABLE IF NOT EXISTS corio_service_orders (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      product text NOT NULL,
      quantity int NOT NULL
    )`);
}

export function addOrders(app: OpenAPIHono, { pool }: Services): void {
  app.openapi(add, async (c) => {
    const { product, quantity } = c.req.valid("json");
    const row = await pool.fetchRow(
      "INSERT INTO corio_service_orders (product, quantity) VALUES ($1, $2) RETURNING *",
      [product, quantity],
    );
    return c.json(Order.parse(row), 201);
  });
  app.openapi(list, async (c) => {
    const rows = await pool.fetch("SELECT * FROM corio_service_orders ORDER BY id DESC LIMIT 10");
    return c.json(Orders.parse(rows), 200);
  });
}
