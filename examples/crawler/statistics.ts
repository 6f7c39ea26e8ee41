// What a crawl counts while it is under way.

export class Statistics {
  pagesFound = 0;
  pagesFetched = 0;
  bytes = 0;
  requests = 0;
  mostRequestsAtOnce = 0;
  /** What the requests, and the waits between attempts, take one after another. */
  secondsApart = 0;
  /** Pages, by the reason why they could not be had. */
  readonly failedPages: Map<string, number> = new Map<string, number>();
  /** Attempts, by the reason why they gave no page; a page has several. */
  readonly failedAttempts: Map<string, number> = new Map<string, number>();
  /** Pages that needed more than one attempt, whatever came of it. */
  retriedPages = 0;
  /** Pages that were fetched at a later attempt than the first. */
  recoveredPages = 0;
  #requestsUnderWay = 0;

  get pagesFailed(): number {
    return total(this.failedPages);
  }

  get pagesDone(): number {
    return this.pagesFetched + this.pagesFailed;
  }

  get attemptsFailed(): number {
    return total(this.failedAttempts);
  }

  pageFetched(attempt: number, bytes: number): void {
    this.pagesFetched++;
    if (attempt > 1) this.recoveredPages++;
    this.bytes += bytes;
  }

  pageFailed(reason: string): void {
    increment(this.failedPages, reason);
  }

  requestStarted(): void {
    this.requests++;
    this.#requestsUnderWay++;
    this.mostRequestsAtOnce = Math.max(this.mostRequestsAtOnce, this.#requestsUnderWay);
  }

  requestEnded(seconds: number): void {
    this.#requestsUnderWay--;
    this.secondsApart += seconds;
  }

  attemptFailed(reason: string): void {
    increment(this.failedAttempts, reason);
  }

  waitedBeforeAttempt(attempt: number, seconds: number): void {
    if (attempt === 2) this.retriedPages++;
    this.secondsApart += seconds;
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function total(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
