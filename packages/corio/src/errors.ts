/** The errors of corio: asyncio's, each with a `code` and the same `instanceof` across duplicate copies of the package. */

import { host } from "#host";
import type { Coroutine } from "./futures/coroutine.ts";
import { withStackLimit } from "./stack-limit.ts";

/** The `code` of every error that corio itself makes; its other packages have codes of their own. */
export type CorioErrorCode =
  | "CORIO_ALREADY_AWAITED"
  | "CORIO_AWAITED_ITSELF"
  | "CORIO_BAD_ARGUMENT"
  | "CORIO_BAD_YIELD"
  | "CORIO_BROKEN_BARRIER"
  | "CORIO_BROKEN_WORKER"
  | "CORIO_CALLED_PROCESS"
  | "CORIO_CANCELLED"
  | "CORIO_CONNECT"
  | "CORIO_CONNECTION_ABORTED"
  | "CORIO_CONNECTION_RESET"
  | "CORIO_COROUTINE_AS_VALUE"
  | "CORIO_DEADLOCK"
  | "CORIO_END_OF_INPUT"
  | "CORIO_EXCEPTION_GROUP"
  | "CORIO_EXECUTOR_SHUT_DOWN"
  | "CORIO_FOREIGN_LOOP"
  | "CORIO_INCOMPLETE_READ"
  | "CORIO_INVALID_STATE"
  | "CORIO_KEYBOARD_INTERRUPT"
  | "CORIO_LIMIT_OVERRUN"
  | "CORIO_LOOP_CLOSED"
  | "CORIO_NO_RUNNING_LOOP"
  | "CORIO_NO_RUNNING_TASK"
  | "CORIO_NOT_CLONEABLE"
  | "CORIO_OVERLAPPING_SCOPES"
  | "CORIO_POOL_CLOSED"
  | "CORIO_PROCESS_LOOKUP"
  | "CORIO_PROCESS_START"
  | "CORIO_QUEUE_EMPTY"
  | "CORIO_QUEUE_FULL"
  | "CORIO_QUEUE_SHUT_DOWN"
  | "CORIO_RUN_INSIDE_TASK"
  | "CORIO_RUNTIME"
  | "CORIO_TIMEOUT"
  | "CORIO_VALUE"
  | "CORIO_WORKER_FUNCTION"
  | "CORIO_WOULD_BLOCK";

const BRANDS = Symbol.for("corio.error.brands");

/**
 * The base of corio's errors. Each class of this file has a `brand`, and `instanceof` goes by it: an error made by
 * one copy of the package is known to another copy. A program's own subclasses go by their prototype chain as usual.
 */
export abstract class CorioError extends Error {
  /**
   * By what `instanceof` knows the class in other copies of the package. A program's own subclasses have none of their
   * own.
   */
  static readonly brand: string = "CorioError";
  /** What went wrong, for programs: a `CorioErrorCode`, or one of another package of corio's. */
  abstract readonly code: `CORIO_${string}`;

  /** As the constructor of `Error`; `options.cause` is the error that led to this one. */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    const prototype = new.target.prototype as object;
    if (Object.hasOwn(prototype, "name")) return;
    // Once a class, on its prototype: an error need not carry what its class knows.
    Object.defineProperty(prototype, "name", {
      value: ownBrand(new.target) ?? new.target.name,
      configurable: true,
    });
    Object.defineProperty(prototype, BRANDS, { value: brandsOf(new.target), configurable: true });
  }

  /** Also true for errors that another copy of the package made. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!isObject(value)) return false;
    const brand = ownBrand(this);
    if (brand === undefined) return Object.prototype.isPrototypeOf.call(this.prototype, value);
    const brands = (value as { [BRANDS]?: unknown })[BRANDS];
    return Array.isArray(brands) && brands.includes(brand);
  }
}

type ErrorClass = abstract new (...parameters: never) => unknown;

function ownBrand(errorClass: ErrorClass): string | undefined {
  return Object.hasOwn(errorClass, "brand") ? (errorClass as unknown as { brand: string }).brand : undefined;
}

function brandsOf(errorClass: ErrorClass): readonly string[] {
  const brands: string[] = [];
  for (
    let ancestor: unknown = errorClass;
    typeof ancestor === "function";
    ancestor = Object.getPrototypeOf(ancestor)
  ) {
    const brand = ownBrand(ancestor as ErrorClass);
    if (brand !== undefined) brands.push(brand);
  }
  return brands;
}

/** An argument of the wrong kind (Python's `TypeError`). */
export class ArgumentTypeError extends CorioError {
  static override readonly brand: string = "ArgumentTypeError";
  readonly code = "CORIO_BAD_ARGUMENT" as const;
}

