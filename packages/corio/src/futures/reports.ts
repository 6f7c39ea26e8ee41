/** The texts that corio prints: errors nobody handled, programs that cannot continue, how futures and tasks are shown. */
import { host } from "#host";
import { describeSite } from "./debug.ts";
import type { EventLoop, ExceptionContext } from "./event-loop.ts";
import { Future } from "./future.ts";
import { runningTask } from "./running.ts";
import { showAs } from "#host";
import { awaitChain, Task } from "./task.ts";

/** What the default exception handler prints. */
export function describeError(context: ExceptionContext): string {
  const lines = [context.message];
  const task = context.task;
  const taskName = task?.describe() ?? context["taskName"];
  if (taskName !== undefined)
    lines.push(`task: ${typeof taskName === "string" ? taskName : host.inspect(taskName)}`);
  if (task !== undefined) {
    const [, ...awaiters] = awaitChain(task).map((link) => link.describe());
    if (awaiters.length > 0) lines.push(`awaited by: ${awaiters.join(" <- ")}`);
  }
  if (context.sourceTraceback !== undefined) lines.push(`created at:\n${context.sourceTraceback}`);
  else if (taskName !== undefined) lines.push("created at: unknown (CORIO_DEBUG=1 shows it)");
  for (const [key, value] of Object.entries(context)) {
    if (!wellKnownKeys.has(key)) lines.push(`${key}: ${host.inspect(value)}`);
  }
  if ("exception" in context) lines.push(host.inspect(context.exception));
  return lines.join("\n");
}

const wellKnownKeys = new Set([
  "message",
  "exception",
  "task",
  "taskName",
  "future",
  "handle",
  "sourceTraceback",
]);

/** Why a program can never continue. */
export function describeDeadlock(loop: EventLoop): string {
  const tasks = loop.tasks();
  const lines = tasks.map((task) => `  task ${task.describe()} waits for ${describeWaits(task)}`);
  return (
    `deadlock: nothing is ready, no timer is set, and ${tasks.length.toString()} task(s) wait for ever` +
    (lines.length > 0 ? `\n${lines.join("\n")}` : "")
  );
}

/** What a task waits for, in words. */
export function describeWaits(task: Task): string {
  const waits = task.waitsFor();
  if (waits.length === 0) return task.isNew ? "its first step" : "a foreign promise";
  return waits.map((future) => future?.describeWait() ?? "its next iteration").join(" and ");
}

// Tasks, too.
showAs(Future, (future) => {
  const { state, outcome, loop } = future;
  const isTask = future instanceof Task;
  const what = isTask ? `Task ${future.describe()}` : future[Symbol.toStringTag];
  const word = ["pending", "cancelled", "finished"][state] ?? "failed";
  // Not other objects: they may contain the future.
  const isShown = outcome instanceof Error || /^[nbs]/.test(typeof outcome);
  const result = isShown ? `: ${String(outcome)}` : "";
  const isWaiting = isTask && !future.done() && future !== runningTask();
  const waits = isWaiting ? `, waits for ${describeWaits(future)}` : "";
  const callbacks = future.callbacks().length;
  const called = callbacks > 0 ? `, ${callbacks} callback(s)` : "";
  return `<${what} ${word}${result}${waits}${called}${describeSite(loop.siteOf(future))}>`;
});
