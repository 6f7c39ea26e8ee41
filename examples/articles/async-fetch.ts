// async_fetch.py, line for line: a coroutine awaits a coroutine and gets what it returns.
// Run it: node scripts/run-ts.mjs examples/articles/async-fetch.ts
import { coroutine, run, sleep } from "corio";           // import asyncio

const fetchData = coroutine(async function fetchData() { // async def fetch_data():
  await sleep(2);                                        //     await asyncio.sleep(2)
  return "Data";                                         //     return "Data"
});

const main = coroutine(async function main() {           // async def main():
  const result = await fetchData();                      //     result = await fetch_data()
  console.log(result);                                   //     print(result)
});

await run(main());                                       // asyncio.run(main())  # Runs without freezing the program
