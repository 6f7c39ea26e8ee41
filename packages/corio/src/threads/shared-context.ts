import { badArgument, ValueError } from "../errors.ts";
import { Context, ContextVar, noContextValues } from "../futures/context.ts";
import type { ContextValues } from "../futures/context.ts";

/** The shared variables of this thread. */
const sharedVariables = new Map<string, ContextVar<unknown>>();

/**
 * Makes a context variable one that goes along with `toThread`: the function in the worker sees the caller's value. A
 * `ContextVar` of another thread is another object, so the two are matched by name, and both threads have to call this:
 * make the variable in a module that both import. Values are cloned; those of variables that are not shared stay here.
 *
 * What the function sets in the worker stays there.
 *
 * asyncio: none; `to_thread` copies every variable, as Python's threads share their objects. Gives the variable. Throws
 * `ValueError` when another variable of that name is shared.
 *
 * @example
 * ```ts
 * import { ContextVar } from "corio";
 * import { shareContextVar } from "corio/threads";
 *
 * export const requestId = shareContextVar(new ContextVar<string>("requestId"));
 * ```
 */
export function shareContextVar<T>(variable: ContextVar<T>): ContextVar<T> {
  if (!(variable instanceof ContextVar)) throw badArgument("shareContextVar", "a ContextVar", variable);
  const known = sharedVariables.get(variable.name);
  if (known !== undefined && known !== (variable as ContextVar<unknown>)) {
    throw new ValueError(`another context variable with the name '${variable.name}' is shared already`);
  }
  sharedVariables.set(variable.name, variable);
  return variable;
}

/** The shared variables among `values`. */
export function sharedValues(values: ContextValues): (readonly [name: string, value: unknown])[] {
  const shared: [string, unknown][] = [];
  for (const variable of sharedVariables.values()) {
    if (values.has(variable)) shared.push([variable.name, values.get(variable)]);
  }
  return shared;
}

/** A context in which the shared variables of this thread have those values. */
export function contextWith(values: readonly (readonly [name: string, value: unknown])[]): Context {
  const known = new Map(noContextValues);
  for (const [name, value] of values) {
    const variable = sharedVariables.get(name);
    if (variable !== undefined) known.set(variable, value);
  }
  return new Context(known);
}
