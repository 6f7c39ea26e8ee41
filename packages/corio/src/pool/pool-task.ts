import type { Coroutine } from "../futures/coroutine.ts";
import type { EventLoop, LoopResource } from "../futures/event-loop.ts";
import type { Task } from "../futures/task.ts";
import { allDone } from "../library/all-done.ts";
import { call } from "../library/call.ts";

/** A task of a pool's own. */
export interface PoolTaskOptions<T> {
  readonly name: string;
  /** What becomes of it if it is still there when its `run` ends: nobody needs what it makes, or it is to be finished. */
  readonly atEnd: "cancel" | "finish";
  /** Called once; when the task is not done, its loop was closed under it. */
  readonly onEnd: (task: Task<T>) => void;
}

/**
 * Begins a task of a pool's own, in the loop of somebody who needs it.
 *
 * The end of `run` cancels the tasks that it finds, and waits for them. A task that is begun by the clean-up of these it
 * does not know; nothing of a closed loop runs any more, so the pool would wait for it for ever.
 */
export function startPoolTask<T>(
  loop: EventLoop,
  coroutine: Coroutine<T>,
  { name, atEnd, onEnd }: PoolTaskOptions<T>,
): Task<T> {
  const task = loop.createTask(coroutine, { name });
  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    loop.release(tillTheEnd);
    onEnd(task);
  };
  const tillTheEnd: LoopResource = {
    shutdown: () =>
      call(name, function* () {
        if (atEnd === "cancel") task.cancel(undefined, { requestedBy: "the end of run()" });
        yield* allDone([task], loop);
      }),
    abandon: end,
  };
  loop.adopt(tillTheEnd);
  task.addDoneCallback(end);
  return task;
}
