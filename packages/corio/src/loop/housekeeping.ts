/**
 * What has to be done between two iterations, whichever scheduler's: the watch over coroutines that nobody awaits. It
 * comes with each iteration that has made one, so it is asked for by a flag, and not like `afterIteration` by a
 * callback in a list.
 */
export interface Housekeeping {
  readonly isDue: boolean;
  run(): void;
}

export let housekeeping: Housekeeping = {
  isDue: false,
  run: () => {
    // Nobody has moved in.
  },
};

export function setHousekeeping(value: Housekeeping): void {
  housekeeping = value;
}
