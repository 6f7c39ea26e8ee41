// The hosts in runtimes/, about 0.6 GB: installed when first needed, and again when their lock file changes.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./command.mjs";
import { RUNTIMES } from "./paths.mjs";

const LOCK_FILE = join(RUNTIMES, "package-lock.json");
/** Holds a copy of the lock file that was installed. */
const STAMP = join(RUNTIMES, "node_modules", ".installed-lock.json");

export const runtimesAvailable = process.platform === "linux" && process.arch === "x64";

export const WHY_UNAVAILABLE = `the pinned runtimes are for Linux x64, this is ${process.platform} ${process.arch}`;

/** @param {string} path below runtimes/node_modules */
export const runtimePath = (path) => join(RUNTIMES, "node_modules", path);

/** @returns {Promise<boolean>} whether there was anything to do */
export async function installRuntimes() {
  const lock = readFileSync(LOCK_FILE, "utf8");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === lock) return false;
  await mustRun("npm", ["ci", "--ignore-scripts"], { cwd: RUNTIMES });
  writeFileSync(STAMP, lock);
  return true;
}
