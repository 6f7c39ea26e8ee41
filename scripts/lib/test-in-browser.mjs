import { createServer } from "node:http";
import { SourceMap } from "node:module";
import * as esbuild from "esbuild";
import { launchBrowser } from "./browser.mjs";
import { ROOT } from "./paths.mjs";
import { watch } from "./test-log.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><title>corio</title><link rel="icon" href="data:,">
<script type="module" src="/tests.js"></script>`;

/**
 * Bundles the tests with the sources and runs them in a page.
 *
 * @param {string} entry
 * @param {import("./test-log.mjs").TestLog} log
 * @param {number} timeout
 */
export async function runInBrowser(entry, log, timeout) {
  const { code, mapStack } = await bundle(entry);
  const server = createServer((request, response) => {
    const script = request.url === "/tests.js";
    response.writeHead(200, { "content-type": script ? "text/javascript" : "text/html" });
    response.end(script ? code : PAGE);
  });
  await new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      resolve(undefined);
    }),
  );
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");

  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await new Promise((resolve) => {
      const watchdog = watch(log, timeout, () => {
        resolve(undefined);
      });
      const abort = (/** @type {string} */ reason) => {
        log.abort(reason);
        watchdog.stop();
        resolve(undefined);
      };
      page.on("console", (message) => {
        log.addLine(mapStack(message.text()));
        if (log.ended) {
          watchdog.stop();
          resolve(undefined);
        }
      });
      page.on("pageerror", (error) => {
        console.log(`uncaught in the page: ${mapStack(error.stack ?? error.message)}`);
      });
      page.on("crash", () => {
        abort("the page has crashed");
      });
      page.goto(`http://127.0.0.1:${String(address.port)}/`).catch((/** @type {unknown} */ error) => {
        abort(String(error));
      });
    });
  } finally {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }
}

/** @param {string} entry */
async function bundle(entry) {
  const result = await esbuild.build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    outfile: "tests.js",
    format: "esm",
    platform: "browser",
    target: "chrome120",
    conditions: ["corio-source"],
    sourcemap: "external",
    // Reports name functions.
    keepNames: true,
    plugins: [fileUrls, mochaForBrowsers],
    logLevel: "silent",
  });
  const [map, code] = result.outputFiles;
  const sourceMap = new SourceMap(JSON.parse(map?.text ?? ""));
  /** Chromium leaves positions in stacks as they are in the bundle. @param {string} text */
  const mapStack = (text) =>
    text.replace(/(?:http:\/\/127\.0\.0\.1:\d+\/)?\btests\.js:(\d+):(\d+)/g, (position, line, column) => {
      const found = sourceMap.findEntry(Number(line) - 1, Number(column) - 1);
      if (!("originalSource" in found)) return position;
      return `${found.originalSource}:${String(found.originalLine + 1)}:${String(found.originalColumn + 1)}`;
    });
  return { code: code?.text ?? "", mapStack };
}

/** Lets esbuild follow `file:` imports, which the entry uses. @type {import("esbuild").Plugin} */
const fileUrls = {
  name: "file-urls",
  setup(build) {
    build.onResolve({ filter: /^file:/ }, ({ path }) => ({
      path: decodeURIComponent(new URL(path).pathname),
    }));
  },
};

/** mocha's own build for browsers has no export. @type {import("esbuild").Plugin} */
const mochaForBrowsers = {
  name: "mocha-for-browsers",
  setup(build) {
    build.onResolve({ filter: /^mocha$/ }, () => ({ path: "mocha", namespace: "mocha-for-browsers" }));
    build.onLoad({ filter: /.*/, namespace: "mocha-for-browsers" }, () => ({
      contents: `import "mocha/mocha.js"; export default globalThis.Mocha;`,
      resolveDir: ROOT,
    }));
  },
};
