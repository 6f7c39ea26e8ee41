import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CACHE } from "./paths.mjs";

const PACKAGES = new URL("../../packages/", import.meta.url).href;

/** A relative import of a package's source gets its compiled module: there must not be two copies. @type {import("node:module").ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  const resolved = await nextResolve(specifier, context);
  const [, name, file] = /^([^/]+)\/src\/(.*)\.ts$/.exec(resolved.url.slice(PACKAGES.length)) ?? [];
  if (name === undefined || file === undefined || !resolved.url.startsWith(PACKAGES)) return resolved;
  const url = `${PACKAGES}${name}/dist/${file}.js`;
  return { url, format: "module", shortCircuit: true };
}

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return await nextLoad(url, context);
  const file = fileURLToPath(url);
  return { format: "module", source: await compile(file, await readFile(file, "utf8")), shortCircuit: true };
}

const COMPILED = join(CACHE, "ts-loader");

/**
 * Threads and processes that a test starts load the same files again: most of them need not load the compiler.
 *
 * @param {string} file
 * @param {string} source
 */
async function compile(file, source) {
  const kept = join(
    COMPILED,
    `${createHash("sha256").update(file).update("\0").update(source).digest("hex")}.js`,
  );
  try {
    return await readFile(kept, "utf8");
  } catch {
    // Not compiled yet.
  }
  const { transform } = await import("esbuild");
  const { code } = await transform(source, {
    loader: "ts",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    sourcefile: file,
    // Names are shown in reports: `main`, not `main2`.
    keepNames: true,
  });
  await mkdir(COMPILED, { recursive: true });
  const whole = `${kept}-${process.pid}-${performance.now()}`;
  await writeFile(whole, code);
  await rename(whole, kept);
  return code;
}
