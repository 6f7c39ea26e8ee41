import type { Runnable } from "./runnable.ts";

/** Places in a chunk; one more holds the chunk that follows. */
const CHUNK_LENGTH = 128;

type Chunk = (Runnable | Chunk | undefined)[];

function makeChunk(): Chunk {
  return new Array<undefined>(CHUNK_LENGTH + 1).fill(undefined);
}

/**
 * First in, first out, in constant time: a linked list of arrays. Nothing is copied when it grows, and a million tasks
 * made ready at once give their memory back as they run. One emptied chunk is kept: a queue that neither grows nor
 * shrinks walks through two of them.
 */
export class ReadyQueue {
  #first: Chunk = makeChunk();
  #last: Chunk = this.#first;
  #spare: Chunk | null = null;
  /** Where the first item is, in the first chunk. */
  #head = 0;
  /** Where the next item goes, in the last chunk. */
  #end = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: Runnable): void {
    if (this.#end === CHUNK_LENGTH) this.#append();
    this.#last[this.#end++] = item;
    this.#length++;
  }

  /** Puts `item` in front of all others. */
  unshift(item: Runnable): void {
    if (this.#length === 0) {
      this.push(item);
      return;
    }
    if (this.#head === 0) {
      const chunk = makeChunk();
      chunk[CHUNK_LENGTH] = this.#first;
      this.#first = chunk;
      this.#head = CHUNK_LENGTH;
    }
    this.#first[--this.#head] = item;
    this.#length++;
  }

  shift(): Runnable | undefined {
    const item = this.first();
    if (item === undefined) return undefined;
    this.#first[this.#head++] = undefined;
    // The chunk is the only one. A short queue stays in the same few places.
    if (--this.#length === 0) this.#head = this.#end = 0;
    return item;
  }

  /** What `shift` would take out. */
  first(): Runnable | undefined {
    if (this.#length === 0) return undefined;
    if (this.#head === CHUNK_LENGTH) this.#dropFirst();
    return this.#first[this.#head] as Runnable;
  }

  #append(): void {
    const chunk = this.#spare ?? makeChunk();
    this.#spare = null;
    this.#last[CHUNK_LENGTH] = chunk;
    this.#last = chunk;
    this.#end = 0;
  }

  /** The first chunk has been emptied, but the queue has not. */
  #dropFirst(): void {
    const emptied = this.#first;
    this.#first = emptied[CHUNK_LENGTH] as Chunk;
    this.#head = 0;
    emptied[CHUNK_LENGTH] = undefined;
    this.#spare = emptied;
  }
}
