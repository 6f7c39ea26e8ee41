// Tasks without a library around them: the frames that they need and the objects that they are made of, and nothing that
// makes them good for anything. Nobody can cancel them, await them or ask what they wait for.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { Fifo } from "./fifo.mjs";

const scope = new AsyncResource("bench", { requireManualDestroy: true });
const storage = new AsyncLocalStorage();

/** @param {number} length @param {number} yields */
const bareGenerators = (length, yields) => Array.from({ length }, () => yieldBare(yields));

/** @param {number} yields */
function* yieldBare(yields) {
  for (let i = 0; i < yields; i++) yield;
}

/** @this {Generator<undefined, void>} */
function advance() {
  return this.next().done;
}

/** Generators, each step in an AsyncResource, and nothing else. @param {number} tasks @param {number} yields */
export async function takeTurns(tasks, yields) {
  let ready = bareGenerators(tasks, yields);
  while (ready.length > 0) {
    const left = [];
    for (const generator of ready)
      if (scope.runInAsyncScope(advance, generator) !== true) left.push(generator);
    ready = left;
    await null;
  }
}

/** @type {GeneratorSkeleton | null} */
let current = null;

/** A generator that takes turns, with a flag that would say that it is to be cancelled. */
class GeneratorSkeleton {
  generator;
  mustCancel = false;

  /** @param {Generator<undefined, void>} generator */
  constructor(generator) {
    this.generator = generator;
  }
}

/** A step; false when it was the last. @this {GeneratorSkeleton} */
function step() {
  return !this.mustCancel && this.generator.next().done !== true;
}

/** @param {GeneratorSkeleton} task */
function stepAsCurrent(task) {
  const outer = current;
  current = task;
  const goesOn = scope.runInAsyncScope(step, task);
  current = outer;
  return goesOn;
}

/** The same with a ready queue, the current task and the flag. @param {number} tasks @param {number} yields */
export async function takeTurnsAsTasks(tasks, yields) {
  /** @type {Fifo<GeneratorSkeleton>} */
  const ready = new Fifo();
  for (const generator of bareGenerators(tasks, yields)) ready.push(new GeneratorSkeleton(generator));
  while (ready.size > 0) {
    for (let left = ready.size; left > 0; left--) {
      const task = ready.shift();
      if (task !== undefined && stepAsCurrent(task)) ready.push(task);
    }
    await null;
  }
}

/** As each task of corio has one: code finds its task by it, also after an await of another library's promise. @param {PromiseLike<void>} woken */
async function waitInFrame(woken) {
  storage.enterWith(woken);
  await woken;
}

/** Functions, each in a frame of AsyncLocalStorage, and one timer. @param {number} tasks @param {number} milliseconds */
export async function sleepInFrames(tasks, milliseconds) {
  /** @type {(() => void)[]} */
  const sleepers = [];
  /** @param {() => void} resolve */
  const then = (resolve) => {
    sleepers.push(resolve);
  };
  const woken = /** @type {PromiseLike<void>} */ ({ then });
  setTimeout(() => {
    for (const wake of sleepers) wake();
  }, milliseconds);
  await Promise.all(
    Array.from({ length: tasks }, () => scope.runInAsyncScope(waitInFrame, undefined, woken)),
  );
}

/** The fields that a future has, and a task besides. */
class FutureSkeleton {
  loop = scope;
  state = 0;
  outcome = undefined;
  /** @type {unknown} */
  callbacks = null;
}

class TaskSkeleton extends FutureSkeleton {
  name = 0;
  flags = 0;
  /** @type {unknown} */
  strands = null;
  context = null;
  surroundings = new AsyncResource("bench", { requireManualDestroy: true });
  rare = null;
  next = null;
  previous = null;
  coroutine;

  /** @param {CallSkeleton} coroutine */
  constructor(coroutine) {
    super();
    this.coroutine = coroutine;
  }
}

class CallSkeleton {
  progress = 0;
  callee;
  parameters;

  /** @param {(...parameters: any[]) => Promise<void>} callee @param {readonly unknown[]} parameters */
  constructor(callee, parameters) {
    this.callee = callee;
    this.parameters = parameters;
  }
}

class AwaitSkeleton {
  chain = null;
  task;
  future;
  wake;

  /** @param {TaskSkeleton} task @param {FutureSkeleton | null} future @param {() => void} wake */
  constructor(task, future, wake) {
    this.task = task;
    this.future = future;
    this.wake = wake;
  }
}

/** What is awaited: it becomes a future when that happens. */
class SleepSkeleton {
  #sleepers;

  /** @param {AwaitSkeleton[]} sleepers */
  constructor(sleepers) {
    this.#sleepers = sleepers;
  }

  /** Called by `await`. @param {() => void} resolve */
  then(resolve) {
    const task = /** @type {TaskSkeleton} */ (storage.getStore());
    const future = new FutureSkeleton();
    const wait = new AwaitSkeleton(task, future, resolve);
    future.callbacks = wait;
    task.strands = wait;
    this.#sleepers.push(wait);
  }
}

/** @param {AwaitSkeleton[]} sleepers */
async function sleepOnce(sleepers) {
  await new SleepSkeleton(sleepers);
}

/** @param {TaskSkeleton} task */
function begin(task) {
  storage.enterWith(task);
  const { callee, parameters } = task.coroutine;
  return callee(...parameters);
}

/** Functions that take turns: each await finds its task, takes a place in the queue, and wakes the next one. */
class Turns {
  /** @type {Fifo<AwaitSkeleton>} */
  #ready = new Fifo();
  #toBegin;

  /** @param {number} tasks */
  constructor(tasks) {
    this.#toBegin = tasks;
  }

  /** Called by `await`. @param {() => void} resolve */
  then(resolve) {
    const task = /** @type {TaskSkeleton} */ (storage.getStore());
    const wait = new AwaitSkeleton(task, null, resolve);
    task.strands = wait;
    this.#ready.push(wait);
    // One at a time is on its way, when all have begun.
    if (this.#toBegin === 0 || --this.#toBegin === 0) this.goOn();
  }

  goOn() {
    const next = this.#ready.shift();
    if (next === undefined) return;
    next.task.strands = null;
    next.wake();
  }
}

/** @param {Turns} turns @param {number} yields */
async function yieldToOthers(turns, yields) {
  for (let i = 0; i < yields; i++) await turns;
  turns.goOn();
}

/** Functions in frames of their own, which yield, with the objects of tasks. @param {number} tasks @param {number} yields */
export async function takeTurnsAsFunctions(tasks, yields) {
  const turns = new Turns(tasks);
  const made = Array.from(
    { length: tasks },
    () => new TaskSkeleton(new CallSkeleton(yieldToOthers, [turns, yields])),
  );
  await Promise.all(made.map((task) => scope.runInAsyncScope(begin, undefined, task)));
}

/** The same with the objects of tasks. All sleep as long: one timer does for all, and no heap is needed. @param {number} tasks @param {number} milliseconds */
export async function sleepAsTasks(tasks, milliseconds) {
  /** @type {AwaitSkeleton[]} */
  const sleepers = [];
  const made = Array.from({ length: tasks }, () => new TaskSkeleton(new CallSkeleton(sleepOnce, [sleepers])));
  setTimeout(() => {
    for (const { wake } of sleepers) wake();
  }, milliseconds);
  await Promise.all(made.map((task) => scope.runInAsyncScope(begin, undefined, task)));
}
