import { badArgument, ValueError } from "../errors.ts";
import { toSeconds } from "../library/duration.ts";
import type { Duration } from "../library/duration.ts";
import { sleep } from "../library/sleep.ts";

/** How often something is tried that fails because of others, and how long the pauses are. */
export interface RetryPlan {
  /** How often it may run in all. */
  readonly attempts: number;
  /** The longest first pause, in seconds; it doubles each time. */
  readonly firstDelay: Duration;
  /** The longest pause of all. */
  readonly maxDelay: Duration;
  /** Whether another attempt may succeed after this error. */
  readonly isWorthwhile: (error: unknown) => boolean;
}

/**
 * Runs `attempt` until it succeeds, with pauses of random length: two that have got into each other's way must not meet
 * again. Throws what the last attempt has thrown. `where` is for errors: `transaction`.
 *
 * Cancel safety: a cancel ends the attempt that is under way, or the pause.
 *
 * @example
 * ```ts
 * import { run } from "corio";
 * import { withRetries } from "corio/pool";
 * import { VirtualClock } from "corio/testing";
 *
 * let runs = 0;
 * const transfer = async () => {
 *   if (++runs < 3) throw new Error("deadlock");
 *   return "done";
 * };
 *
 * async function main() {
 *   const plan = { attempts: 5, firstDelay: 0.05, maxDelay: 2, isWorthwhile: () => true };
 *   console.log(await withRetries("transfer", plan, transfer), runs);
 * }
 *
 * await run(main, { clock: new VirtualClock() });
 * ```
 * ```text output
 * done 3
 * ```
 */
export async function withRetries<T>(
  where: string,
  { attempts, firstDelay, maxDelay, isWorthwhile }: RetryPlan,
  attempt: () => PromiseLike<T>,
): Promise<T> {
  if (!(attempts >= 1))
    throw new ValueError(`${where} expects attempts to be 1 or more, got ${String(attempts)}`);
  if (typeof isWorthwhile !== "function")
    throw badArgument(`${where}: on`, "a function that takes an error", isWorthwhile);
  const most = toSeconds(maxDelay, `${where}: maxDelay`);
  let longest = toSeconds(firstDelay, `${where}: firstDelay`);
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (count >= attempts || !isWorthwhile(error)) throw error;
    }
    await sleep(Math.random() * longest);
    longest = Math.min(2 * longest, most);
  }
}
