/**
 * Signals of the operating system, and servers that end in order. For Node, Bun and Deno.
 *
 * @module corio/signals
 */

export { addSignalHandler, removeSignalHandler } from "./signals/signal-handlers.ts";
export { signals } from "./signals/signal-stream.ts";
export type { SignalName } from "./signals/signal-name.ts";
export { runServer } from "./signals/run-server.ts";
export type { ServerOptions } from "./signals/run-server.ts";
export { onShutdown, shutdownRequested } from "./signals/shutdown.ts";
export type { ShutdownCallback } from "./signals/shutdown.ts";
