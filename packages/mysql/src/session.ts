import {
  ArgumentTypeError,
  coroutine,
  isCancelledError,
  sleep,
  timeout,
  TimeoutError,
  until,
  ValueError,
} from "corio";
import type { Coroutine, Duration } from "corio";
import { exchange, Flight } from "corio/pool";
import type { ExchangeOptions } from "corio/pool";
import { isAnswerReliable, isDirtyText } from "./dirt.ts";
import {
  hasPlainBackslashes,
  isTransactionOpen,
  makeClient,
  quoteIdentifier,
  watchStatus,
} from "./driver.ts";
import type { DriverCallback, DriverClient, DriverConfig, DriverError, DriverHeader } from "./driver.ts";
import {
  connectError,
  ConnectError,
  ConnectionBusyError,
  ConnectionLostError,
  interruption,
  isFatal,
  isServerMessage,
  operationError,
  TransactionAbortedError,
} from "./errors.ts";
import { Kill } from "./kill.ts";
import type { KillTarget } from "./kill.ts";
import { driverConfig, passwordOf, settingsStatement, targetOf } from "./options.ts";
import type { ConnectOptions } from "./options.ts";
import { rowsOf, toAnswer } from "./rows.ts";
import type { Answer } from "./rows.ts";

/** A statement, ready to be sent. */
export interface Statement {
  readonly sql: string;
  readonly values?: readonly unknown[] | undefined;
  readonly rowsAsArray?: boolean;
  /** Over the binary protocol, parsed by the server. */
  readonly isPrepared?: boolean;
}

/** An operation under way on a connection: what it gives waits for the KILL that is under way, too. */
export class Errand<T> extends Flight<T> {
  /** A KILL has been carried out while it was under way: what it gives may not be what it would have given. */
  isKilled = false;
  /** The KILL that is under way, or the last one. Does not reject. */
  killing: Promise<void> | null = null;
  /** Called when it is to be killed. */
  onCancel: (() => void) | null = null;
  /** Called when a KILL has ended, whatever has become of it. */
  onKilled: (() => void) | null = null;

  protected override beforeConclusion(): Promise<void> | null {
    return this.killing;
  }
}

/** The options of a statement that the server parses: the rows are arrays, so that it is parsed once for all methods. */
const PREPARED = { rowsAsArray: true } as const;

/**
 * A connection to the server, on top of mysql2's.
 *
 * mysql2 queues a statement behind the one that is under way. Here only one is: the first may have to be cancelled, and a
 * KILL must not hit the second. An operation begins with `begin`, which gives a `Flight`, and is over when the server is
 * ready for the next one, or the connection is lost.
 */
export class Session {
  readonly client: DriverClient;
  readonly #options: ConnectOptions;
  readonly #config: Omit<DriverConfig, "password">;
  readonly #exchange: ExchangeOptions;
  /** Beneath TLS. */
  readonly #socket: DriverClient["stream"];
  #flight: Errand<unknown> | null = null;
  #lost: ConnectionLostError | null = null;
  /** The server's status flags. */
  #status = 0;
  #isDirty = false;
  /** Another database is used than the one that we connected to. */
  #hasMoved = false;
  /** The transaction of a `transaction` block. */
  #transaction: { ended: TransactionAbortedError | null } | null = null;
  #savepoints = 0;
  /** What was prepared: for how many, and how many values it takes. */
  readonly #prepared = new Map<string, { users: number; readonly values: number }>();
  #killTarget: KillTarget | null = null;
  #kill: Kill | null = null;
  #maxPacket = 1024 * 1024;
  /** The connection keeps the process alive; as a new one does. */
  #isHeld = true;

