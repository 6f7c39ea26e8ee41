// The other side of the fan-out: a server of three shops and a rate of exchange, which take their time.
import { HttpException, Reply, Router, serve } from "@corio/http";
import type { HttpServer } from "@corio/http";
import { sleep } from "corio";
import type { Coroutine } from "corio";

/** The seconds that a shop takes, and what it adds to the price. */
const SHOPS: Readonly<Record<string, { readonly takes: number; readonly adds: number }>> = {
  corner: { takes: 0.05, adds: 3 },
  market: { takes: 0.1, adds: 1 },
  outlet: { takes: 30, adds: 0 },
};

const router = new Router()
  .get("/shops/:shop/:product", async (_request, { shop, product }) => {
    const { takes, adds } = SHOPS[shop] ?? notFound(shop);
    await sleep(takes);
    return Reply.json({ shop, price: product.length + adds });
  })
  .get("/rate", async ({ query }) => {
    await sleep(Number(query.get("seconds")));
    return Reply.json({ rate: 1.25 });
  });

function notFound(shop: string): never {
  throw new HttpException(404, `there is no shop ${shop}`);
}

/** Listens on a free port. */
export function serveShops(): Coroutine<HttpServer> {
  return serve(router.handler, { shutdownTimeout: 0 });
}
