// node scripts/test-host.mjs HOST [--grep TEXT] [--timeout MS] [--slowest N] [FILE...]: the packages' tests on one host.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { buildCorioIfStale } from "./lib/build.mjs";
import { HOSTS, NODE_SUBPATHS } from "./lib/hosts.mjs";
import { CACHE, CORIO, PACKAGES } from "./lib/paths.mjs";
import { installRuntimes } from "./lib/runtimes.mjs";
import { TestLog } from "./lib/test-log.mjs";
import { runInBrowser } from "./lib/test-in-browser.mjs";
import { runInProcess } from "./lib/test-in-process.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    grep: { type: "string" },
    timeout: { type: "string", default: "60000" },
    slowest: { type: "string", default: "0" },
  },
});
const [hostName, ...files] = positionals;
const host = HOSTS.find(({ name }) => name === hostName);
if (host === undefined) {
  throw new Error(`usage: test-host.mjs ${HOSTS.map(({ name }) => name).join("|")} [--grep TEXT] [FILE...]`);
}
if (host.unavailable !== undefined) throw new Error(`${host.name}: ${host.unavailable}`);
if (host.usesDist) await buildCorioIfStale();
else if (host.command !== undefined) await installRuntimes();

// What the other packages are for, no browser has.
const packages = host.command === undefined ? [CORIO] : [CORIO, ...PACKAGES];
const testFiles = files.length > 0 ? files.map((file) => resolve(file)) : packages.flatMap(testFilesOf);

// The same entry for every host. Plain dynamic imports, so that one can be bundled for the browser.
const timeout = Number(options.timeout);
const entry = join(CACHE, "test", `${host.name}-${String(process.pid)}.ts`);
mkdirSync(join(CACHE, "test"), { recursive: true });
writeFileSync(
  entry,
  `import { runTests } from ${moduleSpecifier(join(CORIO, "test", "support", "run.ts"))};
await runTests({
  files: [
${testFiles.map((file) => `    () => import(${moduleSpecifier(file)}),`).join("\n")}
  ],
  grep: ${JSON.stringify(options.grep)},
  timeout: ${String(timeout)},
  forbidOnly: ${String(process.env["CI"] !== undefined)},
});
`,
);

const log = new TestLog(Number(options.slowest));
try {
  await (host.command === undefined
    ? runInBrowser(entry, log, timeout)
    : runInProcess(host, entry, log, timeout));
} finally {
  rmSync(entry);
}
log.close();
process.exit(log.failed > 0 ? 1 : 0);

/** @param {string} folder */
function testFilesOf(folder) {
  const testDir = join(folder, "test");
  return readdirSync(testDir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .filter((name) => host?.command !== undefined || !NODE_SUBPATHS.includes(name.split(sep)[0] ?? ""))
    .sort()
    .map((name) => join(testDir, name));
}

/** @param {string} path */
function moduleSpecifier(path) {
  return JSON.stringify(pathToFileURL(path).href);
}
