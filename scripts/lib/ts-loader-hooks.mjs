import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const SOURCES = new URL("../../packages/corio/src/", import.meta.url).href;
const DIST = new URL("../../packages/corio/dist/", import.meta.url).href;

/** A relative import of a corio source gets its compiled module: there must not be two copies. @type {import("node:module").ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  const resolved = await nextResolve(specifier, context);
  if (!resolved.url.startsWith(SOURCES)) return resolved;
  const url = DIST + resolved.url.slice(SOURCES.length).replace(/\.ts$/, ".js");
  return { url, format: "module", shortCircuit: true };
}

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return await nextLoad(url, context);
  const file = fileURLToPath(url);
  const { code } = await transform(await readFile(file, "utf8"), {
    loader: "ts",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    sourcefile: file,
    // Names are shown in reports: `main`, not `main2`.
    keepNames: true,
  });
  return { format: "module", source: code, shortCircuit: true };
}
