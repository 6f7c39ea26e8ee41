/**
 * What a statement may leave behind in the session: what the next who gets the connection from the pool would meet.
 *
 * The server tells a part of it: whether a transaction is open (with every ReadyForQuery), and by the command tag that
 * a SET, a LISTEN or a PREPARE was carried out. The rest is looked for in the text of the statement: `set_config`,
 * advisory locks, temporary tables. A function that does such things out of sight is not seen: that is what the option
 * `reset: "always"` is for, and `connection.markDirty()`.
 */

/** Commands after which the session is reset. DO and CALL run anything. */
const DIRTY_COMMANDS: ReadonlySet<string> = new Set([
  "CALL",
  "DECLARE",
  "DISCARD",
  "DO",
  "LISTEN",
  "LOAD",
  "PREPARE",
  "RESET",
  "SET",
]);

const DIRTY_TEXT =
  /\b(?:set_config|pg_(?:try_)?advisory_lock(?:_shared)?|pg_temp|temp|temporary|dblink_connect|dblink_connect_u)\b/i;

/** Whether a command with this tag changes the session. */
export function isDirtyCommand(command: string | null): boolean {
  return command !== null && DIRTY_COMMANDS.has(command);
}

/** Whether a statement with this text may change the session in a way that its command tag does not tell. */
export function isDirtyText(text: string): boolean {
  return DIRTY_TEXT.test(text);
}

/**
 * What makes a session as good as new: DISCARD ALL in its parts, since that one is refused together with other
 * statements. The plans and sequence caches that it drops as well do no harm; prepared statements are kept as long as
 * nobody has made some by SQL.
 */
export const RESET_SESSION = [
  "SET SESSION AUTHORIZATION DEFAULT",
  // RESET ALL leaves it out, and the one before has set it to none: not what the option `settings` may say.
  "RESET ROLE",
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "DISCARD TEMP",
] as const;
