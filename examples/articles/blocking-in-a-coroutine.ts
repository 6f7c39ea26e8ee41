// The articles' second mistake: a blocking call inside a coroutine stops every other task as well. Debug mode notices
// it and names the task. `CORIO_DEBUG=1` switches debug mode on for a whole program.
// Run it: node scripts/run-ts.mjs examples/articles/blocking-in-a-coroutine.ts
import { coroutine, createTask, run, sleep } from "corio";

const cell = new Int32Array(new SharedArrayBuffer(4));

function fetchData() {
  Atomics.wait(cell, 0, 0, 1000);
  return "Data";
}

const tick = coroutine(async function tick() {
  for (let number = 1; number <= 4; number++) {
    console.log(`tick ${number}`);
    await sleep(0.2);
  }
});

const main = coroutine(async function main() {
  const ticking = createTask(tick());
  await sleep(0.3);
  console.log("Starting a blocking call: no ticks");
  console.log(fetchData());
  await ticking;
});

await run(main(), { debug: true, name: "blocking-main" });
