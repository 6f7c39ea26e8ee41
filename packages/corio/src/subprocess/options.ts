import process from "node:process";
import { badArgument, ValueError } from "../errors.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { execCommand, mergeErrors, requireText, shellCommand, toPath } from "./command.ts";
import type { Command } from "./command.ts";
import { planStdio } from "./stdio.ts";
import type { HostStdio, Stdio, StdioOptions } from "./stdio.ts";

/** Options of everything that starts a process. */
export interface SpawnOptions extends StdioOptions {
  /** The working directory, a path or a `file:` URL; by default the program's own. */
  readonly cwd?: string | URL | undefined;
  /** The environment, all of it; by default the program's own. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Whether the process gets a session, and with that a group, of its own. Then what it starts can be ended with it; but
   * Ctrl-C in the terminal reaches the program only, and not the process. With false just the process itself is ended.
   * Default true. asyncio: `start_new_session`, there false.
   */
  readonly startNewSession?: boolean | undefined;
  /**
   * How long the processes of the group have between being asked to terminate and being killed, in seconds of real
   * time. Default 5. asyncio: none.
   */
  readonly gracePeriod?: Duration | undefined;
  /**
   * What is executed: with a program, in place of what the process sees as its name; with a command line, in place of
   * `/bin/sh`.
   */
  readonly executable?: string | URL | undefined;
  /** The number of the user that the process runs as. */
  readonly user?: number | undefined;
  /** The number of the group of users that the process runs as. */
  readonly group?: number | undefined;
}

/** A program's arguments, one by one, and then perhaps options. */
export type ArgumentsAndOptions<Options> = readonly string[] | readonly [...args: string[], options: Options];

/** How a process is to be started: checked, and as the host takes it. */
export interface SpawnPlan {
  readonly where: string;
  /** What the program gave. */
  readonly command: Command;
  /** What is started: the same, unless the error stream has to be merged. Throws when there is no such program. */
  toStart(): Command;
  readonly stdio: readonly [HostStdio, HostStdio, HostStdio];
  readonly cwd: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly startsNewSession: boolean;
  readonly gracePeriod: number;
  readonly user: number | undefined;
  readonly group: number | undefined;
}

const DEFAULT_GRACE_PERIOD = 5;

/** Options that asyncio refuses, and those of `node:child_process` that have another name or form here. */
const REFUSED: Readonly<Record<string, string>> = {
  text: "the streams carry bytes: decode them with TextDecoder, or read reader.lines()",
  encoding: "the streams carry bytes: decode them with TextDecoder, or read reader.lines(encoding)",
  errors: "the streams carry bytes: decode them with TextDecoder",
  universalNewlines: "the streams carry bytes: reader.lines() takes both line ends",
  bufsize: "the streams are not buffered",
  shell: "use the function whose name ends with Shell",
  stdio: "use stdin, stdout and stderr",
  detached: "use startNewSession",
  signal: "cancel the task, or give the signal to createTask or timeout",
  timeout: "use timeout(seconds, …) around it",
};

/** Splits what a function was given after the program. */
export function splitOptions<Options extends object>(
  where: string,
  rest: readonly unknown[],
): [args: readonly unknown[], options: Options] {
  const last = rest.at(-1);
  if (typeof last !== "object" || last === null) return [rest, {} as Options];
  if (Array.isArray(last))
    throw badArgument(where, "a program's arguments one by one", last, "spread the array: ...args");
  return [rest.slice(0, -1), last as Options];
}

export function planExec(
  where: string,
  program: unknown,
  args: readonly unknown[],
  options: SpawnOptions,
  byDefault: Stdio,
): SpawnPlan {
  requireOptions(where, options);
  return plan(where, execCommand(where, program, args, options.executable), options, byDefault);
}

export function planShell(
  where: string,
  command: unknown,
  options: SpawnOptions,
  byDefault: Stdio,
): SpawnPlan {
  requireOptions(where, options);
  return plan(where, shellCommand(where, command, options.executable), options, byDefault);
}

function plan(where: string, command: Command, options: SpawnOptions, byDefault: Stdio): SpawnPlan {
  const { stdio, mergesErrors } = planStdio(where, options, byDefault);
  const cwd =
    options.cwd === undefined ? undefined : requireText(where, "a path as cwd", toPath(options.cwd));
  const env = toEnvironment(where, options.env);
  const gracePeriod = toSeconds(options.gracePeriod ?? DEFAULT_GRACE_PERIOD, `${where}: gracePeriod`);
  if (gracePeriod < 0)
    throw new ValueError(`${where} expects a gracePeriod of 0 or more seconds, got ${gracePeriod}`);
  return {
    where,
    command,
    toStart: () => (mergesErrors ? mergeErrors(where, command, cwd, env) : command),
    stdio,
    cwd,
    env,
    startsNewSession: options.startNewSession ?? true,
    gracePeriod,
    user: toId(where, "user", options.user),
    group: toId(where, "group", options.group),
  };
}

function requireOptions(where: string, options: unknown): void {
  if (typeof options !== "object" || options === null)
    throw badArgument(where, "an object with options", options);
  for (const [name, advice] of Object.entries(REFUSED)) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined || value === null || value === false || value === 0) continue;
    throw new ValueError(`${where}: there is no option ${name}; ${advice}`);
  }
}

function toEnvironment(where: string, env: unknown): NodeJS.ProcessEnv {
  if (env === undefined) return process.env;
  if (typeof env !== "object" || env === null) throw badArgument(where, "an object of texts as env", env);
  const checked: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(env as Record<string, unknown>)) {
    if (value !== undefined) checked[name] = requireText(where, `text as env.${name}`, value);
  }
  return checked;
}

function toId(where: string, name: string, id: unknown): number | undefined {
  if (id === undefined) return undefined;
  if (typeof id === "number" && Number.isInteger(id) && id >= 0) return id;
  throw badArgument(where, `the number of a ${name}`, id);
}
