import type { Coroutine } from "corio";
import { commandNames } from "./driver.ts";
import type { TypedClient } from "./driver.ts";

/** What the driver's client has beside commands, or does not do as a plain command. */
type NotCommands =
  | "close"
  | "connect"
  | "destroy"
  | "disconnect"
  | "duplicate"
  | "executeIsolated"
  | "monitor"
  | "multi"
  | "pSubscribe"
  | "pUnsubscribe"
  | "quit"
  | "reset"
  | "resetIfDirty"
  | "sSubscribe"
  | "sUnsubscribe"
  | "select"
  | "sendCommand"
  | "subscribe"
  | "unsubscribe"
  | "unwatch"
  | "watch"
  | "extendPubSubChannelListeners"
  | "extendPubSubListeners";

/** They change the connection for whoever uses it next, so they are not offered on one that many tasks use. */
const SESSION_COMMANDS = [
  "asking",
  "auth",
  "clientCaching",
  "clientNoEvict",
  "clientNoTouch",
  "clientSetName",
  "clientTracking",
  "hello",
  "hImportDiscard",
  "hImportDiscardAll",
  "hImportPrepare",
  "hImportSet",
  "readonly",
  "scriptDebug",
] as const;

/** The name of a command, as the driver has it: `get`, `hGetAll`, `zRangeWithScores`. */
export type CommandName = Exclude<
  {
    [Name in keyof TypedClient & string]: Name extends Capitalize<Name>
      ? never
      : TypedClient[Name] extends (...args: never) => Promise<unknown>
        ? Name
        : never;
  }[keyof TypedClient & string],
  NotCommands | (typeof SESSION_COMMANDS)[number]
>;

/** What a command takes. */
export type CommandArguments<Name extends CommandName> = Parameters<TypedClient[Name]>;

/** What a command gives. */
export type CommandReply<Name extends CommandName> = Awaited<ReturnType<TypedClient[Name]>>;

/** The commands of Redis: names, arguments and answers are the driver's, each call gives a coroutine. */
export type Commands = {
  readonly [Name in CommandName]: (...args: CommandArguments<Name>) => Coroutine<CommandReply<Name>>;
};

/** The names of the commands, at run time. */
export const COMMAND_NAMES: readonly string[] = commandNames().filter(
  (name) => !(SESSION_COMMANDS as readonly string[]).includes(name),
);

/** Who can run a command by its name. */
interface Performer {
  runCommand(name: string, args: readonly unknown[]): unknown;
}

/** A class that has a method for each command, which calls `runCommand`. */
function makeCommandBase(): unknown {
  // eslint-disable-next-line @typescript-eslint/no-extraneous-class -- its methods are given to it below.
  class CommandBase {}
  for (const name of COMMAND_NAMES) {
    Object.defineProperty(CommandBase.prototype, name, {
      value: {
        [name](this: Performer, ...args: unknown[]) {
          return this.runCommand(name, args);
        },
      }[name],
      writable: true,
      configurable: true,
    });
  }
  return CommandBase;
}

/** The base of what offers the commands as methods. */
export const CommandBase: abstract new () => Commands = makeCommandBase() as abstract new () => Commands;

// ── What blocks ───────────────────────────────────────────────────────────────────────────────────────────────────

/** For how many seconds these commands may block; 0 is for ever. */
const TIMEOUTS: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  blMove: (args) => args[4],
  blMoveM: (args) => args.find((arg) => typeof arg === "number"),
  blPop: (args) => args[1],
  blmPop: (args) => args[0],
  brPop: (args) => args[1],
  brPopLPush: (args) => args[2],
  bzmPop: (args) => args[0],
  bzPopMax: (args) => args[1],
  bzPopMin: (args) => args[1],
  wait: (args) => Number(args[1]) / 1000,
};

/**
 * How long a command may block: seconds, null for ever; undefined when it does not block. XREAD and XREADGROUP do when
 * they are told to.
 */
export function blockingTime(name: string, args: readonly unknown[]): number | null | undefined {
  const timeout = TIMEOUTS[name];
  if (timeout !== undefined) return toLimit(timeout(args));
  if (name !== "xRead" && name !== "xReadGroup") return undefined;
  const { BLOCK: block } = (args.at(-1) ?? {}) as { BLOCK?: unknown };
  return block === undefined || block === null ? undefined : toLimit(Number(block) / 1000);
}

function toLimit(seconds: unknown): number | null {
  return typeof seconds === "number" && seconds > 0 ? seconds : null;
}

const BLOCKING_WORDS = /^(B[LRZ][A-Z]+|WAIT|WAITAOF)$/;
const SESSION_WORDS =
  /^(ASKING|AUTH|DISCARD|EXEC|HELLO|MONITOR|MULTI|P?SUBSCRIBE|PSYNC|P?UNSUBSCRIBE|QUIT|READONLY|READWRITE|RESET|SELECT|SSUBSCRIBE|SUNSUBSCRIBE|SYNC|UNWATCH|WATCH)$/;
const SESSION_CLIENT_WORDS = /^(CACHING|NO-EVICT|NO-TOUCH|REPLY|SETINFO|SETNAME|TRACKING)$/;

/** What a command that is given in words does to its connection. */
export function natureOf(args: readonly (string | Uint8Array)[]): "plain" | "blocking" | "session" {
  const words = args.map((arg) =>
    (typeof arg === "string" ? arg : Buffer.from(arg).toString()).toUpperCase(),
  );
  const [first = "", second = ""] = words;
  if (SESSION_WORDS.test(first) || (first === "CLIENT" && SESSION_CLIENT_WORDS.test(second)))
    return "session";
  if (BLOCKING_WORDS.test(first)) return "blocking";
  const isRead = first === "XREAD" || first === "XREADGROUP";
  return isRead && words.includes("BLOCK") ? "blocking" : "plain";
}
