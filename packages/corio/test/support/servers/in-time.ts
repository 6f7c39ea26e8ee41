/** How long something takes, on a machine that may be busy with something else. */
import { assert } from "../assert.ts";

/** Of one tick, in milliseconds. */
const TICK = 100;

/**
 * Runs `body`, which must end in fewer than so many seconds. Those in which this process was not given the machine do
 * not count: a timer that fires late is one tick all the same.
 */
export async function inTime(seconds: number, body: () => PromiseLike<unknown>): Promise<void> {
  let ticks = 0;
  const tick = (): void => {
    ticks++;
    timer = setTimeout(tick, TICK);
  };
  let timer = setTimeout(tick, TICK);
  try {
    await body();
  } finally {
    clearTimeout(timer);
  }
  assert.ok(ticks * TICK < seconds * 1000, `it took ${String((ticks * TICK) / 1000)} s`);
}
