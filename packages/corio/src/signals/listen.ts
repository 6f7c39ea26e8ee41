/** The process's signals, shared by all who want to know of them. */
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { host } from "#host";
import { RepeatFilter } from "../host/repeat-filter.ts";
import type { SignalName } from "./signal-name.ts";

type Listener = (signal: SignalName) => void;

/** What shells, npm and service managers pass on to a process that got it from them as well. */
const PASSED_ON: ReadonlySet<SignalName> = new Set<SignalName>(["SIGINT", "SIGTERM"]);

/** One listener of the process serves all: Node warns when there are more than ten. */
class SharedListener {
  readonly listeners: Set<Listener> = new Set<Listener>();
  readonly #signal: SignalName;
  readonly #repeats: RepeatFilter | null;

  constructor(signal: SignalName) {
    this.#signal = signal;
    this.#repeats = PASSED_ON.has(signal) ? new RepeatFilter() : null;
    process.on(signal, this.#onSignal);
  }

  stop(): void {
    process.off(this.#signal, this.#onSignal);
  }

  readonly #onSignal = (): void => {
    if (this.#repeats?.isRepeat() === true) return;
    for (const listener of [...this.listeners]) listener(this.#signal);
  };
}

const shared = new Map<SignalName, SharedListener>();

/**
 * Calls `listener` for each `signal`, whose default effect is off from now on. Returns the undo; when nobody listens
 * any more the default effect is back. A SIGINT or SIGTERM that comes again within a tenth of a second is taken for
 * the same one.
 */
export function listenToSignal(signal: SignalName, listener: Listener): () => void {
  const own: Listener = (received) => listener(received);
  let common = shared.get(signal);
  if (common === undefined) {
    common = new SharedListener(signal);
    shared.set(signal, common);
  }
  common.listeners.add(own);
  return () => {
    if (!common.listeners.delete(own) || common.listeners.size > 0) return;
    common.stop();
    shared.delete(signal);
  };
}

let holders = 0;
let holding: NodeJS.Timeout | null = null;

/**
 * Keeps the process from ending for want of work: for a host, listening to a signal is no work. Returns the undo.
 */
export function keepAlive(): () => void {
  holders++;
  holding ??= host.context.neutral.runInAsyncScope(() => setInterval(() => undefined, 2 ** 30), undefined);
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    holders--;
    if (holders > 0 || holding === null) return;
    clearInterval(holding);
    holding = null;
  };
}
