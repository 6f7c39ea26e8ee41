// corio, with plain async functions.
import * as corio from "corio";
import { ThreadExecutor, workerModule } from "corio/threads";

const { coroutine, createTask, gather, run, sleep } = corio;

/** @typedef {import("../workloads.mjs").Parameters} Parameters */

/** @param {number} length @param {(index: number) => corio.Coroutine<unknown>} call */
const startTasks = (length, call) => Array.from({ length }, (_, index) => createTask(call(index)));

const trivial = coroutine(async () => {
  // Nothing to do: the task is what is measured.
});

const spawnAndJoin = coroutine(async (/** @type {Parameters} */ { tasks }) => {
  await gather(startTasks(tasks, trivial));
});

const yieldAgain = coroutine(async (/** @type {number} */ yields) => {
  for (let i = 0; i < yields; i++) await sleep(0);
});

const yieldInTasks = coroutine(async (/** @type {Parameters} */ { tasks, yields }) => {
  await gather(startTasks(tasks, () => yieldAgain(yields)));
});

const produce = coroutine(async (/** @type {corio.Queue<number>} */ queue, /** @type {number} */ items) => {
  for (let item = 0; item < items; item++) await queue.put(item);
  queue.shutdown();
});

const passThroughQueue = coroutine(async (/** @type {Parameters} */ { capacity, items }) => {
  /** @type {corio.Queue<number>} */
  const queue = new corio.Queue(capacity);
  const producer = createTask(produce(queue, items));
  for (let i = 0; i < items; i++) await queue.get();
  await producer;
});

const iterateQueue = coroutine(async (/** @type {Parameters} */ { capacity, items }) => {
  /** @type {corio.Queue<number>} */
  const queue = new corio.Queue(capacity);
  const producer = createTask(produce(queue, items));
  let received = 0;
  for await (const _item of queue) received++;
  await producer;
  if (received !== items) throw new Error(`received ${received} of ${items} items`);
});

const acquireAgain = coroutine(
  async (/** @type {corio.Semaphore} */ semaphore, /** @type {number} */ acquisitions) => {
    for (let i = 0; i < acquisitions; i++) {
      await semaphore.acquire();
      try {
        await sleep(0);
      } finally {
        semaphore.release();
      }
    }
  },
);

const shareSemaphore = coroutine(async (/** @type {Parameters} */ { permits, tasks, acquisitions }) => {
  const semaphore = new corio.Semaphore(permits);
  await gather(startTasks(tasks, () => acquireAgain(semaphore, acquisitions)));
});

const sleepFor = coroutine(async (/** @type {number} */ milliseconds) => {
  await sleep(milliseconds / 1000);
});

/** @param {number} milliseconds */
const onlySleep = (milliseconds) => sleep(milliseconds / 1000);

/** @param {(milliseconds: number) => corio.Coroutine<void>} call */
const sleepStaggered = (call) =>
  coroutine(async (/** @type {Parameters} */ { tasks, longest }) => {
    await gather(startTasks(tasks, (index) => call(index % (longest + 1))));
  });

const sleepTogether = coroutine(async (/** @type {Parameters} */ { tasks, milliseconds }) => {
  await gather(startTasks(tasks, () => sleepFor(milliseconds)));
});

const HOUR = 3_600_000;

/** @param {(milliseconds: number) => corio.Coroutine<void>} call */
const cancelSleepers = (call) =>
  coroutine(async (/** @type {Parameters} */ { tasks }) => {
    const sleepers = startTasks(tasks, () => call(HOUR));
    await sleep(0);
    for (const sleeper of sleepers) sleeper.cancel();
    await gather(sleepers, { returnExceptions: true });
  });

/** An ordinary helper: it belongs to the task that calls it. @param {number} depth @returns {Promise<void>} */
async function descend(depth) {
  if (depth > 1) await descend(depth - 1);
}

const callHelpers = coroutine(async (/** @type {Parameters} */ { depth, calls }) => {
  for (let i = 0; i < calls; i++) await descend(depth);
});

/** @type {(depth: number) => corio.Coroutine<void>} */
const descendAsCoroutine = coroutine(async (/** @type {number} */ depth) => {
  if (depth > 1) await descendAsCoroutine(depth - 1);
});

const callCoroutines = coroutine(async (/** @type {Parameters} */ { depth, calls }) => {
  for (let i = 0; i < calls; i++) await descendAsCoroutine(depth);
});

