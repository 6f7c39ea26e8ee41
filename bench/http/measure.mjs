import { spawn } from "node:child_process";
import { inRoot } from "../../scripts/lib/paths.mjs";

/** Runs the comparison of HTTP servers and clients, which prints. @param {{ readonly quick: boolean }} options */
export async function measureHttp({ quick }) {
  const args = [inRoot("bench/http/run.mjs"), ...(quick ? ["--quick"] : [])];
  await new Promise((resolve) => spawn(process.execPath, args, { stdio: "inherit" }).once("exit", resolve));
}
