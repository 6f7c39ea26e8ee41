// node client.mjs NAME PORT: one of the clients that are measured. Reads lines from stdin: how many requests to send, 50
// at a time; prints a line for each: seconds, and the CPU time that was used, in microseconds.
import process from "node:process";
import { createInterface } from "node:readline";
import { ClientSession } from "@corio/http";
import { map, run } from "corio";
import { Pool } from "undici";

const [name, port] = process.argv.slice(2);
const origin = `http://127.0.0.1:${String(port)}`;
const CONNECTIONS = 50;

/** Each sends so many requests, and reads the answers. @type {Record<string, () => (count: number) => Promise<unknown>>} */
const CLIENTS = {
  undici: () => {
    const pool = new Pool(origin, { connections: CONNECTIONS });
    return async (count) => {
      let left = count;
      const worker = async () => {
        while (left-- > 0) {
          const { body } = await pool.request({ path: "/", method: "GET" });
          await body.json();
        }
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    };
  },
  fetch: () => async (count) => {
    let left = count;
    const worker = async () => {
      while (left-- > 0) await (await fetch(`${origin}/`)).json();
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  },
  "@corio/http": () => (count) =>
    run(async () => {
      const session = new ClientSession({ baseUrl: origin, maxConnectionsPerHost: CONNECTIONS });
      const workers = Array.from({ length: CONNECTIONS });
      let left = count;
      try {
        await map(
          workers,
          async () => {
            while (left-- > 0) await session.get("/", (response) => response.json());
          },
          { concurrency: CONNECTIONS },
        );
      } finally {
        await session.close();
      }
    }),
};

const send = CLIENTS[name ?? ""]?.();
if (send === undefined) throw new Error(`there is no client ${String(name)}`);
for await (const line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const begin = performance.now();
  await send(Number(line));
  const { user, system } = process.cpuUsage(before);
  console.log(`${(performance.now() - begin) / 1000} ${user + system}`);
}
process.exit();
