import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";
import type { Program } from "./program.ts";
import { toPython } from "./python.ts";
import type { Trace } from "./trace.ts";

/** CPython's asyncio. */
export interface Oracle {
  /** What each of the programs does. */
  run(programs: readonly Program[]): Trace[];
}

export async function loadOracle(): Promise<Oracle> {
  // It would look for its files by its own stack, which source maps lead astray.
  const indexURL = fileURLToPath(new URL(".", import.meta.resolve("pyodide")));
  const pyodide = await loadPyodide({ indexURL });
  pyodide.runPython(readFileSync(new URL("oracle.py", import.meta.url), "utf8"));
  const runBatch = pyodide.runPython("run_batch") as (programs: string) => string;
  return {
    run(programs) {
      const batch = programs.map((program) => [
        toPython(program),
        program.mains,
        program.restarts ?? [],
        program.eager,
      ]);
      return JSON.parse(runBatch(JSON.stringify(batch))) as Trace[];
    },
  };
}
