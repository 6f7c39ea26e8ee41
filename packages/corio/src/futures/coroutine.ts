import { badArgument, RuntimeError } from "../errors.ts";
import { endStepSoon } from "../loop/step.ts";
import { Awaitable } from "./awaitable.ts";
import type { Steps } from "./awaitable.ts";
import { captureSite, isDebugging } from "./debug.ts";
import { Future } from "./future.ts";
import { NestedStrand } from "./generator-strand.ts";
import { answerAwait, isCalledByHand, NativeAwait } from "./native-await.ts";
import { noteCoroutineMade, noteInGoodHands, unwatch } from "./never-awaited.ts";
import { runningTask } from "./running.ts";
import { showAs } from "#host";
import type { Task } from "./task.ts";

/** What a coroutine turns into when it begins: a native function's promise, a generator, or a future to wait for. */
export type Body<T> = Promise<T> | Steps<T> | Future<T>;

const CREATED = 0;
/** A task has it: it need not be watched, although it has not begun. */
const CLAIMED = 1;
const STARTED = 2;
const CLOSED = 3;
/** Added to the state of what is in the books of the never-awaited watch. */
const WATCHED = 4;

/**
 * A call that has not begun: what a coroutine function returns. `await` runs it inside the awaiting task,
 * `createTask` beside it, `run` as a program. It runs once; dropping it unused is reported as
 * `coroutine 'name' was never awaited`.
 *
 * asyncio: the coroutine object that calling an `async def` function gives.
 */
export abstract class Coroutine<T = unknown> extends Awaitable<T> {
  /** One of the states above. */
  declare private progress: number;

  /** @internal */
  constructor() {
    super();
    this.progress = CREATED;
    noteCoroutineMade(this);
    if (isDebugging()) sites.set(this, captureSite());
  }

  /** The name of the function that was called. */
  abstract get name(): string;

  /** True for the call of a native async function. @internal */
  get isNative(): boolean {
    return false;
  }

  /** The result of an `attempt` that came through. @internal */
  attempted(): T | undefined {
    return undefined;
  }

  /** Begins the body. Called once, after `attempt` has returned false. @internal */
  abstract begin(task: Task<unknown>): Body<T>;

  /**
   * Marks the coroutine as started; true when it was possible to finish at once: `attempted` is then the result.
   * @internal
   */
  attempt(_task: Task<unknown>): boolean {
    this.noteStart();
    return false;
  }

  /** A task will run it. @internal */
  claim(): void {
    if (this.progress === CREATED || this.progress === CREATED + WATCHED) this.setState(CLAIMED);
  }

  /** Nobody has run it, and no task will. @internal */
  get isUnclaimed(): boolean {
    return this.progress === CREATED;
  }

  /** It is now in the books of the never-awaited watch. @internal */
  noteWatched(): void {
    this.progress += WATCHED;
  }

  /** @internal */
  get stateName(): string {
    const state = this.progress & ~WATCHED;
    if (state === CLOSED) return "closed";
    return state === STARTED ? "started" : "not started";
  }

  /** Where it was created; known in debug mode. @internal */
  get site(): string | undefined {
    return sites.get(this);
  }

  /** @internal */
  noteStart(): void {
    const state = this.progress & ~WATCHED;
    if (state === STARTED || state === CLOSED) throw this.reuseError();
    this.setState(STARTED);
  }

  /** Gives the coroutine up without running it: it is then not reported as never awaited. asyncio: `close()`. */
  close(): void {
    if ((this.progress & ~WATCHED) <= CLAIMED) this.setState(CLOSED);
  }

  private setState(state: number): void {
    if (this.progress >= WATCHED) unwatch(this);
    else if (this.progress === CREATED) noteInGoodHands(this);
    this.progress = state;
  }

