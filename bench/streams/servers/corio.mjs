// node corio.mjs echo|frames|drained: an echo server on corio/streams, as its users write one.
import process from "node:process";
import { run } from "corio";
import { IncompleteReadError, startServer } from "corio/streams";
import { FRAME, report } from "./report.mjs";

/**
 * @typedef {import("corio/streams").StreamReader} StreamReader
 * @typedef {import("corio/streams").StreamWriter} StreamWriter
 */

const mode = process.argv[2];
const serve = mode === "echo" ? serveChunks : serveFrames;

await run(async () => {
  const server = await startServer(serve, "127.0.0.1", 0, { backlog: 1000 });
  report(server.port);
  await server.serveForever();
});

/** @param {StreamReader} reader @param {StreamWriter} writer */
async function serveChunks(reader, writer) {
  for (;;) {
    const chunk = await reader.read(65_536);
    if (chunk.length === 0) break;
    writer.write(chunk);
    await writer.drain();
  }
  writer.close();
}

/** @param {StreamReader} reader @param {StreamWriter} writer */
async function serveFrames(reader, writer) {
  try {
    for (;;) {
      writer.write(await reader.readexactly(FRAME));
      if (mode === "drained") await writer.drain();
    }
  } catch (error) {
    if (!(error instanceof IncompleteReadError)) throw error;
    writer.close();
  }
}
