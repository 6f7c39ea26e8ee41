/**
 * First in, first out, at a constant cost: `Array.shift` moves what is left.
 *
 * @template T
 */
export class Fifo {
  /** @type {T[]} */
  #entries = [];
  #head = 0;

  get size() {
    return this.#entries.length - this.#head;
  }

  /** @param {T} entry */
  push(entry) {
    this.#entries.push(entry);
  }

  /** @returns {T | undefined} */
  shift() {
    if (this.size === 0) return undefined;
    const entry = this.#entries[this.#head++];
    if (this.#head > 1024 && this.#head > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    } else if (this.size === 0) {
      this.#entries.length = 0;
      this.#head = 0;
    }
    return entry;
  }
}
