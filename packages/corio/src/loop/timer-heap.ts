import type { Timer } from "./runnable.ts";

/** Below this size a heap is not worth rebuilding. */
const REBUILD_SIZE = 100;

/**
 * A binary heap of timers by deadline; timers with equal deadlines leave in the order they came (asyncio leaves
 * that undefined). Deadlines and arrival numbers stand in typed arrays beside the timers: comparing touches no
 * object, and no timer pays for a boxed number.
 *
 * A cancelled timer stays where it is until it reaches the top, or until half of the heap is cancelled: then the
 * heap is rebuilt without them. So cancelling costs O(1) amortised and never more memory than the live timers do.
 */
export class TimerHeap {
  #timers: Timer[] = [];
  #deadlines: Float64Array = new Float64Array(16);
  #arrivals: Float64Array = new Float64Array(16);
  #arrived = 0;
  #stale = 0;

  get size(): number {
    return this.#timers.length;
  }

  push(deadline: number, timer: Timer): void {
    this.#siftUp(this.#append(timer), timer, deadline, this.#arrived++);
  }

  /** Puts a timer back that was taken: `arrival` is its number from then. */
  restore(deadline: number, timer: Timer, arrival: number): void {
    const index = this.#append(timer);
    this.#place(index, timer, deadline, arrival);
    for (let entry = (index - 1) >> 1; entry >= 0; entry = (entry - 1) >> 1) this.#siftDown(entry);
  }

  /** The arrival number of the timer that `pop` would take. */
  get nextArrival(): number {
    return this.#arrivals[0] as number;
  }

  /** The earliest deadline among the timers still wanted; undefined when there is none. */
  nextDeadline(): number | undefined {
    for (;;) {
      const top = this.#timers[0];
      if (top === undefined) return undefined;
      if (!top.isStale) return this.#deadlines[0];
      this.#stale--;
      this.#removeTop();
    }
  }

  deadlineOf(timer: Timer): number | undefined {
    const index = this.#timers.indexOf(timer);
    return index < 0 ? undefined : this.#deadlines[index];
  }

  /** Takes the timer with the earliest deadline. Call `nextDeadline` first: the top is then wanted. */
  pop(): Timer | undefined {
    const top = this.#timers[0];
    if (top !== undefined) this.#removeTop();
    return top;
  }

  /** To be called when a timer in the heap has become stale. */
  noteStale(): void {
    this.#stale++;
    if (this.#timers.length > REBUILD_SIZE && this.#stale * 2 > this.#timers.length) this.#rebuild();
  }

  #rebuild(): void {
    let kept = 0;
    for (let index = 0; index < this.#timers.length; index++) {
      const timer = this.#timers[index] as Timer;
      if (timer.isStale) continue;
      this.#place(kept++, timer, this.#deadlines[index] as number, this.#arrivals[index] as number);
    }
    this.#timers.length = kept;
    this.#stale = 0;
    for (let index = (kept >> 1) - 1; index >= 0; index--) this.#siftDown(index);
  }

  #removeTop(): void {
    const last = this.#timers.length - 1;
    const timer = this.#timers[last] as Timer;
    this.#timers.pop();
    if (last === 0) return;
    this.#place(0, timer, this.#deadlines[last] as number, this.#arrivals[last] as number);
    this.#siftDown(0);
  }

  #siftUp(start: number, timer: Timer, deadline: number, arrival: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      // A newcomer has the highest arrival number: it passes only what is strictly later.
      if ((this.#deadlines[parent] as number) <= deadline) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#place(index, timer, deadline, arrival);
  }

  #siftDown(start: number): void {
    const size = this.#timers.length;
    const timer = this.#timers[start] as Timer;
    const deadline = this.#deadlines[start] as number;
    const arrival = this.#arrivals[start] as number;
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#precedes(child + 1, child)) child++;
      const childDeadline = this.#deadlines[child] as number;
      if (childDeadline > deadline) break;
      if (childDeadline === deadline && (this.#arrivals[child] as number) > arrival) break;
      this.#move(child, index);
      index = child;
    }
    this.#place(index, timer, deadline, arrival);
  }

  #precedes(left: number, right: number): boolean {
    const difference = (this.#deadlines[left] as number) - (this.#deadlines[right] as number);
    if (difference !== 0) return difference < 0;
    return (this.#arrivals[left] as number) < (this.#arrivals[right] as number);
  }

  #move(from: number, to: number): void {
    this.#place(
      to,
      this.#timers[from] as Timer,
      this.#deadlines[from] as number,
      this.#arrivals[from] as number,
    );
  }

  #place(index: number, timer: Timer, deadline: number, arrival: number): void {
    this.#timers[index] = timer;
    this.#deadlines[index] = deadline;
    this.#arrivals[index] = arrival;
  }

  /** Puts a timer at the end; returns its index. Those of closed loops, which nobody has counted as stale, make room. */
  #append(timer: Timer): number {
    const capacity = this.#deadlines.length;
    if (this.#timers.length === capacity) {
      this.#rebuild();
      if (this.#timers.length * 2 > capacity) this.#grow(capacity * 2);
    }
    return this.#timers.push(timer) - 1;
  }

  #grow(capacity: number): void {
    const deadlines = new Float64Array(capacity);
    deadlines.set(this.#deadlines);
    this.#deadlines = deadlines;
    const arrivals = new Float64Array(capacity);
    arrivals.set(this.#arrivals);
    this.#arrivals = arrivals;
  }
}
