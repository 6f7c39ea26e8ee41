// fetch_data.py, line for line: two tasks, awaited in turn. 2 seconds, not 4.
// Run it: node scripts/run-ts.mjs examples/articles/fetch-data.ts
import { coroutine, createTask, run, sleep } from "corio";               // import asyncio

const fetchData = coroutine(async function fetchData(url: string) {      // async def fetch_data(url):
  console.log(`Starting request: ${url}`);                               //     print(f"Starting request: {url}")
  await sleep(2); // simulate I/O delay                                  //     await asyncio.sleep(2)  # simulate I/O delay
  console.log(`Finished request: ${url}`);                               //     print(f"Finished request: {url}")
  return `Data from ${url}`;                                             //     return f"Data from {url}"
});

const main = coroutine(async function main() {                           // async def main():
  const task1 = createTask(fetchData("https://www.example.com/data1"));  //     task1 = asyncio.create_task(fetch_data("https://www.example.com/data1"))
  const task2 = createTask(fetchData("https://www.example.com/data2"));  //     task2 = asyncio.create_task(fetch_data("https://www.example.com/data2"))
  const result1 = await task1;                                           //     result1 = await task1
  const result2 = await task2;                                           //     result2 = await task2
  console.log(result1);                                                  //     print(result1)
  console.log(result2);                                                  //     print(result2)
});

await run(main());                                                       // if __name__ == "__main__": asyncio.run(main())
