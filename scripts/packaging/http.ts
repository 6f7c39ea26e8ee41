// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { run } from "corio";
import { ClientSession, ConnectError, Reply, serve } from "@corio/http";
import { acceptWebSockets } from "@corio/http/web-socket";

interface Answer {
  path: string;
}

await run(async () => {
  await using server = await serve((request) => Reply.json({ path: request.path }));
  await using session = new ClientSession({ baseUrl: server.url });
  const { path } = await session.get("/path", (response) => response.json<Answer>());
  console.log(path);
  try {
    await session.get("http://127.0.0.1:1/");
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    console.log(error.code);
  }
});

console.log(typeof acceptWebSockets);
