/** What `npm run proof` runs on a host: too long for a test. Prints what it counts; exits with 1 when something is left. */
import { readdirSync } from "node:fs";
import { getRunningLoop, run } from "corio";
import { makeStorm } from "./storm.ts";
import { leftOfProcesses } from "../../subprocess/support/processes.ts";

const [connections = 1000, messages = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);

const failures: string[] = [];

function check(isAsExpected: boolean, text: string): void {
  console.log(`${isAsExpected ? "  " : "! "}${text}`);
  if (!isAsExpected) failures.push(text);
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

/** Objects and the bytes of their arrays, without what is only not yet collected. */
async function usedMemory(): Promise<number> {
  for (let round = 0; round < 5; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

async function proveStreams(): Promise<void> {
  const perClient = Math.ceil(200 * Math.min(1, messages / connections / 100));
  const unseen: unknown[] = [];
  const used: number[] = [];
  const descriptors: number[] = [];
  let echoed = 0;
  console.log(`an echo server, ${connections} connections at a time, ${messages} messages`);
  for (let round = 0; echoed < messages || round < 3; round++) {
    const result = await run(async () => {
      getRunningLoop().setExceptionHandler((_loop, context) => unseen.push(context));
      return await makeStorm({ seed: seed + round, connections, messages: perClient });
    });
    echoed += result.echoed;
    used.push(await usedMemory());
    descriptors.push(openDescriptors());
    const rss = megabytes(process.memoryUsage().rss);
    console.log(
      `  round ${round + 1}: ${echoed} messages; ${result.mostOpen} open at once; left: ${result.tasksLeft} tasks, ` +
        `${result.timersLeft} timers, ${descriptors.at(-1)} descriptors, ${megabytes(used.at(-1) ?? 0)} (RSS ${rss})`,
    );
    check(result.tasksLeft === 0 && result.timersLeft === 0, "no task, no timer is left");
  }
  // The first round makes what is made once.
  const growth = (used.at(-1) ?? 0) - (used[1] ?? 0);
  const perMessage = growth / (echoed * (1 - 2 / used.length));
  check(unseen.length === 0, `${unseen.length} errors that nobody has seen`);
  for (const context of unseen.slice(0, 3)) console.log(context);
  check(descriptors.at(-1) === descriptors[0], `descriptors: ${descriptors.join(" ")}`);
  check(
    perMessage < 1,
    `memory grew by ${megabytes(growth)}: ${perMessage.toFixed(2)} bytes for each message`,
  );
}

async function proveProcesses(): Promise<void> {
  console.log("a thousand processes, one after another");
  const { descriptors, zombies } = await run(() => leftOfProcesses(1000));
  check(descriptors === 0, `${descriptors} descriptors more than before`);
  check(zombies === 0, `${zombies} processes left`);
}

await proveStreams();
await proveProcesses();
console.log(failures.length === 0 ? "as it should be" : `${failures.length} wrong`);
process.exitCode = failures.length === 0 ? 0 : 1;
