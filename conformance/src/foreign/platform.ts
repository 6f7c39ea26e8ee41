/**
 * The platform that the programs mix with corio: promises, timers, callbacks, thenables, signals. Except for what real
 * timers and `setImmediate` do, it is the same in every run: things happen at numbered ticks, in the order in which
 * they were asked for, each with an empty stack and outside of any task.
 */
import type { Clock } from "corio";

/** What the platform's promises are rejected with. */
export class PlatformError extends Error {}

interface Deferred {
  readonly promise: Promise<string>;
  readonly resolve: (value: string) => void;
}

/** How work that was aborted ends. */
export type AbortedEnd = "rejects" | "resolves" | "fails";

export class Platform {
  readonly #due = new Map<number, (() => void)[]>();
  readonly #deferred = new Map<string, Deferred>();
  readonly #controllers = new Map<string, AbortController>();
  #tick = 0;
  /** How many things have been asked for that have not happened. */
  pending = 0;
  /** How many of them wait for the host, which takes real time. */
  #real = 0;

  /** One tick: what is due happens. */
  tick(): void {
    const due = this.#due.get(++this.#tick) ?? [];
    this.#due.delete(this.#tick);
    for (const happen of due) {
      this.pending--;
      happen();
    }
  }

  /** Calls back after so many ticks. */
  call(ticks: number, happen: () => void): void {
    const when = this.#tick + Math.max(1, ticks);
    const due = this.#due.get(when);
    this.pending++;
    if (due === undefined) this.#due.set(when, [happen]);
    else due.push(happen);
  }

  after(ticks: number): Promise<number> {
    return new Promise((resolve) => {
      this.call(ticks, () => {
        resolve(ticks);
      });
    });
  }

  fail(ticks: number): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.call(ticks, () => {
        reject(new PlatformError("failed"));
      });
    });
  }

  /** So many promises, one after the other. */
  async chain(length: number): Promise<number> {
    for (let step = 0; step < length; step++) await Promise.resolve();
    return length;
  }

  immediate(): Promise<void> {
    return this.#ofHost((happen) => setImmediate(happen));
  }

  /** A timer of the host itself. */
  timer(milliseconds: number): Promise<void> {
    return this.#ofHost((happen) => setTimeout(happen, milliseconds));
  }

  get waitsForHost(): boolean {
    return this.#real > 0;
  }

  #ofHost(ask: (happen: () => void) => unknown): Promise<void> {
    this.pending++;
    this.#real++;
    return new Promise((resolve) => {
      ask(() => {
        this.pending--;
        this.#real--;
        resolve();
      });
    });
  }

  /** Something of somebody's that is no promise, but can be awaited. */
  thenable(ticks: number): PromiseLike<number> {
    const promise = this.after(ticks);
    return { then: (onFulfilled, onRejected) => promise.then(onFulfilled, onRejected) };
  }

  /** A promise that another task or a callback settles; the platform does, if nobody has after a while. */
  deferred(name: string): Promise<string> {
    let deferred = this.#deferred.get(name);
    if (deferred === undefined) {
      let resolve: (value: string) => void = () => undefined;
      const promise = new Promise<string>((settle) => (resolve = settle));
      deferred = { promise, resolve };
      this.#deferred.set(name, deferred);
      this.call(12, () => {
        this.resolve(name);
      });
    }
    return deferred.promise;
  }

  resolve(name: string): void {
    this.#deferred.get(name)?.resolve(name);
    this.#deferred.delete(name);
  }

  /** Work that listens to a signal. */
  abortable(signal: AbortSignal, ticks: number, end: AbortedEnd, ticksToEnd: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve("finished");
      };
      const endAborted = (): void => {
        if (end === "resolves") resolve("finished all the same");
        else reject(end === "fails" ? new PlatformError("failed to stop") : (signal.reason as Error));
      };
      const onAbort = (): void => {
        if (ticksToEnd === 0) endAborted();
        else this.call(ticksToEnd, endAborted);
      };
      if (signal.aborted) onAbort();
      else {
        signal.addEventListener("abort", onAbort, { once: true });
        this.call(ticks, finish);
      }
    });
  }

  signal(name: string): AbortSignal {
    return this.#controller(name).signal;
  }

  abort(name: string): void {
    this.#controller(name).abort();
    this.#controllers.delete(name);
  }

  #controller(name: string): AbortController {
    let controller = this.#controllers.get(name);
    if (controller === undefined) this.#controllers.set(name, (controller = new AbortController()));
    return controller;
  }

  /** An asynchronous iterable that knows nothing of corio. */
  async *items(count: number, ticks: number): AsyncGenerator<number> {
    for (let item = 0; item < count; item++) {
      await this.after(ticks);
      yield item;
    }
  }
}

/** How a program's time passes. */
export type ClockKind =
  /** By steps, together with the platform's ticks: timers and the platform race. */
  | "steps"
  /** As with a `VirtualClock`: to the next timer when nothing is ready, but not while something is outside. */
  | "jumps";

export class ProgramClock implements Clock {
  /** It never gives up waiting: real seconds, far more than a program has. */
  readonly foreignGrace: number = 3600;
  kind: ClockKind;
  wake?: () => void;
  #now = 0;

  constructor(kind: ClockKind) {
    this.kind = kind;
  }

  time(): number {
    return this.#now;
  }

  step(seconds: number): void {
    if (this.kind === "jumps") return;
    this.#now += seconds;
    this.wake?.();
  }

  jump(deadline: number): boolean {
    if (this.kind === "jumps") this.#now = Math.max(this.#now, deadline);
    return this.kind === "jumps";
  }
}
