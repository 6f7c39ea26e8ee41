/** What most tests of what takes time begin with. */
import { currentTask, getRunningLoop, run } from "corio";
import type { Task } from "corio";
import { VirtualClock } from "corio/testing";

/** Runs a program on a virtual clock. */
export function simulate<T>(body: () => Promise<T>): Promise<T> {
  return run(body, { clock: new VirtualClock() });
}

/** The time of the loop's clock, in seconds. */
export const now = (): number => getRunningLoop().time();

/** The running task, where there must be one. */
export const self = (): Task => currentTask() as Task;
