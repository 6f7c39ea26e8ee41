/** A resource that a pool has made, with what the pool knows about it. Times are seconds of the pool's clock. */
export class Entry<R> {
  readonly resource: R;
  readonly madeAt: number;
  idleSince: number;
  /** The pool was closed by force and has destroyed it under its holder. */
  isRevoked = false;
  /** The program could not say whether it is broken or clean. */
  isDoubtful = false;

  constructor(resource: R, now: number) {
    this.resource = resource;
    this.madeAt = now;
    this.idleSince = now;
  }
}
