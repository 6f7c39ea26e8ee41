import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED_UNSEEN, Future, PENDING } from "../futures/future.ts";

/**
 * A future that is done when all of `futures` are, however they ended. As with `gather` their exceptions count as
 * retrieved: whoever waits looks after them.
 */
export function allDone(futures: readonly Future[], loop: EventLoop): Future<void> {
  const done = new Future<void>(loop);
  let left = futures.length;
  for (const future of futures) {
    const run = (): void => {
      if (future.state === FAILED_UNSEEN) future.takeError();
      if (--left === 0 && done.state === PENDING) done.setResult();
    };
    future.addCallback({ awaiter: done, run });
  }
  if (left === 0) done.setResult();
  return done;
}
