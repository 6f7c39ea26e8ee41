import { ArgumentTypeError, coroutine, timeout } from "corio";
import type { Coroutine, Duration } from "corio";
import { fillBatch, sendMulti, sendPipeline, settledReplies } from "./batch.ts";
import type { BatchBody } from "./batch.ts";
import { blockingTime, CommandBase, natureOf } from "./commands.ts";
import { AS_BYTES, callCommand } from "./driver.ts";
import { scanAll } from "./scan.ts";
import type { HashEntry, ScanOptions, SortedSetMember } from "./scan.ts";
import { makeScript } from "./script.ts";
import type { Script } from "./script.ts";
import type { Begin } from "./session.ts";

/** Options of `executeCommand`. */
export interface ExecuteOptions {
  /** True gives strings of the answer as bytes. */
  readonly asBytes?: boolean | undefined;
}

/**
 * What can run commands: the client, and a connection of it. Every command is a method with the driver's name, which
 * gives a coroutine: `get`, `hGetAll`, `zAdd`.
 *
 * Cancel safety: a command whose task is cancelled before it is sent is not sent. After that, its answer is waited for,
 * `cancelTimeout` at most; it is delivered, and the cancellation raised at the next await.
 */
export abstract class Commander extends CommandBase {
  /** Sends something that does not block. @internal */
  abstract perform<T>(begin: Begin<T>): Coroutine<T>;
  /** Sends something that may block for so many seconds, or for ever. @internal */
  abstract block<T>(begin: Begin<T>, seconds: number | null): Coroutine<T>;
  /** Refuses a command that changes the connection, or notes it. @internal */
  abstract noteSessionCommand(name: string): void;

  /** Runs a command by its name in the driver. @internal */
  runCommand(name: string, args: readonly unknown[]): Coroutine<unknown> {
    const seconds = blockingTime(name, args);
    const begin: Begin<unknown> = (client) => callCommand(client, name, args) as Promise<unknown>;
    return seconds === undefined ? this.perform(begin) : this.block(begin, seconds);
  }

  /**
   * Runs a command that is given in words, for those that have no method: `executeCommand(["OBJECT", "FREQ", key])`.
   * Numbers are to be given as strings. The answer is as the server sends it.
   *
   * Cancel safety: as every command. redis-py: `execute_command`.
   */
  executeCommand<T = unknown>(
    args: readonly (string | Uint8Array)[],
    { asBytes = false }: ExecuteOptions = {},
  ): Coroutine<T> {
    if (!Array.isArray(args) || args.length === 0 || args.some((arg) => !isArgument(arg))) {
      throw new ArgumentTypeError("executeCommand expects an array of strings or bytes, the command first");
    }
    const words = args as readonly (string | Uint8Array)[];
    const encoded = words.map((word) =>
      typeof word === "string" ? word : Buffer.from(word.buffer, word.byteOffset, word.byteLength),
    );
    const begin: Begin<T> = (client) =>
      client.sendCommand(encoded, asBytes ? AS_BYTES : undefined) as Promise<T>;
    const nature = natureOf(words);
    if (nature === "blocking") return this.block(begin, null);
    if (nature === "session") this.noteSessionCommand(String(encoded[0]).toUpperCase());
    return this.perform(begin);
  }

  /**
   * Sends several commands at once, and gives their answers in order. They are not a transaction: others may come in
   * between, and one that fails does not stop the rest; then it throws `PipelineError`, which has all results.
   *
   * Cancel safety: as a command: before it is sent nothing is done, after that everything.
   *
   * redis-py: `pipeline(transaction=False)`.
   */
  pipeline<Replies extends readonly unknown[]>(body: BatchBody<Replies>): Coroutine<Replies> {
    const batch = fillBatch("pipeline", body);
    return this.perform<Replies>(async (client, toError) => {
      const settled = await sendPipeline(client, batch);
      return settledReplies(settled, toError) as unknown as Replies;
    });
  }

  /**
   * Runs several commands as a transaction: nobody else's come in between. Gives their answers in order. One that fails
   * does not undo the others, as Redis has it; then it throws `PipelineError`, which has all results. When a command is
   * refused before EXEC, as one with a wrong number of arguments is, nothing is done, and it throws `CommandError`.
   *
   * Cancel safety: as `pipeline`. To read before writing, and be sure that nothing has changed, see `transaction`.
   *
   * redis-py: `pipeline()`.
   */
  multi<Replies extends readonly unknown[]>(body: BatchBody<Replies>): Coroutine<Replies> {
    const batch = fillBatch("multi", body);
    return this.perform<Replies>(
      (client) => sendMulti(client, batch) as Promise<unknown> as Promise<Replies>,
    );
  }

  /**
   * A function that runs a Lua script: `await script({ keys: ["a"], arguments: ["1"] })`. Sent is only its hash; the
   * server gets the text when it does not have it.
   *
   * Cancel safety: the server cannot be asked to stop this script and no other, so a cancel waits for the answer, as with
   * every command.
   *
   * redis-py: `register_script`.
   */
  registerScript<T = unknown>(source: string): Script<T> {
    return makeScript<T>(this, source);
  }

  /** The keys of the database, one after the other. A key may come twice, as SCAN has it. redis-py: `scan_iter`. */
  scanIter(options: ScanOptions = {}): AsyncIterableIterator<string> {
    return scanAll(options, async (cursor, given) => {
      const { cursor: next, keys } = await this.scan(cursor, given);
      return { next, items: keys };
    });
  }

  /** The fields of a hash. redis-py: `hscan_iter`. */
  hScanIter(key: string, options: ScanOptions = {}): AsyncIterableIterator<HashEntry> {
    return scanAll(options, async (cursor, given) => {
      const { cursor: next, entries } = await this.hScan(key, cursor, given);
      return { next, items: entries };
    });
  }

  /** The members of a set. redis-py: `sscan_iter`. */
  sScanIter(key: string, options: ScanOptions = {}): AsyncIterableIterator<string> {
    return scanAll(options, async (cursor, given) => {
      const { cursor: next, members } = await this.sScan(key, cursor, given);
      return { next, items: members };
    });
  }

  /** The members of a sorted set, with their scores. redis-py: `zscan_iter`. */
  zScanIter(key: string, options: ScanOptions = {}): AsyncIterableIterator<SortedSetMember> {
    return scanAll(options, async (cursor, given) => {
      const { cursor: next, members } = await this.zScan(key, cursor, given);
      return { next, items: members };
    });
  }
}

function isArgument(value: unknown): boolean {
  return typeof value === "string" || value instanceof Uint8Array;
}

/** Gives `call` no more time than `limit`. */
export function withLimit<T>(limit: Duration | null, call: Coroutine<T>): Coroutine<T> {
  return limit === null ? call : limited(limit, call);
}

const limited = coroutine(async function command<T>(limit: Duration, call: Coroutine<T>): Promise<T> {
  return await timeout(limit, () => call);
});
