/**
 * asyncio's subprocesses, on the host's own module. Ending a scope ends the process with all that it has started. Runs
 * on Node 20 and newer, Bun and Deno; not in browsers.
 *
 * @module corio/subprocess
 */

// Processes with readers and writers.
export { createSubprocessExec, createSubprocessShell } from "./subprocess/create.ts";
export type { ProcessOptions } from "./subprocess/create.ts";
export { Process } from "./subprocess/process.ts";
export type { Input, StopOptions } from "./subprocess/process.ts";
export { runProcess, runShell } from "./subprocess/run-process.ts";
export type { CompletedProcess, RunProcessOptions } from "./subprocess/run-process.ts";

// What is said of them.
export { DEVNULL, PIPE, STDOUT } from "./subprocess/stdio.ts";
export type { Stdio, StdioOptions } from "./subprocess/stdio.ts";
export type { ArgumentsAndOptions, SpawnOptions } from "./subprocess/options.ts";
export type { Program } from "./subprocess/command.ts";
export type { Signal } from "./subprocess/signals.ts";

// Transports and protocols.
export { subprocessExec, subprocessShell } from "./subprocess/connect.ts";
export type { SubprocessProtocol } from "./streams/protocols.ts";
export type { SubprocessTransport } from "./streams/transports.ts";

// Errors.
export { CalledProcessError, ProcessLookupError, ProcessStartError } from "./subprocess/errors.ts";
export type { Ended } from "./subprocess/errors.ts";
