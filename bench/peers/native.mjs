// Promises and timers, without a library. Native async functions run at once until their first await: `a` spawns
// nothing. The yields of `b`, `d` and `resume` never go back to the event loop; those of `bi` do.
//
// `bf`, `bg`, `bt`, `cl`, `sf` and `st` are no programs that people write: they are what is left when everything of corio
// is left out but what a goal cannot be had without.
import { setTimeout as cancellableSleep } from "node:timers/promises";
import { LazyQueue } from "./hand-written/lazy-queue.mjs";
import { PromiseQueue } from "./hand-written/promise-queue.mjs";
import { PromiseSemaphore } from "./hand-written/promise-semaphore.mjs";
import {
  sleepAsTasks,
  sleepInFrames,
  takeTurns,
  takeTurnsAsFunctions,
  takeTurnsAsTasks,
} from "./hand-written/skeletons.mjs";

/** @typedef {import("../workloads.mjs").Parameters} Parameters */

/** @param {number} length @param {(index: number) => Promise<unknown>} call */
const startAll = (length, call) => Promise.all(Array.from({ length }, (_, index) => call(index)));

/** What people write; it cannot be cancelled. @param {number} milliseconds */
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const trivial = async () => {
  // Nothing to do.
};

/** @param {number} yields */
async function yieldAgain(yields) {
  for (let i = 0; i < yields; i++) await null;
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** @param {number} yields */
async function yieldTurns(yields) {
  for (let i = 0; i < yields; i++) await nextTurn();
}

/** @param {PromiseQueue<number> | LazyQueue<number>} queue @param {number} items */
async function passThrough(queue, items) {
  const produce = async () => {
    for (let item = 0; item < items; item++) await queue.put(item);
  };
  const producer = produce();
  for (let i = 0; i < items; i++) await queue.get();
  await producer;
}

/** @param {Parameters} parameters */
const passThroughQueue = ({ capacity, items }) => passThrough(new PromiseQueue(capacity), items);

/** @param {PromiseSemaphore} semaphore @param {number} acquisitions */
async function acquireAgain(semaphore, acquisitions) {
  for (let i = 0; i < acquisitions; i++) {
    await semaphore.acquire();
    try {
      await null;
    } finally {
      semaphore.release();
    }
  }
}

/** @param {Parameters} parameters */
async function shareSemaphore({ permits, tasks, acquisitions }) {
  const semaphore = new PromiseSemaphore(permits);
  await startAll(tasks, () => acquireAgain(semaphore, acquisitions));
}

/** @param {number} milliseconds */
async function sleepFor(milliseconds) {
  await sleep(milliseconds);
}

const HOUR = 3_600_000;

/** One controller each: one signal for n sleepers costs O(n²). @param {Parameters} parameters */
async function cancelSleepers({ tasks }) {
  const controllers = Array.from({ length: tasks }, () => new AbortController());
  const sleepers = controllers.map(async ({ signal }) => {
    await cancellableSleep(HOUR, undefined, { signal });
  });
  for (const controller of controllers) controller.abort();
  await Promise.allSettled(sleepers);
}

/** @param {number} depth @returns {Promise<void>} */
async function descend(depth) {
  if (depth > 1) await descend(depth - 1);
}

/** @param {Parameters} parameters */
async function callNested({ depth, calls }) {
  for (let i = 0; i < calls; i++) await descend(depth);
}

/** @param {number} depth @param {number} yields */
async function yieldAtDepth(depth, yields) {
  if (depth > 1) await yieldAtDepth(depth - 1, yields);
  else await yieldAgain(yields);
}

/** What nobody refers to would be collected. @type {(() => void)[]} */
const futures = [];

async function parkOnPromise() {
  await new Promise((resolve) => {
    futures.push(() => resolve(undefined));
  });
}

/** @param {() => Promise<void>} call @returns {(parameters: Parameters, parked: () => void) => void} */
const parkTasks =
  (call) =>
  ({ tasks }, parked) => {
    for (let i = 0; i < tasks; i++) void call();
    parked();
  };

/** @type {import("../child.mjs").PeerModule} */
export const workloads = {
  a: ({ tasks }) => startAll(tasks, trivial),
  b: ({ tasks, yields }) => startAll(tasks, () => yieldAgain(yields)),
  bi: ({ tasks, yields }) => startAll(tasks, () => yieldTurns(yields)),
  bg: ({ tasks, yields }) => takeTurns(tasks, yields),
  bf: ({ tasks, yields }) => takeTurnsAsFunctions(tasks, yields),
  bt: ({ tasks, yields }) => takeTurnsAsTasks(tasks, yields),
  c1: passThroughQueue,
  c100: passThroughQueue,
  cl: ({ capacity, items }) => passThrough(new LazyQueue(capacity), items),
  d: shareSemaphore,
  e: ({ tasks, longest }) => startAll(tasks, (index) => sleepFor(index % (longest + 1))),
  f: cancelSleepers,
  g: callNested,
  s: ({ tasks, milliseconds }) => startAll(tasks, () => sleepFor(milliseconds)),
  sf: ({ tasks, milliseconds }) => sleepInFrames(tasks, milliseconds),
  st: ({ tasks, milliseconds }) => sleepAsTasks(tasks, milliseconds),
  h1: parkTasks(() => sleepFor(HOUR)),
  h2: parkTasks(parkOnPromise),
  "scale-spawn": ({ tasks }) => startAll(tasks, trivial),
  "scale-timers": ({ tasks }) => startAll(tasks, (index) => sleepFor(1 + Math.floor(index / 1000))),
  resume: ({ depth, yields }) => yieldAtDepth(depth, yields),
};
