// npm run typecheck: every program of the repository, type tests included.
import { existsSync } from "node:fs";
import { TSC } from "./lib/build.mjs";
import { command } from "./lib/command.mjs";
import { inRoot } from "./lib/paths.mjs";
import { pool } from "./lib/pool.mjs";

const projects = [
  "packages/corio/tsconfig.json",
  "packages/corio/tsconfig.core.json",
  "packages/http/tsconfig.json",
  "packages/postgres/tsconfig.json",
  "packages/mysql/tsconfig.json",
  "packages/request/tsconfig.json",
  "packages/hono/tsconfig.json",
  "packages/fastify/tsconfig.json",
  "packages/redis/tsconfig.json",
  "scripts/tsconfig.json",
  "examples/tsconfig.json",
  "conformance/tsconfig.json",
  "bench/tsconfig.json",
].filter((project) => existsSync(inRoot(project)));

const results = await pool(projects, 2, async (project) => ({
  project,
  ...(await command(process.execPath, [TSC, "--noEmit", "-p", inRoot(project)])),
}));

for (const { project, ok, output } of results) {
  console.log(`${ok ? "ok" : "FAILED"} ${project}`);
  if (!ok) console.log(output);
}
const failed = results.filter(({ ok }) => !ok).length;
console.log(`${String(results.length - failed)} passed, ${String(failed)} failed`);
process.exitCode = failed > 0 ? 1 : 0;
