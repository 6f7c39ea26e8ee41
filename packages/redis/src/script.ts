import { ArgumentTypeError } from "corio";
import type { Coroutine } from "corio";
import { createHash } from "node:crypto";
import { ErrorReply } from "redis";
import type { Begin } from "./session.ts";

/** What a script is given. */
export interface ScriptInput {
  /** `KEYS` in the script. */
  readonly keys?: readonly string[] | undefined;
  /** `ARGV` in the script. */
  readonly arguments?: readonly string[] | undefined;
}

/** A Lua script as a function: what `registerScript` gives. */
export interface Script<T> {
  (input?: ScriptInput): Coroutine<T>;
  /** By which the server knows it: SHA-1, as hexadecimal digits. */
  readonly sha: string;
}

/** `registerScript`. */
export function makeScript<T>(on: { perform<T>(begin: Begin<T>): Coroutine<T> }, source: string): Script<T> {
  if (typeof source !== "string")
    throw new ArgumentTypeError(`registerScript expects the text of a script, got ${typeof source}`);
  const sha = createHash("sha1").update(source).digest("hex");
  const run = ({ keys = [], arguments: values = [] }: ScriptInput = {}): Coroutine<T> => {
    const input = [String(keys.length), ...keys, ...values];
    return on.perform<T>(async (client) => {
      try {
        return (await client.sendCommand(["EVALSHA", sha, ...input])) as T;
      } catch (error) {
        if (!(error instanceof ErrorReply) || !error.message.startsWith("NOSCRIPT")) throw error;
        return (await client.sendCommand(["EVAL", source, ...input])) as T;
      }
    });
  };
  return Object.assign(run, { sha });
}