  /** Runs the coroutine inside the awaiting task. */
  override then<Fulfilled = T, Rejected = never>(
    onFulfilled?: ((value: T) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (isCalledByHand(onFulfilled, onRejected))
      return Promise.resolve<T>(this).then(onFulfilled, onRejected);
    const task = runningTask();
    if (task === null) {
      this.close();
      return answerAwait(onRejected, this.strayError());
    }
    let body: Body<T>;
    try {
      if (this.attempt(task)) return answerAwait(onFulfilled, this.attempted());
      body = this.begin(task);
    } catch (error) {
      return answerAwait(onRejected, error);
    }
    if (body instanceof Future) return body.awaitIn(task, onFulfilled, onRejected);
    if (!isGenerator(body)) return body.then(onFulfilled, onRejected);
    const wait = new NativeAwait(task, onFulfilled, onRejected);
    const strand = new NestedStrand(task, body, wait);
    if (strand.resume(false, undefined) === "suspended") endStepSoon(task);
    return wait as unknown as Promise<Fulfilled | Rejected>;
  }

  get [Symbol.toStringTag](): string {
    return "Coroutine";
  }

  /**
   * Using a coroutine where its result was meant is the commonest mistake: it is caught wherever it can be seen. Throws
   * `RuntimeError` (`CORIO_COROUTINE_AS_VALUE`).
   */
  [Symbol.toPrimitive](): never {
    throw this.misuseError();
  }

  /** As with `Symbol.toPrimitive`, a mistake: throws `RuntimeError` (`CORIO_COROUTINE_AS_VALUE`). */
  toJSON(): never {
    throw this.misuseError();
  }

  private strayError(): RuntimeError {
    return new RuntimeError(
      `coroutine '${this.name}' was awaited outside of any task: start the program with run(main()); in a browser, ` +
        "wrap foreign promises that are awaited before it in until()",
      "CORIO_NO_RUNNING_TASK",
    );
  }

  private misuseError(): RuntimeError {
    return new RuntimeError(
      `coroutine '${this.name}' is used as if it were its result; write await ${this.name}(…)`,
      "CORIO_COROUTINE_AS_VALUE",
    );
  }

  private reuseError(): RuntimeError {
    const how = (this.progress & ~WATCHED) === CLOSED ? "closed" : "awaited";
    return new RuntimeError(
      `coroutine '${this.name}' was already ${how}; a coroutine runs once: call the function again, or make a task ` +
        "of it to await its result several times",
      "CORIO_ALREADY_AWAITED",
    );
  }
}

showAs(
  Coroutine as unknown as { prototype: Coroutine },
  (coroutine) => `<Coroutine ${coroutine.name} (${coroutine.stateName})>`,
);

const sites = new WeakMap<object, string>();

function isGenerator<T>(body: Body<T>): body is Steps<T> {
  return typeof (body as Partial<Promise<T>>).then !== "function";
}

const noParameters: readonly unknown[] = [];

/** The call of a function, which has not happened yet. */
abstract class CallCoroutine<T, Callee extends (...parameters: never) => unknown> extends Coroutine<T> {
  declare private readonly callee: Callee;
  declare private readonly thisValue: unknown;
  declare private parameters: readonly unknown[];

  constructor(callee: Callee, thisValue: unknown, parameters: readonly unknown[]) {
    super();
    this.callee = callee;
    this.thisValue = thisValue;
    this.parameters = parameters.length === 0 ? noParameters : parameters;
  }

  get name(): string {
    return this.callee.name || "(anonymous)";
  }

  /** The task keeps the coroutine, which need not keep its arguments. */
  protected call(): unknown {
    const parameters = this.parameters;
    this.parameters = noParameters;
    return Reflect.apply(this.callee, this.thisValue, parameters);
  }
}

/** The call of a native async function, or of a function that returns something to await. */
export class NativeCoroutine<T> extends CallCoroutine<T, (...parameters: never) => PromiseLike<T>> {
  override get isNative(): boolean {
    return true;
  }

