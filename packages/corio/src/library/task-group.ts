import { isCancelledError, isKeyboardInterrupt, RuntimeError } from "../errors.ts";
import type { CancelledError } from "../errors.ts";
import type { Steps } from "../futures/awaitable.ts";
import { Coroutine, isGeneratorFunction } from "../futures/coroutine.ts";
import type { EventLoop } from "../futures/event-loop.ts";
import { CANCELLED, FINISHED, Future, PENDING } from "../futures/future.ts";
import type { FutureCallback } from "../futures/future.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { showAs } from "#host";
import type { Task, TaskOptions } from "../futures/task.ts";
import type { CoroutineLike } from "../futures/to-coroutine.ts";
import { requireTask } from "./create-task.ts";
import { ExceptionGroup } from "./exception-group.ts";
import { ScopeSignal } from "./scope-signal.ts";
import { popScope, pushScope } from "./scope-stack.ts";
import type { StackedScope } from "./scope-stack.ts";
import { checkBody, ScopedCall } from "./scoped-call.ts";
import type { Failure, Scope, ScopeBody } from "./scoped-call.ts";

/** Options of `taskGroup` and of the `TaskGroup` constructor. */
export interface TaskGroupOptions {
  /** Cancels the block, and with it the group, when it aborts; the `CancelledError` has the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const byGroup: { readonly requestedBy: string } = { requestedBy: "TaskGroup" };

/**
 * Tasks that end before the block they were made in: what `taskGroup` gives to its body.
 *
 * Made with `new` inside a task it is the explicit form, for `await using`: `await group.join()` waits for the
 * children and throws what went wrong; a block that is left before is a block that failed, so the children are
 * cancelled and waited for. A disposer is not told how its block ended, so this form cannot do all that `taskGroup`
 * does: when a child fails while the block is busy, the block is cancelled, and what it throws is a `SuppressedError`
 * with the `ExceptionGroup` as its `error`.
 *
 * Iterating a group gives the children that are not done, in the order they were made.
 *
 * asyncio: `TaskGroup`. `new TaskGroup()` throws `RuntimeError` outside of a task.
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep, TaskGroup } from "corio";
 *
 * const main = coroutine(async function main() {
 *   await using group = new TaskGroup();
 *   const task = group.createTask(sleep(0.01, "done"));
 *   await group.join();
 *   console.log(task.result());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * done
 * ```
 */
export class TaskGroup implements Scope, StackedScope {
  readonly #loop: EventLoop;
  readonly #parent: Task;
  readonly #signal: ScopeSignal | null;
  /** The parent's count of cancel requests when the block began. */
  readonly #cancelling: number;
  /** The explicit form: joined whenever its owner likes, it is on no stack. */
  readonly #isExplicit: boolean;
  #children = new Set<Task>();
  /** What children have failed with, in the order in which they ended. */
  #errors: unknown[] = [];
  /** A `KeyboardInterrupt`: thrown as it is, before anything else. */
  #interrupt: Failure | null = null;
  /** The cancellation that is thrown at the end, unless there are errors. */
  #cancellation: Failure | null = null;
  /** The last cancellation that arrived while the group was ending anyway. */
  #lateCancellation: Failure | null = null;
  #isAborting = false;
  #isExiting = false;
  #isFinished = false;
  #isParentCancelled = false;
  #completion: Future | null = null;
  /** @internal */
  outerScope: StackedScope | null = null;

