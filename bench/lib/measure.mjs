import { command } from "../../scripts/lib/command.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { runtimeOf } from "./runtimes.mjs";

/** Milliseconds: far more than anything should need. */
const TIME_LIMIT = 180_000;

/**
 * Runs one measurement in a process of its own.
 *
 * @param {import("./schedule.mjs").Planned} planned
 * @returns {Promise<{ output: import("../child.mjs").Output } | { failure: string }>}
 */
export async function measure({ runtime, job }) {
  const { command: file, args, memoryArgs, child } = runtimeOf(runtime);
  const manyTasks = job.kind === "memory" || job.workload.startsWith("scale-");
  const { ok, output, stdout } = await command(
    file,
    [...args, ...(manyTasks ? memoryArgs : []), inRoot(`bench/${child}`), JSON.stringify(job)],
    { cwd: inRoot("bench"), env: { DENO_NO_UPDATE_CHECK: "1" }, timeout: TIME_LIMIT },
  );
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (!ok || !line.startsWith("{")) return { failure: reasonOf(output) };
  return { output: JSON.parse(line) };
}

/** The line that says what went wrong, of a stack trace of Node or Python. @param {string} output */
function reasonOf(output) {
  const lines = output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.find((line) => /^(\w*Error|error|stopped|FATAL)\b/.test(line)) ?? lines.at(-1) ?? "no output";
}
