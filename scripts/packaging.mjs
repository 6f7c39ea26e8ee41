// Checks the packages as users get them: packed, linted, installed in a project outside of this repository, used there.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { TSC, buildCorioIfStale } from "./lib/build.mjs";
import { command, mustRun } from "./lib/command.mjs";
import { CACHE, CORIO, inRoot, PACKAGES } from "./lib/paths.mjs";
import { installRuntimes, runtimePath, runtimesAvailable } from "./lib/runtimes.mjs";

await buildCorioIfStale();

const packDir = join(CACHE, "packaging");
rmSync(packDir, { recursive: true, force: true });
mkdirSync(packDir, { recursive: true });
const tarball = await pack(CORIO);

const project = mkdtempSync(join(tmpdir(), "corio-user-"));
const strictest = {
  strict: true,
  target: "ES2022",
  module: "NodeNext",
  types: [],
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  skipLibCheck: false,
  outDir: "out",
};
/** What users compile with: the newest TypeScript, the last that is JavaScript, and the oldest that they may have. */
const compilers = [TSC, inRoot("node_modules/typescript/bin/tsc")];
if (runtimesAvailable) {
  await installRuntimes();
  compilers.push(runtimePath("typescript-oldest/bin/tsc"));
}
/** @type {Map<string, string>} */
const compilerOf = new Map();
for (const compiler of compilers) compilerOf.set(await versionOf(compiler), compiler);
/** The kinds of projects it must compile in. */
const configs = {
  "tsconfig.json": { ...strictest, lib: ["ES2022", "ESNext.Disposable", "DOM"] },
  "tsconfig.node.json": {
    ...strictest,
    lib: ["ES2022"],
    types: ["node"],
    typeRoots: [inRoot("node_modules/@types")],
  },
  "tsconfig.bundler.json": {
    ...strictest,
    module: "ESNext",
    moduleResolution: "Bundler",
    lib: ["ES2022", "ESNext.Disposable", "DOM"],
    noEmit: true,
  },
};

let passed = 0;
let failed = 0;
try {
  for (const [name, compilerOptions] of Object.entries(configs)) {
    const files = "typeRoots" in compilerOptions ? ["smoke.ts", "smoke-streams.ts"] : ["smoke.ts"];
    writeFileSync(join(project, name), JSON.stringify({ compilerOptions, files }));
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  for (const file of ["smoke.ts", "smoke-streams.ts"]) {
    copyFileSync(inRoot(`scripts/packaging/${file}`), join(project, file));
  }
  await mustRun("npm", ["install", "--offline", "--ignore-scripts", tarball], { cwd: project });

  await checkTarball("corio", tarball);
  for (const name of Object.keys(configs)) await checkTypes("corio", name);
  await check("runs from dist", "out/smoke.js");
  await check("streams run from dist", "out/smoke-streams.js");
  for (const folder of PACKAGES) await installPackage(folder);
  const names = PACKAGES.map((folder) => basename(folder));
  // In one program: most of what a compiler does is to read the types of Node and corio.
  const compilerOptions = configs["tsconfig.node.json"];
  const files = names.map((name) => `${name}.ts`);
  writeFileSync(join(project, "tsconfig.packages.json"), JSON.stringify({ compilerOptions, files }));
  await checkTypes("what uses the other packages", "tsconfig.packages.json");
  for (const name of names) await check(`${name} runs from dist`, `out/${name}.js`);
} finally {
  rmSync(project, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** Packs a package, and gives the tarball. @param {string} folder */
async function pack(folder) {
  const packed = await mustRun("npm", ["pack", "--json", "--pack-destination", packDir], { cwd: folder });
  const tarball = join(packDir, `${basename(folder)}.tgz`);
  copyFileSync(join(packDir, packedName(packed.stdout)), tarball);
  return tarball;
}

/** @param {string} name @param {string} tarball */
async function checkTarball(name, tarball) {
  await check(`publint of ${name}`, inRoot("node_modules/publint/src/cli.js"), "run", tarball, "--strict");
  const attw = inRoot("node_modules/@arethetypeswrong/cli/dist/index.js");
  await check(`types of ${name}`, attw, tarball, "--profile", "esm-only");
}

/**
 * Packs and installs one of the other packages. What it depends on is taken from this repository: to install it, npm
 * would have to ask the registry.
 *
 * @param {string} folder
 */
async function installPackage(folder) {
  const name = basename(folder);
  const tarball = await pack(folder);
  await checkTarball(name, tarball);
  const modules = join(project, "node_modules");
  const installed = join(modules, "@corio", name);
  mkdirSync(installed, { recursive: true });
  await mustRun("tar", ["-xzf", tarball, "--strip-components=1", "-C", installed]);
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    const link = join(modules, dependency);
    // Corio, and what another package has brought along or is one of these, is there.
    if (!existsSync(link)) symlinkSync(inRoot(`node_modules/${dependency}`), link);
  }
  copyFileSync(inRoot(`scripts/packaging/${name}.ts`), join(project, `${name}.ts`));
}

/** @param {string} compiler */
async function versionOf(compiler) {
  return (await mustRun(process.execPath, [compiler, "--version"])).stdout.replace("Version ", "").trim();
}

/** @param {string} name @param {string} config */
async function checkTypes(name, config) {
  for (const [version, compiler] of compilerOf) {
    await check(`${name} compiles with TypeScript ${version} and ${config}`, compiler, "-p", config);
  }
}

/**
 * Runs a program with this Node, in the user's project.
 *
 * @param {string} name
 * @param {...string} args
 */
async function check(name, ...args) {
  const { ok, output } = await command(process.execPath, args, { cwd: project });
  console.log(`${ok ? "ok" : "FAILED"} ${name}`);
  if (ok) passed++;
  else {
    failed++;
    console.log(output);
  }
}

/** npm 12 prints an object by package name where earlier ones print an array. @param {string} json */
function packedName(json) {
  const printed = JSON.parse(json);
  const [first] = /** @type {{ filename: string }[]} */ (Object.values(printed));
  if (first === undefined) throw new Error(`npm pack printed ${json}`);
  return first.filename;
}
