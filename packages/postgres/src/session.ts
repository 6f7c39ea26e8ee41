import {
  coroutine,
  getRunningLoop,
  isCancelledError,
  sleep,
  timeout,
  TimeoutError,
  until,
  ValueError,
} from "corio";
import type { Coroutine, Duration, EventLoop } from "corio";
import { exchange, Flight, toSeconds } from "corio/pool";
import type { ExchangeOptions } from "corio/pool";
import { cancelTargetOf, sendCancelRequest } from "./cancel-request.ts";
import type { CancelRequest, CancelTarget } from "./cancel-request.ts";
import { isDirtyCommand, isDirtyText, RESET_SESSION } from "./dirt.ts";
import { makeClient } from "./driver.ts";
import type { DriverCallback, DriverClient, DriverQuery, DriverResult, Submittable } from "./driver.ts";
import {
  connectError,
  ConnectError,
  ConnectionBusyError,
  ConnectionLostError,
  isFatal,
  isServerMessage,
  operationError,
} from "./errors.ts";
import { driverConfig, targetOf } from "./options.ts";
import type { ConnectOptions, Notice } from "./options.ts";

/** What the server says with every ReadyForQuery: idle, in a transaction, in one that has failed. */
type TransactionStatus = "I" | "T" | "E";

/**
 * A connection to the server, on top of pg's client.
 *
 * pg reports the failure of a statement when the server's ErrorResponse arrives. The server is not ready for the next
 * one by then, and has not said yet whether a transaction is open. So an operation here begins with `begin`, which gives
 * a `Flight`, and is over when ReadyForQuery has come, or when the connection is lost. Only one is under way at a time:
 * pg would queue a second one, behind a first that may have to be cancelled.
 */
export class Session {
  readonly client: DriverClient;
  readonly #options: ConnectOptions;
  /** Where it was made. */
  readonly #loop: EventLoop = getRunningLoop();
  readonly #exchange: ExchangeOptions;
  #flight: Flight<unknown> | null = null;
  #lost: ConnectionLostError | null = null;
  #status: TransactionStatus = "I";
  #isDirty = false;
  /** By SQL, not by us: then DEALLOCATE ALL is part of a reset. */
  #hasPrepared = false;
  /** Made by `prepare`, and not closed. */
  readonly #statements = new Set<string>();
  #cancelTarget: CancelTarget | null = null;
  #cancelRequest: CancelRequest | null = null;
  #terminator: DriverClient | null = null;
  /** When the server's process was started: with the process's number it names this connection for certain. */
  #backendStart: string | null = null;
  #serverVersion = 0;
  #checksConnection = false;
  #onLost: ((error: ConnectionLostError) => void) | null = null;
  #savepoints = 0;
  /** What is under way is a statement that the server has parsed: the whole of it was sent at once. */
  #hasSynced = false;
  #isKeptAlive = false;
  /** The connection keeps the process alive; as a new one does. */
  #isHeld = true;

