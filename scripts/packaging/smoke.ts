// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { run, sleep } from "corio";
import * as testing from "corio/testing";

const answer: number = await run(async () => {
  await sleep(0.001);
  return 42;
});
console.log(answer, Object.keys(testing).length > 0);
