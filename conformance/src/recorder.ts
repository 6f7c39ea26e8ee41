import * as corio from "corio";
import type { CancelledError, EventLoop, ExceptionCondition, Task } from "corio";

/** What programs on corio use, and what they write down: the counterpart of the class in `oracle.py`. */
export class Recorder {
  readonly trace: string[] = [];
  /** The main function that is running, and its task once it has begun. */
  mainName = "";
  main: Task | null = null;
  #runner: corio.Runner;
  #loop: EventLoop;
  readonly #slots: Record<string, unknown> = {};
  /** A task waits only for what has a higher rank than itself. */
  readonly #ranks = new Map<unknown, number>();
  #lastRank = 0;
  readonly #names = new Map<string, number>();
  readonly #aliases = new Map<string, string>();
  #isClosed = false;
  #count = 0;
  readonly #taken = new Map<string, number>();

  constructor(runner: corio.Runner) {
    this.#runner = runner;
    this.#loop = runner.getLoop();
  }

  /** The program goes on with another loop. */
  moveTo(runner: corio.Runner): void {
    this.#runner = runner;
    this.#loop = runner.getLoop();
  }

  /** After this nothing is recorded. */
  close(): void {
    this.#isClosed = true;
  }

  names(): Record<string, unknown> {
    return {
      ...corio,
      v: this.#slots,
      loop: this.#currentLoop(),
      boom: (label: string) => new Boom(label),
      cancelled: (label: string) => new corio.CancelledError(label),
      group: (label: string) => makeGroup(label),
      Boom,
      BaseExceptionGroup: corio.ExceptionGroup,
      nested,
      isFirst: (error: unknown) => error instanceof Boom && error.message.endsWith(".0"),
      isPair: (error: unknown) => error instanceof corio.ExceptionGroup && error.errors.length === 2,
      isAnything: () => true,
      isNothing: () => false,
      raiseRest,
      disposed,
      iterated,
      settler,
      stubborn,
      notified,
      isA,
      runIn,
      soonIn: (context: corio.Context, callback: () => void) => this.#loop.callSoonIn(context, callback),
      run: (main: corio.Coroutine) => this.#runner.run(main),
      size: (set: ReadonlySet<unknown>) => set.size,
      log: (label: string, value?: unknown) => this.log(label, value),
      attempt: (label: string, call: () => unknown) => this.#attempt(label, call),
      enter: (name: string) => this.#enter(name),
      has: (...slots: string[]) => this.#has(slots),
      stale: (slot: string) => this.#isStale(slot),
      waitable: (...slots: string[]) => this.#waitable(slots),
      rank: (...parts: unknown[]) => this.#rank(parts),
      keep: (slot: string, rank: number, made: unknown) => this.#keep(slot, rank, made),
      reschedule: (timeout: corio.Timeout, when: number | null) =>
        this.#loop.isRunning() ? reschedule(timeout, when) : "outside",
      pair: ({ done, pending }: { done: Iterable<unknown>; pending: Iterable<unknown> }) =>
        [done, pending].map((set) => Array.from(set, (each) => this.#show(each)).sort()),
      bump: () => ++this.#count,
      enough: (label: string, most: number) => this.#enough(label, most),
      reached: (count: number) => () => this.#count >= count,
      named: (slot: string) => this.#named(slot),
    };
  }

  record(who: string, label: string, value?: unknown): void {
    if (!this.#isClosed) this.trace.push(`${String(this.#loop.time())} ${who} ${label} ${this.#show(value)}`);
  }

  log(label: string, value?: unknown): void {
    const task = corio.currentTask();
    this.record(task === null ? "-" : this.#alias(task), label, value);
  }

  handleException({ message, exception }: { message: string; exception?: unknown }): void {
    if (message.includes("never retrieved") || message.includes("never awaited")) return;
    let label = message;
    if (message.startsWith("Exception in callback")) label = "callback";
    else if (message.endsWith("exception in shielded future")) label = "shield";
    else if (message.startsWith("unhandled exception during")) label = "shutdown";
    else if (message.includes("has errored out but its parent")) label = "orphan";
    this.record("!", label, exception);
  }

  /** What programs know as `loop`: the loop that is theirs now. */
  #currentLoop(): object {
    return new Proxy(
      {},
      {
        get: (_, name): unknown => {
          const value: unknown = Reflect.get(this.#loop, name);
          return typeof value === "function" ? (value.bind(this.#loop) as unknown) : value;
        },
      },
    );
  }

  /** True every `most` times. */
  #enough(label: string, most: number): boolean {
    const taken = (this.#taken.get(label) ?? 0) + 1;
    this.#taken.set(label, taken);
    return taken % most === 0;
  }

  #attempt(label: string, call: () => unknown): void {
    let value: unknown;
    try {
      value = call();
    } catch (error) {
      value = error;
    }
    this.log(label, value);
  }

  #enter(name: string): void {
    const task = corio.currentTask();
    if (!this.#ranks.has(task)) this.#ranks.set(task, ++this.#lastRank);
    if (name === this.mainName) this.main = task;
    this.log(name);
  }

  #alias(task: Task): string {
    const name = task.getName();
    if (!name.startsWith("Task-")) return name;
    let alias = this.#aliases.get(name);
    if (alias === undefined) {
      alias = `?${String(this.#aliases.size + 1)}`;
      this.#aliases.set(name, alias);
    }
    return alias;
  }

  #named(slot: string): string {
    const count = (this.#names.get(slot) ?? 0) + 1;
    this.#names.set(slot, count);
    return count === 1 ? slot : `${slot}.${String(count)}`;
  }

  /** Of what is about to be made: it waits for `parts`. */
  #rank(parts: readonly unknown[]): number {
    return Math.min(++this.#lastRank, ...parts.map((part) => this.#ranks.get(part) ?? Infinity));
  }

  #keep(slot: string, rank: number, made: unknown): unknown {
    if (!this.#ranks.has(made)) this.#ranks.set(made, rank);
    this.#slots[slot] = made;
    return made;
  }

  #has(slots: readonly string[]): boolean {
    return slots.every((slot) => slot in this.#slots && !this.#isStale(slot));
  }

  /** It is a future of a loop that is closed. */
  #isStale(slot: string): boolean {
    const future = this.#slots[slot];
    return future instanceof corio.Future && future.getLoop() !== this.#loop;
  }

  #waitable(slots: readonly string[]): boolean {
    if (!this.#has(slots)) return false;
    const rank = this.#ranks.get(corio.currentTask()) ?? 0;
    return slots.every((slot) => (this.#ranks.get(this.#slots[slot]) ?? Infinity) > rank);
  }

  #show(value: unknown): string {
    if (value === undefined || value === null) return "null";
    if (typeof value === "string") return value;
    if (Array.isArray(value)) return `[${value.map((each) => this.#show(each)).join(", ")}]`;
    if (value instanceof Boom) return `Boom(${value.message})`;
    if (value instanceof corio.CancelledError) return `CancelledError(${showReason(value)})`;
    if (value instanceof OwnGroup)
      return `Own(${value.message}, ${this.#show(value.cause)})${this.#show(value.errors)}`;
    if (value instanceof AggregateError || hasErrors(value)) return `Group${this.#show(value.errors)}`;
    if (value instanceof Error) return nameOf(value);
    if (value instanceof corio.Coroutine) return "<coroutine>";
    if (value instanceof corio.Task) return `<${this.#alias(value)}>`;
    if (value instanceof corio.Future) return "<future>";
    if (typeof value === "object") return `<${value.constructor.name}>`;
    return typeof value === "number" || typeof value === "boolean" ? String(value) : `<${typeof value}>`;
  }
}

// eslint-disable-next-line require-yield -- it does not suspend
const settler = corio.coroutine(function* settler(future: corio.Future<unknown>, how: string) {
  if (how === "result") future.setResult("settled");
  else if (how === "exception") future.setException(new Boom("settled"));
  else future.cancel();
});

const stubborn = corio.coroutine(function* stubborn() {
  try {
    yield* corio.sleep(1);
  } catch (error) {
    if (error instanceof corio.CancelledError) return "refused";
    throw error;
  }
  return null;
});

const notified = corio.coroutine(function* notified(condition: corio.Condition) {
  return yield* condition.with(function* () {
    return yield* condition.wait();
  });
});

const iterated = corio.coroutine(function* iterated(queue: corio.Queue) {
  const call: unknown = queue[Symbol.asyncIterator]().next();
  const next = yield* call as corio.Coroutine<IteratorResult<unknown>>;
  return next.done === true ? "end" : next.value;
});

/** The end of an `await using` block, for generator functions. */
const disposed = corio.coroutine(async function disposed(resource: AsyncDisposable) {
  await resource[Symbol.asyncDispose]();
});

class Boom extends Error {}

function makeGroup(label: string): Error {
  return new corio.ExceptionGroup("group", [new Boom(`${label}a`), new Boom(`${label}b`)]);
}

/** A program's own class of groups. */
class OwnGroup<E = unknown> extends corio.ExceptionGroup<E> {
  override derive<Part>(errors: readonly Part[]): OwnGroup<Part> {
    return new OwnGroup<Part>(this.message, errors);
  }
}

type Shape = readonly (string | Shape)[];

function nested(label: string, shape: Shape, own: boolean): Error {
  const errors = shape.map((each, index) => leaf(`${label}.${String(index)}`, each));
  return own
    ? new OwnGroup(label, errors, { cause: new Boom("cause") })
    : new corio.ExceptionGroup(label, errors);
}

function leaf(label: string, kind: string | Shape): Error {
  if (typeof kind !== "string") return nested(label, kind, false);
  if (kind === "timeout") return new corio.TimeoutError(label);
  return kind === "cancelled" ? new corio.CancelledError(label) : new Boom(label);
}

function raiseRest(group: corio.ExceptionGroup, condition: ExceptionCondition): void {
  const [, rest] = group.split(condition);
  if (rest !== null) throw rest;
}

function hasErrors(value: unknown): value is Error & { errors: readonly unknown[] } {
  return value instanceof Error && Array.isArray((value as { errors?: unknown }).errors);
}

function showReason({ reason }: CancelledError): string {
  if (reason === undefined) return "";
  if (reason instanceof corio.DeadlockError) return "deadlock";
  return typeof reason === "string" ? reason : `<${typeof reason}>`;
}

/** The class as Python calls it. What is not corio's own error is a mistake, and says so. */
function nameOf(error: Error): string {
  if (error instanceof corio.ArgumentTypeError) return "TypeError";
  return error instanceof corio.CorioError ? error.name : `JavaScript's ${String(error)}`;
}

/** asyncio has a RuntimeError for this, corio an InvalidStateError. */
function reschedule(timeout: corio.Timeout, when: number | null): string | undefined {
  try {
    timeout.reschedule(when);
  } catch (error) {
    if (error instanceof corio.InvalidStateError) return "refused";
    throw error;
  }
  return undefined;
}

/** Python's group of such errors is no `Exception`. */
function holdsCancelled(error: unknown): boolean {
  return (
    hasErrors(error) &&
    error.errors.some((each) => each instanceof corio.CancelledError || holdsCancelled(each))
  );
}

/** A context cannot be entered twice; in Python a task has entered its context, in corio it has not. */
function runIn(context: corio.Context, callback: () => void): void {
  const progress = { hasBegun: false };
  try {
    context.run(() => {
      progress.hasBegun = true;
      callback();
    });
  } catch (error) {
    if (progress.hasBegun) throw error;
    callback();
  }
}

/** `except type`. */
function isA(error: unknown, type: string): boolean {
  const isCancelled = error instanceof corio.CancelledError;
  switch (type) {
    case "BaseException":
      return true;
    case "Exception":
      return !isCancelled && !holdsCancelled(error);
    case "CancelledError":
      return isCancelled;
    case "Boom":
      return error instanceof Boom;
    case "TimeoutError":
      return error instanceof corio.TimeoutError;
    case "BaseExceptionGroup":
      return hasErrors(error);
    default:
      throw new Error(`no program catches ${type}`);
  }
}
