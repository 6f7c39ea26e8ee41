// The chat over HTTP: a page, and the WebSocket that it opens.
import { webSocket } from "@corio/hono/web-socket";
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { readFile } from "corio/files";
import type { Services } from "./app.ts";
import { BAD_REQUEST } from "./problem.ts";

/** The longest message, in bytes. */
const MAX_MESSAGE_SIZE = 16 * 1024;

const route = createRoute({
  method: "get",
  path: "/chat/{room}",
  request: {
    params: z.object({ room: z.string().max(50).openapi({ example: "tea" }) }),
    query: z.object({ name: z.string().min(1).max(20).openapi({ example: "Ada" }) }),
  },
  responses: {
    101: { description: "A WebSocket. Text goes in, messages come out: {from, text}" },
    ...BAD_REQUEST,
  },
});

export function addChat(app: OpenAPIHono, { chat }: Services): void {
  app.get("/chat", async (c) => c.html(await readFile(new URL("./chat.html", import.meta.url), "utf8")));

  app.openapi(route, async (c) => {
    const { room } = c.req.valid("param");
    const { name } = c.req.valid("query");
    return await webSocket(c, (socket) => chat.join(room, name, socket), {
      maxMessageSize: MAX_MESSAGE_SIZE,
      heartbeat: 30,
    });
  });
}
