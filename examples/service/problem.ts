// What a request is answered with that does not fit its schema: `defaultHook` of `app.ts` makes it.
import { z } from "@hono/zod-openapi";

const Problem = z.object({ error: z.string() }).openapi("Problem");

/** Among the responses of each route that checks something. */
export const BAD_REQUEST = {
  400: {
    description: "What was sent does not fit",
    content: { "application/json": { schema: Problem } },
  },
} as const;
