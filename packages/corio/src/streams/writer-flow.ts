import type { Steps } from "../futures/awaitable.ts";
import type { Task } from "../futures/task.ts";
import { Waiter, WaitQueue } from "../library/wait-queue.ts";
import { ConnectionResetError } from "./errors.ts";

/**
 * What a writer knows from its protocol: whether to pause, whether the connection is gone; and the tasks that wait for
 * either. Any number of them may.
 */
export class WriterFlow {
  #isPaused = false;
  #isLost = false;
  /** Why the connection was lost, null for a regular end. */
  #error: unknown = null;
  /** Made when a task has to wait: a server has a writer for each connection, and most never do. */
  #draining: WaitQueue | null = null;
  #closing: WaitQueue | null = null;

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#draining?.wakeAll();
  }

  lose(error: unknown): void {
    this.#isLost = true;
    this.#error = error ?? null;
    this.#draining?.wakeAll();
    this.#closing?.wakeAll();
  }

  get isPaused(): boolean {
    return this.#isPaused && !this.#isLost;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Throws when the connection is gone; waits while the protocol is paused. */
  *drain(task: Task): Steps<void> {
    if (this.#isLost) throw this.lossError();
    if (!this.#isPaused) return;
    this.#draining ??= new WaitQueue("StreamWriter", () => "StreamWriter.drain");
    yield* new Waiter(this.#draining, task.loop);
    // Woken up by the loss of the connection, or it was lost since.
    this.throwError();
  }

  /** Waits for the end of the connection. */
  *waitUntilLost(task: Task): Steps<void> {
    if (this.#isLost) return;
    this.#closing ??= new WaitQueue("StreamWriter", () => "StreamWriter.waitClosed");
    yield* new Waiter(this.#closing, task.loop);
  }

  /** Waits for the end of the connection; throws what it was lost by. */
  *waitClosed(task: Task): Steps<void> {
    yield* this.waitUntilLost(task);
    this.throwError();
  }

  private throwError(): void {
    if (this.#error !== null) throw this.#error;
  }

  lossError(): ConnectionResetError {
    return new ConnectionResetError(
      "the connection is lost",
      this.#error === null ? undefined : { cause: this.#error },
    );
  }
}
