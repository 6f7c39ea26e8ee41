import { isInsideRequest, isLastOnConnection, RequestError, RequestTasks, setDeadline } from "@corio/request";
import type { HandleOptions, NodeResponse, RequestStatistics, RequestTasksOptions } from "@corio/request";
import { isCancelledError } from "corio";
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";

/** Options of `corio`. */
export type CorioOptions = RequestTasksOptions;

/** The middleware, and what the program does with it when it ends. */
export interface CorioMiddleware extends MiddlewareHandler {
  /**
   * Refuses new requests with 503, and waits for those that are under way and for background tasks; what is left after
   * the shutdown deadline is cancelled and waited for. Call it beside the server's own `close`.
   */
  close(): Promise<void>;
  /** How much is under way. */
  statistics(): RequestStatistics;
}

/**
 * Middleware that runs what comes after it, other middleware and the handler, as a task of corio's. The task has a
 * deadline, and is cancelled when the client goes away before it has the whole response. `signal()`, context variables,
 * `timeout`, `taskGroup` and all else work inside. Tasks that the handler has made end with the request.
 *
 * Put it first. Used again for some of the routes, inside, it only sets another deadline for them.
 *
 * A handler that takes too long is answered with an `HTTPException` of status 504, one that is cancelled because the
 * server closes with 503; both pass through `app.onError`. See `onError` for the errors of handlers.
 */
export function corio(options: CorioOptions = {}): CorioMiddleware {
  const requests = new RequestTasks(options);

  const middleware: MiddlewareHandler = async (c, next) => {
    if (isInsideRequest()) {
      if (options.deadline !== undefined) setDeadline(options.deadline);
      await next();
      return;
    }
    const work = async (): Promise<void> => {
      await next();
      // Hono has made a response of the cancellation. It has to go on.
      if (isCancelledError(c.error)) throw c.error;
      // Nobody is going to read it, and Hono forgets it.
      if (c.req.method === "HEAD") await c.res.body?.cancel().catch(() => undefined);
    };
    try {
      await requests.handle(work, whatToWatch(c));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const { statusCode, message } = error;
      if (statusCode !== 499) throw new HTTPException(statusCode, { message, cause: error });
      // Nobody is there to read it.
      c.res = undefined;
      c.res = new Response(null, { status: statusCode });
    } finally {
      // A client that keeps its connection would keep the server from closing.
      if (requests.isClosing) askToDisconnect(c);
    }
  };

  return Object.assign(middleware, {
    close: () => requests.close(),
    statistics: () => requests.statistics(),
  });
}

/** What `@hono/node-server` puts into the environment. */
interface Bindings {
  readonly incoming?: { readonly httpVersionMajor: number };
  readonly outgoing?: NodeResponse & {
    readonly headersSent: boolean;
    setHeader(name: string, value: string): unknown;
  };
}

function bindings(c: Context): Bindings {
  return (c.env as Bindings | undefined) ?? {};
}

/** Node's response where there is one; elsewhere the request's signal is all there is. */
function whatToWatch(c: Context): HandleOptions {
  const name = `${c.req.method} ${c.req.path}`;
  const { outgoing } = bindings(c);
  return outgoing === undefined ? { name, signal: c.req.raw.signal } : { name, response: outgoing };
}

function askToDisconnect(c: Context): void {
  const { incoming, outgoing } = bindings(c);
  if (incoming?.httpVersionMajor === 1 && outgoing?.headersSent === false && isLastOnConnection(outgoing)) {
    outgoing.setHeader("connection", "close");
  }
}
