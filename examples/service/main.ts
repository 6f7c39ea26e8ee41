// A service as one would deploy it. `npm run service` starts it; Ctrl-C or SIGTERM ends it in order.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { corio } from "@corio/hono";
import { acceptWebSockets } from "@corio/hono/web-socket";
import { ClientSession } from "@corio/http";
import { createPool } from "@corio/postgres";
import { serve } from "@hono/node-server";
import { coroutine, once, sleep } from "corio";
import { onShutdown, runServer } from "corio/signals";
import { createApp } from "./app.ts";
import { Chat } from "./chat.ts";
import { openDatabase } from "./database.ts";
import { createTables } from "./orders.ts";
import { readSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { serveShops } from "./shops.ts";
import { adviceFor } from "./troubles.ts";

const main = coroutine(async function main(settings: Settings) {
  // What is opened first is closed last: when `main` is cancelled, at the end.
  await using database = await openDatabase(settings.DATABASE_URL);
  await using pool = createPool({ url: database.url, applicationName: "corio service" });
  await createTables(pool);
  await using shops = settings.SHOPS_URL === undefined ? await serveShops() : null;
  await using upstream = new ClientSession({ baseUrl: settings.SHOPS_URL ?? shops?.url });

  const requests = corio({ deadline: settings.DEADLINE, shutdownDeadline: settings.SHUTDOWN });
  const { fetch } = createApp({ requests, pool, upstream, chat: new Chat() });
  const server = serve({ fetch, port: settings.PORT, hostname: settings.HOST });
  acceptWebSockets(server as Server);
  await once(server, "listening");

  onShutdown(async function stopAccepting() {
    server.close();
    // Waits for the requests under way, and says goodbye to WebSockets. What takes longer than `settings.SHUTDOWN` is
    // cancelled.
    await requests.close();
  });
  announce((server.address() as AddressInfo).port);
  await sleep(Infinity);
});

function announce(port: number): void {
  const url = `http://127.0.0.1:${port}`;
  console.log(`
Listening on ${url}. Try:

  ${url}/docs                     what there is, to try out in the browser
  ${url}/chat                     a chat: open it twice
  curl '${url}/offers/tea'        three shops are asked at once; one is too slow
  curl '${url}/primes?below=3000000'
  curl --max-time 1 '${url}/report?seconds=60'
  curl '${url}/status'            what is under way

Ctrl-C ends it in order.
`);
}

try {
  const settings = readSettings(process.env);
  await runServer(main(settings), { drainPeriod: settings.SHUTDOWN + 2, gracePeriod: settings.SHUTDOWN + 4 });
} catch (error) {
  const advice = adviceFor(error);
  if (advice === null) throw error;
  console.error(advice);
  process.exitCode = 1;
}
