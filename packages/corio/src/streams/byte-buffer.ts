import { concatenate } from "../library/bytes.ts";

const nothing: Uint8Array = new Uint8Array(0);
/** Of every buffer that has one piece at most. */
const none: Uint8Array[] = [];

/** Pieces are put together as long as they do not become longer than this. */
const SHORT = 4096;
/** What is at least one part in so many of a piece is given out as it lies there. */
const PARTS = 64;

/**
 * Bytes that come in at the one end and are taken out at the other.
 *
 * They stay in the pieces that they came in, and what is taken out is a view of its piece: where frames are cut out of
 * large pieces, nothing is copied but the frames that lie in two of them. Whoever appended a piece must not write to it
 * any more. Two things are copied: a small part of a large piece, which would keep all of that in memory, and pieces
 * that are short, so that neither a peer that sends its bytes one by one nor who looks for a separator in them meets
 * thousands.
 *
 * The first piece has a field of its own: mostly it is the only one, and an array that is emptied and filled again
 * would be allocated each time.
 */
export class ByteBuffer {
  #first: Uint8Array = nothing;
  /** Its memory, as soon as a part of it was asked for: a view is slow to tell. */
  #memory: ArrayBufferLike | null = null;
  /** Where the first piece begins: what comes before has been taken out. */
  #start = 0;
  #others: Uint8Array[] = none;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    if (this.#length === 0) this.#setFirst(piece);
    else if (this.#others.length === 0) {
      if (this.#length + piece.length > SHORT) this.#others = [piece];
      else {
        this.#setFirst(concatenate([this.#first.subarray(this.#start), piece], this.#length + piece.length));
        this.#start = 0;
      }
    } else {
      const last = this.#others.length - 1;
      const before = this.#others[last] as Uint8Array;
      const size = before.length + piece.length;
      if (size > SHORT) this.#others.push(piece);
      else this.#others[last] = concatenate([before, piece], size);
    }
    this.#length += piece.length;
  }

  /** Takes `count` bytes out, or as many as there are. */
  take(count: number): Uint8Array {
    const first = this.#first;
    const start = this.#start;
    const end = start + Math.min(count, this.#length);
    if (end > first.length) return this.#takeFromSeveral(end - start);
    const taken = this.#partOfFirst(start, end);
    this.skip(end - start);
    return taken;
  }

  #partOfFirst(start: number, end: number): Uint8Array {
    const first = this.#first;
    const length = end - start;
    if (length === first.length) return first;
    if (length * PARTS < first.length) return first.slice(start, end);
    // `subarray` takes half as long again.
    return new Uint8Array((this.#memory ??= first.buffer), first.byteOffset + start, length);
  }

  #setFirst(piece: Uint8Array): void {
    this.#first = piece;
    this.#memory = null;
  }

  #takeFromSeveral(count: number): Uint8Array {
    const parts = [this.#first.subarray(this.#start)];
    let size = this.#first.length - this.#start;
    for (const piece of this.#others) {
      const part = size + piece.length > count ? piece.subarray(0, count - size) : piece;
      parts.push(part);
      size += part.length;
      if (size === count) break;
    }
    const taken = concatenate(parts, count);
    this.skip(count);
    return taken;
  }

  /** Throws `count` bytes away, or as many as there are. */
  skip(count: number): void {
    if (count >= this.#length) {
      this.clear();
      return;
    }
    this.#length -= count;
    this.#start += count;
    while (this.#start >= this.#first.length) {
      this.#start -= this.#first.length;
      this.#setFirst(this.#others.shift() as Uint8Array);
    }
  }

  clear(): void {
    this.#setFirst(nothing);
    this.#start = 0;
    this.#others = none;
    this.#length = 0;
  }

  /** Where `pattern` begins for the first time, not before `from`; -1 when it is not there. */
  indexOf(pattern: Uint8Array, from: number): number {
    const byte = pattern[0] as number;
    const last = this.#length - pattern.length;
    let piece = this.#first;
    // Where the piece begins, counted from the beginning of the buffer.
    let offset = -this.#start;
    for (let next = 0; ; next++) {
      let at = piece.indexOf(byte, Math.max(from - offset, 0));
      for (; at !== -1 && offset + at <= last; at = piece.indexOf(byte, at + 1)) {
        if (this.#isAt(pattern, piece, at, next)) return offset + at;
      }
      offset += piece.length;
      if (next === this.#others.length || offset > last) return -1;
      piece = this.#others[next] as Uint8Array;
    }
  }

  /** Whether `pattern` is there, beginning at `index`. */
  hasAt(pattern: Uint8Array, index: number): boolean {
    if (index + pattern.length > this.#length) return false;
    let piece = this.#first;
    let at = this.#start + index;
    let next = 0;
    for (; at >= piece.length; piece = this.#others[next++] as Uint8Array) at -= piece.length;
    return this.#isAt(pattern, piece, at, next);
  }

  /** Whether `pattern` begins at a place of a piece that `#others[next]` follows; there are enough bytes. */
  #isAt(pattern: Uint8Array, firstPiece: Uint8Array, firstAt: number, firstNext: number): boolean {
    let piece = firstPiece;
    let at = firstAt;
    let next = firstNext;
    for (const byte of pattern) {
      for (; at >= piece.length; piece = this.#others[next++] as Uint8Array) at -= piece.length;
      if (piece[at++] !== byte) return false;
    }
    return true;
  }
}
