/**
 * Known bugs, planted one at a time: random programs must find each of them. A mutant is a text of a source file that
 * occurs there once, and what takes its place.
 */
export interface Mutant {
  readonly bug: string;
  /** In packages/corio/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  // ── Tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "a cancel that nothing can take at once is forgotten",
    file: "futures/task.ts",
    find: "    this.setFlag(MUST_CANCEL, true);\n    this.rareFields().cancelDetails = details;\n    if (this.isOnForeignPromise)",
    replace: "    this.rareFields().cancelDetails = details;\n    if (this.isOnForeignPromise)",
  },
  {
    bug: "the must-cancel flag stays set after it was obeyed",
    file: "futures/task.ts",
    find: "    if (future.cancel(details.reason, details)) this.setFlag(MUST_CANCEL, false);",
    replace: "    future.cancel(details.reason, details);",
  },
  {
    bug: "a pending cancel is not delivered at the next suspension",
    file: "futures/task.ts",
    find: "    if (!this.mustCancel) return;\n    const details",
    replace: "    if (this.mustCancel || this.state === PENDING) return;\n    const details",
  },
  {
    bug: "uncancel does not take back a cancel that is not delivered yet",
    file: "futures/task.ts",
    find: "    if (requests === 1) this.setFlag(MUST_CANCEL, false);\n",
    replace: "",
  },
  {
    bug: "uncancel takes back an undelivered cancel although others asked too",
    file: "futures/task.ts",
    find: "    if (requests === 1) this.setFlag(MUST_CANCEL, false);\n",
    replace: "    this.setFlag(MUST_CANCEL, false);\n",
  },
  {
    bug: "cancelling counts a delivered cancel once only",
    file: "futures/task.ts",
    find: "    this.#flags += ONE_CANCEL_REQUEST + IS_ASKED;",
    replace: "    this.#flags += (this.cancelling() === 0 ? ONE_CANCEL_REQUEST : 0) + IS_ASKED;",
  },
  {
    bug: "cancel of a done task counts",
    file: "futures/task.ts",
    find: "    if (this.state !== PENDING) return false;\n    if ((this.#flags",
    replace:
      "    if (this.state !== PENDING) {\n      this.#flags += ONE_CANCEL_REQUEST;\n      return false;\n    }\n    if ((this.#flags",
  },
  {
    bug: "a task cancelled before its first step begins all the same",
    file: "futures/task.ts",
    find: "    if (this.mustCancel) {\n      this.setFlag(STARTED, true);",
    replace: "    if (this.mustCancel && this.isEnding) {\n      this.setFlag(STARTED, true);",
  },
  {
    bug: "a cancel that races a wake-up loses: the value is delivered",
    file: "futures/task.ts",
    find: "future !== null && future.isDeliveredInAnyCase && future.state === FINISHED",
    replace: "future !== null && future.state === FINISHED",
  },
  {
    bug: "a cancelled task that returns a value has that value",
    file: "futures/task.ts",
    find: "    if (this.mustCancel) this.end(true, this.takeCancel());\n    else this.end(false, value);",
    replace: "    this.end(false, value);",
  },
  {
    bug: "the reason of a cancel is lost on its way to the awaited future",
    file: "futures/task.ts",
    find: "    const { reason } = details;\n    if (this.#strands instanceof",
    replace: "    const reason = undefined;\n    if (this.#strands instanceof",
  },
  {
    bug: "sleep(0) does not wait for the next iteration's end of the queue",
    file: "loop/scheduler.ts",
    find: "    this.#left = this.#ready.length;",
    replace: "    this.#left = Math.max(1, this.#ready.length - 1) * Math.sign(this.#ready.length);",
  },
  // ── Futures, callbacks, timers ──────────────────────────────────────────────────────────────────────────────────
  {
    bug: "done callbacks run in the reverse order",
    file: "futures/future.ts",
    find: "    if (callbacks instanceof Set) for (const callback of callbacks) scheduler.callSoon(callback);",
    replace:
      "    if (callbacks instanceof Set) for (const callback of [...callbacks].reverse()) scheduler.callSoon(callback);",
  },
  {
    bug: "only the first of several awaiters is woken up",
    file: "futures/future.ts",
    find: "    if (callbacks instanceof Set) for (const callback of callbacks) scheduler.callSoon(callback);",
    replace:
      "    if (callbacks instanceof Set) for (const callback of [...callbacks].slice(0, 1)) scheduler.callSoon(callback);",
  },
  {
    bug: "setResult on a done future is accepted",
    file: "futures/future.ts",
    find: "    if (this.state === PENDING) return;\n",
    replace: "    if (this.state !== FINISHED) return;\n",
  },
  {
    bug: "removeDoneCallback removes one of several equal callbacks",
    file: "futures/future.ts",
    find: "        removed++;",
    replace: "        return ++removed;",
  },
  {
    bug: "timers with equal deadlines leave in the reverse order",
    file: "loop/timer-heap.ts",
    find: "this.#arrived++",
    replace: "-this.#arrived++",
  },
  {
    bug: "a timer that is due waits for one more iteration",
    file: "loop/scheduler.ts",
    find: "next !== undefined && next <= now",
    replace: "next !== undefined && next < now",
  },
  {
    bug: "a cancelled handle is called all the same",
    file: "futures/handle.ts",
    find: "    if (callback === null || !this.loop.admits(this)) return;",
    replace: "    if (callback === null || (!this.loop.admits(this) && callback.length === 99)) return;",
  },
  {
    bug: "a callback runs in the context of whoever is current",
    file: "futures/handle.ts",
    find: "    this.#context = context ?? new Context(currentContextValues());",
    replace: "    this.#context = context ?? new Context();",
  },
  {
    bug: "a task shares its creator's context instead of copying it",
    file: "futures/task.ts",
    find: "    this.#context = options.context ?? currentContextValues();",
    replace: "    this.#context = options.context ?? runningTask()?.getContext() ?? currentContextValues();",
  },
  {
    bug: "an eager task is not among all tasks in its first step",
    file: "futures/task.ts",
    find: "    this.loop.register(self);\n    if (options.eagerStart === true && this.loop.isRunning() && this.startEagerly()) return;",
    replace:
      "    if (options.eagerStart === true && this.loop.isRunning() && this.startEagerly()) return;\n    this.loop.register(self);",
  },
  // ── gather ──────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "gather cancels only its first child",
    file: "library/gather.ts",
    find: "    for (const child of this.#children) if (child.cancel(reason, options)) accepted = true;",
    replace:
      "    for (const child of this.#children) if (!accepted && child.cancel(reason, options)) accepted = true;",
  },
  {
    bug: "a cancelled gather with returnExceptions gives its list",
    file: "library/gather.ts",
    find: "    if (this.#cancelRequest === null) this.settle(FINISHED, results);",
    replace: "    if (this.#cancelRequest !== undefined) this.settle(FINISHED, results);",
  },
  {
    bug: "gather asks whether a child is done once all are made",
    file: "library/gather.ts",
    find: "      const child = futureOf(waitable);\n",
    replace: "      return futureOf(waitable);\n    });\n    this.#children.forEach((child, place) => {\n",
  },
  // ── Primitives ──────────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "the last waiter is woken up instead of the first",
    file: "library/wait-queue.ts",
    find: "    const waiter = this.first;\n    if (waiter === null) return false;",
    replace: "    const waiter = this.#last;\n    if (waiter === null) return false;",
  },
  {
    bug: "a newcomer gets a lock past those who wait",
    file: "library/lock.ts",
    find: "    if (this.#isLocked || this.#line.live > 0) return false;",
    replace: "    if (this.#isLocked) return false;",
  },
  {
    bug: "a task cancelled when it had been given a lock keeps the turn to itself",
    file: "library/lock.ts",
    find: "    if (!this.#isLocked) this.#line.wakeFirst();",
    replace: "",
  },
  {
    bug: "a task cancelled when it had been given a place keeps it",
    file: "library/semaphore.ts",
    find: "      this.#granted--;\n      this.#value++;",
    replace: "      this.#granted--;",
  },
  {
    bug: "a newcomer gets a semaphore past those who wait",
    file: "library/semaphore.ts",
    find: "    return this.#value === 0 || this.#waiters.length > 0 || this.#granted > 0;",
    replace: "    return this.#value === 0;",
  },
  {
    bug: "BoundedSemaphore lets anybody release",
    file: "library/bounded-semaphore.ts",
    find: ">=",
    replace: "> 9 +",
  },
  {
    bug: "event.set wakes up one waiter",
    file: "library/event.ts",
    find: "    this.#waiters.wakeAll();",
    replace: "    this.#waiters.wakeNext();",
  },
  {
    bug: "a cancelled condition.wait does not pass its notification on",
    file: "library/condition.ts",
    find: "      // It may have been notified, and will do nothing about it.\n      this.#waiters.wakeNext();",
    replace: "",
  },
  {
    bug: "a condition gives up the lock when it is cancelled while it re-acquires",
    file: "library/condition.ts",
    find: "        cancellation = error;",
    replace: "        throw error;",
  },
  {
    bug: "notify(n) wakes up one",
    file: "library/condition.ts",
    find: "  notify(count = 1): void {",
    replace: "  notify(count = 1): void {\n    count = Math.min(count, 1);",
  },
  {
    bug: "barrier: a newcomer joins the round that is leaving",
    file: "library/barrier.ts",
    find: `while (this.#state === "draining" || this.#state === "resetting")`,
    replace: `while (this.#state === "resetting")`,
  },
  {
    bug: "barrier: a cancelled task counts as present",
    file: "library/barrier.ts",
    find: "      this.#count--;\n      if (this.#count === 0)",
    replace: '      if (this.#state !== "filling") this.#count--;\n      if (this.#count === 0)',
  },
  {
    bug: "a cancelled queue.get does not pass its wake-up on",
    file: "library/queue.ts",
    find: "    if (!this.empty()) this.#getters.wakeNext();",
    replace: "",
  },
  {
    bug: "a cancelled queue.put does not pass its wake-up on",
    file: "library/queue.ts",
    find: "    if (!this.full()) this.#putters.wakeNext();",
    replace: "",
  },
  {
    bug: "getNowait does not wake up those who want to put",
    file: "library/queue.ts",
    find: "    const item = this.#items.pop();\n    this.#putters.wakeNext();",
    replace: "    const item = this.#items.pop();",
  },
  {
    bug: "shutdown does not wake up those who want to put",
    file: "library/queue.ts",
    find: "    this.#getters.wakeAll();\n    this.#putters.wakeAll();",
    replace: "    this.#getters.wakeAll();",
  },
  {
    bug: "an immediate shutdown leaves the unfinished count",
    file: "library/queue.ts",
    find: "    if (isImmediate) this.throwItemsAway();",
    replace: "",
  },
  {
    bug: "a guard that was released early releases again at the end of its block",
    file: "library/acquirable.ts",
    find: "    this.#held = null;\n",
    replace: "",
  },
  {
    bug: "a guard releases only when asked to",
    file: "library/acquirable.ts",
    find: "  [Symbol.dispose](): void {\n    this.release();",
    replace: "  [Symbol.dispose](): void {",
  },
  {
    bug: "hold does not acquire what is free",
    file: "library/acquirable.ts",
    find: "  override attempted(): Guard {",
    replace: "  override attempted(): Guard {\n    this.#acquirable.release();",
  },
  {
    bug: "the iteration of a queue ends before its items are taken",
    file: "library/queue.ts",
    find: "    return this.#isShutDown && this.empty();",
    replace: "    return this.#isShutDown;",
  },
  {
    bug: "the iteration of a queue does not end when it is shut down",
    file: "library/queue.ts",
    find: "    return this.#isShutDown && this.empty();",
    replace: "    return this.#isShutDown && this.#unfinishedTasks > 99;",
  },
  {
    bug: "a cancelled iteration of a queue does not pass its wake-up on",
    file: "library/queue.ts",
    find: "    return queue.nextNow();\n  }\n",
    replace: "    return queue.nextNow();\n  }\n\n  protected override giveUp(): void {}\n",
  },
  {
    bug: "an object that tasks of one loop have waited for serves another",
    file: "library/wait-queue.ts",
    find: "    if (this.#binding.scheduler !== null) {",
    replace: "    if (this.#binding.scheduler === loop.scheduler) {",
  },
  {
    bug: "a queue that was joined on one loop cannot be used on another",
    file: "library/queue.ts",
    find: "unfinished)`);",
    replace: "unfinished)`, binding);",
  },
  // ── Runs ────────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "a task waits for a future of another loop",
    file: "futures/task.ts",
    find: "    if (future.loop.scheduler !== this.loop.scheduler) {",
    replace: "    if (future.loop.scheduler !== this.loop.scheduler && this.isNew) {",
  },
  {
    bug: "each run of a runner has a context of its own",
    file: "library/runner.ts",
    find: "options.context ?? (this.#context as Context)",
    replace: "options.context",
  },
  {
    bug: "a runner that is closed leaves the last task alone",
    file: "library/runner.ts",
    find: "  for (const task of tasks) task.cancel(undefined",
    replace: "  for (const task of tasks.slice(0, -1)) task.cancel(undefined",
  },
  // ── Timeouts ────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "a timeout turns a cancel from outside into TimeoutError",
    file: "library/timeout.ts",
    find: "this.#task.uncancel() <= this.#cancelling && failure !== null",
    replace: "this.#task.uncancel() >= 0 && failure !== null",
  },
  {
    bug: "a timeout does not take its cancel back",
    file: "library/timeout.ts",
    find: "this.#task.uncancel() <= this.#cancelling && failure !== null",
    replace: "this.#task.cancelling() - 1 <= this.#cancelling && failure !== null",
  },
  {
    bug: "a timeout fires although its block has ended",
    file: "library/timeout.ts",
    find: "  noteBodyEnd(): void {\n    this.#timer?.cancel();",
    replace: "  noteBodyEnd(): void {",
  },
  {
    bug: "reschedule leaves the old timer",
    file: "library/timeout.ts",
    find: "    this.#when = when;\n    this.#timer?.cancel();",
    replace: "    this.#when = when;",
  },
  {
    bug: "a deadline in the past is a timer instead of the next iteration",
    file: "library/timeout.ts",
    find: "when <= loop.time() ? undefined : when",
    replace: "when < -9 ? undefined : when",
  },
  {
    bug: "waitFor with 0 gives up on a done future",
    file: "library/wait-for.ts",
    find: "    if (future.done()) return future.result();\n",
    replace: "",
  },
  {
    bug: "waitFor with 0 does not wait for what it cancelled",
    file: "library/wait-for.ts",
    find: "    yield* ended;",
    replace: "    if (ended.done()) yield* ended;",
  },
  // ── Groups ──────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "a failed child does not cancel its siblings",
    file: "library/task-group.ts",
    find: "    this.#abort();\n    this.#cancelParent();\n  }\n\n  // ── The end",
    replace: "    this.#cancelParent();\n  }\n\n  // ── The end",
  },
  {
    bug: "a failed child does not cancel the block",
    file: "library/task-group.ts",
    find: "    this.#abort();\n    this.#cancelParent();\n  }\n\n  // ── The end",
    replace: "    this.#abort();\n  }\n\n  // ── The end",
  },
  {
    bug: "a group forgets to take back its cancel of the block",
    file: "library/task-group.ts",
    find: "    if (this.#isParentCancelled) parent.uncancel();",
    replace: "",
  },
  {
    bug: "a group with errors drops a cancel from outside",
    file: "library/task-group.ts",
    find: "    if (parent.cancelling() > 0) {\n      parent.uncancel();",
    replace: "    if (parent.cancelling() > 99) {\n      parent.uncancel();",
  },
  {
    bug: "the block's own exception comes first in the group",
    file: "library/task-group.ts",
    find: "errors.push(failure.error);",
    replace: "errors.unshift(failure.error);",
  },
  {
    bug: "a group that is shutting down takes new children",
    file: "library/task-group.ts",
    find: `    return this.#isAborting ? "createTask`,
    replace: `    return this.#isFinished ? "createTask`,
  },
  {
    bug: "a group whose block has ended takes no new children",
    file: "library/task-group.ts",
    find: "this.#isFinished || (this.#isExiting && this.#children.size === 0)",
    replace: "this.#isFinished || this.#isExiting",
  },
  {
    bug: "a group does not wait for children that were added while it waited",
    file: "library/task-group.ts",
    find: "    this.#completion = this.#children.size === 0 ? null : new Completion(this, this.#loop);",
    replace:
      "    this.#completion = this.#children.size === 0 || this.#completion !== null ? null : new Completion(this, this.#loop);",
  },
  {
    bug: "TaskGroup.cancel leaves the children running",
    file: "library/task-group.ts",
    find: "    this.#abort();\n    this.#cancelParent();\n  }\n\n  /**",
    replace: "    this.#isAborting = true;\n    this.#cancelParent();\n  }\n\n  /**",
  },
  {
    bug: "TaskGroup.cancel does not interrupt the block",
    file: "library/task-group.ts",
    find: "    this.#abort();\n    this.#cancelParent();\n  }\n\n  /**",
    replace: "    this.#abort();\n  }\n\n  /**",
  },
  {
    bug: "TaskGroup.cancel does not count as a request while the group waits",
    file: "library/task-group.ts",
    find: "    this.#abort();\n    this.#cancelParent();\n  }\n\n  /**",
    replace: "    this.#abort();\n    if (!this.#isExiting) this.#cancelParent();\n  }\n\n  /**",
  },
  {
    bug: "a cancelled group throws its own CancelledError",
    file: "library/task-group.ts",
    find: "    if (this.#isParentCancelled && !isFromOutside) return null;\n",
    replace: "",
  },
  {
    bug: "a cancelled group swallows a cancel from outside",
    file: "library/task-group.ts",
    find: "    if (this.#isParentCancelled && !isFromOutside) return null;",
    replace: "    if (this.#isParentCancelled) return null;",
  },
  {
    bug: "a cancel that comes while a cancelled group waits is lost",
    file: "library/task-group.ts",
    find: "(isFromOutside ? this.#lateCancellation : null)",
    replace: "null",
  },
  {
    bug: "an explicit group that is not joined lets its children end by themselves",
    file: "library/task-group.ts",
    find: "      if (!this.#isAborting) this.#abort();\n    });",
    replace: "    });",
  },
  {
    bug: "an explicit group may be joined by any task",
    file: "library/task-group.ts",
    find: "      if (task !== this.#parent) {",
    replace: "      if (task === null) {",
  },
  // ── Exception groups ────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "subgroup loses the order",
    file: "library/exception-group.ts",
    find: "else if (matches(error)) matching.push(error);",
    replace: "else if (matches(error)) matching.unshift(error);",
  },
  {
    bug: "split loses the order of the rest",
    file: "library/exception-group.ts",
    find: "      else rest.push(error);",
    replace: "      else rest.unshift(error);",
  },
  {
    bug: "split does not look into nested groups",
    file: "library/exception-group.ts",
    find: "      if (error instanceof ExceptionGroup) {",
    replace: "      if (error instanceof ExceptionGroup && this.cause !== undefined) {",
  },
  {
    bug: "split flattens nested groups",
    file: "library/exception-group.ts",
    find: "        if (inner !== null) matching.push(inner as E);",
    replace: "        if (inner !== null) matching.push(...(inner.errors as E[]));",
  },
  {
    bug: "split does not ask about the group as a whole",
    file: "library/exception-group.ts",
    find: "    if (matches(this)) return [this, null];\n",
    replace: "",
  },
  {
    bug: "split does not call derive",
    file: "library/exception-group.ts",
    find: "const part = this.derive(errors);",
    replace: "const part = new ExceptionGroup<E>(this.message, errors);",
  },
  {
    bug: "split loses the cause",
    file: "library/exception-group.ts",
    find: "    if (this.cause !== undefined) part.cause = this.cause;\n",
    replace: "",
  },
  {
    bug: "of several classes only the first is matched",
    file: "library/exception-group.ts",
    find: "classes.some((errorClass)",
    replace: "classes.slice(0, 1).some((errorClass)",
  },
  // ── shield, wait, asCompleted ───────────────────────────────────────────────────────────────────────────────────
  {
    bug: "cancelling a shield cancels what is inside",
    file: "library/shield.ts",
    find: "    if (inner.state !== PENDING) return;\n    inner.dropCallback(this.#innerDone);",
    replace:
      "    if (inner.state !== PENDING) return;\n    inner.cancel();\n    inner.dropCallback(this.#innerDone);",
  },
  {
    bug: "the failure behind a cancelled shield is not reported",
    file: "library/shield.ts",
    find: "    inner.addCallback(report);",
    replace: "",
  },
  {
    bug: "FIRST_EXCEPTION counts a cancelled member as failed",
    file: "library/wait.ts",
    find: "  return future.state !== CANCELLED && future.exception() !== null;",
    replace: "  return future.state === CANCELLED || future.exception() !== null;",
  },
  {
    bug: "wait cancels what is pending when time is up",
    file: "library/wait.ts",
    find: "    for (const future of futures) (future.state === PENDING ? pending : done).add(future as F);",
    replace:
      "    for (const future of futures) {\n      (future.state === PENDING ? pending : done).add(future as F);\n      future.cancel();\n    }",
  },
  {
    bug: "FIRST_COMPLETED waits for all",
    file: "library/wait.ts",
    find: "      this.#returnWhen === FIRST_COMPLETED ||\n",
    replace: "",
  },
  {
    bug: "asCompleted gives what is done in the order of the arguments' ends reversed",
    file: "library/as-completed.ts",
    find: "    this.#done.push(item);",
    replace: "    this.#done.unshift(item);",
  },
  {
    bug: "asCompleted forgets its time limit",
    file: "library/as-completed.ts",
    find: "      future.dropCallback(callback);\n      this.#put(null);",
    replace: "      void callback;",
  },
];
