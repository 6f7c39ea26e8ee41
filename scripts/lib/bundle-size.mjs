// What a page pays for an import: bundled and minified for browsers, then gzip -9.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { ROOT } from "./paths.mjs";

/**
 * The code, and how many bytes of it come from each file.
 *
 * @param {string} contents what is imported, as a module
 * @param {import("esbuild").BuildOptions} [options]
 */
export async function bundle(contents, options = {}) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: ROOT },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "error",
    metafile: true,
    ...options,
  });
  const files = Object.values(metafile?.outputs ?? {}).flatMap(({ inputs }) => Object.entries(inputs));
  return {
    code: outputFiles?.[0]?.text ?? "",
    files: files.map(([file, { bytesInOutput }]) => ({ file, bytes: bytesInOutput })),
  };
}

/** In bytes. @param {string} code */
export function sizeOf(code) {
  return { minified: Buffer.byteLength(code), gzipped: gzipSync(code, { level: 9 }).length };
}

/** @param {number} bytes */
export function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(2).padStart(6)} kB`;
}
