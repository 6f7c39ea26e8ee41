// say_hello.py, line for line: run takes a coroutine and runs it to its end.
// Run it: node scripts/run-ts.mjs examples/articles/say-hello.ts
import { coroutine, run, sleep } from "corio";           // import asyncio

const sayHello = coroutine(async function sayHello() {   // async def say_hello():
  console.log("Hello");                                  //     print("Hello")
  await sleep(2);                                        //     await asyncio.sleep(2)
  console.log("World");                                  //     print("World")
});

await run(sayHello());                                   // asyncio.run(say_hello())
