import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { CORIO } from "./paths.mjs";
import { watch } from "./test-log.mjs";

/**
 * Runs the tests on Node, Bun or Deno.
 *
 * @param {import("./hosts.mjs").Host} host
 * @param {string} entry
 * @param {import("./test-log.mjs").TestLog} log
 * @param {number} timeout
 */
export async function runInProcess(host, entry, log, timeout) {
  const child = spawn(host.command ?? "", [...host.args, entry], {
    cwd: CORIO,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = () => child.kill("SIGKILL");
  const watchdog = watch(log, timeout, kill);
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    log.addLine(line);
    // What a failed test has left behind must not keep the process.
    if (log.ended) kill();
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    console.log(line);
  });
  await new Promise((resolve) => {
    child.on("error", (error) => {
      log.abort(error.message);
      resolve(undefined);
    });
    child.on("close", (code, signal) => {
      log.abort(`the process has ended before the tests: ${signal ?? `exit code ${String(code)}`}`);
      resolve(undefined);
    });
  });
  watchdog.stop();
}
