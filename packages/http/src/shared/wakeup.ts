import { Future } from "corio";

/** Lets one task wait for a callback of the host: `wake` ends the wait that is under way, and the next, if there is none. */
export class Wakeup {
  #future: Future<void> | null = null;
  #isDue = false;

  /** Cancel safety: a wake-up that comes with the cancel is not lost. */
  async wait(): Promise<void> {
    if (!this.#isDue) {
      const future = new Future<void>();
      this.#future = future;
      try {
        await future;
      } finally {
        this.#future = null;
      }
    }
    this.#isDue = false;
  }

  wake = (): void => {
    this.#isDue = true;
    if (this.#future?.done() === false) this.#future.setResult(undefined);
  };
}
