import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { call } from "../library/call.ts";
import { DEFAULT_LIMIT, requireLimit } from "../streams/stream-reader.ts";
import type { Program } from "./command.ts";
import { connect } from "./connect.ts";
import { planExec, planShell, splitOptions } from "./options.ts";
import type { ArgumentsAndOptions, SpawnOptions, SpawnPlan } from "./options.ts";
import { Process } from "./process.ts";
import { SubprocessStreamProtocol } from "./stream-protocol.ts";

/** Options of `createSubprocessExec` and `createSubprocessShell`. */
export interface ProcessOptions extends SpawnOptions {
  /** The limit of the readers; see `StreamReader`. Default 64 KiB. */
  readonly limit?: number | undefined;
}

/**
 * Starts a program. Its arguments follow one by one, then come the options; no shell looks at them. Its three streams
 * are the program's own, unless the options say otherwise.
 *
 * With `await using` the process, and what it has started, ends with the block. Otherwise it lives on when its task is
 * cancelled, and is killed when the event loop is closed, with a warning.
 *
 * Cancel safety: a cancelled call leaves no process.
 *
 * Throws `ProcessStartError` when the process cannot be started; `ArgumentTypeError` and `ValueError` for options that
 * make no sense.
 *
 * asyncio: `create_subprocess_exec`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { createSubprocessExec, PIPE } from "corio/subprocess";
 *
 * const main = coroutine(async function main() {
 *   await using process = await createSubprocessExec("echo", "one", "two words", { stdout: PIPE });
 *   const [stdout] = await process.communicate();
 *   console.log(new TextDecoder().decode(stdout ?? undefined).trimEnd(), process.returncode);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * one two words 0
 * ```
 */
export function createSubprocessExec(
  program: Program,
  ...argsAndOptions: ArgumentsAndOptions<ProcessOptions>
): Coroutine<Process> {
  const where = "createSubprocessExec";
  const [args, options] = splitOptions<ProcessOptions>(where, argsAndOptions);
  const limit = requireLimit(where, options.limit);
  const plan = planExec(where, program, args, options, null);
  return call(where, ({ loop }) => create(loop, plan, limit));
}

/**
 * Runs a command line in the system's shell: `/bin/sh`, or `executable`. What comes from outside must not become part
 * of it; `createSubprocessExec` has no such trouble.
 *
 * Otherwise as `createSubprocessExec`. A program that the shell does not find makes the shell end with 127.
 *
 * asyncio: `create_subprocess_shell`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { createSubprocessShell, PIPE, STDOUT } from "corio/subprocess";
 *
 * const main = coroutine(async function main() {
 *   const command = "echo out; echo error >&2; exit 3";
 *   await using process = await createSubprocessShell(command, { stdout: PIPE, stderr: STDOUT });
 *   for await (const line of process.stdout?.lines() ?? []) console.log(line);
 *   console.log(await process.wait());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * out
 * error
 * 3
 * ```
 */
export function createSubprocessShell(command: string, options: ProcessOptions = {}): Coroutine<Process> {
  const where = "createSubprocessShell";
  const plan = planShell(where, command, options, null);
  const limit = requireLimit(where, options.limit);
  return call(where, ({ loop }) => create(loop, plan, limit));
}

/** Starts a process with readers and a writer. */
export function* create(loop: EventLoop, plan: SpawnPlan, limit: number = DEFAULT_LIMIT): Steps<Process> {
  const [transport, streams] = yield* connect(loop, plan, () => new SubprocessStreamProtocol(limit, loop));
  return new Process(transport, streams);
}
