// A server among clients that cancel, reset, stop reading and leave. `npm run proof` has it at full length.
import { createServer } from "node:net";
import { getRunningLoop, run } from "corio";
import type { ExceptionContext } from "corio";
import { assert, describe, test } from "../support/harness.ts";
import { descriptorsDownTo, hostTurns, openDescriptors } from "../subprocess/support/processes.ts";
import { makeStorm } from "./support/storm.ts";
import type { StormResult } from "./support/storm.ts";
import { warningsOf } from "./support/net.ts";

/** A storm as a program of its own; nothing may be left of it, nor be reported. */
async function storm(seed: number, connections: number, messages: number): Promise<StormResult> {
  const unseen: ExceptionContext[] = [];
  let result: StormResult | undefined;
  const codes = await warningsOf(() =>
    run(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => unseen.push(context));
      result = await makeStorm({ seed, connections, messages });
    }),
  );
  assert.deepEqual(
    unseen.map(({ message, exception }) => `${message}: ${String(exception)}`),
    [],
  );
  assert.deepEqual(codes, []);
  return result as StormResult;
}

/** What the host itself has open, where it tells. */
function activeResources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name));
}

describe("an echo server in a storm", () => {
  for (const seed of [1, 2, 3]) {
    test(`of 150 connections leaves no task, timer or socket (seed ${seed})`, async () => {
      // The first of everything makes the host open some of its own.
      await run(async () => {
        const server = createServer().listen(0);
        await new Promise((resolve) => server.once("listening", resolve));
        server.close();
      });
      await hostTurns();
      const before = { descriptors: openDescriptors(), resources: activeResources().length };
      const { kinds, echoed, tasksLeft, timersLeft } = await storm(seed, 150, 20);
      assert.deepEqual({ tasksLeft, timersLeft }, { tasksLeft: 0, timersLeft: 0 });
      // Those that come to their end got all that they sent; the others what they waited for.
      assert.ok(echoed >= 20 * (kinds.polite + kinds.halfClosing + kinds.slow));
      await descriptorsDownTo(before.descriptors);
      assert.equal(activeResources().length <= before.resources, true);
    });
  }
});
