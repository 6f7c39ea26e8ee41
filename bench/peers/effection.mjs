// Effection 4. It ships no bounded queue, no semaphore and no yield: these are hand-written.
import { run, sleep, spawn, suspend, until } from "effection";
import { EffectionQueue } from "./hand-written/effection-queue.mjs";
import { EffectionSemaphore } from "./hand-written/effection-semaphore.mjs";

/** @typedef {import("../workloads.mjs").Parameters} Parameters */

/** Of what lets others run the cheapest, cheaper than an `action()` on a microtask or on `setImmediate`. */
const yieldNow = () => until(Promise.resolve());

/** @param {number} length @param {(index: number) => () => any} body */
function* spawnAll(length, body) {
  const tasks = [];
  for (let index = 0; index < length; index++) tasks.push(yield* spawn(body(index)));
  return tasks;
}

/** @param {number} length @param {(index: number) => () => any} body */
function* spawnAndJoin(length, body) {
  for (const task of yield* spawnAll(length, body)) yield* task;
}

function* trivial() {
  // Nothing to do: the task is what is measured.
}

/** @param {number} yields */
function* yieldAgain(yields) {
  for (let i = 0; i < yields; i++) yield* yieldNow();
}

/** @param {Parameters} parameters */
function* passThroughQueue({ capacity, items }) {
  const queue = new EffectionQueue(capacity);
  const producer = yield* spawn(function* () {
    for (let item = 0; item < items; item++) yield* queue.put(item);
  });
  for (let i = 0; i < items; i++) yield* queue.get();
  yield* producer;
}

/** @param {Parameters} parameters */
function* shareSemaphore({ permits, tasks, acquisitions }) {
  const semaphore = new EffectionSemaphore(permits);
  yield* spawnAndJoin(
    tasks,
    () =>
      function* () {
        for (let i = 0; i < acquisitions; i++) {
          yield* semaphore.acquire();
          try {
            yield* yieldNow();
          } finally {
            semaphore.release();
          }
        }
      },
  );
}

/** @param {number} milliseconds @returns {any} */
function* sleepFor(milliseconds) {
  yield* sleep(milliseconds);
}

/** @param {(milliseconds: number) => any} call @returns {(parameters: Parameters) => any} */
const sleepStaggered =
  (call) =>
  ({ tasks, longest }) =>
    spawnAndJoin(tasks, (index) => () => call(index % (longest + 1)));

const HOUR = 3_600_000;

/** @param {(milliseconds: number) => any} call @returns {(parameters: Parameters) => any} */
const cancelSleepers = (call) =>
  function* ({ tasks }) {
    const sleepers = yield* spawnAll(tasks, () => () => call(HOUR));
    yield* yieldNow();
    for (const sleeper of sleepers) yield* sleeper.halt();
  };

/** @param {number} depth @returns {any} */
function* descend(depth) {
  if (depth > 1) yield* descend(depth - 1);
}

/** @param {Parameters} parameters */
function* callNested({ depth, calls }) {
  for (let i = 0; i < calls; i++) yield* descend(depth);
}

/** @param {number} depth @param {number} yields @returns {any} */
function* yieldAtDepth(depth, yields) {
  if (depth > 1) yield* yieldAtDepth(depth - 1, yields);
  else yield* yieldAgain(yields);
}

/** @param {() => any} body @returns {(parameters: Parameters, parked: () => void) => any} */
const parkTasks = (body) =>
  function* ({ tasks }, parked) {
    for (let i = 0; i < tasks; i++) yield* spawn(body);
    yield* yieldNow();
    parked();
  };

/** @type {Record<string, (parameters: Parameters, parked: () => void) => any>} */
const operations = {
  a: ({ tasks }) => spawnAndJoin(tasks, () => trivial),
  b: ({ tasks, yields }) => spawnAndJoin(tasks, () => () => yieldAgain(yields)),
  c1: passThroughQueue,
  c100: passThroughQueue,
  d: shareSemaphore,
  e: sleepStaggered(sleepFor),
  eo: sleepStaggered(sleep),
  f: cancelSleepers(sleepFor),
  fo: cancelSleepers(sleep),
  g: callNested,
  h1: parkTasks(() => sleepFor(HOUR)),
  ho: parkTasks(() => sleep(HOUR)),
  h2: parkTasks(suspend),
  resume: ({ depth, yields }) => yieldAtDepth(depth, yields),
};

/** @type {import("../child.mjs").PeerModule} */
export const workloads = Object.fromEntries(
  Object.entries(operations).map(([id, operation]) => [
    id,
    (/** @type {Parameters} */ parameters, /** @type {() => void} */ parked) =>
      run(() => operation(parameters, parked)),
  ]),
);