  begin(): Promise<T> {
    const promise = this.call();
    if (promise instanceof Promise) return promise as Promise<T>;
    // A thunk may return any awaitable: `createTask(() => queue.get())`.
    return (async () => await (promise as T))();
  }
}

/** The call of a generator function. */
export class GeneratorCoroutine<T> extends CallCoroutine<T, (...parameters: never) => Steps<T>> {
  begin(): Steps<T> {
    return this.call() as Steps<T>;
  }
}

/** What `coroutine` makes a coroutine function of: a native async function, or one that returns its promise. */
export type AsyncCallee<This, Parameters extends unknown[], T> = (
  this: This,
  ...parameters: Parameters
) => Promise<T>;

/** What `coroutine` makes a coroutine function of: a generator function. */
export type GeneratorCallee<This, Parameters extends unknown[], T> = (
  this: This,
  ...parameters: Parameters
) => Steps<T>;

/** The type of what `coroutine` makes of a function of this type: the same parameters, and a coroutine as the result. */
export type CoroutineFunction<Callee> = Callee extends (
  this: infer This,
  ...parameters: infer Parameters
) => infer Result
  ? // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- the `this` of a plain call
    (this: unknown extends This ? void : This, ...parameters: Parameters) => Coroutine<ResultOf<Result>>
  : never;

type ResultOf<Result> =
  Result extends PromiseLike<infer T> ? T : Result extends Generator<unknown, infer T, unknown> ? T : never;

/**
 * Refuses what is no function for `coroutine`, and functions with type parameters that would be lost: a type that was
 * taken apart and put together again has none, and does not fit any more. The first look at a function with a default
 * value, or without types, comes before its type is known.
 */
export type Retypable<F> = UnknownFunction extends F
  ? unknown
  : F extends (...parameters: never) => Promise<unknown> | Steps<unknown>
    ? (
        F extends (this: infer This, ...parameters: infer Parameters) => infer Result
          ? (this: This, ...parameters: Parameters) => Result
          : never
      ) extends F
      ? unknown
      : never
    : never;

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- a type with a signature would be the context of the function, in which a parameter with a default value is unknown
type UnknownFunction = Function;

const generatorFunctionPrototype: object = Object.getPrototypeOf(function* () {
  // Only its prototype is wanted.
}) as object;

export function isGeneratorFunction(value: unknown): value is (...parameters: never) => Steps<unknown> {
  return (
    typeof value === "function" && Object.prototype.isPrototypeOf.call(generatorFunctionPrototype, value)
  );
}

/**
 * Makes a coroutine function of an async function or a generator function: calling it runs nothing and returns a
 * `Coroutine`. Also a decorator for methods.
 *
 * asyncio: `async def`.
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep } from "corio";
 *
 * const greet = coroutine(async function greet(name: string) {
 *   await sleep(0.01);
 *   return `Hello, ${name}`;
 * });
 *
 * const greetAgain = coroutine(function* greetAgain(name: string) {
 *   yield* sleep(0.01);
 *   return `Hello again, ${name}`;
 * });
 *
 * console.log(await run(greet("Ada")), await run(greetAgain("Ada")));
 * ```
 * ```text output
 * Hello, Ada Hello again, Ada
 * ```
 */
// The first form takes the function's type as a whole: so TypeScript looks at the function by itself, and a default value
// gives its parameter the type. The others take it apart, which is how type parameters are kept.
/* eslint-disable @typescript-eslint/unified-signatures -- one overload a form: what is generic in a function stays generic only so */
export function coroutine<F extends UnknownFunction>(callee: F & Retypable<F>): CoroutineFunction<F>;
export function coroutine<Parameters extends unknown[], T, This = void>(
  callee: GeneratorCallee<This, Parameters, T>,
): (this: This, ...parameters: Parameters) => Coroutine<T>;
export function coroutine<Parameters extends unknown[], T, This = void>(
  callee: AsyncCallee<This, Parameters, T>,
): (this: This, ...parameters: Parameters) => Coroutine<T>;
export function coroutine<Parameters extends unknown[], T, This>(
  method: AsyncCallee<This, Parameters, T>,
  context: ClassMethodDecoratorContext<This>,
): (this: This, ...parameters: Parameters) => Coroutine<T>;
/* eslint-enable @typescript-eslint/unified-signatures */
export function coroutine(
  callee: (...parameters: unknown[]) => unknown,
): (...parameters: unknown[]) => Coroutine {
  if (typeof callee !== "function") {
    throw badArgument("coroutine()", "an async function or a generator function", callee);
  }
  const coroutineFunction = isGeneratorFunction(callee)
    ? function (this: unknown, ...parameters: unknown[]): Coroutine {
        return new GeneratorCoroutine(callee, this, parameters);
      }
    : function (this: unknown, ...parameters: unknown[]): Coroutine {
        return new NativeCoroutine(callee as (...parameters: never) => Promise<unknown>, this, parameters);
      };
  coroutineFunctions.add(coroutineFunction);
  Object.defineProperty(coroutineFunction, "name", { value: callee.name, configurable: true });
  Object.defineProperty(coroutineFunction, "length", { value: callee.length, configurable: true });
  return coroutineFunction;
}

const coroutineFunctions = new WeakSet<object>();

/** Whether `value` was made by `coroutine`: calling it gives a coroutine object. Python: `iscoroutinefunction`. */
export function isCoroutineFunction(value: unknown): value is (...parameters: never) => Coroutine {
  return typeof value === "function" && coroutineFunctions.has(value);
}

/** Whether `value` is a coroutine object. asyncio: `iscoroutine`. */
export function isCoroutine(value: unknown): value is Coroutine {
  return value instanceof Coroutine;
}
