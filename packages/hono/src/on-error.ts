import { currentTask, isCancelledError, TimeoutError } from "corio";
import type { Context, Env, ErrorHandler } from "hono";
import { HTTPException } from "hono/http-exception";

/**
 * An error handler for `app.onError`: a `TimeoutError` becomes a 504, and a cancellation is not reported, since the
 * middleware knows what it means. Everything else goes to `fallback`; without one, to what Hono does by default: an
 * `HTTPException` is its own response, and other errors are printed and answered with 500.
 */
export function onError<E extends Env = Env>(fallback?: ErrorHandler<E>): ErrorHandler<E> {
  return (error, c) => {
    if (isCancelledError(error) || isBrokenUpload(error, c)) return c.text("Service Unavailable", 503);
    const known =
      error instanceof TimeoutError
        ? new HTTPException(504, { message: "the request took too long", cause: error })
        : error;
    if (fallback !== undefined) return fallback(known, c);
    if (isItsOwnResponse(known)) return known.getResponse();
    console.error(known);
    return c.text("Internal Server Error", 500);
  };
}

/** As `HTTPException` and all that is thrown in its place. */
function isItsOwnResponse(error: Error): error is Error & { getResponse(): Response } {
  return "getResponse" in error;
}

/** The client went away while its request's body was being read: Deno says so before it closes the response. */
function isBrokenUpload(error: Error, c: Context): boolean {
  const { incoming } = ((c.env as unknown) ?? {}) as { readonly incoming?: { readonly errored?: unknown } };
  if (incoming?.errored === error) return true;
  if (error.name === "BadResource" && error.message.startsWith("Cannot read body")) return true;
  const isAbort = (error as { code?: unknown }).code === "ECONNRESET" || error.name === "AbortError";
  return isAbort && (currentTask()?.cancelling() ?? 0) > 0;
}
