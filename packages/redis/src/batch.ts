import { ArgumentTypeError } from "corio";
import type { CommandArguments, CommandName, CommandReply } from "./commands.ts";
import { blockingTime, COMMAND_NAMES } from "./commands.ts";
import { callCommand } from "./driver.ts";
import type { DriverClient } from "./driver.ts";
import { CommandError, pipelineError } from "./errors.ts";

/**
 * Commands that are to be sent together. Each call adds one, and gives the batch again, whose type knows what the
 * commands will give: `batch.set("a", "1").incr("a")`.
 */
export interface Batch<out Replies extends readonly unknown[] = []> extends BatchCommands<Replies> {
  /** How many commands it has. */
  readonly length: number;
  /** For the types only: it is never there. */
  readonly replies?: Replies;
}

/** `Batch` is an interface, and says how it varies: TypeScript took half a minute to find that out, command by command. */
type BatchCommands<Replies extends readonly unknown[]> = {
  readonly [Name in CommandName]: (
    ...args: CommandArguments<Name>
  ) => Batch<[...Replies, CommandReply<Name>]>;
};

/** A command by its name in the driver. */
interface Entry {
  readonly name: string;
  readonly args: readonly unknown[];
}

class CommandBatch {
  readonly entries: Entry[] = [];

  get length(): number {
    return this.entries.length;
  }
}

for (const name of COMMAND_NAMES) {
  Object.defineProperty(CommandBatch.prototype, name, {
    value(this: CommandBatch, ...args: unknown[]) {
      this.entries.push({ name, args });
      return this;
    },
    writable: true,
    configurable: true,
  });
}

/** What fills a batch: `(batch) => batch.get("a").get("b")`. */
export type BatchBody<Replies extends readonly unknown[]> = (batch: Batch) => Batch<Replies>;

/** A batch with nothing in it. */
export function emptyBatch(): Batch {
  return new CommandBatch() as unknown as Batch;
}

/** The batch that `body` gives. */
export function fillBatch<Replies extends readonly unknown[]>(
  where: string,
  body: BatchBody<Replies>,
): Batch<Replies> {
  if (typeof body !== "function")
    throw new ArgumentTypeError(`${where} expects a function that fills a batch, got ${typeof body}`);
  return checkBatch<Replies>(where, body(emptyBatch()));
}

/** Whether it is a batch; one that was filled by an async function is not. */
export function checkBatch<Replies extends readonly unknown[]>(
  where: string,
  batch: unknown,
): Batch<Replies> {
  if (batch instanceof CommandBatch) return batch as unknown as Batch<Replies>;
  throw new ArgumentTypeError(
    `${where} expects a function that gives the batch, such as (batch) => batch.get("a").get("b")`,
  );
}

/** Sends all commands at once, and gives all answers, errors among them, in their order. */
export async function sendPipeline(client: DriverClient, batch: unknown): Promise<unknown[]> {
  const { entries } = batch as CommandBatch;
  for (const { name, args } of entries) {
    if (blockingTime(name, args) !== undefined) {
      throw new ArgumentTypeError(
        `a pipeline cannot have ${name}, which may block what comes after it; call it on the client`,
      );
    }
  }
  // The driver writes together what it is given together.
  return await Promise.allSettled(entries.map(({ name, args }) => callCommand(client, name, args)));
}

/** The answers of a pipeline; throws `PipelineError` when one of them is an error. */
export function settledReplies(settled: readonly unknown[], toError: (error: unknown) => unknown): unknown[] {
  const results = (settled as readonly PromiseSettledResult<unknown>[]).map((result) => {
    if (result.status === "fulfilled") return result.value;
    const error = toError(result.reason);
    // The connection, or an argument that cannot be sent.
    if (!(error instanceof CommandError)) throw error;
    return error;
  });
  if (results.some((result) => result instanceof CommandError)) throw pipelineError(results);
  return results;
}

/** Sends all commands between MULTI and EXEC. */
export async function sendMulti(client: DriverClient, batch: unknown): Promise<unknown[]> {
  const multi = client.multi();
  for (const { name, args } of (batch as CommandBatch).entries) callCommand(multi, name, args);
  return await multi.exec();
}
