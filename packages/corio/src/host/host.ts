/**
 * What corio needs from the program that hosts it: turns of its event loop, timers, a way to see that the
 * microtask queue is empty, and (where it exists) AsyncLocalStorage. One implementation for Node, Bun and Deno
 * (`node.ts`), one for browsers (`browser.ts`); the package's `imports` choose between them.
 */
export interface Host {
  readonly name: "node" | "bun" | "deno" | "browser";

  /** Runs `callback` in a later turn of the host's loop, so that pending I/O callbacks come first. */
  readonly turn: (callback: () => void) => void;

  /**
   * Runs `callback` when the microtask queue has become empty. Must be called from a microtask. On Node, Bun and
   * Deno nothing else runs in between; in browsers other events may.
   */
  readonly drained: (callback: () => void) => void;

  /** Runs `callback` after `milliseconds` (at most 2^31 - 1); `keepAlive: false` lets the process end before. */
  setTimer(callback: () => void, milliseconds: number, keepAlive: boolean): HostTimer;

  /** A monotonic clock, in seconds. */
  now(): number;

  /** True when the user asked for debug mode from outside the program (`CORIO_DEBUG=1`). */
  readonly debugRequested: boolean;

  /** Shows a warning to the developer, as the host shows its own. */
  warn(message: string, code: string): void;

  /** Shows an error report to the developer. */
  readonly printError: (text: string) => void;

  /** How the host shows any value to a developer: `util.inspect`, or the closest thing. */
  inspect(value: unknown): string;

  /** Calls `callback` whenever the host has nothing left to do and would end the program. Returns the undo. */
  onIdle(callback: () => void): () => void;

  /**
   * Calls `callback` when the user presses Ctrl-C, unless the program handles that itself: then returns null.
   * Returns the undo otherwise.
   */
  onInterrupt(callback: () => void): (() => void) | null;

  /** How many listeners a signal has, as far as the host can tell. */
  countAbortListeners(signal: AbortSignal): number;

  readonly context: HostContext;
}

export interface HostTimer {
  cancel(): void;
}

/** The surroundings a piece of code was created in: every AsyncLocalStorage's value. */
export interface Surroundings {
  /** The same surroundings for code that enters a task of its own, which may be without the one remembered here. */
  readonly forTask: Surroundings;

  runInAsyncScope<This, Arguments extends unknown[], Result>(
    callback: (this: This, ...parameters: Arguments) => Result,
    thisArgument: This,
    ...parameters: Arguments
  ): Result;
}

export interface HostContext {
  /**
   * True where the host itself remembers which task a piece of code belongs to, across every await
   * (AsyncLocalStorage). Elsewhere the owner of the open step is all that is known.
   */
  readonly remembersTask: boolean;

  /** The surroundings of the running code. */
  capture(): Surroundings;

  /** Surroundings in which no task and no AsyncLocalStorage is set: for the loop's own timers and turns. */
  readonly neutral: Surroundings;

  /** Makes `task` the remembered one from here on; call it inside surroundings' `forTask`. */
  enter(task: object): void;

  /** The remembered task, undefined when there is none. */
  current(): object | undefined;
}
