import { CancelledError, isCancelledError, timeout, TimeoutError, wait } from "corio";
import type { Duration, EventLoop, Future, Task, Timeout } from "corio";
import { toSeconds } from "corio/pool";
import { currentRequest } from "./current-request.ts";
import { RequestError } from "./errors.ts";
import type { RequestErrorCode } from "./errors.ts";

/**
 * One request. Its task does three things, one after another:
 *
 * 1. It runs the handler, with the deadline around it, and hands its result to the framework.
 * 2. It waits until the response has ended. What streams the body belongs to the request, so it has to be there.
 * 3. It ends as `run` ends: tasks that the handler has made and that are left over are cancelled, and waited for.
 *
 * A client that goes away cancels the task, wherever it is. When the handler fails, 3 comes before the answer.
 */
export class RequestTask {
  readonly loop: EventLoop;
  /** The tasks that were made in it and are not done, its own excepted. */
  readonly #children = new Set<Task>();
  /** Those of them that produce the response's body. */
  readonly #streams = new Set<Task>();
  #task: Task | null = null;
  #scope: Timeout | null = null;
  /** Why the task was cancelled from outside. */
  #reason: RequestErrorCode | null = null;
  /** Whether the framework tells when the response has ended. */
  readonly #isWatched: boolean;
  #hasEnded = false;
  #end: Future<void> | null = null;
  #isClosing = false;
  /** Who wants to know when the server begins to close. */
  #closingListener: (() => void) | null = null;

  constructor(loop: EventLoop, isWatched: boolean) {
    this.loop = loop;
    this.#isWatched = isWatched;
  }

  async run<T>(
    work: () => T | PromiseLike<T>,
    deadline: number | null,
    answer: (result: T) => void,
    refuse: (error: unknown) => void,
  ): Promise<void> {
    currentRequest.set(this);
    try {
      const result = await timeout(deadline, (scope) => {
        this.#scope = scope;
        return work();
      });
      answer(result);
      if (!this.#isWatched) await this.#untilStreamed();
      else if (!this.#hasEnded) await (this.#end = this.loop.createFuture());
    } catch (error) {
      await this.#endChildren();
      refuse(this.#explain(error));
      return;
    }
    if (this.#children.size > 0) await this.#endChildren();
  }

  /** The task was made. Before that, nothing can be cancelled. */
  began(task: Task): void {
    this.#task = task;
    if (this.#reason !== null) this.#cancelTask(this.#reason);
  }

  /** Cancels what is under way because of something outside. Once only: the cleaning up is left alone. */
  cancel(reason: RequestErrorCode): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#cancelTask(reason);
  }

  #cancelTask(reason: RequestErrorCode): void {
    this.#task?.cancel(new RequestError(reason).message, { requestedBy: "the request" });
  }

  /** The response has ended. */
  noteEnd(isFinished: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (!isFinished) this.cancel("CORIO_CLIENT_CLOSED");
    if (this.#end?.done() === false) this.#end.setResult();
  }

  /** Whether the client went away: nobody reads a response any more. */
  get hasNoClient(): boolean {
    return this.#reason === "CORIO_CLIENT_CLOSED";
  }

  /** What the framework is told about a task that was cancelled before it began. */
  refusal(): RequestError {
    return new RequestError(this.#reason ?? "CORIO_CLIENT_CLOSED");
  }

  setDeadline(delay: Duration | null): void {
    this.#scope?.reschedule(delay === null ? null : this.loop.time() + toSeconds(delay, "setDeadline"));
  }

  /** The server begins to close. */
  noteClosing(): void {
    this.#isClosing = true;
    this.#closingListener?.();
  }

  /** One at a time: another takes its place. */
  setClosingListener(listener: () => void): void {
    this.#closingListener = listener;
    if (this.#isClosing) listener();
  }

  addChild(child: Task): void {
    if (child.done()) return;
    this.#children.add(child);
    child.addDoneCallback(() => {
      this.#children.delete(child);
      this.#streams.delete(child);
    });
  }

  /** `child` produces the response's body. */
  addStream(child: Task): void {
    if (!child.done()) this.#streams.add(child);
  }

  async #untilStreamed(): Promise<void> {
    while (this.#streams.size > 0) await wait([...this.#streams]);
  }

  async #endChildren(): Promise<void> {
    while (this.#children.size > 0) {
      for (const child of this.#children) {
        // A second cancel would disturb its cleaning up.
        if (child.cancelling() === 0) child.cancel(undefined, { requestedBy: "the end of the request" });
      }
      try {
        await wait([...this.#children]);
      } catch (error) {
        // The client has gone, or the server is in a hurry: the children have been told already.
        if (!isCancelledError(error)) throw error;
      }
    }
  }

  /** The error that the framework is to see. */
  #explain(error: unknown): unknown {
    if (error instanceof CancelledError && this.#reason !== null) {
      return new RequestError(this.#reason, { cause: error });
    }
    if (error instanceof TimeoutError) return new RequestError("CORIO_REQUEST_TIMEOUT", { cause: error });
    return error;
  }
}
