/**
 * The blocks that a task is inside of: timeouts and task groups. Each cancels the whole task, so they must end in the
 * reverse order of their beginnings; two that run side by side in one task (under `Promise.all`) would cancel each
 * other's work.
 */
import { RuntimeError } from "../errors.ts";
import type { Task } from "../futures/task.ts";
import type { Failure } from "./scoped-call.ts";

/** A block; a linked list, since most tasks have at most a few. */
export interface StackedScope {
  /** What it is called in errors. */
  readonly scopeName: string;
  outerScope: StackedScope | null;
}

const innermost = new WeakMap<Task, StackedScope>();

export function pushScope(task: Task, scope: StackedScope): void {
  scope.outerScope = innermost.get(task) ?? null;
  innermost.set(task, scope);
}

/** Takes the scope off the stack. Returns what is thrown out of it: `thrown`, or an error when it was not the innermost. */
export function popScope(task: Task, scope: StackedScope, thrown: Failure | null): Failure | null {
  const top = innermost.get(task);
  if (top === scope) {
    if (scope.outerScope === null) innermost.delete(task);
    else innermost.set(task, scope.outerScope);
    return thrown;
  }
  for (let inner = top; inner !== undefined; inner = inner.outerScope ?? undefined) {
    if (inner.outerScope === scope) inner.outerScope = scope.outerScope;
  }
  const error = new RuntimeError(
    `${scope.scopeName} ended while ${top?.scopeName ?? "another scope"}, which began later in task ` +
      `${task.describe()}, was still open: scopes of one task cannot overlap; run them in tasks of their own, with ` +
      "gather() instead of Promise.all()",
    "CORIO_OVERLAPPING_SCOPES",
  );
  if (thrown !== null) error.cause = thrown.error;
  return { error };
}
