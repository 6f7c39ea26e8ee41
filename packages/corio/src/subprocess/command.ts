import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { badArgument, ValueError } from "../errors.ts";

/** A program: its name, which is looked for in the folders of `PATH`, or its path; a `file:` URL is one. */
export type Program = string | URL;

/** What is to be run. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** What the process sees as its own name, when that is not `program`. */
  readonly argv0?: string | undefined;
  /** For the shell of Windows, which takes its command line as it is. */
  readonly isWindowsShell?: boolean;
  /** For messages. */
  readonly shown: string;
}

const isWindows = process.platform === "win32";

/** A program with its arguments. */
export function execCommand(
  where: string,
  program: unknown,
  args: readonly unknown[],
  executable?: unknown,
): Command {
  const name = requireText(where, "a program", toPath(program));
  if (name === "") throw new ValueError(`${where} expects a program, got an empty name`);
  const texts = args.map((arg, index) => requireText(where, `text as argument ${index + 1}`, arg));
  const shown = [name, ...texts].map(quote).join(" ");
  if (executable === undefined) return { program: name, args: texts, shown };
  return {
    program: requireText(where, "a path as executable", toPath(executable)),
    argv0: name,
    args: texts,
    shown,
  };
}

/** A command line, for the system's shell, or for `executable`. */
export function shellCommand(where: string, command: unknown, executable?: unknown): Command {
  const line = requireText(where, "a command line", command);
  const shell =
    executable === undefined ? undefined : requireText(where, "a path as executable", toPath(executable));
  if (isWindows) return { program: line, args: [], isWindowsShell: true, shown: line };
  return { program: shell ?? "/bin/sh", args: ["-c", line], shown: line };
}

/**
 * The same command with its error stream in the pipe of its standard output. The pipe exists only from the moment that
 * the host starts the process, so a shell is started, which makes one descriptor of the two and then becomes the
 * program: same process, same number. Whether the program exists has to be found out before, as the shell would only
 * write that somewhere.
 */
export function mergeErrors(
  where: string,
  command: Command,
  cwd: string | undefined,
  env: NodeJS.ProcessEnv,
): Command {
  if (isWindows)
    throw new ValueError(`${where}: on Windows, stderr: STDOUT cannot be combined with stdout: PIPE`);
  if (command.argv0 !== undefined)
    throw new ValueError(`${where}: executable cannot be combined with stderr: STDOUT and stdout: PIPE`);
  requireExecutable(command.program, cwd, env);
  return {
    program: "/bin/sh",
    args: ["-c", 'exec "$@" 2>&1', "sh", command.program, ...command.args],
    shown: command.shown,
  };
}

/** Throws what the host would say of a program that cannot be executed. */
function requireExecutable(program: string, cwd: string | undefined, env: NodeJS.ProcessEnv): void {
  const folder = cwd ?? process.cwd();
  statSync(folder);
  const folders = program.includes("/") ? [""] : (env["PATH"] ?? "/usr/bin:/bin").split(delimiter);
  let failure: unknown = null;
  for (const path of folders.map((inPath) => resolve(folder, join(inPath, program)))) {
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return;
    } catch (error) {
      if (failure === null || codeOf(error) === "EACCES") failure = error;
    }
  }
  throw failure ?? Object.assign(new Error(`${program} is not a file`), { code: "EACCES" });
}

/** The system's name of an error. */
export function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : "UNKNOWN";
}

/** A path as the host takes it; anything but a URL stays as it is. */
export function toPath(path: unknown): unknown {
  return path instanceof URL ? fileURLToPath(path) : path;
}

export function requireText(where: string, expected: string, text: unknown): string {
  if (typeof text !== "string") throw badArgument(where, expected, text);
  if (text.includes("\0")) throw new ValueError(`${where} expects ${expected} without null characters`);
  return text;
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
