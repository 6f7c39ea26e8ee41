import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { Writable } from "node:stream";
import { host } from "#host";
import type { Steps } from "../futures/awaitable.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { HostWait } from "../streams/host-wait.ts";
import { codeOf } from "./command.ts";
import { ProcessStartError } from "./errors.ts";
import type { SpawnPlan } from "./options.ts";

/** Has the host start the process. Throws `ProcessStartError` when that cannot be done. */
export function* start(loop: EventLoop, plan: SpawnPlan): Steps<ChildProcess> {
  let child: ChildProcess;
  try {
    child = hostSpawn(plan);
  } catch (error) {
    throw startError(plan, error);
  }
  if (child.pid !== undefined) {
    // What goes wrong later, sending a signal for example, is not sent through this object.
    child.on("error", () => undefined);
    if (host.name === "bun" && child.stdin !== null) countWrites(child.stdin);
    return child;
  }
  const failure = new StartFailure(loop);
  child.once("error", (error) => {
    failure.fail(startError(plan, error));
  });
  return yield* failure;
}

/** Bun writes to a process past the stream, whose buffer then always looks empty. */
function countWrites(stdin: Writable): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it becomes the stream's own.
  stdin.write = Writable.prototype.write;
}

function hostSpawn(plan: SpawnPlan): ChildProcess {
  const { cwd, env, stdio, user, group } = plan;
  const { program, args, argv0, isWindowsShell = false } = plan.toStart();
  return spawn(program, args, {
    env,
    stdio: [...stdio],
    detached: plan.startsNewSession,
    shell: isWindowsShell,
    windowsHide: true,
    ...(cwd === undefined ? {} : { cwd }),
    ...(argv0 === undefined ? {} : { argv0 }),
    ...(user === undefined ? {} : { uid: user }),
    ...(group === undefined ? {} : { gid: group }),
  });
}

/** The host says that there is no process. */
class StartFailure extends HostWait<never> {
  describeWait(): string {
    return "the host to say why a process cannot be started";
  }
}

function startError(plan: SpawnPlan, error: unknown): ProcessStartError {
  const { program } = plan.command;
  const errno = codeOf(error);
  return new ProcessStartError(
    `${plan.where}: cannot run ${program}: ${reason(plan, errno, error)}`,
    errno,
    program,
    {
      cause: error,
    },
  );
}

/** The host's errors do not say whether the program is meant, or its working directory. */
function reason(plan: SpawnPlan, errno: string, error: unknown): string {
  const { cwd, command } = plan;
  const { program } = command;
  switch (errno) {
    case "ENOENT":
      if (cwd !== undefined && !exists(cwd)) return `its working directory ${cwd} does not exist`;
      if (!program.includes("/")) return "there is no such program in the folders of PATH";
      return exists(program) ? "what its first line names does not exist" : "there is no such file";
    case "ENOTDIR":
      return `${cwd ?? program} is not a directory, or a part of it is none`;
    case "EACCES":
      return "no permission to execute it, or to enter its working directory";
    case "EPERM":
      return "no permission to run it as another user";
    case "E2BIG":
      return "its arguments and its environment are longer than the system allows";
    case "EAGAIN":
      return "there are too many processes already";
    case "EMFILE":
    case "ENFILE":
      return "there are too many open files already";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
