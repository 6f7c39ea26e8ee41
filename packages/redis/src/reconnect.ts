import { isCancelledError, sleep } from "corio";
import { ConnectError, ConnectionLostError } from "./errors.ts";
import type { Session } from "./session.ts";

const FIRST_DELAY = 0.1;

/** Whether an error means that there is no connection: then another one may do. */
export function isAboutConnection(error: unknown): boolean {
  return error instanceof ConnectionLostError || error instanceof ConnectError;
}

/** Tries until there is a connection again, with growing pauses of up to `maxDelay` seconds. */
export async function openAgain(open: () => PromiseLike<Session>, maxDelay: number): Promise<Session> {
  for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, maxDelay)) {
    try {
      return await open();
    } catch (error) {
      if (isCancelledError(error) || !isAboutConnection(error)) throw error;
    }
    await sleep(delay);
  }
}
