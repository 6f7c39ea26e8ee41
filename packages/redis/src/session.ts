import { coroutine, CorioError, isCancelledError, sleep, timeout, TimeoutError, until } from "corio";
import type { Coroutine } from "corio";
import { exchange, toSeconds } from "corio/pool";
import type { ExchangeOptions } from "corio/pool";
import { ConnectionTimeoutError, ErrorReply, MultiErrorReply, WatchError } from "redis";
import { runIdOf } from "./control.ts";
import type { ControlLines, Victim } from "./control.ts";
import { makeClient } from "./driver.ts";
import type { DriverClient } from "./driver.ts";
import {
  CommandError,
  connectError,
  ConnectError,
  ConnectionBusyError,
  ConnectionLostError,
  pipelineError,
  RedisError,
  WatchedKeyChangedError,
} from "./errors.ts";
import { addressesOf, targetOf } from "./options.ts";
import type { Address, ConnectOptions, Target } from "./options.ts";

/** Sends something, and gives its answer; `toError` makes this package's errors of the driver's. */
export type Begin<T> = (client: DriverClient, toError: (error: unknown) => unknown) => PromiseLike<T>;

/**
 * A connection to the server, on top of the driver's client.
 *
 * Redis answers in the order in which it was asked, so any number of tasks may have commands on their way at the same
 * time. A command that was sent cannot be taken back. When its task is cancelled the wait for the answer goes on, for
 * `cancelTimeout` at most, and what it brings is delivered: the element that LPOP has taken is nowhere else.
 *
 * A command that may block is alone on its connection. When its task is cancelled, the server is asked to unblock it,
 * over another connection, by the rule of `exchange`: until the answer is here and the last CLIENT UNBLOCK has ended
 * nothing else may be sent, or that would be what is unblocked.
 */
export class Session {
  readonly client: DriverClient;
  readonly server: string;
  readonly #address: Address;
  readonly #lines: ControlLines;
  readonly #plain: ExchangeOptions;
  readonly #blocking: ExchangeOptions;
  readonly #cancelSeconds: number;
  #id: number | null = null;
  #runId: string | null = null;
  #lost: ConnectionLostError | null = null;
  #inFlight = 0;
  #isBlocking = false;
  /** A CLIENT UNBLOCK is under way: it would hit what blocks here now. */
  #isUnblocking = false;
  #isDirty = false;
  #isWatching = false;
  /** A CLIENT UNBLOCK may still come, whose connection broke: nothing may block here any more. */
  #isDoubtful = false;
  #isKeptAlive = false;
  #onLost: ((error: ConnectionLostError) => void) | null = null;

