// Effect 4: fibers, and Effect.gen where others have an async function (`eo`, `fo` and `ho` have none). A fiber that is
// nothing but one Effect.sync forks and joins at about twice the rate that `a` shows.
import { Deferred, Effect, Fiber, Queue, Semaphore } from "effect";

/** @typedef {import("../workloads.mjs").Parameters} Parameters */

/** @param {number} length @param {(index: number) => any} call */
const forkAll = (length, call) =>
  Effect.gen(function* () {
    const fibers = [];
    for (let index = 0; index < length; index++) fibers.push(yield* Effect.forkChild(call(index)));
    return fibers;
  });

/** @param {number} length @param {(index: number) => any} call */
const forkAndJoin = (length, call) =>
  Effect.gen(function* () {
    const fibers = yield* forkAll(length, call);
    yield* Fiber.joinAll(fibers);
  });

const trivial = Effect.gen(function* () {
  // Nothing to do: the fiber is what is measured.
});

/** @param {number} yields */
const yieldAgain = (yields) =>
  Effect.gen(function* () {
    for (let i = 0; i < yields; i++) yield* Effect.yieldNow;
  });

/** @param {Parameters} parameters */
const passThroughQueue = ({ capacity, items }) =>
  Effect.gen(function* () {
    const queue = yield* Queue.bounded(capacity);
    const producer = yield* Effect.forkChild(
      Effect.gen(function* () {
        for (let item = 0; item < items; item++) yield* Queue.offer(queue, item);
      }),
    );
    for (let i = 0; i < items; i++) yield* Queue.take(queue);
    yield* Fiber.join(producer);
  });

/** @param {Parameters} parameters */
const shareSemaphore = ({ permits, tasks, acquisitions }) =>
  Effect.gen(function* () {
    const semaphore = yield* Semaphore.make(permits);
    const yieldInside = semaphore.withPermits(1)(Effect.yieldNow);
    yield* forkAndJoin(tasks, () =>
      Effect.gen(function* () {
        for (let i = 0; i < acquisitions; i++) yield* yieldInside;
      }),
    );
  });

/** @param {number} milliseconds */
const sleepFor = (milliseconds) =>
  Effect.gen(function* () {
    yield* Effect.sleep(milliseconds);
  });

/** @param {(milliseconds: number) => any} call @returns {(parameters: Parameters) => any} */
const sleepStaggered =
  (call) =>
  ({ tasks, longest }) =>
    forkAndJoin(tasks, (index) => call(index % (longest + 1)));

const HOUR = 3_600_000;

/** @param {(milliseconds: number) => any} call @returns {(parameters: Parameters) => any} */
const cancelSleepers =
  (call) =>
  ({ tasks }) =>
    Effect.gen(function* () {
      const fibers = yield* forkAll(tasks, () => call(HOUR));
      yield* Effect.yieldNow;
      yield* Fiber.interruptAll(fibers);
    });

/** @param {number} depth @returns {any} */
const descend = (depth) =>
  Effect.gen(function* () {
    if (depth > 1) yield* descend(depth - 1);
  });

/** @param {Parameters} parameters */
const callNested = ({ depth, calls }) =>
  Effect.gen(function* () {
    for (let i = 0; i < calls; i++) yield* descend(depth);
  });

/** @param {number} depth @param {number} yields @returns {any} */
const yieldAtDepth = (depth, yields) =>
  depth > 1
    ? Effect.gen(function* () {
        yield* yieldAtDepth(depth - 1, yields);
      })
    : yieldAgain(yields);

const parkOnDeferred = Effect.gen(function* () {
  yield* Deferred.await(yield* Deferred.make());
});

/** @param {any} effect @returns {(parameters: Parameters, parked: () => void) => any} */
const parkFibers =
  (effect) =>
  ({ tasks }, parked) =>
    Effect.gen(function* () {
      for (let i = 0; i < tasks; i++) yield* Effect.forkChild(effect);
      yield* Effect.yieldNow;
      yield* Effect.yieldNow;
      parked();
    });

/** @type {Record<string, (parameters: Parameters, parked: () => void) => any>} */
const programs = {
  a: ({ tasks }) => forkAndJoin(tasks, () => trivial),
  b: ({ tasks, yields }) => forkAndJoin(tasks, () => yieldAgain(yields)),
  c1: passThroughQueue,
  c100: passThroughQueue,
  d: shareSemaphore,
  e: sleepStaggered(sleepFor),
  eo: sleepStaggered(Effect.sleep),
  f: cancelSleepers(sleepFor),
  fo: cancelSleepers(Effect.sleep),
  g: callNested,
  h1: parkFibers(sleepFor(HOUR)),
  ho: parkFibers(Effect.sleep(HOUR)),
  h2: parkFibers(parkOnDeferred),
  resume: ({ depth, yields }) => yieldAtDepth(depth, yields),
};

/** @type {import("../child.mjs").PeerModule} */
export const workloads = Object.fromEntries(
  Object.entries(programs).map(([id, program]) => [
    id,
    (/** @type {Parameters} */ parameters, /** @type {() => void} */ parked) =>
      Effect.runPromise(program(parameters, parked)),
  ]),
);
