/** The host of Node, Bun and Deno: all three have `setImmediate`, `process.nextTick` and AsyncLocalStorage. */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { inspect } from "node:util";
import type { Host, HostContext, HostTimer, Surroundings } from "./host.ts";
import { RepeatFilter } from "./repeat-filter.ts";

const taskStorage = new AsyncLocalStorage<object>();

/** The loop looks after its resources itself; without this the host would track each one's collection. */
const resourceOptions = { requireManualDestroy: true };

class Capture extends AsyncResource implements Surroundings {
  /** What the host keeps there. */
  readonly [key: symbol]: unknown;

  forTask: Surroundings = this;

  constructor() {
    super("corio", resourceOptions);
  }
}

/**
 * Nothing was written to `taskStorage` in these: a frame that was written to, if only to take the value back, would be
 * copied, entry by entry, into every frame that is made in it.
 */
const neutral = new Capture();

/** Where this Node keeps an AsyncResource's frame: the values of every AsyncLocalStorage, as one object. */
const frameKey = neutral.runInAsyncScope(() => taskStorage.run({}, findFrameKey), undefined);

function findFrameKey(): symbol | undefined {
  const resource = new Capture();
  const key = Object.getOwnPropertySymbols(resource).find(
    ({ description }) => description === "context_frame",
  );
  // Node 22 has the key, but puts nothing there.
  return key === undefined || resource[key] === undefined ? undefined : key;
}

let lastCapture = new Capture();

/**
 * Tasks made one after another are made in the same frame, and can share one capture of it: that is less memory for
 * each. Where frames cannot be compared, each gets its own.
 */
function capture(): Surroundings {
  const made = new Capture();
  if (frameKey === undefined) return made;
  const frame = made[frameKey];
  if (frame !== lastCapture[frameKey]) {
    lastCapture = made;
    // Entering a task copies the frame, which is most of what spawning one costs: needless for what holds a task only.
    if (neutral[frameKey] === undefined && holdsTaskOnly(frame)) made.forTask = neutral;
  }
  return lastCapture;
}

/** A frame has a Map's methods, but is no instance of Map: Node keeps its own classes out of reach of a changed prototype. */
function holdsTaskOnly(frame: unknown): boolean {
  const { size, has } = (frame ?? {}) as Partial<Map<unknown, unknown>>;
  return size === 1 && has?.call(frame, taskStorage) === true;
}

const context: HostContext = {
  remembersTask: true,
  capture,
  neutral,
  enter: (task) => {
    taskStorage.enterWith(task);
  },
  current: () => taskStorage.getStore(),
};

class NodeTimer implements HostTimer {
  readonly #timeout: NodeJS.Timeout;

  constructor(callback: () => void, milliseconds: number, keepAlive: boolean) {
    this.#timeout = setTimeout(callback, milliseconds);
    if (!keepAlive) this.#timeout.unref();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

function hostName(): Host["name"] {
  if (process.versions["bun"] !== undefined) return "bun";
  if (process.versions["deno"] !== undefined) return "deno";
  return "node";
}

/** The runs that want to know of Ctrl-C; they share one listener. */
const interrupts = new Set<() => void>();

const repeats = new RepeatFilter();

function onInterrupt(): void {
  if (repeats.isRepeat()) return;
  for (const callback of [...interrupts]) callback();
}

export const host: Host = {
  name: hostName(),
  turn: (callback) => {
    context.neutral.runInAsyncScope(setImmediate, undefined, callback);
  },
  drained: (callback) => {
    process.nextTick(callback);
  },
  setTimer: (callback, milliseconds, keepAlive) =>
    context.neutral.runInAsyncScope(() => new NodeTimer(callback, milliseconds, keepAlive), undefined),
  now: () => performance.now() / 1000,
  debugRequested: /^(1|true|yes|on)$/i.test(process.env["CORIO_DEBUG"] ?? ""),
  warn: (message, code) => {
    process.emitWarning(message, { type: "RuntimeWarning", code });
  },
  printError: (text) => {
    console.error(text);
  },
  inspect: (value) => inspect(value),
  onIdle: (callback) => {
    process.on("beforeExit", callback);
    return () => {
      process.off("beforeExit", callback);
    };
  },
  onInterrupt: (callback) => {
    if (interrupts.size === 0) {
      // A program with a handler of its own wants to decide for itself.
      if (process.listenerCount("SIGINT") > 0) return null;
      process.on("SIGINT", onInterrupt);
    }
    interrupts.add(callback);
    return () => {
      interrupts.delete(callback);
      if (interrupts.size === 0) process.off("SIGINT", onInterrupt);
    };
  },
  countAbortListeners: (signal) => getEventListeners(signal, "abort").length,
  context,
};

/** Makes consoles show the instances of a class as `describe` says. */
export function showAs<Instance>(
  prototypeOwner: { readonly prototype: Instance },
  describe: (instance: Instance) => string,
): void {
  Object.defineProperty(prototypeOwner.prototype, inspect.custom, {
    value(this: Instance) {
      return describe(this);
    },
    configurable: true,
  });
}
