import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./command.mjs";
import { CORIO, inRoot, PACKAGES } from "./paths.mjs";

/**
 * The native compiler, which is ten times as fast. The package `typescript` is the one before it, in JavaScript: the
 * linter and TypeDoc need that to ask about types.
 */
export const TSC = inRoot("node_modules/typescript-compiler/bin/tsc");

const STAMP = ".built";

/** Compiles the packages, corio first. */
export async function buildCorio() {
  for (const folder of [CORIO, ...PACKAGES]) await build(folder);
}

/** Compiles those of which a source is newer than the last build, and what is compiled against them. */
export async function buildCorioIfStale() {
  let isStale = false;
  for (const folder of [CORIO, ...PACKAGES]) {
    if (isStale || sourcesAreNewer(folder)) await build(folder);
    // The others are compiled against corio's declarations.
    if (folder === CORIO) isStale = PACKAGES.some((other) => builtAt(other) < builtAt(CORIO));
  }
}

/** Compiles a package's src to its dist; the old one stays until the new one is whole. @param {string} folder */
async function build(folder) {
  const dist = join(folder, "dist");
  const building = `${dist}-${process.pid}`;
  try {
    await mustRun(process.execPath, [TSC, "-p", join(folder, "tsconfig.build.json"), "--outDir", building]);
    // Written last, so that a build which failed or was stopped is seen as stale.
    writeFileSync(join(building, STAMP), "");
    rmSync(dist, { recursive: true, force: true });
    renameSync(building, dist);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** @param {string} folder */
function sourcesAreNewer(folder) {
  const built = builtAt(folder);
  const sources = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" });
  const inputs = [...sources.map((name) => join("src", name)), "src", "package.json", "tsconfig.build.json"];
  return inputs.some((name) => statSync(join(folder, name)).mtimeMs > built);
}

/** @param {string} folder */
function builtAt(folder) {
  const stamp = join(folder, "dist", STAMP);
  return existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
}
