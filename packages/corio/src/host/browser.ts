/**
 * The host of browsers and of anything else with the web's timers. There is no AsyncLocalStorage: code belongs to
 * the task whose step is open, and nothing says who awaits a bare foreign promise (see docs/differences.md).
 */
import type { Host, HostContext, Surroundings } from "./host.ts";

const surroundings: Surroundings = {
  get forTask() {
    return surroundings;
  },
  runInAsyncScope: (callback, thisArgument, ...parameters) => callback.apply(thisArgument, parameters),
};

const context: HostContext = {
  remembersTask: false,
  capture: () => surroundings,
  neutral: surroundings,
  enter: () => undefined,
  current: () => undefined,
};

/** A macrotask without the 4 ms that nested `setTimeout(0)` calls are slowed to. */
class MessageTurns {
  readonly #callbacks: (() => void)[] = [];
  readonly #channel: MessageChannel;

  constructor() {
    this.#channel = new MessageChannel();
    this.#channel.port1.onmessage = () => {
      this.#callbacks.shift()?.();
    };
  }

  post(callback: () => void): void {
    this.#callbacks.push(callback);
    this.#channel.port2.postMessage(null);
  }
}

const turns = new MessageTurns();

export const host: Host = {
  name: "browser",
  turn: (callback) => {
    turns.post(callback);
  },
  drained: (callback) => {
    turns.post(callback);
  },
  setTimer: (callback, milliseconds) => {
    const timer = setTimeout(callback, milliseconds);
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
  now: () => performance.now() / 1000,
  debugRequested: (globalThis as { CORIO_DEBUG?: unknown }).CORIO_DEBUG === true,
  warn: (message, code) => {
    console.warn(`${code}: ${message}`);
  },
  printError: (text) => {
    console.error(text);
  },
  inspect: (value) => {
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value !== "object" || value === null) return String(value);
    try {
      return JSON.stringify(value);
    } catch {
      return Object.prototype.toString.call(value);
    }
  },
  onIdle: () => () => undefined,
  onInterrupt: () => null,
  countAbortListeners: () => 0,
  context,
};

/** Browsers' consoles ask no object how it wants to be shown: a bundler drops the calls, and with them the texts. */
export function showAs<Instance>(
  _prototypeOwner: { readonly prototype: Instance },
  _describe: (instance: Instance) => string,
): void {
  // Only the call of an empty function is dropped.
}