/** @param {number} depth @param {number} yields */
async function yieldAtDepth(depth, yields) {
  if (depth > 1) await yieldAtDepth(depth - 1, yields);
  else for (let i = 0; i < yields; i++) await sleep(0);
}

const resumeAtDepth = coroutine(async (/** @type {Parameters} */ { depth, yields }) => {
  await yieldAtDepth(depth, yields);
});

const parkOnFuture = coroutine(async () => {
  await new corio.Future();
});

/** @param {() => corio.Coroutine<unknown>} call */
const parkTasks = (call) =>
  coroutine(async (/** @type {Parameters} */ { tasks }, /** @type {() => void} */ parked) => {
    for (let i = 0; i < tasks; i++) void createTask(call());
    // The tasks begin in one iteration and are parked in the next.
    await sleep(0);
    await sleep(0);
    parked();
  });

const sleepDense = coroutine(async (/** @type {Parameters} */ { tasks }) => {
  await gather(startTasks(tasks, (index) => sleepFor(1 + Math.floor(index / 1000))));
});

const acquireOnce = coroutine(async (/** @type {corio.Lock} */ lock) => {
  await lock.acquire();
});

/** The seconds that the cancelling took, without the setting up. */
const cancelInTheMiddle = coroutine(async (/** @type {Parameters} */ { waiters, cancelled }) => {
  const lock = new corio.Lock();
  await lock.acquire();
  const tasks = startTasks(waiters, () => acquireOnce(lock));
  await sleep(0);
  const middle = Math.floor((waiters - cancelled) / 2);
  const begin = performance.now();
  for (const task of tasks.slice(middle, middle + cancelled)) {
    task.cancel();
    await gather([task], { returnExceptions: true });
  }
  return (performance.now() - begin) / 1000;
});

const threadFunctions =
  /** @type {import("corio/threads").WorkerModule<typeof import("./thread-function.mjs")>} */ (
    workerModule(new URL("thread-function.mjs", import.meta.url))
  );
/** Started by the warm-up. @type {Map<number, ThreadExecutor>} */
const executors = new Map();

const callInThreads = coroutine(async (/** @type {Parameters} */ { threads, atOnce, calls }) => {
  const executor = executors.get(threads) ?? new ThreadExecutor({ maxWorkers: threads });
  executors.set(threads, executor);
  for (let done = 0; done < calls; done += atOnce) {
    if (atOnce === 1) await executor.submit(threadFunctions.next, done);
    else await gather(Array.from({ length: atOnce }, (_, i) => executor.submit(threadFunctions.next, i)));
  }
});

/** @type {import("../child.mjs").PeerModule} */
export const workloads = {
  a: (parameters) => run(spawnAndJoin(parameters)),
  b: (parameters) => run(yieldInTasks(parameters)),
  c1: (parameters) => run(passThroughQueue(parameters)),
  c1i: (parameters) => run(iterateQueue(parameters)),
  c100: (parameters) => run(passThroughQueue(parameters)),
  c100i: (parameters) => run(iterateQueue(parameters)),
  d: (parameters) => run(shareSemaphore(parameters)),
  e: (parameters) => run(sleepStaggered(sleepFor)(parameters)),
  eo: (parameters) => run(sleepStaggered(onlySleep)(parameters)),
  f: (parameters) => run(cancelSleepers(sleepFor)(parameters)),
  fo: (parameters) => run(cancelSleepers(onlySleep)(parameters)),
  g: (parameters) => run(callHelpers(parameters)),
  gc: (parameters) => run(callCoroutines(parameters)),
  s: (parameters) => run(sleepTogether(parameters)),
  h1: (parameters, parked) => run(parkTasks(() => sleepFor(HOUR))(parameters, parked)),
  ho: (parameters, parked) => run(parkTasks(() => onlySleep(HOUR))(parameters, parked)),
  h2: (parameters, parked) => run(parkTasks(parkOnFuture)(parameters, parked)),
  t1: (parameters) => run(callInThreads(parameters)),
  t100: (parameters) => run(callInThreads(parameters)),
  resume: (parameters) => run(resumeAtDepth(parameters)),
  "scale-spawn": (parameters) => run(spawnAndJoin(parameters)),
  "scale-timers": (parameters) => run(sleepDense(parameters)),
  "scale-cancel": (parameters) => run(cancelInTheMiddle(parameters)),
};
