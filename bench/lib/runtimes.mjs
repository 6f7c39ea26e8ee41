// What the peers run on: the hosts of `npm test`, this process's own Node, and Python.
import { runtimePath } from "../../scripts/lib/runtimes.mjs";

/**
 * @typedef {object} Runtime
 * @property {string} id
 * @property {string} command
 * @property {readonly string[]} args
 * @property {readonly string[]} memoryArgs for workloads that count memory or hold a million tasks
 * @property {string} child what it runs
 * @property {boolean} [installed] by `npm test` and `npm run bench`, in runtimes/
 */

const HEAP = "--max-old-space-size=8192";

/** @param {string} command @param {boolean} installed @param {string} id @returns {Runtime} */
const node = (id, command, installed) => ({
  id,
  command,
  args: [],
  memoryArgs: ["--expose-gc", HEAP],
  child: "child.mjs",
  installed,
});

/** @type {readonly Runtime[]} */
export const RUNTIMES = [
  node("node", process.execPath, false),
  node("node24", runtimePath("node24/bin/node"), true),
  node("node26", runtimePath("node26/bin/node"), true),
  {
    id: "bun",
    command: runtimePath("@oven/bun-linux-x64-baseline/bin/bun"),
    args: [],
    memoryArgs: [],
    child: "child.mjs",
    installed: true,
  },
  {
    id: "deno",
    command: runtimePath("@deno/linux-x64-glibc/deno"),
    args: ["run", "--allow-all", "--no-lock", "--cached-only"],
    memoryArgs: [`--v8-flags=--expose-gc,${HEAP}`],
    child: "child.mjs",
    installed: true,
  },
];

/** @type {Runtime} */
export const PYTHON = {
  id: "python",
  command: "python3",
  // No __pycache__.
  args: ["-B"],
  memoryArgs: [],
  child: "python/child.py",
};

/** @param {string} id @returns {Runtime} */
export function runtimeOf(id) {
  const runtime = [...RUNTIMES, PYTHON].find((candidate) => candidate.id === id);
  if (runtime === undefined) throw new Error(`no runtime ${id}`);
  return runtime;
}
