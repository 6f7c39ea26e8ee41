import { Coroutine, ContextVar, copyContext, isCancelledError, RuntimeError } from "corio";
import type { CoroutineLike, Duration, Task, TaskOptions } from "corio";
import type { RequestTask } from "./request-task.ts";

/** The request that the running code belongs to; null in tasks that have left theirs. */
export const currentRequest: ContextVar<RequestTask | null> = new ContextVar<RequestTask | null>("request", {
  defaultValue: null,
});

export function requireRequest(where: string, advice?: string): RequestTask {
  const request = currentRequest.get();
  if (request !== null) return request;
  throw new RuntimeError(
    `${where} must be used inside a request's task${advice === undefined ? "" : `; ${advice}`}`,
    "CORIO_NO_RUNNING_TASK",
  );
}

/**
 * Runs a coroutine beside the request as a task that outlives it: it is not cancelled when the response has been sent,
 * nor when the client goes away, and has no deadline. Takes what `createTask` takes. It starts at once.
 *
 * When the server is closed it is waited for, until the shutdown deadline. An error in it goes to the loop's exception
 * handler, which prints it.
 *
 * Throws `RuntimeError` outside of a request. FastAPI: `BackgroundTasks.add_task`.
 */
export function background<T>(work: CoroutineLike<T>, options: TaskOptions = {}): Task<T> {
  let request: RequestTask;
  try {
    request = requireRequest("background()", "elsewhere use createTask");
  } catch (error) {
    if (work instanceof Coroutine) work.close();
    throw error;
  }
  const context = options.context ?? copyContext();
  context.run(() => currentRequest.set(null));
  const task = request.loop.createTask(work, { ...options, context });
  task.addDoneCallback((done) => {
    if (done.cancelled()) return;
    const exception = done.exception();
    if (exception === null || isCancelledError(exception)) return;
    request.loop.callExceptionHandler({ message: "a background task failed", exception, task: task });
  });
  return task;
}

/**
 * Moves the deadline of the current request to `delay` seconds from now; null takes it away. For a route that may take
 * longer, or must be quicker, than the others. The deadline is that of the handler: once it has given its response,
 * streaming that takes as long as it takes.
 *
 * Throws `RuntimeError` outside of a request, `InvalidStateError` when time is up already or the handler has ended.
 */
export function setDeadline(delay: Duration | null): void {
  requireRequest("setDeadline()").setDeadline(delay);
}

/**
 * Calls `listener` when the server begins to close, at once if it does already: time for what may go on for ever, such as
 * a WebSocket, to come to an end. The request has one such listener; another takes its place.
 *
 * Throws `RuntimeError` outside of a request.
 */
export function onClosing(listener: () => void): void {
  requireRequest("onClosing()").setClosingListener(listener);
}

/** Whether the running code belongs to a request. */
export function isInsideRequest(): boolean {
  return currentRequest.get() !== null;
}
