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
  /** What is on its standard input; by default nothing. `null`: left open, for `child.stdin`. */
  readonly input?: string | null;
  /** A command, with arguments, that runs the host. */
  readonly under?: readonly string[];
}

type ChildProcess = import("node:child_process").ChildProcessWithoutNullStreams;

/** A program that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Sends a signal to the program. (Deno's `child.kill` sends only one, and takes it for the cause of death.) */
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Waits until the program has printed `text`; rejects when it ends before. Gives all that it has printed. */
  readonly printed: (text: string) => Promise<string>;
}

/** Runs an ES module, given as its source, on the host that runs the tests; `corio` is what the tests import. */
export function startProgram(source: string, options: ProgramOptions = {}): Running {
  // Not imports: this file is also bundled for the browser.
  const { spawn } = process.getBuiltinModule("node:child_process");
  const { mkdtempSync, rmSync, writeFileSync } = process.getBuiltinModule("node:fs");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  const resolved = source.replaceAll(/from "(corio[^"]*)"/g, (_match, specifier: string) => {
    return `from ${JSON.stringify(import.meta.resolve(specifier))}`;
  });
  // Inside the repository, or Deno would not find what the package's sources import.
  const folder = mkdtempSync(fileURLToPath(new URL("../../../../.cache/test/program-", import.meta.url)));
  const file = `${folder}/program.mjs`;
  writeFileSync(file, resolved);
  const [command, ...parameters] = [
    ...(options.under ?? []),
    process.execPath,
    ...hostArguments(),
    ...(options.flags ?? []),
    file,
  ];
  const child = spawn(command, parameters, {
    env: { ...process.env, NO_COLOR: "1", ...options.environment },
    stdio: "pipe",
  });
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  child.stdout.on("data", (chunk: unknown) => {
    stdout += String(chunk);
    for (const watcher of [...watchers]) watcher();
  });
  child.stderr.on("data", (chunk: unknown) => (stderr += String(chunk)));
  // A program need not read what it is given.
  child.stdin.on("error", () => undefined);
  if (options.input !== null) child.stdin.end(options.input ?? "");
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => {
      rmSync(folder, { recursive: true });
      resolve({ stdout: stdout.split("\n").filter((line) => line !== ""), stderr, exitCode, signal });
    });
  });
  return {
    child,
    ended,
    kill: (signal) => {
      if (child.pid !== undefined) process.kill(child.pid, signal);
    },
    printed: (text) =>
      new Promise<string>((resolve, reject) => {
        const look = (): void => {
          if (!stdout.includes(text)) return;
          watchers.delete(look);
          resolve(stdout);
        };
        watchers.add(look);
        look();
        void ended.then(() => {
          reject(new Error(`the program ended without printing ${text}:\n${stdout}\n${stderr}`));
        });
      }),
  };
}

/** Runs an ES module as `startProgram` does, to its end. */
export async function runProgram(source: string, options: ProgramOptions = {}): Promise<Ended> {
  return await startProgram(source, options).ended;
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