  private constructor(options: ConnectOptions, config: DriverConfig) {
    this.#options = options;
    this.#config = config;
    this.client = makeClient(config);
    this.#socket = this.client.stream;
    this.#exchange = {
      cancel: () => this.#cancel(),
      terminate: () => this.#terminate(),
      drop: (reason) => this.drop(reason),
      cancelTimeout: options.cancelTimeout ?? 5,
    };
    const { client } = this;
    // Without a listener an error of an idle connection ends the process. Whatever it is, mysql2 runs nothing after it.
    client.on("error", (error: unknown) => {
      this.#lose(error);
      this.#destroy();
    });
    this.#socket.once("close", () => this.#lose(new Error("the connection was closed")));
  }

  // ── Connecting ────────────────────────────────────────────────────────────────────────────────────────────────

  static open(options: ConnectOptions): Coroutine<Session> {
    return openSession(options);
  }

  /** @internal */
  static async connect(options: ConnectOptions): Promise<Session> {
    const config = driverConfig(options);
    const target = targetOf(config);
    const limit = options.connectTimeout ?? 10;
    let session: Session | null = null;
    try {
      return await timeout(limit, async () => {
        const password = await until(passwordOf(options));
        const opening = new Session(options, { ...config, password });
        session = opening;
        await until((signal) => {
          signal.addEventListener("abort", () => opening.#destroy());
          return new Promise<void>((resolve, reject) => {
            opening.client.connect((error) => {
              if (error === null || error === undefined) resolve();
              else reject(error);
            });
          });
        });
        await opening.#setUp();
        // A cancel that came too late to stop the set-up is raised here, and the connection closed. At the end of the
        // task it would take the connection with it, and nobody could close that.
        await sleep(0);
        return opening;
      });
    } catch (error) {
      (session as Session | null)?.drop("it could not be set up");
      if (isCancelledError(error)) throw error;
      if (error instanceof TimeoutError) {
        throw new ConnectError(
          `${target.server} did not answer within the connectTimeout; is it a MySQL or MariaDB server, and well?`,
          { cause: error },
        );
      }
      // About the program, not about the server.
      if (error instanceof ValueError || error instanceof ArgumentTypeError) throw error;
      throw connectError(error instanceof ConnectionLostError ? (error.cause ?? error) : error, target);
    }
  }

  async #setUp(): Promise<void> {
    const { threadId } = this.client;
    watchStatus(this.client, (status) => (this.#status = status));
    const { remoteAddress, remotePort } = this.#socket;
    const target: KillTarget = {
      threadId: threadId ?? 0,
      peer: null,
      isMariaDb: false,
      address:
        remoteAddress === undefined || remotePort === undefined || this.#config.socketPath !== undefined
          ? null
          : { host: remoteAddress, port: remotePort },
      config: this.#config,
      password: () => passwordOf(this.#options),
    };
    this.#killTarget = target;
    const who =
      "SELECT CONNECTION_ID() AS id, VERSION() AS version, @@max_allowed_packet AS packet, " +
      "(SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()) AS peer";
    const [row] = rowsOf(await this.run({ sql: who })) as {
      id: number;
      version: string;
      packet: number;
      peer: string | null;
    }[];
    if (row !== undefined) {
      this.#killTarget = {
        ...target,
        threadId: row.id,
        peer: row.peer,
        isMariaDb: /mariadb/i.test(row.version),
      };
      this.#maxPacket = row.packet;
    }
    await this.#applySettings(true);
    this.#isDirty = false;
    this.#hasMoved = false;
  }

  async #applySettings(isNew: boolean): Promise<void> {
    const sql = settingsStatement(this.#options, isNew);
    if (sql !== null) await this.run({ sql });
  }

  // ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get isBroken(): boolean {
    return this.#lost !== null;
  }

  get lost(): ConnectionLostError | null {
    return this.#lost;
  }

  get isInTransaction(): boolean {
    return this.#transaction !== null || isTransactionOpen(this.#status);
  }

  /** Whether the next who gets it would not meet anything of what was done on it. */
  get isClean(): boolean {
    return (
      !this.isInTransaction &&
      !this.#isDirty &&
      this.#prepared.size === 0 &&
      !this.#isAtWork &&
      this.#options.reset !== "always"
    );
  }

  /** Something is under way, or a KILL that would hit what begins now. */
  get #isAtWork(): boolean {
    return this.#flight !== null || this.#kill !== null;
  }

  get threadId(): number | null {
    return this.#killTarget?.threadId ?? null;
  }

  get commandTimeout(): Duration | null {
    return this.#options.commandTimeout ?? null;
  }

  /** How many bytes a statement may have. */
  get maxPacket(): number {
    return this.#maxPacket;
  }

  markDirty(): void {
    this.#isDirty = true;
  }

  // ── Transactions ──────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Begins the transaction of a block. From then on a statement is refused when the transaction has ended: it would be
   * carried out, and committed at once, whatever happens to the rest of the block.
   */
  async begins(statements: readonly string[]): Promise<void> {
    const wasDirty = this.#isDirty;
    for (const sql of statements) await this.run({ sql });
    // The isolation level was used up by START TRANSACTION. If that did not come through, it is still there.
    this.#isDirty = wasDirty;
    this.#transaction = { ended: null };
  }

  leaveTransaction(): void {
    this.#transaction = null;
    this.#savepoints = 0;
  }

  /** Why the transaction of the block that is running has ended, null if it has not. */
  get transactionEnd(): TransactionAbortedError | null {
    return this.#transaction?.ended ?? null;
  }

  /** The name of a new savepoint. */
  nextSavepoint(): string {
    return `corio_${++this.#savepoints}`;
  }

  #noteStatus(status: number, cause: unknown): void {
    this.#status = status;
    if (this.#transaction === null || isTransactionOpen(status)) return;
    const advice = "do the whole transaction again, for instance with the option retry";
    this.#transaction.ended ??=
      cause === null
        ? new TransactionAbortedError(
            "the transaction was ended by a statement inside its block; leave COMMIT and ROLLBACK to the block, " +
              "and statements that commit by themselves, such as CREATE TABLE, out of it",
          )
        : new TransactionAbortedError(
            `the server has rolled the transaction back: ${(cause as Error).message}; ${advice}`,
            { cause },
          );
  }

  // ── Operations ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs a statement. */
  run(statement: Statement, options: PerformOptions = {}): Coroutine<Answer> {
    return this.perform(() => this.request(statement, asItIs), options);
  }

  /** The cancel rule for what is done here. */
  get exchangeOptions(): ExchangeOptions {
    return this.#exchange;
  }

  /**
   * Does something by the cancel rule. `start` begins a flight, and its promise settles when that is over, or at least
   * when it cannot be cancelled any more.
   */
  perform<T>(start: () => PromiseLike<T>, options: PerformOptions = {}): Coroutine<T> {
    if (options.isInterruptible === undefined && options.answerTimeout === undefined)
      return exchange(start, this.#exchange);
    return exchange(start, {
      ...this.#exchange,
      ...(options.isInterruptible === false && { cancel: null }),
      ...(options.answerTimeout !== undefined && { answerTimeout: options.answerTimeout }),
    });
  }

  /** Values as a row of a VALUES list: `(1,'Ada')`. */
  quoteRow(values: readonly unknown[]): string {
    this.#requireEscapes();
    return this.client.format("(?)", [values]);
  }

  /**
   * Begins an operation, which gives what `conclude` gives when it is over. Throws when the connection cannot do any.
   */
  begin<T>(conclude: (flight: Errand<T>) => T): Errand<T> {
    if (this.#lost !== null) throw this.#lost;
    if (this.#isAtWork) {
      throw new ConnectionBusyError(
        "this connection is at work: await what it does, or take another one from a pool for each task",
      );
    }
    this.#hold();
    const flight: Errand<T> = new Errand<T>(() => conclude(flight));
    this.#flight = flight;
    return flight;
  }

  /** Checks a statement that is to be sent now, and notes what it may leave behind. */
  check({ sql, values, isPrepared = false }: Statement): void {
    if (this.#transaction?.ended !== null && this.#transaction?.ended !== undefined)
      throw this.#transaction.ended;
    const prepared = isPrepared ? this.#prepared.get(sql) : undefined;
    // With one too many the server reads another value than was meant.
    if (prepared !== undefined && prepared.values !== (values?.length ?? 0)) {
      throw new ValueError(
        `this prepared statement expects ${prepared.values} values, got ${values?.length ?? 0}`,
      );
    }
    if (!isPrepared && values !== undefined && values.length > 0) this.#requireEscapes();
    if (isDirtyText(sql)) this.#isDirty = true;
  }

  #requireEscapes(): void {
    if (!hasPlainBackslashes(this.#status)) return;
    throw new ValueError(
      "values cannot be put into a statement safely in the sql_mode NO_BACKSLASH_ESCAPES; use connection.prepare",
    );
  }

  /**
   * Runs a statement, without the cancel rule: for what `perform` begins. Gives what `pick` makes of its answer.
   */
  request<T>(statement: Statement, pick: (answer: Answer) => T): Errand<T> {
    this.check(statement);
    const { sql, values, rowsAsArray = false, isPrepared = false } = statement;
    let answer: Answer = NO_ANSWER;
    return this.fly(
      (flight, done) => {
        const finish: DriverCallback = (error, rows, fields) => {
          if (error === null) {
            answer = toAnswer(rows, fields);
            if (answer.header === null) this.noteEnd();
            else this.noteHeader(answer.header);
            done();
          } else this.failFlight(flight, error, done);
        };
        const query = values === undefined ? { sql, rowsAsArray } : { sql, values, rowsAsArray };
        if (isPrepared) this.client.execute({ ...query, ...PREPARED }, finish);
        else this.client.query(query, finish);
      },
      (flight) => {
        if (flight.isKilled && !isAnswerReliable(sql, answer.sets.length > 0)) throw interruption();
        return pick(answer);
      },
    );
  }

  /**
   * Runs what `start` begins, to its end, which it announces by `done`. It gives what `conclude` gives, unless it has
   * failed.
   */
  fly<T>(
    start: (flight: Errand<T>, done: () => void) => void,
    conclude: (flight: Errand<T>) => T,
  ): Errand<T> {
    const flight = this.begin<T>((ended) => {
      this.throwFailure(ended);
      return conclude(ended);
    });
    try {
      start(flight, () => this.endFlight(flight));
    } catch (error) {
      // The driver takes it for a mistake, and has sent nothing.
      flight.fail(error);
      this.endFlight(flight);
    }
    return flight;
  }

  /** Notes what an OK packet says. */
  noteHeader({ serverStatus, stateChanges }: DriverHeader): void {
    if (stateChanges !== undefined) {
      if (stateChanges.schema !== null) this.#hasMoved = true;
      if (stateChanges.schema !== null || Object.keys(stateChanges.systemVariables).length > 0)
        this.#isDirty = true;
    }
    this.#noteStatus(serverStatus, null);
  }

  /** Rows have come to their end, and the server's status with them. */
  noteEnd(): void {
    this.#noteStatus(this.#status, null);
  }

  /**
   * An operation has failed. An error packet does not tell whether the transaction is still open, and it may not be:
   * after a deadlock it has been rolled back. So the server is asked before the flight is over.
   */
  failFlight(flight: Flight<never> | Flight<unknown>, error: DriverError, done: () => void): void {
    flight.fail(error);
    if (isFatal(error)) {
      this.#lose(error);
      done();
      return;
    }
    if (!isServerMessage(error)) {
      // A row could not be read, for instance because `typeCast` has thrown. mysql2 is ready for the next statement then:
      // the rest of these rows would be nobody's, which is a fatal error, or the next one's.
      this.drop("an answer could not be read");
      done();
      return;
    }
    if (!isTransactionOpen(this.#status)) {
      done();
      return;
    }
    const ask = (tries: number): void => {
      this.client.query({ sql: "DO 0" }, (failure, header) => {
        if (failure === null) this.#noteStatus((header as DriverHeader).serverStatus, operationError(error));
        // Hit by a KILL that was meant for the operation.
        else if (isServerMessage(failure) && !isFatal(failure) && tries > 1) {
          ask(tries - 1);
          return;
        } else this.#lose(failure);
        done();
      });
    };
    ask(5);
  }

  /** Throws what a flight that is over has ended with, if it was an error. */
  throwFailure({ failure }: Pick<Flight, "failure">): void {
    // What the server has answered holds even if the connection is lost after it; and so does what the program has done.
    if (
      failure !== null &&
      (this.#lost === null || isServerMessage(failure.error) || !isFatal(failure.error))
    )
      throw operationError(failure.error);
    if (this.#lost !== null) throw this.#lost;
  }

  // ── Prepared statements ───────────────────────────────────────────────────────────────────────────────────────

  /** Has the server parse a statement. mysql2 keeps it by its text, so two of the same text are one. */
  async prepare(sql: string): Promise<void> {
    this.check({ sql });
    let count = 0;
    await this.fly((flight, done) => {
      this.client.prepare({ sql, ...PREPARED }, (error, statement) => {
        count = statement?.parameters.length ?? 0;
        if (error === null) done();
        else this.failFlight(flight, error, done);
      });
    }, noResult);
    const known = this.#prepared.get(sql);
    if (known === undefined) this.#prepared.set(sql, { users: 1, values: count });
    else known.users++;
  }

  /** One less needs the statement. The server forgets it without a word, so there is nothing to wait for. */
  unprepare(sql: string): void {
    const known = this.#prepared.get(sql);
    if (known === undefined || this.isBroken) return;
    if (--known.users > 0) return;
    this.#prepared.delete(sql);
    this.client.unprepare({ sql, ...PREPARED });
  }

  // ── Back to the pool ──────────────────────────────────────────────────────────────────────────────────────────

  /** Makes the session as good as new; false when it is of no use any more. */
  reset(): Coroutine<boolean> {
    return resetSession(this);
  }

  /** @internal */
  async resetNow(): Promise<boolean> {
    // Somebody has left a stream open: its rows are still on their way.
    if (this.#isAtWork || this.isBroken) return false;
    this.leaveTransaction();
    for (const [sql, known] of [...this.#prepared]) {
      known.users = 1;
      this.unprepare(sql);
    }
    if (this.#isDirty || this.#options.reset === "always") return await this.#resetSession();
    if (isTransactionOpen(this.#status)) {
      await this.run({ sql: "ROLLBACK" }, { isInterruptible: false, answerTimeout: 0 });
    }
    return !isTransactionOpen(this.#status) && !this.isBroken;
  }

  /** Rolls back, unlocks, and forgets variables, temporary tables and settings; but not which database is used. */
  async #resetSession(): Promise<boolean> {
    const { database } = this.#options;
    if (this.#hasMoved && database === undefined) return false;
    const options: PerformOptions = { isInterruptible: false, answerTimeout: 0 };
    const reset = (): Errand<void> =>
      this.fly((flight, done) => {
        this.client.reset((error) => {
          if (error === null || error === undefined) done();
          else this.failFlight(flight, error, done);
        });
      }, noResult);
    await this.perform(reset, options);
    this.#status = 0;
    const settings = settingsStatement(this.#options, false);
    if (settings !== null) await this.run({ sql: settings }, options);
    if (this.#hasMoved && database !== undefined) {
      await this.run({ sql: `USE ${quoteIdentifier(database)}` }, options);
    }
    this.#isDirty = false;
    this.#hasMoved = false;
    return !this.isBroken;
  }

  /** Whether the server still answers. */
  ping(): Coroutine<void> {
    const ping = (): Errand<void> =>
      this.fly((flight, done) => {
        this.client.ping((error) => {
          if (error === null || error === undefined) done();
          else this.failFlight(flight, error, done);
        });
      }, noResult);
    return this.perform(ping, { isInterruptible: false, answerTimeout: 0 });
  }

  // ── Ending ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Says goodbye to the server, and waits until it has closed the connection, but not longer than `cancelTimeout`, nor
   * after a cancel.
   */
  close(): Coroutine<void> {
    return closeSession(this);
  }

  /** @internal */
  async closeNow(): Promise<void> {
    try {
      if (this.isBroken || this.#flight !== null) return;
      this.#hold();
      await timeout(this.#exchange.cancelTimeout, () =>
        until((signal) => {
          // A cancel ends the wait, and is raised at the next await: the answer to a statement may not be delivered yet.
          signal.addEventListener("abort", () => this.drop("it was closed"));
          return new Promise<void>((resolve) => {
            this.#socket.once("close", () => resolve());
            this.client.end();
          });
        }),
      );
    } finally {
      this.drop("it was closed");
    }
  }

  /** Closes the connection on this side, without a word. */
  drop(reason: string): void {
    this.#lost ??= new ConnectionLostError(`the connection is closed: ${reason}`);
    this.#kill?.abort();
    this.#destroy();
    this.#endCurrent();
  }

  #destroy(): void {
    this.client.stream.destroy();
    this.#socket.destroy();
  }

  #lose(cause: unknown): void {
    if (this.#lost === null) {
      const text = cause instanceof Error ? cause.message : String(cause);
      this.#lost = isServerMessage(cause)
        ? (operationError(cause) as ConnectionLostError)
        : new ConnectionLostError(
            `the connection to ${targetOf(this.#config).server} was lost: ${text}; what was under way may have been done or not`,
            { cause },
          );
    }
    this.#destroy();
    this.#endCurrent();
  }

  #endCurrent(): void {
    if (this.#flight !== null) this.endFlight(this.#flight);
  }

  /** The server is ready for the next operation, or the connection is lost. */
  endFlight(flight: Flight<never> | Flight<unknown>): void {
    if (flight !== this.#flight) return;
    this.#flight = null;
    this.#kill?.makeNeedless();
    flight.end();
    this.#letGo();
  }

  /** While somebody waits for the server, the connection keeps the process alive. */
  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.client.stream.ref();
  }

  #letGo(): void {
    // The end of a flight may have begun the next one.
    if (this.#flight !== null) return;
    this.#isHeld = false;
    this.client.stream.unref();
  }

  // ── Cancelling ────────────────────────────────────────────────────────────────────────────────────────────────

  async #cancel(): Promise<void> {
    const flight = this.#flight;
    if (flight === null || this.#killTarget === null) return;
    flight.onCancel?.();
    const kill = new Kill(this.#killTarget, "QUERY");
    this.#kill = kill;
    const killing = kill.ended.then(
      (isDone) => {
        if (isDone) flight.isKilled = true;
      },
      () => undefined,
    );
    flight.killing = killing;
    await killing;
    if (this.#kill === kill) this.#kill = null;
    flight.onKilled?.();
  }

  /** Has the server end this connection. Only promises: there may be no task here. */
  async #terminate(): Promise<void> {
    if (this.#killTarget === null || this.isBroken) return;
    this.#kill?.abort();
    const kill = new Kill(this.#killTarget, "CONNECTION");
    this.#kill = kill;
    try {
      await kill.ended;
    } finally {
      if (this.#kill === kill) this.#kill = null;
    }
  }
}

/** How an operation treats a cancel, and how long it may take. */
export interface PerformOptions {
  /** False: a cancel waits for the answer. */
  readonly isInterruptible?: false;
  /** After this time it is cancelled without anybody asking for it. */
  readonly answerTimeout?: number;
}

/** For `request`. */
export const asItIs = (answer: Answer): Answer => answer;

const NO_ANSWER: Answer = { sets: [], header: null };

function noResult(): void {
  // What is wanted is that it has been done.
}

// Coroutines: they run nothing until they are awaited.
const openSession = coroutine(async function connect(options: ConnectOptions) {
  return await Session.connect(options);
});
const resetSession = coroutine(async function reset(session: Session) {
  return await session.resetNow();
});
const closeSession = coroutine(async function close(session: Session) {
  await session.closeNow();
});
