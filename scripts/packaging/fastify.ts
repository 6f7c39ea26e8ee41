// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { corio } from "@corio/fastify";
import { webSocket } from "@corio/fastify/web-socket";
import { sleep } from "corio";
import fastify from "fastify";

const app = fastify();
await app.register(corio, { deadline: 5 });
app.get<{ Params: { name: string } }>("/:name", async (request) => {
  return await sleep(0.001, `hello ${request.params.name}`);
});
app.get("/socket/:name", async (request, reply) => {
  await webSocket(request, reply, async (socket) => {
    for await (const message of socket) await socket.send(message);
  });
});

const { statusCode, body } = await app.inject("/you");
console.log(statusCode, body);
console.log((await app.inject("/socket/you")).statusCode);
await app.close();
