import { badArgument } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import type { Future } from "../futures/future.ts";
import { keepThenAtHand, Operation } from "../futures/operation.ts";
import type { Task } from "../futures/task.ts";
import { callBody } from "./body-call.ts";
import type { WithBody } from "./body-call.ts";

/**
 * What a task acquires and releases: the common part of `Lock`, `Condition` and `Semaphore`.
 *
 * asyncio: what makes `async with lock:` work.
 */
export abstract class Acquirable {
  /** The name of the class. */
  abstract get [Symbol.toStringTag](): string;

  /** True when acquiring would have to wait. */
  abstract locked(): boolean;

  /** Gives back what was acquired; any task may do so. */
  abstract release(): void;

  /** Acquires at once, if that is possible. @internal */
  abstract acquireNow(task: Task): boolean;

  /** To be waited for after `acquireNow` has returned false. @internal */
  abstract acquireInTurn(task: Task): Future<true>;

  /**
   * Waits until it is this task's turn, in the order in which tasks came, and acquires. Gives true.
   *
   * Cancel safety: a cancelled `acquire` has not acquired; if its turn had come already, the next task has it.
   *
   * Throws `RuntimeError` (`CORIO_FOREIGN_LOOP`) when it has to wait and tasks of another loop have waited before.
   */
  acquire(): Coroutine<true> {
    return new Acquire(this);
  }

  /**
   * Acquires, runs `body`, and releases whatever happened. Gives what `body` gives. The body may be a function, async
   * or not, a generator function, or a coroutine function.
   *
   * Cancel safety: a cancel before the body runs means that it does not run; one inside the body releases as well.
   *
   * asyncio: `async with`.
   */
  with<T>(body: () => Steps<T>): Coroutine<T>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  with<T>(body: () => T | PromiseLike<T>): Coroutine<T>;
  with<T>(body: WithBody<[], T>): Coroutine<T> {
    if (typeof body !== "function") throw badArgument("with", "a function", body);
    return new With<T>(this, body);
  }

  /**
   * Acquires and gives a guard that releases at the end of its block: `using guard = await lock.hold();`
   *
   * Cancel safety: as `acquire`. A guard that nothing disposes of holds for ever: do not make one without `using`.
   */
  hold(): Coroutine<Guard> {
    return new Hold(this);
  }
}

/** What `hold` gives. It releases once: by itself at the end of a `using` block, or earlier with `release`. */
export class Guard implements Disposable {
  #held: Acquirable | null;

  /** @internal */
  constructor(held: Acquirable) {
    this.#held = held;
  }

  /** Releases now; nothing happens the second time, nor at the end of the block. */
  release(): void {
    const held = this.#held;
    this.#held = null;
    held?.release();
  }

  /** Releases at the end of a `using` block, if that has not been done. */
  [Symbol.dispose](): void {
    this.release();
  }
}

class Acquire extends Operation<true> {
  readonly #acquirable: Acquirable;

  constructor(acquirable: Acquirable) {
    super();
    this.#acquirable = acquirable;
  }

  get name(): string {
    return `${this.#acquirable[Symbol.toStringTag]}.acquire`;
  }

  override attempt(task: Task): boolean {
    this.noteStart();
    return this.#acquirable.acquireNow(task);
  }

  override attempted(): true {
    return true;
  }

  begin(task: Task): Future<true> {
    return this.#acquirable.acquireInTurn(task);
  }
}

keepThenAtHand(Acquire);

class Hold extends Operation<Guard> {
  readonly #acquirable: Acquirable;

  constructor(acquirable: Acquirable) {
    super();
    this.#acquirable = acquirable;
  }

  get name(): string {
    return `${this.#acquirable[Symbol.toStringTag]}.hold`;
  }

  override attempt(task: Task): boolean {
    this.noteStart();
    return this.#acquirable.acquireNow(task);
  }

  override attempted(): Guard {
    return new Guard(this.#acquirable);
  }

  *begin(task: Task): Steps<Guard> {
    yield* this.#acquirable.acquireInTurn(task);
    return new Guard(this.#acquirable);
  }
}

class With<T> extends Operation<T> {
  readonly #acquirable: Acquirable;
  readonly #body: WithBody<[], T>;

  constructor(acquirable: Acquirable, body: WithBody<[], T>) {
    super();
    this.#acquirable = acquirable;
    this.#body = body;
  }

  get name(): string {
    return `${this.#acquirable[Symbol.toStringTag]}.with`;
  }

  *begin(task: Task): Steps<T> {
    const acquirable = this.#acquirable;
    if (!acquirable.acquireNow(task)) yield* acquirable.acquireInTurn(task);
    try {
      return yield* callBody<[], T>(this.#body);
    } finally {
      acquirable.release();
    }
  }
}
