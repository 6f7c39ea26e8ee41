import { badArgument, ValueError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { gather } from "../library/gather.ts";
import { call } from "../library/call.ts";
import type { Program } from "./command.ts";
import { create } from "./create.ts";
import { CalledProcessError } from "./errors.ts";
import type { Ended } from "./errors.ts";
import { planExec, planShell, splitOptions } from "./options.ts";
import type { ArgumentsAndOptions, SpawnOptions, SpawnPlan } from "./options.ts";
import type { Input } from "./process.ts";
import type { ProcessTransport } from "./process-transport.ts";
import { DEVNULL, PIPE } from "./stdio.ts";

/** Options of `runProcess` and `runShell`. */
export interface RunProcessOptions extends SpawnOptions {
  /** What the process reads from its standard input. */
  readonly input?: Input | undefined;
  /** Whether a return code other than 0 is an error: `CalledProcessError`. Default false. */
  readonly check?: boolean | undefined;
}

/** How a process has ended, and what it has written. Python: `subprocess.CompletedProcess`. */
export interface CompletedProcess extends Ended {
  /** What it wrote to its standard output; empty when that is not a `PIPE`. */
  readonly stdout: Uint8Array;
  /** What it wrote to its error stream; empty when that is not a `PIPE`. */
  readonly stderr: Uint8Array;
}

/**
 * Runs a program to its end, and gives what it has written: its output and error streams are pipes unless the options
 * say otherwise, and its standard input is empty.
 *
 * The call is a scope: when it is over, so is the program with all that it has started. Cancelling it, by a timeout for
 * example, ends the whole group: `SIGTERM`, and after `gracePeriod` seconds `SIGKILL`. What the program leaves behind
 * in its group when it ends by itself is ended in the same way, and not waited for. What has left the group, as daemons
 * do, is left alone; if it holds a pipe open that is closed after the grace period.
 *
 * Cancel safety: the processes have ended when the cancel takes effect. What they wrote is lost.
 *
 * Throws `CalledProcessError` with `check: true`; otherwise as `createSubprocessExec`.
 *
 * asyncio: none. anyio: `run_process`; Python: `subprocess.run`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run, timeout } from "corio";
 * import { runProcess } from "corio/subprocess";
 *
 * const main = coroutine(async function main() {
 *   const { stdout, returncode } = await timeout(10, () => runProcess("sort", { input: "b\na\n" }));
 *   console.log(new TextDecoder().decode(stdout).trimEnd(), returncode);
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * a
 * b 0
 * ```
 */
export function runProcess(
  program: Program,
  ...argsAndOptions: ArgumentsAndOptions<RunProcessOptions>
): Coroutine<CompletedProcess> {
  const where = "runProcess";
  const [args, options] = splitOptions<RunProcessOptions>(where, argsAndOptions);
  return runToEnd(planExec(where, program, args, withStreams(where, options), null), options);
}

/**
 * As `runProcess`, with a command line for the shell. What comes from outside must not become part of it.
 *
 * asyncio: none. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, run } from "corio";
 * import { CalledProcessError, runShell } from "corio/subprocess";
 *
 * const main = coroutine(async function main() {
 *   try {
 *     await runShell("echo no such order >&2; exit 3", { check: true });
 *   } catch (error) {
 *     if (!(error instanceof CalledProcessError)) throw error;
 *     console.log(error.returncode, new TextDecoder().decode(error.stderr).trimEnd());
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * 3 no such order
 * ```
 */
export function runShell(command: string, options: RunProcessOptions = {}): Coroutine<CompletedProcess> {
  const where = "runShell";
  return runToEnd(planShell(where, command, withStreams(where, options), null), options);
}

function withStreams(where: string, options: RunProcessOptions): SpawnOptions {
  if (typeof options !== "object" || (options as unknown) === null)
    throw badArgument(where, "an object with options", options);
  const { input, stdin, stdout = PIPE, stderr = PIPE } = options;
  if (input === undefined) {
    if (stdin === PIPE)
      throw new ValueError(`${where}: stdin: PIPE needs an input; nobody else could write to it`);
    return { ...options, stdin: stdin ?? DEVNULL, stdout, stderr };
  }
  if (typeof input !== "string" && !((input as unknown) instanceof Uint8Array))
    throw badArgument(where, "bytes or text as input", input);
  if (stdin !== undefined && stdin !== PIPE)
    throw new ValueError(`${where}: input and stdin cannot be given together`);
  return { ...options, stdin: PIPE, stdout, stderr };
}

function runToEnd(plan: SpawnPlan, options: RunProcessOptions): Coroutine<CompletedProcess> {
  const { input = null, check = false } = options;
  return call(plan.where, function* ({ loop }): Steps<CompletedProcess> {
    const process = yield* create(loop, plan);
    const { transport } = process;
    try {
      const [[stdout, stderr], returncode] = yield* gather(
        process.communicate(input),
        call(plan.where, () => endOthers(transport)),
      );
      const ended: CompletedProcess = {
        command: plan.command.shown,
        returncode,
        stdout: stdout ?? new Uint8Array(0),
        stderr: stderr ?? new Uint8Array(0),
      };
      if (check && returncode !== 0) throw new CalledProcessError(ended);
      return ended;
    } finally {
      yield* transport.end();
    }
  });
}

/** When the process has ended nobody else may keep its pipes open. */
function* endOthers(transport: ProcessTransport): Steps<number> {
  const returncode = yield* transport.waitExit();
  yield* transport.endGroup();
  transport.closePipesSoon();
  return returncode;
}
