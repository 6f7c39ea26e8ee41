/**
 * The open step.
 *
 * A step is one stretch of a native async function: it begins when the loop resumes the function and must have ended
 * before the loop runs anything else, or two tasks would be interleaved where asyncio's would not. A generator's step
 * is a call that returns, but a native function goes on in microtasks, out of sight. Three events end its step:
 *
 * 1. It awaits a pending corio object. The engine calls the object's `then` in a microtask, with the function already
 *    suspended. But `Promise.all([a, b, c])` calls three `then`s in three microtasks queued together, and all three
 *    belong to the task: nothing else of the loop may run before the last of them. So the step stays open for one
 *    microtask more, which follows them, except where the loop would only resume another task's native function next:
 *    that goes on in a microtask of its own, which follows them too, and the step ends at once (`endStepSoon`).
 * 2. Its promise settles: the task is done (`endStep`).
 * 3. The microtask queue is empty and neither has happened: it awaits a foreign promise, whose end is the host's
 *    business (`onDrained`). The owner is told, and the loop goes on without it.
 *
 * Only one step is open in a thread, whichever scheduler it belongs to; a scheduler that finds another's step open
 * waits for its end.
 */
import { host } from "#host";
import type { Runnable } from "./runnable.ts";

/** A task, seen from below. */
export interface StepOwner {
  /** The step ended by event 3: what the task awaits is unknown to the loop. */
  noteForeignAwait(): void;
  /** The step ended by event 1 or 2, or by another one of the same task's. */
  noteStepEnd(): void;
}

/** The scheduler, seen from here. */
export interface StepHost {
  continue(): void;
  /**
   * Takes what runs next out of the queue, if it only queues the microtask in which another task than `stepOwner` goes
   * on; else gives null.
   */
  takeResumption(stepOwner: StepOwner): Runnable | null;
}

/** Microtasks are queued by `then` on this: half the price of `queueMicrotask`, which makes an async resource. */
export const microtasks: Promise<void> = Promise.resolve();

let owner: StepOwner | null = null;
let scheduler: StepHost | null = null;
let serial = 0;
let endingSerial = -1;
let watching = false;
let waiting: StepHost[] = [];

export function openStep(stepOwner: StepOwner, stepHost: StepHost): void {
  owner = stepOwner;
  scheduler = stepHost;
  // Stays a small integer for ever: beyond those, each number would be an object.
  serial = (serial + 1) | 0;
  if (!watching) {
    watching = true;
    host.context.neutral.runInAsyncScope(host.drained, undefined, onDrained);
  }
}

export function currentStepOwner(): StepOwner | null {
  return owner;
}

/** The owner suspended in this microtask: the step ends with the next, or now, where that makes no difference. */
export function endStepSoon(stepOwner: StepOwner): void {
  if (owner !== stepOwner || endingSerial === serial) return;
  const next = takeResumption(stepOwner);
  if (next === null) {
    endingSerial = serial;
    void microtasks.then(endMarkedStep);
    return;
  }
  const stepHost = scheduler;
  close(stepOwner);
  next.run();
  // It has resumed nothing after all (its loop was stopped, the item was gone): what is next may be anything.
  if (currentStepOwner() === null) void microtasks.then(() => stepHost?.continue());
}

/**
 * Other awaits of the owner that are on their way must find their task: where the host does not remember it, they find
 * the step's. Nor must they end the next step, as they would if that were the same task's.
 */
function takeResumption(stepOwner: StepOwner): Runnable | null {
  if (!host.context.remembersTask || waiting.length > 0) return null;
  return (scheduler as StepHost).takeResumption(stepOwner);
}

/** The owner can do nothing more in this step. */
export function endStep(stepOwner: StepOwner): void {
  if (owner === stepOwner) finish(stepOwner);
}

/** Lets `other` go on when the open step, which is not its own, has ended. */
export function continueAfterStep(other: StepHost): void {
  waiting.push(other);
}

/** Between request and call the step may have ended by event 2, and another one may be open. */
function endMarkedStep(): void {
  if (endingSerial === serial && owner !== null) finish(owner);
}

function close(ended: StepOwner): void {
  owner = null;
  scheduler = null;
  ended.noteStepEnd();
}

function finish(ended: StepOwner): void {
  const stepHost = scheduler;
  close(ended);
  if (waiting.length > 0) {
    const others = waiting;
    waiting = [];
    for (const other of others) other.continue();
  }
  stepHost?.continue();
}

function onDrained(): void {
  watching = false;
  if (owner === null) return;
  owner.noteForeignAwait();
  // Back into a microtask: only from there can the next drain be seen.
  endingSerial = serial;
  void microtasks.then(endMarkedStep);
}
