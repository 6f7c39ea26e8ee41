import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { deserialize, serialize } from "node:v8";
import { Executor } from "./executor.ts";
import type { ExecutorOptions } from "./executor.ts";
import type { AnswerMessage, FromWorker, ToWorker } from "./protocol.ts";
import { WorkerHandle } from "./worker-handle.ts";
import type { WorkerOwner } from "./worker-handle.ts";

/** Options of `ProcessExecutor`. */
export interface ProcessExecutorOptions extends ExecutorOptions {
  /** Where the processes work, by default where this one does. */
  readonly cwd?: string;
}

/**
 * Calls functions in processes (`node:child_process`). They share nothing, so a crash or a leak of native code stays in
 * the process, and a kill is always possible. Starting one takes longer than a thread, and everything is copied.
 *
 * Differences from threads: `checkCancelled` and the cancel of a task are seen only when the process can read messages,
 * not while it computes; `ThreadsafeFuture.result` cannot block.
 *
 * concurrent.futures: `ProcessPoolExecutor`.
 *
 * @example
 * ```ts type-only: its worker module is another file; the guide has one that runs
 * import { coroutine, run } from "corio";
 * import { ProcessExecutor, workerModule } from "corio/threads";
 *
 * type Parser = { parse(text: string): object };
 * const parser = workerModule<Parser>(new URL("./parser.ts", import.meta.url));
 *
 * const main = coroutine(async function main() {
 *   await using executor = new ProcessExecutor({ maxWorkers: 1 });
 *   console.log(await executor.submit(parser.parse, "a = 1"));
 * });
 *
 * await run(main());
 * ```
 */
export class ProcessExecutor extends Executor {
  readonly #options: ProcessExecutorOptions;

  /** Starts no process yet. Throws `ArgumentTypeError` and `ValueError` for options that cannot be. */
  constructor(options: ProcessExecutorOptions = {}) {
    super("ProcessExecutor", options);
    this.#options = options;
  }

  override get [Symbol.toStringTag](): string {
    return "ProcessExecutor";
  }

  /** @internal */
  protected override defaultSize(): number {
    return availableParallelism();
  }

  /** @internal */
  protected override spawn(): WorkerHandle {
    return new Process(this, this.#options);
  }
}

class Process extends WorkerHandle {
  readonly kind = "worker process";
  readonly #child: ChildProcess;

  constructor(owner: WorkerOwner, { cwd, env, execArgv }: ProcessExecutorOptions) {
    super(owner);
    this.#child = fork(processMain, [], {
      // Everything that structured clone takes.
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv: [...(execArgv ?? process.execArgv.filter(isForModules))],
      ...(env !== undefined && { env: { ...env } }),
      ...(cwd !== undefined && { cwd }),
    });
    this.#child.on("message", (message: Uint8Array) => {
      owner.noteMessage(this, deserialize(message) as FromWorker);
    });
    let cause: unknown;
    this.#child.on("error", (error) => {
      cause = error;
      // It could not be started: there will be no other event.
      if (this.#child.pid === undefined) owner.noteFailedStart(this, error);
    });
    this.#child.on("exit", (code, signal) => {
      const how = signal ?? `exit code ${String(code)}`;
      owner.noteEnd(this, `ended (${how})`, cause);
    });
  }

  override post(message: ToWorker): void {
    // Some hosts notice only after sending that something cannot be cloned.
    const bytes = serialize(message);
    // Where the process could not be started there may be no `send`; where it is gone, `send` fails. An event says so.
    const child: { send?(message: Uint8Array, callback: () => void): boolean } = this.#child;
    child.send?.(bytes, () => undefined);
  }

  override answer(message: AnswerMessage): void {
    this.post(message);
  }

  override flagCancelled(): void {
    // There is no shared memory; the message says it.
  }

  override setKeepsProcess(keeps: boolean): void {
    // It could not be started.
    if (this.#child.pid === undefined) return;
    const channel = this.#child.channel as { ref?: () => void; unref?: () => void } | null | undefined;
    if (keeps) {
      this.#child.ref();
      channel?.ref?.();
    } else {
      this.#child.unref();
      channel?.unref?.();
    }
  }

  override end(): void {
    this.post({ type: "end" });
  }

  override kill(): void {
    this.isEnding = true;
    this.#child.kill("SIGKILL");
  }
}

/** Not what says where this process's program is, nor where its debugger listens. */
function isForModules(argument: string): boolean {
  return !/^(-[ep]$|--eval|--print|--input-type|--inspect)/.test(argument);
}

const processMain: string = fileURLToPath(
  import.meta.url.endsWith(".ts")
    ? import.meta.url.replace("process-executor", "process-main")
    : new URL("./process-main.js", import.meta.url),
);
