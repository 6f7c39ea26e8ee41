const nothing: Uint8Array = new Uint8Array(0);

/**
 * What one iteration of the loop has written to a transport, in order, until the host gets it.
 *
 * Pieces that lie side by side in memory become one, without a copy: a program that passes messages on writes parts of
 * what it has read, one after another. Such a run is only counted here, and made when it is over.
 */
export class Unsent {
  /** How many bytes there are. */
  size: number;
  #earlier: Uint8Array[] | null = null;
  /** The first piece of the last run. */
  #first: Uint8Array;
  /** Where the run ends in the memory that it lies in. */
  #end: number;
  /** That memory, as soon as it was asked for: a view is slow to tell, and a short array gets a buffer only then. */
  #memory: ArrayBufferLike | null = null;

  constructor(piece: Uint8Array) {
    this.size = piece.length;
    this.#first = piece;
    this.#end = piece.byteOffset + piece.length;
  }

  /** Neither the first piece nor this one may be empty. */
  add(piece: Uint8Array): void {
    this.size += piece.length;
    if (piece.byteOffset === this.#end && piece.buffer === (this.#memory ??= this.#first.buffer)) {
      this.#end += piece.length;
      return;
    }
    (this.#earlier ??= []).push(this.#lastRun());
    this.#first = piece;
    this.#end = piece.byteOffset + piece.length;
    this.#memory = null;
  }

  /** All of it, as few pieces as there can be without a copy; null when some of it has lost its memory meanwhile. */
  pieces(): readonly Uint8Array[] | null {
    const pieces = this.#earlier === null ? [this.#lastRun()] : [...this.#earlier, this.#lastRun()];
    let size = 0;
    for (const piece of pieces) size += piece.length;
    return size === this.size ? pieces : null;
  }

  #lastRun(): Uint8Array {
    const first = this.#first;
    const length = this.#end - first.byteOffset;
    if (length === first.length) return first;
    const memory = this.#memory ?? first.buffer;
    // It was transferred or made smaller: what is left is too short, as `pieces` will see.
    if (this.#end > memory.byteLength) return nothing;
    return new Uint8Array(memory, first.byteOffset, length);
  }
}
