// npm run snippets [-- TEXT]: type-checks and runs the examples of the documentation (those in files whose path has TEXT).
//
// An example is a ```ts block in README.md or docs/*.md, or one after @example in a TSDoc comment. It is a module of
// its own and must end without an error. A ```text output block after it is exactly what it prints. What really
// cannot run is marked ```ts type-only: REASON. A block marked ```ts file: NAME.ts is a file beside them, which other
// examples load.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { transform } from "esbuild";
import { TSC } from "./lib/build.mjs";
import { command } from "./lib/command.mjs";
import { CACHE, PACKAGES, ROOT, inRoot } from "./lib/paths.mjs";
import { pool } from "./lib/pool.mjs";
import { installRuntimes, runtimePath, runtimesAvailable } from "./lib/runtimes.mjs";
import { extractSnippets } from "./lib/extract-snippets.mjs";
import { listens } from "./lib/listens.mjs";

/** Milliseconds that one may run. */
const TIME_LIMIT = 20_000;
/** More than there are cores: most of them sleep most of the time. */
const AT_ONCE = 6;

/** What examples need that import these. */
const SERVERS = [
  { specifier: "@corio/postgres", name: "PostgreSQL", port: 5432 },
  { specifier: "@corio/mysql", name: "MySQL or MariaDB", port: 3306 },
  { specifier: "@corio/redis", name: "Redis", port: 6379 },
];

const only = process.argv[2] ?? "";
const documents = [
  "README.md",
  ...list("docs", ".md"),
  ...list("packages/corio/src", ".ts"),
  "packages/corio/README.md",
  ...PACKAGES.flatMap((folder) => {
    const path = relative(ROOT, folder);
    return [...list(`${path}/src`, ".ts"), `${path}/README.md`];
  }),
].filter((path) => path.includes(only));

/** One for each process: two may run at once. */
const dir = join(CACHE, `snippets-${String(process.pid)}`);
mkdirSync(dir, { recursive: true });
process.on("exit", () => {
  rmSync(dir, { recursive: true, force: true });
});

/** @type {string[]} */
const failures = [];
/** Where they are: an example may fail in more than one way. @type {Set<string>} */
const failedAt = new Set();
const snippets = documents.flatMap((path) => {
  const { snippets, problems } = extractSnippets(path, read(path));
  failures.push(...problems);
  return snippets;
});
for (const [index, { file, path, line }] of snippets.entries()) {
  if (snippets.findIndex((other) => other.file === file) < index)
    failures.push(`${path}:${line} is a second file named ${file}`);
}
for (const snippet of snippets) {
  // Empty lines before it make the line numbers those of the document.
  writeFileSync(join(dir, snippet.file), "\n".repeat(snippet.line - 1) + snippet.code);
}

await Promise.all([typeCheck(), execute()]);

for (const failure of failures) console.log(`FAILED ${failure}\n`);
for (const { path, line, typeOnly } of snippets) {
  if (typeOnly !== undefined) console.log(`not run: ${path}:${line}: ${typeOnly}`);
}
console.log(`${snippets.length - failedAt.size} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 ? 1 : 0;

async function typeCheck() {
  if (snippets.length === 0) return;
  const config = {
    extends: inRoot("tsconfig.base.json"),
    compilerOptions: {
      types: ["node"],
      noEmit: true,
      // An example may show a value that it does not use, and export what it does not annotate.
      noUnusedLocals: false,
      noUnusedParameters: false,
      isolatedDeclarations: false,
      declaration: false,
      declarationMap: false,
    },
    files: snippets.map(({ file }) => file),
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(config));
  const { ok, output } = await command(process.execPath, [TSC, "-p", dir, "--pretty", "false"]);
  if (ok) return;
  const byFile = new Map(snippets.map((snippet) => [snippet.file, snippet]));
  /** @type {Map<string, string>} */
  const errors = new Map();
  let path = "";
  for (const line of output.trimEnd().split("\n")) {
    const [, file = "", lineNumber = ""] = /([^/\s]+\.ts)\((\d+),\d+\): error/.exec(line) ?? [];
    if (lineNumber !== "")
      path = byFile.has(file) ? `${byFile.get(file)?.path ?? ""}:${byFile.get(file)?.line ?? ""}` : "types";
    errors.set(
      path,
      `${errors.get(path) ?? ""}\n  ${line.replace(/^.*\.ts\((\d+),\d+\): error/, "line $1: error")}`,
    );
  }
  for (const [where, text] of errors) fail(where, `does not compile:${text}`);
}

async function execute() {
  const node = runtimesAvailable ? runtimePath("node24/bin/node") : process.execPath;
  if (runtimesAvailable) await installRuntimes();
  const programArgs = runtimesAvailable ? ["--conditions=corio-source"] : [inRoot("scripts/run-ts.mjs")];
  const missing = await missingServers();
  const runnable = snippets.filter(({ typeOnly, isImported, code, path, line }) => {
    const server = missing.find(({ specifier }) => code.includes(`from "${specifier}"`));
    if (server !== undefined) console.log(`skipped, there is no ${server.name}: ${path}:${line}`);
    return typeOnly === undefined && isImported !== true && server === undefined;
  });
  await pool(runnable, AT_ONCE, async (snippet) => {
    const { path, line, output: expected } = snippet;
    const program = await programOf(snippet);
    const result = await command(node, [...programArgs, program], { cwd: ROOT, timeout: TIME_LIMIT });
    const where = `${path}:${line}`;
    if (!result.ok) fail(where, `failed:\n${indent(result.output)}`);
    else if (expected !== undefined && result.stdout.trimEnd() !== expected.trimEnd()) {
      fail(where, `printed\n${indent(result.stdout)}\nbut should print\n${indent(expected)}`);
    }
  });
}

/**
 * The file to run. No host runs decorators yet, and Node only strips types: an example that has them is compiled.
 *
 * @param {import("./lib/extract-snippets.mjs").Snippet} snippet
 */
async function programOf({ file, code }) {
  if (!/^\s*@\w/m.test(code)) return join(dir, file);
  const compiled = join(dir, file.replace(/\.ts$/, ".mjs"));
  writeFileSync(compiled, (await transform(code, { loader: "ts", target: "es2022", keepNames: true })).code);
  return compiled;
}

/** Those that do not listen on this machine. In CI all must. */
async function missingServers() {
  if (process.env["CI"] !== undefined) return [];
  const answers = await Promise.all(
    SERVERS.map(async (server) => ((await listens(server.port)) ? [] : [server])),
  );
  return answers.flat();
}

/** @param {string} where @param {string} what */
function fail(where, what) {
  if (snippets.some(({ path, line }) => where === `${path}:${line}`)) failedAt.add(where);
  failures.push(`${where} ${what}`);
}

/** @param {string} folder @param {string} extension */
function list(folder, extension) {
  return readdirSync(inRoot(folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(extension) && !name.startsWith("site"))
    .sort()
    .map((name) => `${folder}/${name}`);
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(inRoot(path), "utf8");
  } catch {
    return "";
  }
}

/** @param {string} text */
function indent(text) {
  return text.trimEnd().replace(/^/gm, "    ");
}
