/**
 * What a program keeps under names, for all its functions: they are set when the program gets there, so every use
 * is guarded.
 */
const names = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => prefix + String(index + 1));

export const TASKS = names("t", 5);
/** Futures that the program itself completes. */
export const PROMISES = names("p", 2);
/** What `gather` and `shield` return. */
export const COMBINED = names("g", 2);
export const HANDLES = names("h", 2);
export const DEADLINES = names("d", 2);
export const GUARDS = names("gd", 2);
export const GROUPS = names("tg", 2);
export const CALLBACKS = names("cb", 2);
export const TOKENS = names("k", 2);
export const CONTEXTS = names("c", 1);

export const AWAITABLES = [...TASKS, ...TASKS, ...TASKS, ...PROMISES, ...COMBINED];
export const FUTURES = [...TASKS, ...TASKS, ...PROMISES, ...COMBINED];
