import { ArgumentTypeError, coroutine } from "corio";
import type { Coroutine, Duration, WithBody } from "corio";
import { callBlock, withRetries } from "corio/pool";
import { CommitOutcomeUnknownError, ConnectionLostError, isRetryable } from "./errors.ts";
import { asItIs } from "./session.ts";
import type { Session } from "./session.ts";

/** How much a transaction sees of others. The server's default is `repeatable read`. */
export type IsolationLevel = "read uncommitted" | "read committed" | "repeatable read" | "serializable";

/** When a transaction that failed is tried again, from its beginning. */
export interface RetryOptions {
  /** How often it may run in all. Default 5. */
  readonly attempts?: number | undefined;
  /** The longest first pause, in seconds; it doubles each time. Default 0.05. Pauses are of random length. */
  readonly firstDelay?: Duration | undefined;
  /** The longest pause of all. Default 2 seconds. */
  readonly maxDelay?: Duration | undefined;
  /** After which errors. Default: deadlocks (1213), lock wait timeouts (1205), and changed rows (1020). */
  readonly on?: ((error: unknown) => boolean) | undefined;
}

/** Options of `transaction`. What is left out is the server's default. */
export interface TransactionOptions {
  /** How much it sees of others. */
  readonly isolation?: IsolationLevel | undefined;
  /** Refuses to write. */
  readonly readOnly?: boolean | undefined;
  /** Sees the data as they are at its beginning, not at its first read. For `repeatable read`. */
  readonly consistentSnapshot?: boolean | undefined;
  /** Runs the block again when it failed because of others. True is `{}`. Default: it is not. */
  readonly retry?: boolean | RetryOptions | undefined;
}

const LEVELS: readonly string[] = ["read uncommitted", "read committed", "repeatable read", "serializable"];

/** The statements that begin a transaction. */
function beginStatements({ isolation, readOnly, consistentSnapshot }: TransactionOptions): string[] {
  if (isolation !== undefined && !LEVELS.includes(isolation)) {
    throw new ArgumentTypeError(
      `transaction expects isolation to be one of ${LEVELS.join(", ")}, got ${JSON.stringify(isolation)}`,
    );
  }
  const modes = [
    ...(consistentSnapshot === true ? ["WITH CONSISTENT SNAPSHOT"] : []),
    ...(readOnly === undefined ? [] : [readOnly ? "READ ONLY" : "READ WRITE"]),
  ];
  return [
    // For the next transaction only.
    ...(isolation === undefined ? [] : [`SET TRANSACTION ISOLATION LEVEL ${isolation.toUpperCase()}`]),
    `START TRANSACTION ${modes.join(", ")}`.trimEnd(),
  ];
}

/** A block that is committed when it returns, and rolled back when it throws. */
export type TransactionBody<C, T> = WithBody<[connection: C], T>;

/**
 * The scope of a transaction or, inside of one, of a savepoint.
 *
 * The end of a transaction is not interrupted. ROLLBACK runs after a cancel as well, or the connection is dropped, by
 * which the server rolls back. A COMMIT that is cancelled waits for its answer, for `cancelTimeout` at most: to kill it
 * could only make its outcome doubtful.
 *
 * In MySQL a transaction can end inside of its block. A deadlock rolls the whole of it back, not just a statement, and
 * CREATE TABLE and the like commit it; the statements after that would be committed one by one. So the session watches
 * the server's status, and refuses them: see `Session.begins`.
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
  const begin = beginStatements(options);
  const retry = options.retry === true ? {} : options.retry;
  if (retry === undefined || retry === false) return await inTransaction(session, begin, call);

  const { attempts = 5, firstDelay = 0.05, maxDelay = 2, on = isRetryable } = retry;
  const isWorthwhile = (error: unknown): boolean => !session.isBroken && on(error);
  return await withRetries("transaction", { attempts, firstDelay, maxDelay, isWorthwhile }, () =>
    inTransaction(session, begin, call),
  );
});

async function inTransaction<T>(
  session: Session,
  begin: string[],
  body: () => T | PromiseLike<T>,
): Promise<T> {
  let result: T;
  try {
    await session.begins(begin);
    result = await body();
  } catch (error) {
    await rollBack(session);
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
    await session.run({ sql: `SAVEPOINT ${name}` });
    isSet = true;
    result = await body();
    await session.run({ sql: `RELEASE SAVEPOINT ${name}` });
  } catch (error) {
    if (isSet) await rollBackTo(session, name);
    throw error;
  }
  return result;
}

/** Whatever goes wrong here, the error that led to it is the one to throw; a connection that is lost rolls back, too. */
async function rollBack(session: Session): Promise<void> {
  session.leaveTransaction();
  if (!session.isInTransaction) return;
  await runLast(session, "ROLLBACK");
}

async function rollBackTo(session: Session, savepoint: string): Promise<void> {
  // It is gone with its transaction.
  if (!session.isInTransaction || session.transactionEnd !== null) return;
  await runLast(session, `ROLLBACK TO SAVEPOINT ${savepoint}`);
  await runLast(session, `RELEASE SAVEPOINT ${savepoint}`);
}

async function runLast(session: Session, sql: string): Promise<void> {
  if (session.isBroken) return;
  try {
    await session.run({ sql }, { isInterruptible: false, answerTimeout: 0 });
  } catch {
    session.drop("it could not roll back");
  }
}

type CommitOutcome = { readonly error: unknown } | null;

async function commit(session: Session): Promise<void> {
  const ended = session.transactionEnd;
  session.leaveTransaction();
  // Lost before COMMIT was sent: then the server rolls back.
  if (session.lost !== null) throw session.lost;
  if (ended !== null) {
    // A statement of the block may have begun another one.
    await rollBack(session);
    throw ended;
  }
  const outcome = await session.perform<CommitOutcome>(
    // A value in any case: after a cancel an error would become a CancelledError, and what happened be forgotten.
    async () => {
      try {
        await session.request({ sql: "COMMIT" }, asItIs);
        return null;
      } catch (error) {
        return { error };
      }
    },
    { isInterruptible: false },
  );
  if (outcome === null) return;
  if (!(outcome.error instanceof ConnectionLostError)) {
    await rollBack(session);
    throw outcome.error;
  }
  throw new CommitOutcomeUnknownError(
    "the connection was lost while COMMIT was under way: the transaction may be committed or not; look before you repeat it",
    { cause: outcome.error },
  );
}
