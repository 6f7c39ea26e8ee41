/**
 * Finds coroutines that nobody awaits. Registering every coroutine for finalization would cost more than running most
 * of them, so a new coroutine first goes into a list, and only what is still untouched when the loop's iteration ends
 * is registered: that is what was kept for later, or forgotten.
 */
import { host } from "#host";
import { housekeeping } from "../loop/housekeeping.ts";
import { systemScheduler } from "../loop/scheduler.ts";
import { currentStepOwner } from "../loop/step.ts";
import type { Coroutine } from "./coroutine.ts";
import { isAnyStepOpen, runningLoop } from "./running.ts";

/** What is reported; it must not hold the coroutine. */
interface Survivor {
  readonly name: string;
  readonly site: string | undefined;
  readonly madeInTask: boolean;
  isReported: boolean;
}

/**
 * Coroutines that are young. Most are awaited before another one is made, so the last one made has a place of its own:
 * there it costs two stores, where an array that grows and empties with each would be allocated again and again.
 */
class Fresh {
  #last: Coroutine<unknown> | null = null;
  #earlier: Coroutine<unknown>[] = [];

  add(coroutine: Coroutine<unknown>): void {
    if (this.#last !== null) this.#earlier.push(this.#last);
    this.#last = coroutine;
    housekeeping.dueCount++;
  }

  /** Forgets the coroutine if it was the last one made; then it need not be looked at again. False: it was not. */
  forget(coroutine: Coroutine<unknown>): boolean {
    if (this.#last === coroutine) this.#last = null;
    else if (this.#last === null && this.#earlier[this.#earlier.length - 1] === coroutine)
      this.#earlier.length--;
    else return false;
    housekeeping.dueCount--;
    return true;
  }

  /** Watches those that nobody has taken, and forgets all. */
  watch(madeInTask: boolean): void {
    const last = this.#last;
    const earlier = this.#earlier;
    this.#last = null;
    if (earlier.length > 0) this.#earlier = [];
    for (const coroutine of earlier) if (coroutine.isUnclaimed) watch(coroutine, madeInTask);
    if (last?.isUnclaimed === true) watch(last, madeInTask);
  }
}

/** Made inside a task, and made outside of any: only the former can be overdue when a run ends. */
const freshInside = new Fresh();
const freshOutside = new Fresh();
/** A turn of the host in which the loop is at rest. */
let turnIsComing = false;
const survivors = new Set<Survivor>();
const survivorOf = new WeakMap<Coroutine<unknown>, Survivor>();
const registry = new FinalizationRegistry<Survivor>(report);

housekeeping.run = flushFresh;

/** A coroutine was made: it is looked at when the iteration ends, or in the host's next turn when the loop is at rest. */
export function noteCoroutineMade(coroutine: Coroutine<unknown>): void {
  if (isAnyStepOpen()) freshInside.add(coroutine);
  else freshOutside.add(coroutine);
  if (currentStepOwner() !== null || turnIsComing) return;
  const scheduler = runningLoop()?.scheduler ?? systemScheduler;
  if (scheduler.isAwake) return;
  turnIsComing = true;
  host.turn(() => {
    turnIsComing = false;
    flushFresh();
  });
}

/** The coroutine is in good hands. */
export function noteInGoodHands(coroutine: Coroutine<unknown>): void {
  if (!freshInside.forget(coroutine)) freshOutside.forget(coroutine);
}

/** The iteration is over: what has not been started by now is watched from here on. */
function flushFresh(): void {
  housekeeping.dueCount = 0;
  freshInside.watch(true);
  freshOutside.watch(false);
}

function watch(coroutine: Coroutine<unknown>, madeInTask: boolean): void {
  const survivor = { name: coroutine.name, site: coroutine.site, madeInTask, isReported: false };
  survivors.add(survivor);
  survivorOf.set(coroutine, survivor);
  registry.register(coroutine, survivor, coroutine);
  coroutine.noteWatched();
}

/** A watched coroutine was started or closed after all. */
export function unwatch(coroutine: Coroutine<unknown>): void {
  const survivor = survivorOf.get(coroutine);
  if (survivor === undefined) return;
  survivors.delete(survivor);
  registry.unregister(coroutine);
}

/** The last run has ended: what was made in it and never awaited need not wait for the garbage collector. */
export function reportNeverAwaited(): void {
  flushFresh();
  for (const survivor of survivors) if (survivor.madeInTask) report(survivor);
}

function report(survivor: Survivor): void {
  survivors.delete(survivor);
  if (survivor.isReported) return;
  survivor.isReported = true;
  const where = survivor.site === undefined ? "" : `\ncreated at:\n${survivor.site}`;
  host.warn(`coroutine '${survivor.name}' was never awaited${where}`, "CORIO_NEVER_AWAITED");
}
