import { action } from "effection";

/** Waits until somebody calls what it leaves in the set; halting takes it out again. @param {Set<() => void>} waiters */
export const waitIn = (waiters) =>
  action((/** @type {() => void} */ resolve) => {
    waiters.add(resolve);
    return () => waiters.delete(resolve);
  });
