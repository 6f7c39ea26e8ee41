import { isLastOnConnection, RequestError, RequestTasks } from "@corio/request";
import type { RequestTasksOptions } from "@corio/request";
import { RuntimeError, until } from "corio";
import type {
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
  RouteHandlerMethod,
} from "fastify";

declare module "fastify" {
  interface FastifyInstance {
    /** The requests that are under way, as tasks; there when `@corio/fastify` is registered. */
    corio: RequestTasks;
  }
}

/** Options of the plugin. */
export type CorioOptions = RequestTasksOptions;

/**
 * Plugin that runs the handler of each route as a task of corio's. The task has a deadline, and is cancelled when the
 * client goes away before it has the whole response. `signal()`, context variables, `timeout`, `taskGroup` and all else
 * work inside. Tasks that the handler has made end with the request.
 *
 * Register it before the routes, and wait for that: `await app.register(corio)`. Routes that are there already make it
 * fail with `RuntimeError`; in a scope of its own, inside another plugin, requests to them do. Handlers may be async
 * functions, coroutine functions and generator functions. Hooks run as they always did, outside of the task.
 *
 * A handler that takes too long ends with a `RequestError` of status 504, one that is cancelled because the server
 * closes with 503; both go to Fastify's error handler. `app.close()` waits for requests, up to the shutdown deadline,
 * and for background tasks.
 */
export const corio: FastifyPluginCallback<CorioOptions> = (app, options, done) => {
  // Fastify makes its scopes of one another, by prototypes; the first is made of nothing.
  const isRoot = Object.getPrototypeOf(app) === Object.prototype;
  if (isRoot && app.printRoutes() !== NO_ROUTES) {
    done(new RuntimeError(`${TOO_LATE}. There are:\n${app.printRoutes()}`));
    return;
  }
  const requests = new RequestTasks(options);
  app.decorate("corio", requests);
  app.addHook("onRoute", (route) => {
    route.handler = asTask(route.handler, requests);
    if (!isRoot) route.config = Object.assign({}, route.config, { [isTask]: true });
  });
  if (!isRoot) {
    // Routes of other scopes are none of ours, and Fastify does not tell them apart. But its hooks are for ours only,
    // those that came too early included.
    app.addHook("onRequest", (request, _reply, next) => {
      const { config, url } = request.routeOptions;
      const isOurs = url === undefined || (config as { [isTask]?: boolean })[isTask] === true;
      next(isOurs ? undefined : new RuntimeError(`${TOO_LATE}. ${request.method} ${url} is one`));
    });
  }
  // A client that keeps its connection would keep the server from closing.
  app.addHook("onSend", (request, reply, payload, sent) => {
    if (requests.isClosing && request.raw.httpVersionMajor === 1 && isLastOnConnection(reply.raw)) {
      void reply.header("connection", "close");
    }
    sent(null, payload);
  });
  // The server waits for its requests between the two hooks: the deadline has to run meanwhile.
  app.addHook("preClose", (closed) => {
    void requests.close();
    closed();
  });
  app.addHook("onClose", () => requests.close());
  done();
};

// Not in a scope of its own: the hooks are for the routes of the one who registers it. (What `fastify-plugin` does.)
Object.assign(corio, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "@corio/fastify",
  [Symbol.for("plugin-meta")]: { name: "@corio/fastify", fastify: "5.x" },
});

const NO_ROUTES = "(empty tree)";
const TOO_LATE =
  "@corio/fastify must be registered before the routes: those that are there already would not run as tasks";
/** Marks the routes that run as tasks, where they have to be told from others. */
const isTask = Symbol("corio: the route runs as a task");

/** Those that run as tasks already: Fastify makes HEAD routes of GET routes. */
const wrapped = new WeakSet<RouteHandlerMethod>();

function asTask(handler: RouteHandlerMethod, requests: RequestTasks): RouteHandlerMethod {
  if (wrapped.has(handler)) return handler;

  async function handleAsTask(
    this: FastifyInstance,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const work = (): unknown => {
      const result: unknown = handler.call(this, request, reply);
      return result === undefined || result === reply ? untilClosed(reply) : result;
    };
    const { method, routeOptions } = request;
    const name = `${method} ${routeOptions.url ?? request.url}`;
    try {
      return await requests.handle(work, { response: reply.raw, name });
    } catch (error) {
      if (!(error instanceof RequestError) || error.statusCode !== 499) throw error;
      // Nobody is there to read an answer.
      void reply.hijack();
      return undefined;
    }
  }

  wrapped.add(handleAsTask);
  return handleAsTask;
}

/** For a handler that calls `reply.send` and returns nothing: perhaps it is still to call it. */
async function untilClosed(reply: FastifyReply): Promise<void> {
  if (reply.raw.closed || reply.raw.writableEnded) return;
  await until(new Promise<void>((resolve) => reply.raw.once("close", resolve)));
}
