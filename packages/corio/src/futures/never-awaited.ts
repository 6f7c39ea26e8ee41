/**
 * Finds coroutines that nobody awaits. Registering every coroutine for finalization would cost more than running most
 * of them, so a new coroutine first goes into a list, and only what is still untouched when the loop's iteration ends
 * is registered: that is what was kept for later, or forgotten.
 */
import { host } from "#host";
import type { Coroutine } from "./coroutine.ts";
import { isAnyStepOpen } from "./running.ts";

/** What is reported; it must not hold the coroutine. */
interface Survivor {
  readonly name: string;
  readonly site: string | undefined;
  readonly madeInTask: boolean;
  isReported: boolean;
}

/** Made inside a task, and made outside of any: only the former can be overdue when a run ends. */
let fresh: Coroutine<unknown>[] = [];
let freshOutside: Coroutine<unknown>[] = [];
let flushIsComing = false;
const survivors = new Set<Survivor>();
const survivorOf = new WeakMap<Coroutine<unknown>, Survivor>();
const registry = new FinalizationRegistry<Survivor>(report);

/** A coroutine was made. `askForFlush` arranges for `flushFresh` to be called. */
export function noteCoroutineMade(coroutine: Coroutine<unknown>, askForFlush: () => void): void {
  (isAnyStepOpen() ? fresh : freshOutside).push(coroutine);
  if (flushIsComing) return;
  flushIsComing = true;
  askForFlush();
}

/** The coroutine is in good hands. Mostly it was the last one made: then it need not be looked at again. */
export function noteInGoodHands(coroutine: Coroutine<unknown>): void {
  if (fresh[fresh.length - 1] === coroutine) fresh.length--;
  else if (freshOutside[freshOutside.length - 1] === coroutine) freshOutside.length--;
}

/** The iteration is over: what has not been started by now is watched from here on. */
export function flushFresh(): void {
  flushIsComing = false;
  if (fresh.length > 0) {
    const coroutines = fresh;
    fresh = [];
    for (const coroutine of coroutines) if (coroutine.isUnclaimed) watch(coroutine, true);
  }
  if (freshOutside.length > 0) {
    const coroutines = freshOutside;
    freshOutside = [];
    for (const coroutine of coroutines) if (coroutine.isUnclaimed) watch(coroutine, false);
  }
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
