// corio, with generator coroutines.
import * as corio from "corio";

const { coroutine, createTask, gather, run, sleep } = corio;

/** @typedef {import("../workloads.mjs").Parameters} Parameters */

/** @param {number} length @param {(index: number) => corio.Coroutine<unknown>} call */
const startTasks = (length, call) => Array.from({ length }, (_, index) => createTask(call(index)));

const trivial = coroutine(function* () {
  // Nothing to do: the task is what is measured.
});

const spawnAndJoin = coroutine(function* (/** @type {Parameters} */ { tasks }) {
  yield* gather(startTasks(tasks, trivial));
});

const yieldAgain = coroutine(function* (/** @type {number} */ yields) {
  for (let i = 0; i < yields; i++) yield* sleep(0);
});

const yieldInTasks = coroutine(function* (/** @type {Parameters} */ { tasks, yields }) {
  yield* gather(startTasks(tasks, () => yieldAgain(yields)));
});

const produce = coroutine(function* (/** @type {corio.Queue<number>} */ queue, /** @type {number} */ items) {
  for (let item = 0; item < items; item++) yield* queue.put(item);
});

const passThroughQueue = coroutine(function* (/** @type {Parameters} */ { capacity, items }) {
  /** @type {corio.Queue<number>} */
  const queue = new corio.Queue(capacity);
  const producer = createTask(produce(queue, items));
  for (let i = 0; i < items; i++) yield* queue.get();
  yield* producer;
});

const acquireAgain = coroutine(
  function* (/** @type {corio.Semaphore} */ semaphore, /** @type {number} */ acquisitions) {
    for (let i = 0; i < acquisitions; i++) {
      yield* semaphore.acquire();
      try {
        yield* sleep(0);
      } finally {
        semaphore.release();
      }
    }
  },
);

const shareSemaphore = coroutine(function* (/** @type {Parameters} */ { permits, tasks, acquisitions }) {
  const semaphore = new corio.Semaphore(permits);
  yield* gather(startTasks(tasks, () => acquireAgain(semaphore, acquisitions)));
});

const sleepFor = coroutine(function* (/** @type {number} */ milliseconds) {
  yield* sleep(milliseconds / 1000);
});

const sleepStaggered = coroutine(function* (/** @type {Parameters} */ { tasks, longest }) {
  yield* gather(startTasks(tasks, (index) => sleepFor(index % (longest + 1))));
});

const sleepTogether = coroutine(function* (/** @type {Parameters} */ { tasks, milliseconds }) {
  yield* gather(startTasks(tasks, () => sleepFor(milliseconds)));
});

const HOUR = 3_600_000;

const cancelSleepers = coroutine(function* (/** @type {Parameters} */ { tasks }) {
  const sleepers = startTasks(tasks, () => sleepFor(HOUR));
  yield* sleep(0);
  for (const sleeper of sleepers) sleeper.cancel();
  yield* gather(sleepers, { returnExceptions: true });
});

/** @type {(depth: number) => corio.Coroutine<void>} */
const descend = coroutine(function* (/** @type {number} */ depth) {
  if (depth > 1) yield* descend(depth - 1);
});

const callCoroutines = coroutine(function* (/** @type {Parameters} */ { depth, calls }) {
  for (let i = 0; i < calls; i++) yield* descend(depth);
});

/** An ordinary helper: calling it costs less, resuming through it costs each level. @param {number} depth @returns {Generator<any, void>} */
function* descendAsHelper(depth) {
  if (depth > 1) yield* descendAsHelper(depth - 1);
}

const callHelpers = coroutine(function* (/** @type {Parameters} */ { depth, calls }) {
  for (let i = 0; i < calls; i++) yield* descendAsHelper(depth);
});

/** @type {(depth: number, yields: number) => corio.Coroutine<void>} */
const yieldAtDepth = coroutine(function* (/** @type {number} */ depth, /** @type {number} */ yields) {
  if (depth > 1) yield* yieldAtDepth(depth - 1, yields);
  else for (let i = 0; i < yields; i++) yield* sleep(0);
});

const parkOnFuture = coroutine(function* () {
  yield* new corio.Future();
});

/** @param {() => corio.Coroutine<unknown>} call */
const parkTasks = (call) =>
  coroutine(function* (/** @type {Parameters} */ { tasks }, /** @type {() => void} */ parked) {
    for (let i = 0; i < tasks; i++) void createTask(call());
    // The tasks begin in one iteration and are parked in the next.
    yield* sleep(0);
    yield* sleep(0);
    parked();
  });

const sleepDense = coroutine(function* (/** @type {Parameters} */ { tasks }) {
  yield* gather(startTasks(tasks, (index) => sleepFor(1 + Math.floor(index / 1000))));
});

const acquireOnce = coroutine(function* (/** @type {corio.Lock} */ lock) {
  yield* lock.acquire();
});

/** The seconds that the cancelling took, without the setting up. */
const cancelInTheMiddle = coroutine(function* (/** @type {Parameters} */ { waiters, cancelled }) {
  const lock = new corio.Lock();
  yield* lock.acquire();
  const tasks = startTasks(waiters, () => acquireOnce(lock));
  yield* sleep(0);
  const middle = Math.floor((waiters - cancelled) / 2);
  const begin = performance.now();
  for (const task of tasks.slice(middle, middle + cancelled)) {
    task.cancel();
    yield* gather([task], { returnExceptions: true });
  }
  return (performance.now() - begin) / 1000;
});

/** @type {import("../child.mjs").PeerModule} */
export const workloads = {
  a: (parameters) => run(spawnAndJoin(parameters)),
  b: (parameters) => run(yieldInTasks(parameters)),
  c1: (parameters) => run(passThroughQueue(parameters)),
  c100: (parameters) => run(passThroughQueue(parameters)),
  d: (parameters) => run(shareSemaphore(parameters)),
  e: (parameters) => run(sleepStaggered(parameters)),
  f: (parameters) => run(cancelSleepers(parameters)),
  g: (parameters) => run(callCoroutines(parameters)),
  gh: (parameters) => run(callHelpers(parameters)),
  s: (parameters) => run(sleepTogether(parameters)),
  h1: (parameters, parked) => run(parkTasks(() => sleepFor(HOUR))(parameters, parked)),
  h2: (parameters, parked) => run(parkTasks(parkOnFuture)(parameters, parked)),
  resume: ({ depth, yields }) => run(yieldAtDepth(depth, yields)),
  "scale-spawn": (parameters) => run(spawnAndJoin(parameters)),
  "scale-timers": (parameters) => run(sleepDense(parameters)),
  "scale-cancel": (parameters) => run(cancelInTheMiddle(parameters)),
};
