import { fileURLToPath } from "node:url";

/** @param {string} path relative to the root of the repository */
export const inRoot = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const ROOT = inRoot(".");
export const CORIO = inRoot("packages/corio");
/** The other packages: each is compiled against what corio publishes. */
export const PACKAGES = ["request", "http", "postgres", "mysql", "redis", "hono", "fastify"].map((name) =>
  inRoot(`packages/${name}`),
);
/** Everything generated that is neither published nor documentation. Not in node_modules: Node strips no types there. */
export const CACHE = inRoot(".cache");
export const RUNTIMES = inRoot("runtimes");
