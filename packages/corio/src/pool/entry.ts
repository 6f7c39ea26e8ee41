/** A resource that a pool has made, with what the pool knows about it. Times are seconds of the pool's clock. */
export class Entry<R> {
  readonly resource: R;
  readonly madeAt: number;
  idleSince: number;
  /** The pool was closed by force and has destroyed it under its holder. */
  isRevoked = false;

  constructor(resource: R, now: number) {
    this.resource = resource;
    this.madeAt = now;
    this.idleSince = now;
  }
}
