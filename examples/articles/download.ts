// download.py, line for line: gather runs three coroutines at the same time. 2 seconds, not 6.
// Run it: node scripts/run-ts.mjs examples/articles/download.ts
import { coroutine, gather, run, sleep } from "corio";             // import asyncio

const download = coroutine(async function download(file: string) { // async def download(file):
  console.log(`Downloading ${file}...`);                           //     print(f"Downloading {file}...")
  await sleep(2);                                                  //     await asyncio.sleep(2)
  console.log(`${file} downloaded!`);                              //     print(f"{file} downloaded!")
});

const main = coroutine(async function main() {                     // async def main():
  await gather(                                                    //     await asyncio.gather(
    download("file1.txt"),                                         //         download("file1.txt"),
    download("file2.txt"),                                         //         download("file2.txt"),
    download("file3.txt"),                                         //         download("file3.txt")
  );                                                               //     )
});

await run(main());                                                 // asyncio.run(main())
