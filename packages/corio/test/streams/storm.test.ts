// A server among clients that cancel, reset, stop reading and leave. `npm run proof` has it at full length.
import { once } from "node:events";
import { createServer } from "node:net";
import { getRunningLoop, run } from "corio";
import type { ExceptionContext } from "corio";
import { assert, describe, test } from "../support/harness.ts";
import { descriptorsDownTo, hostTurns, openDescriptors } from "../subprocess/support/processes.ts";
import { makeStorm } from "./support/storm.ts";
import { makeTlsStorm } from "./support/tls-storm.ts";
import { makeCertificate } from "./support/certificate.ts";
import { warningsOf } from "./support/net.ts";

/** A storm as a program of its own; nothing may be reported of it, and no task and no timer left. */
async function storm<R extends { readonly tasksLeft: number; readonly timersLeft: number }>(
  make: () => Promise<R>,
): Promise<R> {
  const unseen: ExceptionContext[] = [];
  let result: R | undefined;
  const codes = await warningsOf(() =>
    run(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => unseen.push(context));
      result = await make();
    }),
  );
  assert.deepEqual(
    unseen.map(({ message, exception }) => `${message}: ${String(exception)}`),
    [],
  );
  assert.deepEqual(codes, []);
  const { tasksLeft, timersLeft } = result as R;
  assert.deepEqual({ tasksLeft, timersLeft }, { tasksLeft: 0, timersLeft: 0 });
  return result as R;
}

/** Calls `work`, and waits until the host has no more sockets open than before. */
async function withoutSocketsLeft(work: () => Promise<void>): Promise<void> {
  // The first of everything makes the host open some of its own.
  const server = createServer().listen(0);
  await once(server, "listening");
  server.close();
  await hostTurns();
  const before = { descriptors: openDescriptors(), resources: activeResources().length };
  await work();
  await descriptorsDownTo(before.descriptors);
  assert.ok(activeResources().length <= before.resources);
}

/** What the host itself has open, where it tells. */
function activeResources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name));
}

describe("an echo server in a storm", () => {
  for (const seed of [1, 2, 3]) {
    test(`of 150 connections leaves no task, timer or socket (seed ${seed})`, () =>
      withoutSocketsLeft(async () => {
        const { kinds, echoed } = await storm(() => makeStorm({ seed, connections: 150, messages: 20 }));
        // Those that come to their end got all that they sent; the others what they waited for.
        assert.ok(echoed >= 20 * (kinds.polite + kinds.halfClosing + kinds.slow));
      }));
  }

  test("of 60 connections over TLS leaves no task, timer or socket", () =>
    withoutSocketsLeft(async () => {
      const { echoed } = await storm(() => makeTlsStorm(1, 60, makeCertificate("localhost")));
      assert.equal(echoed, 40);
    }));
});
