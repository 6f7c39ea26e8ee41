// Everything that must be there before the first measurement.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildCorioIfStale } from "../../scripts/lib/build.mjs";
import { command, mustRun } from "../../scripts/lib/command.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { WHY_UNAVAILABLE, installRuntimes, runtimesAvailable } from "../../scripts/lib/runtimes.mjs";
import { PEERS } from "../peers.mjs";
import { PYTHON, runtimeOf } from "./runtimes.mjs";

const BENCH = inRoot("bench");

/**
 * Builds corio, since its users get what is built, and installs the rest.
 *
 * @param {import("./options.mjs").Options} options
 * @returns {Promise<{ runtimes: string[], peers: string[], versions: Record<string, string> }>} what there is of what
 *   was asked for, and the versions of all
 */
export async function prepare(options) {
  await buildCorioIfStale();
  await installPeers();
  if (runtimesAvailable) await installRuntimes();

  const runtimes = options.runtimes.filter((id) => runtimesAvailable || runtimeOf(id).installed !== true);
  if (runtimes.length < options.runtimes.length) {
    console.log(`${WHY_UNAVAILABLE}: measured on this Node instead`);
    if (!runtimes.includes("node")) runtimes.unshift("node");
  }

  /** @type {Record<string, string>} */
  const versions = {};
  for (const id of runtimes) versions[id] = (await versionOf(runtimeOf(id).command)) ?? "?";
  for (const { id, npm } of PEERS) {
    if (npm !== undefined && options.peers.includes(id)) versions[id] = npmVersion(npm);
  }
  const python = options.peers.includes("asyncio") ? await versionOf(PYTHON.command) : undefined;
  if (python !== undefined) versions[PYTHON.id] = python;
  else if (options.peers.includes("asyncio")) console.log("found no python3: asyncio is left out");
  const peers = options.peers.filter((id) => id !== "asyncio" || python !== undefined);
  return { runtimes, peers, versions };
}

/** Again when their lock file has changed, as the runtimes are. */
async function installPeers() {
  const lock = readFileSync(join(BENCH, "package-lock.json"), "utf8");
  const stamp = join(BENCH, "node_modules", ".installed-lock.json");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  await mustRun("npm", ["ci", "--ignore-scripts"], { cwd: BENCH });
  writeFileSync(stamp, lock);
}

/** @param {string} file */
async function versionOf(file) {
  const { ok, stdout } = await command(file, ["--version"]);
  return ok ? /\d+\.\d+\.\d+/.exec(stdout)?.[0] : undefined;
}

/** @param {string} name */
function npmVersion(name) {
  /** @type {{ version: string }} */
  const { version } = JSON.parse(readFileSync(join(BENCH, "node_modules", name, "package.json"), "utf8"));
  return version;
}
