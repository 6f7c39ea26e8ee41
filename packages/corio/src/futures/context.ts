import { badArgument, isObject, RuntimeError, ValueError } from "../errors.ts";
import { currentSegmentContext, runningTask, swapSegmentContext } from "./running.ts";

/** The values of context variables; never changed, only replaced: copying a context copies a reference. */
export type ContextValues = ReadonlyMap<ContextVar<unknown>, unknown>;

export const noContextValues: ContextValues = new Map<ContextVar<unknown>, unknown>();

/**
 * A mapping of context variables to values. Each task has one of its own, a copy of its creator's.
 *
 * Python: `contextvars.Context`.
 */
export class Context {
  #values: ContextValues;
  #entered = false;

  /** An empty context; `copyContext()` copies the current one. The parameter is corio's own. */
  constructor(values: ContextValues = noContextValues) {
    this.#values = values;
  }

  /** @internal */
  get values(): ContextValues {
    return this.#values;
  }

  /** @internal */
  replaceValues(values: ContextValues): void {
    this.#values = values;
  }

  /** How many variables have a value in this context. */
  get size(): number {
    return this.#values.size;
  }

  /** Whether `variable` has a value in this context; its default does not count. Python: `variable in context`. */
  has(variable: ContextVar<unknown>): boolean {
    return this.#values.has(variable);
  }

  /** The value of `variable` in this context, or `fallback` where it has none. */
  get<T>(variable: ContextVar<T>, fallback?: T): T | undefined {
    return this.#values.has(variable) ? (this.#values.get(variable) as T) : fallback;
  }

  /** A context with the same values, in constant time. Python: `Context.copy`. */
  copy(): Context {
    return new Context(this.#values);
  }

  /**
   * Runs a synchronous function with this context as the current one; what it sets stays in this context. Tasks that
   * it creates start with a copy of it.
   *
   * Python: `Context.run`. Throws `RuntimeError` when the context is already entered.
   */
  run<Arguments extends readonly unknown[], Result>(
    callback: (...parameters: Arguments) => Result,
    ...parameters: Arguments
  ): Result {
    if (typeof callback !== "function") throw badArgument("Context.run", "a function", callback);
    if (this.#entered) throw new RuntimeError("cannot enter context: it is already entered");
    this.#entered = true;
    const outer = swapSegmentContext(this);
    try {
      return callback(...parameters);
    } finally {
      swapSegmentContext(outer);
      this.#entered = false;
    }
  }

  /** The variables that have a value now, each with it. Python: `Context.items`. */
  [Symbol.iterator](): IterableIterator<[ContextVar<unknown>, unknown]> {
    return new Map(this.#values).entries();
  }
}

/** Where code runs that belongs to no task. */
const outermostContext = new Context();

export function currentContext(): Context {
  return currentSegmentContext() ?? runningTask()?.getContext() ?? outermostContext;
}

/** The current values, without making a context where a task has only a copy of its creator's. */
export function currentContextValues(): ContextValues {
  const context = currentSegmentContext();
  if (context !== undefined) return context.values;
  return runningTask()?.contextValues ?? outermostContext.values;
}

/** A copy of the current context, in constant time. Python: `contextvars.copy_context`. */
export function copyContext(): Context {
  return new Context(currentContextValues());
}

const UNSET: unique symbol = Symbol("unset");

/** What `ContextVar.set` returns: the way back. Python: `contextvars.Token`. */
export class Token<T> {
  /** The variable that was set. Python: `Token.var`. */
  readonly variable: ContextVar<T>;
  readonly #previous: T | typeof UNSET;
  readonly #context: Context;
  #used = false;

  /** @internal */
  constructor(variable: ContextVar<T>, previous: T | typeof UNSET, context: Context) {
    this.variable = variable;
    this.#previous = previous;
    this.#context = context;
  }

  /** The value before the `set`; undefined when there was none. */
  get oldValue(): T | undefined {
    return this.#previous === UNSET ? undefined : this.#previous;
  }

  /** @internal */
  restore(variable: ContextVar<T>): void {
    if (this.#used) throw new RuntimeError("this token has already been used once");
    if (this.variable !== variable) throw new ValueError("this token was made by another ContextVar");
    const context = currentContext();
    if (context !== this.#context) throw new ValueError("this token was made in another context");
    this.#used = true;
    const values = new Map(context.values);
    if (this.#previous === UNSET) values.delete(variable);
    else values.set(variable, this.#previous);
    context.replaceValues(values);
  }

  /** `using token = variable.set(value)` resets the variable when the block ends. */
  [Symbol.dispose](): void {
    this.variable.reset(this);
  }
}

/**
 * A variable whose value belongs to the current task: what a task sets is seen by everything it awaits and by the
 * tasks it creates afterwards, and by no other task.
 *
 * Python: `contextvars.ContextVar`.
 *
 * @example
 * ```ts
 * import { ContextVar, coroutine, createTask, run } from "corio";
 *
 * const requestId = new ContextVar<string>("requestId", { defaultValue: "none" });
 *
 * const handle = coroutine(async function handle(id: string) {
 *   requestId.set(id);
 *   return requestId.get();
 * });
 *
 * const main = coroutine(async function main() {
 *   console.log(await createTask(handle("a")), requestId.get());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * a none
 * ```
 */
export class ContextVar<T> {
  /** The name, for reports only: two variables may have the same. */
  readonly name: string;
  readonly #defaultValue: T | typeof UNSET;

  /**
   * `defaultValue` is what `get` gives where the variable was not set. Throws `ArgumentTypeError` when the name is not
   * a string. Python: `default`.
   */
  constructor(name: string, options: { defaultValue?: T } = {}) {
    if (typeof name !== "string") throw badArgument("ContextVar", "a name", name);
    this.name = name;
    if (!isObject(options)) throw badArgument("ContextVar", "an object with options", options);
    this.#defaultValue = "defaultValue" in options ? options.defaultValue : UNSET;
  }

  /** The current value; else `fallback`; else the variable's default; else a `ValueError` (Python: `LookupError`). */
  get(...fallback: [fallback?: T]): T {
    const values = currentContextValues();
    const value = values.get(this);
    if (value !== undefined || values.has(this)) return value as T;
    if (fallback.length > 0) return fallback[0] as T;
    if (this.#defaultValue !== UNSET) return this.#defaultValue;
    throw new ValueError(`context variable '${this.name}' has no value here and no default`);
  }

  /**
   * Gives the variable a value in the current context. The token leads back to the value before. Python:
   * `ContextVar.set`.
   */
  set(value: T): Token<T> {
    const context = currentContext();
    const variable = this as ContextVar<unknown>;
    const previous = context.values.has(variable) ? (context.values.get(variable) as T) : UNSET;
    context.replaceValues(new Map(context.values).set(variable, value));
    return new Token<T>(this, previous, context);
  }

  /**
   * Puts back the value from before the `set` that made `token`.
   *
   * Python: `ContextVar.reset`. Throws `RuntimeError` when the token has been used, `ValueError` when it was made by
   * another variable or in another context, `ArgumentTypeError` when it is no token.
   */
  reset(token: Token<T>): void {
    if (!(token instanceof Token))
      throw badArgument("ContextVar.reset", "the token that set() returned", token);
    token.restore(this);
  }
}
