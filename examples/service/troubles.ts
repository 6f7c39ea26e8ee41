// What can go wrong: with a request, which is answered, and at the start, which ends with advice.
import {
  ConnectError as UpstreamMissing,
  ConnectionLostError as UpstreamLost,
  ResponseError,
} from "@corio/http";
import { ConnectError as DatabaseMissing, ConnectionLostError as DatabaseLost } from "@corio/postgres";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { PoolClosedError } from "corio/pool";
import { NoDatabaseError } from "./database.ts";
import { SettingsError } from "./settings.ts";

/** The answer to a request that failed. Deadlines are 504 and shutdown is 503 already: `HTTPException`s. */
export function answerTo(error: Error, c: Context): Response {
  if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
  if (error instanceof DatabaseMissing || error instanceof DatabaseLost || error instanceof PoolClosedError)
    return c.json({ error: "the database cannot be reached" }, 503);
  if (error instanceof UpstreamMissing || error instanceof UpstreamLost || error instanceof ResponseError)
    return c.json({ error: "the shops cannot be reached" }, 502);
  console.error(error);
  return c.json({ error: "internal error" }, 500);
}

/** What to do about an error at the start; null when nobody thought of it. */
export function adviceFor(error: unknown): string | null {
  if (error instanceof SettingsError || error instanceof NoDatabaseError) return error.message;
  if (error instanceof DatabaseMissing)
    return `${error.message}\nCorrect DATABASE_URL, or leave it out: then a PostgreSQL is started.`;
  if ((error as NodeJS.ErrnoException | null)?.code === "EADDRINUSE")
    return `${String(error)}\nAnother program listens there: set PORT, 0 for any free port.`;
  return null;
}
