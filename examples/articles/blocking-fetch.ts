// blocking_fetch.py, line for line: no coroutine, so nothing else can run in the 2 seconds.
// Run it: node scripts/run-ts.mjs examples/articles/blocking-fetch.ts
const cell = new Int32Array(new SharedArrayBuffer(4));  // import time

function fetchData() {                                  // def fetch_data():
  Atomics.wait(cell, 0, 0, 2000);                       //     time.sleep(2)
  return "Data";                                        //     return "Data"
}

console.log(fetchData());                               // print(fetch_data())  # Blocks for 2 seconds

// A module, like the other programs.
export {};
