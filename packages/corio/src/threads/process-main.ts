/** Where a worker process begins. */
import process from "node:process";
import { deserialize, serialize } from "node:v8";
import type { ToWorker } from "./protocol.ts";
import { serve } from "./serve.ts";

const receive = serve({
  post: (message) => {
    process.send?.(serialize(message));
  },
  cancelledId: null,
  takeAnswers: null,
  end: () => process.exit(0),
});

process.on("message", (message: Uint8Array) => {
  receive(deserialize(message) as ToWorker);
});
// The program that it works for is gone.
process.on("disconnect", () => process.exit(0));
// Ctrl-C goes to all processes of a terminal; the program decides what becomes of its workers.
process.on("SIGINT", () => undefined);
