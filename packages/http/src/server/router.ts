import { ArgumentTypeError } from "corio";
import { HttpException } from "../errors.ts";
import type { Handler, HandlerResult } from "./serve.ts";
import type { ServerRequest } from "./server-request.ts";

/** The names of the parameters in a path: `id` and `rest` of `/users/:id/*rest`. */
export type PathParameters<Path extends string> = Path extends `${infer First}/${infer Others}`
  ? PathParameters<First> & PathParameters<Others>
  : Path extends `:${infer Name}` | `*${infer Name}`
    ? Readonly<Record<Name, string>>
    : unknown;

/** A handler whose path parameters are known. */
export type RouteHandler<Path extends string> = (
  request: ServerRequest,
  params: PathParameters<Path>,
) => HandlerResult | PromiseLike<HandlerResult>;

interface Route {
  readonly method: string;
  readonly segments: readonly string[];
  readonly handler: RouteHandler<string>;
}

/**
 * Finds the handler of a path. `:name` stands for one segment of it, `*name` at the end for all that are left. What is
 * added first is tried first. An unknown path is answered with 404, a known one with another method with 405; HEAD goes
 * to the handlers of GET.
 *
 * It is small on purpose: for more, there are frameworks. aiohttp: `web.RouteTableDef`.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { ClientSession, Router, serve } from "@corio/http";
 *
 * const router = new Router();
 * router.get("/users/:id", (_request, { id }) => `user ${id}`);
 *
 * async function main() {
 *   await using server = await serve(router.handler);
 *   await using session = new ClientSession({ baseUrl: server.url });
 *   console.log(await session.get("/users/7", (response) => response.text()));
 *   console.log(await session.get("/unknown", (response) => response.status));
 * }
 *
 * await run(main);
 * ```
 * ```text output
 * user 7
 * 404
 * ```
 */
export class Router {
  readonly #routes: Route[] = [];

  /** Adds a route. Throws `ArgumentTypeError` for a path that is none. */
  add<Path extends string>(method: string, path: Path, handler: RouteHandler<Path>): this {
    if (!path.startsWith("/"))
      throw new ArgumentTypeError(`a route begins with a slash, got ${JSON.stringify(path)}`);
    const segments = path.slice(1).split("/");
    if (segments.slice(0, -1).some((segment) => segment.startsWith("*")))
      throw new ArgumentTypeError(
        `only the last segment of a route can be a *rest, got ${JSON.stringify(path)}`,
      );
    this.#routes.push({ method: method.toUpperCase(), segments, handler: handler });
    return this;
  }

  /** `add("GET", …)`. */
  get<Path extends string>(path: Path, handler: RouteHandler<Path>): this {
    return this.add("GET", path, handler);
  }

  /** `add("POST", …)`. */
  post<Path extends string>(path: Path, handler: RouteHandler<Path>): this {
    return this.add("POST", path, handler);
  }

  /** `add("PUT", …)`. */
  put<Path extends string>(path: Path, handler: RouteHandler<Path>): this {
    return this.add("PUT", path, handler);
  }

  /** `add("DELETE", …)`. */
  delete<Path extends string>(path: Path, handler: RouteHandler<Path>): this {
    return this.add("DELETE", path, handler);
  }

  /** What `serve` takes. */
  readonly handler: Handler = (request) => {
    const path = request.path.slice(1).split("/").map(decode);
    const method = request.method === "HEAD" ? "GET" : request.method;
    const allowed = new Set<string>();
    for (const route of this.#routes) {
      const params = match(route.segments, path);
      if (params === null) continue;
      if (route.method === method || route.method === request.method) return route.handler(request, params);
      allowed.add(route.method);
    }
    if (allowed.size === 0) throw new HttpException(404);
    throw new HttpException(405, undefined, { headers: { allow: [...allowed].join(", ") } });
  };
}

function match(segments: readonly string[], path: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith("*")) {
      params[segment.slice(1)] = path.slice(index).join("/");
      return params;
    }
    const part = path[index];
    if (part === undefined || (segment.startsWith(":") ? part === "" : part !== segment)) return null;
    if (segment.startsWith(":")) params[segment.slice(1)] = part;
  }
  return segments.length === path.length ? params : null;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new HttpException(400, "the address has a broken escape sequence", { cause: error });
  }
}
