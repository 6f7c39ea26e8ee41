/**
 * What has to be done between two iterations, whichever scheduler's: the watch over coroutines that nobody awaits. It
 * comes with each iteration that has made one, so it is asked for by how many there are to look at, and not like
 * `afterIteration` by a callback in a list. The number is read at the end of each step, where a call to find it out (a
 * getter is one) would take a tenth of a yield.
 */
export const housekeeping: { dueCount: number; run: () => void } = {
  dueCount: 0,
  run: () => {
    // Nobody has moved in.
  },
};
