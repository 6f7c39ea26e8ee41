import type { EventLoop } from "../futures/event-loop.ts";
import type { Call } from "./call.ts";
import type { AnswerMessage, FromWorker, ToWorker } from "./protocol.ts";

/** Whom a worker tells. */
export interface WorkerOwner {
  noteMessage(worker: WorkerHandle, message: FromWorker): void;
  /** It is gone. `how` says in words why; `cause` is the error, if it was one. */
  noteEnd(worker: WorkerHandle, how: string, cause: unknown): void;
  /** It never came to be. */
  noteFailedStart(worker: WorkerHandle, cause: unknown): void;
}

/** A worker as the pool sees it: a thread or a process. */
export abstract class WorkerHandle {
  /** What it is, in words. */
  abstract readonly kind: string;
  readonly owner: WorkerOwner;
  /** What it is doing. */
  call: Call<unknown> | null = null;
  /** Where its last call came from. */
  loop: EventLoop | null = null;
  lastId = 0;
  /** When it had nothing to do any more, in seconds of the host's clock. */
  idleSince = 0;
  /** It was told to end, or killed. */
  isEnding = false;
  /** Coroutines that it asked for, by the number of the question; the value ends the coroutine early. */
  readonly asks: Map<number, () => void> = new Map<number, () => void>();

  constructor(owner: WorkerOwner) {
    this.owner = owner;
  }

  /** Throws when something in the message cannot be cloned; then nothing has been sent. */
  abstract post(message: ToWorker, transferList?: readonly unknown[]): void;

  /** `post`, also to a thread that blocks. */
  abstract answer(message: AnswerMessage, transferList?: readonly unknown[]): void;

  /** Tells, where memory is shared, that a call is cancelled, so that the worker can see it while it computes. */
  abstract flagCancelled(id: number): void;

  /** Whether the host's process is to live while the worker does. */
  abstract setKeepsProcess(keeps: boolean): void;

  /** Ends it, when it has nothing to do. */
  abstract end(): void;

  /** Ends it, whatever it is doing. */
  abstract kill(): void;
}
