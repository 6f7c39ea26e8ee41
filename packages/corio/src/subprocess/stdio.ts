import type { Stream } from "node:stream";
import { badArgument, ValueError } from "../errors.ts";

/** A pipe between the program and the process. asyncio: `subprocess.PIPE`. */
export const PIPE = "PIPE" as const;
/** As `stderr`: the same as the standard output. asyncio: `subprocess.STDOUT`. */
export const STDOUT = "STDOUT" as const;
/** Nothing to read from; whatever is written is thrown away. asyncio: `subprocess.DEVNULL`. */
export const DEVNULL = "DEVNULL" as const;

/**
 * Where one of a process's standard streams goes: `PIPE`; `DEVNULL`; null for the program's own; the number of a file
 * descriptor; something that has one as `fd`, such as the file handles of `node:fs/promises` and open streams of
 * files; or a socket of `node:net`.
 */
export type Stdio = typeof PIPE | typeof DEVNULL | number | { readonly fd: number | null } | Stream | null;

/** The three streams as a program gives them. */
export interface StdioOptions {
  /** The standard input. */
  readonly stdin?: Stdio | undefined;
  /** The standard output. */
  readonly stdout?: Stdio | undefined;
  /** The error stream; `STDOUT` puts it where the standard output goes. */
  readonly stderr?: Stdio | typeof STDOUT | undefined;
}

/** One stream as the host takes it. */
export type HostStdio = "pipe" | "ignore" | number | Stream;

/** The three streams as the host takes them. */
export interface StdioPlan {
  readonly stdio: readonly [HostStdio, HostStdio, HostStdio];
  /** The error stream is to go into the pipe of the standard output, which no host can do by itself. */
  readonly mergesErrors: boolean;
}

/** What stands for the program's own streams: its descriptors. */
const OWN = [0, 1, 2] as const;

export function planStdio(where: string, options: StdioOptions, byDefault: Stdio): StdioPlan {
  const { stdin = byDefault, stdout = byDefault, stderr = byDefault } = options;
  const input = toHost(where, "stdin", stdin, OWN[0]);
  const output = toHost(where, "stdout", stdout, OWN[1]);
  if (stderr !== STDOUT) {
    return { stdio: [input, output, toHost(where, "stderr", stderr, OWN[2])], mergesErrors: false };
  }
  const mergesErrors = output === "pipe";
  return { stdio: [input, output, mergesErrors ? "ignore" : output], mergesErrors };
}

function toHost(where: string, name: string, given: unknown, own: number): HostStdio {
  if (given === PIPE) return "pipe";
  if (given === DEVNULL) return "ignore";
  if (given === STDOUT) throw new ValueError(`${where}: only stderr can be STDOUT, not ${name}`);
  if (given === null) return own;
  const fd: unknown = typeof given === "object" && "fd" in given ? given.fd : given;
  if (typeof fd === "number") {
    if (Number.isInteger(fd) && fd >= 0) return fd;
    throw new ValueError(`${where}: ${name} is ${fd}, which is no file descriptor`);
  }
  if (fd === null) throw new ValueError(`${where}: the file given as ${name} is not open yet`);
  if (typeof fd === "object" && "on" in fd) return given as Stream;
  throw badArgument(
    where,
    `PIPE, DEVNULL, null, a file descriptor or a stream that has one as ${name}`,
    given,
  );
}
