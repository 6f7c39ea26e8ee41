import { ArgumentTypeError, coroutine } from "corio";
import type { Coroutine, Duration, WithBody } from "corio";
import { callBlock, withRetries } from "corio/pool";
import {
  CommitOutcomeUnknownError,
  ConnectionLostError,
  isRetryable,
  TransactionAbortedError,
} from "./errors.ts";
import type { DriverResult } from "./driver.ts";
import { asItIs } from "./session.ts";
import type { Session } from "./session.ts";

/** How much a transaction sees of others. PostgreSQL treats `read uncommitted` as `read committed`. */
export type IsolationLevel = "read committed" | "repeatable read" | "serializable";

/** When a transaction that failed is tried again, from its beginning. */
export interface RetryOptions {
  /** How often it may run in all. Default 5. */
  readonly attempts?: number | undefined;
  /** The longest first pause, in seconds; it doubles each time. Default 0.05. Pauses are of random length. */
  readonly firstDelay?: Duration | undefined;
  /** The longest pause of all. Default 2 seconds. */
  readonly maxDelay?: Duration | undefined;
  /** After which errors. Default: serialization failures (40001) and deadlocks (40P01). */
  readonly on?: ((error: unknown) => boolean) | undefined;
}

/** Options of `transaction`. What is left out is the server's default. */
export interface TransactionOptions {
  /** How much it sees of others. */
  readonly isolation?: IsolationLevel | undefined;
  /** Refuses to write. */
  readonly readOnly?: boolean | undefined;
  /** Waits, if it is serializable and read only, until it cannot fail. */
  readonly deferrable?: boolean | undefined;
  /** Runs the block again when it failed because of others. True is `{}`. Default: it is not. */
  readonly retry?: boolean | RetryOptions | undefined;
}

const LEVELS: readonly string[] = ["read committed", "repeatable read", "serializable"];

/** The statement that begins a transaction. */
export function beginStatement({ isolation, readOnly, deferrable }: TransactionOptions): string {
  if (isolation !== undefined && !LEVELS.includes(isolation)) {
    throw new ArgumentTypeError(
      `transaction expects isolation to be one of ${LEVELS.join(", ")}, got ${JSON.stringify(isolation)}`,
    );
  }
  if (isolation === undefined && readOnly === undefined && deferrable === undefined) return "BEGIN";
  const modes = [
    ...(isolation === undefined ? [] : [`ISOLATION LEVEL ${isolation.toUpperCase()}`]),
    ...(readOnly === undefined ? [] : [readOnly ? "READ ONLY" : "READ WRITE"]),
    ...(deferrable === undefined ? [] : [deferrable ? "DEFERRABLE" : "NOT DEFERRABLE"]),
  ];
  return `BEGIN ${modes.join(", ")}`;
}

/** A block that is committed when it returns, and rolled back when it throws. */
export type TransactionBody<C, T> = WithBody<[connection: C], T>;

/**
 * The scope of a transaction or, inside of one, of a savepoint.
 *
 * The end of a transaction is not interrupted. ROLLBACK runs after a cancel as well, or the connection is dropped, by
 * which the server rolls back. A COMMIT that is cancelled waits for its answer, for `cancelTimeout` at most; no
 * CancelRequest is sent, since to interrupt it could only make its outcome doubtful (with synchronous replication it
 * gives up the waiting, not the commit).
 */
export function runTransaction<C, T>(
  session: Session,
  connection: C,
  body: TransactionBody<C, T>,
  options: TransactionOptions,
): Coroutine<T> {
  return transactionScope(session, connection, body, options);
}

const transactionScope = coroutine(async function transaction<C, T>(
  session: Session,
  connection: C,
  body: TransactionBody<C, T>,
  options: TransactionOptions,
): Promise<T> {
  const call = (): T | PromiseLike<T> => callBlock(body, connection);
  if (session.isInTransaction) return await inSavepoint(session, call);
  const begin = beginStatement(options);
  const retry = options.retry === true ? {} : options.retry;
  if (retry === undefined || retry === false) return await inTransaction(session, begin, call);

  const { attempts = 5, firstDelay = 0.05, maxDelay = 2, on = isRetryable } = retry;
  const isWorthwhile = (error: unknown): boolean => !session.isBroken && on(error);
  return await withRetries("transaction", { attempts, firstDelay, maxDelay, isWorthwhile }, () =>
    inTransaction(session, begin, call),
  );
});

async function inTransaction<T>(session: Session, begin: string, body: () => T | PromiseLike<T>): Promise<T> {
  let result: T;
  try {
    await session.run({ text: begin });
    result = await body();
  } catch (error) {
    await rollBack(session, "ROLLBACK");
    throw error;
  }
  await commit(session);
  return result;
}

async function inSavepoint<T>(session: Session, body: () => T | PromiseLike<T>): Promise<T> {
  const name = session.nextSavepoint();
  let result: T;
  let isSet = false;
  try {
    await session.run({ text: `SAVEPOINT ${name}` });
    isSet = true;
    result = await body();
    await session.run({ text: `RELEASE SAVEPOINT ${name}` });
  } catch (error) {
    if (isSet) await rollBack(session, `ROLLBACK TO SAVEPOINT ${name};RELEASE SAVEPOINT ${name}`);
    throw error;
  }
  return result;
}

/** Whatever goes wrong here, the error that led to it is the one to throw; a connection that is lost rolls back, too. */
async function rollBack(session: Session, text: string): Promise<void> {
  if (session.isBroken || !session.isInTransaction) return;
  try {
    await session.run({ text }, { isInterruptible: false, answerTimeout: 0 });
  } catch {
    session.drop("it could not roll back");
  }
}

type CommitOutcome = { readonly result: DriverResult } | { readonly error: unknown };

async function commit(session: Session): Promise<void> {
  // Lost before COMMIT was sent: then the server rolls back.
  if (session.lost !== null) throw session.lost;
  if (!session.isInTransaction) {
    throw new TransactionAbortedError(
      "the transaction was ended by a statement inside its block; leave COMMIT and ROLLBACK to the block",
    );
  }
  const outcome = await session.perform<CommitOutcome>(
    // A value in any case: after a cancel an error would become a CancelledError, and what happened be forgotten.
    async () => {
      try {
        return { result: await session.request({ text: "COMMIT" }, asItIs) };
      } catch (error) {
        return { error };
      }
    },
    { isInterruptible: false },
  );
  if ("result" in outcome) {
    if (outcome.result.command !== "ROLLBACK") return;
    throw new TransactionAbortedError(
      "the transaction was rolled back: one of its statements had failed, and the block went on as if it had not; " +
        "put statements that may fail into a transaction of their own inside the block, which is a savepoint",
    );
  }
  if (!(outcome.error instanceof ConnectionLostError)) throw outcome.error;
  throw new CommitOutcomeUnknownError(
    "the connection was lost while COMMIT was under way: the transaction may be committed or not; look before you repeat it",
    { cause: outcome.error },
  );
}
