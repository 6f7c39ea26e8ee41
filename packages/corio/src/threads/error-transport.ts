/**
 * Errors on their way between threads. Structured clone would keep no more than the message and, of the classes, only
 * those of the language. Here the name of the class, the stack from where it was thrown, the cause, and the properties
 * that can be cloned come along; corio's errors and the language's are instances of their classes on the other side.
 */
import { host } from "#host";
import * as corioErrors from "../errors.ts";
import { ExceptionGroup } from "../library/exception-group.ts";

export type EncodedError =
  | { readonly thrown: unknown }
  | {
      /** The names of its class and of those that it extends. */
      readonly classes: readonly string[];
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      readonly properties: Readonly<Record<string, unknown>>;
      readonly cause?: EncodedError;
      readonly errors?: readonly EncodedError[];
    };

type AnyErrorClass = abstract new (...parameters: never) => Error;

/** Of longer chains of causes, and of causes in circles, the rest is dropped. */
const DEEPEST = 16;

const carriedSeparately = new Set(["name", "message", "stack", "cause", "errors"]);

export function encodeError(error: unknown, depth = 0): EncodedError {
  if (!(error instanceof Error)) return { thrown: isCloneable(error) ? error : host.inspect(error) };
  const classes = classNames(error);
  const properties: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(error)) {
    if (!carriedSeparately.has(key) && isCloneable(value)) properties[key] = value;
  }
  const errors: unknown = (error as { errors?: unknown }).errors;
  return {
    classes,
    // A class that leaves the name to the one that it extends is told apart all the same.
    name: classes.indexOf(error.name) > 0 && !Object.hasOwn(error, "name") ? (classes[0] ?? "") : error.name,
    message: error.message,
    stack: error.stack,
    properties,
    ...(error.cause !== undefined && depth < DEEPEST && { cause: encodeError(error.cause, depth + 1) }),
    ...(Array.isArray(errors) &&
      depth < DEEPEST && { errors: errors.map((inner: unknown) => encodeError(inner, depth + 1)) }),
  };
}

export function decodeError(encoded: EncodedError): unknown {
  if ("thrown" in encoded) return encoded.thrown;
  const { classes, name, message, stack, properties, cause, errors } = encoded;
  const error = instantiate(classes, message, errors?.map(decodeError) ?? [], name);
  for (const [key, value] of Object.entries(properties)) assign(error, key, value, true);
  if (error.name !== name) assign(error, "name", name, false);
  if (stack !== undefined) assign(error, "stack", stack, false);
  if (cause !== undefined) assign(error, "cause", decodeError(cause), false);
  return error;
}

export function isCloneable(value: unknown): boolean {
  if (
    (typeof value !== "object" || value === null) &&
    typeof value !== "function" &&
    typeof value !== "symbol"
  )
    return true;
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

function instantiate(classes: readonly string[], message: string, errors: unknown[], name: string): Error {
  for (const known of classes) {
    if (known === "ExceptionGroup") return new ExceptionGroup(message, errors);
    if (known === "AggregateError") return new AggregateError(errors, message);
    if (known === "DOMException") return new DOMException(message, name);
    const errorClass = Object.hasOwn(knownClasses, known) ? knownClasses[known] : undefined;
    if (errorClass !== undefined) return new errorClass(message);
  }
  return new Error(message);
}

type Instantiable = new (message: string) => Error;

const knownClasses: Readonly<Record<string, Instantiable>> = {
  ...Object.fromEntries(
    Object.values(corioErrors)
      .filter((value) => isInstantiable(value))
      .map((errorClass) => [(errorClass as unknown as { brand: string }).brand, errorClass]),
  ),
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
};

function isInstantiable(value: unknown): value is Instantiable {
  return (
    typeof value === "function" &&
    value !== corioErrors.CorioError &&
    Object.prototype.isPrototypeOf.call(corioErrors.CorioError, value)
  );
}

function classNames(error: Error): string[] {
  const names: string[] = [];
  let prototype: unknown = Object.getPrototypeOf(error);
  while (prototype !== null && prototype !== Object.prototype) {
    const { constructor: errorClass } = prototype as { constructor: AnyErrorClass & { brand?: unknown } };
    const brand = Object.hasOwn(errorClass, "brand") ? errorClass.brand : undefined;
    names.push(typeof brand === "string" ? brand : errorClass.name);
    prototype = Object.getPrototypeOf(prototype);
  }
  return names;
}

function assign(error: Error, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
}
