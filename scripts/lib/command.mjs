import { spawn } from "node:child_process";
import { ROOT } from "./paths.mjs";

/**
 * @typedef {object} Result
 * @property {boolean} ok whether it exited with 0
 * @property {string} output what it wrote to stdout and stderr, in order of arrival
 * @property {string} stdout
 */

/**
 * Runs a command to its end and collects what it prints.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, timeout?: number }} [options] timeout in milliseconds
 * @returns {Promise<Result>}
 */
export function command(file, args, { cwd = ROOT, env = {}, timeout = 0 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let stdout = "";
    let timedOut = false;
    const timer =
      timeout > 0
        ? setTimeout(() => {
            timedOut = true;
            child.kill("SIGKILL");
          }, timeout)
        : undefined;
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output += text;
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ ok: false, output: `${output}${file}: ${error.message}\n`, stdout });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (timedOut) output += `stopped: it did not end within ${String(timeout / 1000)} s\n`;
      resolve({ ok: code === 0, output, stdout });
    });
  });
}

/**
 * Like {@link command}, for steps which must succeed: throws what was printed otherwise.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {Parameters<typeof command>[2]} [options]
 * @returns {Promise<Result>}
 */
export async function mustRun(file, args, options) {
  const result = await command(file, args, options);
  if (!result.ok) throw new Error(`${[file, ...args].join(" ")} failed:\n${result.output}`);
  return result;
}
