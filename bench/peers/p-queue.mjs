// p-queue bounds how many functions run at once; other workloads are not its business.
import PQueue from "p-queue";

const trivial = async () => {
  // Nothing to do: the scheduling is what is measured.
};

/** As the native promises of `d` do: a microtask, never back to the event loop. */
const yieldOnce = async () => {
  await null;
};

/** @type {import("../child.mjs").PeerModule} */
export const workloads = {
  a: async ({ tasks }) => {
    const queue = new PQueue({ concurrency: 100 });
    await Promise.all(Array.from({ length: tasks }, () => queue.add(trivial)));
  },
  d: async ({ permits, tasks, acquisitions }) => {
    const queue = new PQueue({ concurrency: permits });
    const acquireAgain = async () => {
      for (let i = 0; i < acquisitions; i++) await queue.add(yieldOnce);
    };
    await Promise.all(Array.from({ length: tasks }, acquireAgain));
  },
};
