/** What a real server does too seldom: its rows arrive in the moment in which the time is over. */
import { EventEmitter } from "node:events";
import { getRunningLoop, run, TimeoutError } from "corio";
import { exchange } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../../corio/test/support/harness.ts";
import { streamRows } from "../src/row-stream.ts";
import { Errand } from "../src/session.ts";
import type { Session } from "../src/session.ts";

/** A session with one statement, whose rows it takes a second to hand over. */
class SlowSession {
  readonly command: EventEmitter = new EventEmitter();
  readonly commandTimeout = null;
  readonly client = { query: () => this.command, pause: () => undefined, resume: () => undefined };
  readonly #loop = getRunningLoop();
  #flight: Errand<void> | null = null;

  check(): void {
    // There is nothing to object to.
  }

  begin(conclude: () => void): Errand<void> {
    this.#flight = new Errand<void>(conclude);
    queueMicrotask(() => this.command.emit("result", { id: 1 }));
    return this.#flight;
  }

  throwFailure(): void {
    // Nothing has failed.
  }

  perform<T>(start: () => PromiseLike<T>): PromiseLike<T> {
    const send = async (): Promise<T> => {
      const answer = await start();
      // No await of corio's: this is no code that a cancel could reach.
      await new Promise<void>((resolve) => this.#loop.callLater(1, resolve));
      return answer;
    };
    return exchange(send, { cancel: () => this.#kill(), drop: () => undefined, cancelTimeout: 5 });
  }

  async #kill(): Promise<void> {
    const flight = this.#flight;
    if (flight === null) return;
    flight.onCancel?.();
    flight.isKilled = true;
    flight.end();
    await Promise.resolve();
  }
}

describe("rows that come in the moment in which the time is over", () => {
  test("are given, and then it is said that it is", () =>
    run(
      async () => {
        const session = new SlowSession() as unknown as Session;
        const rows = streamRows(session, { sql: "SELECT 1 AS id" }, { timeout: 0.5 });
        assert.deepEqual(await rows.next(), { done: false, value: { id: 1 } });
        await assert.rejects(rows.next(), TimeoutError);
      },
      { clock: new VirtualClock({ foreignGrace: 0 }) },
    ));
});
