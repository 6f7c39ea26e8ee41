// node scripts/run-ts.mjs FILE.ts [ARG...]: runs a TypeScript program of this repository on any Node from 20 on.
// In this very process, so that signals reach it and its exit code is this one's.
import * as nodeModule from "node:module";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";
import workerThreads from "node:worker_threads";

const [, , file, ...args] = process.argv;
if (file === undefined) {
  console.error("usage: node scripts/run-ts.mjs FILE.ts [ARG...]");
  process.exit(2);
}

/**
 * @typedef {{ conditions: string[] }} Context
 * @typedef {(specifier: string, context: Context, next: (specifier: string, context: Context) => object) => object} Resolve
 */
/** Newer than Node 20 and its types. @type {{ registerHooks?: (hooks: { resolve: Resolve }) => void }} */
const { registerHooks } = /** @type {object} */ (nodeModule);

if ("typescript" in process.features && knowsUsing() && registerHooks !== undefined) {
  // As `node --conditions=corio-source` does: `corio` is its sources.
  handOn("--conditions=corio-source");
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      nextResolve(specifier, { ...context, conditions: [...context.conditions, "corio-source"] }),
  });
} else {
  // This Node cannot run what is written: `corio` is its dist, and the program is compiled as it is loaded.
  const { buildCorioIfStale } = await import("./lib/build.mjs");
  await buildCorioIfStale();
  process.setSourceMapsEnabled(true);
  nodeModule.register("./lib/ts-loader-hooks.mjs", import.meta.url);
  handOn(`--import=${new URL("lib/ts-loader.mjs", import.meta.url).href}`);
}

const program = resolve(file);
process.argv = [process.execPath, program, ...args];
await import(pathToFileURL(program).href);

/** Whether `using` is known: Node 22 strips types, but leaves this in. */
function knowsUsing() {
  try {
    new Script("{ using nothing = null; }");
    return true;
  } catch {
    return false;
  }
}

/** Threads and processes that the program starts have an option of Node, as if this one had been started with it. @param {string} option */
function handOn(option) {
  process.execArgv.push(option);
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    /** @param {string | URL} script @param {import("node:worker_threads").WorkerOptions} [options] */
    constructor(script, options) {
      super(script, { execArgv: process.execArgv, ...options });
    }
  };
  nodeModule.syncBuiltinESMExports();
}
