/** Time for programs whose servers may be slow, on a machine that is busy: it passes when it is told to. */
import { until } from "corio";
import { VirtualClock } from "corio/testing";

export class StillClock extends VirtualClock {
  constructor() {
    super({ autoJump: false, foreignGrace: 0 });
  }

  /** Lets time pass, second by second, until `isOver` says so. */
  async passUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      this.advance(1);
      // Longer than the loop takes to notice.
      await until(new Promise((resolve) => setTimeout(resolve, 5)));
    }
  }
}
