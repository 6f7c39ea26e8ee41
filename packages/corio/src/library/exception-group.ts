import { badArgument, isObject, ValueError } from "../errors.ts";

/** A class whose instances are meant, by `instanceof`. */
export type ErrorClass = abstract new (...parameters: never) => unknown;

/** Which errors are meant: a predicate, which is also asked about groups as a whole, or error classes. */
export type ExceptionCondition = ((error: unknown) => boolean) | ErrorClass | readonly ErrorClass[];

/** The key of `errors.ts`: every copy of the package knows its errors by it. */
const BRANDS = Symbol.for("corio.error.brands");
const BRAND = "ExceptionGroup";

/**
 * Several errors that are raised together: what a task group throws when its members fail. It is an `AggregateError`
 * with the means to take it apart; groups may hold groups.
 *
 * Throws `ArgumentTypeError` when `errors` is no array, `ValueError` when it is empty.
 *
 * Python: `ExceptionGroup` and `BaseExceptionGroup`, in one class.
 *
 * @example
 * ```ts
 * import { coroutine, ExceptionGroup, run, taskGroup } from "corio";
 *
 * const fail = coroutine(async function fail(error: Error) {
 *   throw error;
 * });
 *
 * const main = coroutine(async function main() {
 *   try {
 *     await taskGroup((group) => {
 *       group.createTask(fail(new TypeError("wrong type")));
 *       group.createTask(fail(new RangeError("too far")));
 *     });
 *   } catch (error) {
 *     if (!(error instanceof ExceptionGroup)) throw error;
 *     const [typeErrors, others] = error.split(TypeError);
 *     console.log(error.message, "|", typeErrors?.errors.join(), "|", others?.errors.join());
 *   }
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * unhandled errors in a TaskGroup | TypeError: wrong type | RangeError: too far
 * ```
 */
export class ExceptionGroup<E = unknown> extends AggregateError {
  /** What went wrong, for programs. */
  readonly code = "CORIO_EXCEPTION_GROUP" as const;
  /** The errors, which may be groups themselves. Python: `exceptions`. */
  declare errors: E[];

  /** `errors` has at least one member; `options.cause` is the error that led to these. */
  constructor(message: string, errors: readonly E[], options?: ErrorOptions) {
    if (typeof message !== "string") throw badArgument("ExceptionGroup", "a message", message);
    if (!Array.isArray(errors)) throw badArgument("ExceptionGroup", "an array of errors", errors);
    if (errors.length === 0)
      throw new ValueError("ExceptionGroup expects at least one error, got an empty array");
    super(errors, message, options);
  }

  /** Also true for groups that another copy of the package made. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!isObject(value)) return false;
    // A program's own subclasses go by their prototype chain as usual.
    if (this !== ExceptionGroup) return Object.prototype.isPrototypeOf.call(this.prototype as object, value);
    const brands = (value as { [BRANDS]?: unknown })[BRANDS];
    return Array.isArray(brands) && brands.includes(BRAND);
  }

  /** Python's name of `errors`. */
  get exceptions(): readonly E[] {
    return this.errors;
  }

  /**
   * The part of the group that matches, as a group with the same nesting, message and cause; the group itself when
   * the condition holds for it as a whole; null when nothing matches.
   */
  subgroup(condition: ExceptionCondition): ExceptionGroup<E> | null {
    return this.split(condition)[0];
  }

  /** The part of the group that matches and the part that does not, each as `subgroup` gives it. */
  split(condition: ExceptionCondition): [matching: ExceptionGroup<E> | null, rest: ExceptionGroup<E> | null] {
    return this.#split(toPredicate(condition));
  }

  /** Makes the groups that `subgroup` and `split` return. Subclasses override it to get groups of their own class. */
  derive<Part>(errors: readonly Part[]): ExceptionGroup<Part> {
    return new ExceptionGroup<Part>(this.message, errors);
  }

  #split(matches: (error: unknown) => boolean): [ExceptionGroup<E> | null, ExceptionGroup<E> | null] {
    if (matches(this)) return [this, null];
    const matching: E[] = [];
    const rest: E[] = [];
    for (const error of this.errors) {
      if (error instanceof ExceptionGroup) {
        const [inner, outer] = (error as ExceptionGroup).split(matches);
        if (inner !== null) matching.push(inner as E);
        if (outer !== null) rest.push(outer as E);
      } else if (matches(error)) matching.push(error);
      else rest.push(error);
    }
    return [this.#part(matching), this.#part(rest)];
  }

  #part(errors: readonly E[]): ExceptionGroup<E> | null {
    if (errors.length === 0) return null;
    const part = this.derive(errors);
    if (this.cause !== undefined) part.cause = this.cause;
    if (this.stack !== undefined) part.stack = this.stack;
    return part;
  }
}

// On the prototype, as with the other errors; before the first one is made, since its stack begins with the name.
Object.defineProperty(ExceptionGroup.prototype, "name", { value: BRAND, configurable: true, writable: true });
Object.defineProperty(ExceptionGroup.prototype, BRANDS, { value: [BRAND, "CorioError"], configurable: true });

function toPredicate(condition: ExceptionCondition): (error: unknown) => boolean {
  if (isErrorClass(condition)) return (error) => error instanceof condition;
  if (typeof condition === "function") return condition;
  if (Array.isArray(condition) && condition.length > 0 && condition.every(isErrorClass)) {
    const classes: readonly ErrorClass[] = condition;
    return (error) => classes.some((errorClass) => error instanceof errorClass);
  }
  throw badArgument("ExceptionGroup", "a predicate, an error class or an array of error classes", condition);
}

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === "function" && (value === Error || value.prototype instanceof Error);
}
