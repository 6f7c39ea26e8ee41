import { RuntimeError } from "../errors.ts";
import type { EventLoop } from "./event-loop.ts";
import { runningLoop } from "./running.ts";

/** The running loop: `getRunningLoop`, for what `event-loop.ts` itself is built on. */
export function getLoop(): EventLoop {
  const loop = runningLoop();
  if (loop === undefined) {
    throw new RuntimeError(
      "no running event loop: start the program with run(main())",
      "CORIO_NO_RUNNING_LOOP",
    );
  }
  return loop;
}
