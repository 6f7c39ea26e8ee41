// The chat over HTTP: a page, and the WebSocket that it opens.
import { background } from "@corio/hono";
import { upgradeWebSocket } from "@hono/node-server";
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { copyContext } from "corio";
import { readFile } from "corio/files";
import { HTTPException } from "hono/http-exception";
import type { WebSocket } from "ws";
import type { Services } from "./app.ts";

const route = createRoute({
  method: "get",
  path: "/chat/{room}",
  request: {
    params: z.object({ room: z.string().max(50).openapi({ example: "tea" }) }),
    query: z.object({ name: z.string().min(1).max(20).openapi({ example: "Ada" }) }),
  },
  responses: { 101: { description: "A WebSocket. Text goes in, messages come out: {from, text}" } },
});

export function addChat(app: OpenAPIHono, { chat }: Services): void {
  app.get("/chat", async (c) => c.html(await readFile(new URL("./chat.html", import.meta.url), "utf8")));

  app.openapi(route, async (c) => {
    const { room } = c.req.valid("param");
    const { name } = c.req.valid("query");
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket")
      throw new HTTPException(426, { message: "this is a WebSocket: connect with ws://" });
    // The request ends with the handshake. The member is a task of its own, for which the shutdown waits; it is made
    // when the connection is there, which is outside of the request's task, but in its context.
    const context = copyContext();
    return await upgradeWebSocket(c, {
      onOpen: (_event, { raw }) =>
        void context.run(() =>
          background(chat.join(room, name, raw as WebSocket), { name: `chat: ${name}` }),
        ),
    });
  });
}
