/**
 * Which task is running. Three sources, in this order:
 *
 * 1. A synchronous segment: a generator's step, or a callback of the loop (which belongs to no task). Exact.
 * 2. What the host remembers (AsyncLocalStorage): right even after an await of a foreign promise.
 * 3. The owner of the open step, where the host remembers nothing.
 */
import { host } from "#host";
import { currentStepOwner } from "../loop/step.ts";
import type { Context } from "./context.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Task } from "./task.ts";

/** undefined: no segment; null: a segment without a task. */
let segmentTask: Task<unknown> | null | undefined;
let segmentContext: Context | undefined;
let segmentLoop: EventLoop | undefined;

export function runningTask(): Task<unknown> | null {
  if (segmentTask !== undefined) return segmentTask;
  const task = (host.context.remembersTask ? host.context.current() : currentStepOwner()) as
    Task<unknown> | null | undefined;
  // Code that a task started may outlive it, and remembers it all the same.
  return task === undefined || task === null || task.done() ? null : task;
}

/** True while a step of any task is open, or a generator's is being run: the loop is in the middle of something. */
export function isAnyStepOpen(): boolean {
  return (segmentTask !== undefined && segmentTask !== null) || currentStepOwner() !== null;
}

/**
 * True when the running code is part of a task's step: whatever it asks of the loop has to wait until it suspends.
 * Code outside of any task may run while a task's step is open (both go on in microtasks); the host's memory tells
 * them apart, and where there is none the answer is a guess.
 */
export function isInsideStep(): boolean {
  if (segmentTask !== undefined) return segmentTask !== null;
  const owner = currentStepOwner();
  return owner !== null && (!host.context.remembersTask || host.context.current() === owner);
}

export function currentSegmentContext(): Context | undefined {
  return segmentContext;
}

/** Begins a segment; returns what `leaveSegment` needs to restore the one around it. */
export function enterSegment(task: Task<unknown> | null): Task<unknown> | null | undefined {
  const outer = segmentTask;
  segmentTask = task;
  return outer;
}

export function leaveSegment(outer: Task<unknown> | null | undefined): void {
  segmentTask = outer;
}

/** Makes `context` the current one during a synchronous call. */
export function swapSegmentContext(context: Context | undefined): Context | undefined {
  const outer = segmentContext;
  segmentContext = context;
  return outer;
}

/** Makes `loop` the running one during a callback. */
export function swapSegmentLoop(loop: EventLoop | undefined): EventLoop | undefined {
  const outer = segmentLoop;
  segmentLoop = loop;
  return outer;
}

/** The loop of the running task or callback. */
export function runningLoop(): EventLoop | undefined {
  return segmentTask === null ? segmentLoop : runningTask()?.loop;
}
