import { AsyncResource } from "node:async_hooks";

const neutral = new AsyncResource("corio.requests", { requireManualDestroy: true });

/** Calls `start` soon, outside of whatever task is running: an event loop cannot be started inside one. */
export function outside(start: () => Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    neutral.runInAsyncScope(queueMicrotask, undefined, () => resolve(start()));
  });
}
