/** Programs that need a process of their own: what happens at its end, and on signals. Node, Bun and Deno. */
import { hostName } from "./harness.ts";

export interface Ended {
  readonly stdout: readonly string[];
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Arguments for the host. */
  readonly flags?: readonly string[];
}

/** Runs an ES module, given as its source, on the host that runs the tests; `corio` is what the tests import. */
export async function runProgram(source: string, options: ProgramOptions = {}): Promise<Ended> {
  // Not an import: this file is also bundled for the browser.
  const { spawn } = process.getBuiltinModule("node:child_process");
  const resolved = source.replaceAll(/from "(corio[^"]*)"/g, (_match, specifier: string) => {
    return `from ${JSON.stringify(import.meta.resolve(specifier))}`;
  });
  const child = spawn(
    process.execPath,
    [...hostArguments(), ...(options.flags ?? []), ...moduleFromInput()],
    {
      env: { ...process.env, NO_COLOR: "1", ...options.environment },
      stdio: "pipe",
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: unknown) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk: unknown) => (stderr += String(chunk)));
  child.stdin.end(resolved);
  return await new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => {
      resolve({ stdout: stdout.split("\n").filter((line) => line !== ""), stderr, exitCode, signal });
    });
  });
}

function hostArguments(): readonly string[] {
  if (hostName === "deno") {
    return [
      "run",
      "--allow-all",
      "--no-lock",
      "--cached-only",
      "--v8-flags=--expose-gc",
      "--conditions=corio-source",
    ];
  }
  if (hostName === "bun") return ["--expose-gc", "--conditions=corio-source"];
  return process.execArgv;
}

function moduleFromInput(): readonly string[] {
  return hostName === "node" ? ["--input-type=module", "-"] : ["-"];
}
