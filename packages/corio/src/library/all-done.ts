import type { EventLoop } from "../futures/event-loop.ts";
import { Future } from "../futures/future.ts";

/** A future that is done when all of `futures` are, however they ended. */
export function allDone(futures: readonly Future[], loop: EventLoop): Future<void> {
  const done = new Future<void>(loop);
  let left = futures.length;
  const run = (): void => {
    if (--left === 0) done.setResult();
  };
  for (const future of futures) future.addCallback({ awaiter: done, run });
  if (left === 0) done.setResult();
  return done;
}
