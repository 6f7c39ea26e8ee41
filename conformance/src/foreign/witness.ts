/** What the programs call at every turn, and what it makes sure of. */
import { AsyncLocalStorage } from "node:async_hooks";
import * as corio from "corio";
import type { Coroutine, EventLoop, Future, Task, TaskGroup } from "corio";
import { PlatformError } from "./platform.ts";
import type { Platform } from "./platform.ts";

/** Whose code it is: a task, or a callback, which is none. */
export interface Self {
  /** In the order in which they were made; a task waits only for younger ones. */
  readonly age: number;
  /** Null in a callback, and until the task is there. */
  task: Task | null;
  /** What the context variable should be. */
  value: number;
  /** Made while the run ends, which waits for the tasks that it has cancelled, but not for what those leave behind. */
  readonly isLate?: boolean;
  /** A callback of the platform: what it sets is set for everybody who comes from outside. */
  readonly isOutside?: boolean;
}

/** The store of the third party, which is a matter of where the code stands. */
type Store = string | undefined;

export class Boom extends Error {}

export class Witness {
  readonly violations: string[] = [];
  readonly log: string[] = [];
  /** How many times something was looked at. */
  checks = 0;
  readonly variable = new corio.ContextVar<number>("variable", { defaultValue: 0 });
  readonly storage = new AsyncLocalStorage<string>();
  readonly tasks: Record<string, Task> = {};
  readonly main: Self = { age: 0, task: null, value: 0 };
  readonly lock1 = new corio.Lock();
  readonly sem1 = new corio.BoundedSemaphore(2);
  readonly cond1 = new corio.Condition();
  readonly event1 = new corio.Event();
  readonly queue1 = new corio.Queue<number>(2);
  /** The run has ended: nothing of the program may go on. */
  isOver = false;
  readonly #loop: EventLoop;
  readonly #platform: Platform;
  readonly #selves: Self[] = [this.main];
  readonly #futures = new Map<string, Future<number>>();
  readonly #open = new Map<number, string>();
  readonly #holders = new Map<string, number>();
  #opened = 0;

  constructor(loop: EventLoop, platform: Platform) {
    this.#loop = loop;
    this.#platform = platform;
  }

  violate(what: string): void {
    this.violations.push(what);
    this.log.push(`VIOLATION ${what}`);
  }

  // ── Where the code is ─────────────────────────────────────────────────────────────────────────────────────────

