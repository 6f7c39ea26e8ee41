/** A shell and npm may each pass the same Ctrl-C on; nobody presses it twice in a tenth of a second. */
const SAME_SIGNAL_MILLISECONDS = 100;

/** Tells a signal that was passed on twice from one that was sent twice. */
export class RepeatFilter {
  #last = -Infinity;

  /** True when what has come now is the same as what came just before. */
  isRepeat(): boolean {
    const now = performance.now();
    const isRepeat = now - this.#last < SAME_SIGNAL_MILLISECONDS;
    this.#last = now;
    return isRepeat;
  }
}
