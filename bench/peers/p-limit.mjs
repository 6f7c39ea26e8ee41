// p-limit bounds how many functions run at once; other workloads are not its business.
import pLimit from "p-limit";

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
    const limit = pLimit(100);
    await Promise.all(Array.from({ length: tasks }, () => limit(trivial)));
  },
  d: async ({ permits, tasks, acquisitions }) => {
    const limit = pLimit(permits);
    const acquireAgain = async () => {
      for (let i = 0; i < acquisitions; i++) await limit(yieldOnce);
    };
    await Promise.all(Array.from({ length: tasks }, acquireAgain));
  },
};
