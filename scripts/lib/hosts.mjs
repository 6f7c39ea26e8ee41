// The hosts that the core's tests run on.
import { pathToFileURL } from "node:url";
import { browserPath } from "./browser.mjs";
import { inRoot } from "./paths.mjs";
import { WHY_UNAVAILABLE, runtimePath, runtimesAvailable } from "./runtimes.mjs";

/**
 * @typedef {object} Host
 * @property {string} name as `--host` takes it
 * @property {string} label
 * @property {string} [command] none for the browser
 * @property {readonly string[]} args before the file to run
 * @property {boolean} [usesDist] runs the compiled package; the others run the sources
 * @property {string} [unavailable] why it cannot run on this machine
 */

/**
 * The subpaths of corio that use Node's modules, by the names of their folders in `src/` and `test/`: they are not for
 * browsers.
 */
export const NODE_SUBPATHS = ["files", "input", "signals", "streams", "subprocess", "threads"];

const pinned = runtimesAvailable ? {} : { unavailable: WHY_UNAVAILABLE };
const SOURCES = "--conditions=corio-source";

/** @type {readonly Host[]} */
export const HOSTS = [
  {
    name: "node",
    label: `node, from dist (${process.version})`,
    command: process.execPath,
    args: [
      "--enable-source-maps",
      "--expose-gc",
      "--no-warnings=ExperimentalWarning",
      `--import=${pathToFileURL(inRoot("scripts/lib/ts-loader.mjs")).href}`,
    ],
    usesDist: true,
  },
  {
    name: "node24",
    label: "node24",
    command: runtimePath("node24/bin/node"),
    args: ["--expose-gc", SOURCES],
    ...pinned,
  },
  {
    name: "node26",
    label: "node26",
    command: runtimePath("node26/bin/node"),
    args: ["--expose-gc", SOURCES],
    ...pinned,
  },
  {
    name: "bun",
    label: "bun",
    command: runtimePath("@oven/bun-linux-x64-baseline/bin/bun"),
    args: ["--expose-gc", SOURCES],
    ...pinned,
  },
  {
    name: "deno",
    label: "deno",
    command: runtimePath("@deno/linux-x64-glibc/deno"),
    args: ["run", "--allow-all", "--no-lock", "--cached-only", "--v8-flags=--expose-gc", SOURCES],
    ...pinned,
  },
  {
    name: "chromium",
    label: "chromium",
    args: [],
    ...(browserPath() === undefined && { unavailable: "found no Chromium; set CHROMIUM_PATH" }),
  },
];
