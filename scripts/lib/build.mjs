import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./command.mjs";
import { CORIO, inRoot } from "./paths.mjs";

export const TSC = inRoot("node_modules/typescript/bin/tsc");

const DIST = join(CORIO, "dist");
/** Written last, so that a build which failed or was stopped is seen as stale. */
const STAMP = join(DIST, ".built");

/** Compiles packages/corio/src to packages/corio/dist; the old one stays until the new one is whole. */
export async function buildCorio() {
  const building = `${DIST}-${process.pid}`;
  try {
    await mustRun(process.execPath, [TSC, "-p", join(CORIO, "tsconfig.build.json"), "--outDir", building]);
    writeFileSync(join(building, ".built"), "");
    rmSync(DIST, { recursive: true, force: true });
    renameSync(building, DIST);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** Compiles it if a source is newer than the last build. */
export async function buildCorioIfStale() {
  if (!existsSync(STAMP)) {
    await buildCorio();
    return;
  }
  const built = statSync(STAMP).mtimeMs;
  const sources = readdirSync(join(CORIO, "src"), { recursive: true, encoding: "utf8" });
  const inputs = [...sources.map((name) => join("src", name)), "src", "package.json", "tsconfig.build.json"];
  if (inputs.some((name) => statSync(join(CORIO, name)).mtimeMs > built)) await buildCorio();
}
