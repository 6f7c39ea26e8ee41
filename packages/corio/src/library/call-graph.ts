import { host } from "#host";
import { badArgument } from "../errors.ts";
import { Future } from "../futures/future.ts";
import { GeneratorStrand } from "../futures/generator-strand.ts";
import { checkOptions, noOptions } from "../futures/options.ts";
import { describeWaits } from "../futures/reports.ts";
import { runningTask } from "../futures/running.ts";
import { Task } from "../futures/task.ts";

/** One place in the stack of a task. asyncio: `FrameCallGraphEntry`. */
export interface FrameCallGraphEntry {
  /** The coroutine function's name. */
  readonly name: string;
  /** Where its call stands in the source; known in debug mode. */
  readonly site: string | undefined;
}

/** A future, what it is doing, and who waits for it. asyncio: `FutureCallGraph`. */
export interface FutureCallGraph {
  /** The future or task itself. */
  readonly future: Future;
  /** The coroutines of a task, innermost first. Empty for a plain future. */
  readonly callStack: readonly FrameCallGraphEntry[];
  /** What the task waits for, in words; null for a plain future or a done task. */
  readonly waitsFor: string | null;
  /** The futures and tasks that wait for it, and what waits for those. */
  readonly awaitedBy: readonly FutureCallGraph[];
}

/** Options of `captureCallGraph`, `formatCallGraph` and `printCallGraph`. */
export interface CallGraphOptions {
  /** Entries kept of each call stack: positive counts from the innermost, negative from the outermost, 0 keeps none. */
  readonly limit?: number;
}

/** Edges that no callback shows, such as from a task group's child to the task that owns the group. */
const addedAwaiters = new WeakMap<Future, Set<Future>>();

/**
 * Records that `waiter` waits for `future`, for call graphs. As in asyncio, nothing happens unless both are futures.
 *
 * asyncio: `future_add_to_awaited_by`.
 */
export function futureAddToAwaitedBy(future: Future, waiter: Future): void {
  if (!(future instanceof Future && waiter instanceof Future)) return;
  const awaiters = addedAwaiters.get(future);
  if (awaiters === undefined) addedAwaiters.set(future, new Set([waiter]));
  else awaiters.add(waiter);
}

/** Takes back `futureAddToAwaitedBy`. asyncio: `future_discard_from_awaited_by`. */
export function futureDiscardFromAwaitedBy(future: Future, waiter: Future): void {
  addedAwaiters.get(future)?.delete(waiter);
}

/** The futures and tasks that wait for `future`. */
export function awaitersOf(future: Future): Future[] {
  const awaiters = new Set<Future>();
  for (const callback of future.callbacks()) if (callback.awaiter !== null) awaiters.add(callback.awaiter);
  for (const awaiter of addedAwaiters.get(future) ?? []) if (!awaiter.done()) awaiters.add(awaiter);
  return [...awaiters];
}

/**
 * What a task (by default the current one) is doing, and who waits for it. Null outside of a task. A task that waits
 * for itself, over others, is shown once.
 *
 * asyncio: `capture_call_graph`.
 *
 * @example
 * ```ts
 * import { captureCallGraph, coroutine, createTask, run } from "corio";
 *
 * const inner = coroutine(async function inner() {
 *   const graph = captureCallGraph();
 *   console.log(graph?.callStack[0]?.name, graph?.awaitedBy[0]?.callStack[0]?.name);
 * });
 *
 * const main = coroutine(async function main() {
 *   await createTask(inner());
 * });
 *
 * await run(main());
 * ```
 * ```text output
 * inner main
 * ```
 */
export function captureCallGraph(
  future?: Future | null,
  options: CallGraphOptions = noOptions,
): FutureCallGraph | null {
  checkGraphOptions(options, "captureCallGraph");
  const subject = future ?? runningTask();
  if (subject === null) return null;
  if (!(subject instanceof Future)) throw badArgument("captureCallGraph", "a future or a task", subject);
  return capture(subject, options.limit, new Set());
}

function checkGraphOptions(options: object, where: string): void {
  checkOptions(options, where);
  const { limit, print } = options as { limit?: unknown; print?: unknown };
  if (limit !== undefined && !Number.isInteger(limit))
    throw badArgument(`${where}: limit`, "an integer", limit);
  if (print !== undefined && typeof print !== "function")
    throw badArgument(`${where}: print`, "a function", print);
}

