// The server of soak.mjs: every answer needs PostgreSQL, and half of them are streamed. Lines on stdin ask for figures.
import process from "node:process";
import { Reply, serve } from "@corio/http";
import { createPool } from "@corio/postgres";
import { allTasks, gather, run, sleep } from "corio";
import { lines } from "corio/input";

const url = process.argv[2] ?? "postgres://postgres@127.0.0.1/test";
const POOL = 10;

const collect = /** @type {{ gc?: () => void }} */ (/** @type {unknown} */ (globalThis)).gc;
if (collect === undefined) throw new Error("run with --expose-gc");

await run(async () => {
  const pool = createPool({ url, minSize: POOL, maxSize: POOL, applicationName: "corio-soak" });
  let begun = 0;
  let ended = 0;

  /** @param {number} delay */
  const ask = (delay) => pool.fetchValue("SELECT $1::float8 FROM pg_sleep($1)", [delay]);

  async function* pieces() {
    for (let n = 0; n < 5; n++) {
      await ask(0.002);
      yield `piece ${n} ${"x".repeat(1000)}\n`;
    }
    yield "done";
  }

  const server = await serve(async (request) => {
    begun++;
    try {
      if (request.path === "/stream") return new Reply(pieces());
      await request.read();
      await gather(ask(0.005), ask(0.002), sleep(0.001));
      return "done";
    } finally {
      ended++;
    }
  });
  const tasks = allTasks().size;

  const figures = async () => {
    for (let n = 0; n < 3; n++) {
      collect();
      await sleep(0.01);
    }
    const { connections, disconnected, requests } = server.statistics();
    return {
      heap: process.memoryUsage().heapUsed,
      tasks: allTasks().size - tasks,
      pool: pool.statistics(),
      begun,
      ended,
      connections,
      disconnected,
      requests,
    };
  };

  await pool.fetchValue("SELECT 1");
  console.log(server.port);
  for await (const _ of lines()) console.log(JSON.stringify(await figures()));
  await server.close();
  await pool.close();
});
