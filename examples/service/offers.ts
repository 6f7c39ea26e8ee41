// A fan-out: every shop is asked at once, and has a second. Who is slower, or fails, is left out.
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { gather, timeout } from "corio";
import type { Services } from "./app.ts";
import { BAD_REQUEST } from "./problem.ts";

const SHOPS = ["corner", "market", "outlet"];

const Offer = z.object({ shop: z.string(), price: z.number() }).openapi("Offer");
const Offers = z
  .object({
    offers: z.array(Offer).openapi({ description: "The cheapest first" }),
    missing: z.record(z.string(), z.string()).openapi({ description: "Shops without an offer, and why" }),
  })
  .openapi("Offers");

const route = createRoute({
  method: "get",
  path: "/offers/{product}",
  request: { params: z.object({ product: z.string().max(50).openapi({ example: "tea" }) }) },
  responses: {
    200: { description: "Offers", content: { "application/json": { schema: Offers } } },
    ...BAD_REQUEST,
  },
});

export function addOffers(app: OpenAPIHono, { upstream }: Services): void {
  const ask = (shop: string, product: string) =>
    timeout(1, () =>
      upstream.get(
        `/shops/${shop}/${encodeURIComponent(product)}`,
        { raiseForStatus: true },
        async (response) => Offer.parse(await response.json()),
      ),
    );

  app.openapi(route, async (c) => {
    const { product } = c.req.valid("param");
    const answers = await gather(
      SHOPS.map((shop) => ask(shop, product)),
      { returnExceptions: true },
    );
    const offers: z.infer<typeof Offer>[] = [];
    const missing: Record<string, string> = {};
    for (const [index, shop] of SHOPS.entries()) {
      const answer = answers[index];
      if (answer instanceof Error) missing[shop] = answer.name;
      else if (answer !== undefined) offers.push(answer);
    }
    offers.sort((one, other) => one.price - other.price);
    return c.json({ offers, missing }, 200);
  });
}