  private constructor(options: ConnectOptions, target: Target, address: Address, lines: ControlLines) {
    this.server = target.server;
    this.#address = address;
    this.#lines = lines;
    this.client = makeClient(target, address, options.connectTimeout ?? 10);
    const { cancelTimeout = 5 } = options;
    this.#cancelSeconds = toSeconds(cancelTimeout, "cancelTimeout");
    const drop = (reason: string): void => this.drop(reason);
    this.#plain = { cancel: null, drop, cancelTimeout };
    this.#blocking = {
      cancel: () => this.#unblock(),
      terminate: () => this.#terminate(),
      drop: (reason) => {
        this.#lines.discard(this.#address);
        this.drop(reason);
      },
      cancelTimeout,
    };
    // Without a listener an error of an idle connection ends the process.
    this.client.on("error", (error: unknown) => this.#lose(error));
    this.client.on("end", () => this.#lose(new Error("the connection was closed")));
  }

  // ── Connecting ────────────────────────────────────────────────────────────────────────────────────────────────

  static open(options: ConnectOptions, lines: ControlLines): Coroutine<Session> {
    return openSession(options, lines);
  }

  /** @internal */
  static async connect(options: ConnectOptions, lines: ControlLines): Promise<Session> {
    const target = targetOf(options);
    const { server, username, database } = target;
    try {
      return await timeout(options.connectTimeout ?? 10, async () => {
        let failure: unknown;
        for (const address of await until(addressesOf(target))) {
          const session = new Session(options, target, address, lines);
          try {
            await session.#begin();
            return session;
          } catch (error) {
            session.drop("it could not be set up");
            failure ??= error;
            // What is there speaks Redis: another address is the same server's, or has the same answer.
            if (isCancelledError(error) || error instanceof ErrorReply) throw error;
          }
        }
        throw failure ?? new Error("its name has no address");
      });
    } catch (error) {
      if (isCancelledError(error)) throw error;
      // The driver takes the time as well, for what goes on when we have given up; and may be the first to notice.
      if (error instanceof TimeoutError || error instanceof ConnectionTimeoutError) {
        throw new ConnectError(
          `${server} did not answer within the connectTimeout; is it a Redis server, and well${target.tls === null ? "" : ", and does it speak TLS"}?`,
          { cause: error },
        );
      }
      // About the program, not about the server.
      if (error instanceof CorioError && !(error instanceof RedisError)) throw error;
      throw connectError(error, server, username, database);
    }
  }

  async #begin(): Promise<void> {
    const connecting = this.client.connect();
    // The driver goes on with an attempt although its client was destroyed, and may come through.
    connecting.then(
      () => {
        if (this.#lost !== null) this.client.destroy();
      },
      () => undefined,
    );
    await until(connecting);
    // Sent together.
    const id = this.client.sendCommand(["CLIENT", "ID"]).then(Number, () => null);
    const runId = runIdOf(this.client);
    this.#id = await until(id);
    this.#runId = await until(runId);
    if (this.#lost !== null) throw this.#lost.cause;
    this.client.unref();
    // A cancel that came too late to stop the set-up is raised here, and the connection closed. At the end of the task
    // it would take the connection with it, and nobody could close that.
    await sleep(0);
  }

  // ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `CLIENT ID`. */
  get id(): number | null {
    return this.#id;
  }

  get isBroken(): boolean {
    return this.#lost !== null || this.#isDoubtful;
  }

  get lost(): ConnectionLostError | null {
    return this.#lost;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Something has changed the session in a way that the next who gets it must not see. */
  markDirty(): void {
    this.#isDirty = true;
  }

  noteWatching(isWatching: boolean): void {
    this.#isWatching = isWatching;
  }

  /** Keeps the process alive although nothing is on its way: messages are waited for. */
  keepAlive(): void {
    this.#isKeptAlive = true;
    this.client.ref();
  }

  /** Calls `listener` when the connection is lost; at once when it is. */
  onLost(listener: (error: ConnectionLostError) => void): void {
    this.#onLost = listener;
    if (this.#lost !== null) listener(this.#lost);
  }

  /** Whether the next who gets it would not meet anything of what was done on it. */
  get isClean(): boolean {
    return !this.#isDirty && !this.#isWatching && !this.#isAtWork;
  }

  get #isAtWork(): boolean {
    return this.#inFlight > 0 || this.#isUnblocking;
  }

  /** Makes it as good as new, without waiting. False when that is not possible. */
  reset(): boolean {
    if (this.#isDirty || this.#isAtWork || this.isBroken) return false;
    if (this.#isWatching) {
      // The answer comes before that of whatever is sent next.
      this.client.sendCommand(["UNWATCH"]).catch(() => undefined);
      this.#isWatching = false;
    }
    return true;
  }

  // ── Commands ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Does what does not block, and waits for the answer. */
  perform<T>(begin: Begin<T>): Coroutine<T> {
    return exchange(() => this.#send(begin), this.#plain);
  }

  /**
   * Does what blocks for so many seconds, or for ever. The server ends it in time; when it has not, and `cancelTimeout`
   * is over as well, it is not there any more.
   */
  block<T>(begin: Begin<T>, seconds: number | null): Coroutine<T> {
    const send = (): PromiseLike<T> => this.#sendAlone(begin);
    if (seconds === null) return exchange(send, this.#blocking);
    return exchange(send, { ...this.#blocking, answerTimeout: seconds + this.#cancelSeconds });
  }

  /** Whether the server still answers. Waits for `cancelTimeout` at most. */
  check(): Coroutine<unknown> {
    const send = (): PromiseLike<unknown> => this.#send((client) => client.sendCommand(["PING"]));
    return exchange(send, { ...this.#plain, answerTimeout: 0 });
  }

  #send<T>(begin: Begin<T>): Promise<T> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    if (this.#isBlocking) return Promise.reject(this.#busy("a blocking command has this connection"));
    // While nobody waits for the server, the connection does not keep the process alive.
    if (this.#inFlight++ === 0) this.client.ref();
    return begin(this.client, (error) => this.#errorOf(error)).then(
      (value) => {
        this.#land();
        return value;
      },
      (error: unknown) => {
        this.#land();
        throw this.#errorOf(error);
      },
    ) as Promise<T>;
  }

  async #sendAlone<T>(begin: Begin<T>): Promise<T> {
    if (this.#lost === null && this.#inFlight > 0) {
      throw this.#busy(`${this.#inFlight} commands are on their way on this connection`);
    }
    if (this.#isUnblocking) throw this.#busy("a blocking command is being ended on this connection");
    if (this.#isDoubtful)
      throw new ConnectionLostError(`the connection to ${this.server} is of no use any more`);
    const answer = this.#send(begin);
    this.#isBlocking = this.#lost === null;
    return await answer;
  }

  #busy(what: string): ConnectionBusyError {
    return new ConnectionBusyError(
      `${what}, and a blocking command must be alone on its own; await what is under way first, or use the client, which takes a connection for each`,
    );
  }

  #land(): void {
    this.#isBlocking = false;
    if (--this.#inFlight === 0 && !this.#isKeptAlive) this.client.unref();
  }

  #errorOf(error: unknown): unknown {
    if (error instanceof RedisError) return error;
    if (error instanceof WatchError) {
      return new WatchedKeyChangedError(
        "a key that the transaction watches was changed by somebody else, and nothing was done; try again, or use the option retry",
        { cause: error },
      );
    }
    if (error instanceof MultiErrorReply) {
      const results = (error.replies as unknown[]).map((reply) =>
        reply instanceof ErrorReply ? new CommandError(reply) : reply,
      );
      return pipelineError(results);
    }
    if (error instanceof ErrorReply) return new CommandError(error);
    // What the driver says of its arguments is not about the connection.
    return this.#lost ?? error;
  }

  // ── Ending ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #unblock(): Promise<void> {
    this.#isUnblocking = true;
    try {
      await this.#lines.unblock(this.#asVictim());
    } finally {
      this.#isUnblocking = false;
    }
  }

  async #terminate(): Promise<void> {
    await this.#lines.kill(this.#asVictim());
  }

  #asVictim(): Victim {
    const onDoubt = (): void => void (this.#isDoubtful = true);
    return { address: this.#address, id: this.#id, runId: this.#runId, onDoubt };
  }

  /** Closes the connection on this side. Whatever is on its way fails. */
  drop(reason: string): void {
    if (this.#lost === null) {
      this.#lost = new ConnectionLostError(`the connection to ${this.server} is closed: ${reason}`);
      this.#onLost?.(this.#lost);
    }
    this.client.destroy();
  }

  #lose(cause: unknown): void {
    if (this.#lost !== null) return;
    const text = cause instanceof Error ? cause.message : String(cause);
    this.#lost = new ConnectionLostError(
      `the connection to ${this.server} was lost: ${text}; what was under way may have been done or not`,
      { cause },
    );
    this.#onLost?.(this.#lost);
  }
}

const openSession = coroutine(async function connect(options: ConnectOptions, lines: ControlLines) {
  return await Session.connect(options, lines);
});