function capture(future: Future, limit: number | undefined, path: Set<Future>): FutureCallGraph {
  path.add(future);
  const awaitedBy = awaitersOf(future)
    .filter((awaiter) => !path.has(awaiter))
    .map((awaiter) => capture(awaiter, limit, path));
  path.delete(future);
  const isWaiting = future instanceof Task && !future.done() && future !== runningTask();
  return {
    future,
    callStack: future instanceof Task ? limited(stackOf(future), limit) : [],
    waitsFor: isWaiting ? describeWaits(future) : null,
    awaitedBy,
  };
}

/** The coroutines that a task is in, innermost first, as far as they are known. */
export function stackOf(task: Task): FrameCallGraphEntry[] {
  const entries: FrameCallGraphEntry[] = [];
  for (const strand of task.strands()) {
    if (!(strand instanceof GeneratorStrand)) continue;
    for (const { name, site } of strand.frames()) entries.push({ name, site });
  }
  const coroutine = task.getCoro();
  const outermost = entries.at(-1);
  if (coroutine !== null && outermost?.name !== coroutine.name)
    entries.push({ name: coroutine.name, site: coroutine.site });
  return entries;
}

function limited(entries: FrameCallGraphEntry[], limit: number | undefined): FrameCallGraphEntry[] {
  if (limit === undefined) return entries;
  if (limit === 0) return [];
  return limit > 0 ? entries.slice(0, limit) : entries.slice(limit);
}

/**
 * The coroutines a task is in, outermost first, as far as they are known: those of generators, and the first native
 * one (what it has called is the engine's secret). Empty for a task that is done. `limit` keeps the innermost.
 *
 * asyncio: `Task.get_stack`.
 */
export function getStack(
  task: Task,
  options: { readonly limit?: number } = noOptions,
): FrameCallGraphEntry[] {
  checkGraphOptions(options, "getStack");
  if (!(task instanceof Task)) throw badArgument("getStack", "a task", task);
  if (task.done()) return [];
  const innermostFirst = stackOf(task);
  return innermostFirst.slice(0, options.limit ?? innermostFirst.length).reverse();
}

/** Prints `getStack`, and what the task waits for. asyncio: `Task.print_stack`. */
export function printStack(
  task: Task,
  options: { readonly limit?: number; readonly print?: (text: string) => void } = noOptions,
): void {
  checkGraphOptions(options, "printStack");
  const lines = getStack(task, options).map(
    ({ name, site }) => `  ${name}()${site === undefined ? "" : `\n${site}`}`,
  );
  const what = lines.length === 0 ? "No stack" : "Stack";
  const waits = task.done() ? "" : `\nwaits for ${describeWaits(task)}`;
  const text = [
    `${what} for task ${task.describe()}${lines.length === 0 ? "" : " (outermost coroutine first):"}`,
    ...lines,
  ];
  (options.print ?? host.printError)(text.join("\n") + waits);
}

/** The call graph as text. Empty outside of a task. asyncio: `format_call_graph`. */
export function formatCallGraph(future?: Future | null, options: CallGraphOptions = noOptions): string {
  const graph = captureCallGraph(future, options);
  return graph === null ? "" : formatGraph(graph, 0).join("\n");
}

function formatGraph(graph: FutureCallGraph, level: number): string[] {
  const indent = "    ".repeat(level);
  const { future } = graph;
  const lines = [
    `${indent}* ${future instanceof Task ? `Task ${future.describe()}` : future.describeWait()}`,
  ];
  if (graph.callStack.length > 0) {
    lines.push(`${indent}  + Call stack:`);
    for (const { name, site } of graph.callStack) {
      lines.push(
        `${indent}  |   ${name}()${site === undefined ? "" : ` ${site.trim().split("\n", 1)[0] ?? ""}`}`,
      );
    }
  }
  if (graph.waitsFor !== null) lines.push(`${indent}  + Waits for: ${graph.waitsFor}`);
  if (graph.awaitedBy.length > 0) {
    lines.push(`${indent}  + Awaited by:`);
    for (const awaiter of graph.awaitedBy) lines.push(...formatGraph(awaiter, level + 1));
  }
  return lines;
}

/** Prints the call graph to the console's error stream, or with `print`. asyncio: `print_call_graph`. */
export function printCallGraph(
  future?: Future | null,
  options: CallGraphOptions & { readonly print?: (text: string) => void } = noOptions,
): void {
  checkGraphOptions(options, "printCallGraph");
  const print =
    options.print ??
    ((text: string): void => {
      host.printError(text);
    });
  print(formatCallGraph(future, options));
}
