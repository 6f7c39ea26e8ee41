import type { EventLoop } from "../futures/event-loop.ts";
import { FAILED_UNSEEN, Future, PENDING } from "../futures/future.ts";

/**
 * A future that is done when all of `futures` are, however they ended. As with `gather` their exceptions count as
 * retrieved from then on, and not before: should it never come to that, they are reported as any others.
 */
export function allDone(futures: readonly Future[], loop: EventLoop): Future<void> {
  const done = new Future<void>(loop);
  let left = futures.length;
  const run = (): void => {
    if (--left > 0) return;
    for (const future of futures) if (future.state === FAILED_UNSEEN) future.takeError();
    if (done.state === PENDING) done.setResult();
  };
  for (const future of futures) future.addCallback({ awaiter: done, run });
  if (left === 0) done.setResult();
  return done;
}
