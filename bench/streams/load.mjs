// node load.mjs JOB: the client of all servers, on plain node:net. JOB is JSON; what came of it is printed as JSON.
import { connect } from "node:net";
import process from "node:process";

/**
 * Each connection keeps `window` messages of `size` bytes under way, and sends one for each that has come back.
 *
 * @typedef {{ kind: "load", port: number, connections: number, size: number, window: number, seconds: number }} LoadJob
 *
 * Each connection sends one byte and gets it back, then all stay open until the standard input ends.
 * @typedef {{ kind: "idle", port: number, connections: number }} IdleJob
 *
 * @typedef {{ messages: number, seconds: number }} LoadResult
 */

/** What is sent: the byte at each place of the stream tells the place. */
const PERIOD = 251;
/** So many connections are made at a time: the queue of those that wait to be accepted is short. */
const AT_ONCE = 50;

/** @type {LoadJob | IdleJob} */
const job = JSON.parse(process.argv[2] ?? "{}");
if (job.kind === "idle") await holdIdle(job);
else console.log(JSON.stringify(await load(job)));
process.exit(0);

/** @param {LoadJob} job @returns {Promise<LoadResult>} */
async function load({ port, connections, size, window, seconds }) {
  const sockets = await connectAll(port, connections);
  const bytes = Uint8Array.from({ length: size * window + PERIOD }, (_, index) => index % PERIOD);
  let isOver = false;
  let messages = 0;
  const begin = performance.now();
  const ends = sockets.map(
    (socket) =>
      new Promise((resolve, reject) => {
        let sent = 0;
        let received = 0;
        const send = (/** @type {number} */ count) => {
          const from = sent % PERIOD;
          sent += count;
          socket.write(bytes.subarray(from, from + count));
        };
        socket.on("data", (chunk) => {
          if (chunk[0] !== received % PERIOD || chunk.at(-1) !== (received + chunk.length - 1) % PERIOD)
            throw new Error("what came back is not what was sent");
          const before = Math.floor(received / size);
          received += chunk.length;
          const whole = Math.floor(received / size) - before;
          messages += whole;
          if (!isOver && whole > 0) send(whole * size);
          else if (received === sent) resolve(undefined);
        });
        socket.on("error", reject);
        socket.on("close", () => reject(new Error("the server has closed a connection")));
        send(size * window);
      }),
  );
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  isOver = true;
  await Promise.all(ends);
  return { messages, seconds: (performance.now() - begin) / 1000 };
}

/** @param {IdleJob} job */
async function holdIdle({ port, connections }) {
  const sockets = await connectAll(port, connections);
  for (const socket of sockets) {
    const answer = new Promise((resolve) => socket.once("data", resolve));
    socket.write("x");
    await answer;
  }
  console.log("{}");
  for await (const _ of process.stdin);
}

/** @param {number} port @param {number} count */
async function connectAll(port, count) {
  /** @type {import("node:net").Socket[]} */
  const sockets = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => connectTo(port));
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

/** @param {number} port @returns {Promise<import("node:net").Socket>} */
function connectTo(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
