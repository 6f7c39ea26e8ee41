// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { corio, onError } from "@corio/hono";
import { webSocket } from "@corio/hono/web-socket";
import { sleep } from "corio";
import { Hono } from "hono";

const requests = corio({ deadline: 5 });
const app = new Hono();
app.use(requests);
app.onError(onError());
app.get("/:name", async (c) => c.text(await sleep(0.001, `hello ${c.req.param("name")}`)));
app.get("/socket/:name", (c) =>
  webSocket(c, async (socket) => {
    for await (const message of socket) await socket.send(message);
  }),
);

const response = await app.request("/you");
console.log(response.status, await response.text());
console.log((await app.request("/socket/you")).status);
await requests.close();
