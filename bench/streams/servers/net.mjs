// node net.mjs echo|frames|drained [corked]: an echo server on plain node:net.
import { createServer } from "node:net";
import process from "node:process";
import { FRAME, report } from "./report.mjs";

const [mode, corked] = process.argv.slice(2);
const serve = mode === "echo" ? serveChunks : serveFrames;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  serve(socket);
});
server.listen(0, "127.0.0.1", 1000, () => {
  const address = server.address();
  if (address !== null && typeof address === "object") report(address.port);
});

/** @param {import("node:net").Socket} socket */
function serveChunks(socket) {
  socket.on("data", (chunk) => socket.write(chunk));
}

/** @param {import("node:net").Socket} socket */
function serveFrames(socket) {
  let rest = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (corked !== undefined) socket.cork();
    let at = 0;
    for (; at + FRAME <= bytes.length; at += FRAME) socket.write(bytes.subarray(at, at + FRAME));
    if (corked !== undefined) socket.uncork();
    rest = bytes.subarray(at);
  });
}
