import type { Mutant } from "./mutants.ts";

/** Bugs at the border to the platform: the programs of `src/foreign/` must find each of them. */
export const FOREIGN_MUTANTS: readonly Mutant[] = [
  // ── Who is running ──────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "after a foreign await, code counts as the task's whose step is open",
    file: "futures/running.ts",
    find: "(host.context.remembersTask ? host.context.current() : currentStepOwner())",
    replace: "(currentStepOwner() ?? host.context.current())",
  },
  {
    bug: "a native task is not remembered by the host",
    file: "futures/task.ts",
    find: "    host.context.enter(this);\n    try {",
    replace: "    try {",
  },
  {
    bug: "a native helper of a generator task is not remembered by the host",
    file: "futures/generator-strand.ts",
    find: "    this.task.rememberByHost();",
    replace: "    void this.task;",
  },
  {
    bug: "a callback counts as part of the task whose step is open",
    file: "futures/handle.ts",
    find: "enterSegment(null)",
    replace: "enterSegment(undefined)",
  },
  // ── What is carried along ───────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "a callback runs in the context variables of whoever is current",
    file: "futures/handle.ts",
    find: "swapSegmentContext(this.#context)",
    replace: "swapSegmentContext(undefined)",
  },
  {
    bug: "a callback loses the AsyncLocalStorage of third parties",
    file: "futures/handle.ts",
    find: "this.#surroundings = host.context.capture();",
    replace: "this.#surroundings = host.context.neutral;",
  },
  {
    bug: "a task loses the AsyncLocalStorage of third parties",
    file: "futures/task.ts",
    find: "    this.#surroundings = host.context.capture();\n    const self",
    replace: "    this.#surroundings = host.context.neutral;\n    const self",
  },
  {
    bug: "a generator coroutine inside a native function runs in what the task began with",
    file: "futures/generator-strand.ts",
    find: "surroundings: Surroundings = host.context.capture();",
    replace: "surroundings: Surroundings = host.context.neutral;",
  },
  {
    bug: "a task shares its creator's context variables",
    file: "futures/task.ts",
    find: "this.#context = options.context ?? currentContextValues();",
    replace: "this.#context = options.context ?? runningTask()?.getContext() ?? currentContextValues();",
  },
  // ── Steps and strands ───────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "a step that ends at a foreign promise stays open",
    file: "loop/step.ts",
    find: "  // Back into a microtask: only from there can the next drain be seen.\n  endingSerial = serial;",
    replace: "  endingSerial = serial - 1;",
  },
  {
    bug: "of several awaits at once only the last is known",
    file: "futures/task.ts",
    find: "    else if (this.#strands instanceof Strand) this.#strands = new Set([this.#strands, strand]);",
    replace: "    else if (this.#strands instanceof Strand) this.#strands = strand;",
  },
  {
    bug: "a task is done although an await that it has left behind is not",
    file: "futures/task.ts",
    find: "    if (this.#strands === null) {\n      this.settleAs(failed, value);",
    replace: "    if (this.#strands !== undefined) {\n      this.settleAs(failed, value);",
  },
  {
    bug: "a task that ended with awaits left behind is never done",
    file: "futures/task.ts",
    find: "      // The last strand is gone.\n      this.settleAs(ending.failed, ending.value);\n",
    replace: "",
  },
  {
    bug: "the awaits that a failed body leaves behind are not cancelled, and not waited for",
    file: "futures/task.ts",
    find: "    this.rareFields().ending = { failed, value };",
    replace:
      "    if (failed) this.settleAs(failed, value);\n    this.rareFields().ending = { failed, value };",
  },
  {
    bug: "a generator goes on beside its native helper's foreign await",
    file: "futures/generator-strand.ts",
    find: '          this.awaitNative(body);\n          return "native";',
    replace: '          this.awaitNative(body);\n          return "suspended";',
  },
  {
    bug: "a generator is not resumed after its native helper was on a foreign promise",
    file: "futures/generator-strand.ts",
    find: "          this.resumeByLoop(failed, value);\n        },",
    replace: "          if (failed) this.resumeByLoop(failed, value);\n        },",
  },
  // ── Foreign promises ────────────────────────────────────────────────────────────────────────────────────────────
  {
    bug: "a task that is back from a foreign promise still counts as away",
    file: "futures/task.ts",
    find: "    strand.future = future;\n    this.leaveForeignPromise();",
    replace: "    strand.future = future;",
  },
  {
    bug: "a task that ends after a foreign promise still counts as away",
    file: "futures/task.ts",
    find: "  private end(failed: boolean, value: unknown): void {\n    this.leaveForeignPromise();",
    replace: "  private end(failed: boolean, value: unknown): void {",
  },
  {
    bug: "an eager generator's native helper on a foreign promise is taken for a deadlock",
    file: "futures/task.ts",
    find: `else if (strand.resume(false, undefined) === "native" && this.#strands === null)\n        this.enterForeignPromise();`,
    replace: "else strand.resume(false, undefined);",
  },
  {
    bug: "an eager generator that waits for corio by a native coroutine counts as away",
    file: "futures/task.ts",
    find: `=== "native" && this.#strands === null)`,
    replace: `=== "native")`,
  },
  {
    bug: "a cancelled until(promise) is waited for all the same",
    file: "futures/promise-future.ts",
    find: "    this.addCallback({ awaiter: null, run: leave });",
    replace: "    promise.then(leave, () => undefined);",
  },
  {
    bug: "a cancel reaches until(function), but nothing ends it",
    file: "library/work-future.ts",
    find: "    else this.settle(CANCELLED, this.#cancelled);",
    replace: "",
  },
  {
    bug: "a cancel ends until(function) before its work has ended",
    file: "library/work-future.ts",
    find: "      this.requestEnd(this.#cancelled);\n",
    replace: "      this.requestEnd(this.#cancelled);\n      return super.cancel(reason, options);\n",
  },
  {
    bug: "work of until(function) that fails stays counted as outside",
    file: "library/work-future.ts",
    find: "  protected giveUp(error: unknown): void {\n    this.loop.scheduler.leaveForeign();",
    replace: "  protected giveUp(error: unknown): void {",
  },
  // ── What is held across foreign awaits ──────────────────────────────────────────────────────────────────────────
  {
    bug: "lock.with keeps the lock when its body throws or is cancelled",
    file: "library/acquirable.ts",
    find: "    try {\n      return yield* callBody<[], T>(this.#body);\n    } finally {\n      acquirable.release();\n    }",
    replace:
      "    const result = yield* callBody<[], T>(this.#body);\n    acquirable.release();\n    return result;",
  },
  {
    bug: "a task cancelled when it had been given a place keeps it",
    file: "library/semaphore.ts",
    find: "      this.#granted--;\n      this.#value++;",
    replace: "      this.#granted--;",
  },
];
