import { ArgumentTypeError, coroutine, isCancelledError } from "corio";
import type { Coroutine, Duration } from "corio";
import { withRetries } from "corio/pool";
import { checkBatch, sendMulti } from "./batch.ts";
import type { Batch } from "./batch.ts";
import type { Connection } from "./connection.ts";
import { ConnectionLostError, TransactionOutcomeUnknownError, WatchedKeyChangedError } from "./errors.ts";

/** When a transaction whose keys were changed by others is tried again, from its beginning. */
export interface RetryOptions {
  /** How often it may run in all. Default 10. */
  readonly attempts?: number | undefined;
  /** The longest first pause, in seconds; it doubles each time. Default 0.01. Pauses are of random length. */
  readonly firstDelay?: Duration | undefined;
  /** The longest pause of all. Default 1 second. */
  readonly maxDelay?: Duration | undefined;
}

/** Options of `transaction`. */
export interface TransactionOptions {
  /** The keys that nobody else may change between the beginning of the block and its end. */
  readonly watch?: string | readonly string[] | undefined;
  /** Runs the block again when somebody has. True is `{}`. Default: it is not. */
  readonly retry?: boolean | RetryOptions | undefined;
}

/** Reads, and gives the commands that are to be done as one. */
export type TransactionBody<Replies extends readonly unknown[]> = (
  connection: Connection,
  batch: Batch,
) => Batch<Replies> | PromiseLike<Batch<Replies>>;

/** The keys of the option `watch`. Throws when it makes no sense. */
export function keysToWatch({ watch = [] }: TransactionOptions): readonly string[] {
  const keys = typeof watch === "string" ? [watch] : watch;
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string"))
    throw new ArgumentTypeError("transaction expects watch to be a key, or an array of keys");
  return keys as readonly string[];
}

/** WATCH, the block, MULTI … EXEC. `makeBatch` gives one with nothing in it. */
export function runTransaction<Replies extends readonly unknown[]>(
  connection: Connection,
  body: TransactionBody<Replies>,
  options: TransactionOptions,
  makeBatch: () => Batch,
): Coroutine<Replies> {
  return transactionScope(connection, body, options, makeBatch);
}

const transactionScope = coroutine(async function transaction<Replies extends readonly unknown[]>(
  connection: Connection,
  body: TransactionBody<Replies>,
  options: TransactionOptions,
  makeBatch: () => Batch,
): Promise<Replies> {
  const keys = keysToWatch(options);
  const retry = options.retry === true ? {} : options.retry === false ? undefined : options.retry;
  const { attempts = 10, firstDelay = 0.01, maxDelay = 1 } = retry ?? { attempts: 1 };
  const call = coroutine(async () => await body(connection, makeBatch()));
  const isWorthwhile = (error: unknown): boolean => error instanceof WatchedKeyChangedError;
  return await withRetries("transaction", { attempts, firstDelay, maxDelay, isWorthwhile }, async () => {
    if (keys.length > 0) await connection.watch(...keys);
    return await execute<Replies>(connection, checkBatch<Replies>("transaction", await call()));
  });
});

type Outcome = { readonly replies: unknown[] } | { readonly error: unknown };

/** EXEC is not interrupted: it could only make doubtful what was done. */
async function execute<Replies extends readonly unknown[]>(
  connection: Connection,
  batch: Batch<Replies>,
): Promise<Replies> {
  // A value in any case: after a cancel an error would become a CancelledError, and what happened be forgotten.
  const outcome = await connection.perform<Outcome>(async (client, toError) => {
    try {
      return { replies: await sendMulti(client, batch) };
    } catch (error) {
      return { error: toError(error) };
    }
  });
  if ("replies" in outcome) return outcome.replies as unknown as Replies;
  const { error } = outcome;
  if (isCancelledError(error) || !(error instanceof ConnectionLostError)) throw error;
  throw new TransactionOutcomeUnknownError(
    "the connection was lost while EXEC was under way: the transaction was done, or nothing of it; look before you repeat it",
    { cause: error },
  );
}