  private constructor(options: ConnectOptions) {
    this.#options = options;
    this.client = makeClient(driverConfig(options));
    this.#exchange = {
      cancel: () => this.#cancel(),
      terminate: () => this.#terminate(),
      drop: (reason) => this.drop(reason),
      cancelTimeout: options.cancelTimeout ?? 5,
    };
    for (const [oid, parse] of Object.entries(options.parsers ?? {})) {
      this.client.setTypeParser(Number(oid), "text", parse);
    }
    this.#listen();
  }

  // ── Connecting ────────────────────────────────────────────────────────────────────────────────────────────────

  static open(options: ConnectOptions): Coroutine<Session> {
    return openSession(options);
  }

  /** @internal */
  static async connect(options: ConnectOptions): Promise<Session> {
    const session = new Session(options);
    checkStartup(session.client.getStartupConf());
    const target = targetOf(session.client);
    const limit = options.connectTimeout ?? 10;
    // TLS wraps the socket that the client begins with; both must go when the attempt is given up.
    const socket = session.client.connection.stream;
    const giveUp = (): void => {
      socket.destroy();
      session.client.connection.stream.destroy();
    };
    try {
      await timeout(limit, async () => {
        await until((signal) => {
          signal.addEventListener("abort", giveUp);
          return new Promise<void>((resolve, reject) => {
            session.client.connect((error) => {
              if (error === null || error === undefined) resolve();
              else reject(error);
            });
            session.#listenAfterDriver();
          });
        });
        await session.#setUp();
        // A cancel that came too late to stop the set-up is raised here, and the connection closed. At the end of the
        // task it would take the connection with it, and nobody could close that.
        await sleep(0);
      });
    } catch (error) {
      giveUp();
      if (isCancelledError(error)) throw error;
      if (error instanceof TimeoutError) {
        throw new ConnectError(
          `${target.server} did not answer within the connectTimeout; is it a PostgreSQL server, and well?`,
          { cause: error },
        );
      }
      throw connectError(error instanceof ConnectionLostError ? (error.cause ?? error) : error, target);
    }
    return session;
  }

  #listen(): void {
    const { client } = this;
    const { connection } = client;
    // Without a listener an error of an idle connection ends the process. Whatever it is, pg runs nothing after it.
    client.on("error", (error: unknown) => {
      this.#lose(error);
      connection.stream.destroy();
    });
    client.on("end", () => this.#lose(new Error("the connection was closed")));
    client.on("notice", (notice: Parameters<typeof toNotice>[0]) => this.#notify(toNotice(notice)));
    connection.on("parameterStatus", (message: { parameterName: string; parameterValue: string }) => {
      if (message.parameterName === "server_version")
        this.#serverVersion = Number.parseInt(message.parameterValue);
    });
  }

  #notify(notice: Notice): void {
    try {
      this.#options.onNotice?.(notice);
    } catch (error) {
      // It would go through pg, which reads the rest of the message no more.
      this.#loop.callExceptionHandler({ message: "onNotice has thrown", exception: error });
    }
  }

  /** To be called after `connect`, which adds pg's own listeners: by then those have done their part. */
  #listenAfterDriver(): void {
    const { connection } = this.client;
    connection.on("readyForQuery", ({ status }: { status: TransactionStatus }) => {
      this.#status = status;
      this.#endFlight();
    });
    connection.on("copyInResponse", () => {
      // pg has answered with CopyFail. The Sync that it sent before was lost on a server which waited for data.
      if (this.#hasSynced) connection.sync();
    });
  }

  async #setUp(): Promise<void> {
    this.#cancelTarget = cancelTargetOf(this.client);
    const who =
      "SELECT backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()";
    this.#checksConnection = this.#serverVersion >= 14 && this.#options.connectionCheckInterval !== null;
    try {
      const { rows } = await this.run({ text: [who, ...this.#checkInterval()].join(";") }, { result: 0 });
      this.#backendStart = (rows[0] as { backend_start?: string } | undefined)?.backend_start ?? null;
    } catch (error) {
      if (isCancelledError(error) || this.isBroken) throw error;
      // The server's system cannot look, or this is no PostgreSQL but something that speaks its protocol.
      this.#checksConnection = false;
    }
    this.#isDirty = false;
  }

  #checkInterval(): string[] {
    if (!this.#checksConnection) return [];
    const interval = this.#options.connectionCheckInterval ?? 5;
    return [
      `SET client_connection_check_interval = ${Math.ceil(1000 * toSeconds(interval, "connectionCheckInterval"))}`,
    ];
  }

  // ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get isBroken(): boolean {
    return this.#lost !== null;
  }

  get lost(): ConnectionLostError | null {
    return this.#lost;
  }

  get isInTransaction(): boolean {
    return this.#status !== "I";
  }

  /** Whether the next who gets it would not meet anything of what was done on it. */
  get isClean(): boolean {
    return (
      this.#status === "I" &&
      !this.#isDirty &&
      this.#statements.size === 0 &&
      !this.#isAtWork &&
      this.#options.reset !== "always"
    );
  }

  /** Something is under way, or a CancelRequest that would hit what begins now. */
  get #isAtWork(): boolean {
    return this.#flight !== null || this.#cancelRequest !== null;
  }

  get processId(): number | null {
    return this.client.processID;
  }

  get commandTimeout(): Duration | null {
    return this.#options.commandTimeout ?? null;
  }

  /** Keeps the process alive although nothing is under way: notifications are waited for. */
  keepAlive(): void {
    this.#isKeptAlive = true;
    this.#hold();
  }

  markDirty(): void {
    this.#isDirty = true;
  }

  /** The server has parsed a statement: pg would have it parsed again if it did not know. */
  keepStatement(name: string, text: string): void {
    this.client.connection.parsedStatements[name] = text;
    this.#statements.add(name);
  }

  /** The server does not know a statement any more. */
  forgetStatement(name: string): void {
    Reflect.deleteProperty(this.client.connection.parsedStatements, name);
    this.#statements.delete(name);
  }

  /** The name of a new savepoint. */
  nextSavepoint(): string {
    return `corio_${++this.#savepoints}`;
  }

  /** Calls `listener` when the connection is lost; at once when it is. */
  onLost(listener: (error: ConnectionLostError) => void): void {
    this.#onLost = listener;
    if (this.#lost !== null) listener(this.#lost);
  }

  // ── Operations ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs a statement; several, if there are no values. */
  run(query: DriverQuery, options: RunOptions = {}): Coroutine<DriverResult> {
    return this.perform(() => this.request(query, asItIs, options.result), options);
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

  /**
   * Begins an operation, which gives what `conclude` gives when it is over. Throws when the connection cannot do any.
   */
  begin<T>(conclude: (flight: Flight<T>) => T): Flight<T> {
    if (this.#lost !== null) throw this.#lost;
    if (this.#isAtWork) {
      throw new ConnectionBusyError(
        "this connection is at work: await what it does, or take another one from a pool for each task",
      );
    }
    this.#hold();
    this.#hasSynced = false;
    const flight: Flight<T> = new Flight<T>(() => conclude(flight));
    this.#flight = flight;
    return flight;
  }

  /** Begins an operation with a submittable of pg's, such as a cursor or a COPY, that runs `text`. */
  submit(submittable: Submittable, text: string): Flight {
    this.#noteText(text);
    const flight = this.begin((): void => undefined);
    this.client.query(submittable);
    return flight;
  }

  /** The cancel rule for what is done here. */
  get exchangeOptions(): ExchangeOptions {
    return this.#exchange;
  }

  /**
   * Runs statements, without the cancel rule: for what `perform` begins. Gives what `pick` makes of the result. `which`
   * one is wanted, by default the last.
   */
  request<T>(query: DriverQuery, pick: (result: DriverResult) => T, which = -1): Flight<T> {
    this.#noteText(query.text);
    let results: DriverResult | DriverResult[] | undefined;
    const flight = this.begin<T>((flight) => {
      this.throwFailure(flight);
      if (!Array.isArray(results)) {
        const result = results as DriverResult;
        this.#noteCommand(result.command);
        return pick(result);
      }
      for (const { command } of results) this.#noteCommand(command);
      return pick(results.at(which) as DriverResult);
    });
    const { text, values, name, rowMode } = query;
    const finish: DriverCallback = (error, result) => {
      if (error === null || error === undefined) results = result;
      else flight.fail(error);
    };
    this.#hasSynced = name !== undefined;
    try {
      // pg copies an object property by property, with their descriptors: for a short query that is a tenth of its time.
      if (name === undefined && rowMode === undefined) this.client.query(text, values, finish);
      else this.client.query(query, finish);
    } catch (error) {
      // Nobody knows what of it was sent.
      flight.fail(error);
      this.drop("a statement could not be sent");
    }
    return flight;
  }

  #noteText(text: string): void {
    if (isDirtyText(text)) this.#isDirty = true;
  }

  #noteCommand(command: string | null): void {
    if (!isDirtyCommand(command)) return;
    this.#isDirty = true;
    if (command === "PREPARE") this.#hasPrepared = true;
  }

  /** Throws what a flight that is over has ended with, if it was an error. */
  throwFailure({ failure }: Pick<Flight, "failure">): void {
    // What the server has answered holds even if the connection is lost after it.
    if (
      failure !== null &&
      (this.#lost === null || (isServerMessage(failure.error) && !isFatal(failure.error)))
    )
      throw operationError(failure.error);
    if (this.#lost === null) return;
    if (failure !== null && isServerMessage(failure.error)) throw operationError(failure.error);
    throw this.#lost;
  }

  /** Makes the session as good as new; false when it is of no use any more. */
  reset(): Coroutine<boolean> {
    return resetSession(this);
  }

  /** @internal */
  async resetNow(): Promise<boolean> {
    // Somebody has left a cursor or a COPY open: its answers are still on their way.
    if (this.#isAtWork) return false;
    const statements = this.#status === "I" ? [] : ["ROLLBACK"];
    if (this.#isDirty || this.#options.reset === "always") {
      statements.push(...RESET_SESSION, ...this.#checkInterval());
    }
    if (this.#hasPrepared) statements.push("DEALLOCATE ALL");
    // Nobody can use them any more, and the server would keep them as long as the connection.
    else statements.push(...[...this.#statements].map((name) => `DEALLOCATE ${name}`));
    if (statements.length > 0) {
      await this.run({ text: statements.join(";") }, { isInterruptible: false, answerTimeout: 0 });
    }
    if (this.#hasPrepared) this.client.connection.parsedStatements = {};
    for (const name of this.#statements) this.forgetStatement(name);
    this.#isDirty = false;
    this.#hasPrepared = false;
    this.#savepoints = 0;
    return this.#status === "I" && !this.isBroken;
  }

  /** Whether the server still answers. */
  check(): Coroutine<DriverResult> {
    return this.run({ text: "SELECT 1" }, { isInterruptible: false, answerTimeout: 0 });
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
          return new Promise<void>((resolve) => this.client.end(resolve));
        }),
      );
    } finally {
      this.drop("it was closed");
    }
  }

  /** Closes the connection on this side, without a word. */
  drop(reason: string): void {
    if (this.#lost === null) {
      this.#lost = new ConnectionLostError(`the connection is closed: ${reason}`);
      this.#onLost?.(this.#lost);
    }
    this.#cancelRequest?.abort();
    this.#terminator?.connection.stream.destroy();
    this.client.connection.stream.destroy();
    this.#endFlight();
  }

  #lose(cause: unknown): void {
    if (this.#lost === null) {
      const text = cause instanceof Error ? cause.message : String(cause);
      this.#lost = new ConnectionLostError(
        `the connection to ${targetOf(this.client).server} was lost: ${text}; what was under way may have been done or not`,
        { cause },
      );
      this.#onLost?.(this.#lost);
    }
    this.#endFlight();
  }

  #endFlight(): void {
    const flight = this.#flight;
    if (flight === null) return;
    this.#flight = null;
    flight.end();
    this.#letGo();
  }

  /** While somebody waits for the server, the connection keeps the process alive. */
  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.client.ref();
  }

  #letGo(): void {
    // The end of a flight may have begun the next one.
    if (this.#flight !== null || this.#isKeptAlive) return;
    this.#isHeld = false;
    this.client.unref();
  }

  // ── Cancelling ────────────────────────────────────────────────────────────────────────────────────────────────

  async #cancel(): Promise<void> {
    if (this.#cancelTarget === null) throw new Error("the server has not said how to cancel");
    const request = sendCancelRequest(this.#cancelTarget);
    this.#cancelRequest = request;
    try {
      await request.ended;
    } finally {
      this.#cancelRequest = null;
    }
  }

  /**
   * Has the server end this connection. Over a client of its own, not from a pool: a pool whose connections all hang
   * would have none to end them with. Only promises: there may be no task here.
   */
  async #terminate(): Promise<void> {
    const { client } = this;
    if (this.#cancelTarget === null || this.#backendStart === null || this.isBroken) return;
    const { address, tls } = this.#cancelTarget;
    const terminator = makeClient({
      ...("path" in address ? { host: client.host, port: client.port } : address),
      user: client.user,
      database: client.database,
      password: client.password ?? undefined,
      // The certificate is for the name, although the address is what we connect to.
      ssl: tls === null ? false : { host: tls.host, servername: tls.host, ...tls.settings },
      sslnegotiation: client.sslNegotiation,
      connectionTimeoutMillis: 1000 * toSeconds(this.#exchange.cancelTimeout, "cancelTimeout"),
    });
    this.#terminator = terminator;
    terminator.on("error", () => undefined);
    try {
      await new Promise<void>((resolve, reject) => {
        terminator.connect((error) => {
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      });
      await new Promise<void>((resolve) => {
        const text =
          "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity " +
          "WHERE pid = $1 AND backend_start = $2::timestamptz";
        terminator.query({ text, values: [this.#cancelTarget?.processId, this.#backendStart] }, () =>
          resolve(),
        );
      });
    } finally {
      terminator.connection.stream.destroy();
      this.#terminator = null;
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

interface RunOptions extends PerformOptions {
  /** Of which statement the result is wanted. Default: the last. */
  readonly result?: number;
}

/** For `request`. */
export const asItIs = (result: DriverResult): DriverResult => result;

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

/** The protocol ends texts with a NUL: what is after one would be another option. */
function checkStartup(parameters: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(parameters)) {
    if (value?.includes("\0") === true) throw new ValueError(`${name} must not have NUL characters`);
  }
}

function toNotice(notice: {
  severity?: string;
  code?: string;
  message?: string;
  detail?: string;
  hint?: string;
}): Notice {
  const { severity = "", code = "", message = "", detail, hint } = notice;
  return { severity, sqlState: code, message, detail, hint };
}
