import { constants } from "node:os";
import process from "node:process";
import { setTimeout } from "node:timers";
import type { SignalName } from "./signal-name.ts";

/** Milliseconds after which a process that its own signal did not end is ended otherwise. */
const PATIENCE = 1000;

/**
 * Ends the process by `signal`, so that its parent sees that as the cause of death. The first process of a container
 * (PID 1) cannot be ended so: the kernel drops the signals that it does not handle. It exits with 128 and the signal's
 * number, as shells report such a death.
 */
export function endBySignal(signal: SignalName): void {
  const status = 128 + constants.signals[signal];
  if (process.pid === 1) process.exit(status);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  setTimeout(() => process.exit(status), PATIENCE);
}
