const nothing: Uint8Array = new Uint8Array(0);

/**
 * Bytes that come in at the one end and are taken out at the other.
 *
 * The first of them lie in one piece, from `#start` to `#end` of the store; what came later waits in `#pieces` until
 * it is needed: a separator is looked for in one piece, whatever the pieces were that the bytes came in. A piece that
 * arrives while the buffer is empty becomes the store as it is: with a fast reader nothing is ever copied. Whoever
 * appended it must not write to it any more. Otherwise pieces are copied into a store that grows by doubling.
 *
 * What has been taken out may still lie in the store, and is never written over: there is no moving to the front.
 */
export class ByteBuffer {
  #store: Uint8Array = nothing;
  #start = 0;
  #end = 0;
  #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    if (this.#length === 0) {
      this.#store = piece;
      this.#start = 0;
      this.#end = piece.length;
    } else this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** Takes `count` bytes out, or as many as there are. */
  take(count: number): Uint8Array {
    const size = Math.min(count, this.#length);
    if (size === this.#length && this.#pieces.length > 0) return this.#takeAll();
    const end = this.#start + size;
    if (end > this.#end) {
      this.#gather();
      return this.take(size);
    }
    // A small part of a big store must not keep all of it in memory.
    const taken =
      size * 2 > this.#store.length
        ? this.#store.subarray(this.#start, end)
        : this.#store.slice(this.#start, end);
    this.skip(size);
    return taken;
  }

  #takeAll(): Uint8Array {
    const all = new Uint8Array(this.#length);
    all.set(this.#store.subarray(this.#start, this.#end));
    let at = this.#end - this.#start;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.clear();
    return all;
  }

  /** Throws `count` bytes away, or as many as there are. */
  skip(count: number): void {
    if (count >= this.#length) {
      this.clear();
      return;
    }
    if (count >= this.#end - this.#start) this.#gather();
    this.#start += count;
    this.#length -= count;
  }

  clear(): void {
    this.#store = nothing;
    this.#start = 0;
    this.#end = 0;
    this.#pieces = [];
    this.#length = 0;
  }

  /** Where `pattern` begins for the first time, not before `from`; -1 when it is not there. */
  indexOf(pattern: Uint8Array, from: number): number {
    const bytes = this.#contents();
    const first = pattern[0] as number;
    const last = bytes.length - pattern.length;
    for (let at = bytes.indexOf(first, from); at !== -1 && at <= last; at = bytes.indexOf(first, at + 1)) {
      if (isAt(bytes, pattern, at)) return at;
    }
    return -1;
  }

  /** Whether `pattern` is there, beginning at `index`. */
  hasAt(pattern: Uint8Array, index: number): boolean {
    return isAt(this.#contents(), pattern, index);
  }

  #contents(): Uint8Array {
    this.#gather();
    return this.#store.subarray(this.#start, this.#end);
  }

  /** Puts the pieces into the store. */
  #gather(): void {
    if (this.#pieces.length === 0) return;
    const first = this.#end - this.#start;
    // A piece that became the store has no room behind it: the store is our own whenever this copies into it.
    if (this.#start + this.#length > this.#store.length) {
      const store = new Uint8Array(Math.max(this.#length, 2 * this.#store.length));
      store.set(this.#store.subarray(this.#start, this.#end));
      this.#store = store;
      this.#start = 0;
      this.#end = first;
    }
    for (const piece of this.#pieces) {
      this.#store.set(piece, this.#end);
      this.#end += piece.length;
    }
    this.#pieces = [];
  }
}

function isAt(bytes: Uint8Array, pattern: Uint8Array, index: number): boolean {
  for (let offset = 0; offset < pattern.length; offset++) {
    if (bytes[index + offset] !== pattern[offset]) return false;
  }
  return true;
}