/** An argument of the right kind with an impossible value (Python's `ValueError`). */
export class ValueError extends CorioError {
  static override readonly brand: string = "ValueError";
  readonly code = "CORIO_VALUE" as const;
}

/** A use of the library that cannot work (Python's `RuntimeError`); `code` tells which. */
export class RuntimeError extends CorioError {
  static override readonly brand: string = "RuntimeError";
  readonly code: CorioErrorCode;

  /** As the constructor of `Error`, with a code in between. */
  constructor(message: string, code: CorioErrorCode = "CORIO_RUNTIME", options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An operation on a future, task or timeout whose state does not allow it. */
export class InvalidStateError extends CorioError {
  static override readonly brand: string = "InvalidStateError";
  readonly code = "CORIO_INVALID_STATE" as const;
}

/** Time ran out: raised by `timeout`, `timeoutAt`, `waitFor` and `asCompleted`. */
export class TimeoutError extends CorioError {
  static override readonly brand: string = "TimeoutError";
  readonly code = "CORIO_TIMEOUT" as const;
}

/** `getNowait` on an empty queue. */
export class QueueEmpty extends CorioError {
  static override readonly brand: string = "QueueEmpty";
  readonly code = "CORIO_QUEUE_EMPTY" as const;
}

/** `putNowait` on a full queue. */
export class QueueFull extends CorioError {
  static override readonly brand: string = "QueueFull";
  readonly code = "CORIO_QUEUE_FULL" as const;
}

/** `put` on a queue after `shutdown`, or `get` when such a queue has nothing left. */
export class QueueShutDown extends CorioError {
  static override readonly brand: string = "QueueShutDown";
  readonly code = "CORIO_QUEUE_SHUT_DOWN" as const;
}

/** The barrier was reset or aborted while (or before) the task waited at it. */
export class BrokenBarrierError extends CorioError {
  static override readonly brand: string = "BrokenBarrierError";
  readonly code = "CORIO_BROKEN_BARRIER" as const;
}

/** `acquireNowait` of a `CapacityLimiter` that has no token left (anyio's `WouldBlock`). */
export class WouldBlock extends CorioError {
  static override readonly brand: string = "WouldBlock";
  readonly code = "CORIO_WOULD_BLOCK" as const;
}

/**
 * The worker thread or process that was running a call ended before the call did: it was killed, ran out of memory, or
 * an error in it was not caught (that is then the `cause`). anyio: `BrokenWorkerProcess`, `BrokenWorkerInterpreter`.
 */
export class BrokenWorkerError extends CorioError {
  static override readonly brand: string = "BrokenWorkerError";
  readonly code = "CORIO_BROKEN_WORKER" as const;
}

/** The user pressed Ctrl-C while `run` was at work. */
export class KeyboardInterrupt extends CorioError {
  static override readonly brand: string = "KeyboardInterrupt";
  readonly code = "CORIO_KEYBOARD_INTERRUPT" as const;
}

/** Nothing can ever continue: every task waits, and nothing outside them is left that could wake one. */
export class DeadlockError extends CorioError {
  static override readonly brand: string = "DeadlockError";
  readonly code = "CORIO_DEADLOCK" as const;
}

/** Where a cancellation came from. */
export interface CancelDetails {
  /** What the caller of `cancel` gave as its message. */
  readonly reason?: unknown;
  /** Who asked: a task's name, or what in the library did. */
  readonly requestedBy?: string | undefined;
  /** The loop's time at the request, in seconds. */
  readonly requestedAt?: number | undefined;
}

/**
 * Thrown at the await where a cancelled task waits. Let it pass, after cleaning up in `finally`: a task that catches
 * it and goes on has refused the cancellation.
 *
 * asyncio: `CancelledError`.
 */
export class CancelledError extends CorioError {
  static override readonly brand: string = "CancelledError";
  readonly code = "CORIO_CANCELLED" as const;
  /** What the caller of `cancel` gave as its message. */
  readonly reason: unknown;
  /** Who asked for it: the name of a task, or what in the library did (`timeout`, `TaskGroup`, `run`, …). */
  readonly requestedBy: string | undefined;
  /** When it was asked for, in seconds of the loop's clock. */
  readonly requestedAt: number | undefined;

  /** `details` tells where the cancellation came from. Without a reason among them the message is the reason. */
  constructor(message?: string, details: CancelDetails = {}) {
    super(message);
    // Who cancels without a reason gives none, whatever the message says.
    this.reason = "reason" in details ? details.reason : message;
    this.requestedBy = details.requestedBy;
    this.requestedAt = details.requestedAt;
  }
}

/**
 * A `CancelledError` without a stack of its own: it would show the loop's frames, and costs twenty times the rest of
 * a cancellation. In debug mode the stack shows who asked.
 */
export function makeCancelledError(details: CancelDetails, withStack: boolean): CancelledError {
  const message = cancelMessage(details);
  if (withStack) return new CancelledError(message, details);
  return withStackLimit(0, () => new CancelledError(message, details));
}

function cancelMessage(details: CancelDetails): string {
  const reason = details.reason;
  if (reason === undefined)
    return details.requestedBy === undefined ? "" : `cancelled by ${details.requestedBy}`;
  if (reason instanceof Error) return reason.message;
  return typeof reason === "string" ? reason : host.inspect(reason);
}

/** Whether `error` is a cancellation, whichever copy of the package made it. Cheaper than `instanceof`. */
export function isCancelledError(error: unknown): error is CancelledError {
  return hasCode(error, "CORIO_CANCELLED");
}

/** Whether `error` is what Ctrl-C raises, whichever copy of the package made it. */
export function isKeyboardInterrupt(error: unknown): boolean {
  return hasCode(error, "CORIO_KEYBOARD_INTERRUPT");
}

function hasCode(error: unknown, code: CorioErrorCode): boolean {
  try {
    return error instanceof Error && (error as { code?: unknown }).code === code;
  } catch {
    // What cannot even be looked at (a throwing getter, a revoked proxy) is none of ours.
    return false;
  }
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What bad input was: for error messages. */
export function describeValue(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function") return `function ${nameOf(value) ?? "(anonymous)"}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object") {
    // corio's own have a tag: what their classes are called is nobody's business, and lost in a minified program.
    const { constructor, [Symbol.toStringTag]: tag } = value as { [Symbol.toStringTag]?: string };
    return tag ?? nameOf(constructor) ?? "an object";
  }
  return host.inspect(value);
}

/** Objects without a prototype have no constructor, and a class may have a static `name`. */
function nameOf(named: unknown): string | undefined {
  const name: unknown = typeof named === "function" ? named.name : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}

/**
 * The error for an argument of the wrong kind: what was expected, what came, what to do. Where a coroutine came, the
 * error tells of it: it is closed, and not reported as never awaited as well.
 */
export function badArgument(
  where: string,
  expected: string,
  got: unknown,
  advice?: string,
): ArgumentTypeError {
  if (isObject(got) && (got as Partial<Coroutine>)[Symbol.toStringTag] === "Coroutine")
    (got as Coroutine).close();
  return new ArgumentTypeError(
    `${where} expects ${expected}, got ${describeValue(got)}${advice === undefined ? "" : `; ${advice}`}`,
  );
}
