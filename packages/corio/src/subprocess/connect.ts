import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { call } from "../library/call.ts";
import { requireFactory } from "../streams/node/connect.ts";
import type { SubprocessProtocol } from "../streams/protocols.ts";
import type { SubprocessTransport } from "../streams/transports.ts";
import type { Program } from "./command.ts";
import { planExec, planShell, splitOptions } from "./options.ts";
import type { ArgumentsAndOptions, SpawnOptions, SpawnPlan } from "./options.ts";
import { ProcessTransport } from "./process-transport.ts";
import { start } from "./spawn.ts";
import { PIPE } from "./stdio.ts";

/**
 * Starts a program, and tells a protocol what happens with it: the layer under `createSubprocessExec`. The three
 * streams are pipes unless the options say otherwise.
 *
 * The order in which a protocol is told of data, of pipes that were closed, and of the end of the process is not fixed.
 * Closing the transport kills the process with its group.
 *
 * Cancel safety, errors: as `createSubprocessExec`.
 *
 * asyncio: `loop.subprocess_exec`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, Future, run } from "corio";
 * import { subprocessExec } from "corio/subprocess";
 *
 * const main = coroutine(async function main() {
 *   const ended = new Future<void>();
 *   const [transport] = await subprocessExec(
 *     () => ({
 *       pipeDataReceived: (fd, data) => console.log(fd, new TextDecoder().decode(data).trimEnd()),
 *       connectionLost: () => ended.setResult(),
 *     }),
 *     "echo",
 *     "Hello",
 *   );
 *   await ended;
 *   console.log(transport.getReturncode());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * 1 Hello
 * 0
 * ```
 */
export function subprocessExec<P extends SubprocessProtocol>(
  protocolFactory: () => P,
  program: Program,
  ...argsAndOptions: ArgumentsAndOptions<SpawnOptions>
): Coroutine<[transport: SubprocessTransport, protocol: P]> {
  const where = "subprocessExec";
  requireFactory(where, protocolFactory);
  const [args, options] = splitOptions<SpawnOptions>(where, argsAndOptions);
  const plan = planExec(where, program, args, options, PIPE);
  return call(where, ({ loop }) => connect(loop, plan, protocolFactory));
}

/**
 * As `subprocessExec`, with a command line for the shell.
 *
 * asyncio: `loop.subprocess_shell`. Runs on Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { coroutine, Future, run } from "corio";
 * import { subprocessShell } from "corio/subprocess";
 *
 * const main = coroutine(async function main() {
 *   const ended = new Future<void>();
 *   const [transport] = await subprocessShell(() => ({ connectionLost: () => ended.setResult() }), "exit 7");
 *   await ended;
 *   console.log(transport.getReturncode());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * 7
 * ```
 */
export function subprocessShell<P extends SubprocessProtocol>(
  protocolFactory: () => P,
  command: string,
  options: SpawnOptions = {},
): Coroutine<[transport: SubprocessTransport, protocol: P]> {
  const where = "subprocessShell";
  requireFactory(where, protocolFactory);
  const plan = planShell(where, command, options, PIPE);
  return call(where, ({ loop }) => connect(loop, plan, protocolFactory));
}

/** Starts a process and connects a protocol with it. */
export function* connect<P extends SubprocessProtocol>(
  loop: EventLoop,
  plan: SpawnPlan,
  protocolFactory: (loop: EventLoop) => P,
): Steps<[transport: ProcessTransport, protocol: P]> {
  const protocol = protocolFactory(loop);
  const child = yield* start(loop, plan);
  const transport = new ProcessTransport(loop, child, plan, protocol);
  yield* transport.start();
  return [transport, protocol];
}