  /** A coroutine begins. */
  enter(self: Self, store: Store, name: string): void {
    if (self.task === null) {
      self.task = corio.currentTask();
      if (self.task === null) this.violate(`${name} runs outside of any task`);
      if (this.#selves.some((other) => other !== self && other.task === self.task))
        this.violate(`${name} begins in the task of something else`);
    }
    if (self === this.main && self.task !== null) this.tasks["main"] = self.task;
    this.at(self, store, name);
  }

  /** Between any two awaits. */
  at(self: Self, store: Store, label: number | string): void {
    this.checks++;
    const who = self.task?.getName() ?? "a callback";
    const where = `at ${String(label)} in ${who}`;
    this.log.push(`${String(this.#loop.time())} ${who} ${String(label)}`);
    if (this.isOver && self.isLate === true) return;
    if (this.isOver) this.violate(`code goes on after the run, ${where}`);
    const current = corio.currentTask();
    if (current !== self.task) this.violate(`currentTask() is ${current?.getName() ?? "null"} ${where}`);
    const value = this.variable.get();
    if (value !== self.value)
      this.violate(`the context variable is ${String(value)}, not ${String(self.value)}, ${where}`);
    const actual = this.storage.getStore();
    if (actual !== store)
      this.violate(`the third party's store is ${String(actual)}, not ${String(store)}, ${where}`);
    if (self.task?.done() === true) this.violate(`the task is done ${where}`);
  }

  /** In every `catch`. */
  caught(self: Self, store: Store, error: unknown, label: number): void {
    this.at(self, store, label);
    if (this.isOver && self.isLate === true) return;
    this.expect(error, `caught at ${String(label)}`);
  }

  /** Only what programs throw, and what corio throws at them. */
  expect(error: unknown, where: string): void {
    if (error instanceof Boom || error instanceof PlatformError) return;
    if (error instanceof corio.CancelledError || error instanceof corio.TimeoutError) return;
    if (error instanceof AggregateError) for (const each of error.errors) this.expect(each, where);
    else this.violate(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}, ${where}`);
  }

  set(self: Self, value: number): void {
    if (self.isOutside === true) return;
    this.variable.set(value);
    self.value = value;
  }

  // ── What must have an end ─────────────────────────────────────────────────────────────────────────────────────

  /** A block whose `finally` has to run, once. */
  open(self: Self, label: number): number {
    this.#open.set(++this.#opened, `${String(label)} in ${self.task?.getName() ?? "a callback"}`);
    return this.#opened;
  }

  close(opened: number): void {
    if (!this.#open.delete(opened)) this.violate("a finally block runs for the second time");
  }

  /** Work that `until(function)` waits for to its end, also when it is cancelled. */
  work(label: number): Work {
    return new Work(this, label);
  }

  hold(name: "lock1" | "sem1" | "cond1"): void {
    const holders = (this.#holders.get(name) ?? 0) + 1;
    this.#holders.set(name, holders);
    if (holders > (name === "sem1" ? 2 : 1)) this.violate(`${String(holders)} tasks hold ${name}`);
  }

  letGo(name: string): void {
    this.#holders.set(name, (this.#holders.get(name) ?? 0) - 1);
  }

  // ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** For a coroutine that is to have a task of its own, made here and now. */
  fresh(self: Self): Self {
    const isLate = this.main.task?.done() === true;
    const made = { age: this.#selves.length, task: null, value: self.value, isLate };
    this.#selves.push(made);
    return made;
  }

  spawn(slot: string, self: Self, make: (made: Self) => Task | null): void {
    if (this.main.task?.done() === true) return;
    const made = this.fresh(self);
    const task = make(made);
    if (task === null) return;
    if (made.task !== null && made.task !== task) this.violate("an eager task began as another one");
    made.task = task;
    this.tasks[slot] = task;
  }

  /** A group that is about to end takes no more. */
  spawnIn(group: TaskGroup, slot: string, self: Self, make: (made: Self) => Coroutine): void {
    this.spawn(slot, self, (made) => {
      const body = make(made);
      try {
        return group.createTask(body);
      } catch (error) {
        if (error instanceof corio.RuntimeError) return null;
        throw error;
      }
    });
  }

  waitable(slot: string, self: Self): boolean {
    if (!(slot in this.tasks)) return false;
    return this.#selves.some((other) => other.task === this.tasks[slot] && other.age > self.age);
  }

  cancel(slot: string): void {
    this.tasks[slot]?.cancel(slot);
  }

  future(name: string): Future<number> {
    let future = this.#futures.get(name);
    if (future?.done() !== false) this.#futures.set(name, (future = this.#loop.createFuture<number>()));
    return future;
  }

  settle(name: string, how: "result" | "exception" | "cancel"): void {
    const future = this.#futures.get(name);
    if (future?.done() !== false) return;
    if (how === "result") future.setResult(1);
    else if (how === "exception") future.setException(new Boom("future"));
    else future.cancel();
  }

  put(): void {
    if (!this.queue1.full()) this.queue1.putNowait(1);
  }

  async *numbers(self: Self, store: Store, count: number, label: number): AsyncGenerator<number> {
    const opened = this.open(self, label);
    try {
      for (let number = 0; number < count; number++) {
        await (number % 2 === 0 ? corio.sleep(0.5) : corio.until(this.#platform.after(1)));
        this.at(self, store, label);
        yield number;
      }
    } finally {
      this.close(opened);
      await corio.sleep(0);
    }
  }

  // ── Callbacks ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** A callback of the loop or of the platform. */
  callback(
    how: "soon" | "later" | "platform" | "done",
    slot: string,
    self: Self,
    store: Store,
    delay: number,
    body: (self: Self, store: Store) => void,
  ): void {
    const isOutside = how === "platform";
    const here: Self = { age: Infinity, task: null, value: isOutside ? 0 : self.value, isOutside };
    const seen = isOutside ? undefined : store;
    const call = (): void => {
      // The platform does not know that the run is over.
      if (isOutside && this.#loop.isClosed()) return;
      this.at(here, seen, `callback ${how}`);
      body(here, seen);
    };
    if (isOutside) this.#platform.call(delay, call);
    else if (how === "soon") this.#loop.callSoon(call);
    else if (how === "later") this.#loop.callLater(delay, call);
    else this.tasks[slot]?.addDoneCallback(call);
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────

  verdict(): void {
    // What such a task was at is left as it was.
    if (this.#selves.some(({ task, isLate }) => isLate === true && task?.done() === false)) return;
    for (const label of this.#open.values()) this.violate(`a finally block never ran: ${label}`);
    for (const { task } of this.#selves) {
      if (task === null) continue;
      if (!task.done()) this.violate(`${task.getName()} has not ended`);
      else if (!task.cancelled()) this.expect(task.exception() ?? new Boom(), `thrown by ${task.getName()}`);
    }
    const held = [this.lock1.locked() && "lock1", this.cond1.locked() && "cond1"];
    if (this.sem1.statistics().value !== 2) held.push("sem1");
    for (const name of held) if (name !== false) this.violate(`${name} is still held`);
    const waiting = {
      lock1: this.lock1.statistics().tasksWaiting,
      sem1: this.sem1.statistics().tasksWaiting,
      cond1: this.cond1.statistics().tasksWaiting + this.cond1.statistics().tasksWaitingForLock,
      event1: this.event1.statistics().tasksWaiting,
      queue1: this.queue1.statistics().gettersWaiting + this.queue1.statistics().puttersWaiting,
    };
    for (const [name, count] of Object.entries(waiting))
      if (count > 0) this.violate(`${String(count)} still wait for ${name}`);
    if (this.variable.get() !== 0) this.violate("a context variable has leaked out of the run");
    if (this.storage.getStore() !== undefined)
      this.violate("a third party's store has leaked out of the run");
  }
}

class Work {
  readonly #witness: Witness;
  readonly #label: number;
  #isUnderWay = false;

  constructor(witness: Witness, label: number) {
    this.#witness = witness;
    this.#label = label;
  }

  begin<T>(promise: Promise<T>): Promise<T> {
    this.#isUnderWay = true;
    const end = (): void => {
      this.#isUnderWay = false;
    };
    promise.then(end, end);
    return promise;
  }

  /** Whoever waited goes on. */
  check(): void {
    if (this.#isUnderWay)
      this.#witness.violate(`until(function) ended before its work, at ${String(this.#label)}`);
  }
}
