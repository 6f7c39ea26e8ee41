import { currentTask, EventLoop, Task, wait } from "corio";
import type { Clock, Coroutine, Duration, TaskOptions } from "corio";
import { toSeconds } from "corio/pool";
import { currentRequest } from "./current-request.ts";
import { RequestError } from "./errors.ts";
import { outside } from "./outside.ts";
import { RequestTask } from "./request-task.ts";
import { watchResponse } from "./response-watch.ts";
import type { NodeResponse } from "./response-watch.ts";

/** Options of `RequestTasks`, and of the frameworks' packages. */
export interface RequestTasksOptions {
  /** How long a handler may take, in seconds, or null for no limit. Default 30. */
  readonly deadline?: Duration | null;
  /** How long `close` lets requests and background tasks go on, in seconds, or null for no limit. Default 10. */
  readonly shutdownDeadline?: Duration | null;
  /** Where time comes from: for tests, a `VirtualClock`. By default the host's monotonic clock. */
  readonly clock?: Clock;
}

/** Options of `RequestTasks.handle`. */
export interface HandleOptions {
  /** Node's response: closed before it is finished, it cancels the request. */
  readonly response?: NodeResponse | undefined;
  /** Cancels the request when it aborts, as when the client goes away. Where there is nothing better. */
  readonly signal?: AbortSignal | undefined;
  /** The task's name. */
  readonly name?: string | undefined;
}

/** What `RequestTasks.statistics` tells. */
export interface RequestStatistics {
  /** Requests whose task is not done. */
  readonly requests: number;
  /** All tasks that are not done: requests, what they have made, and background tasks. */
  readonly tasks: number;
  /** Whether `close` was called. */
  readonly isClosing: boolean;
}

/**
 * The requests of one server. They run as tasks of an event loop that begins with the first request; it shares the
 * order of execution with every other loop of the thread, so locks, queues and pools can be shared with them.
 */
export class RequestTasks {
  readonly #loop: EventLoop;
  readonly #deadline: number | null;
  readonly #shutdownDeadline: number | null;
  readonly #requests = new Set<RequestTask>();
  #running: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** Throws `ArgumentTypeError` for a deadline that is no duration. */
  constructor(options: RequestTasksOptions = {}) {
    const { deadline = 30, shutdownDeadline = 10, clock } = options;
    this.#deadline = deadline === null ? null : toSeconds(deadline, "deadline");
    this.#shutdownDeadline =
      shutdownDeadline === null ? null : toSeconds(shutdownDeadline, "shutdownDeadline");
    this.#loop = new EventLoop(clock === undefined ? {} : { clock });
    this.#loop.setTaskFactory(makeTask);
  }

  /** The loop in which the requests run. */
  getLoop(): EventLoop {
    return this.#loop;
  }

  /** Whether `close` was called. */
  get isClosing(): boolean {
    return this.#closing !== null;
  }

  /** How much is under way. */
  statistics(): RequestStatistics {
    const tasks = this.#loop.isClosed() ? 0 : this.#loop.tasks().length;
    return { requests: this.#requests.size, tasks, isClosing: this.isClosing };
  }

  /**
   * Runs `work` as the task of a request, and gives its result as soon as it is there; the task goes on until the
   * response has ended. `work` may be an async function, a function that gives a coroutine or a promise, or a generator
   * function.
   *
   * Rejects with `RequestError` after the deadline (504), while the server is being closed (503), or when the client
   * has gone (499: nobody is there to answer); with what `work` has thrown otherwise. A `TimeoutError` of its own
   * becomes a 504, too.
   */
  handle<T>(work: () => T | PromiseLike<T>, options: HandleOptions = {}): Promise<T> {
    if (this.#closing !== null) return Promise.reject(new RequestError("CORIO_SERVER_CLOSING"));
    const { response, signal, name } = options;
    return new Promise<T>((resolve, reject) => {
      const request = new RequestTask(this.#loop, response !== undefined);
      this.#requests.add(request);
      let onAbort: (() => void) | null = null;
      if (response !== undefined) watchResponse(response, (isFinished) => request.noteEnd(isFinished));
      else if (signal !== undefined) {
        onAbort = () => request.cancel("CORIO_CLIENT_CLOSED");
        if (signal.aborted) onAbort();
        else signal.addEventListener("abort", onAbort, { once: true });
      }
      const task = this.#loop.createTask(() => request.run(work, this.#deadline, resolve, reject), { name });
      request.began(task);
      task.addDoneCallback((done) => {
        this.#requests.delete(request);
        if (onAbort !== null) signal?.removeEventListener("abort", onAbort);
        // Cancelled before it began; otherwise the promise is settled.
        if (done.cancelled()) reject(request.refusal());
        else if (done.exception() !== null) reject(done.exception());
      });
      this.#start();
    });
  }

  /**
   * Refuses new requests, and waits for those that are under way and for background tasks. What is left after the
   * shutdown deadline is cancelled, answered with 503, and waited for. Does nothing the second time, but waits.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const loop = this.#loop;
    for (const request of this.#requests) request.noteClosing();
    if (loop.tasks().length > 0) {
      await new Promise<void>((resolve) => {
        const task = loop.createTask(() => this.#drain(), { name: "close" });
        task.addDoneCallback(() => resolve());
        this.#start();
      });
    }
    loop.stop();
    await this.#running;
    loop.close();
  }

  async #drain(): Promise<void> {
    const self = currentTask();
    const others = (): Task[] => this.#loop.tasks().filter((task) => task !== self);
    const end = this.#loop.time() + (this.#shutdownDeadline ?? Infinity);
    for (let left = end; others().length > 0 && left > 0;) {
      left = end - this.#loop.time();
      if (left > 0) await wait(others(), left === Infinity ? {} : { timeout: left });
    }
    for (const request of this.#requests) request.cancel("CORIO_SERVER_CLOSING");
    for (const task of others()) {
      // What belongs to a request, its own task cancels.
      if ((task.getContext().get(currentRequest) ?? null) !== null) continue;
      task.cancel(undefined, { requestedBy: "the end of the server" });
    }
    while (others().length > 0) await wait(others());
  }

  /** Lets the loop run. It may have been stopped because the host had nothing left to do. */
  #start(): void {
    if (this.#running !== null) return;
    this.#running = outside(() => this.#run());
  }

  async #run(): Promise<void> {
    try {
      await this.#loop.runForever();
    } catch (error) {
      // The host, or a virtual clock, has nothing left to do. With tasks left that is worth a report.
      if (this.#loop.tasks().length > 0) {
        this.#loop.callExceptionHandler({ message: "requests can never go on", exception: error });
      }
    } finally {
      this.#running = null;
    }
  }
}

/** Tasks that are made inside a request belong to it. */
function makeTask<T>(loop: EventLoop, coroutine: Coroutine<T>, options: TaskOptions): Task<T> {
  const { context } = options;
  const request = context === undefined ? currentRequest.get() : (context.get(currentRequest) ?? null);
  const task = new Task<T>(coroutine, options, loop);
  if (request?.loop === loop) request.addChild(task);
  return task;
}
