/**
 * What a statement may leave behind in the session: what the next who gets the connection from the pool would meet.
 *
 * The server tells a part of it: whether a transaction is open, whether another database is used, and some of the
 * variables that were set. The rest is looked for in the text of the statement: user variables, temporary tables, locks.
 * A procedure is taken for one that does such things; a trigger or a function that does is not seen: that is what the
 * option `reset: "always"` is for, and `connection.markDirty()`.
 */

const DIRTY_COMMANDS: ReadonlySet<string> = new Set([
  "BEGIN",
  "CALL",
  "CHANGE",
  "DEALLOCATE",
  "EXECUTE",
  "FLUSH",
  "HANDLER",
  "LOCK",
  "PREPARE",
  "SET",
  "UNLOCK",
  "USE",
  "XA",
]);

const DIRTY_TEXT = /:=|\bINTO\s+@|\b(?:get_lock|temporary|last_insert_id\s*\(\s*[^\s)])/i;

/** The first word of a statement, in capitals. */
export function commandOf(text: string): string {
  // Comments, but not those that are carried out; and brackets.
  const start =
    /^(?:[\s(;]|\/\*(?![!M])[\s\S]*?\*\/|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$))*/.exec(text)?.[0].length ?? 0;
  return /^[a-z]+/i.exec(text.slice(start))?.[0].toUpperCase() ?? "";
}

/** Whether a statement may change the session; one whose first word is hidden in a comment may do anything. */
export function isDirtyText(text: string): boolean {
  const command = commandOf(text);
  return command === "" || DIRTY_COMMANDS.has(command) || DIRTY_TEXT.test(text);
}

const WRITES: ReadonlySet<string> = new Set(["DELETE", "INSERT", "REPLACE", "UPDATE"]);

/**
 * Whether the answer to a statement that was killed is worth something. `SELECT SLEEP(60)`, `GET_LOCK` and `BENCHMARK`
 * return a value when they are interrupted, and DO does not even tell; what writes has come through if it does not fail.
 */
export function isAnswerReliable(text: string, hasRows: boolean): boolean {
  const command = commandOf(text);
  return WRITES.has(command) || (!hasRows && command !== "DO");
}
