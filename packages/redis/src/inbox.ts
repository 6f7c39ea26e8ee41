import { Event, timeout, TimeoutError } from "corio";
import type { Duration } from "corio";

/** What has arrived, and nobody has taken yet. */
export class Inbox<T> {
  readonly #limit: number;
  #items: T[] = [];
  #taken = 0;
  #lost = 0;
  readonly #news: Event = new Event();

  constructor(limit: number) {
    this.#limit = limit;
  }

  put(item: T): void {
    // The newest are kept out: what is given up lies after what the loop sees next, as a gap should.
    if (this.#items.length - this.#taken >= this.#limit || this.#lost > 0) this.#lost++;
    else this.#items.push(item);
    this.#news.set();
  }

  /** Ends a wait although nothing has arrived. */
  wakeUp(): void {
    this.#news.set();
  }

  take(): T | undefined {
    if (this.#taken === this.#items.length) {
      this.#news.clear();
      return undefined;
    }
    const item = this.#items[this.#taken++];
    // Not one by one, which would move the others each time.
    if (this.#taken === this.#items.length) {
      this.#items = [];
      this.#taken = 0;
    }
    return item;
  }

  /** How many were lost since the last time, for want of space. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Whether there is news within that time. */
  async wait(limit: Duration): Promise<boolean> {
    try {
      await timeout(limit, () => this.#news.wait());
      return true;
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      return false;
    }
  }
}
