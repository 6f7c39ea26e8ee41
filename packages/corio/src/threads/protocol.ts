/** What the loop's thread and a worker say to each other. A worker has one call at a time. */
import type { EncodedError } from "./error-transport.ts";

/** To the worker: call a function. */
export interface CallMessage {
  readonly type: "call";
  /** Counts from 1 in each worker. */
  readonly id: number;
  readonly url: string;
  readonly exportName: string;
  readonly args: readonly unknown[];
  /** Shared context variables, by their names. */
  readonly variables: readonly (readonly [name: string, value: unknown])[];
  /** How many items may be sent before some are asked for; 0 when the result is wanted, and no items. */
  readonly items: number;
}

/** To the worker: nobody waits for the call any more. */
export interface CancelMessage {
  readonly type: "cancel";
  readonly id: number;
  readonly reason: string | undefined;
  readonly requestedBy: string | undefined;
}

/** To the worker: so many items have been taken. */
export interface MoreMessage {
  readonly type: "more";
  readonly id: number;
  readonly items: number;
}

/** To the worker: how a coroutine that it asked for has ended. */
export interface AnswerMessage {
  readonly type: "answer";
  readonly ask: number;
  readonly outcome: Outcome;
}

/** To the worker, when it is idle: end. */
export interface EndMessage {
  readonly type: "end";
}

export type ToWorker = CallMessage | CancelMessage | MoreMessage | AnswerMessage | EndMessage;

export type Outcome = { readonly value: unknown } | { readonly error: EncodedError };

/** From the worker: how its call has ended. */
export interface EndedMessage {
  readonly type: "ended";
  readonly id: number;
  readonly outcome: Outcome;
}

/** From the worker: an item of the stream. */
export interface ItemMessage {
  readonly type: "item";
  readonly id: number;
  readonly value: unknown;
}

/** From the worker: run a coroutine on the loop. */
export interface AskMessage {
  readonly type: "ask";
  readonly ask: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** From the worker: cancel that coroutine. */
export interface WithdrawMessage {
  readonly type: "withdraw";
  readonly ask: number;
}

/** From the worker: call a function on the loop. */
export interface SoonMessage {
  readonly type: "soon";
  readonly name: string;
  readonly args: readonly unknown[];
}

export type FromWorker = EndedMessage | ItemMessage | AskMessage | WithdrawMessage | SoonMessage;

/** Indexes into the memory that a worker thread shares with the loop's. */
export const CANCELLED_CALL = 0;
export const ANSWERS = 1;
export const SHARED_BYTES = 8;

/** What a worker thread is started with. */
export interface ThreadData {
  readonly corio: {
    readonly shared: SharedArrayBuffer;
    /** The `MessagePort` that answers come through: it can be read while the thread blocks. */
    readonly answers: unknown;
  };
}