  /** The second parameter is corio's own: the task whose block `taskGroup` runs. */
  constructor(options: TaskGroupOptions = noOptions, parent?: Task) {
    checkOptions(options, "TaskGroup");
    this.#isExplicit = parent === undefined;
    this.#parent = parent ?? requireTask("TaskGroup");
    this.#loop = this.#parent.loop;
    this.#cancelling = this.#parent.cancelling();
    if (!this.#isExplicit) pushScope(this.#parent, this);
    this.#signal = options.signal === undefined ? null : new ScopeSignal(this.#parent, options.signal);
  }

  /** How many children are not done. */
  get size(): number {
    return this.#children.size;
  }

  /** The children that are not done, in the order they were made. */
  [Symbol.iterator](): IterableIterator<Task> {
    return this.#children.values();
  }

  /**
   * Runs a coroutine as a child of the group. Takes what `createTask` takes. The group must not be finished or
   * shutting down; while its block has ended but another child is running it may still grow.
   *
   * asyncio: `TaskGroup.create_task`. Throws `RuntimeError`, and closes the coroutine, when the group takes no more.
   */
  createTask<T>(coroutine: CoroutineLike<T>, options?: TaskOptions): Task<T> {
    const refusal = this.#refusal();
    if (refusal !== null) {
      if (coroutine instanceof Coroutine) coroutine.close();
      throw new RuntimeError(refusal);
    }
    const child = this.#loop.createTask(coroutine, options);
    // Also when it is done already: an error of an eager child must not cancel the parent before it has the task.
    this.#children.add(child);
    child.addCallback(new ChildDone(this, this.#parent, child));
    // An eager child may have ended the group in its first step, before it was a member.
    if (this.#isAborting && !child.done()) child.cancel(undefined, byGroup);
    return child;
  }

  #refusal(): string | null {
    if (this.#isFinished || (this.#isExiting && this.#children.size === 0)) {
      return "createTask in a task group that is finished; make the task before the block ends";
    }
    return this.#isAborting ? "createTask in a task group that is shutting down" : null;
  }

  /**
   * Ends the group early, without an error: its children and its block are cancelled, and the block ends normally once
   * they have. Errors that members throw meanwhile are raised all the same, and so is a cancellation from outside. Does
   * nothing the second time, or after the block.
   *
   * asyncio: `TaskGroup.cancel` (3.15).
   */
  cancel(): void {
    if (this.#isAborting || (this.#isExiting && this.#children.size === 0)) return;
    this.#abort();
    this.#cancelParent();
  }

  /**
   * Waits for all children, in the explicit form; the group takes no more afterwards. When a child fails the others are
   * cancelled.
   *
   * Cancel safety: cancelling cancels the children, and waits for them.
   *
   * Throws `ExceptionGroup` with the errors of the children; `RuntimeError` when the group is one of `taskGroup`, when
   * it was joined before, or when it was made by another task.
   */
  join(): Coroutine<void> {
    return this.#finishing("join", () => {
      if (this.#isExplicit) return;
      throw new RuntimeError("join() is for groups made with new TaskGroup(): taskGroup() waits by itself");
    });
  }

  /** Cancels the children and waits for them, unless the group has been joined. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished) return;
    await this.#finishing("dispose", () => {
      if (!this.#isAborting) this.#abort();
    });
  }

  #finishing(name: string, begin: () => void): Coroutine<void> {
    const enter = (task: Task): TaskGroup => {
      if (this.#isExiting) throw new RuntimeError("this task group was joined already");
      if (task !== this.#parent) {
        throw new RuntimeError(
          `a task group must be joined by the task that made it, ${this.#parent.describe()}, not by ${task.describe()}`,
        );
      }
      begin();
      return this;
    };
    return new ScopedCall<TaskGroup, void>(`TaskGroup.${name}`, enter, noBody, false);
  }

  #abort(): void {
    this.#isAborting = true;
    for (const child of [...this.#children]) if (!child.done()) child.cancel(undefined, byGroup);
  }

  /** Interrupts the block. The request is taken back when the group is left. */
  #cancelParent(): void {
    if (this.#isParentCancelled) return;
    this.#isParentCancelled = true;
    this.#parent.cancel(undefined, byGroup);
  }

  /** @internal */
  childDone(child: Task): void {
    this.#children.delete(child);
    const completion = this.#completion;
    if (completion !== null && this.#children.size === 0 && completion.state === PENDING) {
      completion.settle(FINISHED, true);
    }
    if (child.state === CANCELLED || child.state === FINISHED) return;
    const error = child.exception();
    this.#errors.push(error);
    if (isKeyboardInterrupt(error)) this.#interrupt ??= { error };
    if (this.#parent.done()) {
      this.#loop.callExceptionHandler({
        message: `Task ${child.describe()} has failed but the task of its group, ${this.#parent.describe()}, is already done`,
        exception: error,
        task: child,
      });
      return;
    }
    if (this.#isAborting || this.#isParentCancelled) return;
    this.#abort();
    this.#cancelParent();
  }

  // ── The end of the block ──────────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  get scopeName(): string {
    return "taskGroup()";
  }

  /** @internal */
  noteBodyEnd(failure: Failure | null): void {
    this.#isExiting = true;
    if (failure === null) return;
    if (isKeyboardInterrupt(failure.error)) this.#interrupt ??= failure;
    if (isCancelledError(failure.error)) this.#cancellation = failure;
    if (!this.#isAborting) this.#abort();
  }

  /** @internal */
  wanted(): Future | null {
    this.#completion = this.#children.size === 0 ? null : new Completion(this, this.#loop);
    return this.#completion;
  }

  /** @internal */
  noteInterruption(error: unknown): void {
    if (this.#isAborting) {
      this.#lateCancellation = { error };
      return;
    }
    this.#cancellation = { error };
    this.#abort();
  }

  /** @internal */
  leave(failure: Failure | null): Failure | null {
    this.#isFinished = true;
    const thrown = this.#conclude(failure);
    // Errors are heavy: the group may live longer than its block.
    this.#errors = [];
    this.#interrupt = null;
    this.#cancellation = null;
    this.#lateCancellation = null;
    return this.#isExplicit ? thrown : popScope(this.#parent, this, thrown);
  }

  #conclude(failure: Failure | null): Failure | null {
    const parent = this.#parent;
    const errors = this.#errors;
    if (this.#interrupt !== null) {
      this.#signal?.release();
      return this.#interrupt;
    }
    if (this.#isParentCancelled) parent.uncancel();
    if (failure !== null && !isCancelledError(failure.error)) errors.push(failure.error);
    const cancellation = this.#pendingCancellation();
    this.#signal?.release();
    if (errors.length === 0) return cancellation;
    // A cancellation from outside gave way to the errors. It is asked for again, so that it is raised at the next
    // await, and the count stays what it was.
    if (parent.cancelling() > 0) {
      parent.uncancel();
      const { error } = this.#lateCancellation ?? this.#cancellation ?? {};
      parent.cancel(undefined, { requestedBy: (error as CancelledError | undefined)?.requestedBy });
    }
    return { error: new ExceptionGroup("unhandled errors in a TaskGroup", errors) };
  }

  /** The cancellation to throw when there are no errors: one that was not the group's own doing. */
  #pendingCancellation(): Failure | null {
    const isFromOutside = this.#parent.cancelling() > this.#cancelling;
    if (this.#isParentCancelled && !isFromOutside) return null;
    // One that came while the group was ending must not be lost either.
    return this.#cancellation ?? (isFromOutside ? this.#lateCancellation : null);
  }

  /** @internal */
  describe(): string {
    const parts: string[] = [];
    if (this.#children.size > 0) parts.push(` tasks=${this.#children.size}`);
    if (this.#errors.length > 0) parts.push(` errors=${this.#errors.length}`);
    parts.push(this.#isFinished ? " finished" : this.#isAborting ? " cancelling" : " entered");
    return `<TaskGroup${parts.join("")}>`;
  }
}

showAs(TaskGroup, (group) => group.describe());

/** A child's end, on its way through the ready queue to the group. */
class ChildDone implements FutureCallback {
  readonly awaiter: Task;
  readonly #group: TaskGroup;
  readonly #child: Task;

  constructor(group: TaskGroup, parent: Task, child: Task) {
    this.awaiter = parent;
    this.#group = group;
    this.#child = child;
  }

  run(): void {
    if (this.#child.loop.admits(this)) this.#group.childDone(this.#child);
  }
}

/** What the block's task waits for at its end. */
class Completion extends Future<boolean> {
  readonly #group: TaskGroup;

  constructor(group: TaskGroup, loop: EventLoop) {
    super(loop);
    this.#group = group;
  }

  override describeWait(): string {
    return `a task group of ${[...this.#group].map((child) => child.describeWait()).join(", ")}`;
  }
}

function* noBody(): Steps<void> {
  // What the explicit form does between its two ends is not the library's business.
}

/**
 * Runs `body` in the current task with a group to make tasks in, and waits for all of them. Gives what `body` gives;
 * undefined when `group.cancel()` interrupted it.
 *
 * When a child fails, the other children and the block are cancelled; when the block fails, the children are. Once all
 * have ended the errors are thrown together as an `ExceptionGroup`, always, in the order in which they happened and
 * the block's own last. A child that is cancelled is no error. Nothing outlives the block.
 *
 * `body` may be a function, async or not, a generator function, or a function that returns a coroutine.
 *
 * Cancel safety: cancelling the task cancels the children and waits for them. If there are errors as well they are
 * thrown first, and the cancellation at the next await.
 *
 * asyncio: `async with TaskGroup()`. Throws `ExceptionGroup`; `KeyboardInterrupt` as it is; `RuntimeError` outside of a
 * task (`CORIO_NO_RUNNING_TASK`) and for overlapping scopes (`CORIO_OVERLAPPING_SCOPES`).
 *
 * @example
 * ```ts
 * import { coroutine, run, sleep, taskGroup } from "corio";
 *
 * const fetchPrice = coroutine(async function fetchPrice(price: number) {
 *   await sleep(price / 1000);
 *   return price;
 * });
 *
 * const main = coroutine(async function main() {
 *   const tasks = await taskGroup((group) => [20, 10].map((price) => group.createTask(fetchPrice(price))));
 *   console.log(tasks.map((task) => task.result()));
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * [ 20, 10 ]
 * ```
 */
export function taskGroup<T>(body: (group: TaskGroup) => Steps<T>, options?: TaskGroupOptions): Coroutine<T>;
export function taskGroup<T>(
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- of a union TypeScript could not infer T.
  body: (group: TaskGroup) => T | PromiseLike<T>,
  options?: TaskGroupOptions,
): Coroutine<T>;
export function taskGroup<T>(
  body: ScopeBody<TaskGroup, T>,
  options: TaskGroupOptions = noOptions,
): Coroutine<T> {
  checkBody(body, "taskGroup");
  checkOptions(options, "taskGroup");
  const enter = (task: Task): TaskGroup => new TaskGroup(options, task);
  return new ScopedCall<TaskGroup, T>("taskGroup", enter, body, !isGeneratorFunction(body));
}
