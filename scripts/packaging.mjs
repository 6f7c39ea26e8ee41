// Checks the package as users get it: packed, linted, installed in a project outside of this repository, used there.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TSC, buildCorioIfStale } from "./lib/build.mjs";
import { command, mustRun } from "./lib/command.mjs";
import { CACHE, CORIO, inRoot } from "./lib/paths.mjs";

await buildCorioIfStale();

const packDir = join(CACHE, "packaging");
rmSync(packDir, { recursive: true, force: true });
mkdirSync(packDir, { recursive: true });
const packed = await mustRun("npm", ["pack", "--json", "--pack-destination", packDir], { cwd: CORIO });
const tarball = join(packDir, "corio.tgz");
copyFileSync(join(packDir, packedName(packed.stdout)), tarball);

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
    writeFileSync(join(project, name), JSON.stringify({ compilerOptions, files: ["smoke.ts"] }));
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  copyFileSync(inRoot("scripts/packaging/smoke.ts"), join(project, "smoke.ts"));
  await mustRun("npm", ["install", "--offline", "--ignore-scripts", tarball], { cwd: project });

  await check("publint", inRoot("node_modules/publint/src/cli.js"), "run", tarball, "--strict");
  await check(
    "types",
    inRoot("node_modules/@arethetypeswrong/cli/dist/index.js"),
    tarball,
    "--profile",
    "esm-only",
  );
  for (const name of Object.keys(configs)) await check(`compiles with ${name}`, TSC, "-p", name);
  await check("runs from dist", "out/smoke.js");
} finally {
  rmSync(project, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

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
