// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { asCompleted, createTask, Queue, run, sleep } from "corio";
import type { Task } from "corio";
import * as testing from "corio/testing";
import { toThread, workerModule } from "corio/threads";

const answer: number = await run(async () => {
  await sleep(0.001);
  return 42;
});
console.log(answer, Object.keys(testing).length > 0);

// TypeScript's versions do not agree on what `for await` makes of items that are tasks.
await run(async () => {
  const queue = new Queue<Task<string>>();
  queue.putNowait(createTask(sleep(0.001, "completed")));
  queue.shutdown();
  for await (const task of queue) {
    for await (const same of asCompleted([task])) console.log(same.result(), same.getName());
  }
});

// The threads begin with a file of the package: here it is where npm has put it.
const path = workerModule<{ basename(path: string): string }>("node:path");
console.log(await run(toThread(path.basename, "/packed/and/installed")));
