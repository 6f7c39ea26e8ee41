import { availableParallelism } from "node:os";
import { MessageChannel, Worker } from "node:worker_threads";
import type { MessagePort, Transferable } from "node:worker_threads";
import { Executor } from "./executor.ts";
import type { ExecutorOptions } from "./executor.ts";
import { ANSWERS, CANCELLED_CALL, SHARED_BYTES } from "./protocol.ts";
import type { AnswerMessage, FromWorker, ThreadData, ToWorker } from "./protocol.ts";
import { WorkerHandle } from "./worker-handle.ts";
import type { WorkerOwner } from "./worker-handle.ts";

/** How much memory a worker thread may use, in megabytes; what is not given is up to the host. */
export interface ResourceLimits {
  /** The heap without what is young. */
  readonly maxOldGenerationSizeMb?: number;
  /** The heap for what was made lately. */
  readonly maxYoungGenerationSizeMb?: number;
  /** Memory for generated code. */
  readonly codeRangeSizeMb?: number;
  /** The stack of the thread. */
  readonly stackSizeMb?: number;
}

/** Options of `ThreadExecutor`. */
export interface ThreadExecutorOptions extends ExecutorOptions {
  /**
   * How much memory a worker may use: one that uses more is ended, and its call fails with `BrokenWorkerError`. Bun and Deno have no such limits, and ignore them.
   */
  readonly resourceLimits?: ResourceLimits;
}

/**
 * Calls functions in threads (`node:worker_threads`), which share memory and can be given what is transferred.
 *
 * concurrent.futures: `ThreadPoolExecutor`, or rather `InterpreterPoolExecutor`: threads share no objects.
 *
 * @example
 * ```ts type-only: its worker module is another file; the guide has one that runs
 * import { coroutine, gather, run } from "corio";
 * import { ThreadExecutor, workerModule } from "corio/threads";
 *
 * type Primes = { countPrimes(limit: number): number };
 * const primes = workerModule<Primes>(new URL("./primes.ts", import.meta.url));
 *
 * const main = coroutine(async function main() {
 *   await using executor = new ThreadExecutor({ maxWorkers: 2, onCancel: "terminate" });
 *   const counts = await gather(
 *     executor.submit(primes.countPrimes, 1_000),
 *     executor.submit(primes.countPrimes, 10_000),
 *   );
 *   console.log(counts);
 * });
 *
 * await run(main());
 * ```
 */
export class ThreadExecutor extends Executor {
  readonly #options: ThreadExecutorOptions;

  /** Starts no thread yet. Throws `ArgumentTypeError` and `ValueError` for options that cannot be. */
  constructor(options: ThreadExecutorOptions = {}) {
    super("ThreadExecutor", options);
    this.#options = options;
  }

  override get [Symbol.toStringTag](): string {
    return "ThreadExecutor";
  }

  /** @internal */
  protected override defaultSize(): number {
    return availableParallelism();
  }

  /** @internal */
  protected override spawn(): WorkerHandle {
    return new Thread(this, this.#options);
  }
}

class Thread extends WorkerHandle {
  readonly kind = "worker thread";
  readonly #worker: Worker;
  readonly #memory: Int32Array;
  readonly #answers: MessagePort;

  constructor(owner: WorkerOwner, { resourceLimits, env, execArgv }: ThreadExecutorOptions) {
    super(owner);
    const shared = new SharedArrayBuffer(SHARED_BYTES);
    const { port1, port2 } = new MessageChannel();
    const workerData: ThreadData = { corio: { shared, answers: port2 } };
    this.#memory = new Int32Array(shared);
    this.#answers = port1;
    port1.unref();
    this.#worker = new Worker(threadMain, {
      workerData,
      transferList: [port2],
      ...(resourceLimits !== undefined && { resourceLimits }),
      ...(env !== undefined && { env: { ...env } }),
      ...(execArgv !== undefined && { execArgv: [...execArgv] }),
    });
    let cause: unknown;
    this.#worker.on("message", (message: FromWorker) => {
      owner.noteMessage(this, message);
    });
    this.#worker.on("messageerror", (error) => {
      cause = error;
      this.kill();
    });
    this.#worker.on("error", (error) => {
      cause = error;
    });
    this.#worker.on("exit", (code) => {
      port1.close();
      // For want of descriptors or memory. (Bun and Deno end the whole program then.)
      if ((cause as { code?: unknown } | undefined)?.code === "ERR_WORKER_INIT_FAILED")
        owner.noteFailedStart(this, cause);
      else owner.noteEnd(this, `ended (exit code ${code})`, cause);
    });
  }

  override post(message: ToWorker, transferList?: readonly unknown[]): void {
    this.#worker.postMessage(message, transferList as Transferable[] | undefined);
  }

  override answer(message: AnswerMessage, transferList?: readonly unknown[]): void {
    this.#answers.postMessage(message, transferList as Transferable[] | undefined);
    // It may be blocking.
    Atomics.add(this.#memory, ANSWERS, 1);
    Atomics.notify(this.#memory, ANSWERS);
  }

  override flagCancelled(id: number): void {
    Atomics.store(this.#memory, CANCELLED_CALL, id);
  }

  override setKeepsProcess(keeps: boolean): void {
    if (keeps) this.#worker.ref();
    else this.#worker.unref();
  }

  override end(): void {
    this.post({ type: "end" });
  }

  override kill(): void {
    this.isEnding = true;
    void this.#worker.terminate();
  }
}

/** The sources run where the host strips types; bundlers look for the other form. */
const threadMain: URL = import.meta.url.endsWith(".ts")
  ? new URL(import.meta.url.replace("thread-executor", "thread-main"))
  : new URL("./thread-main.js", import.meta.url);
